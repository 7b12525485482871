package runtest

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

// Plugins is a set of fake plugins by name.
type Plugins map[string]*Plugin

var _ functions.Plugins = Plugins(nil)

// Open implements functions.Plugins.
func (ps Plugins) Open(_ context.Context, name string, params json.RawMessage, l functions.Limits) (functions.Plugin, error) {
	p, ok := ps[name]
	if !ok {
		return nil, errs.New(errs.NotFound, "plugin %q not found", name)
	}
	p.opened.Add(1)
	p.mu.Lock()
	p.Params, p.Limits = params, l
	p.mu.Unlock()
	return opened{Plugin: p}, nil
}

// Identity implements functions.Plugins: it changes with the plugin's version.
func (ps Plugins) Identity(name string) string {
	if p, ok := ps[name]; ok {
		return p.Version
	}
	return ""
}

// Plugin is a fake plugin; its functions stand for guest code.
type Plugin struct {
	World         abi.World
	Version       string // part of the digest
	Inputs        []abi.Field
	Outputs       []abi.Field
	TransformFunc func(ctx context.Context, in *abi.Batch) (*abi.Batch, error)
	HandleFunc    func(ctx context.Context, r abi.Request) (abi.Response, error)

	mu     sync.Mutex
	Params json.RawMessage  // of the last Open
	Limits functions.Limits // of the last Open
	calls  atomic.Uint64
	opened atomic.Int64
}

// Open reports how many are open.
func (p *Plugin) Open() int { return int(p.opened.Load()) }

type opened struct{ *Plugin }

func (p opened) Description() abi.Description {
	return abi.Description{Name: "fake", Version: p.Version, Worlds: []abi.World{p.World}}
}
func (p opened) Digest() string { return string(schema.DigestOf([]byte(p.Version))) }
func (p opened) Schema(context.Context) (abi.Schema, error) {
	return abi.Schema{Inputs: p.Inputs, Outputs: p.Outputs}, nil
}
func (p opened) Transform(ctx context.Context, in *abi.Batch) (*abi.Batch, error) {
	p.calls.Add(1)
	return p.TransformFunc(ctx, in)
}
func (p opened) Handle(ctx context.Context, r abi.Request) (abi.Response, error) {
	p.calls.Add(1)
	return p.HandleFunc(ctx, r)
}

// Stats counts the first call as the cold start of the one instance.
func (p opened) Stats() functions.PoolStats {
	n := p.calls.Load()
	s := functions.PoolStats{Calls: n}
	if n > 0 {
		s.Live, s.Idle, s.ColdStarts, s.LastColdStart = 1, 1, 1, 42
	}
	return s
}
func (p opened) Close() error {
	p.opened.Add(-1)
	return nil
}

// Double is a transform of column x (float64) to y = 2x. A row with x = -1 is invalid, x = -2 fails in another way.
func Double() *Plugin {
	return &Plugin{
		World: abi.WorldTransform, Version: "1",
		Inputs:  []abi.Field{{Name: "x", Type: abi.Float64}},
		Outputs: []abi.Field{{Name: "y", Type: abi.Float64}},
		TransformFunc: func(ctx context.Context, in *abi.Batch) (*abi.Batch, error) {
			xs := in.Columns[0].Float64s()
			ys := make([]float64, len(xs))
			for i, x := range xs {
				switch x {
				case -1:
					return nil, errs.New(errs.Invalid, "x must not be -1")
				case -2:
					return nil, errs.New(errs.Internal, "trap at -2")
				}
				ys[i] = 2 * x
			}
			return &abi.Batch{Rows: in.Rows, Columns: []abi.Column{abi.Float64Column("y", ys)}}, ctx.Err()
		},
	}
}

// Model is a fake predictor.
type Model func(ctx context.Context, model string, in *abi.Batch) (functions.Prediction, error)

var _ functions.Predictor = Model(nil)

// Predict implements functions.Predictor.
func (m Model) Predict(ctx context.Context, model string, in *abi.Batch) (functions.Prediction, error) {
	return m(ctx, model, in)
}

// AddOne is a model of version 3 whose prediction is the first column plus one.
func AddOne(_ context.Context, _ string, in *abi.Batch) (functions.Prediction, error) {
	out := make([]float64, in.Rows)
	for i := range out {
		v, _ := in.Columns[0].Float64At(i)
		out[i] = v + 1
	}
	return functions.Prediction{
		Outputs:      &abi.Batch{Rows: in.Rows, Columns: []abi.Column{abi.Float64Column("prediction", out)}},
		ModelVersion: "3", BatchSize: in.Rows + 10,
	}, nil
}
