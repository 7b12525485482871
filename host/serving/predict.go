package serving

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

// PredictRequest is rows for a model, either as a matrix or as named columns. Version "" is the serving one.
type PredictRequest struct {
	Model, Version string
	// Features is [rows][columns], each row in the order of ModelStatus.Columns (or of the model's input, which then has no
	// names). NaN means missing.
	Features [][]float64
	// Rows has named columns in any order; columns that the model does not know are ignored.
	Rows *abi.Batch
}

// Prediction is a model's answer to rows.
type Prediction struct {
	Model, Version string
	Rows           int
	// Value is the output that answers: ModelSpec.Output, or the first. Outputs are all of them, post-processed.
	Value   schema.Tensor
	Outputs []schema.Tensor
	// Input is the rows as named columns, before pre-processing; nil when they have no names.
	Input *abi.Batch
	// PreprocessDigest and PostprocessDigest are the plugins that took part, or "".
	PreprocessDigest, PostprocessDigest string

	BatchSize      int // rows of the run of the model
	Queue, Compute time.Duration
}

// JSON is Value as JSON: an array with an element a row; see AppendJSON.
func (p Prediction) JSON() json.RawMessage { return AppendJSON(nil, p.Value) }

// Predict answers rows: preprocess plugin → batcher → model → postprocess plugin. Errors are Infer's; errs.Invalid names the row
// and column that is wrong and what the model wants.
func (s *Service) Predict(ctx context.Context, req PredictRequest) (Prediction, error) {
	m, err := s.acquire(req.Model, req.Version)
	if err != nil {
		return Prediction{}, err
	}
	defer m.release()
	p, queue, err := m.predict(ctx, req)
	m.meters.answered(queue, err)
	if err != nil {
		return Prediction{}, err
	}
	return p, nil
}

func (m *model) predict(ctx context.Context, req PredictRequest) (p Prediction, queue time.Duration, err error) {
	p = Prediction{Model: m.name, Version: m.spec.Version}
	in, names, err := m.prepare(ctx, req, &p)
	if err != nil {
		return p, 0, err
	}
	res, err := m.infer(ctx, in, names)
	if err != nil {
		return p, res.queue, err
	}
	p.Outputs, p.BatchSize, p.Queue, p.Compute = res.out, res.batch, res.queue, res.compute
	if m.post != nil {
		p.PostprocessDigest = m.post.Digest()
		if p.Outputs, err = m.postprocess(ctx, res.out, p.Rows); err != nil {
			return p, res.queue, err
		}
	}
	p.Value = p.Outputs[0]
	if o := m.spec.Output; o != "" {
		chosen := selectOutputs(p.Outputs, []string{o})
		if len(chosen) == 0 {
			return p, res.queue, errs.New(errs.Invalid, "the answer has no output %q", o)
		}
		p.Value = chosen[0]
	}
	return p, res.queue, nil
}

// prepare turns the request's rows into the model's inputs.
func (m *model) prepare(ctx context.Context, req PredictRequest, p *Prediction) ([]schema.Tensor, []string, error) {
	switch {
	case req.Features != nil && req.Rows != nil:
		return nil, nil, errs.New(errs.Invalid, "both features and rows are given: send one of them")
	case req.Features == nil && req.Rows == nil:
		return nil, nil, errs.New(errs.Invalid, "neither features nor rows are given")
	case req.Rows != nil:
		p.Rows, p.Input = req.Rows.Rows, req.Rows
	default:
		p.Rows = len(req.Features)
	}
	if p.Rows == 0 {
		return nil, nil, errs.New(errs.Invalid, "the request has no rows")
	}
	if req.Features != nil {
		if err := m.checkWidth(req.Features); err != nil {
			return nil, nil, err
		}
		if m.columns == nil && m.pre == nil {
			return m.bare(req.Features)
		}
		p.Input = m.named(req.Features)
	}
	b := p.Input
	switch {
	case m.pre != nil:
		p.PreprocessDigest = m.pre.Digest()
		in, err := conform(b, m.preSchema.Inputs, fmt.Sprintf("model %q", m.name))
		if err != nil {
			return nil, nil, err
		}
		if b, err = m.pre.Transform(ctx, in); err != nil {
			return nil, nil, wrap(err, "preprocess plugin %q", m.spec.Preprocess.Plugin)
		}
		if b.Rows != p.Rows {
			return nil, nil, errs.New(errs.Invalid, "preprocess plugin %q made %d rows of %d", m.spec.Preprocess.Plugin, b.Rows, p.Rows)
		}
	case m.columns != nil:
		var err error
		if b, err = inOrder(b, m.columns, m.name); err != nil {
			return nil, nil, err
		}
	case m.feed.matrix:
		return nil, nil, errs.New(errs.Invalid, "model %q takes %s, whose columns have no names: send features, or give the model preprocess.columns", m.name, describe(m.inputs))
	}
	return m.tensors(b)
}

