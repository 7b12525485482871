package datasets_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/datasets"
	"github.com/weir-ml/weir/host/datasets/datasetsduck"
	"github.com/weir-ml/weir/host/datasets/datasetstest"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/offline"
	"github.com/weir-ml/weir/kv/kvtest"
	"github.com/weir-ml/weir/sdk/abi"
)

var ctx = context.Background()

// scale is a plugin that multiplies by its parameter {"by": n}.
type scale struct {
	by     float64
	closed *int
}

func (s scale) Schema(context.Context) (abi.Schema, error) {
	x := []abi.Field{{Name: "x", Type: abi.Float64}}
	return abi.Schema{Inputs: x, Outputs: x}, nil
}

func (s scale) TransformChunk(_ context.Context, in *abi.Batch, use func(*abi.Batch) error) error {
	out := make([]float64, in.Rows)
	for i, v := range in.Columns[0].Float64s() {
		out[i] = v * s.by
	}
	c := abi.Float64Column("x", out)
	c.Validity = in.Columns[0].Validity
	return use(&abi.Batch{Rows: in.Rows, Columns: []abi.Column{c}})
}

func (s scale) Digest() string { return "sha256:scale" }

func (s scale) Parameters() json.RawMessage { return json.RawMessage(`{"by":2}`) }
func (s scale) Close() error                { *s.closed++; return nil }

type plugins struct{ opened, closed int }

func (p *plugins) OpenTransformer(_ context.Context, plugin string, params json.RawMessage) (datasets.Transformer, error) {
	if plugin != "scale" {
		return nil, errs.New(errs.NotFound, "plugin %q not found", plugin)
	}
	var o struct{ By float64 }
	if err := json.Unmarshal(params, &o); err != nil {
		return nil, errs.New(errs.Invalid, "parameters: %w", err)
	}
	p.opened++
	return scale{o.By, &p.closed}, nil
}

type world struct {
	*datasets.Service
	store   *datasetstest.Store
	plugins *plugins
	temp    string
}

func newWorld(t testing.TB, change func(*datasets.Options)) world {
	t.Helper()
	e, err := offline.Open(offline.Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	clock := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	w := world{store: datasetstest.NewStore(), plugins: &plugins{}, temp: t.TempDir()}
	o := datasets.Options{Engine: datasetsduck.New(e), Blobs: kvtest.Open(t).Blobs(), Store: w.store, Plugins: w.plugins, TempDir: w.temp, Now: func() time.Time { return clock }}
	if change != nil {
		change(&o)
	}
	if w.Service, err = datasets.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left, _ := os.ReadDir(w.temp); len(left) > 0 {
			t.Errorf("temporary files left: %v", left)
		}
	})
	return w
}

