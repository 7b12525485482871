package plugin

// linear is one instance's memory under its limit (wazero's experimental.MemoryAllocator and LinearMemory). It lives in Go's
// heap, so a view that outlives its instance is stale but never dangling.
type linear struct {
	limit   uint64
	buf     []byte
	refused bool // the guest asked for more than it may have
}

func (l *linear) Reallocate(size uint64) []byte {
	if size > l.limit {
		l.refused = true
		return nil
	}
	if size > uint64(cap(l.buf)) {
		// Half as much again, so that growing page by page does not copy the memory for each of them; the first time, too, since
		// nearly every guest grows by a page or two, and pages that nobody has touched cost nothing until they are copied.
		room := min(l.limit, size+max(size/2, 2<<16))
		grown := make([]byte, size, room)
		copy(grown, l.buf)
		l.buf = grown
	}
	l.buf = l.buf[:size]
	return l.buf
}

func (l *linear) Free() { l.buf = nil }
