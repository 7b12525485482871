package serving

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

func field(name string, t abi.Type) abi.Field { return abi.Field{Name: name, Type: t} }

// halve is a plugin of two float64 columns, "a" and "b", giving b/2 and a/2, in this order.
func halve() *fakeTransform {
	return &fakeTransform{
		schema: abi.Schema{
			Inputs:  []abi.Field{field("a", abi.Float64), field("b", abi.Float64)},
			Outputs: []abi.Field{field("b", abi.Float64), field("a", abi.Float64)},
		},
		f: func(in *abi.Batch) (*abi.Batch, error) {
			out := &abi.Batch{Rows: in.Rows}
			for _, i := range []int{1, 0} {
				c := in.Columns[i]
				v := make([]float64, in.Rows)
				for r := range v {
					v[r] = c.Float64s()[r] / 2
				}
				col := abi.Float64Column(c.Name, v)
				col.Validity = c.Validity
				out.Columns = append(out.Columns, col)
			}
			return out, nil
		},
	}
}

func TestPredict(t *testing.T) {
	e := newFake(3)
	w := newWorld(map[string]*fakeExecutor{"v1": e})
	pre := halve()
	w.plugins["halve"] = pre
	s := newService(t, w)
	bare := ModelSpec{Blob: blob("v1"), Version: "3"}
	named, plugged := bare, bare
	named.Preprocess = &Step{Columns: []string{"a", "b"}}
	plugged.Preprocess = &Step{Plugin: "halve"}
	for name, spec := range map[string]ModelSpec{"bare": bare, "named": named, "plugged": plugged} {
		if err := s.Apply(ctx, name, spec); err != nil {
			t.Fatal(err)
		}
	}
	rows := &abi.Batch{Rows: 2, Columns: []abi.Column{abi.UTF8Column("id", []string{"p", "q"}), abi.Int64Column("b", []int64{20, 40}), abi.Float32Column("a", []float32{10, 30})}}
	features := [][]float64{{10, 20}, {30, 40}}
	cases := []struct {
		name string
		req  PredictRequest
		want string
	}{
		{"bare features", PredictRequest{Model: "bare", Features: features}, "[[20,40],[60,80]]"},
		{"named features", PredictRequest{Model: "named", Features: features}, "[[20,40],[60,80]]"},
		{"named rows", PredictRequest{Model: "named", Rows: rows}, "[[20,40],[60,80]]"},
		{"plugged features", PredictRequest{Model: "plugged", Features: features}, "[[20,10],[40,30]]"},
		{"plugged rows", PredictRequest{Model: "plugged", Rows: rows}, "[[20,10],[40,30]]"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, err := s.Predict(ctx, c.req)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(p.JSON()); got != c.want || p.Version != "3" || p.Rows != 2 || p.BatchSize != 2 || len(p.Outputs) != 2 {
				t.Errorf("got %s of %+v, want %s", got, p, c.want)
			}
			cols, err := p.Columns()
			if err != nil || cols.Validate() != nil || cols.Column("prediction").ListSize != 2 || cols.Column("version").Int64s()[1] != 3 {
				t.Errorf("columns %+v, %v", cols, err)
			}
			if (p.PreprocessDigest != "") != (c.req.Model == "plugged") || (p.Input == nil) != (c.name == "bare features") {
				t.Errorf("digest %q, input %v", p.PreprocessDigest, p.Input)
			}
		})
	}
	if st, _ := s.Status("plugged"); strings.Join(st.Columns, ",") != "a,b" || st.PreprocessDigest == "" {
		t.Errorf("%+v", st)
	}
	if err := s.Remove(ctx, "plugged"); err != nil || pre.closed.Load() != 1 {
		t.Errorf("%v; the plugin was closed %d times", err, pre.closed.Load())
	}
}

