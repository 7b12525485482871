package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/client"
)

// pluginDiff is what `weir plugin diff` prints.
type pluginDiff struct {
	A       diffSide             `json:"a"`
	B       diffSide             `json:"b"`
	Changes []client.FieldChange `json:"changes"`
}

type diffSide struct {
	Ref     string `json:"ref"`
	Version int    `json:"version,omitempty"`
	Digest  string `json:"digest"`
}

func (s *session) pluginDiff() *cobra.Command {
	return &cobra.Command{
		Use: "diff A B", Short: "Show how two modules differ", Args: args(2, 2),
		Long: "Show how two modules differ: files, NAME, NAME@VERSION, NAME@ALIAS or digests. Compared are size, name and version of the module,\n" +
			"worlds, exports, grants, the parameters' schema path by path, and the columns of modules that need no parameters.\n" +
			"As diff does: exit 0 when they are the same bytes, 1 when they differ, 2 when it cannot be told.",
		RunE: func(cmd *cobra.Command, a []string) error {
			var sides [2]client.Plugin
			for i, ref := range a {
				p, err := s.inspect(cmd.Context(), ref)
				if err != nil {
					return &exit{2, err}
				}
				sides[i] = p
			}
			d := pluginDiff{
				A: diffSide{a[0], sides[0].Version, sides[0].Digest}, B: diffSide{a[1], sides[1].Version, sides[1].Digest},
				Changes: comparePlugins(sides[0], sides[1]),
			}
			if err := s.show(d, func(w io.Writer) {
				if d.A.Digest == d.B.Digest {
					return
				}
				fmt.Fprintf(w, "--- %s %s\n+++ %s %s\n", d.A.Ref, short(d.A.Digest), d.B.Ref, short(d.B.Digest))
				for _, c := range d.Changes {
					fmt.Fprintln(w, change(c))
				}
			}); err != nil {
				return &exit{2, err}
			}
			if d.A.Digest != d.B.Digest {
				return &exit{code: 1}
			}
			return nil
		},
	}
}

// comparePlugins lists what differs. Sets (worlds, exports, grants) have one entry for each member that comes or goes; columns
// are compared by name. Columns are left out unless both sides have them.
func comparePlugins(a, b client.Plugin) []client.FieldChange {
	out := []client.FieldChange{}
	add := func(path string, x, y any) { out = append(out, diffJSON(path, plain(x), plain(y))...) }
	add("size", a.Size, b.Size)
	add("name", a.Description.Name, b.Description.Name)
	add("version", a.Description.Version, b.Description.Version)
	add("summary", a.Description.Summary, b.Description.Summary)
	out = append(out, diffSets("worlds", a.Description.Worlds, b.Description.Worlds)...)
	out = append(out, diffSets("exports", a.Exports, b.Exports)...)
	out = append(out, diffSets("grants", a.Description.Grants, b.Description.Grants)...)
	add("parameters", a.Description.Parameters, b.Description.Parameters)
	if a.Schema != nil && b.Schema != nil {
		add("inputs", columns(a.Schema.Inputs), columns(b.Schema.Inputs))
		add("outputs", columns(a.Schema.Outputs), columns(b.Schema.Outputs))
	}
	return out
}

// diffSets lists the members that only one of two sets has.
func diffSets[T ~string](path string, a, b []T) (out []client.FieldChange) {
	for _, x := range slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(a), b...)))) {
		inA, inB := slices.Contains(a, x), slices.Contains(b, x)
		switch {
		case inA && !inB:
			out = append(out, client.FieldChange{Path: path, Old: string(x)})
		case inB && !inA:
			out = append(out, client.FieldChange{Path: path, New: string(x)})
		}
	}
	return out
}

func columns(list []abi.Field) map[string]abi.Field {
	m := map[string]abi.Field{}
	for _, f := range list {
		m[f.Name] = f
	}
	return m
}

// plain is v as encoding/json reads it back.
func plain(v any) (out any) {
	raw, err := json.Marshal(v)
	if err != nil || json.Unmarshal(raw, &out) != nil {
		return fmt.Sprint(v)
	}
	return out
}

// diffJSON lists the leaves in which two JSON values differ. Lists of texts, such as a schema's required and enum, are sets;
// other lists go member by member when they are equally long.
func diffJSON(path string, a, b any) []client.FieldChange {
	if reflect.DeepEqual(a, b) {
		return nil
	}
	ma, isA := a.(map[string]any)
	mb, isB := b.(map[string]any)
	if isA && (isB || b == nil) || isB && a == nil {
		keys := map[string]bool{}
		for k := range ma {
			keys[k] = true
		}
		for k := range mb {
			keys[k] = true
		}
		var out []client.FieldChange
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			out = append(out, diffJSON(path+"."+k, ma[k], mb[k])...)
		}
		return out
	}
	la, isA := a.([]any)
	lb, isB := b.([]any)
	if isA && isB {
		ta, okA := texts(la)
		tb, okB := texts(lb)
		switch {
		case okA && okB:
			if d := diffSets(path, ta, tb); len(d) > 0 {
				return d
			} // else the order alone differs, or how often something comes: shown whole
		case len(la) == len(lb):
			var out []client.FieldChange
			for i := range la {
				out = append(out, diffJSON(fmt.Sprintf("%s[%d]", path, i), la[i], lb[i])...)
			}
			return out
		}
	}
	return []client.FieldChange{{Path: path, Old: a, New: b}}
}

func texts(list []any) ([]string, bool) {
	out := make([]string, len(list))
	for i, v := range list {
		t, ok := v.(string)
		if !ok {
			return nil, false
		}
		out[i] = t
	}
	return out, true
}
