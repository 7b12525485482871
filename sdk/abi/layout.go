package abi

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/weir-ml/weir/sdk/internal/text"
)

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
		return nil, text.Errorf("a chunk has at most %d rows, not %d", MaxRows, rows)
	}
	if len(fields) > MaxColumns {
		return nil, text.Errorf("a batch has at most %d columns, not %d", MaxColumns, len(fields))
	}
	l := &Layout{fields: append([]Field(nil), fields...), rows: rows, slots: make([]slot, len(fields))}
	l.names = HeaderSize + uint64(len(fields))*DescriptorSize
	at := l.names
	for i, f := range fields {
		if err := f.check(); err != nil {
			return nil, text.Errorf("column %d (%q): %w", i, f.Name, err)
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
		return nil, text.Errorf("a batch of %d rows and %d columns takes %d bytes, more than a guest can address", rows, len(fields), l.fixed)
	}
	l.head = make([]byte, headEnd)
	return l, nil
}

// check refuses what a descriptor cannot say.
func (f Field) check() error {
	switch {
	case !f.Type.Valid():
		return text.Errorf("unknown %s", f.Type)
	case f.Name == "":
		return text.Errorf("the name is empty")
	case len(f.Name) > MaxNameBytes:
		return text.Errorf("the name has %d bytes, the limit is %d", len(f.Name), MaxNameBytes)
	case !utf8.ValidString(f.Name):
		return text.Errorf("the name is not valid UTF-8")
	case f.Type == FloatVector && (f.ListSize < 1 || f.ListSize > MaxListSize):
		return text.Errorf("list size %d is out of 1..%d", f.ListSize, MaxListSize)
	case f.Type != FloatVector && f.ListSize != 0:
		return text.Errorf("a %s column has no list size, not %d", f.Type, f.ListSize)
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
		return 0, text.Errorf("rows %d..%d of %d cannot be a chunk of at most %d", from, to, b.Rows, l.rows)
	}
	n := l.fixed
	for i := range b.Columns {
		c := &b.Columns[i]
		if err := c.holds(to); err != nil {
			return 0, text.Errorf("column %d (%q): %w", i, c.Name, err)
		}
		if c.Type.Variable() {
			lo, hi := c.Offsets[from], c.Offsets[to]
			if lo < 0 || hi < lo || int64(hi) > int64(len(c.Values)) {
				return 0, text.Errorf("column %d (%q): offsets span %d..%d of %d bytes", i, c.Name, lo, hi, len(c.Values))
			}
			n = align(n + uint64(hi-lo))
		}
	}
	if n > maxAddress {
		return 0, text.Errorf("a chunk of %d rows takes %d bytes, more than a guest can address", to-from, n)
	}
	return uint32(n), nil
}

// holds checks that every buffer reaches row to.
func (c *Column) holds(to int) error {
	if c.Validity != nil && len(c.Validity) < BitmapBytes(to) {
		return text.Errorf("validity has %d bytes, %d rows need %d", len(c.Validity), to, BitmapBytes(to))
	}
	if c.Type.Variable() {
		if len(c.Offsets) < to+1 {
			return text.Errorf("%d offsets, %d rows need %d", len(c.Offsets), to, to+1)
		}
		return nil
	}
	if need := c.ValueBytes(to); len(c.Values) < need {
		return text.Errorf("values have %d bytes, %d rows of %s need %d", len(c.Values), to, c.Type, need)
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
				return text.Errorf("column %d (%q), row %d: %w", i, c.Name, r, err)
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
