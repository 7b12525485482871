// Command ks is the Kolmogorov-Smirnov statistic of a column: the greatest distance between the distribution functions of the two samples,
// taken at the edges of equal bins. The summary is counts of a fixed size, whatever the number of rows; what the bins hide is at most the
// share of the fullest.
package main

import (
	"encoding/binary"
	"math"
	"sort"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
	"github.com/weir-ml/weir/sdk/guest/json"
)

func init() {
	m := &ks{}
	guest.Register(guest.Plugin{
		Description: abi.Description{
			Name: "ks", Version: "1.0.0", Summary: "Kolmogorov-Smirnov statistic of a column over equal bins.",
			Worlds: []abi.World{abi.WorldMetric}, Parameters: parameters,
		},
		Init:   m.init,
		Schema: func() abi.Schema { return abi.Schema{Inputs: []abi.Field{{Name: m.column, Type: abi.Float64}}} },
		Metric: m,
	})
}

func main() {}

const (
	maxBins  = 10000
	maxBound = 1e300
)

// parameters is the JSON Schema of the parameters.
var parameters = map[string]any{
	"type": "object", "additionalProperties": false, "required": []any{"column", "low", "high", "bins"},
	"properties": map[string]any{
		"column": map[string]any{"type": "string", "minLength": 1},
		"low":    map[string]any{"type": "number", "minimum": -maxBound},
		"high":   map[string]any{"type": "number", "maximum": maxBound},
		"bins":   map[string]any{"type": "integer", "minimum": 1, "maximum": maxBins},
	},
}

// ks is the summary. Place i of the counts holds what has i edges that are not above it: what lies below low, the bins, and
// what lies from high on.
type ks struct {
	column  string
	edges   []float64
	missing [2]uint64 // of abi.Reference and abi.Current: null, NaN, infinite
	counts  [2][]uint64
}

func (k *ks) init(params []byte) error {
	low, high, bins := math.NaN(), math.NaN(), 0.0
	r := json.NewReader(params)
	r.Object(func(name string) {
		switch name {
		case "column":
			k.column = r.Text()
		case "low":
			low = r.Number()
		case "high":
			high = r.Number()
		case "bins":
			bins = r.Number()
		default:
			r.Unknown(name)
		}
	})
	if err := r.End(); err != nil {
		return guest.Errorf("parameters: %w", err)
	}
	switch {
	case k.column == "":
		return guest.Errorf(`parameters: "column" is missing or empty`)
	case !(low >= -maxBound && low < high && high <= maxBound):
		return guest.Errorf("parameters: low must be below high, and both within 1e300: they are %v and %v", low, high)
	case !(bins >= 1 && bins <= maxBins && bins == math.Trunc(bins)):
		return guest.Errorf("parameters: bins must be a whole number from 1 to %d, not %v", maxBins, bins)
	}
	for i := 0.0; i <= bins; i++ {
		k.edges = append(k.edges, low+float64(i*(high-low))/bins)
	}
	k.Reset()
	return nil
}

// Reset forgets all rows.
func (k *ks) Reset() {
	for side := range k.counts {
		k.missing[side], k.counts[side] = 0, make([]uint64, len(k.edges)+1)
	}
}

// Update counts a batch.
func (k *ks) Update(side abi.Side, b *abi.Batch) error {
	c := b.Column(k.column)
	if c == nil || c.Type != abi.Float64 {
		return guest.Errorf("input column %q is missing or not float64", k.column)
	}
	for r, x := range c.Float64s() {
		if x-x != 0 || c.IsNull(r) { // x-x is not 0 for NaN and both infinities
			k.missing[side&1]++
		} else {
			k.counts[side&1][sort.Search(len(k.edges), func(i int) bool { return k.edges[i] > x })]++
		}
	}
	return nil
}

// header opens a state: its name and version, and what it is over. Only states with the same header may be merged. The counts follow, 8
// bytes each: missing and the places, of the reference and of the current sample.
func (k *ks) header() []byte {
	b := append([]byte("ks\x01"), byte(len(k.column)), byte(len(k.column)>>8))
	b = append(b, k.column...)
	for _, e := range k.edges {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(e))
	}
	return b
}

// State writes the counts.
func (k *ks) State() ([]byte, error) {
	b := k.header()
	for side, counts := range k.counts {
		b = binary.LittleEndian.AppendUint64(b, k.missing[side])
		for _, n := range counts {
			b = binary.LittleEndian.AppendUint64(b, n)
		}
	}
	return b, nil
}

// Merge adds the counts of another state.
func (k *ks) Merge(state []byte) error {
	header := k.header()
	if len(state) != len(header)+2*8*(1+len(k.edges)+1) || string(state[:len(header)]) != string(header) {
		return guest.Errorf("the state is not one of ks, version 1, over column %q and these bins", k.column)
	}
	state = state[len(header):]
	add := func(n *uint64) {
		*n += binary.LittleEndian.Uint64(state)
		state = state[8:]
	}
	for side, counts := range k.counts {
		add(&k.missing[side])
		for i := range counts {
			add(&counts[i])
		}
	}
	return nil
}

func total(counts []uint64) (n uint64) {
	for _, v := range counts {
		n += v
	}
	return n
}

// distance is the greatest between the two distribution functions.
func distance(a, b []uint64) (most float64) {
	allA, allB := float64(total(a)), float64(total(b))
	var uptoA, uptoB uint64
	for i := range a {
		uptoA, uptoB = uptoA+a[i], uptoB+b[i]
		most = max(most, math.Abs(float64(uptoA)/allA-float64(uptoB)/allB))
	}
	return most
}

// Finish computes the score.
func (k *ks) Finish() ([]abi.Score, error) {
	ref, cur := k.counts[abi.Reference], k.counts[abi.Current]
	s := abi.Score{Column: k.column, Name: "ks", Detail: map[string]any{
		"reference_count": total(ref), "current_count": total(cur),
		"reference_missing": k.missing[abi.Reference], "current_missing": k.missing[abi.Current],
	}}
	switch {
	case total(ref) == 0:
		s.Note = "the reference has no value that is not missing"
	case total(cur) == 0:
		s.Note = "the current sample has no value that is not missing"
	default:
		v := distance(ref, cur)
		s.Value = &v
	}
	return []abi.Score{s}, nil
}
