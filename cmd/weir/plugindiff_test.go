package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/client"
)

func TestComparePlugins(t *testing.T) {
	a := client.Plugin{
		Size: 10, Exports: []string{"memory", "weir_transform"},
		Description: abi.Description{Name: "p", Version: "1", Worlds: []abi.World{"transform"}, Grants: []string{"log"}, Parameters: map[string]any{
			"type": "object", "required": []any{"x"}, "properties": map[string]any{
				"x": map[string]any{"type": "number", "minimum": 0.0}, "mode": map[string]any{"enum": []any{"a", "b"}}, "edges": map[string]any{"prefixItems": []any{1.0, 2.0}}},
		}},
		Schema: &abi.Schema{Inputs: []abi.Field{{Name: "in", Type: abi.Float64}}, Outputs: []abi.Field{{Name: "out", Type: abi.Float64}}},
	}
	b := client.Plugin{
		Size: 12, Exports: []string{"memory", "weir_row", "weir_transform"},
		Description: abi.Description{Name: "p", Version: "2", Worlds: []abi.World{"transform", "gate"}, Grants: []string{"clock"}, Parameters: map[string]any{
			"type": "object", "required": []any{"x", "y"}, "properties": map[string]any{
				"x": map[string]any{"type": "number"}, "mode": map[string]any{"enum": []any{"b", "a"}}, "edges": map[string]any{"prefixItems": []any{1.0, 3.0}},
				"y": map[string]any{"type": "string"}},
		}},
		Schema: &abi.Schema{Inputs: []abi.Field{{Name: "in", Type: abi.Float32}}, Outputs: []abi.Field{{Name: "out", Type: abi.Float64}, {Name: "more", Type: abi.Bool}}},
	}
	var got []string
	for _, c := range comparePlugins(a, b) {
		got = append(got, change(c))
	}
	if d := cmp.Diff([]string{
		"~ size: 10 → 12",
		`~ version: "1" → "2"`,
		`+ worlds: "gate"`,
		`+ exports: "weir_row"`,
		`+ grants: "clock"`, `- grants: "log"`,
		"~ parameters.properties.edges.prefixItems[1]: 2 → 3",
		`~ parameters.properties.mode.enum: ["a","b"] → ["b","a"]`,
		"- parameters.properties.x.minimum: 0",
		`+ parameters.properties.y.type: "string"`,
		`+ parameters.required: "y"`,
		`~ inputs.in.type: "float64" → "float32"`,
		`+ outputs.more.name: "more"`, `+ outputs.more.type: "bool"`,
	}, got); d != "" {
		t.Error(d)
	}
	if same := comparePlugins(a, a); len(same) != 0 {
		t.Errorf("a plugin differs from itself: %v", same)
	}
	b.Schema = nil // it needs parameters now: its columns are not known, which is no difference
	for _, c := range comparePlugins(a, b) {
		if c.Path == "inputs" || c.Path == "outputs" {
			t.Errorf("%+v", c)
		}
	}
}
