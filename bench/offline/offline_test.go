package offline

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/weir-ml/weir/host/offline"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/plugins"
	"github.com/weir-ml/weir/sdk/abi"
)

// typed gives a Transformer that takes anything a schema of its own: SQL has to know the result's type beforehand.
type typed struct {
	schema abi.Schema
	plugin *plugin.Plugin // nil: hand the batch back in Go
}

func (t typed) Schema(context.Context) (abi.Schema, error) { return t.schema, nil }

func (t typed) TransformChunk(ctx context.Context, in *abi.Batch, use func(*abi.Batch) error) error {
	if t.plugin == nil {
		return use(in)
	}
	return t.plugin.TransformChunk(ctx, in, use)
}

func floats(names ...string) abi.Schema {
	var f []abi.Field
	for _, n := range names {
		f = append(f, abi.Field{Name: n, Type: abi.Float64})
	}
	return abi.Schema{Inputs: f, Outputs: f}
}

func openPlugin(t testing.TB, name, params string) *plugin.Plugin {
	t.Helper()
	h, err := plugin.New(plugin.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	for _, a := range plugins.Builtin() {
		if a.Name == name {
			p, err := h.Open(context.Background(), a.Wasm, json.RawMessage(params), plugin.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Close() })
			return p
		}
	}
	t.Fatalf("no built-in plugin %q", name)
	return nil
}

func openEngine(t testing.TB, threads int) *offline.Engine {
	t.Helper()
	e, err := offline.Open(offline.Options{TempDir: t.TempDir(), Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// TestSQLAndDirectCallAgree: one artefact, one result, to the bit.
func TestSQLAndDirectCallAgree(t *testing.T) {
	const rows = 20_011
	r := rand.New(rand.NewPCG(3, 4))
	a, b, null := make([]float64, rows), make([]float64, rows), []int{}
	for i := range rows {
		a[i], b[i] = r.NormFloat64()*math.Pow(10, float64(r.IntN(40)-20)), r.Float64()
		switch r.IntN(50) {
		case 0:
			null = append(null, i)
		case 1:
			b[i] = math.NaN()
		case 2:
			b[i] = math.Inf(1)
		}
	}
	in := &abi.Batch{Rows: rows, Columns: []abi.Column{abi.Float64Column("a", a).WithNulls(rows, null...), abi.Float64Column("b", b)}}
	p := openPlugin(t, "standardize", `{"columns":[{"name":"a","mean":0.1,"std":3},{"name":"b","mean":0.5,"std":0.7}]}`)
	want, err := p.Transform(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	// The rows enter SQL through a function too, so that no text format stands between.
	e := openEngine(t, 2)
	source := &feed{in: in}
	var got *abi.Batch
	out := filepath.Join(t.TempDir(), "o.parquet")
	_, err = e.Query(context.Background(), offline.Query{SQL: fmt.Sprintf("SELECT unnest(z(r.a, r.b)) FROM (SELECT feed(i) AS r FROM range(%d) t(i))", rows), Output: out,
		Functions: []offline.Function{{Name: "z", T: p}, {Name: "feed", T: source}}})
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	err = e.Batches(context.Background(), offline.Query{SQL: "FROM o", Sources: []offline.Source{{Name: "o", Path: out, Format: offline.Parquet}}}, func(b *abi.Batch) error {
		if !b.Equal(want.Slice(at, at+b.Rows)) {
			return fmt.Errorf("rows %d to %d differ", at, at+b.Rows)
		}
		at += b.Rows
		got = b
		return nil
	})
	if err != nil || at != rows || got == nil {
		t.Fatal(at, err)
	}
}

// feed answers row i of a batch for the number i.
type feed struct{ in *abi.Batch }

func (f *feed) Schema(context.Context) (abi.Schema, error) {
	return abi.Schema{Inputs: []abi.Field{{Name: "i", Type: abi.Int64}}, Outputs: f.in.Fields()}, nil
}

func (f *feed) TransformChunk(_ context.Context, in *abi.Batch, use func(*abi.Batch) error) error {
	ids := in.Columns[0].Int64s()
	return use(f.in.Slice(int(ids[0]), int(ids[0])+in.Rows)) // range() counts up within a chunk
}

func BenchmarkFunction(b *testing.B) {
	const rows = 20_000_000
	sql := map[int]string{
		1: "SELECT sum(%s) AS s FROM (SELECT i::DOUBLE AS x FROM range(%d) r(i))",
		4: "SELECT sum(r.x) + sum(r.y) + sum(r.z) + sum(r.w) AS s FROM (SELECT %s AS r FROM (SELECT i::DOUBLE AS x, x + 1 AS y, x + 2 AS z, x + 3 AS w FROM range(%d) r(i)))",
	}
	type bench struct {
		name, call string
		columns    int
		t          offline.Transformer
	}
	identity := openPlugin(b, "identity", "{}")
	standardize := `{"columns":[{"name":"x","mean":1,"std":2},{"name":"y","mean":1,"std":2},{"name":"z","mean":1,"std":2},{"name":"w","mean":1,"std":2}]}`
	for _, threads := range []int{1, 2} {
		e := openEngine(b, threads)
		for _, c := range []bench{
			{"1col/duckdb", "x", 1, nil},
			{"1col/go", "f(x)", 1, typed{schema: floats("x")}},
			{"1col/wasm-identity", "f(x)", 1, typed{floats("x"), identity}},
			{"4col/duckdb", "{x: x, y: y, z: z, w: w}", 4, nil},
			{"4col/go", "f(x, y, z, w)", 4, typed{schema: floats("x", "y", "z", "w")}},
			{"4col/wasm-identity", "f(x, y, z, w)", 4, typed{floats("x", "y", "z", "w"), identity}},
			{"4col/wasm-standardize", "f(x, y, z, w)", 4, openPlugin(b, "standardize", standardize)},
		} {
			b.Run(fmt.Sprintf("%s/threads=%d", c.name, threads), func(b *testing.B) {
				q := offline.Query{SQL: fmt.Sprintf(sql[c.columns], c.call, rows)}
				if c.t != nil {
					q.Functions = []offline.Function{{Name: "f", T: c.t}}
				}
				for b.Loop() {
					if err := e.Batches(context.Background(), q, func(*abi.Batch) error { return nil }); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
			})
		}
	}
}
