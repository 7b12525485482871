package fuel

import (
	"math/bits"
	"slices"
)

// A value that changes from one pass of a loop to the next and lives across a call somewhere in the loop is stored to the
// stack by wazero on every pass, even where the call is never reached. So a turned loop hands such locals to the call of
// refill as arguments and takes them back as results: nothing lives across it. Which locals those are is found out here, for
// the first 256 of a function and forwards in one pass; a wrong guess costs time and nothing else.

// keptLocals is how many locals a loop hands over at most; keepers how many functions that do so a module gets at most.
const (
	keptLocals = 24
	maxKeepers = 500
	liveFrames = 64 // a branch across more frames is taken to define nothing
)

// set is a set of the locals below 256.
type set [4]uint64

func (s *set) has(i uint32) bool { return i < 256 && s[i>>6]&(1<<(i&63)) != 0 }

func (s *set) put(i uint32) {
	if i < 256 {
		s[i>>6] |= 1 << (i & 63)
	}
}

func (s set) or(o set) set { return set{s[0] | o[0], s[1] | o[1], s[2] | o[2], s[3] | o[3]} }

func (s set) and(o set) set { return set{s[0] & o[0], s[1] & o[1], s[2] & o[2], s[3] & o[3]} }

func (s set) without(o set) set { return set{s[0] &^ o[0], s[1] &^ o[1], s[2] &^ o[2], s[3] &^ o[3]} }

// flow is what one frame knows of locals.
type flow struct {
	start  set // defined for certain where the frame began, since the loop around it began
	end    set // the same where it ends, on all ways seen so far
	read   set // loops: read before it is certain that the pass has defined it
	write  set // loops: written
	around int // loops: the loop around, -1 for none
}

// use follows a local's use.
func (s *scanner) use(op byte, local uint32) {
	if s.inLoop < 0 || int64(local) >= int64(len(s.localTypes)) {
		return // beyond what is watched, or, in a module that is not valid, beyond what there is
	}
	f := &s.frames[s.inLoop].flow
	if op == opLocalGet {
		if !s.defined.has(local) {
			f.read.put(local)
		}
		return
	}
	s.defined.put(local)
	f.write.put(local)
}

// arrive notes that a way with the given locals defined leads to the end of f. It comes before f.reached is set.
func (f *frame) arrive(defined set) {
	if f.reached {
		defined = defined.and(f.flow.end)
	}
	f.flow.end = defined
}

// definedAt is what is defined since the beginning of the loop that frame level lies in.
func (s *scanner) definedAt(level int) set {
	d := s.defined
	if len(s.frames)-level > liveFrames {
		return set{}
	}
	for i := len(s.frames) - 1; i > level; i-- {
		if s.frames[i].loop {
			d = d.or(s.frames[i].flow.start)
		}
	}
	return d
}

// leaveLoop ends loop f: what it read and wrote the loop around read and wrote, too.
func (s *scanner) leaveLoop(f *frame) {
	if s.inLoop = f.flow.around; s.inLoop >= 0 {
		up := &s.frames[s.inLoop].flow
		up.read = up.read.or(f.flow.read.without(f.flow.start))
		up.write = up.write.or(f.flow.write)
	}
	f.flow.end = f.flow.end.or(f.flow.start)
}

// kept lists the locals that loop f hands over, those of one type together.
func (s *scanner) kept(f *frame) []uint32 {
	from := len(s.keep)
	for word, b := range f.flow.read.and(f.flow.write) {
		for ; b != 0 && len(s.keep)-from < keptLocals; b &= b - 1 {
			s.keep = append(s.keep, uint32(word*64+bits.TrailingZeros64(b)))
		}
	}
	list := s.keep[from:]
	slices.SortStableFunc(list, func(a, b uint32) int { return int(s.localTypes[a]) - int(s.localTypes[b]) })
	return list
}

// typesOfLocals fills s.localTypes with the types of function i's first 256 locals.
func (s *scanner) typesOfLocals(i int) {
	b := &s.m.bodies[i]
	params := s.m.types[s.m.functions[i]].params
	s.localTypes = append(s.localTypes[:0], params[:min(len(params), 256)]...)
	r := newReader(b.decl, "")
	for range b.groups {
		n, t := r.u32(), r.byte()
		for ; n > 0 && len(s.localTypes) < 256; n-- {
			s.localTypes = append(s.localTypes, t)
		}
	}
}
