package json

import (
	std "encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func parse(doc []byte) (any, error) {
	r := NewReader(doc)
	v := r.Any()
	return v, r.End()
}

func ExampleReader() {
	var names []string
	var limit float64
	r := NewReader([]byte(`{"names": ["a", "b"], "limit": 2.5}`))
	r.Object(func(name string) {
		switch name {
		case "names":
			r.Array(func() { names = append(names, r.Text()) })
		case "limit":
			limit = r.Number()
		default:
			r.Unknown(name)
		}
	})
	fmt.Println(names, limit, r.End())

	r = NewReader([]byte("{\n  \"nmaes\": 1}"))
	r.Object(r.Unknown)
	fmt.Println(r.End())
	// Output:
	// [a b] 2.5 <nil>
	// line 2, column 12: unknown field "nmaes"
}

func TestErrorsSayWhere(t *testing.T) {
	for doc, want := range map[string]string{
		``:                        "line 1, column 1: the document ends where a value should follow",
		` {"a":1,}`:               `line 1, column 9: the name of a member should follow, not "}"`,
		`{"a" 1}`:                 `line 1, column 6: ":" after the name of a member should follow, not "1"`,
		"[1\n,2 3]":               `line 2, column 4: "," or "]" should follow, not "3"`,
		`["żółw",]`:               `line 1, column 9: a value should follow, not "]"`,
		`{"a":1} x`:               `line 1, column 9: the end of the document should follow, not "x"`,
		`01`:                      `line 1, column 2: the end of the document should follow, not "1"`,
		`[1.]`:                    "line 1, column 2: the number is damaged",
		`[-]`:                     "line 1, column 2: the number is damaged",
		`[1e+]`:                   "line 1, column 2: the number is damaged",
		`1e999`:                   "line 1, column 1: the number 1e999 is too large",
		`"a`:                      "line 1, column 3: the document ends inside a text",
		"\"a\tb\"":                "line 1, column 3: a control character (9) in a text must be escaped",
		`"\x"`:                    "line 1, column 2: the escape in the text is damaged",
		`"\u12g4"`:                "line 1, column 2: the escape in the text is damaged",
		"\"\xff\"":                "line 1, column 2: the text is not valid UTF-8",
		"[\xff]":                  "line 1, column 2: a value should follow, not the byte 255",
		`nul`:                     `line 1, column 1: "null" should follow`,
		strings.Repeat("[", 1001): "line 1, column 1001: the document is nested deeper than 1000",
	} {
		if _, err := parse([]byte(doc)); err == nil || err.Error() != want {
			t.Errorf("%.20q: got %v, want %s", doc, err, want)
		}
	}
}

