// Package fuel rewrites a WebAssembly module so that it cannot run without the host's consent: every function entry and every
// loop iteration pays from a counter, and when that is spent the module calls the import Module.Refill, where the host looks at
// the clock and either grants another slice or panics, which ends the call.
//
// wazero's own way (WithCloseOnContextDone) leaves the machine code at every loop iteration, which makes tight loops several
// times slower, costs a goroutine a call, and does not see recursion without loops at all. Slices have a second use: machine code
// cannot be preempted, and Go's garbage collector waits for it; a refill is a place where it need not.
//
// One unit is about eight instructions, counted from above (both arms of an if, all of a loop's body). The count depends on the module and its input
// alone, so the same call burns the same fuel on every machine.
//
// The rewritten module must mean what the original meant. Indices that the original does not have are refused here, since what
// is appended (types, one import, one global, three functions, one local a function) could make them valid. Everything else
// is validated by wazero afterwards. The package is not a validator, and not for modules with features beyond WebAssembly 2.0.
//
// Read fuel.go for the module's sections, then code.go for function bodies.
package fuel

import (
	"bytes"
	"errors"
	"fmt"
)

// The import that a rewritten module has: a function () → i64 that answers the units granted.
const (
	Module = "weir_fuel"
	Refill = "refill"
)

// Slice is the units that one refill should grant: a few tenths of a millisecond of work.
const Slice = 1 << 16

// Bounds on what a module may declare, beyond wazero's own: host memory that no other limit covers.
const (
	maxTables       = 16
	maxTableEntries = 1 << 20
)

// section ids in the order in which they appear.
const (
	sCustom, sType, sImport, sFunction, sTable, sMemory, sGlobal, sExport, sStart, sElement, sCode, sData, sDataCount = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
)

var order = []byte{sType, sImport, sFunction, sTable, sMemory, sGlobal, sExport, sStart, sElement, sDataCount, sCode, sData}

const (
	tI32, tI64 = 0x7f, 0x7e
)

// module is what the rewriting needs to know of the original.
type module struct {
	sections map[byte][]byte
	types    uint32
	params   []uint32 // of each type
	imports  uint32   // functions
	funcs    []uint32 // type of each defined function
	globals  uint32
}

// Instrument returns the rewritten module. It drops custom sections, and bounds tables without a maximum.
func Instrument(wasm []byte) ([]byte, error) {
	m, err := parse(wasm)
	if err != nil {
		return nil, err
	}
	out := append([]byte(nil), wasm[:8]...)
	for _, id := range order {
		body, ok := m.sections[id]
		if !ok && id != sImport && id != sGlobal {
			continue
		}
		r := &reader{b: body}
		var w []byte
		switch id {
		case sType:
			// n: () → i64 (refill), n+1: () → () (slow), n+2: () → i32 (take), n+3: i32 → i32 (bulk)
			w = m.vector(r, ok, 4)
			w = append(w, 0x60, 0, 1, tI64, 0x60, 0, 0, 0x60, 0, 1, tI32, 0x60, 1, tI32, 1, tI32)
		case sImport:
			w = m.vector(r, ok, 1)
			w = putU32(w, uint32(len(Module)))
			w = append(w, Module...)
			w = putU32(w, uint32(len(Refill)))
			w = append(w, Refill...)
			w = putU32(append(w, 0), m.types)
		case sFunction:
			w = m.vector(r, ok, 3)
			for i := range uint32(3) {
				w = putU32(w, m.types+1+i)
			}
		case sTable:
			w = m.tables(r)
		case sGlobal:
			w = m.global(r, ok)
		case sExport:
			w = m.exports(r)
		case sStart:
			w = putU32(nil, m.shift(r, r.u32()))
		case sElement:
			w = m.elements(r)
		case sCode:
			w = m.code(r)
		case sData:
			m.data(r)
			w = body
		default:
			w = body
		}
		if r.err != nil {
			return nil, fmt.Errorf("section %d: %w", id, r.err)
		}
		out = putSection(out, id, w)
	}
	return out, nil
}

