package plugin

import (
	"context"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/weir-ml/weir/host/plugin/internal/fuel"
)

// Guests are stopped from inside: their modules are rewritten (internal/fuel) to call refill again and again, and refill
// panics when the time is up, the caller gave up or the host is closing. wazero turns that into the call's error.

// haltError stops a guest; ctx is the caller's context error, nil when the time limit struck.
type haltError struct{ ctx error }

func (e *haltError) Error() string { return "stopped by the host" }

// meter is what the running guest is checked against, and counts the slices of fuel it took. The time limit counts from the
// first refill of a call, at most a slice after its start: short calls then never look at the clock.
type meter struct {
	ctx      context.Context // nil: no guest may run
	limit    time.Duration
	deadline time.Time
	slices   uint64
}

func (m *meter) arm(ctx context.Context) { m.ctx, m.deadline = ctx, time.Time{} }
func (m *meter) disarm()                 { m.ctx = nil }

type meterKey struct{}

func instantiateHostModules(ctx context.Context, rt wazero.Runtime) error {
	_, err := rt.NewHostModuleBuilder(fuel.Module).
		NewFunctionBuilder().
		WithGoFunction(api.GoFunc(refill), nil, []api.ValueType{i64}).
		Export(fuel.Refill).
		Instantiate(ctx)
	return err
}

func refill(ctx context.Context, stack []uint64) {
	m, _ := ctx.Value(meterKey{}).(*meter)
	if m == nil || m.ctx == nil {
		panic(&haltError{}) // code that runs outside a call: there is none
	}
	if err := m.ctx.Err(); err != nil {
		panic(&haltError{err})
	}
	switch now := time.Now(); {
	case m.deadline.IsZero():
		m.deadline = now.Add(m.limit)
	case !now.Before(m.deadline):
		panic(&haltError{})
	}
	m.slices++
	stack[0] = fuel.Slice
}

const fuelModule = fuel.Module

// instrument makes a module interruptible.
func instrument(wasm []byte) ([]byte, error) { return fuel.Instrument(wasm) }
