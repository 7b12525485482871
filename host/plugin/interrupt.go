package plugin

import (
	"context"
	"fmt"
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

// meter is what the running guest is checked against. The time limit counts from the
// first refill of a call, at most a slice after its start: short calls then never look at the clock.
type meter struct {
	ctx      context.Context // nil: no guest may run
	limit    time.Duration
	deadline time.Time
}

func (m *meter) arm(ctx context.Context) { m.ctx, m.deadline = ctx, time.Time{} }
func (m *meter) disarm()                 { m.ctx = nil }

type meterKey struct{}

func instantiateHostModules(ctx context.Context, rt wazero.Runtime) error {
	if _, err := rt.NewHostModuleBuilder(fuel.Module).
		NewFunctionBuilder().
		WithGoFunction(api.GoFunc(refill), nil, []api.ValueType{i64}).
		Export(fuel.Refill).
		Instantiate(ctx); err != nil {
		return err
	}
	// AssemblyScript's compiler leaves this one import in its modules: message, file, line, column.
	_, err := rt.NewHostModuleBuilder(abortModule).
		NewFunctionBuilder().
		WithGoFunction(api.GoFunc(func(_ context.Context, stack []uint64) {
			panic(&abortError{line: uint32(stack[2]), column: uint32(stack[3])})
		}), []api.ValueType{i32, i32, i32, i32}, nil).
		Export(abortName).
		Instantiate(ctx)
	return err
}

const abortModule, abortName = "env", "abort"

// abortError is a guest's own abort.
type abortError struct{ line, column uint32 }

func (e *abortError) Error() string {
	return fmt.Sprintf("aborted at line %d, column %d", e.line, e.column)
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
	stack[0] = fuel.Slice
}

const fuelModule = fuel.Module

// instrument makes a module interruptible.
func instrument(wasm []byte) ([]byte, error) { return fuel.Instrument(wasm) }
