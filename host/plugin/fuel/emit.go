package fuel

import "github.com/weir-ml/weir/host/errs"

// emitter writes the code section. The counter lives in a local of each function that charges, and in the global between
// functions: flushed before calls and returns, read again after calls.
type emitter struct {
	m      *module
	refill uint32            // index of the imported function
	global uint32            // index of the added global
	types  []funcType        // added ones
	index  map[string]uint32 // all types, by their bytes

	keepers     map[string]uint32 // types → index of the added function
	keeperTypes []byte            // their part of the function section
	keeperCode  []byte            // and of the code section

	out []byte
	// Locals of the function at hand.
	counter, size, answer uint32
}

// typeOf is the index of a function type, an added one if need be.
func (e *emitter) typeOf(params, results []byte) uint32 {
	key := func(t funcType) string { return string(t.params) + "\x00" + string(t.results) } // no value type is 0
	if e.index == nil {
		e.index = make(map[string]uint32, len(e.m.types))
		for i := len(e.m.types) - 1; i >= 0; i-- {
			e.index[key(e.m.types[i])] = uint32(i)
		}
	}
	t := funcType{params, results}
	i, ok := e.index[key(t)]
	if !ok {
		i = uint32(len(e.m.types) + len(e.types))
		e.index[key(t)] = i
		e.types = append(e.types, t)
	}
	return i
}

// code is the new code section; nil if there was none.
func (e *emitter) code(report *Report) ([]byte, error) {
	m := e.m
	report.Functions = len(m.bodies)
	if m.raw[secCode] == nil {
		return nil, nil
	}
	s := &scanner{m: m}
	if err := s.findSmall(); err != nil {
		return nil, err
	}
	section := make([]byte, 0, len(m.raw[secCode])*3/2+16)
	for i := range m.bodies {
		if err := s.scan(i); err != nil {
			return nil, err
		}
		e.function(s, i)
		if len(section)+len(e.out) > maxOutBytes {
			return nil, errs.New(errs.Invalid, "%s: with fuel the code has more than %d bytes", m.functionName(i), maxOutBytes)
		}
		section = append(appendU32(section, uint32(len(e.out))), e.out...)
		report.Loops += s.loops
		if s.instrumented {
			report.Charges += len(s.points)
			report.Checks += s.checks + 1
		} else {
			report.Small++
		}
	}
	report.Added = len(e.keepers)
	head := appendU32(make([]byte, 0, len(section)+len(e.keeperCode)+5), uint32(len(m.bodies)+len(e.keepers)))
	return append(append(head, section...), e.keeperCode...), nil
}

// function writes one function's entry into e.out.
func (e *emitter) function(s *scanner, i int) {
	b := &e.m.bodies[i]
	e.out = e.out[:0]
	e.locals(s, i)
	t := &e.m.types[e.m.functions[i]]
	if s.instrumented {
		e.op(opGlobalGet, e.global)
		e.take(s.points[0].cost)
		e.test()
		if s.wrap {
			e.out = append(e.out, opBlock)
			switch len(t.results) {
			case 0:
				e.out = append(e.out, blockEmpty)
			case 1:
				e.out = append(e.out, t.results[0])
			default:
				e.out = appendS64(e.out, int64(e.typeOf(nil, t.results)))
			}
		}
	}
	at := 0
	for _, d := range s.edits {
		e.out = append(e.out, b.code[at:d.at]...)
		at = d.at + d.del
		e.edit(s, d, b.code)
	}
	e.out = append(e.out, b.code[at:len(b.code)-1]...)
	if s.instrumented && s.wrap {
		e.out = append(e.out, opEnd)
	}
	if s.instrumented && s.exitCheck {
		e.check()
	}
	if s.instrumented && s.exitFlush {
		e.flush()
	}
	e.out = append(e.out, opEnd)
}

// locals writes the runs of locals, with one for the counter and two for lengths where they are needed.
func (e *emitter) locals(s *scanner, i int) {
	b := &e.m.bodies[i]
	e.counter = uint32(len(e.m.types[e.m.functions[i]].params) + b.locals)
	e.size, e.answer = e.counter+1, e.counter+2
	groups, lengths := b.groups, 0
	if s.instrumented {
		groups++
		switch {
		case s.grow:
			lengths = 2
		case s.bulk:
			lengths = 1
		}
		if lengths > 0 {
			groups++
		}
	}
	e.out = append(appendU32(e.out, uint32(groups)), b.decl...)
	if s.instrumented {
		e.out = append(e.out, 1, 0x7e)
		if lengths > 0 {
			e.out = append(e.out, byte(lengths), 0x7f)
		}
	}
}

