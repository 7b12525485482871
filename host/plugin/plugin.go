package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Plugin is a module with its parameters, ready to work. Its methods are safe for concurrent use. Their errors name the
// plugin, its digest and the cause: errs.Invalid for what the guest reports, traps and answers that break the ABI,
// errs.Timeout and errs.Exhausted for the limits, errs.Unavailable after Close, and the context's kind when the caller gave up.
type Plugin struct {
	pool    *pool
	tenant  tenant
	desc    abi.Description
	rows    bool // single rows go through weir_row
	once    sync.Once
	foreign bool // an Extism module
}

// Close gives the plugin up; its instances go with the last Plugin of the same module, parameters and limits. Safe twice.
func (p *Plugin) Close() error {
	p.once.Do(func() { p.pool.host.drop(p.pool) })
	return nil
}

// Digest is "sha256:<64 hex>" of the module.
func (p *Plugin) Digest() string { return p.pool.code.digest }

// Description is what the module says about itself.
func (p *Plugin) Description() abi.Description { return p.desc }

// Schema is the columns with these parameters.
func (p *Plugin) Schema(context.Context) (abi.Schema, error) {
	return *p.pool.schema.Load(), nil // Open has learned it
}

// Parameters is the document the plugin was opened with. It must not be changed.
func (p *Plugin) Parameters() json.RawMessage { return p.pool.params }

// Stats are the plugin's figures.
func (p *Plugin) Stats() Stats { return p.pool.stats() }

// MaxConcurrency is how many calls can run at once.
func (p *Plugin) MaxConcurrency() int { return p.pool.limits.MaxInstances }

// speaks fails when the plugin does not claim the world.
func (p *Plugin) speaks(w abi.World) error {
	for _, have := range p.desc.Worlds {
		if have == w {
			return nil
		}
	}
	return errs.New(errs.Invalid, "plugin %s is no %s: its worlds are %v", p.pool.code, w, p.desc.Worlds)
}

// lend runs f with an instance of its own, and gives that back with f's error, which then names the plugin.
func (p *Plugin) lend(ctx context.Context, f func(*instance) error) error {
	in, err := p.pool.acquire(ctx, &p.tenant)
	if err != nil {
		return err
	}
	returned := false
	defer func() {
		if !returned { // f panicked: our own fault, but the instance must not be lent again
			_ = p.pool.release(in, faultf(errs.Internal, causeTrap, "the host failed"))
		}
	}()
	err = f(in)
	returned = true
	return p.pool.release(in, err)
}

// run calls into the guest: f runs with the host's gate held, counted and timed.
func (p *Plugin) run(world abi.World, in *instance, f func(*instance) error) error {
	if err := in.enter(); err != nil {
		return err
	}
	defer in.leave()
	p.pool.calls.Add(1)
	defer p.pool.charge(in, string(world))
	m := p.pool.host.metrics
	if m == nil {
		return f(in)
	}
	began := time.Now()
	err := f(in)
	m.called(string(world), time.Since(began))
	return err
}

