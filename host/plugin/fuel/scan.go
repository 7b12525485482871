package fuel

import "math"

// What is written at a place in a function's body.
type editKind uint8

const (
	editCharge editKind = iota // charge point arg
	editLoop                   // charge and test inside a loop header that takes parameters
	editOpen                   // the same with the call out of the way: replaces loop
	editClose                  // and its end, closing arg
	editLabel                  // replaces a branch's depth by arg
	editCheck                  // test alone
	editFlush                  // counter → global
	editReload                 // global → counter
	editFunc                   // replaces a function index by arg
	editBulk                   // charge by the length on the stack, arg units shift, and test
	editBefore                 // keep the operand of a grow
	editAfter                  // charge by it if the grow succeeded, arg units an item, and test
)

type edit struct {
	at, del int // position in the body, bytes replaced
	kind    editKind
	arg     int64
}

// point is a charge: its units are known when the code that it covers has been read.
type point struct {
	cost  int64
	spare int64 // of them: for code that may be left out
	// outermost is the lowest level of a frame that a branch since the point leads to. While that frame is open, what follows may
	// be left out; after its end it is certain again.
	outermost int
}

const nowhere = math.MaxInt

// frame is an open block, loop, if or the function itself.
type frame struct {
	op                 byte
	loop               bool
	turned             bool // a loop written with its call of refill out of the way: two more labels around, one within
	extra              int  // labels added by this frame and those around it
	loopPoint          int  // a turned loop's charge
	reached            bool // a live branch or fall-through leads to its end
	dirty, startDirty  bool
	point              int // in force where the frame began
	out                int // lowest level that a branch from inside leads to
	cost0, spare0      int64
	thenCost, thenSpar int64
	gap, startGap      int64 // longest way since a test: to the end; to the beginning
	flow               flow
}

// closing is the end of a turned loop.
type closing struct {
	point int
	falls bool     // control falls into it
	keep  []uint32 // locals handed over
}

// scanner plans one function at a time; its buffers are reused.
type scanner struct {
	m     *module
	small []int32 // per defined function: units if small, -1 if it charges itself

	edits  []edit
	points []point
	frames []frame

	instrumented bool
	cur          int   // point in force
	gap          int64 // longest way since the last test
	dirty        bool  // the counter may differ from the global
	live         bool
	dead         int  // frames opened in dead code
	wrap         bool // a conditional branch leads to the function's end
	exitCheck    bool // the end needs a test
	exitFlush    bool
	bulk, grow   bool
	loops        int
	checks       int

	localTypes []byte // of the first 256 locals
	defined    set    // locals defined for certain since the innermost loop began
	inLoop     int    // its frame, -1 for none
	keep       []uint32
	closes     []closing
	effort     effort
}

// scan plans function i: s.edits in order of position, and s.points.
func (s *scanner) scan(i int) error {
	code := s.m.bodies[i].code
	s.edits, s.points, s.frames = s.edits[:0], s.points[:0], s.frames[:0]
	s.instrumented = s.small[i] < 0
	s.cur, s.gap, s.dirty, s.live, s.dead = 0, 0, true, true, 0
	s.wrap, s.exitCheck, s.exitFlush, s.bulk, s.grow = false, false, false, false, false
	s.loops, s.checks = 0, 0
	s.defined, s.inLoop, s.keep, s.closes = set{}, -1, s.keep[:0:0], s.closes[:0]
	s.typesOfLocals(i)
	s.points = append(s.points, point{cost: 1, outermost: nowhere})
	s.frames = append(s.frames, frame{out: nowhere})
	s.effort.reset()
	locals := len(s.m.types[s.m.functions[i]].params) + s.m.bodies[i].locals
	r := newReader(code, s.m.functionName(i))
	var in instr
	for r.left() > 0 {
		if len(s.frames) == 0 {
			r.fail("code after its end")
			break
		}
		r.next(&in)
		if r.err != nil {
			break
		}
		s.effort.note(&in, locals)
		if s.live {
			s.step(r, &in)
		} else {
			s.deadStep(r, &in)
		}
	}
	if r.err == nil && len(s.frames) > 0 {
		r.fail("it ends within a block")
	}
	if r.err == nil {
		s.effort.check(r, locals)
	}
	return r.err
}

