package fuel

// open begins a block, loop or if.
func (s *scanner) open(r *reader, in *instr, cost int64) {
	if s.dead+len(s.frames) >= maxNesting {
		r.fail("blocks are nested more than %d deep", maxNesting)
		return
	}
	params, results := 0, in.results
	if in.block >= 0 {
		if in.block >= int64(len(s.m.types)) {
			r.fail("a block has type %d, which does not exist", in.block)
			return
		}
		t := &s.m.types[in.block]
		params, results = len(t.params), len(t.results)
	}
	f := frame{op: in.op, loop: in.op == opLoop, out: nowhere}
	switch in.op {
	case opBlock:
		s.spend(in.start, int64(results))
	case opIf:
		s.spend(in.start, cost+int64(results))
	}
	f.point, f.cost0, f.spare0 = s.cur, s.points[s.cur].cost, s.points[s.cur].spare
	f.startGap, f.startDirty = s.gap, s.dirty
	f.flow = flow{start: s.defined, around: s.inLoop}
	f.extra = s.frames[len(s.frames)-1].extra
	if f.turned = f.loop && s.instrumented && params == 0; f.turned {
		f.extra += 2
		f.loopPoint = len(s.points)
	}
	s.frames = append(s.frames, f)
	switch in.op {
	case opIf:
		s.escape(len(s.frames) - 1)
	case opLoop:
		s.defined, s.inLoop = set{}, len(s.frames)-1
		s.loops++
		switch {
		case f.turned:
			s.add(edit{at: in.start, del: in.end - in.start, kind: editOpen, arg: int64(len(s.points))})
			s.checks++
		case s.instrumented:
			s.add(edit{at: in.end, kind: editLoop, arg: int64(len(s.points))})
			s.checks++
		}
		s.cur = len(s.points)
		s.points = append(s.points, point{cost: cost + int64(params), outermost: nowhere})
		s.gap, s.dirty = cost+int64(params), true
	}
}

// fall notes that control falls into the end of the innermost frame.
func (s *scanner) fall(f *frame) {
	if s.live {
		f.arrive(s.defined)
		f.reached = true
		f.gap = max(f.gap, s.gap)
		f.dirty = f.dirty || s.dirty
	}
}

// turn goes from the first arm of an if to the second. Both arms are paid by the dearer one.
func (s *scanner) turn(r *reader) {
	f := &s.frames[len(s.frames)-1]
	if f.op != opIf {
		r.fail("else without if")
		return
	}
	s.fall(f)
	f.op = opElse
	p := &s.points[f.point]
	f.thenCost, f.thenSpar = p.cost, p.spare
	p.cost, p.spare = f.cost0, f.spare0
	p.outermost = min(p.outermost, f.out)
	s.cur, s.gap, s.dirty, s.live = f.point, f.startGap, f.startDirty, true
	s.defined = f.flow.start
}

// end closes the innermost frame.
func (s *scanner) end(in *instr) {
	f := &s.frames[len(s.frames)-1]
	if f.turned {
		s.add(edit{in.start, 1, editClose, int64(len(s.closes))})
		s.closes = append(s.closes, closing{f.loopPoint, s.live, s.kept(f)})
	}
	s.fall(f)
	p := &s.points[f.point]
	switch f.op {
	case opIf: // the missing arm
		f.arrive(f.flow.start)
		f.reached = true
		f.gap = max(f.gap, f.startGap)
		f.dirty = f.dirty || f.startDirty
	case opElse:
		p.cost, p.spare = max(p.cost, f.thenCost), max(p.spare, f.thenSpar)
	}
	p.outermost = min(p.outermost, f.out)
	if f.loop {
		s.leaveLoop(f)
	}
	s.defined = f.flow.end
	s.cur, s.gap, s.dirty, s.live = f.point, f.gap, f.dirty, f.reached
	if len(s.frames) > 1 {
		up := &s.frames[len(s.frames)-2]
		up.out = min(up.out, f.out)
	} else {
		s.exitFlush = s.live && s.dirty
		if s.exitCheck = s.live && s.gap > exitUnits; s.exitCheck {
			s.exitFlush = true
			s.checks++
		}
	}
	s.frames = s.frames[:len(s.frames)-1]
}
