package onnx

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// Session is one loaded model. It is safe for many concurrent callers; ONNX Runtime runs them side by side.
type Session struct {
	inputs, outputs   []schema.TensorSpec
	inNames, outNames []string
	device, note      string
	learn             []learned // by output

	mu  sync.RWMutex // runs hold it shared, Close alone: so Close waits for running calls
	ort *ort.DynamicAdvancedSession
}

// learned remembers that an output without declared dimensions turned out to be a scalar, which the wrapper can fill only
// when it is given one.
type learned struct{ scalar atomic.Bool }

// Inputs lists what the model takes, in its order. The caller must not change it.
func (s *Session) Inputs() []schema.TensorSpec { return s.inputs }

// Outputs lists what the model gives, in its order. The caller must not change it.
func (s *Session) Outputs() []schema.TensorSpec { return s.outputs }

// Device is "cpu" or "cuda".
func (s *Session) Device() string { return s.device }

// DeviceNote says why a wished-for GPU is not used; "" when there is nothing to say.
func (s *Session) DeviceNote() string { return s.note }

// Close frees the model after the running calls have ended. It may be called twice.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ort == nil {
		return nil
	}
	err := s.ort.Destroy()
	s.ort = nil
	release()
	return err
}

// Run runs the model once. in holds each input once, in any order; outputs names the outputs wanted, nil for all, and the
// answer has their order. The inputs are only read and the outputs are the caller's own memory. Cancelling ctx stops the run at
// the next operator. Errors: errs.Invalid when the inputs do not fit or the model refuses their values, errs.Exhausted when
// memory ran out, errs.Unavailable after Close, and the context's own.
func (s *Session) Run(ctx context.Context, in []schema.Tensor, outputs []string) ([]schema.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.ort == nil {
		return nil, errs.New(errs.Unavailable, "the model is unloaded")
	}
	pick, err := s.pick(outputs)
	if err != nil {
		return nil, err
	}
	values := make([]ort.Value, len(s.inputs))
	defer destroy(values)
	rows := int64(-1)
	for _, t := range in {
		i := find(s.inputs, t.Name)
		if i < 0 {
			return nil, errs.New(errs.Invalid, "unknown input %q: the model takes %s", t.Name, list(s.inNames))
		}
		if values[i] != nil {
			return nil, errs.New(errs.Invalid, "input %q is given twice", t.Name)
		}
		if err := check(t, s.inputs[i]); err != nil {
			return nil, err
		}
		if values[i], err = newInput(t); err != nil {
			return nil, err
		}
		if i == 0 && len(t.Shape) > 0 {
			rows = t.Shape[0]
		}
	}
	for i, v := range values {
		if v == nil {
			return nil, errs.New(errs.Invalid, "input %q is missing: the model takes %s", s.inNames[i], list(s.inNames))
		}
	}
	results, err := s.run(ctx, values, rows)
	if err != nil {
		return nil, err
	}
	defer destroy(results)
	out := make([]schema.Tensor, len(pick))
	for i, p := range pick {
		if out[i], err = output(s.outNames[p], s.outputs[p].Type, results[p]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// run calls ONNX Runtime. The caller destroys the results.
func (s *Session) run(ctx context.Context, in []ort.Value, rows int64) ([]ort.Value, error) {
	var opts *ort.RunOptions
	if ctx.Done() != nil {
		var err error
		if opts, err = ort.NewRunOptions(); err != nil {
			return nil, err
		}
		var over sync.Mutex // Terminate must not meet a destroyed object
		stop := context.AfterFunc(ctx, func() {
			over.Lock()
			defer over.Unlock()
			if opts != nil {
				_ = opts.Terminate()
			}
		})
		defer func() {
			stop()
			over.Lock()
			defer over.Unlock()
			_ = opts.Destroy()
			opts = nil
		}()
	}
	for {
		out, err := s.allot(rows)
		if err != nil {
			destroy(out)
			return nil, err
		}
		err = s.ort.RunWithOptions(in, out, opts)
		if err == nil {
			return out, nil
		}
		if errors.Is(err, ort.ZeroShapeLengthError) {
			// The wrapper ran the model and met a scalar: the last value that it set, which is empty. Give it one next time.
			last := len(out) - 1
			for last >= 0 && out[last] == nil {
				last--
			}
			if last >= 0 && !s.learn[last].scalar.Swap(true) {
				destroy(out[:last])
				continue
			}
		}
		discard(out)
		if ctxErr := ctx.Err(); ctxErr != nil {
			return nil, ctxErr
		}
		text := tidy(err)
		if strings.Contains(text.Error(), "Failed to allocate memory") || strings.Contains(text.Error(), "bad_alloc") {
			return nil, errs.New(errs.Exhausted, "the model ran out of memory: %w", text)
		}
		return nil, errs.New(errs.Invalid, "the model refuses this input: %w", text)
	}
}

// allot makes the outputs that the wrapper cannot make by itself; the others are nil.
func (s *Session) allot(rows int64) ([]ort.Value, error) {
	out := make([]ort.Value, len(s.outputs))
	for i, sp := range s.outputs {
		var err error
		switch {
		case s.learn[i].scalar.Load():
			out[i], err = onType(sp.Type, scalarMaker(nil))
		case wide(sp.Type):
			shape := append(ort.Shape{}, sp.Shape...)
			if shape[0] < 0 {
				shape[0] = rows
			}
			n := schema.Elements(shape)
			if n < 1 {
				return out, errs.New(errs.Invalid, "output %q would have shape %v", sp.Name, shape)
			}
			out[i], err = custom(shape, make([]byte, n*int64(sp.Type.Size())), sp.Type)
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func (s *Session) pick(names []string) ([]int, error) {
	if len(names) == 0 {
		all := make([]int, len(s.outputs))
		for i := range all {
			all[i] = i
		}
		return all, nil
	}
	pick := make([]int, len(names))
	for i, n := range names {
		if pick[i] = find(s.outputs, n); pick[i] < 0 {
			return nil, errs.New(errs.Invalid, "unknown output %q: the model gives %s", n, list(s.outNames))
		}
	}
	return pick, nil
}

func find(specs []schema.TensorSpec, name string) int {
	for i := range specs {
		if specs[i].Name == name {
			return i
		}
	}
	return -1
}

func list(names []string) string { return `"` + strings.Join(names, `", "`) + `"` }

// discard destroys what a failed run left: the wrapper may have put a nil pointer into the interface.
func discard(values []ort.Value) {
	for _, v := range values {
		if v != nil && !reflect.ValueOf(v).IsNil() {
			_ = v.Destroy()
		}
	}
}

func destroy(values []ort.Value) {
	for _, v := range values {
		if v != nil {
			_ = v.Destroy()
		}
	}
}
