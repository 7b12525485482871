package abi

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// This file is the host's half of the wire: Layout writes batches into a guest's linear memory, Decode reads them back and
// trusts nothing. Both are pure functions over byte slices; ABI.md is their specification.

// Offsets inside the batch header and inside a column descriptor.
const (
	hMagic, hVersion, hFlags, hRows, hColumns, hDescriptors, hZero32, hZero64 = 0, 4, 6, 8, 12, 16, 20, 24

	dType, dZero, dList, dName, dNameLen, dValidity, dOffsets, dValues, dBytes = 0, 1, 4, 8, 12, 16, 20, 24, 28
)

// maxAddress bounds every buffer's end: linear memories have at most 2^32 bytes and weir's stay below 2^31.
const maxAddress = math.MaxInt32

func align(n uint64) uint64 { return (n + Alignment - 1) &^ (Alignment - 1) }

// Layout is where batches of one shape go in linear memory: computed once for a list of fields and a row capacity, then
// used for every batch that fits, so that a call costs little more than copying the values.
//
// The fixed part (header, descriptors, names, and every buffer whose size the row capacity bounds) keeps its place; the
// bytes of UTF8 and Binary columns follow it and move with each batch. A Layout is not safe for concurrent use.
type Layout struct {
	fields []Field
	rows   int
	base   uint64
	names  uint64 // offset of the names, relative to the base as all below
	fixed  uint64 // end of the fixed part
	slots  []slot
	head   []byte // header, descriptors and names as they lie in memory
}

type slot struct{ validity, offsets, values uint64 }

// NewLayout plans for batches with these fields and at most rows rows (1..MaxRows).
// It fails when a field is not one the ABI can carry; the error names the column.
func NewLayout(fields []Field, rows int) (*Layout, error) {
	if rows < 0 || rows > MaxRows {
		return nil, fmt.Errorf("a chunk has at most %d rows, not %d", MaxRows, rows)
	}
	if len(fields) > MaxColumns {
		return nil, fmt.Errorf("a batch has at most %d columns, not %d", MaxColumns, len(fields))
	}
	l := &Layout{fields: append([]Field(nil), fields...), rows: rows, slots: make([]slot, len(fields))}
	l.names = HeaderSize + uint64(len(fields))*DescriptorSize
	at := l.names
	for i, f := range fields {
		if err := f.check(); err != nil {
			return nil, fmt.Errorf("column %d (%q): %w", i, f.Name, err)
		}
		at += uint64(len(f.Name))
	}
	headEnd := at
	for i, f := range fields {
		at = align(at)
		l.slots[i].validity = at
		at = align(at + uint64(BitmapBytes(rows)))
		if f.Type.Variable() {
			l.slots[i].offsets = at
			at = align(at + uint64(rows+1)*4)
			continue
		}
		l.slots[i].values = at
		at = align(at + uint64(f.ValueBytes(rows)))
	}
	l.fixed = align(at)
	if l.fixed > maxAddress {
		return nil, fmt.Errorf("a batch of %d rows and %d columns takes %d bytes, more than a guest can address", rows, len(fields), l.fixed)
	}
	l.head = make([]byte, headEnd)
	return l, nil
}

// check refuses what a descriptor cannot say.
func (f Field) check() error {
	switch {
	case !f.Type.Valid():
		return fmt.Errorf("unknown %s", f.Type)
	case f.Name == "":
		return fmt.Errorf("the name is empty")
	case len(f.Name) > MaxNameBytes:
		return fmt.Errorf("the name has %d bytes, the limit is %d", len(f.Name), MaxNameBytes)
	case !utf8.ValidString(f.Name):
		return fmt.Errorf("the name is not valid UTF-8")
	case f.Type == FloatVector && (f.ListSize < 1 || f.ListSize > MaxListSize):
		return fmt.Errorf("list size %d is out of 1..%d", f.ListSize, MaxListSize)
	case f.Type != FloatVector && f.ListSize != 0:
		return fmt.Errorf("a %s column has no list size, not %d", f.Type, f.ListSize)
	}
	return nil
}

// Rows is the row capacity.
func (l *Layout) Rows() int { return l.rows }

// Fits reports whether b has exactly the planned columns.
func (l *Layout) Fits(b *Batch) bool {
	if len(b.Columns) != len(l.fields) {
		return false
	}
	for i := range l.fields {
		if b.Columns[i].Field != l.fields[i] {
			return false
		}
	}
	return true
}

