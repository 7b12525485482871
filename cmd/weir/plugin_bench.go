package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/plugins"
	"github.com/weir-ml/weir/sdk/abi"
)

// measured are the figures of one module. A unit of work is a row of a transform or a metric, a call of a gate or a handler.
type measured struct {
	Plugin     string    `json:"plugin"`
	BuiltIn    bool      `json:"built_in,omitempty"`
	Digest     string    `json:"digest"`
	World      abi.World `json:"world"`
	Size       int       `json:"size_bytes"`
	PerSecond  float64   `json:"per_second"`         // units
	NS         float64   `json:"ns_per_unit"`        // in batches
	Fuel       float64   `json:"fuel_per_unit"`      // deterministic
	OneRowNS   float64   `json:"one_row_ns"`         // transform: one row a call; 0 for other worlds
	RowEntry   bool      `json:"row_entry"`          // those went through weir_row
	CompileMS  float64   `json:"compile_ms"`         // first compilation, rewriting included
	ColdMS     float64   `json:"cold_start_ms"`      // a first instance, its code from the disk cache
	Allocs     float64   `json:"host_allocs_a_call"` // a call: a chunk of rows, a gate's, a handler's
	AllocBytes float64   `json:"host_bytes_a_call"`
}

// benched is the answer of `plugin bench`: the plugin first, then built-in ones.
type benched struct {
	Rows  int        `json:"rows"`
	Input string     `json:"input"` // what was measured on
	Of    []measured `json:"of"`
}

func (s *session) pluginBench() *cobra.Command {
	o := benchOptions{}
	c := &cobra.Command{
		Use: "bench [DIR|FILE.wasm]", Short: "Measure a plugin beside the built-in ones, without a server", Args: args(0, 1),
		Long: "Measure a plugin: rows a second, nanoseconds and fuel a row (a call of a gate or a handler), one row at a time, first compilation,\n" +
			"cold start from the disk cache, and what a call allocates in the host; beside built-in plugins of the same world in the same\n" +
			"run. A folder is built first when a source is newer than its module.\n\n" +
			"The input is the first of the plugin's vectors that is answered, its rows repeated to --rows; with --params, columns of the plugin's\n" +
			"schema, filled with random values that are the same in every run.",
		RunE: func(cmd *cobra.Command, a []string) error {
			b, err := s.bench(cmd.Context(), folder(a), o)
			if err != nil {
				return err
			}
			return s.show(b, func(w io.Writer) { showBenched(w, b) })
		},
	}
	f := c.Flags()
	f.IntVar(&o.rows, "rows", 131_072, "rows of the input")
	f.StringVar(&o.params, "params", "", "file with the parameters: a JSON document")
	f.StringArrayVar(&o.vectors, "vectors", nil, "file or folder of vectors; may be given again (default: those of the plugin)")
	f.DurationVar(&o.time, "time", time.Second, "how long each figure is measured")
	return c
}

type benchOptions struct {
	rows    int
	params  string
	vectors []string
	time    time.Duration
}

func (s *session) bench(ctx context.Context, ref string, o benchOptions) (benched, error) {
	if o.rows < 1 || o.rows > 100_000_000 || o.time <= 0 {
		return benched{}, wrong("--rows is 1 to 100000000, --time above 0")
	}
	sub, err := s.subject(ctx, ref)
	if err != nil {
		return benched{}, err
	}
	w, err := sub.workload(ctx, o)
	if err != nil {
		return benched{}, err
	}
	out := benched{Rows: w.rows(), Input: w.source}
	for i, m := range append([]module{{wasm: sub.wasm, work: w}}, beside(w)...) {
		figures, err := measure(ctx, m, o.time)
		if err != nil {
			return out, fmt.Errorf("measure %s: %w", m.name, err)
		}
		figures.BuiltIn = i > 0
		out.Of = append(out.Of, figures)
	}
	return out, nil
}

// module is what to measure, on what.
type module struct {
	name string
	wasm []byte
	work workload
}

// beside are built-in plugins of the workload's world, on as much of it as they take.
func beside(w workload) []module {
	var out []module
	add := func(name string, params any, change func(*workload)) {
		for _, a := range plugins.Builtin() {
			if a.Name != name {
				continue
			}
			work := w
			work.params, _ = json.Marshal(params) // maps of plain values
			change(&work)
			out = append(out, module{name, a.Wasm, work})
		}
	}
	var numbers []abi.Column
	var scale, bins []any
	if w.batch != nil {
		for _, c := range w.batch.Columns {
			if c.Type != abi.Float64 {
				continue
			}
			numbers = append(numbers, c)
			scale = append(scale, map[string]any{"name": c.Name, "mean": 0.5, "std": 2})
			bins = append(bins, map[string]any{"name": c.Name, "edges": []float64{-2, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 2}})
		}
	}
	only := func(w *workload) { w.batch = &abi.Batch{Rows: w.batch.Rows, Columns: numbers} }
	switch w.world {
	case abi.WorldTransform:
		add("identity", struct{}{}, func(*workload) {})
		if numbers != nil {
			add("standardize", map[string]any{"columns": scale}, only)
		}
	case abi.WorldMetric:
		if numbers != nil {
			add("psi", map[string]any{"columns": bins}, only)
		}
	case abi.WorldGate:
		add("beats-baseline", map[string]any{"metrics": []any{map[string]any{"name": "accuracy"}}}, func(w *workload) {
			w.context = json.RawMessage(`{"candidate":{"name":"b","metrics":{"accuracy":0.75}},"baseline":{"name":"a","metrics":{"accuracy":0.5}}}`)
		})
	}
	return out
}

