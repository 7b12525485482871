package plugin

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/errs"
)

// TestHostileMemory: bombs of memory, tables and segments.
func TestHostileMemory(t *testing.T) {
	var cases []hostileCase
	add := func(name string, g *hostileGuest, kind errs.Kind, c cause, text string) {
		hc := hostileCase{name: name, module: g, kind: kind, cause: c, text: text}
		if c != "" {
			hc.use = useGate
		}
		cases = append(cases, hc)
	}
	const outside = "it trapped: out of bounds memory access"
	const limit = "it needs more than its memory limit of 8388608 bytes"

	add("grow to the limit and beyond", gateOf("loop i32.const 16 memory.grow i32.const -1 i32.ne br_if 0 end unreachable"), errs.Exhausted, causeMemory, limit)
	add("grow by a page for ever", gateOf("loop i32.const 1 memory.grow drop br 0 end"), errs.Exhausted, causeFuel, "burned its fuel")
	add("grow by 64 MiB at once", gateOf("i32.const 1024 memory.grow drop unreachable"), errs.Exhausted, causeMemory, limit)
	// Beyond what any plugin may have the engine answers -1 by itself.
	add("grow by 4 GiB", gateOf("i32.const 65535 memory.grow i32.const -1 i32.eq if unreachable end"), errs.Invalid, causeUnreachable, "unreachable")
	add("grow by 2^32-1 pages", gateOf("i32.const -1 memory.grow i32.const -1 i32.eq if unreachable end"), errs.Invalid, causeUnreachable, "unreachable")
	add("grow politely", gateOf("loop i32.const 16 memory.grow i32.const -1 i32.ne br_if 0 end i64.const 0 return"), errs.Exhausted, causeMemory, "weir_gate")
	add("grow in _initialize", newGuest().fn("_initialize", ">", "i32.const 4096 memory.grow i32.const -1 i32.eq if unreachable end"), errs.Exhausted, causeMemory, limit)
	cases[len(cases)-1].use = nil

	pages := func(least, most uint32) *hostileGuest { g := newGuest(); g.pages, g.maxPages = least, most; return g }
	add("begins beyond the limit", pages(129, 0), errs.Exhausted, "", "its memory begins with 8454144 bytes, more than the limit of 8388608")
	cases[len(cases)-1].limits.MemoryBytes = 8 << 20
	add("begins with 4 GiB", pages(65536, 65536), errs.Invalid, "", "not a valid WebAssembly module")
	add("begins with more than there can be", pages(1<<31, 0), errs.Invalid, "", "not a module that can run here")
	add("says that it may grow to 4 GiB, and does", func() *hostileGuest {
		g := gateOf("loop i32.const 1 memory.grow i32.const -1 i32.ne br_if 0 end unreachable")
		g.maxPages = 65536
		return g
	}(), errs.Exhausted, causeMemory, limit)

	segment := func(at uint32, n int) *hostileGuest {
		g := newGuest()
		g.data = append(g.data, hostileData{at, make([]byte, n)})
		return g
	}
	trapping := func(name string, g *hostileGuest, text string) {
		add(name, g, errs.Invalid, causeBounds, text)
		cases[len(cases)-1].use = nil
	}
	trapping("data segment beyond the memory", segment(131071, 2), "out of bounds")
	trapping("data segment at the end of 32 bits", segment(0xffffffff, 2), "out of bounds")
	trapping("data segment larger than the memory", segment(0, 4<<20), "out of bounds")
	// Of a segment that does not fit nothing is put into the table.
	elements := gateOf("i32.const 0 call_indirect >")
	elements.tables, elements.elements = []uint32{3}, strings.Fields(strings.Repeat("weir_init ", 4))
	add("element segment beyond the table", elements, errs.Invalid, causeBounds, "invalid table access")
	bomb := gateOf("i32.const 0 call_indirect >")
	bomb.tables, bomb.elements = []uint32{1 << 20}, strings.Fields(strings.Repeat("weir_init ", 1<<20+1))
	add("element bomb", bomb, errs.Invalid, causeBounds, "invalid table access")
	more := newGuest()
	more.tables, more.elements = []uint32{1 << 20}, strings.Fields(strings.Repeat("weir_init ", 2_000_001))
	add("element bomb of two million", more, errs.Invalid, "", "elements")

	table := func(sizes ...uint32) *hostileGuest { g := newGuest(); g.tables = sizes; return g }
	add("huge table", table(1<<20+1), errs.Invalid, "", "a table begins with 1048577 elements, the limit is 1048576")
	add("table of 2^32-1", table(0xffffffff), errs.Invalid, "", "a table begins with 4294967295 elements")
	many := make([]uint32, 2000)
	for i := range many {
		many[i] = 1 << 20
	}
	add("two thousand tables of the largest size", table(many...), errs.Invalid, "", "tables")
	add("table.grow by a million for ever", gateOf("loop ref.null i32.const 1000000 table.grow 0 drop br 0 end"), errs.Exhausted, causeFuel, "burned its fuel")
	add("table.grow by one for ever", gateOf("loop ref.null i32.const 1 table.grow 0 i32.const -1 i32.ne br_if 0 end unreachable"), errs.Exhausted, causeFuel, "burned its fuel")
	add("table.set beyond", gateOf("i32.const 16 ref.null table.set 0"), errs.Invalid, causeBounds, "invalid table access")
	add("table.fill beyond", gateOf("i32.const 15 ref.null i32.const 2 table.fill 0"), errs.Invalid, causeBounds, "invalid table access")

	add("load beyond", gateOf("i32.const 131069 i32.load drop"), errs.Invalid, causeBounds, outside)
	add("load whose address wraps", gateOf("i32.const -1 i32.load_far drop"), errs.Invalid, causeBounds, outside)
	add("store at the last byte", gateOf("i32.const 131071 i64.const 1 i64.store"), errs.Invalid, causeBounds, outside)
	add("memory.fill whose end wraps", gateOf("i32.const 8 i32.const 0 i32.const -4 memory.fill"), errs.Invalid, causeBounds, outside)
	cases[len(cases)-1].limits.Fuel = 1 << 40 // 4 GiB are paid for before they are looked at
	add("memory.copy whose end wraps", gateOf("i32.const -8 i32.const 0 i32.const 16 memory.copy"), errs.Invalid, causeBounds, outside)
	runHostile(t, cases)
}

