package plugins_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/plugins"
	"github.com/weir-ml/weir/sdk/abi"
)

// metricParameters open the metrics that are written in C. The one in Go, psi, takes seconds to compile in each of the fuzzing engine's processes.
var metricParameters = map[string]string{
	"chi-square": `{"columns":[{"name":"s"}]}`,
	"distinct":   `{"columns":[{"name":"s"},{"name":"x"}]}`,
	"js":         `{"columns":[{"name":"x","edges":[0,1]},{"name":"s"}]}`,
	"ks":         `{"columns":[{"name":"x"}]}`,
	"missing":    `{"columns":[{"name":"x"},{"name":"s"}]}`,
	"moments":    `{"columns":[{"name":"x"}]}`,
	"quantiles":  `{"columns":[{"name":"x"}]}`,
}

// FuzzMetricStates merges damaged states: a metric refuses them in its own words, or takes them and stays whole. It never traps.
func FuzzMetricStates(f *testing.F) {
	h, err := plugin.New(plugin.Options{CacheDir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = h.Close() })
	ctx := context.Background()
	batch := &abi.Batch{Rows: 4, Columns: []abi.Column{
		abi.Float64Column("x", []float64{1.5, -2, 0.25, 1e9}), abi.UTF8Column("s", []string{"a", "b", "a", ""}),
	}}
	var opened []*plugin.Plugin
	for _, a := range plugins.Builtin() {
		params, ok := metricParameters[a.Name]
		if !ok {
			if a.Description.Worlds[0] == abi.WorldMetric && a.Name != "psi" {
				f.Fatalf("metric %s has no parameters here", a.Name)
			}
			continue
		}
		p, err := h.Open(ctx, a.Wasm, json.RawMessage(params), plugin.Limits{})
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { _ = p.Close() })
		m, err := p.Metric(ctx)
		if err != nil {
			f.Fatal(err)
		}
		for _, side := range []abi.Side{abi.Reference, abi.Current} {
			if err := m.Update(ctx, side, batch); err != nil {
				f.Fatal(err)
			}
		}
		state, err := m.State(ctx)
		m.Close()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(len(opened)), state)
		f.Add(uint8(len(opened)), state[:12])
		opened = append(opened, p)
	}
	f.Fuzz(func(t *testing.T, which uint8, state []byte) {
		p := opened[int(which)%len(opened)]
		m, err := p.Metric(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		for range 2 {
			if err := m.Merge(ctx, state); err != nil {
				if kind := errs.KindOf(err); kind != errs.Invalid && kind != errs.Exhausted || strings.Contains(err.Error(), "trapped") {
					t.Fatalf("%s: %v", p.Description().Name, err)
				}
				return
			}
		}
		if _, err := m.Finish(ctx); err != nil {
			t.Fatalf("%s took the state and cannot finish: %v", p.Description().Name, err)
		}
		again, err := m.State(ctx)
		if err != nil {
			t.Fatalf("%s took the state and has none: %v", p.Description().Name, err)
		}
		other, err := p.Metric(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if err := other.Merge(ctx, again); err != nil {
			t.Fatalf("%s refuses its own state: %v", p.Description().Name, err)
		}
	})
}
