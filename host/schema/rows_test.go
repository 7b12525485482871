package schema

import (
	"math"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

func everyType() *abi.Batch {
	f := []float64{1.5, math.NaN(), math.Inf(-1), math.Copysign(0, -1), math.SmallestNonzeroFloat64}
	return &abi.Batch{Rows: 5, Columns: []abi.Column{
		abi.BoolColumn("b", []bool{true, false, true, true, false}).WithNulls(5, 1),
		abi.Int32Column("i32", []int32{math.MinInt32, -1, 0, 1, math.MaxInt32}),
		abi.Int64Column("i64", []int64{math.MinInt64, -1, 0, 1<<53 + 1, math.MaxInt64}),
		abi.Float32Column("f32", []float32{0.1, math.MaxFloat32, 1e-45, 3, float32(math.Inf(1))}).WithNulls(5, 3),
		abi.Float64Column("f64", f),
		abi.UTF8Column("s", []string{"", "ü\"\\\n", "a", "", "e"}).WithNulls(5, 3),
		abi.BinaryColumn("bin", [][]byte{{0, 255}, {}, nil, {1}, {2}}),
		abi.TimestampColumn("t", []int64{0, -1, 1_700_000_000_123_456, math.MaxInt64, math.MinInt64}),
		abi.FloatVectorColumn("v", 2, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, float32(math.NaN())}).WithNulls(5, 0),
	}}
}

func TestRowsRoundTrip(t *testing.T) {
	in := everyType()
	if err := in.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, form := range []Form{RowsForm, ColumnsForm} {
		data := EncodeRows(in, form)
		out, got, err := DecodeRows(data, in.Fields())
		if err != nil {
			t.Fatalf("%s: %v\n%s", form, err, data)
		}
		if got != form {
			t.Errorf("form %s came back as %s", form, got)
		}
		if err := out.Validate(); err != nil {
			t.Fatal(err)
		}
		if !in.Equal(out) {
			t.Errorf("%s does not round-trip:\n%s\n%s", form, data, EncodeRows(out, form))
		}
	}
}

func TestDecodeRowsErrors(t *testing.T) {
	f64 := []abi.Field{{Name: "x", Type: abi.Float64}}
	cases := []struct{ name, body, want string }{
		{"empty", ``, "empty JSON document"},
		{"syntax", "{\n\"rows\":[}", "line 2, column 9"},
		{"neither", `{}`, "neither rows nor columns"},
		{"both", `{"rows":[],"columns":{}}`, "both rows and columns"},
		{"unknown key", `{"rowz":[]}`, `unknown field "rowz"`},
		{"trailing", `{"rows":[]} x`, "bytes follow"},
		{"missing column", `{"rows":[{"x":1},{"y":1}]}`, `rows[1] lacks column "x"`},
		{"wrong type", `{"rows":[{"x":"one"}]}`, `row 0, column "x": "one" is not a float64`},
		{"ragged", `{"columns":{"x":[1],"y":[]}}`, `values`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			fields := f64
			if c.name == "ragged" {
				fields = append(fields, abi.Field{Name: "y", Type: abi.Float64})
			}
			_, _, err := DecodeRows([]byte(c.body), fields)
			if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an invalid error with %q", err, c.want)
			}
		})
	}
}

