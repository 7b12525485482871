package predict

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/errs"
)

func TestDecode(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	cases := []struct {
		name, body string
		rows, cols int
		values     []float64
	}{
		{"plain", `{"features":[[1,2.5],[-3e2,0]]}`, 2, 2, []float64{1, 2.5, -300, 0}},
		{"spaces", " {\n\"features\" : [ [ 1 , 2 ] ,\t[3,4\r\n]]} \n", 2, 2, []float64{1, 2, 3, 4}},
		{"no numbers", `{"features":[[NaN,Infinity,-Infinity,"NaN","Infinity","-Infinity",null]]}`, 1, 7, []float64{nan, inf, -inf, nan, inf, -inf, nan}},
		{"minus zero", `{"features":[[-0,-0.0]]}`, 1, 2, []float64{math.Copysign(0, -1), math.Copysign(0, -1)}},
		{"exact", `{"features":[[0.1,1e22,1e23,9007199254740993,1.7976931348623157e308,5e-324,0.30000000000000004,123456789012345678901234567890]]}`, 1, 8,
			[]float64{0.1, 1e22, 1e23, 9007199254740992, math.MaxFloat64, math.SmallestNonzeroFloat64, 0.30000000000000004, 123456789012345678901234567890}},
		{"underflow", `{"features":[[1e-400,0e999999]]}`, 1, 2, []float64{0, 0}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b, err := decode([]byte(c.body))
			if err != nil || !b.features || b.matrix.Rows != c.rows || b.matrix.Cols != c.cols {
				t.Fatalf("%+v, %v", b, err)
			}
			for i, v := range c.values {
				if got := b.matrix.Values[i]; math.Float64bits(got) != math.Float64bits(v) && !(v != v && got != got) {
					t.Errorf("value %d is %v, want %v", i, got, v)
				}
			}
			if s := b.matrix.Slices(); len(s) != c.rows || len(s[0]) != c.cols {
				t.Errorf("slices: %v", s)
			}
		})
	}
}

func TestDecodeErrors(t *testing.T) {
	cases := []struct{ name, body, want string }{
		{"empty", ``, "line 1, column 1"},
		{"array", `[1]`, "want a JSON object"},
		{"flat", `{"features":[1,2]}`, "features[0] must be an array"},
		{"no rows", `{"features":[]}`, "no rows"},
		{"empty row", `{"features":[[]]}`, "features[0] is empty"},
		{"ragged", `{"features":[[1,2],[3]]}`, "features[1] has 1 numbers, features[0] has 2"},
		{"text", "{\"features\":[[1],\n[\"x\"]]}", `line 2, column 2: features[1][0]: "\"x\"" is not a number`},
		{"leading zero", `{"features":[[01]]}`, "not a number"},
		{"no fraction", `{"features":[[1.]]}`, "not a number"},
		{"no exponent", `{"features":[[1e]]}`, "not a number"},
		{"hex", `{"features":[[0x1]]}`, "want ',' or ']'"},
		{"plus", `{"features":[[+1]]}`, "not a number"},
		{"overflow", `{"features":[[1e999]]}`, "not a number"},
		{"open", `{"features":[[1`, "want ',' or ']'"},
		{"open row", `{"features":[[1]`, "want ',' or ']'"},
		{"open document", `{"features":[[1]]`, "want '}'"},
		{"other key", `{"features":[[1]],"x":1}`, "excludes other keys"},
		{"other key first", `{"x":1,"features":[[1]]}`, "excludes other keys"},
		{"trailing", `{"features":[[1]]}x`, "bytes follow"},
		{"colon", `{"features" [[1]]}`, "want ':'"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := decode([]byte(c.body))
			if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an invalid error with %q", err, c.want)
			}
		})
	}
	if b, err := decode([]byte(`{"rows":[{"a":1}]}`)); err != nil || b.features || b.named == nil {
		t.Errorf("named rows: %+v, %v", b, err)
	}
}

// Any float64 that Go can print must come back bit for bit, in every form of printing.
func TestNumbersAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		v := math.Float64frombits(r.Uint64())
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		for _, form := range []byte{'g', 'e'} {
			text := strconv.FormatFloat(v, form, -1, 64)
			s := scanner{data: []byte(text)}
			got, ok := s.number()
			if !ok || s.at != len(text) || math.Float64bits(got) != math.Float64bits(v) {
				t.Fatalf("%s became %v (%v)", text, got, ok)
			}
		}
	}
}

// The same document through encoding/json must agree: what it takes, decode takes with the same bits, and the reverse.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"features":[[1,2.5],[-3e2,0]]}`, `{"features":[[NaN,"Infinity",null]]}`, `{"features":[[1e-400]]}`, `{"rows":[{"a":1}]}`,
		`{"features":[[1],[2,3]]}`, `{"features":[[0.1,123456789012345678901234567890]]} `, `{"features":[[1]],"features":[[2]]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := decode(data)
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatal(err)
			}
		}
		var doc struct {
			Features [][]float64 `json:"features"`
		}
		d := json.NewDecoder(strings.NewReader(string(data)))
		d.DisallowUnknownFields()
		if d.Decode(&doc) != nil || d.More() || err != nil || !b.features {
			return
		}
		for r, row := range doc.Features {
			for c, v := range row {
				got := b.matrix.Values[r*b.matrix.Cols+c]
				if math.Float64bits(got) != math.Float64bits(v) && !math.IsNaN(got) { // encoding/json leaves null as 0
					t.Fatalf("[%d][%d]: %v, encoding/json says %v", r, c, got, v)
				}
			}
		}
	})
}

func matrixText(rows, cols int) []byte {
	var b strings.Builder
	b.WriteString(`{"features":[`)
	for r := range rows {
		if r > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('[')
		for c := range cols {
			if c > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "%.6g", float64(r*31+c*7)/13)
		}
		b.WriteByte(']')
	}
	b.WriteString("]}")
	return []byte(b.String())
}

func BenchmarkDecode(b *testing.B) {
	for _, rows := range []int{1, 100} {
		data := matrixText(rows, 30)
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	data := matrixText(100, 30)
	b.Run("encoding/json,rows=100", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			var doc struct{ Features [][]float64 }
			if err := json.Unmarshal(data, &doc); err != nil {
				b.Fatal(err)
			}
		}
	})
}