// measure compiles m twice, once anew and once from the cache, then works for about d.
func measure(ctx context.Context, m module, d time.Duration) (out measured, err error) {
	cache, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(cache)
	open := func() (*plugin.Host, *plugin.Plugin, error) {
		h, err := plugin.New(plugin.Options{CacheDir: cache, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return nil, nil, err
		}
		p, err := h.Open(ctx, m.wasm, m.work.params, plugin.Limits{MaxInstances: 1})
		if err != nil {
			return nil, nil, errors.Join(err, h.Close())
		}
		return h, p, nil
	}
	began := time.Now()
	h, _, err := open()
	if err != nil {
		return out, err
	}
	out.CompileMS = milliseconds(time.Since(began))
	if err := h.Close(); err != nil {
		return out, err
	}

	h, p, err := open()
	if err != nil {
		return out, err
	}
	defer h.Close()
	out.ColdMS = milliseconds(p.Stats().LastColdStart)
	out.Plugin, out.Digest, out.World, out.Size = p.Description().Name, p.Digest(), m.work.world, len(m.wasm)
	if !slices.Contains(p.Description().Worlds, m.work.world) {
		return out, errs.New(errs.Invalid, "it is no %s", m.work.world)
	}
	run, units, calls, err := m.work.runner(ctx, p)
	if err != nil {
		return out, err
	}
	if err := run(); err != nil { // buffers grow to their size
		return out, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fuel := p.Stats().Fuel
	n, took, err := repeatFor(d, run)
	if err != nil {
		return out, err
	}
	fuel = p.Stats().Fuel - fuel
	runtime.ReadMemStats(&after)
	total := float64(n * units)
	out.NS, out.PerSecond, out.Fuel = float64(took.Nanoseconds())/total, total/took.Seconds(), float64(fuel)/total
	out.Allocs, out.AllocBytes = float64(after.Mallocs-before.Mallocs)/float64(n*calls), float64(after.TotalAlloc-before.TotalAlloc)/float64(n*calls)
	if m.work.world == abi.WorldTransform {
		one := m.work.batch.Slice(0, 1)
		n, took, err := repeatFor(d/2, func() error { _, err := p.Transform(ctx, one); return err })
		if err != nil {
			return out, err
		}
		out.OneRowNS, out.RowEntry = float64(took.Nanoseconds())/float64(n), p.HasRow()
	}
	return out, nil
}

// repeatFor runs f until d is over, at least once, looking at the clock ever more rarely when f is short.
func repeatFor(d time.Duration, f func() error) (n int, took time.Duration, err error) {
	began := time.Now()
	for batch := 1; ; {
		for range batch {
			if err := f(); err != nil {
				return n, 0, err
			}
		}
		n += batch
		if took = time.Since(began); took >= d {
			return n, took, nil
		}
		if took < d/100 {
			batch *= 2
		}
	}
}

func showBenched(w io.Writer, b benched) {
	unit := "ROW"
	if world := b.Of[0].World; world == abi.WorldGate || world == abi.WorldHandler {
		unit = "CALL"
	}
	line(w, "PLUGIN", unit+"S/S", "NS/"+unit, "FUEL/"+unit, "ONE ROW", "COLD START", "COMPILE", "SIZE", "HOST ALLOCS/CALL")
	for _, m := range b.Of {
		name := m.Plugin
		if m.BuiltIn {
			name += " (built in)"
		}
		one := ""
		if m.OneRowNS > 0 {
			one = fmt.Sprintf("%.2f µs", m.OneRowNS/1000)
			if m.RowEntry {
				one += " (weir_row)"
			}
		}
		line(w, name, engineering(m.PerSecond), fmt.Sprintf("%.2f", m.NS), fmt.Sprintf("%.1f", m.Fuel), one, fmt.Sprintf("%.2f ms", m.ColdMS),
			fmt.Sprintf("%.1f ms", m.CompileMS), fmt.Sprintf("%.1f kB", float64(m.Size)/1000), fmt.Sprintf("%.0f (%.1f kB)", m.Allocs, m.AllocBytes/1000))
	}
	fmt.Fprintf(w, "input: %s\n", b.Input)
}

// engineering writes a large number with its thousands as a letter.
func engineering(v float64) string {
	switch {
	case v >= 1e9:
		return fmt.Sprintf("%.2f G", v/1e9)
	case v >= 1e6:
		return fmt.Sprintf("%.2f M", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.1f k", v/1e3)
	}
	return fmt.Sprintf("%.1f", v)
}
