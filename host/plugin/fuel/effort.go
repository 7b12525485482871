package fuel

// The engine's compiler takes time that grows with the square of a function's basic blocks, with blocks times locals, and with
// the locals that nested loops hand on: five thousand memory.fill or a hundred nested loops over a thousand locals, a few
// kilobytes, take the better part of a minute. A function beyond these bounds is refused; at them it compiles in some ten
// seconds. Compilers stay far below: of some sixty modules in Go, C, Rust, Zig, AssemblyScript and Haskell the largest function
// has 12,000 blocks, 3.1 million blocks times locals, and fewer than 200,000 of the last.
const (
	maxBlocks      = 25_000
	maxBlockLocals = 5_000_000 // blocks times the locals in use
	maxLoopLocals  = 2_000_000 // for every loop the locals in use within, times the deepest nesting of loops
)

// effort estimates what compiling a function takes, from its instructions as they pass.
type effort struct {
	blocks   int // basic blocks of the rewritten function, about
	uses     int // instructions that name a local
	frames   []int
	loops    int // open ones
	deepest  int
	handedOn int // over all loops: locals in use within
}

func (e *effort) reset() { *e = effort{frames: e.frames[:0]} }

// note counts one instruction; locals is how many the function has.
func (e *effort) note(in *instr, locals int) {
	const inLoop = 1 // a frame is the uses at its begin times two, plus this
	switch in.op {
	case opBlock:
		e.blocks++
		e.frames = append(e.frames, e.uses<<1)
	case opIf:
		e.blocks += 3
		e.frames = append(e.frames, e.uses<<1)
	case opLoop:
		e.blocks += 6
		e.loops++
		e.deepest = max(e.deepest, e.loops)
		e.frames = append(e.frames, e.uses<<1|inLoop)
	case opEnd:
		if n := len(e.frames); n > 0 {
			if f := e.frames[n-1]; f&inLoop != 0 {
				e.loops--
				e.handedOn += min(locals, e.uses-f>>1)
			}
			e.frames = e.frames[:n-1]
		}
	case opBrIf:
		e.blocks += 2
	case opBr, opElse, opReturn, opUnreachable:
		e.blocks++
	case opBrTable:
		e.blocks += 1 + int(in.arg)
	case opCallIndirect:
		e.blocks += 3
	case opMemoryGrow:
		e.blocks += 5
	case opMisc:
		if in.sub >= miscMemoryInit {
			e.blocks += 6
		}
	case opLocalGet, opLocalSet, opLocalTee:
		e.uses++
	}
}

// check fails r when the function is beyond what can be compiled in reasonable time.
func (e *effort) check(r *reader, locals int) {
	const advice = "split it into smaller functions, or build with optimisation"
	switch used := min(locals, e.uses); {
	case e.blocks > maxBlocks:
		r.fail("it has about %d basic blocks, and at most %d are compiled in reasonable time: %s", e.blocks, maxBlocks, advice)
	case e.blocks*used > maxBlockLocals:
		r.fail("its %d basic blocks times %d locals are more than the %d that are compiled in reasonable time: %s", e.blocks, used, maxBlockLocals, advice)
	case e.handedOn*e.deepest > maxLoopLocals:
		r.fail("its loops, %d deep, hand on %d locals, more than are compiled in reasonable time: %s", e.deepest, e.handedOn, advice)
	}
}
