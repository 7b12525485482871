package app

import (
	"context"
	"encoding/json"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/datasets"
	"github.com/weir-ml/weir/host/gates"
	"github.com/weir-ml/weir/host/monitor"
	"github.com/weir-ml/weir/host/onnx"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/host/serving"
	"github.com/weir-ml/weir/sdk/abi"
)

// The small interfaces that rooms declare, filled. Each is a rename of what another room does; none decides anything.

type datasetPlugins struct{ *catalog }

var _ datasets.Plugins = datasetPlugins{}

func (c datasetPlugins) OpenTransformer(ctx context.Context, ref string, params json.RawMessage) (datasets.Transformer, error) {
	return c.openAs(ctx, abi.WorldTransform, ref, params)
}

type servingPlugins struct{ *catalog }

var _ serving.Plugins = servingPlugins{}

func (c servingPlugins) OpenTransform(ctx context.Context, ref string, params json.RawMessage) (serving.Transformer, error) {
	return c.openAs(ctx, abi.WorldTransform, ref, params)
}

func (c servingPlugins) Identity(ref string) string { return c.identity(ref) }

type gatePlugins struct{ *catalog }

var _ gates.Judges = gatePlugins{}

func (c gatePlugins) Open(ctx context.Context, ref string, params json.RawMessage) (gates.Judge, error) {
	return c.openAs(ctx, abi.WorldGate, ref, params)
}

type functionPlugins struct{ *catalog }

var _ functions.Plugins = functionPlugins{}

func (c functionPlugins) Open(ctx context.Context, ref string, params json.RawMessage, l functions.Limits) (functions.Plugin, error) {
	p, err := c.open(ctx, ref, params, plugin.Limits{MemoryBytes: l.MemoryBytes, Timeout: l.Timeout, IdleAfter: l.IdleAfter})
	if err != nil {
		return nil, err
	}
	return functionPlugin{p}, nil
}

func (c functionPlugins) Identity(ref string) string { return c.identity(ref) }

type functionPlugin struct{ *plugin.Plugin }

func (p functionPlugin) Stats() functions.PoolStats { return functions.PoolStats(p.Plugin.Stats()) }

type modelLoader struct {
	*onnx.Runtime
	trials modelTrials
}

var _ serving.Loader = modelLoader{}

func (l modelLoader) Load(ctx context.Context, model []byte, o serving.LoadOptions) (serving.Executor, error) {
	if err := l.trials.try(ctx, model); err != nil {
		return nil, err
	}
	return l.Runtime.Load(ctx, model, onnx.SessionOptions{Device: o.Device, DeviceID: o.DeviceID, IntraOpThreads: o.Threads, Strict: o.Strict})
}

// predictor lets functions predict.
type predictor struct{ *serving.Service }

var _ functions.Predictor = predictor{}

func (p predictor) Predict(ctx context.Context, model string, in *abi.Batch) (functions.Prediction, error) {
	r, err := p.Service.Predict(ctx, serving.PredictRequest{Model: model, Rows: in})
	if err != nil {
		return functions.Prediction{}, err
	}
	out, err := r.Columns()
	if err != nil {
		return functions.Prediction{}, err
	}
	return functions.Prediction{Outputs: out, ModelVersion: r.Version, BatchSize: r.BatchSize}, nil
}

type metricPlugins struct{ *catalog }

var _ monitor.Metrics = metricPlugins{}

func (c metricPlugins) Open(ctx context.Context, ref string, params json.RawMessage) (monitor.MetricPlugin, error) {
	p, err := c.openAs(ctx, abi.WorldMetric, ref, params)
	if err != nil {
		return nil, err
	}
	return metricPlugin{p}, nil
}

type metricPlugin struct{ *plugin.Plugin }

func (p metricPlugin) Metric(ctx context.Context) (monitor.Metric, error) {
	return p.Plugin.Metric(ctx)
}

type monitorDatasets struct{ *datasets.Service }

var _ monitor.Datasets = monitorDatasets{}

func (d monitorDatasets) Get(ctx context.Context, ref string) (monitor.Dataset, error) {
	v, err := d.Service.Get(ctx, ref)
	if err != nil {
		return monitor.Dataset{}, err
	}
	return monitor.Dataset{Ref: v.Ref(), Digest: schema.Digest(v.Digest), Rows: v.Rows, Columns: v.Columns}, nil
}
