package fuel

// generator makes valid modules out of bytes: every stream of bytes is a module, so that a fuzzer can steer it. Loops are
// bounded by counters; calls go anywhere, so that recursion is possible and fuel has to end it.
type generator struct {
	m    builder
	src  []byte
	sigs []signature
	// of the function at hand
	locals   []byte
	labels   [][]byte // types that a branch carries, innermost last
	size     int
	free     int // counters for loops that are not open
	self     int
	counters uint32
}

type signature struct{ params, results []byte }

const (
	genFuncs  = 5
	genMemory = 1 << 16
	genTable  = 8
	tV128     = 0x7b
	tFuncref  = 0x70
)

func (g *generator) byte() byte {
	if len(g.src) == 0 {
		return 0
	}
	b := g.src[0]
	g.src = g.src[1:]
	return b
}

func (g *generator) pick(n int) int { return int(g.byte()) % n }

func (g *generator) number() int64 {
	switch g.pick(6) {
	case 0:
		return int64(g.pick(4))
	case 1:
		return -1
	case 2:
		return int64(int8(g.byte()))
	case 3:
		return -1 << 31
	default:
		return int64(g.byte())<<8 | int64(g.byte())
	}
}

func (g *generator) valType() byte { return []byte{tI32, tI64, tF64, tI32}[g.pick(4)] }

func (g *generator) types(n int) []byte {
	t := make([]byte, n)
	for i := range t {
		t[i] = g.valType()
	}
	return t
}

// generate is a module with exports f0 …, memory and globals.
func generate(src []byte) []byte {
	g := &generator{src: src}
	m := &g.m
	m.count = true
	m.memory = []byte{1, 1, 3}
	m.tables = [][]byte{cat([]byte{tFuncref, 1}, op(genTable), op(genTable + 4)[:1]), {tFuncref, 0, 2}}
	m.exports = append(m.exports, append(appendName(nil, "memory"), 2, 0))
	for i, t := range []byte{tI32, tI64, tF64} {
		init := [][]byte{i32c(7), i64c(-9), f64c(1.5)}[i]
		m.globals = append(m.globals, cat([]byte{t, 1}, init, []byte{opEnd}))
		m.exports = append(m.exports, append(appendName(nil, "g"+itoa(i)), 3, byte(i)))
	}
	for range genFuncs {
		g.sigs = append(g.sigs, signature{g.types(g.pick(3)), g.types(g.pick(3))})
	}
	for i := range g.sigs {
		g.function(i)
	}
	// Active, with functions' indices; passive with expressions; declarative.
	m.elems = append(m.elems,
		cat([]byte{0}, i32c(1), []byte{opEnd, genFuncs, 0, 1, 2, 3, 4}),
		cat([]byte{5, tFuncref, 2}, op(opRefFunc, 1), []byte{opEnd, opRefNull, tFuncref, opEnd}),
		[]byte{3, 0, 2, 0, 4})
	m.data = append(m.data, append([]byte{1, 32}, "passive data of thirty-two bytes"...), append(cat([]byte{0}, i32c(64), []byte{opEnd, 5}), "hello"...))
	return m.wasm()
}

func (g *generator) function(i int) {
	s := g.sigs[i]
	g.self = i
	// parameters, one scratch of each type, v128, four loop counters
	extra := []byte{tI32, tI64, tF64, tV128, tI32, tI32, tI32, tI32}
	g.locals = append(append([]byte(nil), s.params...), extra[:4]...)
	g.counters = uint32(len(g.locals))
	g.free, g.size = 4, 0
	g.labels = [][]byte{s.results}
	code := g.body(3)
	for _, t := range s.results {
		code = append(code, g.expr(t, 3)...)
	}
	g.m.add("f"+itoa(i), s.params, s.results, extra, code)
}

// body is a few statements, leaving nothing on the stack.
func (g *generator) body(depth int) []byte {
	var code []byte
	for n := g.pick(5); n >= 0; n-- {
		code = append(code, g.statement(depth)...)
	}
	return code
}

