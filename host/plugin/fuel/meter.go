package fuel

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/weir-ml/weir/host/errs"
)

// DefaultSlice is how many units a refill grants at most: some 30 to 100 µs of work, beside which a refill's cost vanishes,
// and as long as a waiting garbage collector or deadline waits.
const DefaultSlice = 100_000

// MaxBudget is the largest budget; "no limit" in practice: centuries of work.
const MaxBudget = 1 << 62

// Why a guest was stopped. A stopped guest's error is one of these in its chain (errors.Is); after a cancellation or a
// deadline of the context the context's error is in the chain as well.
var (
	ErrExhausted = errs.New(errs.Exhausted, "its fuel is used up")
	ErrDeadline  = errs.New(errs.Timeout, "its time is up")
)

// Instantiate adds the host module that rewritten modules import; once per runtime. ctx is not kept.
func Instantiate(ctx context.Context, rt wazero.Runtime) error {
	_, err := rt.NewHostModuleBuilder(ImportModule).NewFunctionBuilder().
		WithGoFunction(api.GoFunc(refill), []api.ValueType{api.ValueTypeI64}, []api.ValueType{api.ValueTypeI64}).
		WithName(importName).Export(importName).Instantiate(ctx)
	if err != nil {
		return fmt.Errorf("prepare the fuel host module: %w", err)
	}
	return nil
}

type meterKey struct{}

// Meter is the host's end of one instance's counter. It is used by one goroutine at a time, like the instance. The order of
// use: Context (for every call into the instance, instantiation included), Start, instantiate, Attach, then Start before
// each further call.
type Meter struct {
	counter  api.MutableGlobal // nil before Attach
	slice    int64
	granted  int64 // units given to the guest since the beginning; granted − counter = used
	limit    int64 // units that the guest may have used before it is stopped
	started  int64 // units used when the budget at hand began
	ctx      context.Context
	deadline time.Time     // zero: none yet
	within   time.Duration // the deadline is this long after the first refill; 0: as it is
	patience time.Time     // from then on every refill lets others run
	refills  uint64
}

// NewMeter makes a meter that grants slice units at a time (0: DefaultSlice). The slice changes no result and no amount.
func NewMeter(slice int64) *Meter {
	if slice <= 0 {
		slice = DefaultSlice
	}
	return &Meter{slice: slice}
}

// Context carries the meter into calls: make the context once per instance, and call everything with it.
func (m *Meter) Context(parent context.Context) context.Context {
	return context.WithValue(parent, meterKey{}, m)
}

// Attach connects the meter to its instance. It fails if the module was not rewritten.
func (m *Meter) Attach(mod api.Module) error {
	g, ok := mod.ExportedGlobal(GlobalName).(api.MutableGlobal)
	if !ok {
		return errs.New(errs.Internal, "the module has no fuel counter: it was not rewritten")
	}
	m.counter = g
	return nil
}

// Start begins a budget of units from now on, 0 to MaxBudget, under ctx (nil: none) and deadline (zero: none). What the
// guest already owes it still owes: a call may end below zero, by what ran since the last test.
func (m *Meter) Start(ctx context.Context, budget int64, deadline time.Time) {
	m.start(ctx, budget)
	m.deadline, m.within, m.patience = deadline, 0, time.Time{}
}

// StartWithin is Start with a time limit instead of a deadline. It counts from the first refill, at most a slice after the
// call's begin, so that short calls need no clock.
func (m *Meter) StartWithin(ctx context.Context, budget int64, limit time.Duration) {
	m.start(ctx, budget)
	m.deadline, m.within, m.patience = time.Time{}, limit, time.Time{}
}

func (m *Meter) start(ctx context.Context, budget int64) {
	m.ctx = ctx
	m.started = m.used()
	m.limit = m.started + min(max(budget, 0), MaxBudget)
	if over := m.granted - m.limit; over > 0 && m.counter != nil {
		m.add(-over)
	}
}

// Stop ends a budget and lets ctx go: until the next Start nothing more is granted. What is left of the slice stays with the
// guest, and counts towards the next budget: taking it back would make every short call begin with a refill.
func (m *Meter) Stop() {
	m.ctx, m.limit = nil, m.granted
}

