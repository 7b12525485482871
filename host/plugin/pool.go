package plugin

import (
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Stats are one plugin's figures since it was opened.
type Stats struct {
	Live, Idle    int           // instances, and those of them that wait for work
	Waiting       int           // calls that wait for an instance
	Calls         uint64        // transforms (chunks), metric calls, gates, handlers
	Fuel          uint64        // units burned by all of its instances, in their making and in calls
	Traps         uint64        // instances thrown away after an error
	ColdStarts    uint64        // instances made
	LastColdStart time.Duration // the last one's making, loading code included
}

// pool is one module with one set of parameters: instances made on demand, lent to one caller at a time.
type pool struct {
	host   *Host
	code   *code
	key    string
	params json.RawMessage
	limits Limits
	grants *Grants // nil: none
	extism ExtismExports
	log    *guestLog
	fuel   *rate // nil: no limit
	refs   int   // of Plugins; guarded by the host's mu

	turns *turns // places for instances in use or starting

	mu     sync.Mutex
	idle   []*instance // the most recently used last
	live   int
	closed bool

	schema atomic.Pointer[abi.Schema] // known once an instance has been initialised

	calls, traps, colds, burned atomic.Uint64
	lastCold                    atomic.Int64
}

func newPool(h *Host, c *code, key string, params json.RawMessage, l Limits, o opening) *pool {
	return &pool{
		host: h, code: c, key: key, params: params, limits: l, grants: o.grants, extism: o.extism,
		log:   &guestLog{log: h.log.With("digest", c.digest), now: h.now, perSecond: l.LogPerSecond},
		fuel:  newRate(l.FuelPerSecond, h.now),
		turns: newTurns(l.MaxInstances),
	}
}

// prepare starts one instance when none has been, so that the schema and errors in the parameters are known.
func (p *pool) prepare(ctx context.Context, t *tenant) error {
	if p.schema.Load() != nil {
		return nil
	}
	in, err := p.acquire(ctx, t)
	if err != nil {
		return err
	}
	return p.release(in, nil)
}

// afford waits until the plugin's fuel per second allows more work.
func (p *pool) afford(ctx context.Context) error {
	d, err := p.fuel.wait(ctx, p.limits.Timeout)
	switch {
	case errors.Is(err, context.Canceled):
		return errs.With(errs.Unavailable, err)
	case d > 0:
		return errs.New(errs.Exhausted, "plugin %s: it has burned more than its %d units of fuel a second: retry in %s, or raise its limit fuel_per_second",
			p.code, p.limits.FuelPerSecond, d.Round(time.Millisecond))
	}
	return nil
}

// charge puts what an instance has burned since the last time on the pool's account.
func (p *pool) charge(in *instance, what string) {
	units := in.meter.burned - in.paid
	in.paid = in.meter.burned
	if units > 0 {
		p.burned.Add(uint64(units))
		p.fuel.spend(units)
		p.host.metrics.burned(what, units)
	}
}

// acquire lends an instance to a tenant. When all are busy it waits for ctx, and without a deadline there for the time limit of a
// call; those who wait are served tenant by tenant.
func (p *pool) acquire(ctx context.Context, t *tenant) (*instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, errs.With(errs.KindOf(err), err)
	}
	if err := p.afford(ctx); err != nil {
		return nil, err
	}
	if w := p.turns.take(t); w != nil {
		if err := p.wait(ctx, t, w); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		in := p.idle[n-1]
		p.idle[n-1], p.idle = nil, p.idle[:n-1]
		p.mu.Unlock()
		return in, nil
	}
	if p.closed {
		p.mu.Unlock()
		p.turns.give()
		return nil, errs.New(errs.Unavailable, "plugin %s is closed", p.code)
	}
	p.live++
	p.mu.Unlock()
	in, err := p.make(ctx)
	if err != nil {
		p.mu.Lock()
		p.live--
		p.mu.Unlock()
		p.turns.give()
		return nil, err
	}
	return in, nil
}

func (p *pool) wait(ctx context.Context, t *tenant, w *list.Element) error {
	limited := ctx
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, p.limits.Timeout)
		defer cancel()
	}
	if p.turns.wait(limited, t, w) {
		return nil
	}
	if err := ctx.Err(); errors.Is(err, context.Canceled) {
		return errs.With(errs.Unavailable, err)
	}
	return errs.New(errs.Exhausted, "plugin %s: all %d instances are busy: retry later, or raise its instance limit", p.code, p.limits.MaxInstances)
}