// deadStep follows code that cannot be reached: only indices change in it.
func (s *scanner) deadStep(r *reader, in *instr) {
	switch in.op {
	case opBlock, opLoop, opIf:
		s.dead++
		if s.dead+len(s.frames) > maxNesting {
			r.fail("blocks are nested more than %d deep", maxNesting)
		}
	case opElse:
		if s.dead == 0 {
			s.turn(r)
		}
	case opEnd:
		if s.dead > 0 {
			s.dead--
		} else {
			s.end(in)
		}
	case opCall, opRefFunc:
		s.index(in)
	case opBr, opBrIf:
		s.label(r, in.argAt, in.end, in.arg)
	case opBrTable:
		s.labels(r, in, func(uint32) {})
	}
}

// labels visits the targets of a br_table.
func (s *scanner) labels(r *reader, in *instr, visit func(depth uint32)) {
	t := newReader(r.b[:in.end], r.in)
	t.pos = in.argAt
	for i := uint32(0); i <= in.arg && r.err == nil; i++ {
		at := t.pos
		depth := t.u32()
		s.label(r, at, t.pos, depth)
		visit(depth)
	}
}

// label notes that a branch's depth, at [at, end), changes: turned loops between here and there have labels of their own.
func (s *scanner) label(r *reader, at, end int, depth uint32) {
	level := len(s.frames) - 1 - (int(depth) - s.dead)
	if int64(depth) < int64(s.dead) {
		return // it stays within dead code, where nothing is added
	}
	if level < 0 {
		r.fail("a branch leaves %d blocks of %d", depth, len(s.frames)+s.dead)
		return
	}
	f := &s.frames[level]
	extra := s.frames[len(s.frames)-1].extra - f.extra
	if f.turned {
		extra++
	}
	if extra > 0 {
		s.add(edit{at, end - at, editLabel, int64(depth) + int64(extra)})
	}
}

// index notes that a function index has to move.
func (s *scanner) index(in *instr) {
	if to := s.m.shift(in.arg); to != in.arg {
		s.add(edit{in.argAt, in.end - in.argAt, editFunc, int64(to)})
	}
}

func (s *scanner) add(e edit) { s.edits = append(s.edits, e) }

// spend puts units on the charge in force, or opens a new one at position at.
func (s *scanner) spend(at int, units int64) {
	if units == 0 || !s.instrumented {
		return
	}
	if s.gap += units; s.gap > gapUnits {
		s.check(at)
		s.gap = units
	}
	p := &s.points[s.cur]
	switch {
	case p.cost > 0 && p.cost+units > gapUnits: // paid in advance, it would outlast the tests
		s.charge(at, units)
	case p.outermost >= len(s.frames):
		p.cost += units
	case p.spare+units <= spareUnits:
		p.cost += units
		p.spare += units
	default:
		s.charge(at, units)
	}
}

// charge opens a new charge at position at.
func (s *scanner) charge(at int, units int64) {
	s.add(edit{at: at, kind: editCharge, arg: int64(len(s.points))})
	s.cur = len(s.points)
	s.points = append(s.points, point{cost: units, outermost: nowhere})
	s.dirty = true
}

// check puts a test at position at.
func (s *scanner) check(at int) {
	s.add(edit{at: at, kind: editCheck})
	s.gap, s.dirty = 0, true
	s.checks++
}

// branch notes that control may go from here to the label depth.
func (s *scanner) branch(r *reader, depth uint32, conditional bool) {
	if r.err != nil {
		return
	}
	level := len(s.frames) - 1 - int(depth)
	f := &s.frames[level]
	if !f.loop {
		f.arrive(s.definedAt(level))
		f.reached = true
		f.gap = max(f.gap, s.gap)
		f.dirty = f.dirty || s.dirty
	}
	if level == 0 && conditional {
		s.wrap = true
	}
	s.escape(level)
}

func (s *scanner) escape(level int) {
	p, top := &s.points[s.cur], &s.frames[len(s.frames)-1]
	p.outermost = min(p.outermost, level)
	top.out = min(top.out, level)
}

