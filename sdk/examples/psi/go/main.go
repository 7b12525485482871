// Command psi is the population stability index of a column: how far the shares of its bins in the current sample lie from those in the
// reference. The summary is integer counts, so that any split of the rows and any order of merges gives the same state and score.
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
	m := &psi{}
	guest.Register(guest.Plugin{
		Description: abi.Description{
			Name: "psi", Version: "1.0.0", Summary: "Population stability index of a column over given bins.",
			Worlds: []abi.World{abi.WorldMetric}, Parameters: parameters,
		},
		Init:   m.init,
		Schema: func() abi.Schema { return abi.Schema{Inputs: []abi.Field{{Name: m.column, Type: abi.Float64}}} },
		Metric: m,
	})
}

func main() {}

// parameters is the JSON Schema of the parameters.
var parameters = map[string]any{
	"type": "object", "additionalProperties": false, "required": []any{"column", "edges"},
	"properties": map[string]any{
		"column": map[string]any{"type": "string", "minLength": 1},
		"edges":  map[string]any{"type": "array", "minItems": 1, "maxItems": maxEdges, "items": map[string]any{"type": "number"}},
	},
}

const maxEdges = 1000

// psi is the summary.
type psi struct {
	column string
	edges  []float64
	sides  [2]sample // abi.Reference, abi.Current
}

// sample has the counts of one side: bin i holds what has i edges that are not above it.
type sample struct {
	missing uint64 // null, NaN, infinite
	bins    []uint64
}

func (p *psi) init(params []byte) error {
	r := json.NewReader(params)
	r.Object(func(name string) {
		switch name {
		case "column":
			p.column = r.Text()
		case "edges":
			p.edges = nil
			r.Array(func() { p.edges = append(p.edges, r.Number()) })
		default:
			r.Unknown(name)
		}
	})
	if err := r.End(); err != nil {
		return guest.Errorf("parameters: %w", err)
	}
	if p.column == "" {
		return guest.Errorf(`parameters: "column" is missing or empty`)
	}
	if len(p.edges) == 0 || len(p.edges) > maxEdges {
		return guest.Errorf("parameters: %d edges, not 1..%d", len(p.edges), maxEdges)
	}
	for i := 1; i < len(p.edges); i++ {
		if p.edges[i] <= p.edges[i-1] {
			return guest.Errorf("parameters: edges: %v does not ascend after %v", p.edges[i], p.edges[i-1])
		}
	}
	p.Reset()
	return nil
}

// Reset forgets all rows.
func (p *psi) Reset() {
	for i := range p.sides {
		p.sides[i] = sample{bins: make([]uint64, len(p.edges)+1)}
	}
}

// Update counts a batch.
func (p *psi) Update(side abi.Side, b *abi.Batch) error {
	c := b.Column(p.column)
	if c == nil || c.Type != abi.Float64 {
		return guest.Errorf("input column %q is missing or not float64", p.column)
	}
	s := &p.sides[side&1]
	for r, x := range c.Float64s() {
		if x-x != 0 || c.IsNull(r) { // x-x is not 0 for NaN and both infinities
			s.missing++
		} else {
			s.bins[sort.Search(len(p.edges), func(i int) bool { return p.edges[i] > x })]++
		}
	}
	return nil
}

// header opens a state: its name and version, and what it is over. Only states with the same header may be merged. The counts follow, 8
// bytes each: missing and the bins, of the reference and of the current sample.
func (p *psi) header() []byte {
	b := append([]byte("psi\x01"), byte(len(p.column)), byte(len(p.column)>>8))
	b = append(b, p.column...)
	for _, e := range p.edges {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(e))
	}
	return b
}

// State writes the counts.
func (p *psi) State() ([]byte, error) {
	b := p.header()
	for _, s := range p.sides {
		b = binary.LittleEndian.AppendUint64(b, s.missing)
		for _, n := range s.bins {
			b = binary.LittleEndian.AppendUint64(b, n)
		}
	}
	return b, nil
}

// Merge adds the counts of another state.
func (p *psi) Merge(state []byte) error {
	header := p.header()
	counts := 2 * (1 + len(p.edges) + 1)
	if len(state) != len(header)+8*counts || string(state[:len(header)]) != string(header) {
		return guest.Errorf("the state is not one of psi, version 1, over column %q and these edges", p.column)
	}
	state = state[len(header):]
	add := func(n *uint64) {
		*n += binary.LittleEndian.Uint64(state)
		state = state[8:]
	}
	for i := range p.sides {
		add(&p.sides[i].missing)
		for j := range p.sides[i].bins {
			add(&p.sides[i].bins[j])
		}
	}
	return nil
}

func (s *sample) total() (n uint64) {
	for _, v := range s.bins {
		n += v
	}
	return n
}

// shares are those of the bins. Zeros become 0.0001, or a millionth of the least share where that is no larger than 0.0001.
func (s *sample) shares() []float64 {
	total, least := float64(s.total()), 1.0
	out := make([]float64, len(s.bins))
	for i, n := range s.bins {
		if out[i] = float64(n) / total; n > 0 {
			least = min(least, out[i])
		}
	}
	zero := 0.0001
	if least <= zero {
		zero = least / 1000000
	}
	for i, n := range s.bins {
		if n == 0 {
			out[i] = zero
		}
	}
	return out
}

// index is the sum of (r - c) ln(r / c): both factors have the same sign, and ln(r / c) is log1p((r - c) / c).
func index(reference, current []float64) (value float64) {
	for i, r := range reference {
		c := current[i]
		d := math.Abs(r - c)
		value += float64(d * guest.Log1p(d/min(r, c)))
	}
	return value
}

// Finish computes the score.
func (p *psi) Finish() ([]abi.Score, error) {
	ref, cur := &p.sides[abi.Reference], &p.sides[abi.Current]
	s := abi.Score{Column: p.column, Name: "psi", Detail: map[string]any{
		"reference_count": ref.total(), "current_count": cur.total(),
		"reference_missing": ref.missing, "current_missing": cur.missing,
	}}
	switch {
	case ref.total() == 0:
		s.Note = "the reference has no value that is not missing"
	case cur.total() == 0:
		s.Note = "the current sample has no value that is not missing"
	default:
		v := index(ref.shares(), cur.shares())
		s.Value = &v
	}
	return []abi.Score{s}, nil
}