func TestKindsAreStrict(t *testing.T) {
	for want, read := range map[string]func(*Reader){
		"a number is expected, not null":                 func(r *Reader) { r.Array(func() { r.Number() }) },
		"a text is expected, not null":                   func(r *Reader) { r.Array(func() { r.Text() }) },
		"a boolean is expected, not null":                func(r *Reader) { r.Array(func() { r.Bool() }) },
		"an object is expected, not an array":            func(r *Reader) { r.Object(r.Unknown) },
		"this value was not read":                        func(r *Reader) { r.Array(func() {}) },
		`the end of the document should follow, not "["`: func(*Reader) {},
		"no good": func(r *Reader) { r.Fail("no %s", "good"); r.Fail("second") },
		"an array is expected, not null (this cannot come)": nil,
	} {
		r := NewReader([]byte(`[null]`))
		if read == nil { // null is an empty array and an empty object
			r.Array(func() { r.Array(func() { t.Error("an item") }) })
			if err := r.End(); err != nil {
				t.Error(err)
			}
			continue
		}
		read(r)
		if err := r.End(); err == nil || !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestSkipTakesOneValue(t *testing.T) {
	r := NewReader([]byte(`[{"a":[1,{"b":null}],"c":"x"}, -0, true]`))
	n := 0
	r.Array(func() { r.Skip(); n++ })
	if err := r.End(); err != nil || n != 3 {
		t.Fatal(n, err)
	}
}

func TestAppendRefuses(t *testing.T) {
	loop := map[string]any{}
	loop["again"] = loop
	for want, v := range map[string]any{
		`"a": item 1: a value of this type`: map[string]any{"a": []any{1, struct{}{}}},
		"item 0: JSON has no number NaN":    []float64{math.NaN()},
		"JSON has no number -Inf":           math.Inf(-1),
		"JSON has no number +Inf":           float32(math.Inf(1)),
		"nested deeper than 1000":           loop,
		"MarshalJSON answered no JSON":      std.RawMessage(`{"a":}`),
	} {
		if _, err := Append(nil, v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAppendIsAsEncodingJSON(t *testing.T) {
	half := 0.5
	for _, v := range []any{
		nil, true, false, "", "żółw <&> \u2028\u2029 \x00\x1f\x7f\b\f\n\r\t\"\\/ \xff\xc5", int8(-8), int16(-16), int32(-32), int64(math.MinInt64), -1, uint(1), uint8(8), uint16(16),
		uint32(32), uint64(math.MaxUint64), 0.0, math.Copysign(0, -1), 1e-6, 9.9e-7, 1e-7, 1e-10, 1e20, 1e21, 1.5e300, 5e-324, math.MaxFloat64, 0.1, float32(0.1), float32(1e-7), float32(1e21),
		(*float64)(nil), &half, []any(nil), []any{}, []any{1, "a", nil, []any{}}, []string(nil), []string{"a", "<"}, []float64{1, 2.5}, []float32{0.1}, []int{1}, []int64{-1}, []uint64{1}, []bool{true},
		map[string]any(nil), map[string]any{"b": 1, "a": map[string]any{"z": nil}, "<": 2}, map[string]string{"b": "x", "a": "y"}, map[string][]string{"k": {"v", "w"}, "n": nil},
		map[string]float64{"x": 1.25}, map[string]int{"x": 1}, map[string]bool{"x": true}, std.RawMessage(`{"a":[1,2]}`),
	} {
		want, err := std.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Append([]byte("x"), v); err != nil || string(got) != "x"+string(want) {
			t.Errorf("%T: got %s, %v, want %s", v, got, err, want)
		}
	}
}

func TestManyMembersAreSorted(t *testing.T) {
	v := map[string]int{}
	for i := range 3000 {
		v[fmt.Sprintf("%x", i*i*7919)] = i
	}
	want, _ := std.Marshal(v)
	if got, err := Append(nil, v); err != nil || string(got) != string(want) {
		t.Fatal("out of order", err)
	}
}

func TestNumbersProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := math.Float64frombits(rapid.Uint64().Draw(rt, "bits"))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			f = rapid.Float64Range(-1e25, 1e25).Draw(rt, "f")
		}
		want, _ := std.Marshal(f)
		got, err := Append(nil, f)
		if err != nil || string(got) != string(want) {
			rt.Fatalf("got %s, want %s, %v", got, want, err)
		}
		if v, err := parse(got); err != nil || math.Float64bits(v.(float64)) != math.Float64bits(f) {
			rt.Fatalf("%s reads as %v, %v", got, v, err)
		}
	})
}

// FuzzReader reads with both packages: the same documents are accepted and mean the same, but for those that are nested deeper
// than MaxDepth or hold invalid UTF-8, which only encoding/json takes. What was read is written as encoding/json writes it.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		`{"columns":[{"name":"age","edges":[25,35.5,-0,1e-7]}]}`, `{"a":{"b":1},"a":{"c":2}}`, `[]`, ` { } `, `null`, `tru`, `"\ud83d\ude00\ud800\ud800\u0041\udc00x\/\b"`, `"\u00zz"`,
		`-`, `-01`, `1.5E+07`, `1e400`, `1e-400`, `[1,]`, `{"a":1,}`, `{"a"}`, "\"\x7f\u2028<\"", "[\"\xff\"]", strings.Repeat("[", 50) + strings.Repeat("]", 50), `0.1234567890123456789012345678901234567890`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, err := parse(doc)
		var want any
		wantErr := std.Unmarshal(doc, &want)
		if err != nil {
			if wantErr == nil && utf8.Valid(doc) && !strings.Contains(err.Error(), "nested deeper than 1000") {
				t.Fatalf("%q was refused: %v", doc, err)
			}
			return
		}
		if wantErr != nil {
			t.Fatalf("%q was accepted; encoding/json: %v", doc, wantErr)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %#v, want %#v", doc, got, want)
		}
		a, err := Append(nil, got)
		b, _ := std.Marshal(want)
		if err != nil || string(a) != string(b) {
			t.Fatalf("%q: wrote %s, %v, want %s", doc, a, err, b)
		}
	})
}

func BenchmarkReadNumbers(b *testing.B) {
	doc, err := Append(nil, map[string]any{"edges": make([]float64, 10_000)})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		r := NewReader(doc)
		r.Object(func(string) { r.Array(func() { r.Number() }) })
		if r.End() != nil {
			b.Fatal("not read")
		}
	}
}
