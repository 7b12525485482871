// Command standardise computes (x - mean) / std of each column that its parameters name. A std of 0 divides by 1; nulls stay null.
package main

import (
	"math"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
	"github.com/weir-ml/weir/sdk/guest/json"
	"github.com/weir-ml/weir/sdk/guest/row"
)

func init() {
	guest.Register(guest.Plugin{
		Description: abi.Description{
			Name: "standardise", Version: "1.0.0", Summary: "(x - mean) / std of each column.",
			Worlds: []abi.World{abi.WorldTransform}, Parameters: parameters,
		},
		Init:      func(params []byte) (err error) { columns, err = parse(params); return err },
		Schema:    schema,
		Transform: transform,
	})
	row.Register(one)
}

func main() {}

// parameters is the JSON Schema of the parameters.
var parameters = map[string]any{
	"type": "object", "additionalProperties": false, "required": []any{"columns"},
	"properties": map[string]any{"columns": map[string]any{
		"type": "array", "minItems": 1,
		"items": map[string]any{
			"type": "object", "additionalProperties": false, "required": []any{"name", "mean", "std"},
			"properties": map[string]any{
				"name": map[string]any{"type": "string", "minLength": 1},
				"mean": map[string]any{"type": "number"},
				"std":  map[string]any{"type": "number", "minimum": 0},
			},
		},
	}},
}

type column struct {
	name        string
	mean, scale float64
}

var (
	columns []column
	arena   guest.Arena
	out     abi.Batch
)

func parse(params []byte) (columns []column, err error) {
	r := json.NewReader(params)
	r.Object(func(name string) {
		if name != "columns" {
			r.Unknown(name)
			return
		}
		r.Array(func() { columns = append(columns, parseColumn(r)) })
	})
	if err := r.End(); err != nil {
		return nil, guest.Errorf("parameters: %w", err)
	}
	if len(columns) == 0 {
		return nil, guest.Errorf(`parameters: "columns" is missing or empty`)
	}
	seen := map[string]bool{}
	for _, c := range columns {
		if seen[c.name] {
			return nil, guest.Errorf("parameters: column %q is listed twice", c.name)
		}
		seen[c.name] = true
	}
	return columns, nil
}

func parseColumn(r *json.Reader) (c column) {
	have := map[string]bool{}
	r.Object(func(name string) {
		have[name] = true
		switch name {
		case "name":
			c.name = r.Text()
		case "mean":
			c.mean = r.Number()
		case "std":
			c.scale = r.Number()
		default:
			r.Unknown(name)
		}
	})
	switch {
	case c.name == "" || !have["mean"] || !have["std"]:
		r.Fail(`a column needs "name", "mean" and "std"`)
	case c.scale < 0:
		r.Fail("columns: %q has a negative std", c.name)
	case c.scale == 0:
		c.scale = 1
	}
	return c
}

func schema() (s abi.Schema) {
	for _, c := range columns {
		s.Inputs = append(s.Inputs, abi.Field{Name: c.name, Type: abi.Float64})
	}
	s.Outputs = s.Inputs
	return s
}

// scaled is one value; NaN is always the same NaN.
func (c *column) scaled(x float64) float64 {
	y := (x - c.mean) / c.scale
	if y != y {
		return math.Float64frombits(0x7ff8000000000000)
	}
	return y
}

func transform(in *abi.Batch) (*abi.Batch, error) {
	arena.Reset()
	out.Rows, out.Columns = in.Rows, out.Columns[:0]
	for i := range columns {
		c := &columns[i]
		x := in.Column(c.name)
		if x == nil || x.Type != abi.Float64 {
			return nil, guest.Errorf("input column %q is missing or not float64", c.name)
		}
		y := arena.Float64s(in.Rows)
		for r, v := range x.Float64s() {
			y[r] = c.scaled(v)
		}
		o := abi.Float64Column(c.name, y)
		o.Validity = x.Validity // outputs may share the input's buffers
		out.Columns = append(out.Columns, o)
	}
	for _, x := range in.Columns {
		if out.Column(x.Name) == nil {
			return nil, guest.Errorf("input column %q is not among the parameters", x.Name)
		}
	}
	return &out, nil
}

func one(in *row.In, out *row.Out) error {
	for i := range columns {
		if !in.Null(i) {
			out.SetFloat64(i, columns[i].scaled(in.Float64(i)))
		}
	}
	return nil
}
