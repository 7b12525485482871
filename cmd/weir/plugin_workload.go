package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/plugin/plugintest"
	"github.com/weir-ml/weir/sdk/abi"
)

// workload is what a plugin is measured on.
type workload struct {
	world   abi.World
	params  json.RawMessage
	source  string          // in words
	batch   *abi.Batch      // transform, metric
	context json.RawMessage // gate
	request abi.Request     // handler
}

func (w workload) rows() int {
	if w.batch == nil {
		return 1
	}
	return w.batch.Rows
}

// workload takes the first answered vector, or makes columns of the schema.
func (sub subject) workload(ctx context.Context, o benchOptions) (w workload, err error) {
	if o.params != "" {
		if w.params, err = os.ReadFile(o.params); err != nil {
			return w, err
		}
	}
	cases, missing := sub.cases(o.vectors, 0)
	if missing != nil && (o.vectors != nil || !errs.Is(missing, errs.NotFound)) {
		return w, missing
	}
	for _, c := range cases {
		if c.Error != "" {
			continue
		}
		w.world = c.World
		if o.params == "" {
			w.params = c.Parameters
			if w.take(c, o.rows) {
				return w, nil
			}
		}
		if w.world == abi.WorldGate || w.world == abi.WorldHandler {
			w.take(c, o.rows)
			return w, nil
		}
	}
	return w, w.generate(ctx, sub, o.rows)
}

// take makes the workload of a case's input; false when that has no rows.
func (w *workload) take(c plugintest.Case, rows int) bool {
	b := c.Input
	switch c.World {
	case abi.WorldMetric:
		b = c.Reference
	case abi.WorldGate, abi.WorldHandler:
		w.context, w.request = c.Context, c.Request
		w.source = fmt.Sprintf("the vector %q", c.Name)
		return true
	}
	if b.Rows == 0 {
		return false
	}
	w.batch = plugintest.Repeat(b, rows)
	w.source = fmt.Sprintf("the vector %q, its %d rows repeated to %d", c.Name, b.Rows, rows)
	return true
}

// generate fills the columns of the plugin's schema with random values, the same in every run.
func (w *workload) generate(ctx context.Context, sub subject, rows int) error {
	h, err := localHost()
	if err != nil {
		return err
	}
	defer h.Close()
	p, err := h.Open(ctx, sub.wasm, w.params, plugin.Limits{})
	if err != nil {
		return fmt.Errorf("%w (--params FILE gives other parameters)", err)
	}
	defer p.Close()
	schema, err := p.Schema(ctx)
	if err != nil {
		return err
	}
	if w.world == "" {
		w.world = p.Description().Worlds[0]
	}
	if len(schema.Inputs) == 0 {
		return errs.New(errs.NotFound, "%s does not say which columns it takes: give vectors with an input", sub.name)
	}
	w.batch = generated(schema.Inputs, rows)
	w.source = fmt.Sprintf("%d random rows of the %d columns of the schema, one value in 64 null", rows, len(schema.Inputs))
	return nil
}

// generated makes columns of random values from a fixed seed. Floats are of the standard normal law, texts of 16 different ones,
// times of the year 2025; one value in 64 is null.
func generated(fields []abi.Field, rows int) *abi.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	b := &abi.Batch{Rows: rows}
	for _, f := range fields {
		c := column(r, f, rows)
		var null []int
		for i := range rows {
			if r.IntN(64) == 0 {
				null = append(null, i)
			}
		}
		b.Columns = append(b.Columns, c.WithNulls(rows, null...))
	}
	return b
}

func column(r *rand.Rand, f abi.Field, rows int) abi.Column {
	switch f.Type {
	case abi.Bool:
		return abi.BoolColumn(f.Name, filled(rows, func() bool { return r.IntN(2) == 0 }))
	case abi.Int32:
		return abi.Int32Column(f.Name, filled(rows, func() int32 { return int32(r.IntN(1000)) }))
	case abi.Int64:
		return abi.Int64Column(f.Name, filled(rows, func() int64 { return r.Int64N(1000) }))
	case abi.Timestamp:
		return abi.TimestampColumn(f.Name, filled(rows, func() int64 { return 1_735_689_600_000_000 + r.Int64N(365*86400*1_000_000) }))
	case abi.Float32:
		return abi.Float32Column(f.Name, filled(rows, func() float32 { return float32(r.NormFloat64()) }))
	case abi.FloatVector:
		return abi.FloatVectorColumn(f.Name, f.ListSize, filled(rows*f.ListSize, func() float32 { return float32(r.NormFloat64()) }))
	case abi.UTF8:
		return abi.UTF8Column(f.Name, filled(rows, func() string { return fmt.Sprintf("category %d", r.IntN(16)) }))
	case abi.Binary:
		return abi.BinaryColumn(f.Name, filled(rows, func() []byte { return []byte{byte(r.IntN(16)), 0, 1} }))
	}
	return abi.Float64Column(f.Name, filled(rows, r.NormFloat64))
}

func filled[T any](n int, f func() T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = f()
	}
	return out
}

// runner answers a function that works once, how many units of work that is, and how many calls into the guest.
func (w workload) runner(ctx context.Context, p *plugin.Plugin) (run func() error, units, calls int, err error) {
	switch w.world {
	case abi.WorldGate:
		return func() error { _, err := p.Gate(ctx, w.context); return err }, 1, 1, nil
	case abi.WorldHandler:
		return func() error { _, err := p.Handle(ctx, w.request); return err }, 1, 1, nil
	}
	var chunks []*abi.Batch
	for from := 0; from < w.batch.Rows; from += abi.MaxRows {
		chunks = append(chunks, w.batch.Slice(from, min(from+abi.MaxRows, w.batch.Rows)))
	}
	if w.world == abi.WorldTransform {
		return func() error {
			for _, c := range chunks {
				if err := p.TransformChunk(ctx, c, func(*abi.Batch) error { return nil }); err != nil {
					return err
				}
			}
			return nil
		}, w.batch.Rows, len(chunks), nil
	}
	m, err := p.Metric(ctx) // given back when the host closes
	if err != nil {
		return nil, 0, 0, err
	}
	return func() error {
		for i, c := range chunks {
			if err := m.Update(ctx, abi.Side(i%2), c); err != nil {
				return err
			}
		}
		return nil
	}, w.batch.Rows, len(chunks), nil
}