func (g *generator) local(t byte) (uint32, bool) {
	from := g.pick(len(g.locals))
	for i := range g.locals {
		if k := (from + i) % len(g.locals); g.locals[k] == t {
			return uint32(k), true
		}
	}
	return 0, false
}

func (g *generator) within(label []byte, code func() []byte) []byte {
	g.labels = append(g.labels, label)
	c := code()
	g.labels = g.labels[:len(g.labels)-1]
	return c
}

func (g *generator) address() []byte {
	if g.pick(16) == 0 {
		return g.expr(tI32, 2) // may be out of bounds
	}
	return cat(g.expr(tI32, 2), i32c(0x3fff), op(0x71))
}

func (g *generator) small(mask int32) []byte { return cat(g.expr(tI32, 1), i32c(mask), op(0x71)) }

// jump is a branch to the label depth with the values that it carries, by op.
func (g *generator) jump(o byte, depth int, condition bool) []byte {
	carried := g.labels[len(g.labels)-1-depth]
	var code []byte
	for _, t := range carried {
		code = append(code, g.expr(t, 1)...)
	}
	if condition {
		code = append(code, g.expr(tI32, 2)...)
	}
	code = append(code, op(o, uint32(depth))...)
	if condition {
		for range carried {
			code = append(code, 0x1a)
		}
	}
	return code
}

// dead is what may follow a branch: nothing, or code that no engine runs.
func (g *generator) dead() []byte {
	switch g.pick(5) {
	case 0:
		return cat(op(0x6a), op(0x1a), loop(op(opBr, 0)), op(opCall, uint32(g.pick(genFuncs))), op(opUnreachable))
	case 1:
		return cat(op(opBr, uint32(g.pick(len(g.labels)))))
	case 2:
		return cat(loop(blk(i32c(1), op(opBrIf, 1), op(opBr, 2))), op(opUnreachable))
	case 3:
		return cat([]byte{opIf, blockEmpty}, op(opUnreachable), op(opElse), loop(op(opBr, 1)), op(opEnd), op(opReturn))
	}
	return nil
}

