package serving_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	breastcancer "github.com/weir-ml/weir/examples/breast-cancer"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/onnx"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/host/serving"
	"github.com/weir-ml/weir/sdk/abi"
)

// native is the bridge from the real ONNX Runtime to serving's Loader, as the composition root builds it.
type native struct{ r *onnx.Runtime }

func (n native) Load(ctx context.Context, model []byte, o serving.LoadOptions) (serving.Executor, error) {
	s, err := n.r.Load(ctx, model, onnx.SessionOptions{Device: o.Device, DeviceID: o.DeviceID, IntraOpThreads: o.Threads, Strict: o.Strict})
	if err != nil {
		return nil, err
	}
	return s, nil
}

type blobs map[string][]byte

func (b blobs) add(data []byte) string {
	d := string(schema.DigestOf(data))
	b[d] = data
	return d
}

func (b blobs) ReadAll(_ context.Context, digest string) ([]byte, error) {
	if data, ok := b[digest]; ok {
		return data, nil
	}
	return nil, errs.New(errs.NotFound, "no blob %s", digest)
}

// plugins has one transform: (x - mean) / std a column, in float64.
type plugins struct{}

type standardize struct {
	Columns []struct {
		Name      string
		Mean, Std float64
	}
}

func (plugins) OpenTransform(_ context.Context, _ string, parameters json.RawMessage) (serving.Transformer, error) {
	var s standardize
	return &s, json.Unmarshal(parameters, &s)
}

func (plugins) Identity(plugin string) string { return plugin }

func (s *standardize) Digest() string { return "sha256:go" }
func (s *standardize) Close() error   { return nil }

func (s *standardize) Schema(context.Context) (abi.Schema, error) {
	var sc abi.Schema
	for _, c := range s.Columns {
		sc.Inputs = append(sc.Inputs, abi.Field{Name: c.Name, Type: abi.Float64})
	}
	sc.Outputs = sc.Inputs
	return sc, nil
}

func (s *standardize) Transform(_ context.Context, in *abi.Batch) (*abi.Batch, error) {
	out := &abi.Batch{Rows: in.Rows}
	for i, c := range s.Columns {
		v := make([]float64, in.Rows)
		for r, x := range in.Columns[i].Float64s() {
			v[r] = (x - c.Mean) / c.Std
		}
		col := abi.Float64Column(c.Name, v)
		col.Validity = in.Columns[i].Validity
		out.Columns = append(out.Columns, col)
	}
	return out, nil
}

type vectors struct {
	Raw    [][]float64
	Models map[string]struct {
		Label         []int64
		Probabilities [][]float64
	}
}

func open(t testing.TB) (*serving.Service, blobs, vectors) {
	t.Helper()
	// A missing library fails the test: a skip would look like a pass.
	if _, err := onnx.FindLibrary(""); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("../onnx/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	r, store := onnx.New(onnx.Options{}), blobs{}
	s, err := serving.New(serving.Options{Loader: native{r}, Plugins: plugins{}, Blobs: store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close()
		_ = r.Close()
	})
	return s, store, v
}

func spec(digest, version string) serving.ModelSpec {
	return serving.ModelSpec{
		Blob: digest, Version: version, Output: "probabilities", InstanceGroup: serving.InstanceGroup{Kind: "KIND_CPU", Threads: 1},
		Preprocess: &serving.Step{Plugin: "standardize", Parameters: breastcancer.Standardize},
	}
}

// Raw rows through pre-processing, batching and the real runtime: the answers are those of scikit-learn's scaling and ONNX
// Runtime's Python package (host/onnx/testdata/make.py), within 1e-6, from many callers and across a swap of versions.
func TestPredictionsAgreeWithPython(t *testing.T) {
	s, store, v := open(t)
	ctx := context.Background()
	names := map[string]string{"1": "model", "2": "better"}
	first, second := store.add(breastcancer.Model), store.add(breastcancer.BetterModel)
	if err := s.Apply(ctx, "bc", spec(first, "1")); err != nil {
		t.Fatal(err)
	}
	check := func(i, n int) (version string) {
		p, err := s.Predict(ctx, serving.PredictRequest{Model: "bc", Features: v.Raw[i : i+n]})
		if err != nil {
			t.Error(err)
			return ""
		}
		var got [][]float64
		if err := json.Unmarshal(p.JSON(), &got); err != nil || len(got) != n {
			t.Errorf("%s: %v", p.JSON(), err)
			return ""
		}
		for r := range got {
			for c, want := range v.Models[names[p.Version]].Probabilities[i+r] {
				if d := math.Abs(got[r][c] - want); !(d <= 1e-6) {
					t.Errorf("version %s row %d: %v differs by %g", p.Version, i+r, got[r], d)
				}
			}
		}
		return p.Version
	}
	check(0, len(v.Raw))
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 200 {
				check((g*7+i)%(len(v.Raw)-3), 1+i%3)
			}
		}()
	}
	if err := s.Apply(ctx, "bc", spec(second, "2")); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if got := check(0, 1); got != "2" {
		t.Errorf("version %s serves, want 2", got)
	}
	corrupt := store.add(breastcancer.Model[:300])
	if err := s.Apply(ctx, "bc", spec(corrupt, "3")); !errs.Is(err, errs.Invalid) {
		t.Errorf("a cut model: %v", err)
	}
	st, err := s.Status("bc")
	if err != nil || st.Version != "2" || st.State != serving.Ready || st.FailedVersion != "3" || !strings.Contains(st.Reason, "not a valid ONNX model") {
		t.Errorf("after a cut model: %+v, %v", st, err)
	}
	check(5, 2)
	_, err = s.Predict(ctx, serving.PredictRequest{Model: "bc", Features: [][]float64{v.Raw[0][:29]}})
	if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "mean_radius") {
		t.Errorf("29 features: %v", err)
	}
}

func TestRealFolder(t *testing.T) {
	s, _, v := open(t)
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/bc/2", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/bc/2/model.onnx", breastcancer.Model, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if names, err := s.AddFolder(ctx, dir); err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	p, err := s.Predict(ctx, serving.PredictRequest{Model: "bc", Features: v.Raw[:2]})
	if err != nil || p.Version != "2" || p.Value.Name != "label" || !json.Valid(p.JSON()) || strings.ContainsAny(string(p.JSON()), ".\"") {
		t.Errorf("%s, %+v, %v", p.JSON(), p, err)
	}
}

func BenchmarkPredict1(b *testing.B) {
	s, store, v := open(b)
	ctx := context.Background()
	if err := s.Apply(ctx, "bc", spec(store.add(breastcancer.Model), "1")); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Predict(ctx, serving.PredictRequest{Model: "bc", Features: v.Raw[:1]}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPredict64Callers(b *testing.B) {
	s, store, v := open(b)
	ctx := context.Background()
	if err := s.Apply(ctx, "bc", spec(store.add(breastcancer.Model), "1")); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetParallelism(64 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Predict(ctx, serving.PredictRequest{Model: "bc", Features: v.Raw[:1]}); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkInfer1(b *testing.B) {
	s, store, _ := open(b)
	ctx := context.Background()
	bare := spec(store.add(breastcancer.Model), "1")
	bare.Preprocess = nil
	if err := s.Apply(ctx, "bc", bare); err != nil {
		b.Fatal(err)
	}
	in := []schema.Tensor{{Name: "features", Type: schema.FP32, Shape: []int64{1, 30}, Data: make([]byte, 120)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Infer(ctx, serving.InferRequest{Model: "bc", Inputs: in}); err != nil {
			b.Fatal(err)
		}
	}
}
