package plugin

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf16"

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
		WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, mod api.Module, stack []uint64) {
			m := mod.Memory()
			panic(&abortError{message: utf16Text(m, uint32(stack[0])), file: utf16Text(m, uint32(stack[1])), line: uint32(stack[2]), column: uint32(stack[3])})
		}), []api.ValueType{i32, i32, i32, i32}, nil).
		Export(abortName).
		Instantiate(ctx)
	return err
}

const abortModule, abortName = "env", "abort"

// abortError is a guest's own abort. Message and file are "" where they are not to be read.
type abortError struct {
	message, file string
	line, column  uint32
}

func (e *abortError) Error() string {
	at := fmt.Sprintf("line %d, column %d", e.line, e.column)
	if e.file != "" {
		at = e.file + ", " + at
	}
	if e.message == "" {
		return "aborted at " + at
	}
	return fmt.Sprintf("aborted: %s (%s)", e.message, at)
}

// maxAbortBytes cuts the texts of an abort.
const maxAbortBytes = 512

// utf16Text reads a text as AssemblyScript keeps it: UTF-16 at address, its bytes counted in the four before. The guest may have passed anything: what
// does not lie in its memory is "".
func utf16Text(m api.Memory, address uint32) string {
	if m == nil || address < 4 {
		return ""
	}
	size, ok := m.ReadUint32Le(address - 4)
	if !ok {
		return ""
	}
	raw, ok := m.Read(address, min(size, maxAbortBytes)&^1)
	if !ok {
		return ""
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	return printable([]byte(string(utf16.Decode(units))))
}

const fuelModule = fuel.ImportModule

// maxTableElements bounds a module's tables, which lie outside its memory limit: 8 MiB each.
const maxTableElements = 1 << 20

// instrument makes a module interruptible.
func instrument(wasm []byte) ([]byte, error) {
	out, _, err := fuel.Rewrite(wasm, fuel.Options{MaxTableElements: maxTableElements})
	return out, err
}
