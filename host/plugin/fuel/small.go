package fuel

// findSmall finds the functions that need no charge of their own: without loop, call out or bulk instruction, and together
// with the small functions that they call at most smallUnits. A recursive one never becomes small.
func (s *scanner) findSmall() error {
	const unknown, own = -2, -1
	n := len(s.m.bodies)
	s.small = make([]int32, n)
	calls := make(map[int][]int) // candidates only: at most smallUnits/cost of a call each
	callers := make(map[int][]int)
	var ready []int
	var in instr
	for i := range s.m.bodies {
		s.small[i] = unknown
		r := newReader(s.m.bodies[i].code, s.m.functionName(i))
		cost := int64(0)
		var callees []int
	body:
		for r.left() > 0 {
			r.next(&in)
			if r.err != nil {
				return r.err
			}
			cost += int64(in.cost)
			switch in.op {
			case opLoop, opCallIndirect, opMemoryGrow, opRefFunc:
				cost = smallUnits + 1
			case opMisc:
				if in.sub >= miscMemoryInit && in.sub != miscTableSize {
					cost = smallUnits + 1
				}
			case opCall:
				if f := int(in.arg) - len(s.m.imported); f < 0 || f >= n {
					cost = smallUnits + 1
				} else {
					callees = append(callees, f)
				}
			}
			if cost > smallUnits {
				break body
			}
		}
		switch {
		case cost > smallUnits:
			s.small[i] = own
		case len(callees) == 0:
			s.small[i] = int32(cost)
			ready = append(ready, i)
		default:
			calls[i] = append([]int{int(cost)}, callees...)
			for _, f := range callees {
				callers[f] = append(callers[f], i)
			}
		}
	}
	for len(ready) > 0 {
		f := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, i := range callers[f] {
			if s.small[i] != unknown {
				continue
			}
			sum := int64(calls[i][0])
			for _, g := range calls[i][1:] {
				if s.small[g] < 0 {
					sum = -1
					break
				}
				sum += int64(s.small[g])
			}
			switch {
			case sum < 0:
			case sum > smallUnits:
				s.small[i] = own
			default:
				s.small[i] = int32(sum)
				ready = append(ready, i)
			}
		}
	}
	for i, v := range s.small {
		if v == unknown {
			s.small[i] = own
		}
	}
	return nil
}
