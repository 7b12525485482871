// Command hello is the example plugin in Go: a handler that greets, and a transform that standardises the columns its
// parameters name, or without parameters copies what it is given. It is the twin in Go of plugins/standardize, which lets the
// two languages be compared bit for bit and second for second.
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
)

type column struct {
	Name string  `json:"name"`
	Mean float64 `json:"mean"`
	Std  float64 `json:"std"`
}

var params struct {
	Greeting string   `json:"greeting"`
	Columns  []column `json:"columns"`
}

func init() {
	guest.Register(guest.Plugin{
		Description: abi.Description{
			Name: "hello", Version: "1.0.0", Summary: "Greets over HTTP and events; copies or standardises batches.",
			Worlds:     []abi.World{abi.WorldHandler, abi.WorldTransform},
			Parameters: map[string]any{"type": "object", "properties": map[string]any{"greeting": map[string]any{"type": "string", "default": "hello"}, "columns": map[string]any{"type": "array"}}},
		},
		Init:      func(raw []byte) error { return json.Unmarshal(raw, &params) },
		Schema:    schema,
		Transform: transform,
		Handle:    handle,
	})
}

func main() {}

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
			return nil, fmt.Errorf("input column %q is missing or no float64", p.Name)
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
		return abi.Response{}, fmt.Errorf("asked to fail")
	case "/print":
		fmt.Fprintln(os.Stderr, "printed by a guest")
	}
	q, err := url.ParseQuery(r.Query)
	if err != nil {
		return abi.Response{Status: 400, Body: []byte(err.Error())}, nil
	}
	name := q.Get("name")
	if name == "" {
		name = string(r.Body)
	}
	if name == "" {
		name = "world"
	}
	greeting := params.Greeting
	if greeting == "" {
		greeting = "hello"
	}
	body, err := json.Marshal(map[string]string{"message": greeting + ", " + name, "kind": r.Kind})
	return abi.Response{Headers: map[string][]string{"Content-Type": {"application/json"}}, Body: body}, err
}
