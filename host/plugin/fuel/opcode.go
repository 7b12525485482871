package fuel

// The instructions that the rewriter treats one by one; all others are an opcode, immediates and a cost.
const (
	opUnreachable  = 0x00
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opLocalGet     = 0x20
	opLocalSet     = 0x21
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opF32Const     = 0x43
	opF64Const     = 0x44
	opI32Ne        = 0x47
	opI64LtS       = 0x53
	opI64GeS       = 0x59
	opI64Add       = 0x7c
	opI64Sub       = 0x7d
	opI64Mul       = 0x7e
	opI64ShrU      = 0x88
	opI64ExtendU   = 0xad
	opRefNull      = 0xd0
	opRefFunc      = 0xd2
	opMisc         = 0xfc
	opVector       = 0xfd

	blockEmpty = 0x40
)

// Sub-opcodes of opMisc.
const (
	miscMemoryInit = 8
	miscDataDrop   = 9
	miscMemoryCopy = 10
	miscMemoryFill = 11
	miscTableInit  = 12
	miscElemDrop   = 13
	miscTableCopy  = 14
	miscTableGrow  = 15
	miscTableSize  = 16
	miscTableFill  = 17
)

// imm says what follows an opcode.
type imm uint8

const (
	immBad       imm = iota // no instruction of core 2
	immNone                 //
	immBlock                // a block type
	immLabel                // u32
	immTable                // vec(u32) u32
	immFunc                 // u32, a function
	immCallInd              // u32 u32
	immIndex                // u32: local, global, table
	immMem                  // alignment and offset
	immZero                 // one zero byte
	immI32                  // signed, 5 bytes at most
	immI64                  // signed, 10 bytes at most
	immF32                  // 4 bytes
	immF64                  // 8 bytes
	immRef                  // a reference type
	immSelect               // vec(value type) of length 1
	imm16                   // 16 bytes
	immLane                 // one byte
	immMemLane              // alignment, offset and one byte
	immIndexZero            // u32 and a zero byte
	immZeroZero             // two zero bytes
	immIndexes              // u32 u32
	immPrefix               // a sub-opcode
)

// instruction is what the tables know of one opcode.
type instruction struct {
	imm  imm
	cost uint8
}

var (
	plain  = plainTable()
	misc   = miscTable()
	vector = vectorTable()
)

func plainTable() (t [256]instruction) {
	set := func(from, to int, im imm, cost uint8) {
		for i := from; i <= to; i++ {
			t[i] = instruction{im, cost}
		}
	}
	set(0x00, 0x01, immNone, 0)  // unreachable, nop
	set(0x02, 0x02, immBlock, 0) // block
	set(0x03, 0x04, immBlock, 1) // loop, if
	set(0x05, 0x05, immNone, 0)  // else
	set(0x0b, 0x0b, immNone, 0)  // end
	set(0x0c, 0x0d, immLabel, 1) // br, br_if
	set(0x0e, 0x0e, immTable, 3) // br_table
	set(0x0f, 0x0f, immNone, 1)  // return
	set(0x10, 0x10, immFunc, 6)  // call
	set(0x11, 0x11, immCallInd, costIndirect)
	set(0x1a, 0x1a, immNone, 0)   // drop
	set(0x1b, 0x1b, immNone, 1)   // select
	set(0x1c, 0x1c, immSelect, 1) // select t
	set(0x20, 0x20, immIndex, 0)  // local.get
	set(0x21, 0x24, immIndex, 1)  // local.set, local.tee, global.get, global.set
	set(0x25, 0x26, immIndex, 4)  // table.get, table.set
	set(0x28, 0x3e, immMem, 2)    // loads and stores
	set(0x3f, 0x3f, immZero, 1)   // memory.size
	set(0x40, 0x40, immZero, costHost)
	set(0x41, 0x41, immI32, 0)
	set(0x42, 0x42, immI64, 0)
	set(0x43, 0x43, immF32, 0)
	set(0x44, 0x44, immF64, 0)
	set(0x45, 0xc4, immNone, 1) // comparisons, arithmetic, conversions
	set(0x6d, 0x70, immNone, costDivide)
	set(0x7f, 0x82, immNone, costDivide)
	for _, op := range []int{0x91, 0x95, 0x9f, 0xa3} { // sqrt, div of f32 and f64
		set(op, op, immNone, 6)
	}
	set(0xa8, 0xab, immNone, 3) // float to integer, which may trap
	set(0xae, 0xb1, immNone, 3)
	set(0xd0, 0xd0, immRef, 0)
	set(0xd1, 0xd1, immNone, 1)
	set(0xd2, 0xd2, immFunc, costHost) // ref.func leaves to the host
	set(0xfc, 0xfd, immPrefix, 0)
	return t
}

func miscTable() (t [18]instruction) {
	for i := 0; i <= 7; i++ {
		t[i] = instruction{immNone, 3} // saturating float to integer
	}
	t[miscMemoryInit] = instruction{immIndexZero, costBulk}
	t[miscDataDrop] = instruction{immIndex, 2}
	t[miscMemoryCopy] = instruction{immZeroZero, costBulk}
	t[miscMemoryFill] = instruction{immZero, costBulk}
	t[miscTableInit] = instruction{immIndexes, costBulk}
	t[miscElemDrop] = instruction{immIndex, 2}
	t[miscTableCopy] = instruction{immIndexes, costBulk}
	t[miscTableGrow] = instruction{immIndex, costHost}
	t[miscTableSize] = instruction{immIndex, 1}
	t[miscTableFill] = instruction{immIndex, costBulk}
	return t
}