// TestHostileTraps: what ends by itself, and how.
func TestHostileTraps(t *testing.T) {
	var cases []hostileCase
	add := func(name string, g *hostileGuest, c cause, text string) {
		cases = append(cases, hostileCase{name: name, module: g, use: useGate, kind: errs.Invalid, cause: c, text: text})
	}
	add("unreachable", gateOf("unreachable"), causeUnreachable, "it trapped: unreachable")
	add("division by zero", gateOf("i32.const 1 i32.const 0 i32.div_s drop"), causeTrap, "integer divide by zero")
	add("division that overflows", gateOf("i32.const -2147483648 i32.const -1 i32.div_s drop"), causeTrap, "integer overflow")
	add("remainder by zero", gateOf("i32.const 1 i32.const 0 i32.rem_s drop"), causeTrap, "integer divide by zero")
	add("a number that is none", gateOf("f64.const NaN i32.trunc_f64_s drop"), causeTrap, "invalid conversion to integer")
	add("a number beyond an integer", gateOf("f64.const 1e300 i32.trunc_f64_s drop"), causeTrap, "integer overflow")
	add("call_indirect of nothing", gateOf("i32.const 3 call_indirect >"), causeBounds, "invalid table access")
	add("call_indirect beyond the table", gateOf("i32.const 16 call_indirect >"), causeBounds, "invalid table access")
	add("call_indirect at -1", gateOf("i32.const -1 call_indirect >"), causeBounds, "invalid table access")
	mismatch := gateOf("i32.const 0 call_indirect >")
	mismatch.elements = []string{"weir_describe"}
	add("call_indirect of another type", mismatch, causeTrap, "indirect call type mismatch")
	// Half-updated state: a flag is set, then it traps; a fresh instance has no flag, the old one would pass.
	g := newGuest()
	g.globals = []uint32{0}
	g.fn("weir_gate", "ii>l", fmt.Sprintf("global.get 0 if i64.const %d return end i32.const 1 global.set 0 unreachable", g.text(`{"outcome":"pass","reasons":["half of it"]}`)))
	add("state that is half updated", g, causeUnreachable, "unreachable")
	cases[len(cases)-1].after = afterTrap
	// The same in memory, which a new instance has new, too.
	m := newGuest()
	m.fn("weir_gate", "ii>l", fmt.Sprintf("i32.const 64 i32.load if i64.const %d return end i32.const 64 i64.const 1 i64.store unreachable", m.text(`{"outcome":"pass","reasons":["half of it"]}`)))
	add("memory that is half updated", m, causeUnreachable, "unreachable")
	cases[len(cases)-1].after = afterTrap
	// Another answer each time is allowed: whether a gate is fair is for the pipeline to find out. The third call divides by zero.
	v := newGuest()
	v.globals = []uint32{3}
	v.fn("weir_gate", "ii>l", fmt.Sprintf("global.get 0 i32.const 1 i32.sub global.set 0 i32.const 1 global.get 0 i32.div_u drop i64.const %d", v.text(`{"outcome":"pass","reasons":["this time"]}`)))
	add("another answer each time", v, causeTrap, "integer divide by zero")
	cases[len(cases)-1].use = useThrice
	runHostile(t, cases)
}

