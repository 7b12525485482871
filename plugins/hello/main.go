// Command hello is the example plugin in Go: a handler that greets, and a transform that standardises the columns its
// parameters name, or without parameters copies what it is given. It is the twin in Go of plugins/standardize, which lets the
// two languages be compared bit for bit and second for second.
package main

import (
	"math"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
	"github.com/weir-ml/weir/sdk/guest/json"
)

type column struct {
	Name      string
	Mean, Std float64
}

var params struct {
	Greeting string
	Columns  []column
}

func init() {
	guest.Register(guest.Plugin{
		Description: abi.Description{
			Name: "hello", Version: "1.0.0", Summary: "Greets over HTTP and events; copies or standardises batches.",
			Worlds:     []abi.World{abi.WorldHandler, abi.WorldTransform},
			Parameters: map[string]any{"type": "object", "properties": map[string]any{"greeting": map[string]any{"type": "string", "default": "hello"}, "columns": map[string]any{"type": "array"}}},
		},
		Init:      parse,
		Schema:    schema,
		Transform: transform,
		Handle:    handle,
	})
}

func main() {}

// parse reads the parameters; members that it does not know are passed over.
func parse(raw []byte) error {
	r := json.NewReader(raw)
	r.Object(func(name string) {
		switch {
		case r.Null():
		case name == "greeting":
			params.Greeting = r.Text()
		case name == "columns":
			r.Array(func() {
				var c column
				r.Object(func(name string) {
					switch name {
					case "name":
						c.Name = r.Text()
					case "mean":
						c.Mean = r.Number()
					case "std":
						c.Std = r.Number()
					default:
						r.Skip()
					}
				})
				params.Columns = append(params.Columns, c)
			})
		default:
			r.Skip()
		}
	})
	return r.End()
}

func schema() (s abi.Schema) {
	for _, c := range params.Columns {
		s.Inputs = append(s.Inputs, abi.Field{Name: c.Name, Type: abi.Float64})
	}
	s.Outputs = s.Inputs
	return s
}

var (
	arena guest.Arena
	out   abi.Batch
)

func transform(in *abi.Batch) (*abi.Batch, error) {
	arena.Reset()
	out.Rows, out.Columns = in.Rows, out.Columns[:0]
	if len(params.Columns) == 0 {
		for _, c := range in.Columns {
			c.Values = append(arena.Bytes(len(c.Values))[:0], c.Values...)
			out.Columns = append(out.Columns, c)
		}
		return &out, nil
	}
	for _, p := range params.Columns {
		c := in.Column(p.Name)
		if c == nil || c.Type != abi.Float64 {
			return nil, guest.Errorf("input column %q is missing or no float64", p.Name)
		}
		x, y := c.Float64s(), arena.Float64s(in.Rows)
		mean, std := p.Mean, p.Std
		if std == 0 {
			std = 1
		}
		for i, v := range x {
			if v = (v - mean) / std; v != v {
				v = math.Float64frombits(0x7ff8000000000000)
			}
			y[i] = v
		}
		o := abi.Float64Column(p.Name, y)
		o.Validity = c.Validity
		out.Columns = append(out.Columns, o)
	}
	return &out, nil
}

func handle(r abi.Request) (abi.Response, error) {
	switch r.Path {
	case "/panic":
		panic("asked to")
	case "/error":
		return abi.Response{}, guest.Errorf("asked to fail")
	case "/print":
		println("printed by a guest") // to standard error, which the host logs
	}
	q, err := guest.ParseQuery(r.Query)
	if err != nil {
		return abi.Response{Status: 400, Body: []byte(err.Error())}, nil
	}
	name := string(r.Body)
	if given := q["name"]; len(given) > 0 && given[0] != "" {
		name = given[0]
	}
	if name == "" {
		name = "world"
	}
	greeting := params.Greeting
	if greeting == "" {
		greeting = "hello"
	}
	body, err := json.Append(nil, map[string]string{"message": greeting + ", " + name, "kind": r.Kind})
	return abi.Response{Headers: map[string][]string{"Content-Type": {"application/json"}}, Body: body}, err
}
