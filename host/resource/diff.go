package resource

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// FieldChange is one leaf that an apply changes. Old or New is nil where the leaf is absent.
type FieldChange struct {
	Path string `json:"path"` // for example spec.batching.max_batch_size
	Old  any    `json:"old,omitempty"`
	New  any    `json:"new,omitempty"`
}

// diffValues compares decoded JSON values.
func diffValues(path string, a, b any) []FieldChange {
	if reflect.DeepEqual(a, b) {
		return nil
	}
	ma, oka := a.(map[string]any)
	mb, okb := b.(map[string]any)
	if oka && (okb || b == nil) || okb && a == nil {
		keys := map[string]bool{}
		for k := range ma {
			keys[k] = true
		}
		for k := range mb {
			keys[k] = true
		}
		var out []FieldChange
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			out = append(out, diffValues(path+"."+k, ma[k], mb[k])...)
		}
		return out
	}
	la, oka := a.([]any)
	lb, okb := b.([]any)
	if oka && okb && len(la) == len(lb) {
		var out []FieldChange
		for i := range la {
			out = append(out, diffValues(fmt.Sprintf("%s[%d]", path, i), la[i], lb[i])...)
		}
		return out
	}
	return []FieldChange{{Path: path, Old: a, New: b}}
}
