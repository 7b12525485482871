// Package datasetsduck lets datasets run on host/offline: it translates between the two rooms' structs and decides nothing.
package datasetsduck

import (
	"context"

	"github.com/weir-ml/weir/host/datasets"
	"github.com/weir-ml/weir/host/offline"
	"github.com/weir-ml/weir/sdk/abi"
)

// Engine is an offline engine as datasets want it.
type Engine struct{ engine *offline.Engine }

var _ datasets.Engine = (*Engine)(nil)

// New wraps an engine, which stays the caller's to close.
func New(e *offline.Engine) *Engine { return &Engine{e} }

// Import implements datasets.Engine.
func (e *Engine) Import(ctx context.Context, src datasets.Source, out string) (datasets.Table, error) {
	t, err := e.engine.Import(ctx, source(src), out)
	return datasets.Table(t), err
}

// Query implements datasets.Engine.
func (e *Engine) Query(ctx context.Context, q datasets.Query) (datasets.Table, error) {
	t, err := e.engine.Query(ctx, query(q))
	return datasets.Table(t), err
}

// Batches implements datasets.Engine.
func (e *Engine) Batches(ctx context.Context, q datasets.Query, fn func(*abi.Batch) error) error {
	return e.engine.Batches(ctx, query(q), fn)
}

// Quantiles implements datasets.Engine.
func (e *Engine) Quantiles(ctx context.Context, src datasets.Source, columns []string, probs []float64) (map[string][]float64, error) {
	return e.engine.Quantiles(ctx, source(src), columns, probs)
}

func source(s datasets.Source) offline.Source {
	return offline.Source{Name: s.Name, Path: s.Path, Format: offline.Format(s.Format)}
}

func query(q datasets.Query) offline.Query {
	out := offline.Query{SQL: q.SQL, Output: q.Output}
	for _, s := range q.Sources {
		out.Sources = append(out.Sources, source(s))
	}
	for _, f := range q.Functions {
		out.Functions = append(out.Functions, offline.Function{Name: f.Name, T: f.T})
	}
	return out
}