func (e *emitter) edit(s *scanner, d edit, code []byte) {
	switch d.kind {
	case editFunc, editLabel:
		e.out = appendU32(e.out, uint32(d.arg))
	case editCharge:
		e.op(opLocalGet, e.counter)
		e.take(s.points[d.arg].cost)
		e.op(opLocalSet, e.counter)
	case editLoop:
		e.op(opLocalGet, e.counter)
		e.take(s.points[d.arg].cost)
		e.test()
	case editOpen:
		e.out = append(e.out, opBlock)
		e.out = append(e.out, code[d.at+1:d.at+d.del]...)
		e.out = append(e.out, opLoop, blockEmpty, opBlock, blockEmpty)
		e.op(opLocalGet, e.counter)
		e.take(s.points[d.arg].cost)
		e.op(opLocalTee, e.counter)
		e.out = append(e.out, opI64Const, 0, opI64LtS, opBrIf, 0)
	case editClose:
		c := s.closes[d.arg]
		if c.falls {
			e.out = append(e.out, opBr, 2)
		} else {
			e.out = append(e.out, opUnreachable)
		}
		e.out = append(e.out, opEnd)
		e.op(opLocalGet, e.counter)
		keeper, ok := e.keeper(s, c.keep)
		if !ok {
			c.keep = nil
		}
		for _, l := range c.keep {
			e.op(opLocalGet, l)
		}
		e.op(opCall, keeper)
		for i := len(c.keep) - 1; i >= 0; i-- {
			e.op(opLocalSet, c.keep[i])
		}
		e.out = append(appendS64(append(e.out, opI64Const), s.points[c.point].cost), opI64Add)
		e.op(opLocalSet, e.counter)
		e.out = append(e.out, opBr, 0, opEnd, opUnreachable, opEnd)
	case editCheck:
		e.check()
	case editFlush:
		e.flush()
	case editReload:
		e.op(opGlobalGet, e.global)
		e.op(opLocalSet, e.counter)
	case editBulk:
		e.op(opLocalSet, e.size)
		e.op(opLocalGet, e.counter)
		e.op(opLocalGet, e.size)
		e.out = append(e.out, opI64ExtendU)
		if d.arg > 0 {
			e.out = append(e.out, opI64Const, byte(d.arg), opI64ShrU)
		}
		e.out = append(e.out, opI64Sub)
		e.test()
		e.op(opLocalGet, e.size)
	case editBefore:
		e.op(opLocalTee, e.size)
	case editAfter:
		e.op(opLocalTee, e.answer)
		e.out = append(e.out, opI32Const, 0x7f, opI32Ne, opIf, blockEmpty)
		e.op(opLocalGet, e.counter)
		e.op(opLocalGet, e.size)
		e.out = append(e.out, opI64ExtendU)
		if d.arg > 1 {
			e.out = append(appendS64(append(e.out, opI64Const), d.arg), opI64Mul)
		}
		e.out = append(e.out, opI64Sub)
		e.test()
		e.out = append(e.out, opEnd)
		e.op(opLocalGet, e.answer)
	}
}

// keeper is the function that refills and hands the locals through: (counter, locals …) → (counter, locals …). Without
// locals, or when there are too many such functions, it is refill itself.
func (e *emitter) keeper(s *scanner, locals []uint32) (index uint32, ok bool) {
	if len(locals) == 0 {
		return e.refill, true
	}
	types := []byte{0x7e}
	for _, l := range locals {
		types = append(types, s.localTypes[l])
	}
	if k, ok := e.keepers[string(types)]; ok {
		return k, true
	}
	if len(e.keepers) >= maxKeepers {
		return e.refill, false
	}
	body := append([]byte{0, opLocalGet, 0, opCall}, appendU32(nil, e.refill)...)
	for i := 1; i < len(types); i++ {
		body = append(body, opLocalGet, byte(i))
	}
	body = append(body, opEnd)
	index = e.refill + 1 + uint32(len(e.m.functions)+len(e.keepers))
	e.keepers[string(types)] = index
	e.keeperTypes = appendU32(e.keeperTypes, e.typeOf(types, types))
	e.keeperCode = append(appendU32(e.keeperCode, uint32(len(body))), body...)
	return index, true
}

func (e *emitter) op(op byte, index uint32) { e.out = appendU32(append(e.out, op), index) }

func (e *emitter) flush() {
	e.op(opLocalGet, e.counter)
	e.op(opGlobalSet, e.global)
}

// take lowers the counter on the stack.
func (e *emitter) take(units int64) {
	e.out = append(appendS64(append(e.out, opI64Const), units), opI64Sub)
}

// A loop without parameters is written as
//
//	block T                   loop T
//	  loop
//	    block
//	      charge, br_if 0 when negative
//	      BODY                  BODY
//	      br 2
//	    end
//	    refill, handing locals through, take the charge back, br 0 (to charge again)
//	  end
//	  unreachable
//	end                       end
//
// so that no call lies on the way through the loop; branches in BODY cross more labels.
//
// test keeps the counter on the stack as the local, and calls refill if it is negative. The form matters to wazero: its
// register allocator takes over, at a place where two ways meet, the registers of the way that it meets first, and that has
// to be the one without a call. An empty then with the call in else does it; the other forms send what lives across the test
// through memory on every pass (1.5 to 2 times the time of tight loops).
func (e *emitter) test() {
	e.op(opLocalTee, e.counter)
	e.negative()
}

func (e *emitter) negative() {
	e.out = append(e.out, opI64Const, 0, opI64GeS, opIf, blockEmpty, opElse)
	e.op(opLocalGet, e.counter)
	e.op(opCall, e.refill)
	e.op(opLocalSet, e.counter)
	e.out = append(e.out, opEnd)
}

func (e *emitter) check() {
	e.op(opLocalGet, e.counter)
	e.negative()
}
