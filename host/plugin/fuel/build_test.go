package fuel

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Value types, as bytes of the format.
const (
	tI32 = 0x7f
	tI64 = 0x7e
	tF64 = 0x7c
)

// builder writes modules for tests.
type builder struct {
	types   [][]byte
	imports [][]byte // functions
	funcs   []uint32
	bodies  [][]byte
	exports [][]byte
	globals [][]byte
	memory  []byte // limits
	tables  [][]byte
	elems   [][]byte
	data    [][]byte
	start   []byte
	customs [][]byte
	count   bool // write a data count section
}

func fn(params, results []byte) []byte {
	b := appendU32([]byte{0x60}, uint32(len(params)))
	b = append(b, params...)
	return append(appendU32(b, uint32(len(results))), results...)
}

// typ is the index of a function type.
func (m *builder) typ(params, results []byte) uint32 {
	t := fn(params, results)
	for i, have := range m.types {
		if string(have) == string(t) {
			return uint32(i)
		}
	}
	m.types = append(m.types, t)
	return uint32(len(m.types) - 1)
}

// add defines a function and exports it if it has a name; locals are of the types given, code has no end.
func (m *builder) add(name string, params, results, locals, code []byte) uint32 {
	index := uint32(len(m.imports) + len(m.funcs))
	m.funcs = append(m.funcs, m.typ(params, results))
	b := appendU32(nil, uint32(len(locals)))
	for _, l := range locals {
		b = append(b, 1, l)
	}
	m.bodies = append(m.bodies, append(append(b, code...), opEnd))
	if name != "" {
		m.exports = append(m.exports, appendU32(append(appendName(nil, name), 0), index))
	}
	return index
}

func vec(items [][]byte) []byte {
	b := appendU32(nil, uint32(len(items)))
	for _, i := range items {
		b = append(b, i...)
	}
	return b
}

func (m *builder) wasm() []byte {
	out := append([]byte(nil), magic...)
	section := func(id byte, items [][]byte) {
		if len(items) > 0 {
			out = appendSection(out, id, vec(items))
		}
	}
	section(secType, m.types)
	section(secImport, m.imports)
	var funcs, codes [][]byte
	for i, t := range m.funcs {
		funcs = append(funcs, appendU32(nil, t))
		codes = append(codes, append(appendU32(nil, uint32(len(m.bodies[i]))), m.bodies[i]...))
	}
	section(secFunction, funcs)
	section(secTable, m.tables)
	if m.memory != nil {
		section(secMemory, [][]byte{m.memory})
	}
	section(secGlobal, m.globals)
	section(secExport, m.exports)
	if m.start != nil {
		out = appendSection(out, secStart, m.start)
	}
	section(secElement, m.elems)
	if m.count {
		out = appendSection(out, secDataCount, appendU32(nil, uint32(len(m.data))))
	}
	section(secCode, codes)
	section(secData, m.data)
	for _, c := range m.customs {
		out = appendSection(out, secCustom, c)
	}
	return out
}

// Pieces of code.
func cat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
func op(o byte, args ...uint32) []byte {
	b := []byte{o}
	for _, a := range args {
		b = appendU32(b, a)
	}
	return b
}
func i32c(v int32) []byte { return appendS64([]byte{opI32Const}, int64(v)) }
func i64c(v int64) []byte { return appendS64([]byte{opI64Const}, v) }
func f64c(v float64) []byte {
	b := []byte{opF64Const}
	for i, x := 0, math.Float64bits(v); i < 8; i++ {
		b = append(b, byte(x>>(8*i)))
	}
	return b
}
func loop(code ...[]byte) []byte { return cat([]byte{opLoop, blockEmpty}, cat(code...), []byte{opEnd}) }
func blk(code ...[]byte) []byte  { return cat([]byte{opBlock, blockEmpty}, cat(code...), []byte{opEnd}) }

// guest is a rewritten module's instance with its meter.
type guest struct {
	api.Module
	meter *Meter
	ctx   context.Context
}

// rewritten rewrites or fails.
func rewritten(tb testing.TB, wasm []byte) []byte {
	tb.Helper()
	out, _, err := Rewrite(wasm, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// newRuntime is a runtime with the fuel module.
func newRuntime(tb testing.TB) wazero.Runtime {
	tb.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntime(ctx)
	tb.Cleanup(func() { rt.Close(ctx) })
	if err := Instantiate(ctx, rt); err != nil {
		tb.Fatal(err)
	}
	return rt
}

// instantiate starts a rewritten module under a budget; the error is instantiation's.
func instantiate(tb testing.TB, rt wazero.Runtime, wasm []byte, m *Meter, ctx context.Context, budget int64, deadline time.Time) (*guest, error) {
	tb.Helper()
	g := &guest{meter: m, ctx: m.Context(context.Background())}
	m.Start(ctx, budget, deadline)
	var err error
	if g.Module, err = rt.InstantiateWithConfig(g.ctx, wasm, wazero.NewModuleConfig().WithName("").WithStartFunctions()); err != nil {
		return nil, err
	}
	if err := m.Attach(g.Module); err != nil {
		tb.Fatal(err)
	}
	return g, nil
}

// call calls an export under a budget and answers what it burned.
func (g *guest) call(name string, budget int64, args ...uint64) ([]uint64, int64, error) {
	g.meter.Start(context.Background(), budget, time.Time{})
	out, err := g.ExportedFunction(name).Call(g.ctx, args...)
	return out, g.meter.Used(), err
}
