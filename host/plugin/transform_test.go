package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// guest reads a module that is committed but not built in.
func guestFile(t testing.TB, path string) []byte {
	t.Helper()
	w, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func hello(t testing.TB) []byte { return guestFile(t, "../../plugins/hello/hello.wasm") }

func everyType(rows int) *abi.Batch {
	var (
		flags []bool
		i32s  []int32
		i64s  []int64
		f32s  []float32
		f64s  []float64
		texts []string
		raws  [][]byte
		embs  []float32
	)
	nasty := []float64{math.NaN(), math.Copysign(0, -1), math.Inf(1), math.Inf(-1), 5e-324, 1.5, -2}
	for r := range rows {
		flags = append(flags, r%3 == 0)
		i32s = append(i32s, int32(r)*-77777)
		i64s = append(i64s, int64(r)<<33-1)
		f32s = append(f32s, float32(nasty[r%len(nasty)]))
		f64s = append(f64s, nasty[r%len(nasty)])
		texts = append(texts, strings.Repeat("zażółć", r%4))
		raws = append(raws, []byte{byte(r), 0xff}[:r%3])
		embs = append(embs, float32(r), -float32(r), 0.5)
	}
	b := &abi.Batch{Rows: rows, Columns: []abi.Column{
		abi.BoolColumn("flag", flags), abi.Int32Column("i32", i32s), abi.Int64Column("i64", i64s), abi.Float32Column("f32", f32s),
		abi.Float64Column("f64", f64s), abi.UTF8Column("text", texts), abi.BinaryColumn("raw", raws), abi.TimestampColumn("at", i64s),
		abi.FloatVectorColumn("emb", 3, embs),
	}}
	for i := range b.Columns {
		if i%2 == 1 && rows > 0 {
			b.Columns[i] = b.Columns[i].WithNulls(rows, rows/2, rows-1)
		}
	}
	return b
}

// TestEveryTypeThere AndBack sends every type through a guest in C that answers the very header, and through one in Go that
// copies every buffer.
func TestEveryTypeThereAndBack(t *testing.T) {
	for name, wasm := range map[string][]byte{"c": builtin(t, "identity"), "go": hello(t)} {
		t.Run(name, func(t *testing.T) {
			p := open(t, wasm, "", Limits{})
			for _, rows := range []int{0, 1, 7, 8, 9, 1000, 8192, 8193, 20000} {
				in := everyType(rows)
				out, err := p.Transform(context.Background(), in)
				if err != nil {
					t.Fatalf("%d rows: %v", rows, err)
				}
				if !in.Equal(out) {
					t.Fatalf("%d rows came back changed", rows)
				}
				if err := out.Validate(); err != nil {
					t.Fatalf("%d rows: %v", rows, err)
				}
			}
			if s := p.Stats(); s.ColdStarts != 1 || s.Traps != 0 || s.Live != 1 || s.Idle != 1 {
				t.Fatalf("%+v", s)
			}
		})
	}
}

// standardized is the reference.
func standardized(x, mean, std float64) float64 {
	if std == 0 {
		std = 1
	}
	v := (x - mean) / std
	if v != v {
		return math.Float64frombits(0x7ff8000000000000)
	}
	return v
}

func TestStandardizeIsBitEqualInBothLanguages(t *testing.T) {
	for name, wasm := range map[string][]byte{"c": builtin(t, "standardize"), "go": hello(t)} {
		t.Run(name, func(t *testing.T) {
			h, err := New(Options{CacheDir: codeDir})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			ctx := context.Background()
			rapid.Check(t, func(rt *rapid.T) {
				rows := rapid.IntRange(1, 300).Draw(rt, "rows")
				any64 := rapid.Custom(func(rt *rapid.T) float64 {
					if rapid.Bool().Draw(rt, "bits") {
						return math.Float64frombits(rapid.Uint64().Draw(rt, "v"))
					}
					return rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 5e-324, -5e-324, 1e308, 0.1}).Draw(rt, "v")
				})
				mean, std := rapid.Float64().Draw(rt, "mean"), math.Abs(rapid.SampledFrom([]float64{0, 1, 0.3, 5e-324, 1e308, 2.5}).Draw(rt, "std"))
				x := rapid.SliceOfN(any64, rows, rows).Draw(rt, "x")
				params, err := json.Marshal(map[string]any{"columns": []any{map[string]any{"name": "ą\"x", "mean": mean, "std": std}}})
				if err != nil {
					rt.Fatal(err)
				}
				p, err := h.Open(ctx, wasm, params, Limits{})
				if err != nil {
					rt.Fatal(err)
				}
				defer p.Close()
				in := &abi.Batch{Rows: rows, Columns: []abi.Column{abi.Float64Column("ą\"x", x).WithNulls(rows, rapid.IntRange(0, rows-1).Draw(rt, "null"))}}
				out, err := p.Transform(ctx, in)
				if err != nil {
					rt.Fatal(err)
				}
				want := make([]float64, rows)
				for i := range x {
					want[i] = standardized(x[i], mean, std)
				}
				ref := abi.Float64Column("ą\"x", want)
				ref.Validity = in.Columns[0].Validity
				if !out.Equal(&abi.Batch{Rows: rows, Columns: []abi.Column{ref}}) {
					rt.Fatalf("got %v, want %v", out.Columns[0].Float64s(), want)
				}
			})
		})
	}
}