func (g *generator) statement(depth int) []byte {
	if g.size++; g.size > 60 || depth == 0 || len(g.src) == 0 {
		t := g.valType()
		k, _ := g.local(t)
		return cat(g.expr(t, 1), op(opLocalSet, k))
	}
	switch g.pick(24) {
	case 0:
		return blk(g.within(nil, func() []byte { return g.body(depth - 1) }))
	case 1: // a block with results, dropped
		t := g.types(1 + g.pick(2))
		index := g.m.typ(nil, t)
		code := append([]byte{opBlock}, appendS64(nil, int64(index))...)
		code = append(code, g.within(t, func() []byte {
			c := g.body(depth - 1)
			for _, v := range t {
				c = append(c, g.expr(v, 2)...)
			}
			return c
		})...)
		code = append(code, opEnd)
		for range t {
			code = append(code, 0x1a)
		}
		return code
	case 2, 3, 4: // a loop with a counter
		if g.free == 0 {
			return nil
		}
		g.free--
		c := g.counters + uint32(g.free)
		code := cat(i32c(int32(1+g.pick(6))), op(opLocalSet, c), loop(g.within(nil, func() []byte {
			return cat(g.body(depth-1),
				op(opLocalGet, c), i32c(1), op(0x6b), op(opLocalTee, c), i32c(0), op(0x4a), op(opBrIf, 0))
		})))
		g.free++
		return code
	case 5: // a loop with a parameter and a result, counted in the parameter
		index := g.m.typ([]byte{tI32}, []byte{tI32})
		c, _ := g.local(tI32)
		return cat(i32c(int32(1+g.pick(5))), []byte{opLoop}, appendS64(nil, int64(index)), i32c(1), op(0x6b), op(opLocalTee, c),
			op(opLocalGet, c), op(opLocalGet, c), i32c(0), op(0x4a), op(opBrIf, 0), op(0x1a), op(opEnd), op(0x1a))
	case 6: // if
		return cat(g.expr(tI32, 2), []byte{opIf, blockEmpty}, g.within(nil, func() []byte { return g.body(depth - 1) }), op(opEnd))
	case 7, 8: // if else
		return cat(g.expr(tI32, 2), []byte{opIf, blockEmpty}, g.within(nil, func() []byte {
			return cat(g.body(depth-1), op(opElse), g.body(depth-1))
		}), op(opEnd))
	case 9:
		return cat(g.jump(opBrIf, g.forward(), true))
	case 10: // a branch in an arm, and dead code
		return cat(g.expr(tI32, 2), []byte{opIf, blockEmpty}, g.within(nil, func() []byte {
			if g.pick(3) == 0 {
				return cat(g.values(g.labels[0]), op(opReturn), g.dead())
			}
			return cat(g.jump(opBr, g.forward(), false), g.dead())
		}), op(opEnd))
	case 11: // br_table over three blocks
		return blk(g.within(nil, func() []byte {
			middle := blk(g.within(nil, func() []byte {
				inner := blk(g.within(nil, func() []byte {
					n := g.pick(4)
					table := op(opBrTable, uint32(n))
					for range n + 1 {
						table = append(table, byte(g.pick(3)))
					}
					return cat(g.expr(tI32, 2), table, g.dead())
				}))
				return cat(inner, g.body(depth-1))
			}))
			return cat(middle, g.body(depth-1))
		}))
	case 12:
		f := g.pick(genFuncs)
		return cat(g.values(g.sigs[f].params), op(opCall, uint32(f)), g.keep(g.sigs[f].results))
	case 13: // call_indirect; index may be wrong, the callee's type too
		f := g.pick(genFuncs)
		index := i32c(int32(f + 1))
		if g.pick(8) == 0 {
			index = g.small(15)
		}
		return cat(g.values(g.sigs[f].params), index, op(opCallIndirect, g.m.typ(g.sigs[f].params, g.sigs[f].results), 0), g.keep(g.sigs[f].results))
	case 14:
		return cat(g.address(), g.expr(tI32, 2), op(0x36, 2, uint32(g.byte())))
	case 15:
		return cat(g.address(), g.expr(tI64, 2), op(0x37, 3, uint32(g.byte())))
	case 16: // fill, copy
		if g.pick(2) == 0 {
			return cat(g.address(), g.small(255), g.small(0x1fff), op(opMisc, miscMemoryFill, 0))
		}
		return cat(g.address(), g.address(), g.small(0x1fff), op(opMisc, miscMemoryCopy, 0, 0))
	case 17:
		switch g.pick(3) {
		case 0:
			return cat(g.address(), i32c(int32(g.pick(4))), g.small(31), op(opMisc, miscMemoryInit, 0, 0))
		case 1:
			return op(opMisc, miscDataDrop, 0)
		}
		return op(opMisc, miscElemDrop, 1)
	case 18: // tables
		switch g.pick(5) {
		case 0:
			return cat(i32c(int32(g.pick(3))), op(opRefFunc, uint32([]int{0, 4}[g.pick(2)])), op(0x26, 0))
		case 1:
			return cat(i32c(0), i32c(int32(g.pick(2))), i32c(int32(g.pick(2))), op(opMisc, miscTableInit, 1, 0))
		case 2:
			return cat(i32c(0), i32c(1), i32c(2), op(opMisc, miscTableCopy, 1, 0))
		case 3:
			return cat([]byte{opRefNull, tFuncref}, i32c(int32(g.pick(3))), op(opMisc, miscTableGrow, 0), op(opLocalSet, g.must(tI32)))
		}
		return cat(i32c(6), op(opRefFunc, 0), i32c(2), op(opMisc, miscTableFill, 0))
	case 19:
		return cat(i32c(int32(g.pick(3))), op(opMemoryGrow, 0), op(opLocalSet, g.must(tI32)))
	case 20:
		t := g.pick(3)
		return cat(g.expr([]byte{tI32, tI64, tF64}[t], 3), op(opGlobalSet, uint32(t)))
	case 21: // vectors
		v := g.must(tV128)
		return cat(op(opLocalGet, v), g.expr(tI32, 1), []byte{opVector, 0x11}, []byte{opVector, 0xae, 1}, op(opLocalSet, v))
	case 22:
		if g.pick(4) == 0 {
			return cat(g.expr(tI32, 2), i32c(5000), op(0x46), []byte{opIf, blockEmpty}, op(opUnreachable), op(opEnd))
		}
		return nil
	default:
		t := g.valType()
		return cat(g.expr(t, 3), op(opLocalSet, g.must(t)))
	}
}

