package examples

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
)

// rounds is how many random questions an example is asked: fewer with -short, whose runs follow a full one.
func rounds() int {
	if testing.Short() {
		return 3
	}
	return 12
}

// draw makes random questions; the same seed draws the same.
type draw struct{ *rand.Rand }

// number is a double of any kind: round, of any size, of random bits, special, and sometimes a NaN with a payload.
func (d draw) number() float64 {
	switch d.IntN(8) {
	case 0:
		return math.Float64frombits(d.Uint64())
	case 1:
		return []float64{math.NaN(), math.Float64frombits(0xfff0000000000001), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 5e-324, -5e-324, math.MaxFloat64, -1, 1}[d.IntN(11)]
	case 2:
		return float64(d.IntN(41) - 20)
	case 3:
		return d.ExpFloat64() * math.Pow(10, float64(d.IntN(600)-300))
	}
	return d.NormFloat64() * 10
}

func (d draw) finite() float64 {
	for {
		if x := d.number(); x-x == 0 {
			return x
		}
	}
}

func (d draw) ascending(n int) []float64 {
	x := []float64{d.NormFloat64() * 5}
	for len(x) < n {
		x = append(x, x[len(x)-1]+d.ExpFloat64()+1e-9)
	}
	return x
}

func (d draw) text() string {
	alphabet := []rune("abŁ\x00=\"\\ 𝄞é")
	out := make([]rune, d.IntN(5))
	for i := range out {
		out[i] = alphabet[d.IntN(len(alphabet))]
	}
	return string(out)
}

// rows is a number of rows: none, few, about a chunk, or several.
func (d draw) rows() int {
	return []int{0, 1, 1 + d.IntN(20), abi.MaxRows - 1 + d.IntN(3), d.IntN(20000)}[d.IntN(5)]
}

// holed puts nulls into a column, or leaves it; the values below them stay, and must not matter.
func (d draw) holed(c abi.Column, rows int) abi.Column {
	if d.IntN(3) == 0 {
		return c
	}
	c.Validity = make([]byte, abi.BitmapBytes(rows))
	for i := range c.Validity {
		c.Validity[i] = byte(d.Uint32() | d.Uint32())
	}
	return c
}

func (d draw) floats(name string, rows int) abi.Column {
	v := make([]float64, rows)
	for i := range v {
		v[i] = d.number()
	}
	return d.holed(abi.Float64Column(name, v), rows)
}

func (d draw) texts(name string, rows int, known []string) abi.Column {
	v := make([]string, rows)
	for i := range v {
		if v[i] = d.text(); len(known) > 0 && d.IntN(3) > 0 {
			v[i] = known[d.IntN(len(known))]
		}
	}
	return d.holed(abi.UTF8Column(name, v), rows)
}

func (d draw) shuffled(b *abi.Batch) *abi.Batch {
	d.Shuffle(len(b.Columns), func(i, j int) { b.Columns[i], b.Columns[j] = b.Columns[j], b.Columns[i] })
	return b
}

// question is one that every language is asked: parameters, and a batch, two samples or a context.
type question struct {
	parameters         map[string]any
	in                 *abi.Batch
	reference, current *abi.Batch
	context            map[string]any
}

