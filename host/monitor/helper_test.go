package monitor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/monitor"
	"github.com/weir-ml/weir/host/monitor/runtest"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/plugins"
	"github.com/weir-ml/weir/sdk/abi"
)

// datasets are batches by ref; Batches hands them out 100 rows at a time.
type datasets struct {
	sets  map[string]*abi.Batch
	reads map[string]int // Batches calls by ref
	quant int            // Quantiles calls
}

func (d *datasets) Get(_ context.Context, ref string) (monitor.Dataset, error) {
	b, ok := d.sets[ref]
	if !ok {
		return monitor.Dataset{}, errs.New(errs.NotFound, "data set %q not found", ref)
	}
	return monitor.Dataset{Ref: ref, Digest: schema.DigestOf(schema.EncodeRows(b, schema.ColumnsForm)), Rows: int64(b.Rows), Columns: b.Fields()}, nil
}

func (d *datasets) Batches(_ context.Context, ref string, columns []string, fn func(*abi.Batch) error) error {
	if d.reads == nil {
		d.reads = map[string]int{}
	}
	d.reads[ref]++
	all := d.sets[ref]
	b := &abi.Batch{Rows: all.Rows}
	for _, c := range columns {
		b.Columns = append(b.Columns, *all.Column(c))
	}
	for from := 0; from < b.Rows; from += 100 {
		if err := fn(b.Slice(from, min(from+100, b.Rows))); err != nil {
			return err
		}
	}
	return nil
}

// Quantiles interpolates as numpy.quantile does by default.
func (d *datasets) Quantiles(_ context.Context, ref string, columns []string, probs []float64) (map[string][]float64, error) {
	d.quant++
	out := map[string][]float64{}
	for _, name := range columns {
		c := d.sets[ref].Column(name)
		var xs []float64
		for r := range d.sets[ref].Rows {
			if v, ok := c.Float64At(r); ok && !math.IsNaN(v) {
				xs = append(xs, v)
			}
		}
		slices.Sort(xs)
		for _, p := range probs {
			if len(xs) == 0 {
				break
			}
			at := p * float64(len(xs)-1)
			i := int(at)
			a, b, t := xs[i], xs[min(i+1, len(xs)-1)], at-float64(i)
			q := a + (b-a)*t
			if t >= 0.5 {
				q = b - (b-a)*(1-t)
			}
			out[name] = append(out[name], q)
		}
	}
	return out, nil
}

// engine opens built-in plugins for real.
type engine struct{ host *plugin.Host }

type metricPlugin struct{ *plugin.Plugin }

func (e engine) Open(ctx context.Context, name string, params json.RawMessage) (monitor.MetricPlugin, error) {
	for _, a := range plugins.Builtin() {
		if a.Name == name {
			p, err := e.host.Open(ctx, a.Wasm, params, plugin.Limits{})
			return metricPlugin{p}, err
		}
	}
	return nil, errs.New(errs.NotFound, "plugin %q not found", name)
}

func (p metricPlugin) Metric(ctx context.Context) (monitor.Metric, error) {
	m, err := p.Plugin.Metric(ctx)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// means is a fake metric: for each column the distance of the sides' means, and their ratio as a second score.
type means struct {
	open    atomic.Int64
	version string
	fail    error
}

type sums struct {
	plugin *means
	Sum    map[string][2]float64
	N      map[string][2]float64
	cols   []string
}

func (m *means) Open(_ context.Context, name string, params json.RawMessage) (monitor.MetricPlugin, error) {
	if name != "means" {
		return nil, errs.New(errs.NotFound, "plugin %q not found", name)
	}
	var p struct{ Columns []monitor.Bins }
	if err := json.Unmarshal(params, &p); err != nil || len(p.Columns) == 0 {
		return nil, errs.New(errs.Invalid, "parameters: %s", params)
	}
	m.open.Add(1)
	s := opened{m: m}
	for _, c := range p.Columns {
		s.cols = append(s.cols, c.Name)
	}
	return s, nil
}

type opened struct {
	m    *means
	cols []string
}

func (o opened) Digest() string { return string(schema.DigestOf([]byte(o.m.version))) }
func (o opened) Close() error   { o.m.open.Add(-1); return nil }
func (o opened) Metric(context.Context) (monitor.Metric, error) {
	o.m.open.Add(1)
	return &sums{plugin: o.m, cols: o.cols, Sum: map[string][2]float64{}, N: map[string][2]float64{}}, nil
}

func (s *sums) Update(_ context.Context, side abi.Side, b *abi.Batch) error {
	if s.plugin.fail != nil {
		return s.plugin.fail
	}
	for _, c := range s.cols {
		sum, n := s.Sum[c], s.N[c]
		for r := range b.Rows {
			if v, ok := b.Column(c).Float64At(r); ok && !math.IsNaN(v) {
				sum[side] += v
				n[side]++
			}
		}
		s.Sum[c], s.N[c] = sum, n
	}
	return nil
}

func (s *sums) State(context.Context) ([]byte, error) { return json.Marshal(s) }

func (s *sums) Merge(_ context.Context, state []byte) error {
	var o sums
	if err := json.Unmarshal(state, &o); err != nil {
		return err
	}
	for c := range maps.Keys(o.Sum) {
		a, b := s.Sum[c], s.N[c]
		for i := range 2 {
			a[i] += o.Sum[c][i]
			b[i] += o.N[c][i]
		}
		s.Sum[c], s.N[c] = a, b
	}
	return nil
}

func (s *sums) Finish(context.Context) ([]abi.Score, error) {
	out := []abi.Score{{Name: "columns", Value: new(float64)}}
	for _, c := range s.cols {
		if s.N[c][0] == 0 || s.N[c][1] == 0 {
			out = append(out, abi.Score{Column: c, Name: "distance", Note: "a side is empty"})
			continue
		}
		a, b := s.Sum[c][0]/s.N[c][0], s.Sum[c][1]/s.N[c][1]
		d, r := math.Abs(a-b), b/a
		out = append(out, abi.Score{Column: c, Name: "distance", Value: &d}, abi.Score{Column: c, Name: "ratio", Value: &r})
	}
	return out, nil
}

func (s *sums) Close() { s.plugin.open.Add(-1) }

func service(t testing.TB, d *datasets, m monitor.Metrics, store *runtest.Memory) *monitor.Service {
	t.Helper()
	s, err := monitor.New(monitor.Options{Datasets: d, Metrics: m, Reports: store, Cache: store})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func spec(t testing.TB, doc string) monitor.Spec {
	t.Helper()
	var s monitor.Spec
	if err := schema.Strict([]byte(doc), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func apply(t testing.TB, s *monitor.Service, name, doc string) {
	t.Helper()
	if err := s.Apply(t.Context(), name, spec(t, doc)); err != nil {
		t.Fatal(err)
	}
}

// table makes a batch of float64 columns, sorted by name; i is the row.
func table(rows int, columns map[string]func(i int) float64) *abi.Batch {
	b := &abi.Batch{Rows: rows}
	for _, n := range slices.Sorted(maps.Keys(columns)) {
		v := make([]float64, rows)
		for i := range v {
			v[i] = columns[n](i)
		}
		b.Columns = append(b.Columns, abi.Float64Column(n, v))
	}
	return b
}

func ramp(offset float64) func(int) float64 {
	return func(i int) float64 { return offset + float64(i%100) }
}

func verdicts(r monitor.Report) string {
	s := ""
	for _, c := range r.Columns {
		s += fmt.Sprintf("%s=%s ", c.Column, c.Verdict)
	}
	return s + "→ " + string(r.Verdict)
}