func (w world) csv(t testing.TB, name, content string) datasets.Version {
	t.Helper()
	v, err := w.Import(ctx, name, "csv", strings.NewReader(content), name+".csv")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (w world) column(t testing.TB, ref, column string) (out []float64) {
	t.Helper()
	err := w.Batches(ctx, ref, []string{column}, func(b *abi.Batch) error {
		for i := range b.Rows {
			v, _ := b.Columns[0].Float64At(i)
			out = append(out, v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantKind(t testing.TB, err error, k errs.Kind) {
	t.Helper()
	if !errs.Is(err, k) {
		t.Fatalf("%v, want %v", err, k)
	}
}

func TestImportMakesVersions(t *testing.T) {
	w := newWorld(t, nil)
	v1 := w.csv(t, "flows", "a,b\n1,x\n2,y\n")
	want := datasets.Version{Name: "flows", Version: 1, Digest: v1.Digest, Bytes: v1.Bytes, Rows: 2, Source: "flows.csv", Created: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC),
		Columns: []abi.Field{{Name: "a", Type: abi.Int64}, {Name: "b", Type: abi.UTF8}}}
	if d := cmp.Diff(want, v1); d != "" || v1.Bytes == 0 || !strings.HasPrefix(v1.Digest, "sha256:") {
		t.Fatal(d, v1)
	}
	if again := w.csv(t, "flows", "a;b\n1;x\n2;y\n"); again.Version != 1 { // other bytes, the same table
		t.Errorf("the same content became version %d", again.Version)
	}
	v2 := w.csv(t, "flows", "a,b\n1,x\n3,y\n")
	v3 := w.csv(t, "flows", "a,b\n1,x\n2,y\n") // as version 1, but not as the latest
	if v2.Version != 2 || v3.Version != 3 || v3.Digest != v1.Digest {
		t.Fatal(v2, v3)
	}
	r, n, err := w.OpenData(ctx, "flows@2")
	if err != nil {
		t.Fatal(err)
	}
	parquet, err := io.ReadAll(r)
	r.Close()
	if err != nil || int64(len(parquet)) != n || n != v2.Bytes || !bytes.HasPrefix(parquet, []byte("PAR1")) {
		t.Fatal(len(parquet), n, err)
	}
	other, err := w.Import(ctx, "copy", "parquet", bytes.NewReader(parquet), "flows@2")
	if err != nil || other.Digest != v2.Digest {
		t.Fatal(other, err)
	}
	if got := w.column(t, "flows@2", "a"); !cmp.Equal(got, []float64{1, 3}) {
		t.Error(got)
	}
	list, err := w.List(ctx)
	if err != nil || len(list) != 2 || list[0].Ref() != "copy@1" || list[1].Ref() != "flows@3" {
		t.Fatal(list, err)
	}
	all, err := w.Versions(ctx, "flows")
	if err != nil || len(all) != 3 || !cmp.Equal(all[1], v2) {
		t.Fatal(all, err)
	}
	q, err := w.Quantiles(ctx, "flows@latest", []string{"a"}, []float64{0.5, 1})
	if err != nil || !cmp.Equal(q["a"], []float64{1.5, 2}) {
		t.Fatal(q, err)
	}
}

func TestErrors(t *testing.T) {
	w := newWorld(t, func(o *datasets.Options) { o.MaxBytes = 1000 })
	w.csv(t, "flows", "a\n1\n")
	_, err := w.Import(ctx, "Flows", "csv", strings.NewReader(""), "")
	wantKind(t, err, errs.Invalid)
	_, err = w.Import(ctx, "flows", "xml", strings.NewReader(""), "")
	wantKind(t, err, errs.Invalid)
	_, err = w.Import(ctx, "flows", "csv", strings.NewReader("a,b\n1\n"), "")
	if wantKind(t, err, errs.Invalid); !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), `"flows"`) {
		t.Error(err)
	}
	_, err = w.Import(ctx, "flows", "csv", strings.NewReader("a\n"+strings.Repeat("1\n", 500)), "")
	wantKind(t, err, errs.Exhausted)
	broken := errors.New("line went dead")
	_, err = w.Import(ctx, "flows", "csv", io.MultiReader(strings.NewReader("a\n1\n"), failing{broken}), "")
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = w.Import(cancelled, "flows", "csv", strings.NewReader("a\n1\n"), "")
	wantKind(t, err, errs.Unavailable)
	for _, ref := range []string{"nothing", "flows@2"} {
		_, err = w.Get(ctx, ref)
		wantKind(t, err, errs.NotFound)
		wantKind(t, w.Delete(ctx, ref), errs.NotFound)
		_, _, err = w.OpenData(ctx, ref)
		wantKind(t, err, errs.NotFound)
	}
	_, err = w.Get(ctx, "flows@x")
	wantKind(t, err, errs.Invalid)
	wantKind(t, w.Batches(ctx, "flows", []string{"zz"}, nil), errs.NotFound)
	wantKind(t, w.Batches(ctx, "flows", []string{}, nil), errs.Invalid)
	_, err = w.Quantiles(ctx, "flows", []string{"zz"}, []float64{0.5})
	wantKind(t, err, errs.NotFound)
	if list, _ := w.Versions(ctx, "flows"); len(list) != 1 {
		t.Errorf("a failed import left a version: %v", list)
	}
	if _, err := datasets.New(datasets.Options{}); err == nil {
		t.Error("no parts, no error")
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestBuildRecordsLineage(t *testing.T) {
	w := newWorld(t, nil)
	flows := w.csv(t, "my-flows", "id,x\n1,0.5\n2,\n3,2\n")
	labels := w.csv(t, "labels", "id,y\n1,a\n3,b\n")
	w.csv(t, "labels", "id,y\n9,z\n") // the build asks for the version before
	r := datasets.BuildRequest{Name: "train", SQL: `SELECT id, times(x) AS x, y FROM "my-flows" JOIN labels USING (id) ORDER BY id`, Inputs: []string{"my-flows", "labels@1"},
		Functions: []datasets.FunctionRef{{Name: "times", Plugin: "scale", Parameters: json.RawMessage(`{"by":3}`)}}}
	v, err := w.Build(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	want := &datasets.Lineage{SQL: r.SQL, Inputs: []string{"my-flows@1", "labels@1"}, InputDigests: map[string]string{"my-flows@1": flows.Digest, "labels@1": labels.Digest},
		Functions: []datasets.FunctionLineage{{Name: "times", Plugin: "scale", Digest: "sha256:scale", Parameters: json.RawMessage(`{"by":3}`)}}}
	if d := cmp.Diff(want, v.Lineage); d != "" || v.Source != datasets.BuildSource || v.Rows != 2 {
		t.Fatal(d, v)
	}
	if got := w.column(t, "train", "x"); !cmp.Equal(got, []float64{1.5, 6}) {
		t.Error(got)
	}
	if again, err := w.Build(ctx, r); err != nil || again.Version != 1 {
		t.Errorf("the same build became version %d (%v)", again.Version, err)
	}
	r.SQL += " -- the same rows by other words"
	if other, err := w.Build(ctx, r); err != nil || other.Version != 2 || other.Digest != v.Digest {
		t.Errorf("%v, %v", other, err)
	}
	if w.plugins.opened != 3 || w.plugins.closed != 3 {
		t.Errorf("%d plugins opened, %d closed", w.plugins.opened, w.plugins.closed)
	}
	for _, c := range []struct {
		name string
		kind errs.Kind
		r    datasets.BuildRequest
	}{
		{"bad name", errs.Invalid, datasets.BuildRequest{Name: "T", SQL: "SELECT 1 AS a"}},
		{"missing input", errs.NotFound, datasets.BuildRequest{Name: "t", SQL: "SELECT 1 AS a", Inputs: []string{"gone"}}},
		{"an input twice", errs.Invalid, datasets.BuildRequest{Name: "t", SQL: "SELECT 1 AS a", Inputs: []string{"labels@1", "labels"}}},
		{"an unnamed input", errs.Invalid, datasets.BuildRequest{Name: "t", SQL: "FROM labels"}},
		{"a file", errs.Forbidden, datasets.BuildRequest{Name: "t", SQL: "FROM read_csv('/etc/passwd')"}},
		{"no SELECT", errs.Forbidden, datasets.BuildRequest{Name: "t", SQL: "DROP VIEW labels", Inputs: []string{"labels"}}},
		{"missing plugin", errs.NotFound, datasets.BuildRequest{Name: "t", SQL: "SELECT f(1) AS a", Functions: []datasets.FunctionRef{{Name: "f", Plugin: "gone"}}}},
		{"bad parameters", errs.Invalid, datasets.BuildRequest{Name: "t", SQL: "SELECT f(1) AS a", Functions: []datasets.FunctionRef{{Name: "f", Plugin: "scale", Parameters: json.RawMessage(`[]`)}}}},
		{"a second plugin that is missing", errs.NotFound, datasets.BuildRequest{Name: "t", SQL: "SELECT f(1) AS a", Functions: []datasets.FunctionRef{r.Functions[0], {Name: "f", Plugin: "gone"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.Build(ctx, c.r)
			wantKind(t, err, c.kind)
		})
	}
	if w.plugins.opened != w.plugins.closed {
		t.Errorf("%d plugins opened, %d closed", w.plugins.opened, w.plugins.closed)
	}
	none := newWorld(t, func(o *datasets.Options) { o.Plugins = nil })
	_, err = none.Build(ctx, datasets.BuildRequest{Name: "t", SQL: "SELECT f(1) AS a", Functions: r.Functions})
	wantKind(t, err, errs.Unimplemented)
}

func TestDelete(t *testing.T) {
	w := newWorld(t, nil)
	for n := range 4 {
		w.csv(t, "d", fmt.Sprintf("a\n%d\n", n))
	}
	for _, ref := range []string{"d@2", "d@latest"} {
		if err := w.Delete(ctx, ref); err != nil {
			t.Fatal(err)
		}
	}
	latest, err := w.Get(ctx, "d")
	if err != nil || latest.Version != 3 {
		t.Fatal(latest, err)
	}
	_, err = w.Get(ctx, "d@2")
	wantKind(t, err, errs.NotFound)
	if v := w.csv(t, "d", "a\n99\n"); v.Version != 5 {
		t.Errorf("the next version is %d", v.Version)
	}
	if err := w.Delete(ctx, "d"); err != nil {
		t.Fatal(err)
	}
	_, err = w.Versions(ctx, "d")
	wantKind(t, err, errs.NotFound)
	if list, err := w.List(ctx); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
}

func TestConcurrentImports(t *testing.T) {
	w := newWorld(t, nil)
	var wg sync.WaitGroup
	for k := range 12 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			content := fmt.Sprintf("a\n%d\n", k)
			if k >= 8 {
				content = "a\nsame\n"
			}
			if _, err := w.Import(ctx, "d", "csv", strings.NewReader(content), "x"); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	all, err := w.Versions(ctx, "d")
	if err != nil {
		t.Fatal(err)
	}
	digests := map[string]bool{}
	for i, v := range all {
		if v.Version != i+1 {
			t.Errorf("version %d stands at %d", v.Version, i)
		}
		if i > 0 && v.Digest == all[i-1].Digest {
			t.Errorf("versions %d and %d are the same", i, i+1)
		}
		digests[v.Digest] = true
	}
	if len(digests) != 9 {
		t.Errorf("%d different contents, want 9", len(digests))
	}
}
