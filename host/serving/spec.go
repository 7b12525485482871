package serving

import (
	"encoding/json"
	"regexp"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// ModelSpec says what a model is and how it is served.
type ModelSpec struct {
	// Blob is the digest of the ONNX file.
	Blob string `json:"blob,omitempty"`
	// File is the ONNX file's path as a manifest writes it; the client uploads it and sends Blob in its place.
	File string `json:"file,omitempty"`
	// Version is what responses carry; "" is "1".
	Version string `json:"version,omitempty"`
	// Preprocess turns named columns into the model's input; nil feeds features to the model as they are.
	Preprocess *Step `json:"preprocess,omitempty"`
	// Postprocess turns the model's outputs, as columns of the same names, into the answer's; nil answers them as they are.
	Postprocess   *Step         `json:"postprocess,omitempty"`
	Batching      Batching      `json:"batching,omitzero"`
	InstanceGroup InstanceGroup `json:"instance_group,omitzero"`
	// NaN is "reject" (default: a NaN or a null in a model's input is an error naming row and column) or "pass".
	NaN string `json:"nan,omitempty"`
	// Output names the output that answers a prediction; default is the first.
	Output string `json:"output,omitempty"`
}

// Step is one use of a transform plugin. Without Plugin, a Preprocess step only names the columns of the model's input.
type Step struct {
	Plugin     string          `json:"plugin,omitempty"`
	Parameters json.RawMessage `json:"parameters,omitempty"`
	// Columns is the order of a features array; default is the order of the plugin's inputs.
	Columns []string `json:"columns,omitempty"`
}

// Batching gathers concurrent requests. A batch holds only requests whose inputs have the same dimensions after the first.
// A request of more rows than MaxBatchSize is run alone, in consecutive pieces of MaxBatchSize rows.
type Batching struct {
	// MaxBatchSize is the most rows of one run. 1 turns batching off: each request runs as it came. 0 is automatic: 64 where
	// every input's and output's first dimension is free, otherwise off. A model is assumed to treat rows one by one.
	MaxBatchSize int `json:"max_batch_size,omitempty"`
	// MaxQueueDelayMicroseconds is how long a request may wait for company while an instance is idle. 0, the default, never
	// waits: batches then form from what queues while all instances are busy.
	MaxQueueDelayMicroseconds int `json:"max_queue_delay_microseconds,omitempty"`
	// MaxQueueSize is the most requests that wait; more are refused as exhausted. 0 is 1,024.
	MaxQueueSize int `json:"max_queue_size,omitempty"`
}

// InstanceGroup says where and how often a model runs at once.
type InstanceGroup struct {
	// Kind is KIND_AUTO (default: a GPU where there is one), KIND_CPU or KIND_GPU.
	Kind string `json:"kind,omitempty"`
	// Count is the runs at once on the CPU or on each GPU; 0 is 1. Instances on one device share the model's memory.
	Count int `json:"count,omitempty"`
	// GPUs are the devices' indexes; empty is the first.
	GPUs []int `json:"gpus,omitempty"`
	// Threads is the threads of one run inside an operator; 0 leaves it to the runtime.
	Threads int `json:"threads,omitempty"`
}

// The defaults and limits of batching.
const (
	autoBatch        = 64
	defaultQueueSize = 1024
	maxBatchLimit    = 1 << 20
	maxInstances     = 1024
)

var devices = map[string]string{"KIND_AUTO": "auto", "KIND_CPU": "cpu", "KIND_GPU": "cuda"}

// WithDefaults checks the spec and fills in defaults (MaxBatchSize stays 0: it depends on the model). Errors are errs.Invalid
// and name the field.
func (m ModelSpec) WithDefaults() (ModelSpec, error) {
	if m.Version == "" {
		m.Version = "1"
	}
	if m.NaN == "" {
		m.NaN = "reject"
	}
	if m.InstanceGroup.Kind == "" {
		m.InstanceGroup.Kind = "KIND_AUTO"
	}
	if m.InstanceGroup.Count == 0 {
		m.InstanceGroup.Count = 1
	}
	if m.Batching.MaxQueueSize == 0 {
		m.Batching.MaxQueueSize = defaultQueueSize
	}
	if m.Blob == "" {
		if m.File != "" {
			return m, errs.New(errs.Invalid, "file %q was not uploaded: the server takes blob, a digest", m.File)
		}
		return m, errs.New(errs.Invalid, "blob is missing: want the digest of an ONNX file")
	}
	if _, err := schema.ParseDigest(m.Blob); err != nil {
		return m, errs.New(errs.Invalid, "blob: %w", err)
	}
	if m.NaN != "reject" && m.NaN != "pass" {
		return m, errs.New(errs.Invalid, "nan is %q: use reject or pass", m.NaN)
	}
	if _, ok := devices[m.InstanceGroup.Kind]; !ok {
		return m, errs.New(errs.Invalid, "instance_group.kind is %q: use KIND_AUTO, KIND_CPU or KIND_GPU", m.InstanceGroup.Kind)
	}
	for _, f := range []struct {
		name     string
		v, limit int
	}{
		{"batching.max_batch_size", m.Batching.MaxBatchSize, maxBatchLimit},
		{"batching.max_queue_delay_microseconds", m.Batching.MaxQueueDelayMicroseconds, int(time.Minute / time.Microsecond)},
		{"batching.max_queue_size", m.Batching.MaxQueueSize, 1 << 24},
		{"instance_group.count", m.InstanceGroup.Count, maxInstances},
		{"instance_group.threads", m.InstanceGroup.Threads, 4096},
	} {
		if f.v < 0 || f.v > f.limit {
			return m, errs.New(errs.Invalid, "%s is %d: want 0 to %d", f.name, f.v, f.limit)
		}
	}
	seen := map[int]bool{}
	for _, g := range m.InstanceGroup.GPUs {
		if g < 0 || seen[g] {
			return m, errs.New(errs.Invalid, "instance_group.gpus lists %d: want different indexes from 0", g)
		}
		seen[g] = true
	}
	if s := m.Preprocess; s != nil {
		if s.Plugin == "" && len(s.Columns) == 0 {
			return m, errs.New(errs.Invalid, "preprocess needs a plugin, columns, or both")
		}
		names := map[string]bool{}
		for _, c := range s.Columns {
			if c == "" || names[c] {
				return m, errs.New(errs.Invalid, "preprocess.columns lists %q twice or without a name", c)
			}
			names[c] = true
		}
	}
	if s := m.Postprocess; s != nil && (s.Plugin == "" || len(s.Columns) > 0) {
		return m, errs.New(errs.Invalid, "postprocess needs a plugin and takes no columns")
	}
	return m, nil
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

func checkName(name string) error {
	if !nameForm.MatchString(name) {
		return errs.New(errs.Invalid, "model name %q: use letters, digits, dots, dashes and underscores, at most 128, a letter or digit first", name)
	}
	return nil
}