// add moves the counter: added to, never set, so that debt is carried.
func (m *Meter) add(units int64) {
	m.counter.Set(uint64(int64(m.counter.Get()) + units))
	m.granted += units
}

func (m *Meter) used() int64 {
	if m.counter == nil {
		return m.started // nothing is known before Attach but what refills have seen
	}
	return m.granted - int64(m.counter.Get())
}

// Burn charges the guest for what the host does for it: called by a host function that the guest has called, or between
// calls. The guest is stopped at its next test if that was more than it has.
func (m *Meter) Burn(units int64) {
	if m.counter == nil {
		m.granted += units // a start function's calls: out of what is not granted yet
		return
	}
	m.counter.Set(uint64(int64(m.counter.Get()) - units))
}

// Used is the units burned since Start; after a trap, and where instantiation failed, the last are known to a slice only.
func (m *Meter) Used() int64 {
	if m.counter == nil {
		return m.granted - m.started
	}
	return m.used() - m.started
}

// Remaining is what is left of the budget; negative is debt.
func (m *Meter) Remaining() int64 { return m.limit - m.used() }

// Refills counts the guest's calls for more since the meter was made.
func (m *Meter) Refills() uint64 { return m.refills }

// refill is what the guest calls below zero: (counter) → (counter). It answers or panics; wazero makes an error of that.
func refill(ctx context.Context, stack []uint64) {
	m, ok := ctx.Value(meterKey{}).(*Meter)
	if !ok {
		panic(errs.New(errs.Internal, "a guest was called without its fuel meter"))
	}
	stack[0] = uint64(m.refill(int64(stack[0])))
}

func (m *Meter) refill(counter int64) int64 {
	m.refills++
	if m.ctx != nil {
		if err := m.ctx.Err(); err != nil {
			panic(&stopError{err})
		}
	}
	if m.within > 0 || !m.deadline.IsZero() {
		m.look(time.Now(), -counter)
	}
	// What the guest may still have, and what it needs to be at zero again.
	left := m.limit - m.granted
	if need := -counter; need > left {
		panic(ErrExhausted)
	} else {
		grant := min(need+m.slice, left)
		m.granted += grant
		return counter + grant
	}
}

// yieldAfter is how long a call may run before it lets others run at each refill. Guest code cannot be preempted, and Go's
// scheduler would hand the processor on after 10 ms: beside eight endless loops a call of microseconds waited for 40 ms. A call
// that is over sooner, as nearly all are, never pays for a turn of the scheduler; one that came out of C through a callback would
// pay with a change of threads.
const yieldAfter = time.Millisecond

// A bulk instruction is paid for before it runs and cannot be stopped: one that would end later than lateness after the deadline, at
// unitTime a unit (8 bytes; some 10 GB/s, memory that was never touched included), is not begun.
const (
	lateness = 2 * time.Millisecond
	unitTime = time.Nanosecond
)

// look checks the time; owed is what the guest wants to go on with.
func (m *Meter) look(now time.Time, owed int64) {
	if m.deadline.IsZero() {
		m.deadline = now.Add(m.within)
	} else if !now.Before(m.deadline) {
		panic(ErrDeadline)
	}
	if ends := time.Duration(min(owed, MaxBudget>>2)) * unitTime; ends > lateness && now.Add(ends-lateness).After(m.deadline) {
		panic(ErrDeadline)
	}
	switch {
	case m.patience.IsZero():
		m.patience = now.Add(yieldAfter)
	case now.After(m.patience):
		runtime.Gosched()
	}
}

// stopError is the end of a guest whose caller gave up.
type stopError struct{ cause error }

func (e *stopError) Error() string { return ErrDeadline.Error() + ": " + e.cause.Error() }

func (e *stopError) Unwrap() []error { return []error{ErrDeadline, e.cause} }

// Stopped reports whether err, of a call into a guest, is the meter's doing.
func Stopped(err error) bool {
	return errors.Is(err, ErrExhausted) || errors.Is(err, ErrDeadline)
}
