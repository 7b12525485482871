package fuel

// Costs, in units.
const (
	prepaid   = 64   // what a function with loops pays on entry for its first iterations
	portion   = 1024 // what it takes from the counter when its local purse is empty
	freeLeaf  = 48   // a function without calls or loops of at most so many instructions is covered by its caller's price
	unitShift = 3    // a unit is 2^3 instructions. Go's guests are one loop around a switch, of which an iteration runs a small part
	bulkShift = 7    // memory and table operations pay one unit for 128 bytes or entries
)

type editKind uint8

const (
	editLoop editKind = iota // insert the payment after a loop's block type
	editFunc                 // replace a function index
	editBulk                 // insert the payment before a bulk operation
)

// edit is one change of a body: bytes [from, to) give way to what kind says.
type edit struct {
	kind     editKind
	from, to int
	value    uint32 // loop: its number; func: the new index
}

// body is one function's code, read.
type body struct {
	edits []edit
	costs []uint32 // of each loop's own instructions, nested loops apart, in the order of their headers
	entry uint32   // of those outside loops
	calls bool
}

func (m *module) code(r *reader) []byte {
	n := r.count()
	if int(n) != len(m.funcs) {
		r.fail("%d bodies for %d functions", n, len(m.funcs))
	}
	w := putU32(make([]byte, 0, len(r.b)*3/2), n+3)
	var f []byte
	for i := range n {
		raw := r.bytes(r.u32())
		if r.err != nil {
			return nil
		}
		if f = m.function(r, f[:0], i, raw); r.err != nil {
			return nil
		}
		w = append(putU32(w, uint32(len(f))), f...)
	}
	if r.more() {
		r.fail("bytes follow the code")
	}
	for _, f := range m.helpers() {
		w = append(putU32(w, uint32(len(f))), f...)
	}
	return w
}

// helpers are the appended functions: slow refills the counter, take hands a portion to a function's purse, bulk charges for a
// length and answers it.
func (m *module) helpers() [3][]byte {
	g := m.globals
	slow := putU32([]byte{0, 0x23}, g)
	slow = putU32(append(slow, 0x10), m.imports)
	slow = putU32(append(slow, 0x7c, 0x24), g)
	slow = append(slow, 0x0b)

	take := m.charge([]byte{0}, func(w []byte) []byte { return putS64(append(w, 0x42), portion) })
	take = putS64(append(take, 0x41), portion)
	take = append(take, 0x0b)

	bulk := m.charge([]byte{0}, func(w []byte) []byte {
		return append(w, 0x20, 0, 0x41, bulkShift, 0x76, 0xad) // local.get 0, i32.shr_u, i64.extend_i32_u
	})
	bulk = append(bulk, 0x20, 0, 0x0b)
	return [3][]byte{slow, take, bulk}
}

// charge appends: counter -= amount; if counter < 0 { slow() }.
func (m *module) charge(w []byte, amount func([]byte) []byte) []byte {
	w = amount(putU32(append(w, 0x23), m.globals))
	w = putU32(append(w, 0x7d, 0x24), m.globals)                     // i64.sub, global.set
	w = putU32(append(w, 0x23), m.globals)                           // global.get
	w = putU32(append(w, 0x42, 0, 0x53, 0x04, 0x40, 0x10), m.slow()) // i64.const 0, i64.lt_s, if, call
	return append(w, 0x0b)
}

// function rewrites one body (local declarations and code) into w.
func (m *module) function(r *reader, w []byte, index uint32, raw []byte) []byte {
	b := &reader{b: raw}
	groups := b.count()
	declStart := b.at
	locals := uint64(m.params[m.funcs[index]])
	for range groups {
		locals += uint64(b.u32())
		b.byte()
	}
	declEnd := b.at
	if locals > 50_000 {
		b.fail("%d locals", locals)
	}
	var f body
	m.scan(b, &f, uint32(locals))
	if b.err != nil {
		r.fail("function %d, byte %d: %w", m.imports+index, b.at, b.err)
		return nil
	}
	purse := uint32(locals)
	if len(f.costs) == 0 {
		w = append(putU32(w, groups), raw[declStart:declEnd]...)
	} else {
		w = append(putU32(w, groups+1), raw[declStart:declEnd]...)
		w = append(w, 1, tI32)
	}
	price := units(f.entry)
	if len(f.costs) > 0 {
		price += prepaid
	}
	if f.calls || len(f.costs) > 0 || f.entry > freeLeaf {
		w = m.charge(w, func(w []byte) []byte { return putS64(append(w, 0x42), price) })
	}
	if len(f.costs) > 0 {
		w = putS64(append(w, 0x41), prepaid)
		w = putU32(append(w, 0x21), purse)
	}
	at := declEnd
	for _, e := range f.edits {
		w = append(w, raw[at:e.from]...)
		switch e.kind {
		case editFunc:
			w = putU32(w, e.value)
		case editBulk:
			w = putU32(append(w, 0x10), m.bulk())
		case editLoop:
			w = m.pay(w, purse, units(f.costs[e.value]))
		}
		at = e.to
	}
	return append(w, raw[at:]...)
}

// units is the price of that many instructions, rounded up.
func units(instructions uint32) int64 { return (int64(instructions) + 1<<unitShift - 1) >> unitShift }

