package serving

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

// model is one loaded version. It does not change after loading; requests hold a reference while they use it, and the last
// reference frees it.
type model struct {
	name            string
	spec            ModelSpec // with defaults
	inputs, outputs []schema.TensorSpec
	batchable       bool   // every input and output has a free first dimension
	freeShapes      []bool // by input: a dimension after the first is free
	loaded          time.Time

	executors []Executor
	instances []int // instance → executor
	note      string

	pre, post             Transformer // or nil
	preSchema, postSchema abi.Schema
	identity              string   // of the steps' plugins when they were opened
	columns               []string // of a features array; nil when they have no names
	feed                  feeder

	batcher *batcher
	meters  *meters
	refs    atomic.Int64
	freed   func() // after the last reference's close
}

// load makes a model of its bytes. On an error nothing stays behind.
func (s *Service) load(ctx context.Context, name string, spec ModelSpec, blob []byte) (m *model, err error) {
	m = &model{name: name, spec: spec, loaded: time.Now(), meters: newMeters(s.metrics, name)}
	defer func() {
		if err != nil {
			m.free()
			m = nil
		}
	}()
	if err := m.loadExecutors(ctx, s.o, blob); err != nil {
		return m, err
	}
	m.inputs, m.outputs = m.executors[0].Inputs(), m.executors[0].Outputs()
	maxBatch, err := m.batchSize()
	if err != nil {
		return m, err
	}
	m.identity = s.identity(spec) // before opening: what moves in between is opened again later
	if err := m.openSteps(ctx, s.o.Plugins); err != nil {
		return m, err
	}
	delay := time.Duration(spec.Batching.MaxQueueDelayMicroseconds) * time.Microsecond
	m.batcher = newBatcher(m.run, len(m.instances), maxBatch, delay, spec.Batching.MaxQueueSize, m.meters.ran)
	m.refs.Store(1)
	return m, nil
}

func (m *model) loadExecutors(ctx context.Context, o Options, blob []byte) error {
	g := m.spec.InstanceGroup
	gpus := g.GPUs
	if len(gpus) == 0 || g.Kind == "KIND_CPU" {
		gpus = []int{0}
	}
	for _, gpu := range gpus {
		e, err := o.Loader.Load(ctx, blob, LoadOptions{
			Device: devices[g.Kind], DeviceID: gpu, Threads: g.Threads, Strict: o.StrictDevices && g.Kind == "KIND_GPU",
		})
		if err != nil {
			return err
		}
		for range g.Count {
			m.instances = append(m.instances, len(m.executors))
		}
		m.executors = append(m.executors, e)
		if note := e.DeviceNote(); note != "" {
			m.note = note
		}
		if e.Device() == "cpu" {
			break // the CPU stands in once, however many GPUs were asked for
		}
	}
	return nil
}

// batchSize settles the most rows of a run; 1 means that requests run as they come.
func (m *model) batchSize() (int, error) {
	reason := ""
	for _, group := range []struct {
		what  string
		specs []schema.TensorSpec
	}{{"input", m.inputs}, {"output", m.outputs}} {
		for _, t := range group.specs {
			if len(t.Shape) == 0 || t.Shape[0] >= 0 {
				reason = group.what + " " + describe([]schema.TensorSpec{t}) + " has no free first dimension"
			}
		}
	}
	m.batchable = reason == ""
	m.freeShapes = make([]bool, len(m.inputs))
	for i, t := range m.inputs {
		for _, d := range t.Shape[min(1, len(t.Shape)):] {
			m.freeShapes[i] = m.freeShapes[i] || d < 0
		}
	}
	switch n := m.spec.Batching.MaxBatchSize; {
	case n > 1 && !m.batchable:
		return 0, errs.New(errs.Invalid, "batching.max_batch_size is %d, but %s; set it to 1", n, reason)
	case n == 0 && m.batchable:
		m.spec.Batching.MaxBatchSize = autoBatch
	case n == 0:
		m.spec.Batching.MaxBatchSize = 1
	}
	return m.spec.Batching.MaxBatchSize, nil
}

func (m *model) openSteps(ctx context.Context, plugins Plugins) error {
	open := func(what string, s *Step) (t Transformer, sc abi.Schema, err error) {
		if plugins == nil {
			return nil, sc, errs.New(errs.Unimplemented, "%s plugin %q: this server runs no plugins", what, s.Plugin)
		}
		if t, err = plugins.OpenTransform(ctx, s.Plugin, s.Parameters); err != nil {
			return nil, sc, wrap(err, "%s plugin %q", what, s.Plugin)
		}
		if sc, err = t.Schema(ctx); err != nil {
			_ = t.Close()
			return nil, sc, wrap(err, "%s plugin %q: schema", what, s.Plugin)
		}
		return t, sc, nil
	}
	var err error
	if s := m.spec.Preprocess; s != nil {
		m.columns = s.Columns
		if s.Plugin != "" {
			if m.pre, m.preSchema, err = open("preprocess", s); err != nil {
				return err
			}
			if m.columns == nil {
				for _, f := range m.preSchema.Inputs {
					m.columns = append(m.columns, f.Name)
				}
			}
			for _, f := range m.preSchema.Inputs {
				if !contains(m.columns, f.Name) {
					return errs.New(errs.Invalid, "preprocess.columns lacks %q, which plugin %q needs", f.Name, s.Plugin)
				}
			}
		}
	}
	if m.feed, err = m.plan(); err != nil {
		return err
	}
	names := make([]string, len(m.outputs))
	for i, t := range m.outputs {
		names[i] = t.Name
	}
	if s := m.spec.Postprocess; s != nil {
		if m.post, m.postSchema, err = open("postprocess", s); err != nil {
			return err
		}
		names = nil // the plugin's, where it declares them
		for _, f := range m.postSchema.Outputs {
			names = append(names, f.Name)
		}
	}
	if o := m.spec.Output; o != "" && names != nil && !contains(names, o) {
		return errs.New(errs.Invalid, "output %q is none of the answer's outputs: %s", o, quoted(names))
	}
	return nil
}

func (m *model) run(ctx context.Context, instance int, in []schema.Tensor) ([]schema.Tensor, error) {
	return m.executors[m.instances[instance]].Run(ctx, in, nil)
}

// infer checks and runs one request.
func (m *model) infer(ctx context.Context, in []schema.Tensor, columns []string) (result, error) {
	ordered, rows, key, err := m.arrange(in, columns)
	if err != nil {
		return result{}, err
	}
	return m.batcher.do(ctx, ordered, rows, key)
}

// release gives one reference back.
func (m *model) release() {
	if m.refs.Add(-1) == 0 {
		m.free()
		m.freed()
	}
}

func (m *model) free() {
	if m.batcher != nil {
		m.batcher.close()
	}
	for _, e := range m.executors {
		_ = e.Close()
	}
	for _, t := range []Transformer{m.pre, m.post} {
		if t != nil {
			_ = t.Close()
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// wrap puts a prefix before an error's text and keeps its kind.
func wrap(err error, format string, args ...any) error {
	return errs.New(errs.KindOf(err), format+": %w", append(args, err)...)
}

var errClosed = errors.New("serving is closed")