// Size is the bytes that rows [from, to) of b take in memory, after checking that b's buffers hold them: the error names
// the column. b must fit.
func (l *Layout) Size(b *Batch, from, to int) (uint32, error) {
	if from < 0 || to < from || to > b.Rows || to-from > l.rows || from%8 != 0 {
		return 0, fmt.Errorf("rows %d..%d of %d cannot be a chunk of at most %d", from, to, b.Rows, l.rows)
	}
	n := l.fixed
	for i := range b.Columns {
		c := &b.Columns[i]
		if err := c.holds(to); err != nil {
			return 0, fmt.Errorf("column %d (%q): %w", i, c.Name, err)
		}
		if c.Type.Variable() {
			lo, hi := c.Offsets[from], c.Offsets[to]
			if lo < 0 || hi < lo || int64(hi) > int64(len(c.Values)) {
				return 0, fmt.Errorf("column %d (%q): offsets span %d..%d of %d bytes", i, c.Name, lo, hi, len(c.Values))
			}
			n = align(n + uint64(hi-lo))
		}
	}
	if n > maxAddress {
		return 0, fmt.Errorf("a chunk of %d rows takes %d bytes, more than a guest can address", to-from, n)
	}
	return uint32(n), nil
}

// holds checks that every buffer reaches row to.
func (c *Column) holds(to int) error {
	if c.Validity != nil && len(c.Validity) < BitmapBytes(to) {
		return fmt.Errorf("validity has %d bytes, %d rows need %d", len(c.Validity), to, BitmapBytes(to))
	}
	if c.Type.Variable() {
		if len(c.Offsets) < to+1 {
			return fmt.Errorf("%d offsets, %d rows need %d", len(c.Offsets), to, to+1)
		}
		return nil
	}
	if need := c.ValueBytes(to); len(c.Values) < need {
		return fmt.Errorf("values have %d bytes, %d rows of %s need %d", len(c.Values), to, c.Type, need)
	}
	return nil
}

// Place fixes the address of the header in linear memory (8-aligned) and rewrites the fixed part for it.
func (l *Layout) Place(base uint32) {
	l.base = uint64(base)
	le := binary.LittleEndian
	h := l.head
	le.PutUint32(h[hMagic:], Magic)
	le.PutUint16(h[hVersion:], Version)
	le.PutUint32(h[hColumns:], uint32(len(l.fields)))
	le.PutUint32(h[hDescriptors:], uint32(l.base+HeaderSize))
	name := l.names
	for i, f := range l.fields {
		d := h[HeaderSize+i*DescriptorSize:]
		d[dType] = byte(f.Type)
		le.PutUint32(d[dList:], uint32(f.ListSize))
		le.PutUint32(d[dName:], uint32(l.base+name))
		le.PutUint32(d[dNameLen:], uint32(len(f.Name)))
		name += uint64(copy(h[name:], f.Name))
	}
}

// Encode writes rows [from, to) of b to mem, whose first byte lies at the address given to Place and which has at least
// Size bytes. from is a multiple of 8. It fails, naming column and row, on offsets that descend and on text that is not
// UTF-8: guests may rely on both.
func (l *Layout) Encode(mem []byte, b *Batch, from, to int) error {
	rows := to - from
	le := binary.LittleEndian
	le.PutUint32(l.head[hRows:], uint32(rows))
	tail := l.fixed
	for i := range b.Columns {
		c, s := &b.Columns[i], &l.slots[i]
		d := l.head[HeaderSize+i*DescriptorSize:][:DescriptorSize]
		var validity, offsets, values, size uint64
		if c.Validity != nil {
			copy(mem[s.validity:], c.Validity[from/8:BitmapBytes(to)])
			validity = l.base + s.validity
		}
		switch {
		case c.Type.Variable():
			lo, hi := c.Offsets[from], c.Offsets[to]
			if r, err := c.checkRuns(from, to); err != nil {
				return fmt.Errorf("column %d (%q), row %d: %w", i, c.Name, r, err)
			}
			if lo == 0 {
				copy(mem[s.offsets:], bytesOf(c.Offsets[from:to+1]))
			} else {
				for j, o := range c.Offsets[from : to+1] {
					le.PutUint32(mem[s.offsets+uint64(j)*4:], uint32(o-lo))
				}
			}
			copy(mem[tail:], c.Values[lo:hi])
			offsets, values, size = l.base+s.offsets, l.base+tail, uint64(hi-lo)
			tail = align(tail + size)
		case c.Type == Bool:
			size = uint64(BitmapBytes(rows))
			copy(mem[s.values:], c.Values[from/8:from/8+int(size)])
			values = l.base + s.values
		default:
			w := c.ValueBytes(1)
			size = uint64(rows * w)
			copy(mem[s.values:], c.Values[from*w:to*w])
			values = l.base + s.values
		}
		le.PutUint32(d[dValidity:], uint32(validity))
		le.PutUint32(d[dOffsets:], uint32(offsets))
		le.PutUint32(d[dValues:], uint32(values))
		le.PutUint32(d[dBytes:], uint32(size))
	}
	copy(mem, l.head)
	return nil
}

