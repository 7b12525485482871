package main

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
	"github.com/weir-ml/weir/sdk/guest/json"
)

const maxEdges = 10_000

// psi is the summary: exact counts, so that any split of the rows and any order of merges gives the same state, bit for bit.
type psi struct {
	columns []column
	print   uint64 // fingerprint of names and edges: only summaries over the same bins may be merged
}

type column struct {
	Name  string
	Edges []float64 // inner, ascending: bin i is edges[i-1] <= x < edges[i], the outer bins are open
	sides [2]counts
}

type counts struct {
	bins    []uint64
	missing uint64 // null, NaN, infinite
}

func (c *counts) total() (n uint64) {
	for _, v := range c.bins {
		n += v
	}
	return n
}

// parse reads the parameters without judging them.
func parse(params []byte) (columns []column, err error) {
	r := json.NewReader(params)
	r.Object(func(name string) {
		if name != "columns" {
			r.Unknown(name)
			return
		}
		r.Array(func() {
			var c column
			r.Object(func(name string) {
				switch name {
				case "name":
					c.Name = r.Text()
				case "edges":
					c.Edges = nil
					r.Array(func() { c.Edges = append(c.Edges, r.Number()) })
				default:
					r.Unknown(name)
				}
			})
			columns = append(columns, c)
		})
	})
	return columns, r.End()
}

