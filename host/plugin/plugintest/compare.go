package plugintest

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sort"

	"github.com/weir-ml/weir/sdk/abi"
)

// within compares two floats: the same bits, or any two NaN, or as near as the tolerance allows.
func within(got, want, tolerance float64) bool {
	switch {
	case math.Float64bits(got) == math.Float64bits(want), math.IsNaN(got) && math.IsNaN(want):
		return true
	case tolerance == 0 || math.IsInf(want, 0) || math.IsInf(got, 0):
		return false
	}
	return math.Abs(got-want) <= tolerance*math.Max(1, math.Abs(want))
}

// differ says where two batches differ first, by column, row, got and want; "" when they do not.
func differ(got, want *abi.Batch, tolerance float64) string {
	if len(got.Columns) != len(want.Columns) {
		return fmt.Sprintf("got %d columns %v, want %d %v", len(got.Columns), names(got), len(want.Columns), names(want))
	}
	for i := range want.Columns {
		if g, w := got.Columns[i].Field, want.Columns[i].Field; g != w {
			return fmt.Sprintf("column %d: got %s, want %s", i, fieldText(g), fieldText(w))
		}
	}
	if got.Rows != want.Rows {
		return fmt.Sprintf("got %d rows, want %d", got.Rows, want.Rows)
	}
	for r := range want.Rows {
		for i := range want.Columns {
			g, w := &got.Columns[i], &want.Columns[i]
			if g.IsNull(r) != w.IsNull(r) || !w.IsNull(r) && !sameValue(g, w, r, tolerance) {
				return fmt.Sprintf("column %q, row %d: got %s, want %s", w.Name, r, render(g, r), render(w, r))
			}
		}
	}
	return ""
}

func names(b *abi.Batch) []string {
	out := make([]string, len(b.Columns))
	for i := range b.Columns {
		out[i] = b.Columns[i].Name
	}
	return out
}

func fieldText(f abi.Field) string {
	if f.ListSize > 0 {
		return fmt.Sprintf("%q %s[%d]", f.Name, f.Type, f.ListSize)
	}
	return fmt.Sprintf("%q %s", f.Name, f.Type)
}

func sameValue(g, w *abi.Column, r int, tolerance float64) bool {
	switch w.Type {
	case abi.Bool:
		return g.BoolAt(r) == w.BoolAt(r)
	case abi.UTF8, abi.Binary:
		return string(g.BytesAt(r)) == string(w.BytesAt(r))
	case abi.Float64:
		return within(g.Float64s()[r], w.Float64s()[r], tolerance)
	case abi.Float32, abi.FloatVector:
		n := max(w.ListSize, 1)
		x, y := g.Float32s()[r*n:(r+1)*n], w.Float32s()[r*n:(r+1)*n]
		for i := range y {
			if !within(float64(x[i]), float64(y[i]), tolerance) {
				return false
			}
		}
		return true
	case abi.Int32:
		return g.Int32s()[r] == w.Int32s()[r]
	}
	return g.Int64s()[r] == w.Int64s()[r]
}

// identical says where two batches differ in any bit.
func identical(got, want *abi.Batch) string {
	if got.Equal(want) {
		return ""
	}
	if d := differ(got, want, 0); d != "" {
		return d
	}
	return "two NaN differ in their bits: answer the canonical one, 0x7ff8000000000000 (0x7fc00000)"
}

// differScores says where scores differ from what is expected.
func differScores(got []abi.Score, want []Score, tolerance float64) string {
	if len(got) != len(want) {
		return fmt.Sprintf("got %d scores, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		what := fmt.Sprintf("score %d (%q of column %q)", i, w.Name, w.Column)
		switch {
		case g.Name != w.Name || g.Column != w.Column:
			return fmt.Sprintf("%s: got %q of column %q", what, g.Name, g.Column)
		case (g.Value == nil) != (w.Value == nil) || g.Value != nil && !within(*g.Value, *w.Value, tolerance):
			return fmt.Sprintf("%s: got %s, want %s", what, optional(g.Value), optional(w.Value))
		case w.Note != nil && g.Note != *w.Note:
			return fmt.Sprintf("%s: got the note %q, want %q", what, g.Note, *w.Note)
		}
		if d := differMembers(g.Detail, w.Detail, tolerance); d != "" {
			return what + ": detail." + d
		}
	}
	return ""
}

func optional(v *float64) string {
	if v == nil {
		return "null"
	}
	return renderFloat(*v, 64)
}

// differMembers compares the members of want with those of got, which may have more.
func differMembers(got, want map[string]any, tolerance float64) string {
	keys := make([]string, 0, len(want))
	for k := range want {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		g, ok := got[k]
		if !ok {
			return k + " is missing"
		}
		if !sameJSON(g, want[k], tolerance) {
			return fmt.Sprintf("%s: got %s, want %s", k, document(g), document(want[k]))
		}
	}
	return ""
}

// sameJSON compares decoded JSON: got with float64 numbers, want with json.Number.
func sameJSON(got, want any, tolerance float64) bool {
	switch w := want.(type) {
	case json.Number:
		g, ok := got.(float64)
		v, err := w.Float64()
		return ok && err == nil && within(g, v, tolerance)
	case []any:
		g, ok := got.([]any)
		return ok && slices.EqualFunc(g, w, func(a, b any) bool { return sameJSON(a, b, tolerance) })
	case map[string]any:
		g, ok := got.(map[string]any)
		return ok && len(g) == len(w) && differMembers(g, w, tolerance) == ""
	}
	return reflect.DeepEqual(got, want)
}

func document(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return cut(string(raw))
}

func differVerdict(got abi.Verdict, c *Case) string {
	switch {
	case got.Outcome != c.Outcome:
		return fmt.Sprintf("outcome: got %s with %q, want %s", got.Outcome, got.Reasons, c.Outcome)
	case c.Reasons != nil && !slices.Equal(got.Reasons, c.Reasons):
		return fmt.Sprintf("reasons: got %q, want %q", got.Reasons, c.Reasons)
	}
	if d := differMembers(got.Evidence, c.Evidence, c.Tolerance); d != "" {
		return "evidence." + d
	}
	return ""
}

func differResponse(got abi.Response, want Response) string {
	status := func(s int) int {
		if s == 0 {
			return 200
		}
		return s
	}
	if g, w := status(got.Status), status(want.Status); g != w {
		return fmt.Sprintf("status: got %d with %q, want %d", g, cut(string(got.Body)), w)
	}
	keys := make([]string, 0, len(want.Headers))
	for k := range want.Headers {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if !slices.Equal(got.Headers[k], want.Headers[k]) {
			return fmt.Sprintf("header %s: got %q, want %q", k, got.Headers[k], want.Headers[k])
		}
	}
	if want.HasBody && string(got.Body) != string(want.Body) {
		return fmt.Sprintf("body: got %q, want %q", cut(string(got.Body)), cut(string(want.Body)))
	}
	return ""
}