func TestInferredColumns(t *testing.T) {
	b, _, err := DecodeRows([]byte(`{"rows":[{"n":null,"s":"a","b":true,"v":[1,2]},{"n":2,"s":null,"b":false,"v":[3,4]}]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []abi.Type{abi.Bool, abi.Float64, abi.UTF8, abi.FloatVector}
	for i, c := range b.Columns {
		if c.Type != want[i] {
			t.Errorf("column %q is %s, want %s", c.Name, c.Type, want[i])
		}
	}
	if !b.Column("n").IsNull(0) || b.Column("n").IsNull(1) {
		t.Error("nulls are wrong")
	}
}

func FuzzDecodeRows(f *testing.F) {
	f.Add([]byte(`{"rows":[{"x":1,"s":"a"}]}`))
	f.Add(EncodeRows(everyType(), RowsForm))
	f.Add(EncodeRows(everyType(), ColumnsForm))
	f.Add([]byte(`{"columns":{"v":[[1,2],null]}}`))
	fields := everyType().Fields()
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, fs := range [][]abi.Field{nil, fields} {
			b, form, err := DecodeRows(data, fs)
			if err != nil {
				if !errs.Is(err, errs.Invalid) {
					t.Fatalf("kind %v: %v", errs.KindOf(err), err)
				}
				continue
			}
			if err := b.Validate(); err != nil {
				t.Fatal(err)
			}
			again, _, err := DecodeRows(EncodeRows(b, form), b.Fields())
			// A batch without columns has no row count in the columns form.
			if err != nil || len(b.Columns) > 0 && !b.Equal(again) {
				t.Fatalf("does not round-trip: %v", err)
			}
		}
	})
}

func BenchmarkDecodeRows(b *testing.B) {
	cols := make([]abi.Column, 30)
	for i := range cols {
		v := make([]float64, 100)
		for r := range v {
			v[r] = float64(r*31+i) / 7
		}
		cols[i] = abi.Float64Column(string(rune('a'+i)), v)
	}
	in := &abi.Batch{Rows: 100, Columns: cols}
	data, fields := EncodeRows(in, RowsForm), in.Fields()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := DecodeRows(data, fields); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeRows(b *testing.B) {
	in := everyType()
	b.ReportAllocs()
	for b.Loop() {
		EncodeRows(in, RowsForm)
	}
}

// FuzzScanRows holds the fast path to the general path's answer: whatever it accepts, the other accepts with equal values.
func FuzzScanRows(f *testing.F) {
	fields := []abi.Field{{Name: "b", Type: abi.Bool}, {Name: "i", Type: abi.Int32}, {Name: "j", Type: abi.Int64},
		{Name: "x", Type: abi.Float32}, {Name: "y", Type: abi.Float64}, {Name: "s", Type: abi.UTF8}}
	f.Add([]byte(`{"rows":[{"b":true,"i":1,"j":-2,"x":0.5,"y":1e-3,"s":"a","more":[1]}]}`))
	f.Add([]byte(`{"rows":[{"s":"ü","b":null,"i":null,"j":0,"x":"NaN","y":"-Infinity"},{"b":false,"i":2,"j":3,"x":null,"y":-0.0,"s":null,"id":"q"}]}`))
	f.Add([]byte(`{"rows":[]} `))
	f.Add([]byte(`{"rows":[{"b":true,"b":false}]}`))
	f.Add([]byte(`{"rows":[{"i":01}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		fast, ok := scanRows(data, fields)
		if ok {
			if err := fast.Validate(); err != nil {
				t.Fatal(err)
			}
			slow, _, err := decodeRows(data, fields)
			if err != nil {
				t.Fatalf("the general path refuses: %v", err)
			}
			if !fast.Equal(slow) {
				t.Fatalf("the paths differ:\n%s\n%s", EncodeRows(fast, RowsForm), EncodeRows(slow, RowsForm))
			}
		}
		if one, ok := scanObjects([][]byte{data, data}, fields); ok {
			slow, err := decodeObjects([][]byte{data, data}, fields)
			if err != nil || !one.Equal(slow) {
				t.Fatalf("the paths differ on objects: %v", err)
			}
		}
	})
}

func TestFastPathTakesPlainRows(t *testing.T) {
	fields := []abi.Field{{Name: "y", Type: abi.Float64}, {Name: "s", Type: abi.UTF8}}
	b, ok := scanRows([]byte(`{"rows": [ {"y":1.5,"s":"a","id":7}, {"s":null,"y":null} ]}`), fields)
	if !ok || b.Rows != 2 || b.Column("y").Float64s()[0] != 1.5 || !b.Column("y").IsNull(1) || !b.Column("s").IsNull(1) {
		t.Errorf("%v %+v", ok, b)
	}
}