// vectorTable has no holes where core 2 has them (0x9a and the like): the validator refuses those first.
func vectorTable() (t [256]instruction) {
	for i := range t {
		t[i] = instruction{immNone, 2}
	}
	for i := 0x00; i <= 0x0b; i++ {
		t[i] = instruction{immMem, 2} // loads, splats, store
	}
	t[0x0c] = instruction{imm16, 0} // v128.const
	t[0x0d] = instruction{imm16, 2} // shuffle
	for i := 0x15; i <= 0x22; i++ {
		t[i] = instruction{immLane, 2}
	}
	for i := 0x54; i <= 0x5b; i++ {
		t[i] = instruction{immMemLane, 3}
	}
	t[0x5c], t[0x5d] = instruction{immMem, 2}, instruction{immMem, 2} // load32_zero, load64_zero
	for _, op := range []int{0xe3, 0xe7, 0xef, 0xf3} {                // sqrt, div
		t[op] = instruction{immNone, 8}
	}
	return t
}

// valueType reports whether c is a value type of core 2.
func valueType(c byte) bool {
	switch c {
	case 0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x70, 0x6f:
		return true
	}
	return false
}

// instr is one decoded instruction, its bytes at [start, end).
type instr struct {
	op         byte
	sub        byte // sub-opcode of opMisc, opVector
	cost       uint8
	imm        imm
	start, end int
	arg        uint32 // label, function, type index of call_indirect, index; length of a br_table
	argAt      int    // where arg's bytes begin
	block      int64  // block type: -1 none or one value type (then blockResults), else a type index
	results    int
}

// next decodes one instruction. Encodings that the format allows but that the engine reads differently (vector sub-opcodes
// longer than necessary: wazero reads one byte) are refused, so that what is scanned here is what the engine runs.
func (r *reader) next(in *instr) {
	in.start = r.pos
	in.op = r.byte()
	in.sub, in.arg, in.argAt = 0, 0, 0
	k := plain[in.op]
	if k.imm == immPrefix {
		switch {
		case in.op == opMisc: // engines agree that this one is a number of any length
			if sub := r.u32(); sub < uint32(len(misc)) {
				in.sub = byte(sub)
				k = misc[sub]
			} else {
				k.imm = immBad
			}
		case in.op == opVector:
			in.sub = r.byte()
			k = vector[in.sub]
			if in.sub >= 0x80 && r.byte() != 1 {
				k.imm = immBad
			}
		default:
			k.imm = immBad
		}
	}
	in.cost, in.imm = k.cost, k.imm
	switch k.imm {
	case immBad:
		r.pos = min(in.start, len(r.b))
		r.fail("instruction 0x%02x 0x%02x is not of WebAssembly core 2", in.op, in.sub)
	case immNone:
	case immBlock:
		r.blockType(in)
	case immLabel, immFunc, immIndex:
		in.argAt = r.pos
		in.arg = r.u32()
	case immTable:
		n := r.count(1, maxTargets, "branch targets")
		in.argAt, in.arg = r.pos, uint32(n)
		for i := 0; i <= n; i++ {
			r.u32()
		}
	case immCallInd, immIndexes:
		in.argAt = r.pos
		in.arg = r.u32()
		r.u32()
	case immMem:
		r.u32()
		r.u32()
	case immMemLane:
		r.u32()
		r.u32()
		r.byte()
	case immZero:
		r.zero()
	case immZeroZero:
		r.zero()
		r.zero()
	case immIndexZero:
		in.arg = r.u32()
		r.zero()
	case immI32:
		r.skipSigned(5)
	case immI64:
		r.skipSigned(10)
	case immF32:
		r.bytes(4)
	case immF64:
		r.bytes(8)
	case imm16:
		r.bytes(16)
	case immLane:
		r.byte()
	case immRef:
		if c := r.byte(); c != 0x70 && c != 0x6f {
			r.fail("0x%02x is not a reference type", c)
		}
	case immSelect:
		if n, c := r.byte(), r.byte(); n != 1 || !valueType(c) {
			r.fail("select has one value type, not %d of 0x%02x", n, c)
		}
	}
	in.end = r.pos
}

func (r *reader) zero() {
	if r.byte() != 0 {
		r.fail("only memory 0 exists")
	}
}

// blockType reads a block type: nothing, a value type, or the index of a function type.
func (r *reader) blockType(in *instr) {
	c := r.byte()
	in.block, in.results = -1, 0
	switch {
	case c == blockEmpty:
	case valueType(c):
		in.results = 1
	default:
		v := int64(c & 0x7f)
		for i := 1; c >= 0x80; i++ {
			if i == 5 {
				r.fail("the block type is longer than 5 bytes")
				return
			}
			c = r.byte()
			v |= int64(c&0x7f) << (7 * i)
		}
		if c&0x40 != 0 {
			r.fail("0x%02x is not a block type", c)
			return
		}
		in.block = v
	}
}
