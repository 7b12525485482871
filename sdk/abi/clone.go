package abi

// Clone copies the batch with all its buffers, which then share one allocation: what a view needs to outlive its memory.
func (b *Batch) Clone() *Batch {
	out := &Batch{Rows: b.Rows, Columns: make([]Column, len(b.Columns))}
	var size, offs int
	for i := range b.Columns {
		c := &b.Columns[i]
		size += int(align(uint64(len(c.Values)))) + int(align(uint64(len(c.Validity))))
		offs += len(c.Offsets)
	}
	words := make([]uint64, size/8)
	buf, offBuf := bytesOf(words), make([]int32, offs)
	take := func(src []byte) []byte {
		n := copy(buf, src)
		out := buf[:n:n]
		buf = buf[align(uint64(n)):]
		return out
	}
	for i := range b.Columns {
		c := b.Columns[i]
		if c.Validity != nil {
			c.Validity = take(c.Validity)
		}
		if c.Offsets != nil {
			n := copy(offBuf, c.Offsets)
			c.Offsets, offBuf = offBuf[:n:n], offBuf[n:]
		}
		if c.Values = take(c.Values); len(c.Values) == 0 {
			c.Values = []byte{}
		}
		out.Columns[i] = c
	}
	return out
}
