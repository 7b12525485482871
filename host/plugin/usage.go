package plugin

import "context"

// Usage sums what the pools of a module do now, over all parameters and limits: how many pools there are, and their figures.
// Counters are of pools that are open; LastColdStart is the longest of the pools' last ones.
func (h *Host) Usage(digest string) (pools int, s Stats) {
	h.mu.Lock()
	var list []*pool
	for _, p := range h.pools {
		if p.code.digest == digest {
			list = append(list, p)
		}
	}
	h.mu.Unlock()
	for _, p := range list {
		one := p.stats()
		s.Live, s.Idle, s.Waiting = s.Live+one.Live, s.Idle+one.Idle, s.Waiting+one.Waiting
		s.Calls, s.Traps, s.ColdStarts = s.Calls+one.Calls, s.Traps+one.Traps, s.ColdStarts+one.ColdStarts
		s.Fuel += one.Fuel
		s.LastColdStart = max(s.LastColdStart, one.LastColdStart)
	}
	return len(list), s
}

// Effective are the limits that a plugin opened with l would have: defaults put in, ceilings applied.
func (h *Host) Effective(l Limits) Limits { return h.bounded(l) }

// InspectWithin is Inspect under a plugin's own limits: a module that needs more memory than the host's default is looked
// at with the memory that it will have.
func (h *Host) InspectWithin(ctx context.Context, wasm []byte, l Limits, with ...OpenOption) (Info, error) {
	var o opening
	for _, w := range with {
		w(&o)
	}
	c, err := h.codeOf(wasm)
	if err != nil {
		return Info{}, err
	}
	d, exports, err := c.describe(ctx, h.bounded(l))
	if err != nil {
		return Info{}, err
	}
	if played, err := c.play(o.extism, d); err == nil {
		d = played
	} else if o.strict {
		return Info{}, h.blame(c, err)
	}
	return Info{Digest: c.digest, Size: len(wasm), Description: d, Exports: exports}, nil
}
