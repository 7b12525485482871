// Command log1p-clip-bucketise clips a column to [low, high] and answers the logarithm of 1 + the clipped value, the clipped value, and
// the number of edges that are not above it, which is null for NaN.
package main

import (
	"math"
	"sort"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
	"github.com/weir-ml/weir/sdk/guest/json"
	"github.com/weir-ml/weir/sdk/guest/row"
)

func init() {
	guest.Register(guest.Plugin{
		Description: abi.Description{
			Name: "log1p-clip-bucketise", Version: "1.0.0", Summary: "Clips a column, and gives its log1p and its bucket.",
			Worlds: []abi.World{abi.WorldTransform}, Parameters: parameters,
		},
		Init:      initialise,
		Schema:    schema,
		Transform: transform,
	})
	row.Register(one)
}

func main() {}

// parameters is the JSON Schema of the parameters.
var parameters = map[string]any{
	"type": "object", "additionalProperties": false, "required": []any{"column", "low", "high", "edges"},
	"properties": map[string]any{
		"column": map[string]any{"type": "string", "minLength": 1},
		"low":    map[string]any{"type": "number", "exclusiveMinimum": -1},
		"high":   map[string]any{"type": "number"},
		"edges":  map[string]any{"type": "array", "minItems": 1, "maxItems": maxEdges, "items": map[string]any{"type": "number"}},
	},
}

const maxEdges = 1000

var (
	column    string
	low, high = math.NaN(), math.NaN() // until they are given
	edges     []float64

	arena guest.Arena
	out   abi.Batch
)

func initialise(params []byte) error {
	r := json.NewReader(params)
	r.Object(func(name string) {
		switch name {
		case "column":
			column = r.Text()
		case "low":
			low = r.Number()
		case "high":
			high = r.Number()
		case "edges":
			edges = nil
			r.Array(func() { edges = append(edges, r.Number()) })
		default:
			r.Unknown(name)
		}
	})
	if err := r.End(); err != nil {
		return guest.Errorf("parameters: %w", err)
	}
	switch {
	case column == "":
		return guest.Errorf(`parameters: "column" is missing or empty`)
	case !(low > -1 && low <= high):
		return guest.Errorf("parameters: low must be above -1, and not above high: they are %v and %v", low, high)
	case len(edges) == 0 || len(edges) > maxEdges:
		return guest.Errorf("parameters: %d edges, not 1..%d", len(edges), maxEdges)
	}
	for i := 1; i < len(edges); i++ {
		if edges[i] <= edges[i-1] {
			return guest.Errorf("parameters: edges: %v does not ascend after %v", edges[i], edges[i-1])
		}
	}
	return nil
}

func schema() abi.Schema {
	return abi.Schema{
		Inputs: []abi.Field{{Name: column, Type: abi.Float64}},
		Outputs: []abi.Field{
			{Name: column + "_log1p", Type: abi.Float64}, {Name: column + "_clip", Type: abi.Float64}, {Name: column + "_bucket", Type: abi.Int64},
		},
	}
}

// clip is x within the bounds; NaN is always the same NaN.
func clip(x float64) float64 {
	switch {
	case x < low:
		return low
	case x > high:
		return high
	case x != x:
		return math.Float64frombits(0x7ff8000000000000)
	}
	return x
}

// bucket is the number of edges <= c.
func bucket(c float64) int64 {
	return int64(sort.Search(len(edges), func(i int) bool { return edges[i] > c }))
}

func transform(in *abi.Batch) (*abi.Batch, error) {
	x := in.Column(column)
	if x == nil || x.Type != abi.Float64 {
		return nil, guest.Errorf("input column %q is missing or not float64", column)
	}
	arena.Reset()
	logarithms, clipped, buckets := arena.Float64s(in.Rows), arena.Float64s(in.Rows), arena.Int64s(in.Rows)
	valid := arena.Bytes(abi.BitmapBytes(in.Rows)) // of the buckets: a bucket has no NaN
	for i := range valid {
		valid[i] = 0xff
		if x.Validity != nil {
			valid[i] = x.Validity[i]
		}
	}
	for r, v := range x.Float64s() {
		c := clip(v)
		logarithms[r], clipped[r], buckets[r] = guest.Log1p(c), c, bucket(c)
		if c != c {
			abi.ClearBit(valid, r)
		}
	}
	out.Rows, out.Columns = in.Rows, append(out.Columns[:0],
		abi.Float64Column(column+"_log1p", logarithms), abi.Float64Column(column+"_clip", clipped), abi.Int64Column(column+"_bucket", buckets))
	out.Columns[0].Validity, out.Columns[1].Validity, out.Columns[2].Validity = x.Validity, x.Validity, valid
	return &out, nil
}

func one(in *row.In, out *row.Out) error {
	if in.Null(0) {
		return nil
	}
	c := clip(in.Float64(0))
	out.SetFloat64(0, guest.Log1p(c))
	out.SetFloat64(1, c)
	if c == c {
		out.SetInt64(2, bucket(c))
	}
	return nil
}
