package plugin

import (
	"context"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/weir-ml/weir/host/plugin/fuel"
)

// Guests are stopped from inside: their modules are rewritten (host/plugin/fuel) to call refill again and again, and refill
// panics when the time is up, the caller gave up or the host is closing. wazero turns that into the call's error.

// meter is what the running guest is checked against: its fuel, the time limit and the caller's context. The time counts from
// the first refill of a call, at most a slice after its start, so that short calls never look at the clock.
type meter struct {
	*fuel.Meter
	budget int64 // units of one call
	limit  time.Duration
	burned int64 // by all calls so far, those that failed included
}

func (m *meter) arm(ctx context.Context) { m.StartWithin(ctx, m.budget, m.limit) }

func (m *meter) disarm() {
	m.burned += m.Used()
	m.Stop()
}

func instantiateHostModules(ctx context.Context, rt wazero.Runtime) error {
	if err := fuel.Instantiate(ctx, rt); err != nil {
		return err
	}
	if err := instantiateHostCalls(ctx, rt); err != nil {
		return err
	}
	if err := instantiateExtism(ctx, rt); err != nil {
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

const fuelModule = fuel.ImportModule

// maxTableElements bounds a module's tables, which lie outside its memory limit: 8 MiB each.
const maxTableElements = 1 << 20

// instrument makes a module interruptible.
func instrument(wasm []byte) ([]byte, error) {
	out, _, err := fuel.Rewrite(wasm, fuel.Options{MaxTableElements: maxTableElements})
	return out, err
}