// parse splits the module into sections and reads the counts.
func parse(wasm []byte) (*module, error) {
	if len(wasm) < 8 || !bytes.Equal(wasm[:8], []byte("\x00asm\x01\x00\x00\x00")) {
		return nil, errors.New("it does not begin with a WebAssembly 1 header")
	}
	m := &module{sections: map[byte][]byte{}}
	r := &reader{b: wasm, at: 8}
	last := -1
	for r.more() {
		id := r.byte()
		body := r.bytes(r.u32())
		if r.err != nil {
			break
		}
		if id == sCustom {
			continue
		}
		rank := bytes.IndexByte(order, id)
		if rank < 0 {
			return nil, fmt.Errorf("section %d is unknown", id)
		}
		if rank <= last {
			return nil, fmt.Errorf("section %d is out of order", id)
		}
		last = rank
		m.sections[id] = body
	}
	if r.err != nil {
		return nil, r.err
	}
	if m.sections[sCode] == nil || m.sections[sFunction] == nil || m.sections[sType] == nil {
		return nil, errors.New("it has no code")
	}
	for _, read := range []struct {
		id byte
		f  func(*reader)
	}{{sType, m.readTypes}, {sImport, m.readImports}, {sFunction, m.readFunctions}} {
		body, ok := m.sections[read.id]
		if !ok {
			continue
		}
		r := &reader{b: body}
		if read.f(r); r.err == nil && r.more() {
			r.fail("bytes follow its end")
		}
		if r.err != nil {
			return nil, fmt.Errorf("section %d: %w", read.id, r.err)
		}
	}
	if body, ok := m.sections[sGlobal]; ok {
		r := &reader{b: body}
		m.globals = r.count()
	}
	return m, nil
}

func (m *module) readTypes(r *reader) {
	m.types = r.count()
	for range m.types {
		if r.byte() != 0x60 {
			r.fail("a type is not a function type")
		}
		n := r.count()
		r.skip(n)
		m.params = append(m.params, n)
		r.skip(r.count())
	}
}

func (m *module) readImports(r *reader) {
	for range r.count() {
		mod := r.bytes(r.u32())
		name := r.bytes(r.u32())
		if kind := r.byte(); r.err == nil && kind != 0 {
			r.fail("it imports %s.%s, which is not a function: only functions of wasi_snapshot_preview1 are to be had", mod, name)
		}
		if string(mod) == Module {
			r.fail("it imports %s.%s, which is reserved", mod, name)
		}
		if t := r.u32(); t >= m.types {
			r.fail("import %s.%s has type %d of %d", mod, name, t, m.types)
		}
		m.imports++
	}
}

func (m *module) readFunctions(r *reader) {
	for i := range r.count() {
		t := r.u32()
		if t >= m.types {
			r.fail("function %d has type %d of %d", i, t, m.types)
		}
		m.funcs = append(m.funcs, t)
	}
}

// shift maps a function index of the original to the rewritten module, where the refill import comes before the defined ones.
func (m *module) shift(r *reader, f uint32) uint32 {
	if r.err == nil && uint64(f) >= uint64(m.imports)+uint64(len(m.funcs)) {
		r.fail("function %d of %d", f, m.imports+uint32(len(m.funcs)))
	}
	if f >= m.imports {
		f++
	}
	return f
}

// The appended functions' indices.
func (m *module) slow() uint32 { return m.imports + 1 + uint32(len(m.funcs)) }
func (m *module) take() uint32 { return m.slow() + 1 }
func (m *module) bulk() uint32 { return m.slow() + 2 }

// vector copies a vector section that gets extra more items.
func (m *module) vector(r *reader, ok bool, extra uint32) []byte {
	n := uint32(0)
	if ok {
		n = r.count()
	}
	return append(putU32(nil, n+extra), r.b[r.at:]...)
}