func TestPredictRefusals(t *testing.T) {
	w := newWorld(map[string]*fakeExecutor{"v1": newFake(1), "v2": newFake(2)})
	w.plugins["halve"] = halve()
	w.plugins["traps"] = &fakeTransform{f: func(*abi.Batch) (*abi.Batch, error) { return nil, errs.New(errs.Exhausted, "out of memory") }}
	w.plugins["short"] = &fakeTransform{f: func(*abi.Batch) (*abi.Batch, error) { return &abi.Batch{Rows: 1}, nil }}
	w.plugins["three"] = &fakeTransform{f: func(b *abi.Batch) (*abi.Batch, error) {
		return &abi.Batch{Rows: b.Rows, Columns: make3(b.Rows)}, nil
	}}
	s := newService(t, w)
	specs := map[string]ModelSpec{
		"bare": {Blob: blob("v1")}, "pass": {Blob: blob("v2"), NaN: "pass", Preprocess: &Step{Plugin: "halve"}},
		"plugged": {Blob: blob("v1"), Preprocess: &Step{Plugin: "halve"}},
	}
	for _, p := range []string{"traps", "short", "three"} {
		specs[p] = ModelSpec{Blob: blob("v1"), Preprocess: &Step{Plugin: p, Columns: []string{"a", "b"}}}
	}
	for name, spec := range specs {
		if err := s.Apply(ctx, name, spec); err != nil {
			t.Fatal(err)
		}
	}
	good := [][]float64{{1, 2}}
	cases := []struct {
		name string
		req  PredictRequest
		kind errs.Kind
		want []string
	}{
		{"nothing", PredictRequest{Model: "bare"}, errs.Invalid, []string{"neither"}},
		{"both", PredictRequest{Model: "bare", Features: good, Rows: &abi.Batch{}}, errs.Invalid, []string{"both"}},
		{"no rows", PredictRequest{Model: "bare", Features: [][]float64{}}, errs.Invalid, []string{"no rows"}},
		{"width", PredictRequest{Model: "bare", Features: [][]float64{{1, 2}, {1}}}, errs.Invalid, []string{"row 1", "1 features", "takes 2"}},
		{"named width", PredictRequest{Model: "plugged", Features: [][]float64{{1, 2, 3}}}, errs.Invalid, []string{"row 0", "3 features", `"a", "b"`}},
		{"names without", PredictRequest{Model: "bare", Rows: &abi.Batch{Rows: 1, Columns: []abi.Column{abi.Float64Column("a", []float64{1})}}}, errs.Invalid, []string{"no names"}},
		{"column", PredictRequest{Model: "plugged", Rows: &abi.Batch{Rows: 1, Columns: []abi.Column{abi.Float64Column("a", []float64{1})}}}, errs.Invalid, []string{`"b" is missing`}},
		{"type", PredictRequest{Model: "plugged", Rows: &abi.Batch{Rows: 1, Columns: []abi.Column{abi.Float64Column("a", []float64{1}), abi.UTF8Column("b", []string{"1"})}}}, errs.Invalid, []string{`"b" is utf8, want float64`}},
		{"NaN", PredictRequest{Model: "plugged", Features: [][]float64{{1, 2}, {math.NaN(), 2}}}, errs.Invalid, []string{"row 1", `column "a"`, "NaN"}},
		{"null", PredictRequest{Model: "plugged", Rows: &abi.Batch{Rows: 2, Columns: []abi.Column{abi.Float64Column("a", []float64{1, 2}), abi.Float64Column("b", []float64{1, 2}).WithNulls(2, 1)}}}, errs.Invalid, []string{"row 1", `column "b"`}},
		{"trap", PredictRequest{Model: "traps", Features: good}, errs.Exhausted, []string{"traps", "out of memory"}},
		{"rows lost", PredictRequest{Model: "short", Features: [][]float64{{1, 2}, {3, 4}}}, errs.Invalid, []string{"1 rows of 2"}},
		{"columns made", PredictRequest{Model: "three", Features: good}, errs.Invalid, []string{"3 columns", "takes 2"}},
		{"unknown", PredictRequest{Model: "none", Features: good}, errs.NotFound, []string{"none"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Predict(ctx, c.req)
			if !errs.Is(err, c.kind) {
				t.Fatalf("got %v, want %v", err, c.kind)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %s", err, w)
				}
			}
		})
	}
	p, err := s.Predict(ctx, PredictRequest{Model: "pass", Features: [][]float64{{math.NaN(), 2}}})
	if err != nil || string(p.JSON()) != `[[2,"NaN"]]` {
		t.Errorf("nan: pass gives %s, %v", p.JSON(), err)
	}
}

func make3(rows int) []abi.Column {
	c := abi.Float64Column("c", make([]float64, rows))
	return []abi.Column{c, c, c}
}