// Transform runs the plugin over any number of rows, in chunks of at most abi.MaxRows on one instance, and returns a batch
// of as many rows that the caller owns. Nothing is returned with an error.
func (p *Plugin) Transform(ctx context.Context, in *abi.Batch) (*abi.Batch, error) {
	if err := p.speaks(abi.WorldTransform); err != nil {
		return nil, err
	}
	if in.Rows < 0 {
		return nil, errs.New(errs.Invalid, "a batch cannot have %d rows", in.Rows)
	}
	var result *abi.Batch
	err := p.lend(ctx, func(i *instance) error {
		var all gather
		for from := 0; ; from += abi.MaxRows {
			to := min(from+abi.MaxRows, in.Rows)
			if from > 0 {
				if err := p.pool.afford(ctx); err != nil {
					return err
				}
			}
			var out *abi.Batch
			if err := p.run(abi.WorldTransform, i, func(i *instance) (err error) { out, err = p.chunk(ctx, i, in, from, to); return err }); err != nil {
				return err
			}
			if from == 0 && to == in.Rows {
				result = out.Clone()
				return nil
			}
			if err := all.add(out, in.Rows); err != nil {
				return err
			}
			if to == in.Rows {
				result = all.batch()
				return nil
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// TransformChunk runs the plugin over at most abi.MaxRows rows without copying the result: out views the guest's memory and
// is valid only inside use, which must not change it. use's error is returned as it is and does not cost the instance.
func (p *Plugin) TransformChunk(ctx context.Context, in *abi.Batch, use func(out *abi.Batch) error) error {
	if err := p.speaks(abi.WorldTransform); err != nil {
		return err
	}
	if in.Rows < 0 || in.Rows > abi.MaxRows {
		return errs.New(errs.Invalid, "a chunk has 0..%d rows, not %d", abi.MaxRows, in.Rows)
	}
	inst, err := p.pool.acquire(ctx, &p.tenant)
	if err != nil {
		return err
	}
	var out *abi.Batch
	if err = p.run(abi.WorldTransform, inst, func(i *instance) (err error) { out, err = p.chunk(ctx, i, in, 0, in.Rows); return err }); err != nil {
		return p.pool.release(inst, err)
	}
	defer func() { _ = p.pool.release(inst, nil) }()
	return use(out)
}

// Gate asks for a verdict about a JSON context.
func (p *Plugin) Gate(ctx context.Context, context []byte) (abi.Verdict, error) {
	var v abi.Verdict
	if err := p.ask(ctx, abi.WorldGate, context, func(raw []byte) error { return readVerdict(raw, &v) }); err != nil {
		return abi.Verdict{}, err
	}
	return v, nil
}

// readVerdict reads a verdict and checks what its shape does not say.
func readVerdict(raw []byte, v *abi.Verdict) error {
	if err := json.Unmarshal(raw, v); err != nil {
		return err
	}
	if v.Outcome != abi.Pass && v.Outcome != abi.Fail && v.Outcome != abi.Review || len(v.Reasons) == 0 {
		return fmt.Errorf("a verdict needs an outcome (pass, fail or review) and a reason, not %q with %d reasons", clipText(string(v.Outcome)), len(v.Reasons))
	}
	return nil
}

// Handle answers a request or an event. A guest-reported failure is an error; an HTTP status of failure is not.
func (p *Plugin) Handle(ctx context.Context, r abi.Request) (abi.Response, error) {
	var out abi.Response
	if p.foreign {
		return p.handleExtism(ctx, r)
	}
	doc := requests.Get().(*[]byte)
	*doc = appendRequest((*doc)[:0], &r)
	err := p.ask(ctx, abi.WorldHandler, *doc, func(raw []byte) error { return readResponse(raw, &out) })
	if cap(*doc) <= 64<<10 { // a large one would stay for small ones
		requests.Put(doc)
	}
	if err != nil {
		return abi.Response{}, err
	}
	return out, nil
}

// readResponse reads a response and checks its status.
func readResponse(raw []byte, r *abi.Response) error {
	if err := parseResponse(raw, r); err != nil {
		return err
	}
	if r.Status != 0 && (r.Status < 200 || r.Status > 599) {
		return fmt.Errorf("it has the HTTP status %d, not one of 200..599", r.Status)
	}
	return nil
}

// requests are buffers of request documents: the guest has its own copy when Handle returns.
var requests = sync.Pool{New: func() any { return new([]byte) }}

// ask gives a document and reads the answering document, which lies in the guest's memory.
func (p *Plugin) ask(ctx context.Context, w abi.World, doc []byte, read func([]byte) error) error {
	if err := p.speaks(w); err != nil {
		return err
	}
	return p.lend(ctx, func(in *instance) error {
		return p.run(w, in, func(in *instance) error { return p.exchange(ctx, in, w, doc, read) })
	})
}

func (p *Plugin) exchange(ctx context.Context, in *instance, w abi.World, doc []byte, read func([]byte) error) error {
	if in.ext != nil {
		raw, err := in.callExtism(ctx, in.ext.exports.Gate, doc)
		if err != nil {
			return err
		}
		if len(raw) > maxDocumentBytes {
			return faultf(errs.Exhausted, causeOutput, "%s answered %d bytes, a verdict has at most %d", in.ext.exports.Gate, len(raw), maxDocumentBytes)
		}
		if err := read(raw); err != nil {
			return faultf(errs.Invalid, causeOutput, "%s answered no verdict: %v", in.ext.exports.Gate, err)
		}
		return nil
	}
	e := fnGate
	if w == abi.WorldHandler {
		e = fnHandle
	}
	return in.give(ctx, doc, func(ptr, size uint64) error {
		if err := in.host.begin(ctx); err != nil {
			return err
		}
		raw, err := in.document(ctx, e, ptr, size)
		if ended := in.host.end(); err == nil {
			err = ended
		}
		if err != nil {
			return err
		}
		if err := read(raw); err != nil {
			return faultf(errs.Invalid, causeOutput, "%s answered no such document: %v", e, err)
		}
		return nil
	})
}