// checkRuns checks the offsets of rows [from, to), whose ends lie within Values, and that text is UTF-8.
// On failure it returns the row.
func (c *Column) checkRuns(from, to int) (int, error) {
	last := c.Offsets[from]
	for i, o := range c.Offsets[from+1 : to+1] {
		if o < last {
			return from + i, fmt.Errorf("offset %d follows %d", o, last)
		}
		last = o
	}
	if c.Type != UTF8 {
		return 0, nil
	}
	// The whole run is valid and no row begins inside a rune: then every row is valid. That is far quicker than row by row.
	run := c.Values[:c.Offsets[to]]
	whole := utf8.Valid(run[c.Offsets[from]:])
	if whole {
		for _, o := range c.Offsets[from:to] {
			if int(o) < len(run) && !utf8.RuneStart(run[o]) {
				whole = false
				break
			}
		}
	}
	if whole {
		return 0, nil
	}
	for r := from; r < to; r++ {
		if !c.IsNull(r) && !utf8.Valid(c.BytesAt(r)) {
			return r, fmt.Errorf("the text is not valid UTF-8")
		}
	}
	return 0, nil
}

// DecodeLimits bounds what Decode accepts.
type DecodeLimits struct {
	Rows  int   // the exact row count; -1 for any up to MaxRows
	Bytes int64 // the sum of all buffers, names included; a buffer that two columns share counts twice. 0: no bound
}

// Decode reads the batch whose header lies at ptr of a linear memory into b, reusing b.Columns. The columns view mem: they
// are valid until the guest runs again or mem goes away. Every field is checked before it is used, in 64-bit arithmetic, so
// that no header can make Decode read outside mem, panic, or allocate more than the names and MaxColumns columns.
// Buffers may overlap, since nobody writes to them. On error b is of no use.
func Decode(mem []byte, ptr uint32, lim DecodeLimits, b *Batch) error {
	if uint64(len(mem)) > 1<<32 {
		mem = mem[:1<<32]
	}
	h, err := view(mem, ptr, HeaderSize, true, "batch header")
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	if m := le.Uint32(h[hMagic:]); m != Magic {
		return fmt.Errorf("batch header: magic is %#08x, not %#08x", m, Magic)
	}
	if v := le.Uint16(h[hVersion:]); v != Version {
		return fmt.Errorf("batch header: version %d, this host speaks %d", v, Version)
	}
	if le.Uint16(h[hFlags:]) != 0 || le.Uint32(h[hZero32:]) != 0 || le.Uint64(h[hZero64:]) != 0 {
		return fmt.Errorf("batch header: flags and reserved bytes must be zero")
	}
	rows, cols := le.Uint32(h[hRows:]), le.Uint32(h[hColumns:])
	if rows > MaxRows {
		return fmt.Errorf("batch header: %d rows, the limit is %d", rows, MaxRows)
	}
	if lim.Rows >= 0 && int(rows) != lim.Rows {
		return fmt.Errorf("batch header: %d rows instead of %d", rows, lim.Rows)
	}
	if cols > MaxColumns {
		return fmt.Errorf("batch header: %d columns, the limit is %d", cols, MaxColumns)
	}
	desc, err := view(mem, le.Uint32(h[hDescriptors:]), uint64(cols)*DescriptorSize, true, "column descriptors")
	if err != nil {
		return err
	}
	if cap(b.Columns) < int(cols) {
		b.Columns = append(make([]Column, 0, cols), b.Columns...)
	}
	renamed := len(b.Columns) != int(cols)
	b.Rows, b.Columns = int(rows), b.Columns[:cols]
	var total int64
	for i := range b.Columns {
		c := &b.Columns[i]
		fresh, err := c.decode(mem, desc[i*DescriptorSize:][:DescriptorSize], int(rows))
		if err != nil {
			return fmt.Errorf("column %d (%q): %w", i, c.Name, err)
		}
		renamed = renamed || fresh
		total += int64(len(c.Name) + len(c.Validity) + 4*len(c.Offsets) + len(c.Values))
		if lim.Bytes > 0 && total > lim.Bytes {
			return fmt.Errorf("column %d (%q): the batch takes more than %d bytes", i, c.Name, lim.Bytes)
		}
	}
	if renamed {
		return b.uniqueNames()
	}
	return nil
}

