package serving

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

var ctx = context.Background()

func TestSpecs(t *testing.T) {
	good := ModelSpec{Blob: blob("v1")}
	full, err := good.WithDefaults()
	if err != nil || full.Version != "1" || full.NaN != "reject" || full.InstanceGroup.Count != 1 || full.Batching.MaxQueueSize != 1024 {
		t.Fatalf("%+v, %v", full, err)
	}
	cases := []struct {
		name string
		edit func(*ModelSpec)
		want string
	}{
		{"no blob", func(m *ModelSpec) { m.Blob = "" }, "blob"},
		{"a file", func(m *ModelSpec) { m.Blob, m.File = "", "a.onnx" }, "a.onnx"},
		{"bad digest", func(m *ModelSpec) { m.Blob = "sha256:12" }, "blob"},
		{"nan", func(m *ModelSpec) { m.NaN = "drop" }, `"drop"`},
		{"kind", func(m *ModelSpec) { m.InstanceGroup.Kind = "KIND_TPU" }, "KIND_TPU"},
		{"negative batch", func(m *ModelSpec) { m.Batching.MaxBatchSize = -1 }, "max_batch_size"},
		{"negative delay", func(m *ModelSpec) { m.Batching.MaxQueueDelayMicroseconds = -1 }, "max_queue_delay"},
		{"many instances", func(m *ModelSpec) { m.InstanceGroup.Count = 5000 }, "count"},
		{"gpu twice", func(m *ModelSpec) { m.InstanceGroup.GPUs = []int{1, 1} }, "gpus"},
		{"empty preprocess", func(m *ModelSpec) { m.Preprocess = &Step{} }, "preprocess"},
		{"column twice", func(m *ModelSpec) { m.Preprocess = &Step{Columns: []string{"a", "a"}} }, `"a"`},
		{"postprocess columns", func(m *ModelSpec) { m.Postprocess = &Step{Columns: []string{"a"}} }, "postprocess"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := good
			c.edit(&m)
			if _, err := m.WithDefaults(); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want Invalid naming %s", err, c.want)
			}
		})
	}
}