// forward picks a label that is no loop's, whose counters must not be skipped: any label but that a branch to a loop would
// repeat it for ever, which fuel ends, so those are allowed rarely.
func (g *generator) forward() int { return g.pick(len(g.labels)) }

func (g *generator) must(t byte) uint32 {
	k, ok := g.local(t)
	if !ok {
		panic("no local of that type")
	}
	return k
}

func (g *generator) values(types []byte) []byte {
	var code []byte
	for _, t := range types {
		code = append(code, g.expr(t, 1)...)
	}
	return code
}

// keep stores results into locals.
func (g *generator) keep(types []byte) []byte {
	var code []byte
	for i := len(types) - 1; i >= 0; i-- {
		code = append(code, op(opLocalSet, g.must(types[i]))...)
	}
	return code
}

// expr leaves one value of type t. No NaN but the machine's own can arise, so that results are the same bits.
func (g *generator) expr(t byte, depth int) []byte {
	if depth == 0 || len(g.src) == 0 {
		if g.pick(2) == 0 {
			return op(opLocalGet, g.must(t))
		}
		switch t {
		case tI32:
			return i32c(int32(g.number()))
		case tI64:
			return i64c(g.number())
		}
		return f64c(float64(g.number()) / 4)
	}
	a := func(t byte) []byte { return g.expr(t, depth-1) }
	switch t {
	case tI32:
		switch g.pick(12) {
		case 0:
			return cat(g.address(), op(0x28, 2, uint32(g.byte())))
		case 1:
			return cat(a(tI32), a(tI32), op(byte(0x6d+g.pick(4)))) // division
		case 2:
			return cat(a(tI64), op(0xa7))
		case 3:
			return cat(a(tF64), a(tF64), op(0x63))
		case 4:
			return cat(a(tI32), a(tI32), a(tI32), op(0x1b))
		case 5:
			return cat(op(opGlobalGet, 0))
		case 6:
			return cat(a(tF64), op(opMisc, 2))
		case 7: // if with a result
			return cat(a(tI32), []byte{opIf, tI32}, g.within([]byte{tI32}, func() []byte { return cat(a(tI32), op(opElse), a(tI32)) }), op(opEnd))
		case 8:
			return cat(op(opLocalGet, g.must(tV128)), []byte{opVector, 0x1b, byte(g.pick(4))})
		case 9:
			return cat(i32c(int32(g.pick(8))), op(0x25, 0), op(0xd1))
		}
		return cat(a(tI32), a(tI32), op(byte([]int{0x6a, 0x6b, 0x6c, 0x71, 0x72, 0x73, 0x74, 0x76, 0x48, 0x4f}[g.pick(10)])))
	case tI64:
		switch g.pick(6) {
		case 0:
			return cat(g.address(), op(0x29, 3, uint32(g.byte())))
		case 1:
			return cat(a(tI32), op(0xac))
		case 2:
			return op(opGlobalGet, 1)
		case 3:
			return cat(a(tI32), []byte{opBlock, tI64}, g.within([]byte{tI64}, func() []byte {
				return cat(a(tI64), a(tI32), op(opBrIf, 0))
			}), op(opEnd), op(0x1b-1), op(0xac)) // the first operand is kept, the block's result dropped
		}
		return cat(a(tI64), a(tI64), op(byte([]int{0x7c, 0x7d, 0x7e, 0x83, 0x85, 0x86}[g.pick(6)])))
	}
	switch g.pick(5) {
	case 0:
		return cat(a(tI32), op(0xb7))
	case 1:
		return op(opGlobalGet, 2)
	case 2:
		return cat(a(tF64), a(tF64), op(0xa3))
	}
	return cat(a(tF64), a(tF64), op(byte([]int{0xa0, 0xa1, 0xa2}[g.pick(3)])))
}
