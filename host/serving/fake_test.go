package serving

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeExecutor doubles each row of "x" FP32 [-1, 2] into "twice" and writes "version" INT64 [-1]. A row whose first element is
// poison fails the whole run, as a real operator would.
type fakeExecutor struct {
	version int64
	inputs  []schema.TensorSpec
	outputs []schema.TensorSpec
	gate    chan struct{} // when not nil, a run takes one element first, or ends with its context
	closed  atomic.Bool
	running atomic.Int64
	runs    atomic.Int64
	device  string
	note    string
}

const poison = -666

func newFake(version int64) *fakeExecutor {
	return &fakeExecutor{
		version: version, device: "cpu",
		inputs: []schema.TensorSpec{{Name: "x", Type: schema.FP32, Shape: []int64{-1, 2}}},
		outputs: []schema.TensorSpec{
			{Name: "twice", Type: schema.FP32, Shape: []int64{-1, 2}}, {Name: "version", Type: schema.Int64, Shape: []int64{-1}},
		},
	}
}

func (f *fakeExecutor) Inputs() []schema.TensorSpec  { return f.inputs }
func (f *fakeExecutor) Outputs() []schema.TensorSpec { return f.outputs }
func (f *fakeExecutor) Device() string               { return f.device }
func (f *fakeExecutor) DeviceNote() string           { return f.note }
func (f *fakeExecutor) Close() error                 { f.closed.Store(true); return nil }

func (f *fakeExecutor) Run(ctx context.Context, in []schema.Tensor, _ []string) ([]schema.Tensor, error) {
	if f.closed.Load() {
		return nil, errs.New(errs.Unavailable, "closed")
	}
	f.running.Add(1)
	defer f.running.Add(-1)
	f.runs.Add(1)
	if f.gate != nil {
		select {
		case <-f.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	rows := int(in[0].Shape[0])
	v := numbers(in[0].Data)
	out, ver := make([]float32, len(v)), make([]int64, rows)
	for i, x := range v {
		if x == poison {
			return nil, errs.New(errs.Invalid, "poison")
		}
		out[i] = 2 * x
	}
	for i := range ver {
		ver[i] = f.version
	}
	if f.closed.Load() {
		return nil, errs.New(errs.Internal, "closed during a run")
	}
	return []schema.Tensor{
		{Name: "twice", Type: schema.FP32, Shape: in[0].Shape, Data: le(out...)},
		{Name: "version", Type: schema.Int64, Shape: []int64{int64(rows)}, Data: le(ver...)},
	}, nil
}

func le[T any](v ...T) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		panic(err)
	}
	return b
}

func numbers(b []byte) []float32 {
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}

func x(v ...float32) schema.Tensor {
	return schema.Tensor{Name: "x", Type: schema.FP32, Shape: []int64{int64(len(v) / 2), 2}, Data: le(v...)}
}

// world is a Loader, Blobs and Plugins in memory. A blob is the name of an executor.
type world struct {
	mu        sync.Mutex
	executors map[string]*fakeExecutor
	loads     []LoadOptions
	plugins   map[string]Transformer
	moved     int // grows when plugins stand for something else
}

func newWorld(executors map[string]*fakeExecutor) *world {
	return &world{executors: executors, plugins: map[string]Transformer{}}
}

func blob(name string) string { return string(schema.DigestOf([]byte(name))) }

func (w *world) ReadAll(_ context.Context, digest string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.executors {
		if blob(name) == digest {
			return []byte(name), nil
		}
	}
	return nil, errs.New(errs.NotFound, "no blob %s", digest)
}

func (w *world) Load(_ context.Context, model []byte, o LoadOptions) (Executor, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loads = append(w.loads, o)
	e := w.executors[string(model)]
	if e == nil {
		return nil, errs.New(errs.Invalid, "not a valid ONNX model: %q", model)
	}
	e.closed.Store(false)
	return e, nil
}

func (w *world) OpenTransform(_ context.Context, plugin string, _ json.RawMessage) (Transformer, error) {
	t := w.plugins[plugin]
	if t == nil {
		return nil, errs.New(errs.NotFound, "plugin %q not found", plugin)
	}
	return t, nil
}

func (w *world) Identity(plugin string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprint(plugin, w.moved)
}

// fakeTransform is a plugin written in Go.
type fakeTransform struct {
	schema abi.Schema
	f      func(*abi.Batch) (*abi.Batch, error)
	closed atomic.Int64
}

func (t *fakeTransform) Digest() string                             { return "sha256:fake" }
func (t *fakeTransform) Schema(context.Context) (abi.Schema, error) { return t.schema, nil }
func (t *fakeTransform) Close() error                               { t.closed.Add(1); return nil }
func (t *fakeTransform) Transform(_ context.Context, b *abi.Batch) (*abi.Batch, error) {
	return t.f(b)
}

func newService(t testing.TB, w *world) *Service {
	t.Helper()
	s, err := New(Options{Loader: w, Plugins: w, Blobs: w})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
