package functions

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

// steps is what a function computes: a handler; or a transform, a model, or both. Safe for concurrent use.
type steps struct {
	plugin    Plugin      // nil for a model alone
	handler   bool        // plugin is a handler
	fields    []abi.Field // the columns rows are read as; nil: as they come
	outputs   []abi.Field // of the transform
	model     string      // "" for none
	predictor Predictor
	timeout   time.Duration
}

// computed is what the steps made of a batch of rows.
type computed struct {
	out       *abi.Batch
	model     string // name@version, "" without a model
	batchSize int    // rows of the model's batch, or of the function's without a model
}

// openSteps opens the plugin of a checked spec with its defaults filled in.
func openSteps(ctx context.Context, plugins Plugins, predictor Predictor, spec Spec) (_ *steps, err error) {
	s := &steps{model: spec.Model, predictor: predictor, timeout: spec.Timeout.Std(), handler: spec.Handler != nil}
	if s.model != "" && predictor == nil {
		return nil, errs.New(errs.Unimplemented, "spec.model: no models can be run here")
	}
	ref, world := spec.Transform, abi.WorldTransform
	if s.handler {
		ref, world = spec.Handler, abi.WorldHandler
	}
	if ref == nil {
		return s, nil
	}
	limits := Limits{MemoryBytes: spec.MemoryBytes, Timeout: spec.Timeout.Std(), IdleAfter: spec.IdleAfter.Std()}
	if s.plugin, err = plugins.Open(ctx, ref.Plugin, ref.parameters(), limits); err != nil {
		return nil, errs.New(errs.KindOf(err), "plugin %q: %w", ref.Plugin, err)
	}
	defer func() {
		if err != nil {
			_ = s.plugin.Close() // the error at hand says more
		}
	}()
	worlds := s.plugin.Description().Worlds
	found := false
	for _, w := range worlds {
		found = found || w == world
	}
	if !found {
		return nil, invalid("plugin %q is of world %v, not %s", ref.Plugin, worlds, world)
	}
	if !s.handler {
		sch, err := s.plugin.Schema(ctx)
		if err != nil {
			return nil, errs.New(errs.KindOf(err), "plugin %q: schema: %w", ref.Plugin, err)
		}
		s.outputs = sch.Outputs
		if len(sch.Inputs) > 0 {
			s.fields = sch.Inputs
		}
	}
	return s, nil
}

func (s *steps) close() error {
	if s.plugin == nil {
		return nil
	}
	return s.plugin.Close()
}

func (s *steps) digest() string {
	if s.plugin == nil {
		return ""
	}
	return s.plugin.Digest()
}

func (s *steps) stats() PoolStats {
	if s.plugin == nil {
		return PoolStats{}
	}
	return s.plugin.Stats()
}

// rows runs transform and model on a batch of at least one row.
func (s *steps) rows(ctx context.Context, in *abi.Batch) (computed, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	c := computed{batchSize: in.Rows}
	features := in
	if s.plugin != nil {
		out, err := s.plugin.Transform(ctx, in)
		if err != nil {
			return c, fmt.Errorf("transform: %w", err)
		}
		if out.Rows != in.Rows {
			return c, errs.New(errs.Internal, "transform answered %d rows for %d", out.Rows, in.Rows)
		}
		features, c.out = out, out
	}
	if s.model == "" {
		return c, nil
	}
	p, err := s.predictor.Predict(ctx, s.model, features)
	if err != nil {
		if errs.Is(err, errs.NotFound) { // it may come: nothing is wrong with the rows
			err = errs.With(errs.Unavailable, err)
		}
		return c, fmt.Errorf("model %q: %w", s.model, err)
	}
	if p.Outputs == nil || p.Outputs.Rows != in.Rows {
		return c, errs.New(errs.Internal, "model %q did not answer one row for each of %d", s.model, in.Rows)
	}
	c.model, c.batchSize = s.model+"@"+p.ModelVersion, p.BatchSize
	both := &abi.Batch{Rows: in.Rows}
	if c.out != nil {
		both.Columns = append(both.Columns, c.out.Columns...)
	}
	for _, col := range p.Outputs.Columns {
		if c.out != nil && c.out.Column(col.Name) != nil {
			return c, invalid("column %q comes from the transform and from model %q: rename one", col.Name, s.model)
		}
		if both.Column(col.Name) == nil { // a model's output may itself be called prediction
			both.Columns = append(both.Columns, col)
		}
	}
	c.out = both
	return c, nil
}

// handle runs the handler.
func (s *steps) handle(ctx context.Context, r abi.Request) (abi.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.plugin.Handle(ctx, r)
}

// row is an event's payload as an object.
type row = map[string]json.RawMessage

// decodeRow reads an event's payload: exactly one JSON object.
func decodeRow(data []byte) (row, error) {
	var r row
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, invalid("payload is not a JSON object: %w", schema.PositionError(data, err))
	}
	if r == nil {
		return nil, invalid("payload is null: want a JSON object")
	}
	return r, nil
}

// resultObject writes row i of out as a JSON object, preceded by the kept fields of the input that no column replaces.
func resultObject(keep []string, in row, out *abi.Batch, i int) ([]byte, error) {
	b := []byte{'{'}
	for _, k := range keep {
		v, ok := in[k]
		if !ok || out.Column(k) != nil {
			continue
		}
		name, err := json.Marshal(k)
		if err != nil {
			return nil, err
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, name...), ':'), v...)
	}
	if len(out.Columns) == 0 {
		return append(b, '}'), nil
	}
	if len(b) == 1 {
		return schema.AppendObject(nil, out, i), nil
	}
	at := len(b)
	b = schema.AppendObject(b, out, i)
	b[at] = ',' // in place of the second object's brace
	return b, nil
}