// checkWidth makes sure that every row has the columns that the model takes.
func (m *model) checkWidth(features [][]float64) error {
	want := len(m.columns)
	if m.columns == nil {
		if want = m.feed.width; !m.feed.matrix {
			return errs.New(errs.Invalid, "model %q takes %s: send rows with these columns", m.name, describe(m.inputs))
		}
		if want < 0 {
			want = len(features[0])
		}
	}
	for r, f := range features {
		if len(f) == want {
			continue
		}
		if m.columns != nil {
			return errs.New(errs.Invalid, "row %d has %d features, model %q takes %d: %s", r, len(f), m.name, want, quoted(m.columns))
		}
		return errs.New(errs.Invalid, "row %d has %d features, model %q takes %d", r, len(f), m.name, want)
	}
	return nil
}

// named makes columns of a features array.
func (m *model) named(features [][]float64) *abi.Batch {
	rows := len(features)
	b := &abi.Batch{Rows: rows, Columns: make([]abi.Column, len(m.columns))}
	flat := make([]float64, rows*len(m.columns))
	for c, name := range m.columns {
		v := flat[c*rows : (c+1)*rows : (c+1)*rows]
		for r := range features {
			v[r] = features[r][c]
		}
		b.Columns[c] = abi.Float64Column(name, v)
	}
	return b
}

// bare makes the one input of a model without column names.
func (m *model) bare(features [][]float64) ([]schema.Tensor, []string, error) {
	width := len(features[0])
	flat := make([]float64, 0, len(features)*width)
	for _, f := range features {
		flat = append(flat, f...)
	}
	if m.feed.width < 0 && len(m.inputs[0].Shape) != 2 {
		return nil, nil, errs.New(errs.Invalid, "features cannot fill the model's input %s: more than one dimension is free; send tensors", describe(m.inputs))
	}
	t := schema.Tensor{Name: m.inputs[0].Name, Type: m.inputs[0].Type, Shape: m.shape(m.inputs[0], len(features), width)}
	var err error
	if t.Data, err = newData(t.Type, len(flat)); err != nil {
		return nil, nil, err
	}
	if t.Type == schema.FP32 || t.Type == schema.FP64 {
		// The flat array is one column of rows × width numbers, which lies in memory as the matrix does.
		c := abi.Float64Column("features", flat)
		return []schema.Tensor{t}, nil, fill(t, len(flat), 1, 0, &c)
	}
	// Other types can refuse a value: column by column, so that the error names its row.
	for k := range width {
		v := make([]float64, len(features))
		for r := range features {
			v[r] = features[r][k]
		}
		c := abi.Float64Column(strconv.Itoa(k), v)
		if err := fill(t, len(features), width, k, &c); err != nil {
			return nil, nil, err
		}
	}
	return []schema.Tensor{t}, nil, nil
}

// inOrder picks columns by name.
func inOrder(b *abi.Batch, names []string, model string) (*abi.Batch, error) {
	out := &abi.Batch{Rows: b.Rows, Columns: make([]abi.Column, len(names))}
	for i, n := range names {
		c := b.Column(n)
		if c == nil {
			return nil, errs.New(errs.Invalid, "column %q is missing: model %q takes %s", n, model, quoted(names))
		}
		out.Columns[i] = *c
	}
	return out, nil
}

// postprocess gives the model's outputs to the plugin as columns and makes tensors of what it returns.
func (m *model) postprocess(ctx context.Context, out []schema.Tensor, rows int) ([]schema.Tensor, error) {
	plugin := m.spec.Postprocess.Plugin
	b := &abi.Batch{Rows: rows}
	for _, t := range out {
		cols, err := toColumns(t, rows)
		if err != nil {
			return nil, wrap(err, "postprocess plugin %q", plugin)
		}
		b.Columns = append(b.Columns, cols...)
	}
	in, err := conform(b, m.postSchema.Inputs, fmt.Sprintf("postprocess plugin %q", plugin))
	if err != nil {
		return nil, err
	}
	answer, err := m.post.Transform(ctx, in)
	if err != nil {
		return nil, wrap(err, "postprocess plugin %q", plugin)
	}
	if answer.Rows != rows || len(answer.Columns) == 0 {
		return nil, errs.New(errs.Invalid, "postprocess plugin %q made %d rows of %d columns of %d rows", plugin, answer.Rows, len(answer.Columns), rows)
	}
	tensors := make([]schema.Tensor, len(answer.Columns))
	for i := range answer.Columns {
		if tensors[i], err = fromColumn(&answer.Columns[i], rows); err != nil {
			return nil, wrap(err, "postprocess plugin %q", plugin)
		}
	}
	return tensors, nil
}