// questions draws those of an example.
var questions = map[string]func(d draw) question{
	"standardise": func(d draw) question {
		b := &abi.Batch{Rows: d.rows()}
		var columns []any
		for i := range 1 + d.IntN(4) {
			name := fmt.Sprint("c", i)
			std := math.Abs(d.finite())
			columns = append(columns, map[string]any{"name": name, "mean": d.finite(), "std": std})
			b.Columns = append(b.Columns, d.floats(name, b.Rows))
		}
		return question{parameters: map[string]any{"columns": columns}, in: d.shuffled(b)}
	},
	"onehot": func(d draw) question {
		b := &abi.Batch{Rows: d.rows()}
		var columns []any
		for i := range 1 + d.IntN(3) {
			name := fmt.Sprint("t", i)
			seen := map[string]bool{}
			var categories []string
			for range 1 + d.IntN(12) {
				if c := d.text(); !seen[c] {
					seen[c] = true
					categories = append(categories, c)
				}
			}
			columns = append(columns, map[string]any{"name": name, "categories": categories})
			b.Columns = append(b.Columns, d.texts(name, b.Rows, categories))
		}
		return question{parameters: map[string]any{"columns": columns}, in: d.shuffled(b)}
	},
	"log1p-clip-bucketise": func(d draw) question {
		low := -d.Float64()
		high := low + d.ExpFloat64()*math.Pow(10, float64(d.IntN(300)))
		b := &abi.Batch{Rows: d.rows()}
		b.Columns = []abi.Column{d.floats("x", b.Rows)}
		return question{parameters: map[string]any{"column": "x", "low": low, "high": high, "edges": d.ascending(1 + d.IntN(60))}, in: b}
	},
	"cross-time": func(d draw) question {
		b := &abi.Batch{Rows: d.rows()}
		times := make([]int64, b.Rows)
		for i := range times {
			times[i] = []int64{int64(d.Uint64()), d.Int64N(2e15), d.Int64N(2e15) - 1e15, (d.Int64N(4e6) - 2e6) * 3_600_000_000, math.MinInt64 + d.Int64N(9), math.MaxInt64 - d.Int64N(9)}[d.IntN(6)]
		}
		b.Columns = []abi.Column{d.texts("a", b.Rows, nil), d.texts("b", b.Rows, nil), d.holed(abi.TimestampColumn("t", times), b.Rows)}
		return question{parameters: map[string]any{"a": "a", "b": "b", "time": "t", "buckets": 1 + d.IntN(1<<(d.IntN(30)))}, in: d.shuffled(b)}
	},
	"psi": func(d draw) question {
		r, c := &abi.Batch{Rows: d.rows()}, &abi.Batch{Rows: d.rows()}
		r.Columns, c.Columns = []abi.Column{d.floats("x", r.Rows)}, []abi.Column{d.floats("x", c.Rows)}
		return question{parameters: map[string]any{"column": "x", "edges": d.ascending(1 + d.IntN(60))}, reference: r, current: c}
	},
	"ks": func(d draw) question {
		r, c := &abi.Batch{Rows: d.rows()}, &abi.Batch{Rows: d.rows()}
		r.Columns, c.Columns = []abi.Column{d.floats("x", r.Rows)}, []abi.Column{d.floats("x", c.Rows)}
		low := d.NormFloat64() * 10
		return question{parameters: map[string]any{"column": "x", "low": low, "high": low + d.ExpFloat64()*10 + 1e-6, "bins": 1 + d.IntN(500)}, reference: r, current: c}
	},
	"gate": func(d draw) question {
		near := 0.9 + 0.02*d.NormFloat64()
		side := func() any {
			values := []any{near + 0.01*d.NormFloat64(), near, d.finite(), nil, "NaN", true, []any{1.0, map[string]any{"m": 2.0}}}
			sides := []any{nil, map[string]any{}, map[string]any{"metrics": nil}, map[string]any{"metrics": map[string]any{"other": 1.0}},
				map[string]any{"name": "x", "metrics": map[string]any{"a": map[string]any{"m": 0.0}, "m": values[d.IntN(len(values))], "z": d.finite()}}}
			return sides[min(d.IntN(14), len(sides)-1)]
		}
		return question{parameters: map[string]any{"metric": "m", "min": near + 0.01*d.NormFloat64(), "max_drop": 0.01 * d.Float64()},
			context: map[string]any{"candidate": side(), "baseline": side(), "more": []any{side(), "text", -1.5e-3}}}
	},
}

// answer asks a module.
func answer(ctx context.Context, p *plugin.Plugin, q question) (any, error) {
	switch {
	case q.in != nil:
		return p.Transform(ctx, q.in)
	case q.reference != nil:
		m, err := p.Metric(ctx)
		if err != nil {
			return nil, err
		}
		defer m.Close()
		if err := m.Update(ctx, abi.Current, q.current); err != nil {
			return nil, err
		}
		if err := m.Update(ctx, abi.Reference, q.reference); err != nil {
			return nil, err
		}
		return m.Finish(ctx)
	}
	doc, err := json.Marshal(q.context)
	if err != nil {
		return nil, err
	}
	return p.Gate(ctx, doc)
}

