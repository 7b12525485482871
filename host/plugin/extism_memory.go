package plugin

import (
	"github.com/weir-ml/weir/host/errs"
)

// extismMemory are the blocks that an Extism module and its host pass bytes in: a memory of the host's, apart from the
// guest's own, emptied before each call. Offsets are multiples of 8; 0 is no block.
type extismMemory struct {
	limit  int    // bytes
	buf    []byte // what is in use; zero beyond what was written
	blocks map[uint64]int
	spare  map[int][]uint64 // freed blocks by their size rounded up
}

const (
	extismFirst  = 16      // the first block's offset
	extismKept   = 1 << 20 // bytes kept from call to call
	extismLeast  = 64      // bytes that a block takes at least: what the host notes of each must not outgrow the limit
	extismBlocks = 1 << 12 // blocks whose notes are kept from call to call
)

// extismRoom is what a block of n bytes takes.
func extismRoom(n int) int { return max((n+7)&^7, extismLeast) }

func newExtismMemory(limit int64) *extismMemory {
	return &extismMemory{limit: int(limit), buf: make([]byte, extismFirst, 4096), blocks: map[uint64]int{}, spare: map[int][]uint64{}}
}

// reset forgets all blocks.
func (m *extismMemory) reset() {
	if cap(m.buf) > extismKept {
		m.buf = make([]byte, extismFirst, 4096)
	} else {
		clear(m.buf)
		m.buf = m.buf[:extismFirst]
	}
	if len(m.blocks) > extismBlocks || len(m.spare) > extismBlocks {
		m.blocks, m.spare = map[uint64]int{}, map[int][]uint64{}
		return
	}
	clear(m.blocks)
	clear(m.spare)
}

// alloc makes a block of n zero bytes; one of none is 0.
func (m *extismMemory) alloc(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	if n > uint64(m.limit) {
		panic(m.full())
	}
	room := extismRoom(int(n))
	if free := m.spare[room]; len(free) > 0 {
		at := free[len(free)-1]
		m.spare[room] = free[:len(free)-1]
		clear(m.buf[at : at+uint64(room)])
		m.blocks[at] = int(n)
		return at
	}
	at := len(m.buf)
	if at+room > m.limit {
		panic(m.full())
	}
	if at+room > cap(m.buf) {
		grown := make([]byte, at, min(max(2*cap(m.buf), at+room), m.limit))
		copy(grown, m.buf)
		m.buf = grown
	}
	m.buf = m.buf[:at+room]
	m.blocks[uint64(at)] = int(n)
	return uint64(at)
}

func (m *extismMemory) full() *fault {
	return faultf(errs.Exhausted, causeMemory, "its blocks need more than its memory limit of %d bytes", m.limit)
}

// put makes a block of b's bytes.
func (m *extismMemory) put(b []byte) uint64 {
	at := m.alloc(uint64(len(b)))
	copy(m.buf[at:], b)
	return at
}

// free gives a block back; what is no block is left alone.
func (m *extismMemory) free(at uint64) {
	n, ok := m.blocks[at]
	if !ok {
		return
	}
	delete(m.blocks, at)
	room := extismRoom(n)
	if at+uint64(room) == uint64(len(m.buf)) { // the last one: as if it had never been
		clear(m.buf[at:])
		m.buf = m.buf[:at]
		return
	}
	m.spare[room] = append(m.spare[room], at)
}

// block is the bytes of a block; none for what is no block.
func (m *extismMemory) block(at uint64) []byte {
	n, ok := m.blocks[at]
	if !ok {
		return nil
	}
	return m.buf[at : at+uint64(n)]
}

// span is size bytes at an offset anywhere in the blocks; a guest that points elsewhere is stopped.
func (m *extismMemory) span(function string, at, size uint64) []byte {
	if at < extismFirst || at > uint64(len(m.buf)) || size > uint64(len(m.buf))-at {
		panic(faultf(errs.Invalid, causeBounds, "%s: bytes at %d, %d of them, are outside its blocks, which end at %d", function, at, size, len(m.buf)))
	}
	return m.buf[at : at+size]
}
