package onnx

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	ort "github.com/yalue/onnxruntime_go"

	"github.com/weir-ml/weir/host/errs"
)

// GPU is one NVIDIA device.
type GPU struct {
	Index       int    `json:"index"`
	Name        string `json:"name"`
	MemoryBytes uint64 `json:"memory_bytes"`
}

// DeviceReport says what this machine can run on.
type DeviceReport struct {
	Library string `json:"library"` // ONNX Runtime's shared library
	CUDA    bool   `json:"cuda"`    // a GPU, its driver and the CUDA provider are there
	GPUs    []GPU  `json:"gpus"`    // as NVML counts them; empty without a driver
	Reason  string `json:"reason"`  // why CUDA is false; "" when it is true
}

// Devices reports the machine's devices as the first call saw them. errs.Unavailable when ONNX Runtime is not found.
func (r *Runtime) Devices() (DeviceReport, error) { return r.devices() }

func (r *Runtime) probe() (DeviceReport, error) {
	path, err := FindLibrary(r.opts.LibraryPath)
	if err != nil {
		return DeviceReport{}, err
	}
	rep := DeviceReport{Library: path, GPUs: []GPU{}}
	rep.GPUs, rep.Reason = gpus()
	if rep.Reason != "" {
		return rep, nil
	}
	provider := filepath.Join(filepath.Dir(path), "libonnxruntime_providers_cuda.so")
	if _, err := os.Stat(provider); err != nil {
		rep.Reason = fmt.Sprintf("ONNX Runtime's CUDA provider is not beside the library (no %s)", provider)
		return rep, nil
	}
	rep.CUDA = true
	return rep, nil
}

// gpus lists the GPUs, or says why there are none. Any NVML call after a failed Init ends the process, even the one that
// gives the error's text, so nothing is called unless Init succeeded.
func gpus() ([]GPU, string) {
	if ret := nvml.Init(); ret != nvml.SUCCESS {
		return []GPU{}, fmt.Sprintf("no NVIDIA driver (NVML answers %d)", int(ret))
	}
	defer func() { _ = nvml.Shutdown() }()
	n, ret := nvml.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return []GPU{}, fmt.Sprintf("NVML cannot count the GPUs (%d)", int(ret))
	}
	list := []GPU{}
	for i := range n {
		d, ret := nvml.DeviceGetHandleByIndex(i)
		if ret != nvml.SUCCESS {
			continue
		}
		g := GPU{Index: i}
		if name, ret := d.GetName(); ret == nvml.SUCCESS {
			g.Name = name
		}
		if m, ret := d.GetMemoryInfo(); ret == nvml.SUCCESS {
			g.MemoryBytes = m.Total
		}
		list = append(list, g)
	}
	if len(list) == 0 {
		return list, "the NVIDIA driver lists no usable GPU"
	}
	return list, ""
}

// choose decides between CUDA and the CPU. note says why the CPU was taken, for logs and the model's status.
func (r *Runtime) choose(o SessionOptions) (cuda bool, note string, err error) {
	switch o.Device {
	case "cpu":
		return false, "", nil
	case "", "auto", "cuda":
	default:
		return false, "", errs.New(errs.Invalid, "unknown device %q: use cpu, cuda or auto", o.Device)
	}
	rep, err := r.devices()
	if err != nil {
		return false, "", err
	}
	reason := rep.Reason
	if rep.CUDA {
		if o.DeviceID < len(rep.GPUs) {
			return true, "", nil
		}
		reason = fmt.Sprintf("there is no GPU %d, only %d", o.DeviceID, len(rep.GPUs))
	}
	if o.Device == "cuda" {
		if o.Strict {
			return false, "", errs.New(errs.Unavailable, "a GPU is required and not available: %s", reason)
		}
		r.log.Warn("a model asks for a GPU and falls back to the CPU", "reason", reason)
		return false, "a GPU was asked for and is not available (" + reason + "): running on the CPU", nil
	}
	r.onCPU.Do(func() { r.log.Info("models run on the CPU", "reason", reason) })
	return false, "", nil
}

func addCUDA(so *ort.SessionOptions, device int) error {
	co, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer func() { _ = co.Destroy() }()
	if err := co.Update(map[string]string{"device_id": strconv.Itoa(device)}); err != nil {
		return err
	}
	return so.AppendExecutionProviderCUDA(co)
}
