// Command onehot turns each text column that its parameters name into one float64 column for each category, <column>=<category>: 1
// where the text is that category, 0 elsewhere. A null and a text that is no category give 0 everywhere.
package main

import (
	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
	"github.com/weir-ml/weir/sdk/guest/json"
)

func init() {
	guest.Register(guest.Plugin{
		Description: abi.Description{
			Name: "onehot", Version: "1.0.0", Summary: "One 0/1 column for each category of text columns.",
			Worlds: []abi.World{abi.WorldTransform}, Parameters: parameters,
		},
		Init:      initialise,
		Schema:    func() abi.Schema { return fields },
		Transform: transform,
	})
}

func main() {}

// parameters is the JSON Schema of the parameters.
var parameters = map[string]any{
	"type": "object", "additionalProperties": false, "required": []any{"columns"},
	"properties": map[string]any{"columns": map[string]any{
		"type": "array", "minItems": 1,
		"items": map[string]any{
			"type": "object", "additionalProperties": false, "required": []any{"name", "categories"},
			"properties": map[string]any{
				"name":       map[string]any{"type": "string", "minLength": 1},
				"categories": map[string]any{"type": "array", "minItems": 1, "items": map[string]any{"type": "string"}},
			},
		},
	}},
}

type column struct {
	name   string
	output map[string]int // which output a category is
}

var (
	columns []column
	fields  abi.Schema
	arena   guest.Arena
	out     abi.Batch
)

func initialise(params []byte) error {
	seen := map[string]bool{}
	r := json.NewReader(params)
	r.Object(func(name string) {
		if name != "columns" {
			r.Unknown(name)
			return
		}
		r.Array(func() {
			name, categories := parseColumn(r)
			if seen[name] {
				r.Fail("column %q is listed twice", name)
			}
			seen[name] = true
			c := column{name: name, output: map[string]int{}}
			for _, category := range categories {
				if _, twice := c.output[category]; twice {
					r.Fail("column %q lists the category %q twice", name, category)
				}
				c.output[category] = len(fields.Outputs)
				fields.Outputs = append(fields.Outputs, abi.Field{Name: name + "=" + category, Type: abi.Float64})
			}
			columns = append(columns, c)
			fields.Inputs = append(fields.Inputs, abi.Field{Name: name, Type: abi.UTF8})
		})
	})
	if err := r.End(); err != nil {
		return guest.Errorf("parameters: %w", err)
	}
	if len(columns) == 0 {
		return guest.Errorf(`parameters: "columns" is missing or empty`)
	}
	if len(fields.Outputs) > abi.MaxColumns {
		return guest.Errorf("parameters: columns: %d categories, the limit is %d", len(fields.Outputs), abi.MaxColumns)
	}
	names := map[string]bool{}
	for _, f := range fields.Outputs {
		if names[f.Name] {
			return guest.Errorf("parameters: two outputs would be named %q", f.Name)
		}
		names[f.Name] = true
	}
	return nil
}

func parseColumn(r *json.Reader) (name string, categories []string) {
	r.Object(func(key string) {
		switch key {
		case "name":
			name = r.Text()
		case "categories":
			categories = nil // of a key given twice the last counts
			r.Array(func() { categories = append(categories, r.Text()) })
		default:
			r.Unknown(key)
		}
	})
	if name == "" || len(categories) == 0 {
		r.Fail(`a column needs "name" and "categories"`)
	}
	return name, categories
}

func transform(in *abi.Batch) (*abi.Batch, error) {
	arena.Reset()
	out.Rows, out.Columns = in.Rows, out.Columns[:0]
	values := arena.Float64s(in.Rows * len(fields.Outputs)) // of all outputs, one after the other
	clear(values)
	for _, c := range columns {
		x := in.Column(c.name)
		if x == nil || x.Type != abi.UTF8 {
			return nil, guest.Errorf("input column %q is missing or not utf8", c.name)
		}
		for r := range in.Rows {
			if x.IsNull(r) {
				continue
			}
			if i, known := c.output[string(x.BytesAt(r))]; known {
				values[i*in.Rows+r] = 1
			}
		}
	}
	for i, f := range fields.Outputs {
		out.Columns = append(out.Columns, abi.Float64Column(f.Name, values[i*in.Rows:(i+1)*in.Rows]))
	}
	return &out, nil
}