// leave is for a return or an unconditional branch to the function's end.
func (s *scanner) leave(at int) {
	if !s.instrumented {
		return
	}
	if s.gap > exitUnits {
		s.check(at)
	}
	if s.dirty {
		s.add(edit{at: at, kind: editFlush})
		s.dirty = false
	}
}

// step follows a live instruction.
func (s *scanner) step(r *reader, in *instr) {
	cost := int64(in.cost)
	switch in.op {
	case opBlock, opLoop, opIf:
		s.open(r, in, cost)
	case opElse:
		s.turn(r)
	case opEnd:
		s.end(in)
	case opUnreachable:
		if s.instrumented && s.dirty {
			s.add(edit{at: in.start, kind: editFlush})
		}
		s.live = false
	case opReturn:
		s.spend(in.start, cost)
		s.leave(in.start)
		s.escape(0)
		s.live = false
	case opBr:
		s.spend(in.start, cost)
		if int(in.arg) == len(s.frames)-1 {
			s.leave(in.start)
		}
		s.label(r, in.argAt, in.end, in.arg)
		s.branch(r, in.arg, false)
		s.live = false
	case opBrIf:
		s.spend(in.start, cost)
		s.label(r, in.argAt, in.end, in.arg)
		s.branch(r, in.arg, true)
	case opBrTable:
		s.spend(in.start, cost)
		s.labels(r, in, func(depth uint32) { s.branch(r, depth, true) })
		s.live = false
	case opCall:
		s.call(r, in, cost)
	case opCallIndirect:
		s.callOut(r, in, cost, in.arg)
		s.gap += smallUnits
	case opMemoryGrow:
		s.growth(in, cost, pageUnits)
	case opRefFunc:
		s.spend(in.start, cost)
		s.index(in)
	case opMisc:
		s.misc(in, cost)
	case opLocalGet, opLocalSet, opLocalTee:
		s.use(in.op, in.arg)
		s.spend(in.start, cost)
	default:
		s.spend(in.start, cost)
	}
}

func (s *scanner) misc(in *instr, cost int64) {
	switch in.sub {
	case miscMemoryInit, miscMemoryCopy, miscMemoryFill:
		s.bulkOp(in, cost, bulkShift)
	case miscTableInit, miscTableCopy, miscTableFill:
		s.bulkOp(in, cost, 0)
	case miscTableGrow:
		s.growth(in, cost, tableElemUnits)
	default:
		s.spend(in.start, cost)
	}
}

func (s *scanner) bulkOp(in *instr, cost, shift int64) {
	s.spend(in.start, cost)
	s.add(edit{at: in.start, kind: editBulk, arg: shift})
	s.bulk, s.dirty, s.gap = true, true, 0
	s.checks++
}

func (s *scanner) growth(in *instr, cost, units int64) {
	s.spend(in.start, cost)
	s.add(edit{at: in.start, kind: editBefore})
	s.add(edit{at: in.end, kind: editAfter, arg: units})
	s.grow, s.dirty = true, true
	s.checks++
}

// call is a direct call: a small callee is paid for here and leaves the counter alone.
func (s *scanner) call(r *reader, in *instr, cost int64) {
	if f := int(in.arg) - len(s.m.imported); f >= 0 {
		if f >= len(s.small) {
			r.fail("it calls function %d, which does not exist", in.arg)
			return
		}
		if units := s.small[f]; units >= 0 {
			s.spend(in.start, cost+int64(units))
			s.index(in)
			return
		}
		s.callOut(r, in, cost, s.m.functions[f])
		s.gap = 0 // the callee tests at its entry and returns soon after its last test
		return
	}
	s.callOut(r, in, cost+costImport, s.m.imported[in.arg])
}

// callOut is a call whose callee uses the counter: it goes through the global. Many results cost what moving them costs.
func (s *scanner) callOut(r *reader, in *instr, cost int64, typ uint32) {
	if int(typ) >= len(s.m.types) {
		r.fail("it calls by type %d, which does not exist", typ)
		return
	}
	t := &s.m.types[typ]
	s.spend(in.start, cost+int64(len(t.params)+len(t.results))/4)
	if s.dirty {
		s.add(edit{at: in.start, kind: editFlush})
	}
	if in.op == opCall {
		s.index(in)
	}
	s.add(edit{at: in.end, kind: editReload})
	s.dirty = false
}