// While versions are swapped, every request is answered by one whole version, and closed models are never called.
func TestHotSwapUnderLoad(t *testing.T) {
	w := newWorld(map[string]*fakeExecutor{})
	for v := range 20 {
		w.executors[fmt.Sprint("v", v)] = newFake(int64(v))
	}
	s := newService(t, w)
	apply := func(v int) error {
		return s.Apply(ctx, "m", ModelSpec{Blob: blob(fmt.Sprint("v", v)), Version: fmt.Sprint(v), InstanceGroup: InstanceGroup{Count: 2}})
	}
	if err := apply(0); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for !stop.Load() {
				res, err := s.Infer(ctx, InferRequest{Model: "m", Inputs: []schema.Tensor{x(1, 2, 3, 4)}})
				if err != nil {
					t.Error(err)
					return
				}
				if !bytes.Equal(res.Outputs[0].Data, le[float32](2, 4, 6, 8)) {
					t.Errorf("got %v", numbers(res.Outputs[0].Data))
				}
				for r := range 2 {
					if got := fmt.Sprint(res.Outputs[1].Data[8*r]); got != res.Version {
						t.Errorf("version %s answered with %s", res.Version, got)
					}
				}
			}
		}()
	}
	for v := 1; v < 20; v++ {
		if err := apply(v); err != nil {
			t.Error(err)
		}
		if v%5 == 0 {
			err := s.Apply(ctx, "m", ModelSpec{Blob: blob("missing"), Version: "bad"})
			if !errs.Is(err, errs.NotFound) {
				t.Errorf("a bad version: %v, want NotFound", err)
			}
			if st, _ := s.Status("m"); st.State != Ready || st.Version != fmt.Sprint(v) || st.FailedVersion != "bad" || !strings.Contains(st.Reason, "no blob") {
				t.Errorf("after a bad version: %+v", st)
			}
		}
	}
	stop.Store(true)
	wg.Wait()
	for v := range 19 {
		if !w.executors[fmt.Sprint("v", v)].closed.Load() {
			t.Errorf("version %d is still loaded", v)
		}
	}
	if err := s.Close(); err != nil || !w.executors["v19"].closed.Load() {
		t.Errorf("Close: %v; the last version is still loaded", err)
	}
	if _, err := s.Infer(ctx, InferRequest{Model: "m"}); !errs.Is(err, errs.Unavailable) {
		t.Errorf("after Close: %v", err)
	}
	if err := s.Apply(ctx, "m", ModelSpec{Blob: blob("v1")}); !errs.Is(err, errs.Unavailable) {
		t.Errorf("Apply after Close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestLifeCycle(t *testing.T) {
	e := newFake(1)
	w := newWorld(map[string]*fakeExecutor{"v1": e, "corrupt": nil})
	reg := prometheus.NewPedanticRegistry()
	s, err := New(Options{Loader: w, Plugins: w, Blobs: w, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := New(Options{Registerer: reg}); err == nil {
		t.Error("metrics registered twice without an error")
	}
	if err := s.Check(ctx, "m", ModelSpec{Blob: blob("v1")}); err != nil || !e.closed.Load() || len(s.Models()) != 0 {
		t.Fatalf("Check: %v, closed %v, models %v", err, e.closed.Load(), s.Models())
	}
	if err := s.Check(ctx, "m", ModelSpec{Blob: blob("corrupt")}); !errs.Is(err, errs.Invalid) {
		t.Errorf("Check of a corrupt model: %v", err)
	}
	if err := s.Apply(ctx, "../m", ModelSpec{Blob: blob("v1")}); !errs.Is(err, errs.Invalid) {
		t.Errorf("a path as a name: %v", err)
	}
	if err := s.Apply(ctx, "m", ModelSpec{Blob: blob("corrupt"), Version: "7"}); !errs.Is(err, errs.Invalid) {
		t.Errorf("a corrupt model: %v", err)
	}
	if st, err := s.Status("m"); err != nil || st.State != Failed || st.FailedVersion != "7" || !strings.Contains(st.Reason, "valid ONNX") {
		t.Errorf("%+v, %v", st, err)
	}
	if _, err := s.Infer(ctx, InferRequest{Model: "m"}); !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "valid ONNX") {
		t.Errorf("infer on a failed model: %v", err)
	}
	loads := len(w.loads)
	for range 2 {
		if err := s.Apply(ctx, "m", ModelSpec{Blob: blob("v1"), Version: "8"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.loads) - loads; n != 1 {
		t.Errorf("the same spec twice loaded %d times", n)
	}
	st, err := s.Status("m")
	if err != nil || st.State != Ready || st.Version != "8" || st.Reason != "" || st.Spec.Batching.MaxBatchSize != 64 || st.Device != "cpu" || st.Instances != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	res, err := s.Infer(ctx, InferRequest{Model: "m", Version: "8", Inputs: []schema.Tensor{x(1, 2)}, Outputs: []string{"version", "twice"}})
	if err != nil || res.BatchSize != 1 || res.Outputs[0].Name != "version" || res.Outputs[1].Name != "twice" {
		t.Errorf("%+v, %v", res, err)
	}
	if _, err := s.Infer(ctx, InferRequest{Model: "m", Version: "7"}); !errs.Is(err, errs.NotFound) || !strings.Contains(err.Error(), "8") {
		t.Errorf("another version: %v", err)
	}
	if _, err := s.Infer(ctx, InferRequest{Model: "n"}); !errs.Is(err, errs.NotFound) || !strings.Contains(err.Error(), `"m"`) {
		t.Errorf("another model: %v", err)
	}
	if st, _ := s.Status("m"); st.Stats.Requests != 1 || st.Stats.Runs != 1 || st.Stats.Rows != 1 || st.Stats.BatchRows[0] != 1 {
		t.Errorf("stats %+v", st.Stats)
	}
	families, err := reg.Gather()
	if err != nil || len(families) != 5 {
		t.Errorf("%d metric families, %v", len(families), err)
	}
	if err := s.Remove(ctx, "m"); err != nil || !e.closed.Load() {
		t.Errorf("Remove: %v, closed %v", err, e.closed.Load())
	}
	if err := s.Remove(ctx, "m"); !errs.Is(err, errs.NotFound) {
		t.Errorf("Remove again: %v", err)
	}
	if families, _ := reg.Gather(); len(families) != 0 {
		t.Errorf("%d metric families after Remove", len(families))
	}
}

func TestRequestsAreCheckedBeforeTheyQueue(t *testing.T) {
	e := newFake(1)
	s := newService(t, newWorld(map[string]*fakeExecutor{"v1": e, "v2": newFake(2)}))
	if err := s.Apply(ctx, "m", ModelSpec{Blob: blob("v1")}); err != nil {
		t.Fatal(err)
	}
	nan := float32(math.NaN())
	odd := append([]byte{0}, le(float32(1), 2, 3, nan)...)
	cases := []struct {
		name string
		in   []schema.Tensor
		out  []string
		want []string
	}{
		{"name", []schema.Tensor{{Name: "y", Type: schema.FP32, Shape: []int64{1, 2}, Data: make([]byte, 8)}}, nil, []string{`"y"`, `"x" FP32 [-1 2]`}},
		{"missing", nil, nil, []string{`"x" is missing`}},
		{"twice", []schema.Tensor{x(1, 2), x(1, 2)}, nil, []string{"twice"}},
		{"type", []schema.Tensor{{Name: "x", Type: schema.Int32, Shape: []int64{1, 2}, Data: make([]byte, 8)}}, nil, []string{"INT32", "FP32"}},
		{"shape", []schema.Tensor{{Name: "x", Type: schema.FP32, Shape: []int64{1, 3}, Data: make([]byte, 12)}}, nil, []string{"[1 3]", "[-1 2]"}},
		{"overflow", []schema.Tensor{{Name: "x", Type: schema.FP32, Shape: []int64{math.MaxInt64, 2}, Data: make([]byte, 8)}}, nil, []string{"no tensor"}},
		{"bytes", []schema.Tensor{{Name: "x", Type: schema.FP32, Shape: []int64{2, 2}, Data: make([]byte, 8)}}, nil, []string{"8 bytes"}},
		{"no rows", []schema.Tensor{{Name: "x", Type: schema.FP32, Shape: []int64{0, 2}}}, nil, []string{"no rows"}},
		{"NaN", []schema.Tensor{x(1, 2, 3, nan)}, nil, []string{"row 1", "column 1", "NaN"}},
		{"unaligned NaN", []schema.Tensor{{Name: "x", Type: schema.FP32, Shape: []int64{2, 2}, Data: odd[1:]}}, nil, []string{"row 1", "column 1", "NaN"}},
		{"output", []schema.Tensor{x(1, 2)}, []string{"thrice"}, []string{`"thrice"`, `"twice"`}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Infer(ctx, InferRequest{Model: "m", Inputs: c.in, Outputs: c.out})
			if !errs.Is(err, errs.Invalid) {
				t.Fatalf("got %v, want Invalid", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %s", err, w)
				}
			}
		})
	}
	if n := e.runs.Load(); n != 0 {
		t.Errorf("the model ran %d times", n)
	}
	if err := s.Apply(ctx, "m", ModelSpec{Blob: blob("v2"), NaN: "pass"}); err != nil {
		t.Fatal(err)
	}
	if res, err := s.Infer(ctx, InferRequest{Model: "m", Inputs: []schema.Tensor{x(1, nan)}}); err != nil || !math.IsNaN(float64(numbers(res.Outputs[0].Data)[1])) {
		t.Errorf("nan: pass: %+v, %v", res, err)
	}
}

func TestNaNInEveryFloatType(t *testing.T) {
	cases := []struct {
		typ       schema.DType
		good, bad []byte
	}{
		{schema.FP32, le(float32(math.Inf(1)), 0), le(float32(0), float32(math.NaN()))},
		{schema.FP64, le(math.Inf(-1), 0), le(0, math.NaN())},
		{schema.FP16, le[uint16](0x7c00, 0xfc00), le[uint16](0, 0xfc01)},
		{schema.BF16, le[uint16](0x7f80, 0xff80), le[uint16](0, 0x7f81)},
		{schema.Int32, le[int32](-1, -1), nil},
	}
	for _, c := range cases {
		ten := schema.Tensor{Name: "x", Type: c.typ, Shape: []int64{2}, Data: c.good}
		if err := rejectNaN(ten, nil); err != nil {
			t.Errorf("%s: %v", c.typ, err)
		}
		ten.Data = c.bad
		if err := rejectNaN(ten, nil); (err == nil) != (c.bad == nil) {
			t.Errorf("%s with NaN: %v", c.typ, err)
		}
	}
}

func TestBatchingNeedsFreeRows(t *testing.T) {
	fixed := newFake(1)
	fixed.inputs = []schema.TensorSpec{{Name: "x", Type: schema.FP32, Shape: []int64{1, 2}}}
	s := newService(t, newWorld(map[string]*fakeExecutor{"fixed": fixed}))
	err := s.Apply(ctx, "m", ModelSpec{Blob: blob("fixed"), Batching: Batching{MaxBatchSize: 8}})
	if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), `"x" FP32 [1 2]`) {
		t.Fatalf("got %v", err)
	}
	if err := s.Apply(ctx, "m", ModelSpec{Blob: blob("fixed")}); err != nil {
		t.Fatal(err)
	}
	if st, _ := s.Status("m"); st.Spec.Batching.MaxBatchSize != 1 {
		t.Errorf("automatic batching of a fixed model: %d", st.Spec.Batching.MaxBatchSize)
	}
	if _, err := s.Infer(ctx, InferRequest{Model: "m", Inputs: []schema.Tensor{x(1, 2)}}); err != nil {
		t.Error(err)
	}
}

func TestInstances(t *testing.T) {
	cpu, gpu := newFake(1), newFake(1)
	gpu.device, cpu.note = "cuda", "a GPU was asked for"
	w := newWorld(map[string]*fakeExecutor{"cpu": cpu, "gpu": gpu})
	s := newService(t, w)
	group := InstanceGroup{Kind: "KIND_GPU", Count: 2, GPUs: []int{0, 1}, Threads: 3}
	for _, c := range []struct {
		name                   string
		loads, instances       int
		note                   string
		device, wantLoadDevice string
	}{{"gpu", 2, 4, "", "cuda", "cuda"}, {"cpu", 1, 2, "a GPU was asked for", "cpu", "cuda"}} {
		w.loads = nil
		if err := s.Apply(ctx, c.name, ModelSpec{Blob: blob(c.name), InstanceGroup: group}); err != nil {
			t.Fatal(err)
		}
		st, _ := s.Status(c.name)
		if len(w.loads) != c.loads || st.Instances != c.instances || st.Note != c.note || st.Device != c.device || w.loads[0].Device != c.wantLoadDevice || w.loads[0].Threads != 3 {
			t.Errorf("%s: loads %+v, status %+v", c.name, w.loads, st)
		}
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	put := func(content string, elem ...string) {
		p := filepath.Join(append([]string{dir}, elem...)...)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("v9", "a", "9", "model.onnx")
	put("v10", "a", "10", "model.onnx")
	put("v11", "a", "011", "model.onnx") // Triton, too, wants no leading zero
	put("x", "a", "12", "readme.txt")
	put("name: 'a'", "a", "config.pbtxt")
	put("v9", "b", "1", "model.onnx")
	put("broken", "c", "1", "model.onnx")
	put("x", "notes", "readme.txt")
	var log bytes.Buffer
	w := newWorld(map[string]*fakeExecutor{"v9": newFake(9), "v10": newFake(10)})
	s, err := New(Options{Loader: w, Plugins: w, Blobs: w, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2 {
		names, err := s.AddFolder(ctx, dir)
		if fmt.Sprint(names) != "[a b c]" || !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), `"c"`) {
			t.Fatalf("%v, %v", names, err)
		}
	}
	if n := strings.Count(log.String(), "config.pbtxt is not read"); n != 1 {
		t.Errorf("%d warnings about config.pbtxt: %s", n, &log)
	}
	a, _ := s.Status("a")
	b, _ := s.Status("b")
	c, _ := s.Status("c")
	if a.Version != "10" || !strings.Contains(a.Note, "config.pbtxt") || b.Version != "1" || b.Note != "" || c.State != Failed {
		t.Errorf("a %+v\nb %+v\nc %+v", a, b, c)
	}
	if _, err := s.AddFolder(ctx, filepath.Join(dir, "gone")); !errs.Is(err, errs.NotFound) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := s.AddFolder(ctx, filepath.Join(dir, "notes")); !errs.Is(err, errs.Invalid) {
		t.Errorf("empty folder: %v", err)
	}
}

// A removed model answers those who wait for it, and then it is closed.
func TestRemoveDrains(t *testing.T) {
	e := newFake(1)
	e.gate = make(chan struct{})
	s := newService(t, newWorld(map[string]*fakeExecutor{"v1": e}))
	if err := s.Apply(ctx, "m", ModelSpec{Blob: blob("v1")}); err != nil {
		t.Fatal(err)
	}
	answers := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := s.Infer(ctx, InferRequest{Model: "m", Inputs: []schema.Tensor{x(1, 2)}})
			answers <- err
		}()
	}
	for {
		if st, _ := s.Status("m"); st.Stats.Queued == 2 && e.running.Load() == 1 {
			break
		}
		runtime.Gosched()
	}
	if err := s.Remove(ctx, "m"); err != nil {
		t.Fatal(err)
	}
	if e.closed.Load() {
		t.Error("closed while requests wait")
	}
	close(e.gate)
	for range 3 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if err := s.Close(); err != nil || !e.closed.Load() {
		t.Errorf("%v, closed %v", err, e.closed.Load())
	}
}