// make starts and initialises an instance.
func (p *pool) make(ctx context.Context) (*instance, error) {
	began := time.Now()
	in, err := p.code.start(ctx, p.limits, p)
	if err != nil {
		p.traps.Add(1)
		return nil, err
	}
	err = p.initialise(ctx, in)
	in.rest() // from its making
	p.charge(in, worldStart)
	if err != nil {
		p.traps.Add(1)
		in.close()
		return nil, p.host.blame(p.code, err)
	}
	took := time.Since(began)
	p.colds.Add(1)
	p.lastCold.Store(int64(took))
	p.host.metrics.started(took)
	return in, nil
}

func (p *pool) initialise(ctx context.Context, in *instance) error {
	if err := in.enter(); err != nil {
		return err
	}
	defer in.leave()
	if _, err := p.code.learn(ctx, in); err != nil {
		return err
	}
	named, err := p.extism.resolve(p.code.foreign())
	if err != nil {
		return err
	}
	if in.ext != nil {
		in.ext.exports = named
		if err := in.ext.configure(p.params); err != nil {
			return err
		}
		p.schema.Store(&abi.Schema{})
		return nil
	}
	if p.schema.Load() == nil { // they are the pool's: checked once
		if err := p.code.parameters().check(p.params); err != nil {
			return err
		}
	}
	err = in.give(ctx, p.params, func(ptr, size uint64) error {
		v, err := in.call(ctx, fnInit, ptr, size)
		if err == nil && int32(v) != 0 {
			err = in.guestError(ctx, fnInit)
		}
		return err
	})
	if err != nil {
		return err
	}
	if p.schema.Load() != nil {
		return nil
	}
	raw, err := in.document(ctx, fnSchema)
	if err != nil {
		return err
	}
	var s abi.Schema
	if err := json.Unmarshal(raw, &s); err != nil {
		return faultf(errs.Invalid, causeOutput, "weir_schema did not answer a schema: %v", err)
	}
	p.schema.Store(&s)
	return nil
}

// release takes an instance back; after a fault, or when it is worn, it is closed. Other errors (a batch that the caller built
// wrongly) never reached the guest. It returns the error with the plugin's name.
func (p *pool) release(in *instance, err error) error {
	defer p.turns.give()
	faulty := err != nil && isFault(err)
	worn := in.worn()
	p.mu.Lock()
	closed := p.closed
	if !faulty && !closed && worn == "" {
		in.idleAt = p.host.coarse.Load()
		p.idle = append(p.idle, in)
		p.mu.Unlock()
		return err
	}
	p.live--
	p.mu.Unlock()
	in.close()
	switch {
	case faulty:
		p.traps.Add(1)
		p.host.metrics.recycled(recycledError, 1)
		return p.host.blame(p.code, err)
	case !closed:
		p.host.metrics.recycled(worn, 1)
	}
	return err
}

// restAfter is the idleness after which an instance keeps no stacks: long beside what making one anew costs, a microsecond.
const restAfter = time.Second

// shrink closes instances idle for longer than the limit, and makes the others lean.
func (p *pool) shrink(now time.Time) {
	p.mu.Lock()
	n := 0
	for n < len(p.idle) && now.Sub(time.Unix(0, p.idle[n].idleAt)) > p.limits.IdleAfter {
		n++ // the list is ordered by idleAt, as instances are taken from and returned to its end
	}
	old := append([]*instance(nil), p.idle[:n]...)
	p.idle = append(p.idle[:0], p.idle[n:]...)
	p.live -= n
	for _, in := range p.idle {
		if now.Sub(time.Unix(0, in.idleAt)) > restAfter {
			in.rest()
		}
	}
	p.mu.Unlock()
	for _, in := range old {
		in.close()
	}
	p.host.metrics.recycled(recycledIdle, len(old))
}

// close closes idle instances; busy ones follow when they are released.
func (p *pool) close() {
	for _, in := range p.abandon() {
		in.close()
	}
}

// abandon forgets idle instances and lets no new one start.
func (p *pool) abandon() []*instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.live -= len(idle)
	return idle
}

func (p *pool) stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Live: p.live, Idle: len(p.idle), Waiting: p.turns.length(), Calls: p.calls.Load(), Fuel: p.burned.Load(), Traps: p.traps.Load(), ColdStarts: p.colds.Load(),
		LastColdStart: time.Duration(p.lastCold.Load()),
	}
}