// TestHostileModules: modules that are refused before an instruction of theirs runs, among them small files that are large or
// slow to compile.
func TestHostileModules(t *testing.T) {
	var cases []hostileCase
	refused := func(name string, g *hostileGuest, text string) {
		cases = append(cases, hostileCase{name: name, module: g, kind: errs.Invalid, text: text})
	}
	bytewise := func(name, text string, wasm func() []byte) {
		cases = append(cases, hostileCase{name: name, wasm: wasm, kind: errs.Invalid, text: text})
	}
	body := func(raw []byte) *hostileGuest {
		return newGuest().put(hostileFunc{name: "$bomb", sig: ">", raw: raw})
	}
	locals := func(n uint64) []byte { return append(leb([]byte{1}, n), 0x7e) }
	refused("a million locals", body(locals(1_000_000)), "more than 50000 locals")
	refused("2^32-1 locals", body(locals(0xffffffff)), "more than 50000 locals")
	refused("locals whose sum wraps", body([]byte{2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7e, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7e}), "more than 50000 locals")
	crowd := newGuest()
	for i := range 200 {
		crowd.put(hostileFunc{name: fmt.Sprintf("$bomb%d", i), sig: ">", raw: locals(49_000)})
	}
	refused("locals in every function", crowd, "locals together")
	refused("deeply nested blocks", body(append(append([]byte{0}, bytes.Repeat([]byte{0x02, 0x40}, 100_000)...), bytes.Repeat([]byte{0x0b}, 100_000)...)), "blocks are nested more than")
	refused("deeply nested blocks in dead code", body(append(append([]byte{0, 0x00}, bytes.Repeat([]byte{0x02, 0x40}, 100_000)...), bytes.Repeat([]byte{0x0b}, 100_000)...)), "blocks are nested more than")
	refused("nested loops over many locals", body(nestedLoops(200, 2000)), "compiled in reasonable time")
	refused("thousands of bulk instructions", newGuest().fn("$bomb", ">", strings.Repeat("i32.const 0 i32.const 0 i32.const 0 memory.fill ", 6000)), "basic blocks")
	refused("thousands of branches", newGuest().fn("$bomb", "i>", strings.Repeat("block local.get 0 br_if 0 end ", 20_000)), "basic blocks")
	refused("giant br_table", newGuest().fn("$bomb", "i>", "block local.get 0 br_table "+strings.Repeat("0 ", 100_000)+"; end"), "99999 branch targets, at most 65520 are allowed")
	refused("a million functions", func() *hostileGuest {
		g := newGuest()
		g.funcs = append(g.funcs, make([]hostileFunc, 1_000_001)...)
		for i := range g.funcs {
			if g.funcs[i].name == "" {
				g.funcs[i] = hostileFunc{name: "$", sig: ">", raw: []byte{0}}
			}
		}
		return g
	}(), "functions")

	bytewise("a vector of 2^32-1 types", "not a module that can run here", func() []byte {
		return []byte("\x00asm\x01\x00\x00\x00\x01\x05\xff\xff\xff\xff\x0f")
	})
	bytewise("a section longer than the file", "not a module that can run here", func() []byte {
		return []byte("\x00asm\x01\x00\x00\x00\x01\xff\xff\xff\xff\x0f")
	})
	good := newGuest().wasm()
	bytewise("truncated", "not a module that can run here", func() []byte { return good[:len(good)-200] })
	bytewise("bytes after the end", "not a module that can run here", func() []byte { return append(bytes.Clone(good), 0x7f) })
	bytewise("sections in the wrong order", "comes twice or too late", func() []byte { return append(bytes.Clone(good), 1, 1, 0) })
	bytewise("another version of the format", "magic number", func() []byte { b := bytes.Clone(good); b[4] = 2; return b })
	bytewise("a component", "magic number", func() []byte { b := bytes.Clone(good); b[4], b[6] = 0x0d, 1; return b })
	bytewise("nothing", "not a WebAssembly module", func() []byte { return []byte{} })
	bytewise("code of the wrong type", "not a valid", func() []byte { return newGuest().fn("$f", ">i", "i64.const 1").wasm() })
	bytewise("an operand too few", "not a valid", func() []byte { return newGuest().fn("$f", ">", "i32.add drop").wasm() })
	bytewise("a local that is not there", "not a valid", func() []byte { return newGuest().fn("$f", ">", "local.get 9 drop").wasm() })
	bytewise("a branch out of the function", "a branch leaves", func() []byte { return newGuest().fn("$f", ">", "block br 9 end").wasm() })
	bytewise("threads", "not a module that can run here", func() []byte { return body([]byte{0, 0xfe, 0x03, 0x00}).wasm() })
	bytewise("tail calls", "not a module that can run here", func() []byte { return body([]byte{0, 0x12, 0x00}).wasm() })
	refused("two memories", func() *hostileGuest {
		g := newGuest()
		g.extra, g.extras = append(wasmName(nil, "more"), 2, 1), 1
		return g
	}(), "not a")

	// The names of the rewriting.
	refused("exports the reserved counter", func() *hostileGuest {
		g := newGuest()
		g.globals, g.extra, g.extras = []uint32{0}, append(wasmName(nil, "weir:fuel"), 3, 0), 1
		return g
	}(), `it exports "weir:fuel", and that name is reserved`)
	refused("exports a function of the reserved name", newGuest().fn("weir:fuel", ">", ""), "that name is reserved")
	refused("imports weir:fuel.refill", newGuest().imported(fuelModule, "refill", "l>l"), "that name is reserved: the module is rewritten already, or hostile")
	refused("imports weir:fuel.more", newGuest().imported(fuelModule, "more", "l>l"), "reserved")
	refused("imports env.foo", newGuest().imported("env", "foo", ">"), "it imports env.foo")
	refused("imports nothing's nothing", newGuest().imported("", "", ">"), "empty module name")
	refused("imports WASI of another version", newGuest().imported("wasi_unstable", "fd_write", "iiii>i"), "it imports wasi_unstable.fd_write")
	refused("imports weir:host of another type", newGuest().imported(hostModule, "clock", "l>i"), "signature")
	cases[len(cases)-1].cause = causeTrap // found when it is linked
	refused("imports a function that weir:host lacks", newGuest().imported(hostModule, "system", "ii>i"), "system")
	cases[len(cases)-1].cause = causeTrap

	// The interface.
	without := func(name string) *hostileGuest { g := newGuest(); g.drop[name] = true; return g }
	refused("no memory", without("memory"), `does not export its memory as "memory"`)
	refused("no weir_free", without("weir_free"), "does not export the function weir_free")
	refused("weir_alloc of another type", newGuest().fn("weir_alloc", "l>i", "i32.const 0"), "its export weir_alloc is (i64) → (i32)")
	runHostile(t, cases)
}

// nestedLoops is a body of n loops within each other over many locals.
func nestedLoops(n int, locals uint64) []byte {
	raw := append(leb([]byte{1}, locals), 0x7f)
	raw = append(raw, bytes.Repeat([]byte{0x03, 0x40}, n)...)
	for i := range locals {
		raw = append(append(leb(append(raw, 0x20), i), 0x21), leb(nil, (i+1)%locals)...)
	}
	return append(raw, bytes.Repeat([]byte{0x0b}, n)...)
}