// decode fills c from its descriptor; fresh reports that the name differs from c's former one.
func (c *Column) decode(mem, d []byte, rows int) (fresh bool, err error) {
	le := binary.LittleEndian
	nameLen := le.Uint32(d[dNameLen:])
	if nameLen == 0 || nameLen > MaxNameBytes {
		c.Name = ""
		return false, fmt.Errorf("the name has %d bytes, not 1..%d", nameLen, MaxNameBytes)
	}
	name, err := view(mem, le.Uint32(d[dName:]), uint64(nameLen), false, "name")
	if err != nil {
		c.Name = ""
		return false, err
	}
	if c.Name != string(name) {
		fresh = true
		if c.Name = string(name); !utf8.ValidString(c.Name) {
			return false, fmt.Errorf("the name is not valid UTF-8")
		}
	}
	if d[dZero]|d[dZero+1]|d[dZero+2] != 0 {
		return false, fmt.Errorf("reserved descriptor bytes must be zero")
	}
	list := le.Uint32(d[dList:])
	if list > MaxListSize {
		return false, fmt.Errorf("list size %d is out of 1..%d", list, MaxListSize)
	}
	c.Type, c.ListSize = Type(d[dType]), int(list)
	if err := c.check(); err != nil {
		return false, err
	}
	c.Validity, c.Offsets, c.Values = nil, nil, nil
	if p := le.Uint32(d[dValidity:]); p != 0 {
		if c.Validity, err = view(mem, p, uint64(BitmapBytes(rows)), true, "validity"); err != nil {
			return false, err
		}
	}
	op, vp, size := le.Uint32(d[dOffsets:]), le.Uint32(d[dValues:]), le.Uint32(d[dBytes:])
	if !c.Type.Variable() {
		if op != 0 {
			return false, fmt.Errorf("a %s column has no offsets", c.Type)
		}
		// rows ≤ 2^13 and list ≤ 2^20 elements of 4 bytes: the product stays below 2^36.
		if need := uint64(c.ValueBytes(rows)); uint64(size) != need {
			return false, fmt.Errorf("values have %d bytes, %d rows of %s need %d", size, rows, c.Type, need)
		}
		c.Values, err = view(mem, vp, uint64(size), true, "values")
		return fresh, err
	}
	raw, err := view(mem, op, uint64(rows+1)*4, true, "offsets")
	if err != nil {
		return false, err
	}
	if c.Values, err = view(mem, vp, uint64(size), false, "values"); err != nil {
		return false, err
	}
	c.Offsets = sliceOf[int32](raw)
	if lo, hi := c.Offsets[0], c.Offsets[rows]; lo < 0 || hi < lo || int64(hi) > int64(size) {
		return false, fmt.Errorf("offsets span %d..%d of %d bytes", lo, hi, size)
	}
	if r, err := c.checkRuns(0, rows); err != nil {
		return false, fmt.Errorf("row %d: %w", r, err)
	}
	return fresh, nil
}

// view returns n bytes at p, checked. An empty view ignores its pointer, except that it must not be misused as a null
// of a buffer that has bytes: pointer 0 is no address of a buffer.
func view(mem []byte, p uint32, n uint64, aligned bool, what string) ([]byte, error) {
	if n == 0 {
		return []byte{}, nil
	}
	if p == 0 {
		return nil, fmt.Errorf("%s: the pointer is 0 but %d bytes are due", what, n)
	}
	if aligned && p%Alignment != 0 {
		return nil, fmt.Errorf("%s: address %d is not a multiple of %d", what, p, Alignment)
	}
	end := uint64(p) + n
	if end > uint64(len(mem)) {
		return nil, fmt.Errorf("%s: bytes %d..%d lie outside the memory of %d", what, p, end, len(mem))
	}
	return mem[p:end:end], nil
}

func (b *Batch) uniqueNames() error {
	seen := make(map[string]int, len(b.Columns))
	for i := range b.Columns {
		if j, dup := seen[b.Columns[i].Name]; dup {
			return fmt.Errorf("columns %d and %d are both named %q", j, i, b.Columns[i].Name)
		}
		seen[b.Columns[i].Name] = i
	}
	return nil
}

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