func TestStandardizeWidensAndReorders(t *testing.T) {
	p := open(t, builtin(t, "standardize"), `{"columns":[{"name":"a","mean":1,"std":2},{"name":"b","mean":0,"std":0},{"name":"c","mean":-1,"std":4},{"name":"d","mean":0,"std":1}]}`, Limits{})
	out, err := p.Transform(context.Background(), &abi.Batch{Rows: 2, Columns: []abi.Column{
		abi.Int64Column("d", []int64{1 << 40, -5}), abi.Int32Column("c", []int32{3, -5}), abi.Float32Column("b", []float32{0.5, 7}), abi.Float64Column("a", []float64{3, 1}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := &abi.Batch{Rows: 2, Columns: []abi.Column{
		abi.Float64Column("a", []float64{1, 0}), abi.Float64Column("b", []float64{0.5, 7}), abi.Float64Column("c", []float64{1, -1}), abi.Float64Column("d", []float64{1 << 40, -5}),
	}}
	if !out.Equal(want) {
		t.Fatalf("%+v", out)
	}
	s, err := p.Schema(context.Background())
	if err != nil || len(s.Inputs) != 4 || s.Outputs[3] != (abi.Field{Name: "d", Type: abi.Float64}) {
		t.Fatalf("%+v, %v", s, err)
	}
}

// TestParametersAreRefused: by the host, by the schema that the plugin describes, and by the guest itself, which other hosts may
// run and which knows what no schema can say. An empty host means: the guest's words are what the caller sees.
func TestParametersAreRefused(t *testing.T) {
	h, err := New(Options{CacheDir: codeDir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	col := func(s string) string { return `{"columns":[` + s + `]}` }
	for _, tc := range []struct{ plugin, params, guest, host string }{
		{"standardize", `{}`, `"columns" is missing`, ""},
		{"standardize", `[]`, "byte 0: an object is expected", "the document: is array, and must be object"},
		{"standardize", col(``), "is empty", "/columns: has 0 items, at least 1 are needed"},
		{"standardize", col(`{"name":"x","mean":1}`), `columns[0]: "std" is missing`, `/columns/0: "std" is missing: add it`},
		{"standardize", col(`{"name":"x","mean":1,"std":-1}`), `column "x" has a negative std`, "/columns/0/std: -1 is too small: the least is 0"},
		{"standardize", col(`{"name":"x","mean":1,"std":1,"sdt":2}`), `unknown key "sdt"`, `/columns/0: "sdt" is not known here: use "mean", "name", "std"`},
		{"standardize", col(`{"name":"x","mean":"1","std":1}`), "a number is expected", "/columns/0/mean: is string, and must be number"},
		{"standardize", col(`{"name":"x","mean":1e999,"std":1}`), "too large for a double", ""},
		{"standardize", col(`{"name":"x","mean":1,"std":1},{"name":"x","mean":1,"std":1}`), `"x" is listed twice`, ""},
		{"standardize", `{"columns":[],"more":1}`, `"columns" is empty`, `/columns: has 0 items, at least 1 are needed; the document: "more" is not known here: use "columns"`},
		{"onehot", `{}`, `"columns" is missing`, ""},
		{"onehot", col(`{"name":"x","categories":[]}`), `"categories" is empty`, "/columns/0/categories: has 0 items"},
		{"onehot", col(`{"name":"x","categories":["a","a"]}`), `lists the category "a" twice`, ""},
		{"onehot", col(`{"name":"x","categories":["b=c"]},{"name":"x=b","categories":["c"]}`), `would be named "x=b=c"`, ""},
		{"onehot", col(`{"name":"x","categories":["\ud800"]}`), "unpaired surrogate", ""},
		{"minmax", `{"columns":[{"name":"x","min":0,"max":1}],"feature_range":[1,0]}`, `"feature_range" must be two numbers`, ""},
		{"minmax", col(`{"name":"x","min":0,"max":1,"min":0}`), `columns[0]: "min" is given twice`, `"min"`},
		{"clip", col(`{"name":"x"}`), `columns[0]: "low" and "high" are missing`, "/columns/0"},
		{"clip", col(`{"name":"x","low":"0"}`), `a number is expected (columns[0].low)`, "/columns/0/low"},
		{"log-power", col(`{"name":"x","method":"exp"}`), `"method" is "exp", it must be one of log, log2,`, "/columns/0/method"},
		{"log-power", col(`{"name":"x","method":"power"}`), `columns[0]: "lambda" is missing`, "/columns/0"},
		{"bucketise", col(`{"name":"x","edges":[1]},{"name":"y","edges":[]}`), `columns[1]: "edges" is empty`, "/columns/1/edges"},
		{"bucketise", col(`{"name":"x","edges":[2,1]}`), `columns[0]: "edges" must ascend`, ""},
		{"impute", col(`{"name":"x","value":null}`), "a number is expected (columns[0].value)", "/columns/0/value"},
		{"ordinal", col(`{"name":"x","categories":["a",1]}`), "a string is expected (columns[0].categories)", "/columns/0/categories"},
		{"cross", `{"crosses":[{"columns":["a","b"],"buckets":0}]}`, `crosses[0]: "buckets" is out of range`, "/crosses/0/buckets"},
		{"cross", `{"crosses":[{"columns":["a","b"],"buckets":1.5}]}`, `crosses[0]: "buckets" must be a whole number`, "/crosses/0/buckets"},
		{"cyclical-time", col(`{"name":"at","fields":["week"]}`), `columns[0]: "fields": "week" is no such field`, "/columns/0/fields/0"},
		{"geo-distance", `{"distances":[{"from":["a","b"],"to":[1,2,3],"output":"d"}]}`, `distances[0]: "from" must be the columns`, "/distances/0/to"},
		{"text-hash", `{"column":"x","n_features":4,"ngram_range":[2,1]}`, `"ngram_range" must be two whole numbers`, ""},
		{"tfidf", `{"column":"x","vocabulary":["a","b","a"]}`, `"vocabulary" has "a" twice`, "/vocabulary"},
		{"tfidf", `{"column":"x","vocabulary":["a"],"lowercase":1}`, `true or false is expected (lowercase)`, "/lowercase"},
		{"psi", col(`{"name":"x","edges":[2,1]}`), "does not ascend", ""},
		{"psi", col(`{"name":"x","edge":[2,1]}`), "unknown field", `/columns/0: "edges" is missing: add it; /columns/0: "edge" is not known here`},
		{"beats-baseline", `{"metrics":[{"name":"x","direction":"up"}]}`, `direction "up": use higher or lower`, `/metrics/0/direction: "up" is none of the allowed values: use one of ["higher","lower"]`},
		{"beats-baseline", `{}`, `"metrics" is missing`, ""},
	} {
		seen := tc.host
		if seen == "" {
			seen = tc.guest
		}
		wasm := builtin(t, tc.plugin)
		_, err := h.Open(context.Background(), wasm, json.RawMessage(tc.params), Limits{})
		if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), seen) || !strings.Contains(err.Error(), "plugin "+tc.plugin+" (sha256:") {
			t.Errorf("%s %s: %v, want %q", tc.plugin, tc.params, err, seen)
		}
		if err := unchecked(t, h, wasm, tc.params); err == nil || !strings.Contains(err.Error(), tc.guest) {
			t.Errorf("%s %s: the guest says %v, want %q", tc.plugin, tc.params, err, tc.guest)
		}
	}
	if _, err := h.Open(context.Background(), builtin(t, "identity"), json.RawMessage("{"), Limits{}); !errs.Is(err, errs.Invalid) {
		t.Errorf("parameters that are no JSON: %v", err)
	}
}

// unchecked gives parameters to a guest without asking the schema.
func unchecked(t *testing.T, h *Host, wasm []byte, params string) error {
	t.Helper()
	c, err := h.codeOf(wasm)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	in, err := c.start(ctx, h.bounded(Limits{}), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	return in.give(ctx, []byte(params), func(ptr, size uint64) error {
		v, err := in.call(ctx, fnInit, ptr, size)
		if err == nil && int32(v) != 0 {
			err = in.guestError(ctx, fnInit)
		}
		return err
	})
}

func TestWrongColumnsAreNamed(t *testing.T) {
	p := open(t, builtin(t, "standardize"), `{"columns":[{"name":"x","mean":0,"std":1}]}`, Limits{})
	for want, b := range map[string]*abi.Batch{
		`input column "x" is missing`:                      {Rows: 1, Columns: []abi.Column{abi.Float64Column("y", []float64{1})}},
		`input column "y" is not among the parameters`:     {Rows: 1, Columns: []abi.Column{abi.Float64Column("x", []float64{1}), abi.Float64Column("y", []float64{1})}},
		`it must be float64, float32, int64 or int32`:      {Rows: 1, Columns: []abi.Column{abi.UTF8Column("x", []string{"1"})}},
		`input batch: column 0 ("x"): values have 8 bytes`: {Rows: 2, Columns: []abi.Column{abi.Float64Column("x", []float64{1})}},
	} {
		if _, err := p.Transform(context.Background(), b); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestOneHot(t *testing.T) {
	p := open(t, builtin(t, "onehot"), `{"columns":[{"name":"city","categories":["Kraków","Łódź",""]},{"name":"k","categories":["a"]}]}`, Limits{})
	out, err := p.Transform(context.Background(), &abi.Batch{Rows: 5, Columns: []abi.Column{
		abi.UTF8Column("k", []string{"a", "b", "a", "A", ""}), abi.UTF8Column("city", []string{"Łódź", "Kraków", "Kraków", "Gdańsk", ""}).WithNulls(5, 2),
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := &abi.Batch{Rows: 5, Columns: []abi.Column{
		abi.Float64Column("city=Kraków", []float64{0, 1, 0, 0, 0}), abi.Float64Column("city=Łódź", []float64{1, 0, 0, 0, 0}), abi.Float64Column("city=", []float64{0, 0, 0, 0, 1}),
		abi.Float64Column("k=a", []float64{1, 0, 1, 0, 0}),
	}}
	if !out.Equal(want) {
		t.Fatalf("%+v", out)
	}
}

func TestChunkIsAView(t *testing.T) {
	in, params := floats(2048, 3)
	p := open(t, builtin(t, "standardize"), params, Limits{})
	ctx := context.Background()
	whole, err := p.Transform(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	own := errs.New(errs.Conflict, "the caller's own error")
	err = p.TransformChunk(ctx, in, func(out *abi.Batch) error {
		if !out.Equal(whole) {
			t.Error("the chunk differs from the batch")
		}
		return own
	})
	if !errors.Is(err, own) || p.Stats().Traps != 0 {
		t.Fatalf("%v, %+v", err, p.Stats())
	}
	big, _ := floats(abi.MaxRows+1, 3)
	if err := p.TransformChunk(ctx, big, func(*abi.Batch) error { return nil }); !errs.Is(err, errs.Invalid) {
		t.Fatalf("too many rows: %v", err)
	}
	if n := testing.AllocsPerRun(100, func() { _ = p.TransformChunk(ctx, in, func(*abi.Batch) error { return nil }) }); n > 0 {
		t.Errorf("%v allocations a call", n)
	}
}
