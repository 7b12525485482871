package onnx

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// Options configure a Runtime.
type Options struct {
	// LibraryPath is ONNX Runtime's shared library; "" searches as FindLibrary says.
	LibraryPath string
	// Logger takes one line when a GPU was asked for and the CPU serves; nil is silent.
	Logger *slog.Logger
}

// Runtime opens models. It is safe for concurrent use. The zero value is not usable: call New.
type Runtime struct {
	opts Options
	log  *slog.Logger

	mu     sync.Mutex
	path   string // of the library that this Runtime holds a reference on, "" before the first use
	closed bool

	devices func() (DeviceReport, error)
	onCPU   sync.Once
}

// New makes a Runtime. The library is opened by the first Load, so that a process without models does without it.
func New(o Options) *Runtime {
	r := &Runtime{opts: o, log: o.Logger}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.log = r.log.With("room", "onnx")
	r.devices = sync.OnceValues(r.probe)
	return r
}

// Close lets go of the library. Sessions stay usable until they are closed; Load fails. Close may be called twice.
func (r *Runtime) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed && r.path != "" {
		release()
	}
	r.closed = true
	return nil
}

// open makes sure that the library is open, takes one more reference on it (for a session).
func (r *Runtime) open() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errs.New(errs.Unavailable, "the ONNX runtime is closed")
	}
	if r.path == "" {
		path, err := FindLibrary(r.opts.LibraryPath)
		if err != nil {
			return err
		}
		if err := acquire(path); err != nil {
			return err
		}
		r.path = path
		r.log.Info("opened ONNX Runtime", "library", path, "version", ort.GetVersion())
	}
	return acquire(r.path)
}

// SessionOptions say where and how a model runs.
type SessionOptions struct {
	// Device is "cpu", "cuda", or "auto" (also ""): CUDA where a GPU and the CUDA provider are there, else the CPU.
	Device string
	// DeviceID is the GPU's index, from 0.
	DeviceID int
	// IntraOpThreads is the threads inside one operator; 0 leaves it to ONNX Runtime (one a core).
	IntraOpThreads int
	// InterOpThreads is the threads across operators; 0 leaves it to ONNX Runtime.
	InterOpThreads int
	// Strict refuses with errs.Unavailable where Device "cuda" would otherwise fall back to the CPU with a warning.
	Strict bool
}

// Load makes a session from a model's bytes, which may be changed afterwards. Errors: errs.Invalid for bytes that are no
// valid ONNX model or for unknown options, errs.Unimplemented for inputs or outputs that are no tensors of a known type,
// errs.Unavailable when the library or, with Strict, the GPU is not there.
func (r *Runtime) Load(ctx context.Context, model []byte, o SessionOptions) (*Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(model) == 0 {
		return nil, errs.New(errs.Invalid, "the model is empty: want the bytes of an ONNX file")
	}
	if o.IntraOpThreads < 0 || o.InterOpThreads < 0 || o.DeviceID < 0 {
		return nil, errs.New(errs.Invalid, "threads and the device index must not be negative")
	}
	if err := r.open(); err != nil {
		return nil, err
	}
	s, err := r.load(model, o)
	if err != nil {
		release()
		return nil, err
	}
	return s, nil
}

func (r *Runtime) load(model []byte, o SessionOptions) (*Session, error) {
	cuda, note, err := r.choose(o)
	if err != nil {
		return nil, err
	}
	// The wrapper wants the names before it makes the session, and only a session knows them: the first one is a reader.
	in, out, err := ort.GetInputOutputInfoWithONNXData(model)
	if err != nil {
		return nil, errs.New(errs.Invalid, "not a valid ONNX model: %w", tidy(err))
	}
	s := &Session{device: "cpu", note: note}
	if s.inputs, s.inNames, err = specs("input", in); err != nil {
		return nil, err
	}
	if s.outputs, s.outNames, err = specs("output", out); err != nil {
		return nil, err
	}
	if len(s.inputs) == 0 || len(s.outputs) == 0 {
		return nil, errs.New(errs.Unimplemented, "the model has %d inputs and %d outputs: want at least one of each", len(s.inputs), len(s.outputs))
	}
	for _, sp := range s.outputs {
		if wide(sp.Type) && !leadingOnly(sp.Shape) {
			return nil, errs.New(errs.Unimplemented, "output %q is %s of shape %v: for this type only the first dimension may be free; cast it to FP32 in the model", sp.Name, sp.Type, sp.Shape)
		}
	}
	s.learn = make([]learned, len(s.outputs))

	if cuda {
		s.ort, err = newSession(model, s.inNames, s.outNames, o, true)
		switch {
		case err == nil:
			s.device = "cuda"
			return s, nil
		case o.Strict:
			return nil, errs.New(errs.Unavailable, "CUDA device %d: %w", o.DeviceID, tidy(err))
		}
		s.note = "CUDA did not start (" + tidy(err).Error() + "): running on the CPU"
		r.log.Warn("a model falls back to the CPU", "reason", s.note)
	}
	if s.ort, err = newSession(model, s.inNames, s.outNames, o, false); err != nil {
		return nil, errs.New(errs.Invalid, "not a valid ONNX model: %w", tidy(err))
	}
	return s, nil
}

func newSession(model []byte, in, out []string, o SessionOptions, cuda bool) (*ort.DynamicAdvancedSession, error) {
	so, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer func() { _ = so.Destroy() }()
	if err := errors.Join(
		so.SetLogSeverityLevel(ort.LoggingLevelFatal),
		so.SetIntraOpNumThreads(o.IntraOpThreads),
		so.SetInterOpNumThreads(o.InterOpThreads),
	); err != nil {
		return nil, err
	}
	if cuda {
		if err := addCUDA(so, o.DeviceID); err != nil {
			return nil, err
		}
	}
	return ort.NewDynamicAdvancedSessionWithONNXData(model, in, out, so)
}

func specs(what string, infos []ort.InputOutputInfo) ([]schema.TensorSpec, []string, error) {
	out := make([]schema.TensorSpec, len(infos))
	names := make([]string, len(infos))
	for i, n := range infos {
		if n.OrtValueType != ort.ONNXTypeTensor {
			return nil, nil, errs.New(errs.Unimplemented, "%s %q is %s: only tensors are served (for scikit-learn classifiers export with zipmap off)", what, n.Name, strings.ToLower(strings.TrimPrefix(n.OrtValueType.String(), "ONNX_TYPE_")))
		}
		t, ok := typeOf(n.DataType)
		if !ok {
			return nil, nil, errs.New(errs.Unimplemented, "%s %q has element type %s, which is not served", what, n.Name, n.DataType)
		}
		out[i] = schema.TensorSpec{Name: n.Name, Type: t, Shape: append([]int64{}, n.Dimensions...)}
		for d, v := range out[i].Shape {
			if v < 0 {
				out[i].Shape[d] = -1
			}
		}
		names[i] = n.Name
	}
	return out, names, nil
}

// tidy strips the wrapper's prefixes, which say nothing to a user, from an error's text.
func tidy(err error) error {
	text := err.Error()
	for _, p := range []string{"Error creating C session: ", "Error running network: ", "Error creating temporary session: ", "Error creating session: "} {
		text = strings.TrimPrefix(text, p)
	}
	return errors.New(strings.TrimSpace(text))
}