// What can be known when a model is applied is refused then.
func TestStepsThatCannotFit(t *testing.T) {
	w := newWorld(map[string]*fakeExecutor{"v1": newFake(1)})
	one := halve()
	one.schema.Outputs = one.schema.Outputs[:1]
	text := halve()
	text.schema.Outputs = []abi.Field{field("a", abi.UTF8), field("b", abi.Float64)}
	w.plugins["halve"], w.plugins["one"], w.plugins["text"] = halve(), one, text
	s := newService(t, w)
	cases := []struct {
		name string
		spec ModelSpec
		kind errs.Kind
		want string
	}{
		{"no plugin", ModelSpec{Preprocess: &Step{Plugin: "gone"}}, errs.NotFound, "gone"},
		{"too few columns", ModelSpec{Preprocess: &Step{Plugin: "one"}}, errs.Invalid, "1 columns"},
		{"text", ModelSpec{Preprocess: &Step{Plugin: "text"}}, errs.Invalid, `"a" is utf8`},
		{"columns", ModelSpec{Preprocess: &Step{Plugin: "halve", Columns: []string{"a"}}}, errs.Invalid, `"b"`},
		{"names", ModelSpec{Preprocess: &Step{Columns: []string{"a", "b", "c"}}}, errs.Invalid, "3 columns"},
		{"output", ModelSpec{Output: "score"}, errs.Invalid, `"twice", "version"`},
		{"postprocess", ModelSpec{Postprocess: &Step{Plugin: "gone"}}, errs.NotFound, "gone"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.spec.Blob = blob("v1")
			if err := s.Apply(ctx, "m", c.spec); !errs.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %v saying %s", err, c.kind, c.want)
			}
			if !w.executors["v1"].closed.Load() {
				t.Error("the executor is still open")
			}
		})
	}
}

func TestPostprocess(t *testing.T) {
	w := newWorld(map[string]*fakeExecutor{"v1": newFake(7)})
	w.plugins["label"] = &fakeTransform{
		schema: abi.Schema{
			Inputs:  []abi.Field{field("version", abi.Float64), {Name: "twice", Type: abi.FloatVector, ListSize: 2}},
			Outputs: []abi.Field{field("sum", abi.Float64), field("name", abi.UTF8), field("big", abi.Bool)},
		},
		f: func(in *abi.Batch) (*abi.Batch, error) {
			sum, names, big := make([]float64, in.Rows), make([]string, in.Rows), make([]bool, in.Rows)
			for r := range sum {
				v := in.Columns[1].Float32s()[2*r:]
				sum[r] = float64(v[0]) + float64(v[1]) + in.Columns[0].Float64s()[r]
				names[r] = map[bool]string{true: "viel", false: "wenig \"x\""}[sum[r] > 20]
				big[r] = sum[r] > 20
			}
			return &abi.Batch{Rows: in.Rows, Columns: []abi.Column{abi.Float64Column("sum", sum), abi.UTF8Column("name", names), abi.BoolColumn("big", big)}}, nil
		},
	}
	s := newService(t, w)
	for out, want := range map[string]string{"": "[13,27]", "name": `["wenig \"x\"","viel"]`, "big": "[false,true]"} {
		if err := s.Apply(ctx, "m", ModelSpec{Blob: blob("v1"), Version: "o" + out, Postprocess: &Step{Plugin: "label"}, Output: out}); err != nil {
			t.Fatal(err)
		}
		w.executors["v1"].closed.Store(false) // the versions of this test share one executor
		p, err := s.Predict(ctx, PredictRequest{Model: "m", Features: [][]float64{{1, 2}, {5, 5}}})
		if err != nil || string(p.JSON()) != want || p.PostprocessDigest == "" || len(p.Outputs) != 3 {
			t.Errorf("output %q: %s, %v; want %s", out, p.JSON(), err, want)
		}
	}
	if err := s.Apply(ctx, "m", ModelSpec{Blob: blob("v1"), Postprocess: &Step{Plugin: "label"}, Output: "twice"}); !errs.Is(err, errs.Invalid) {
		t.Errorf("an output that the plugin replaces: %v", err)
	}
}