// TestLanguagesAgree asks every language the same random questions.
func TestLanguagesAgree(t *testing.T) {
	h := open(t)
	ctx := context.Background()
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			modules := make([][]byte, len(languages))
			for j, l := range languages {
				modules[j] = module(t, l, name)
			}
			for round := range rounds() {
				q := questions[name](draw{rand.New(rand.NewPCG(uint64(i), uint64(round)))})
				params, err := json.Marshal(q.parameters)
				if err != nil {
					t.Fatal(err)
				}
				var want any
				for j, l := range languages {
					p, err := h.Open(ctx, modules[j], params, plugin.Limits{})
					if err != nil {
						t.Fatalf("round %d, %s: %v\nparameters %s", round, l, err, params)
					}
					defer p.Close()
					got, err := answer(ctx, p, q)
					if err != nil {
						t.Fatalf("round %d, %s: %v\nparameters %s", round, l, err, params)
					}
					if j == 0 {
						want = got
					} else if d := differ(got, want); d != "" {
						t.Errorf("round %d: %s and %s differ: %s\nparameters %s", round, l, languages[0], d, params)
					}
				}
			}
		})
	}
}

// differ says where two answers are not the same bits.
func differ(got, want any) string {
	g, batch := got.(*abi.Batch)
	if !batch {
		if !reflect.DeepEqual(got, want) {
			a, _ := json.Marshal(got)
			b, _ := json.Marshal(want)
			return fmt.Sprintf("%s, not %s", a, b)
		}
		return ""
	}
	w := want.(*abi.Batch)
	if g.Equal(w) {
		return ""
	}
	if !reflect.DeepEqual(g.Fields(), w.Fields()) {
		return fmt.Sprintf("columns %v, not %v", g.Fields(), w.Fields())
	}
	for i := range g.Columns {
		x, y := &abi.Batch{Rows: g.Rows, Columns: g.Columns[i : i+1]}, &abi.Batch{Rows: w.Rows, Columns: w.Columns[i : i+1]}
		for r := range g.Rows {
			if a, b := x.Slice(r, r+1), y.Slice(r, r+1); !a.Equal(b) {
				return fmt.Sprintf("column %s, row %d: null %v, bytes %x; not null %v, bytes %x",
					g.Columns[i].Name, r, a.Columns[0].IsNull(0), a.Columns[0].Values, b.Columns[0].IsNull(0), b.Columns[0].Values)
			}
		}
	}
	return "the number of rows"
}

// TestLog1pIsTheSameEverywhere compares every language with guest.Log1p as this machine computes it, bit for bit, on a million points above -1.
func TestLog1pIsTheSameEverywhere(t *testing.T) {
	const points = 1_000_000
	d := draw{rand.New(rand.NewPCG(1, 2))}
	x, want := make([]float64, points), make([]float64, points)
	for i := range x {
		switch i % 5 {
		case 0:
			x[i] = math.Float64frombits(d.Uint64() >> 1) // every exponent; some are NaN or infinite
		case 1:
			x[i] = d.Float64()*2 - 1
		case 2:
			x[i] = -1 + math.Ldexp(1+d.Float64(), -1-d.IntN(52))
		case 3:
			x[i] = math.Ldexp(d.NormFloat64(), -d.IntN(80))
		default:
			x[i] = d.ExpFloat64() * 100
		}
		if !(x[i] > -1) || math.IsInf(x[i], 1) {
			x[i] = -0.9999999999999999
		}
		want[i] = guest.Log1p(x[i])
	}
	params := json.RawMessage(`{"column":"x","low":-0.9999999999999999,"high":1.7976931348623157e308,"edges":[0]}`)
	h := open(t)
	for _, l := range languages {
		p, err := h.Open(context.Background(), module(t, l, "log1p-clip-bucketise"), params, plugin.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		out, err := p.Transform(context.Background(), &abi.Batch{Rows: points, Columns: []abi.Column{abi.Float64Column("x", x)}})
		if err != nil {
			t.Fatal(err)
		}
		wrong := 0
		for i, y := range out.Columns[0].Float64s() {
			if math.Float64bits(y) != math.Float64bits(want[i]) {
				if wrong++; wrong < 4 {
					t.Errorf("%s: log1p(%v) is %x, natively in Go it is %x", l, x[i], math.Float64bits(y), math.Float64bits(want[i]))
				}
			}
		}
		if wrong > 0 {
			t.Errorf("%s: %d of %d points differ", l, wrong, points)
		}
	}
}
