// Command psi is the built-in metric plugin for the population stability index; README.md states its formulas.
package main

import (
	"encoding/json"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
)

func init() {
	m := &psi{}
	guest.Register(guest.Plugin{
		Description: abi.Description{
			Name: "psi", Version: "1.0.0", Summary: "Population stability index of each column over given bins.",
			Worlds: []abi.World{abi.WorldMetric}, Parameters: schema(),
		},
		Init:   m.init,
		Schema: m.schema,
		Metric: m,
	})
}

func main() {}

func schema() map[string]any {
	var v map[string]any
	err := json.Unmarshal([]byte(`{"type":"object","additionalProperties":false,"required":["columns"],"properties":{"columns":{"type":"array","minItems":1,
		"items":{"type":"object","additionalProperties":false,"required":["name","edges"],"properties":{
		"name":{"type":"string"},"edges":{"type":"array","minItems":1,"maxItems":10000,"items":{"type":"number"},"description":"inner edges, ascending"}}}}}}`), &v)
	if err != nil {
		panic(err)
	}
	return v
}
