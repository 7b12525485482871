package plugin

import (
	"context"
	"encoding/json"
	"math"
	"testing"

	"github.com/weir-ml/weir/sdk/abi"
)

type vectorColumn struct {
	Name   string
	Type   abi.Type
	Values []any
}

func (c vectorColumn) column(t *testing.T) abi.Column {
	t.Helper()
	var null []int
	floats, texts := make([]float64, len(c.Values)), make([]string, len(c.Values))
	for i, v := range c.Values {
		switch v := v.(type) {
		case nil:
			null = append(null, i)
		case float64:
			floats[i] = v
		case string:
			texts[i] = v
			floats[i] = map[string]float64{"NaN": math.Float64frombits(0x7ff8000000000000), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[v]
		}
	}
	out := abi.Float64Column(c.Name, floats)
	if c.Type == abi.UTF8 {
		out = abi.UTF8Column(c.Name, texts)
	}
	if null != nil {
		out = out.WithNulls(len(c.Values), null...)
	}
	return out
}

// TestVectors runs the vectors in the plugins' folders; dropping in a case adds a test.
func TestVectors(t *testing.T) {
	h, err := New(Options{CacheDir: codeDir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, name := range []string{"standardize", "onehot"} {
		var cases []struct {
			Name          string
			Parameters    json.RawMessage
			Input, Output []vectorColumn
		}
		readJSON(t, "../../plugins/"+name+"/testdata/vectors.json", &cases)
		if len(cases) < 3 {
			t.Fatalf("%s: %d vectors", name, len(cases))
		}
		for _, tc := range cases {
			t.Run(name+"/"+tc.Name, func(t *testing.T) {
				p, err := h.Open(context.Background(), builtin(t, name), tc.Parameters, Limits{})
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				batch := func(cols []vectorColumn) *abi.Batch {
					b := &abi.Batch{Rows: len(cols[0].Values)}
					for _, c := range cols {
						b.Columns = append(b.Columns, c.column(t))
					}
					return b
				}
				out, err := p.Transform(context.Background(), batch(tc.Input))
				if err != nil {
					t.Fatal(err)
				}
				if want := batch(tc.Output); !out.Equal(want) {
					t.Fatalf("got %+v\nwant %+v", out, want)
				}
				s, err := p.Schema(context.Background())
				if err != nil || len(s.Outputs) != len(tc.Output) {
					t.Fatalf("%+v, %v", s, err)
				}
			})
		}
	}
}