// fnv1a continues an FNV-1a hash (64 bits; http://www.isthe.com/chongo/tech/comp/fnv/) over b.
func fnv1a(h uint64, b []byte) uint64 {
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func (p *psi) init(params []byte) error {
	columns, err := parse(params)
	if err != nil {
		return guest.Errorf("parameters: %w", err)
	}
	if len(columns) == 0 {
		return guest.Errorf(`parameters: "columns" is missing: give [{"name", "edges"}]`)
	}
	print := uint64(14695981039346656037) // FNV's offset
	seen := map[string]bool{}
	for i := range columns {
		c := &columns[i]
		switch {
		case c.Name == "":
			return guest.Errorf("parameters: column %d has no name", i)
		case seen[c.Name]:
			return guest.Errorf("parameters: column %q is listed twice", c.Name)
		case len(c.Edges) == 0 || len(c.Edges) > maxEdges:
			return guest.Errorf("parameters: column %q has %d edges, not 1..%d", c.Name, len(c.Edges), maxEdges)
		}
		seen[c.Name] = true
		print = fnv1a(print, strconv.AppendQuote(nil, c.Name))
		for j, e := range c.Edges {
			if j > 0 && e <= c.Edges[j-1] {
				return guest.Errorf("parameters: column %q: edge %v does not ascend after %v", c.Name, e, c.Edges[j-1])
			}
			print = fnv1a(print, binary.LittleEndian.AppendUint64(nil, math.Float64bits(e+0))) // +0: -0 is 0
		}
	}
	p.columns, p.print = columns, print
	p.Reset()
	return nil
}

func (p *psi) schema() abi.Schema {
	var s abi.Schema
	for _, c := range p.columns {
		s.Inputs = append(s.Inputs, abi.Field{Name: c.Name, Type: abi.Float64})
	}
	return s
}

// Reset forgets all rows.
func (p *psi) Reset() {
	for i := range p.columns {
		c := &p.columns[i]
		for s := range c.sides {
			c.sides[s] = counts{bins: make([]uint64, len(c.Edges)+1)}
		}
	}
}

// Update counts a batch. Columns that the parameters do not name are passed over.
func (p *psi) Update(side abi.Side, b *abi.Batch) error {
	if side > abi.Current {
		return guest.Errorf("side %d is neither reference nor current", side)
	}
	for i := range p.columns {
		c := &p.columns[i]
		in := b.Column(c.Name)
		if in == nil {
			return guest.Errorf("input column %q is missing", c.Name)
		}
		if err := c.sides[side].add(in, b.Rows, c.Edges); err != nil {
			return err
		}
	}
	return nil
}

func (n *counts) add(in *abi.Column, rows int, edges []float64) error {
	switch in.Type {
	case abi.Float64:
		nulls := in.Validity != nil
		for r, x := range in.Float64s()[:rows] {
			if x-x != 0 || nulls && in.IsNull(r) { // x-x is not 0 for NaN and both infinities
				n.missing++
			} else {
				n.bins[bin(edges, x)]++
			}
		}
	case abi.Float32, abi.Int32, abi.Int64, abi.Timestamp, abi.Bool:
		for r := range rows {
			if x, ok := in.Float64At(r); !ok || x-x != 0 {
				n.missing++
			} else {
				n.bins[bin(edges, x)]++
			}
		}
	default:
		return guest.Errorf("input column %q is %s: PSI needs numbers", in.Name, in.Type)
	}
	return nil
}

// bin is the number of edges <= x: numpy.digitize(x, edges, right=False).
func bin(edges []float64, x float64) int {
	lo, hi := 0, len(edges)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); edges[mid] <= x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// stateMagic opens a state and carries its version. Layout: magic, 8 bytes of fingerprint (little-endian), then for each
// column, each side (reference, current): missing and the bins, as unsigned varints.
const stateMagic = "psi\x01"

// State writes the counts.
func (p *psi) State() ([]byte, error) {
	b := binary.LittleEndian.AppendUint64([]byte(stateMagic), p.print)
	for i := range p.columns {
		for _, s := range p.columns[i].sides {
			b = binary.AppendUvarint(b, s.missing)
			for _, n := range s.bins {
				b = binary.AppendUvarint(b, n)
			}
		}
	}
	return b, nil
}

// Merge adds the counts of another state. It changes nothing unless the whole state is good.
func (p *psi) Merge(state []byte) error {
	if len(state) < len(stateMagic)+8 || string(state[:len(stateMagic)]) != stateMagic {
		return guest.Errorf("the state is not a psi state of version 1")
	}
	if binary.LittleEndian.Uint64(state[len(stateMagic):]) != p.print {
		return guest.Errorf("the state is over other columns or edges")
	}
	rest := state[len(stateMagic)+8:]
	var sums []uint64
	next := func(have uint64) error {
		v, n := binary.Uvarint(rest)
		if n <= 0 || have+v < have {
			return guest.Errorf("the state is damaged")
		}
		rest = rest[n:]
		sums = append(sums, have+v)
		return nil
	}
	for i := range p.columns {
		for _, s := range p.columns[i].sides {
			if err := next(s.missing); err != nil {
				return err
			}
			for _, n := range s.bins {
				if err := next(n); err != nil {
					return err
				}
			}
		}
	}
	if len(rest) != 0 {
		return guest.Errorf("the state is damaged: %d bytes follow its end", len(rest))
	}
	for i := range p.columns {
		for s := range p.columns[i].sides {
			side := &p.columns[i].sides[s]
			side.missing, sums = sums[0], sums[1:]
			sums = sums[copy(side.bins, sums):]
		}
	}
	return nil
}

// Finish computes one score a column.
func (p *psi) Finish() ([]abi.Score, error) {
	scores := make([]abi.Score, 0, len(p.columns))
	for i := range p.columns {
		c := &p.columns[i]
		ref, cur := &c.sides[abi.Reference], &c.sides[abi.Current]
		s := abi.Score{Column: c.Name, Name: "psi", Detail: map[string]any{
			"bins": len(c.Edges) + 1, "edges": c.Edges,
			"reference_count": ref.total(), "current_count": cur.total(),
			"reference_missing": ref.missing, "current_missing": cur.missing,
		}}
		switch {
		case ref.total() == 0:
			s.Note = "the reference has no value that is not missing"
		case cur.total() == 0:
			s.Note = "the current sample has no value that is not missing"
		default:
			r, q := ref.shares(), cur.shares()
			s.Detail["reference_shares"], s.Detail["current_shares"] = r, q
			v := index(fill(r), fill(q))
			s.Value = &v
		}
		scores = append(scores, s)
	}
	return scores, nil
}

func (c *counts) shares() []float64 {
	total := float64(c.total())
	out := make([]float64, len(c.bins))
	for i, n := range c.bins {
		out[i] = float64(n) / total
	}
	return out
}

// fill puts a small share in place of zeros, as Evidently does (get_binned_data with fill_zeroes, version 0.7): 0.0001 where
// the smallest share above zero is larger than that, otherwise a millionth of it. The sum may then exceed 1.
func fill(shares []float64) []float64 {
	least := math.Inf(1)
	for _, s := range shares {
		if s > 0 && s < least {
			least = s
		}
	}
	zero := 0.0001
	if least <= zero {
		zero = least / 1e6
	}
	out := append([]float64(nil), shares...)
	for i, s := range out {
		if s == 0 {
			out[i] = zero
		}
	}
	return out
}

// index is the sum over bins of (r - c) ln(r / c), in the order of the bins.
func index(r, c []float64) (v float64) {
	for i := range r {
		v += (r[i] - c[i]) * math.Log(r[i]/c[i])
	}
	return v
}