// Models with an input a column take each column under its own name.
func TestColumnInputs(t *testing.T) {
	m := &model{name: "m", inputs: []schema.TensorSpec{
		{Name: "age", Type: schema.Int64, Shape: []int64{-1, 1}}, {Name: "city", Type: schema.Bytes, Shape: []int64{-1, 1}},
		{Name: "weight", Type: schema.FP32, Shape: []int64{-1}}, {Name: "vip", Type: schema.Bool, Shape: []int64{-1, 1}},
		{Name: "vector", Type: schema.FP64, Shape: []int64{-1, 2}},
	}}
	var err error
	if m.feed, err = m.plan(); err != nil || m.feed.matrix {
		t.Fatalf("%+v, %v", m.feed, err)
	}
	b := &abi.Batch{Rows: 2, Columns: []abi.Column{
		abi.UTF8Column("city", []string{"Köln", ""}), abi.Float64Column("age", []float64{41, 7}), abi.Float64Column("weight", []float64{0.1, 2}).WithNulls(2, 1),
		abi.BoolColumn("vip", []bool{true, false}), abi.FloatVectorColumn("vector", 2, []float32{1, 2, 3, 4}),
	}}
	in, _, err := m.tensors(b)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for i, x := range in {
		if err := checkTensor(x, m.inputs[i]); err != nil {
			t.Error(err)
		}
		got = append(got, string(AppendJSON(nil, x)))
	}
	if d := cmp.Diff([]string{"[[41],[7]]", `[["Köln"],[""]]`, `[0.1,"NaN"]`, "[[true],[false]]", "[[1,2],[3,4]]"}, got); d != "" {
		t.Error(d)
	}
	b.Columns[1] = abi.Float64Column("age", []float64{41, 7.5})
	if _, _, err := m.tensors(b); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), `row 1, column "age"`) {
		t.Errorf("half a year: %v", err)
	}
	b.Columns[1] = abi.Int64Column("age", []int64{1 << 60, -1<<60 + 1})
	if in, _, err = m.tensors(b); err != nil || string(AppendJSON(nil, in[0])) != "[[1152921504606846976],[-1152921504606846975]]" {
		t.Errorf("large integers: %s, %v", AppendJSON(nil, in[0]), err)
	}
	b.Columns = b.Columns[1:]
	if _, _, err := m.tensors(b); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), `"city"`) {
		t.Errorf("no city: %v", err)
	}
}

func TestWhole(t *testing.T) {
	if v, ok := whole[int8](-128); !ok || v != -128 {
		t.Error(v, ok)
	}
	if v, ok := whole[uint8](255); !ok || v != 255 {
		t.Error(v, ok)
	}
	if v, ok := whole[int64](-1 << 63); !ok || v != math.MinInt64 {
		t.Error(v, ok)
	}
	for _, x := range []float64{128, -129, 0.5, math.NaN(), math.Inf(1)} {
		if _, ok := whole[int8](x); ok {
			t.Errorf("%v became an int8", x)
		}
	}
	if _, ok := whole[uint64](-1); ok {
		t.Error("-1 became a uint64")
	}
	if _, ok := whole[int64](1 << 63); ok {
		t.Error("2^63 became an int64")
	}
}

func TestAppendJSON(t *testing.T) {
	cases := []struct {
		t    schema.Tensor
		want string
	}{
		{schema.Tensor{Type: schema.FP32, Shape: []int64{}, Data: le[float32](0.1)}, "0.1"},
		{schema.Tensor{Type: schema.FP64, Shape: []int64{3}, Data: le(0.1, math.Inf(-1), math.NaN())}, `[0.1,"-Infinity","NaN"]`},
		{schema.Tensor{Type: schema.FP16, Shape: []int64{5}, Data: le[uint16](0x3c00, 0xc100, 0x0001, 0x7bff, 0xfc00)}, `[1,-2.5,5.9604645e-08,65504,"-Infinity"]`},
		{schema.Tensor{Type: schema.BF16, Shape: []int64{2}, Data: le[uint16](0x3f80, 0xc020)}, "[1,-2.5]"},
		{schema.Tensor{Type: schema.Int8, Shape: []int64{2}, Data: le[int8](-1, 127)}, "[-1,127]"},
		{schema.Tensor{Type: schema.Uint16, Shape: []int64{1}, Data: le[uint16](65535)}, "[65535]"},
		{schema.Tensor{Type: schema.Uint64, Shape: []int64{1}, Data: le[uint64](math.MaxUint64)}, "[18446744073709551615]"},
		{schema.Tensor{Type: schema.Bool, Shape: []int64{2, 1}, Data: []byte{1, 0}}, "[[true],[false]]"},
		{schema.Tensor{Type: schema.Bytes, Shape: []int64{1, 2}, Data: []byte{1, 0, 0, 0, '"', 1, 0, 0, 0, 0xff}}, `[["\"","/w=="]]`},
		{schema.Tensor{Type: schema.FP32, Shape: []int64{2, 0}}, "[[],[]]"},
	}
	for _, c := range cases {
		got := AppendJSON(nil, c.t)
		if string(got) != c.want || !json.Valid(got) {
			t.Errorf("%s %v: got %s, want %s", c.t.Type, c.t.Shape, got, c.want)
		}
	}
}