// pay appends a loop iteration's payment from the purse, or from the counter itself when it is dear.
func (m *module) pay(w []byte, purse uint32, cost int64) []byte {
	if cost > portion {
		return m.charge(w, func(w []byte) []byte { return putS64(append(w, 0x42), cost) })
	}
	w = putU32(append(w, 0x20), purse)
	w = putS64(append(w, 0x41), cost)
	w = putU32(append(w, 0x6b, 0x22), purse) // i32.sub, local.tee
	w = append(w, 0x41, 0, 0x48, 0x04, 0x40) // i32.const 0, i32.lt_s, if
	w = putU32(append(w, 0x20), purse)       // local.get
	w = putU32(append(w, 0x10), m.take())    // call
	w = putU32(append(w, 0x6a, 0x21), purse) // i32.add, local.set
	return append(w, 0x0b)
}

// scan reads the instructions, notes the edits and counts the costs.
func (m *module) scan(r *reader, f *body, locals uint32) {
	open := []int{-1} // the innermost loop's number at each level of nesting
	charge := func() {
		if l := open[len(open)-1]; l < 0 {
			f.entry++
		} else {
			f.costs[l]++
		}
	}
	for len(open) > 0 && r.err == nil {
		start := r.at
		op := r.byte()
		charge()
		switch {
		case op == 0x02 || op == 0x04: // block, if
			m.blockType(r)
			open = append(open, open[len(open)-1])
		case op == 0x03: // loop
			m.blockType(r)
			n := len(f.costs)
			f.costs = append(f.costs, 2)
			f.edits = append(f.edits, edit{editLoop, r.at, r.at, uint32(n)})
			open = append(open, n)
		case op == 0x0b: // end
			open = open[:len(open)-1]
		case op <= 0x01 || op == 0x05 || op == 0x0f || op == 0x1a || op == 0x1b: // unreachable, nop, else, return, drop, select
		case op == 0x0c || op == 0x0d: // br, br_if
			r.u32()
		case op == 0x0e: // br_table
			for range r.count() {
				r.u32()
			}
			r.u32()
		case op == 0x10 || op == 0xd2: // call, ref.func
			from := r.at
			to := m.shift(r, r.u32())
			f.edits = append(f.edits, edit{editFunc, from, r.at, to})
			f.calls = f.calls || op == 0x10
		case op == 0x11: // call_indirect
			if t := r.u32(); t >= m.types {
				r.fail("type %d of %d", t, m.types)
			}
			r.u32()
			f.calls = true
		case op == 0x1c: // select with types
			r.skip(r.count())
		case op >= 0x20 && op <= 0x22:
			if l := r.u32(); l >= locals {
				r.fail("local %d of %d", l, locals)
			}
		case op == 0x23 || op == 0x24:
			if g := r.u32(); g >= m.globals {
				r.fail("global %d of %d", g, m.globals)
			}
		case op == 0x25 || op == 0x26 || op == 0x3f || op == 0x40: // table.get, table.set, memory.size, memory.grow
			r.u32()
		case op >= 0x28 && op <= 0x3e: // loads and stores
			r.u32()
			r.u32()
		case op == 0x41:
			r.s(5)
		case op == 0x42:
			r.s(10)
		case op == 0x43:
			r.skip(4)
		case op == 0x44:
			r.skip(8)
		case op >= 0x45 && op <= 0xc4 || op == 0xd1: // arithmetic, ref.is_null
		case op == 0xd0: // ref.null
			r.byte()
		case op == 0xfc:
			m.misc(r, f, start)
		case op == 0xfd:
			vector(r)
		default:
			r.fail("instruction %#x is beyond WebAssembly 2.0", op)
		}
	}
	if r.more() {
		r.fail("bytes follow the end of the function")
	}
}

func (m *module) blockType(r *reader) {
	if t := r.s(5); t >= 0 && uint64(t) >= uint64(m.types) {
		r.fail("type %d of %d", t, m.types)
	}
}

// misc reads what follows the prefix 0xfc at start.
func (m *module) misc(r *reader, f *body, start int) {
	sub := r.u32()
	switch {
	case sub <= 7: // saturating truncation
	case sub == 9 || sub == 13 || sub == 16: // data.drop, elem.drop, table.size
		r.u32()
	case sub == 11 || sub == 15 || sub == 17: // memory.fill, table.grow, table.fill
		r.u32()
	case sub == 8 || sub == 10 || sub == 12 || sub == 14: // memory.init, memory.copy, table.init, table.copy
		r.u32()
		r.u32()
	default:
		r.fail("instruction 0xfc %d is beyond WebAssembly 2.0", sub)
	}
	switch sub {
	case 8, 10, 11, 12, 14, 15, 17: // their length is on top of the stack
		f.edits = append(f.edits, edit{editBulk, start, start, 0})
		f.calls = true
	}
}

// vector reads what follows the prefix 0xfd.
func vector(r *reader) {
	switch sub := r.u32(); {
	case sub <= 11 || sub == 92 || sub == 93: // loads and stores
		r.u32()
		r.u32()
	case sub == 12 || sub == 13: // v128.const, i8x16.shuffle
		r.skip(16)
	case sub >= 21 && sub <= 34: // lanes
		r.byte()
	case sub >= 84 && sub <= 91: // lane loads and stores
		r.u32()
		r.u32()
		r.byte()
	case sub > 255:
		r.fail("instruction 0xfd %d is beyond WebAssembly 2.0", sub)
	}
}
