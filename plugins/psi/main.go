// Command psi is the built-in metric plugin for the population stability index; README.md states its formulas.
package main

import (
	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
)

func init() {
	m := &psi{}
	guest.Register(guest.Plugin{
		Description: abi.Description{
			Name: "psi", Version: "1.0.0", Summary: "Population stability index of each column over given bins.",
			Worlds: []abi.World{abi.WorldMetric}, Parameters: parameters,
		},
		Init:   m.init,
		Schema: m.schema,
		Metric: m,
	})
}

func main() {}

// parameters is the JSON Schema of the parameters.
var parameters = map[string]any{
	"type": "object", "additionalProperties": false, "required": []any{"columns"},
	"properties": map[string]any{"columns": map[string]any{
		"type": "array", "minItems": 1,
		"items": map[string]any{
			"type": "object", "additionalProperties": false, "required": []any{"name", "edges"},
			"properties": map[string]any{
				"name":  map[string]any{"type": "string"},
				"edges": map[string]any{"type": "array", "minItems": 1, "maxItems": maxEdges, "items": map[string]any{"type": "number"}, "description": "inner edges, ascending"},
			},
		},
	}},
}