func (m *module) tables(r *reader) []byte {
	n := r.count()
	if n > maxTables {
		r.fail("%d tables, the limit is %d", n, maxTables)
	}
	w := putU32(nil, n)
	for range n {
		kind, flags := r.byte(), r.byte()
		low, high := r.u32(), uint32(maxTableEntries)
		if flags == 1 {
			high = min(r.u32(), maxTableEntries)
		} else if flags != 0 {
			r.fail("table limits with flags %#x", flags)
		}
		if low > maxTableEntries {
			r.fail("a table of %d entries, the limit is %d", low, maxTableEntries)
		}
		w = putU32(putU32(append(w, kind, 1), low), high)
	}
	if r.more() {
		r.fail("bytes follow the tables")
	}
	return w
}

func (m *module) global(r *reader, ok bool) []byte {
	w := putU32(nil, m.globals+1)
	if ok {
		r.u32()
		for range m.globals {
			w = append(w, r.byte(), r.byte())
			w = m.constant(r, w)
		}
		if r.more() {
			r.fail("bytes follow the globals")
		}
	}
	return append(w, tI64, 1, 0x42, 0, 0x0b) // mutable, i64.const 0
}

// constant copies a constant expression.
func (m *module) constant(r *reader, w []byte) []byte {
	for r.err == nil {
		from := r.at
		op := r.byte()
		switch op {
		case 0x0b:
			return append(w, op)
		case 0x41:
			r.s(5)
		case 0x42:
			r.s(10)
		case 0x43:
			r.skip(4)
		case 0x44:
			r.skip(8)
		case 0x23:
			if g := r.u32(); g >= m.globals {
				r.fail("global %d of %d", g, m.globals)
			}
		case 0xd0:
			r.byte()
		case 0xd2:
			w = putU32(append(w, op), m.shift(r, r.u32()))
			continue
		case 0xfd:
			if sub := r.u32(); sub != 12 {
				r.fail("instruction 0xfd %d in a constant expression", sub)
			}
			r.skip(16)
		default:
			r.fail("instruction %#x in a constant expression", op)
		}
		w = append(w, r.b[from:r.at]...)
	}
	return w
}

func (m *module) exports(r *reader) []byte {
	n := r.count()
	w := putU32(nil, n)
	for range n {
		from := r.at
		name := r.bytes(r.u32())
		kind := r.byte()
		w = append(w, r.b[from:r.at]...)
		i := r.u32()
		switch kind {
		case 0:
			i = m.shift(r, i)
		case 3:
			if i >= m.globals {
				r.fail("export %q is global %d of %d", name, i, m.globals)
			}
		}
		w = putU32(w, i)
	}
	if r.more() {
		r.fail("bytes follow the exports")
	}
	return w
}

func (m *module) elements(r *reader) []byte {
	n := r.count()
	w := putU32(nil, n)
	for range n {
		flags := r.u32()
		if flags > 7 {
			r.fail("element segment with flags %d", flags)
		}
		w = putU32(w, flags)
		if flags&1 == 0 { // active
			if flags&2 != 0 {
				w = putU32(w, r.u32())
			}
			w = m.constant(r, w)
		}
		if flags&3 != 0 {
			w = append(w, r.byte()) // element kind or reference type
		}
		count := r.count()
		w = putU32(w, count)
		for range count {
			if flags&4 != 0 {
				w = m.constant(r, w)
			} else {
				w = putU32(w, m.shift(r, r.u32()))
			}
		}
	}
	if r.more() {
		r.fail("bytes follow the element segments")
	}
	return w
}

// data checks the offsets; the segments stay as they are.
func (m *module) data(r *reader) {
	for range r.count() {
		switch flags := r.u32(); flags {
		case 0:
			m.constant(r, nil)
		case 1:
		case 2:
			r.u32()
			m.constant(r, nil)
		default:
			r.fail("data segment with flags %d", flags)
		}
		r.skip(r.u32())
	}
}
