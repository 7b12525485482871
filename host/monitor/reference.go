package monitor

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

// Profile is how the reference's columns are cut into bins.
type Profile struct {
	Reference string        `json:"reference"` // name@version
	Digest    schema.Digest `json:"digest"`
	Bins      int           `json:"bins"`
	Columns   []Bins        `json:"columns"`
}

// Bins are the inner edges of one column's bins, ascending; the outer bins are open. No edges: the reference has no value.
type Bins struct {
	Name  string    `json:"name"`
	Edges []float64 `json:"edges"`
}

// referenceState is the reference's side of a metric.
type referenceState struct {
	Rows   int64            `json:"rows"`
	Values map[string]int64 `json:"values"` // by column: rows neither null nor NaN
	State  []byte           `json:"state"`  // the metric's
}

func numeric(t abi.Type) bool {
	return t == abi.Int32 || t == abi.Int64 || t == abi.Float32 || t == abi.Float64
}

// columns picks what the spec compares from the reference's columns, in their order.
func (s Spec) columns(ref Dataset) ([]string, error) {
	byName := map[string]abi.Type{}
	var names []string
	for _, f := range ref.Columns {
		byName[f.Name] = f.Type
		if len(s.Columns) > 0 && slices.Contains(s.Columns, f.Name) || len(s.Columns) == 0 && numeric(f.Type) && !slices.Contains(s.Ignore, f.Name) {
			names = append(names, f.Name)
		}
	}
	for path, list := range map[string][]string{"spec.columns": s.Columns, "spec.ignore": s.Ignore} {
		for i, n := range list {
			t, ok := byName[n]
			switch {
			case !ok:
				return nil, invalid("%s[%d]: reference %s has no column %q", path, i, ref.Ref, n)
			case path == "spec.columns" && !numeric(t):
				return nil, invalid("%s[%d]: column %q of reference %s is %s, not a number", path, i, n, ref.Ref, t)
			}
		}
	}
	if len(names) == 0 {
		return nil, invalid("spec.columns: reference %s has no numeric column to compare", ref.Ref)
	}
	return names, nil
}

// key names a cache entry by everything that it depends on.
func key(what string, parts ...any) string {
	b, _ := json.Marshal(append([]any{what}, parts...)) // strings, numbers and slices of them: never fails
	return strings.TrimPrefix(string(schema.DigestOf(b)), "sha256:")
}

// load reads a cache entry into v; a damaged or unreadable one counts as absent.
func (s *Service) load(ctx context.Context, key string, v any) bool {
	b, err := s.o.Cache.Load(ctx, key)
	if err == nil && b == nil {
		return false
	}
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		s.log.Warn("cached reference is not readable; computing it again", "key", key, "error", err)
	}
	return err == nil
}

func (s *Service) save(ctx context.Context, key string, v any) {
	b, err := json.Marshal(v)
	if err == nil {
		err = s.o.Cache.Save(ctx, key, b)
	}
	if err != nil {
		s.log.Warn("reference is not cached; the next run computes it again", "key", key, "error", err)
	}
}

// profile cuts the columns at the reference's quantiles k/bins, 0 < k < bins. Equal quantiles make one edge. A column with a
// single edge left (almost all of it is one value) gets a second one right above, so that values on both sides of the
// common one are seen.
func (s *Service) profile(ctx context.Context, ref Dataset, columns []string, bins int) (Profile, error) {
	p := Profile{}
	k := key("profile", ref.Digest, columns, bins)
	if s.load(ctx, k, &p) {
		p.Reference = ref.Ref // the same bytes may have several names
		return p, nil
	}
	probs := make([]float64, bins-1)
	for i := range probs {
		probs[i] = float64(i+1) / float64(bins)
	}
	quantiles, err := s.o.Datasets.Quantiles(ctx, ref.Ref, columns, probs)
	if err != nil {
		return p, errs.New(errs.KindOf(err), "quantiles of reference %s: %w", ref.Ref, err)
	}
	p = Profile{Reference: ref.Ref, Digest: ref.Digest, Bins: bins}
	for _, c := range columns {
		p.Columns = append(p.Columns, Bins{Name: c, Edges: edges(quantiles[c])})
	}
	s.save(ctx, k, p)
	return p, nil
}

func edges(quantiles []float64) []float64 {
	out := []float64{}
	for _, q := range quantiles {
		if !math.IsNaN(q) && !math.IsInf(q, 0) {
			out = append(out, q+0) // -0 is 0
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) == 1 {
		if next := math.Nextafter(out[0], math.Inf(1)); !math.IsInf(next, 0) {
			out = append(out, next)
		}
	}
	return out
}

// parameters is the plugin's document: its own, and the bins of the columns that have any.
func (s Spec) parameters(p Profile) (json.RawMessage, error) {
	object, err := s.Metric.object()
	if err != nil {
		return nil, err
	}
	var cols []Bins
	for _, c := range p.Columns {
		if len(c.Edges) > 0 {
			cols = append(cols, c)
		}
	}
	if len(cols) == 0 {
		return nil, invalid("reference %s has no value in any of the monitor's columns", p.Reference)
	}
	if object["columns"], err = json.Marshal(cols); err != nil {
		return nil, err
	}
	return json.Marshal(object)
}

// reference is the metric's state of the reference side: cached, or computed and cached.
func (s *Service) reference(ctx context.Context, plugin MetricPlugin, ref Dataset, columns []string, params json.RawMessage) (st referenceState, cached bool, err error) {
	k := key("state", ref.Digest, plugin.Digest(), string(params))
	if s.load(ctx, k, &st) {
		s.meters.cache.WithLabelValues("hit").Inc()
		return st, true, nil
	}
	s.meters.cache.WithLabelValues("miss").Inc()
	m, err := plugin.Metric(ctx)
	if err != nil {
		return st, false, err
	}
	defer m.Close()
	st = referenceState{Values: map[string]int64{}}
	err = s.o.Datasets.Batches(ctx, ref.Ref, columns, func(b *abi.Batch) error {
		st.Rows += int64(b.Rows)
		countValues(st.Values, b, columns)
		return m.Update(ctx, abi.Reference, b)
	})
	if err != nil {
		return st, false, err
	}
	if st.State, err = m.State(ctx); err != nil {
		return st, false, err
	}
	s.save(ctx, k, st)
	return st, false, nil
}

// countValues adds, by column, the rows that are neither null nor NaN.
func countValues(n map[string]int64, b *abi.Batch, columns []string) {
	for _, name := range columns {
		c := b.Column(name)
		if c == nil {
			continue
		}
		if c.Type != abi.Float32 && c.Type != abi.Float64 {
			n[name] += int64(b.Rows - c.NullCount(b.Rows))
			continue
		}
		for r := range b.Rows {
			if v, ok := c.Float64At(r); ok && !math.IsNaN(v) {
				n[name]++
			}
		}
	}
}
