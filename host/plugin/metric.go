package plugin

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Metric is one running summary, on an instance of its own: it counts against the plugin's MaxInstances until Close.
// Its methods are safe for concurrent use but run one at a time. After an error of the guest every further
// call answers that error; errs.Exhausted for want of fuel per second changes nothing, and the call may be made again.
type Metric struct {
	plugin *Plugin
	mu     sync.Mutex
	in     *instance
	err    error
}

// Metric starts an empty summary. Close it.
func (p *Plugin) Metric(ctx context.Context) (*Metric, error) {
	if err := p.speaks(abi.WorldMetric); err != nil {
		return nil, err
	}
	in, err := p.pool.acquire(ctx, &p.tenant)
	if err != nil {
		return nil, err
	}
	m := &Metric{plugin: p, in: in}
	// A pooled instance may carry the sums of the one before.
	if err := m.work(func(in *instance) error { return m.status(ctx, in, fnReset) }); err != nil {
		return nil, err
	}
	return m, nil
}

// do runs f on the instance when there is fuel for it; an error of f ends the metric and its instance.
func (m *Metric) do(ctx context.Context, f func(*instance) error) error {
	if err := m.plugin.pool.afford(ctx); err != nil {
		return err // it did not run, so the sums are as they were
	}
	return m.work(f)
}

func (m *Metric) work(f func(*instance) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	if m.in == nil {
		return errs.New(errs.Unavailable, "the metric is closed")
	}
	if err := m.plugin.run(abi.WorldMetric, m.in, f); err != nil {
		m.err = m.plugin.pool.release(m.in, err)
		m.in = nil
		return m.err
	}
	return nil
}

// status calls an export that answers 0 for success.
func (m *Metric) status(ctx context.Context, in *instance, e export, args ...uint64) error {
	v, err := in.call(ctx, e, args...)
	if err == nil && int32(v) != 0 {
		err = in.guestError(ctx, e)
	}
	return err
}

// Update adds rows to a side, any number of them.
func (m *Metric) Update(ctx context.Context, side abi.Side, b *abi.Batch) error {
	if side != abi.Reference && side != abi.Current {
		return errs.New(errs.Invalid, "side %d is neither reference (0) nor current (1)", side)
	}
	return m.do(ctx, func(in *instance) error {
		for from := 0; from < b.Rows; from += abi.MaxRows {
			ptr, err := in.put(ctx, b, from, min(from+abi.MaxRows, b.Rows))
			if err != nil {
				return err
			}
			if err := m.status(ctx, in, fnUpdate, uint64(side), uint64(ptr)); err != nil {
				return err
			}
		}
		return nil
	})
}

// State is the summary so far as bytes that Merge of the same plugin with the same parameters accepts; the caller owns them.
func (m *Metric) State(ctx context.Context) (state []byte, err error) {
	err = m.do(ctx, func(in *instance) error {
		raw, err := in.document(ctx, fnState)
		state = append([]byte(nil), raw...)
		return err
	})
	return state, err
}

// Merge adds another summary's state.
func (m *Metric) Merge(ctx context.Context, state []byte) error {
	return m.do(ctx, func(in *instance) error {
		return in.give(ctx, state, func(ptr, size uint64) error { return m.status(ctx, in, fnMerge, ptr, size) })
	})
}

// Finish computes the scores of the summary so far; more may be added after it.
func (m *Metric) Finish(ctx context.Context) (scores []abi.Score, err error) {
	err = m.do(ctx, func(in *instance) error {
		raw, err := in.document(ctx, fnFinish)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &scores); err != nil {
			return faultf(errs.Invalid, causeOutput, "weir_metric_finish did not answer scores: %v", err)
		}
		return nil
	})
	return scores, err
}

// Close gives the instance back. Safe twice.
func (m *Metric) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.in != nil {
		_ = m.plugin.pool.release(m.in, nil)
		m.in = nil
	}
}
