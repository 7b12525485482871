package abi

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/weir-ml/weir/sdk/internal/text"
)

// RowLayout is how one row of a list of fields lies in linear memory for weir_row (ABI.md, section 10): validity words, then
// each column's place in its order. It is computed once and used for every row; it is not safe for concurrent use.
type RowLayout struct {
	fields []Field
	places []uint32 // offsets of the columns' places from the row's address
	size   uint32   // of the row without the bytes of utf8 and binary columns
	out    Batch    // what Decode answers: one row, its buffers views
	null   [1]byte  // the validity of a null
}

// slotBytes is the place of every type but float vectors.
const slotBytes = 8

// NewRowLayout plans rows of these fields, of which there is at least one. The error names the column.
func NewRowLayout(fields []Field) (*RowLayout, error) {
	if len(fields) == 0 || len(fields) > MaxColumns {
		return nil, text.Errorf("a row has 1..%d columns, not %d", MaxColumns, len(fields))
	}
	l := &RowLayout{fields: append([]Field(nil), fields...), places: make([]uint32, len(fields))}
	l.out = Batch{Rows: 1, Columns: make([]Column, len(fields))}
	offsets := make([]int32, 2*len(fields))
	at := uint64(len(fields)+63) / 64 * 8
	for i, f := range fields {
		if err := f.check(); err != nil {
			return nil, text.Errorf("column %d (%q): %w", i, f.Name, err)
		}
		l.places[i] = uint32(at)
		l.out.Columns[i].Field = f
		switch {
		case f.Type == FloatVector:
			at += align(uint64(f.ListSize) * 4)
		case f.Type.Variable():
			l.out.Columns[i].Offsets = offsets[2*i : 2*i+2 : 2*i+2]
			fallthrough
		default:
			at += slotBytes
		}
		if at > maxAddress {
			return nil, text.Errorf("a row of %d columns takes more than a guest can address", len(fields))
		}
	}
	if err := l.out.uniqueNames(); err != nil {
		return nil, err
	}
	l.size = uint32(at)
	return l, nil
}

// Fits reports whether b has exactly the planned columns.
func (l *RowLayout) Fits(b *Batch) bool {
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

// Size is the bytes that row r of b takes in memory, after checking that b's buffers hold it. b must fit.
func (l *RowLayout) Size(b *Batch, r int) (uint32, error) {
	if r < 0 || r >= b.Rows {
		return 0, text.Errorf("there is no row %d of %d", r, b.Rows)
	}
	n := uint64(l.size)
	for i := range b.Columns {
		c := &b.Columns[i]
		if err := c.holds(r + 1); err != nil {
			return 0, text.Errorf("column %d (%q): %w", i, c.Name, err)
		}
		if c.Type.Variable() && !c.IsNull(r) {
			lo, hi := c.Offsets[r], c.Offsets[r+1]
			if lo < 0 || hi < lo || int64(hi) > int64(len(c.Values)) {
				return 0, text.Errorf("column %d (%q): offsets span %d..%d of %d bytes", i, c.Name, lo, hi, len(c.Values))
			}
			n += uint64(hi - lo)
		}
	}
	if n > maxAddress {
		return 0, text.Errorf("a row takes %d bytes, more than a guest can address", n)
	}
	return uint32(n), nil
}

// Encode writes row r of b to mem, whose first byte lies at address base (a multiple of 8) and which has at least Size bytes.
// It fails, naming the column, on text that is not UTF-8. The place of a null is zero.
func (l *RowLayout) Encode(mem []byte, base uint32, b *Batch, r int) error {
	le := binary.LittleEndian
	tail := l.size
	var word uint64
	for i := range b.Columns {
		c, p := &b.Columns[i], l.places[i]
		if i&63 == 0 && i > 0 {
			le.PutUint64(mem[i/64*8-8:], word)
			word = 0
		}
		if c.IsNull(r) {
			clear(mem[p:l.end(i)])
			continue
		}
		word |= 1 << (i & 63)
		switch c.Type {
		case Float64, Int64, Timestamp:
			copy(mem[p:p+8], c.Values[r*8:r*8+8])
		case Float32:
			le.PutUint64(mem[p:], uint64(le.Uint32(c.Values[r*4:])))
		case Int32:
			le.PutUint64(mem[p:], uint64(int64(int32(le.Uint32(c.Values[r*4:])))))
		case Bool:
			v := uint64(0)
			if c.BoolAt(r) {
				v = 1
			}
			le.PutUint64(mem[p:], v)
		case FloatVector:
			w := c.ListSize * 4
			n := copy(mem[p:], c.Values[r*w:r*w+w])
			clear(mem[int(p)+n : l.end(i)])
		default:
			v := c.BytesAt(r)
			if c.Type == UTF8 && !utf8.Valid(v) {
				return text.Errorf("column %d (%q): the text is not valid UTF-8", i, c.Name)
			}
			le.PutUint32(mem[p:], base+tail)
			le.PutUint32(mem[p+4:], uint32(len(v)))
			tail += uint32(copy(mem[tail:], v))
		}
	}
	le.PutUint64(mem[(len(b.Columns)-1)/64*8:], word)
	return nil
}

// end is the offset behind column i's place.
func (l *RowLayout) end(i int) uint32 {
	if i+1 < len(l.places) {
		return l.places[i+1]
	}
	return l.size
}

// Decode reads the row at ptr of a linear memory as a batch of one row. The batch belongs to the layout and views mem: it is
// valid until the next Decode, the guest's next run, or until mem goes away. Every field is checked before it is used, in
// 64-bit arithmetic; limit bounds the bytes of the row and what it points to (0: no bound). Errors name the column.
func (l *RowLayout) Decode(mem []byte, ptr uint32, limit int64) (*Batch, error) {
	if uint64(len(mem)) > 1<<32 {
		mem = mem[:1<<32]
	}
	row, err := view(mem, ptr, uint64(l.size), true, "row")
	if err != nil {
		return nil, err
	}
	total := int64(l.size)
	le := binary.LittleEndian
	for i := range l.out.Columns {
		c, p := &l.out.Columns[i], l.places[i]
		if le.Uint64(row[i>>6<<3:])>>(i&63)&1 == 0 {
			l.null[0] = 0
			c.Validity = l.null[:]
			l.nullValue(c, row[p:l.end(i)])
			continue
		}
		c.Validity = nil
		slot := row[p : p+slotBytes]
		switch c.Type {
		case Float64, Int64, Timestamp:
			c.Values = slot
		case Float32:
			if le.Uint32(slot[4:]) != 0 {
				return nil, text.Errorf("column %d (%q): the 4 bytes after a float32 must be zero", i, c.Name)
			}
			c.Values = slot[:4]
		case Int32:
			if v := int64(le.Uint64(slot)); v != int64(int32(v)) {
				return nil, text.Errorf("column %d (%q): %d is no int32", i, c.Name, v)
			}
			c.Values = slot[:4]
		case Bool:
			if v := le.Uint64(slot); v > 1 {
				return nil, text.Errorf("column %d (%q): a bool is 0 or 1, not %d", i, c.Name, v)
			}
			c.Values = slot[:1]
		case FloatVector:
			c.Values = row[p : int(p)+c.ListSize*4]
		default:
			n := le.Uint32(slot[4:])
			if n > maxAddress {
				return nil, text.Errorf("column %d (%q): a value of %d bytes", i, c.Name, n)
			}
			if c.Values, err = view(mem, le.Uint32(slot), uint64(n), false, "value"); err != nil {
				return nil, text.Errorf("column %d (%q): %w", i, c.Name, err)
			}
			c.Offsets[0], c.Offsets[1] = 0, int32(n)
			if total += int64(n); limit > 0 && total > limit {
				return nil, text.Errorf("column %d (%q): the row takes more than %d bytes", i, c.Name, limit)
			}
			if c.Type == UTF8 && !utf8.Valid(c.Values) {
				return nil, text.Errorf("column %d (%q): the text is not valid UTF-8", i, c.Name)
			}
		}
	}
	if limit > 0 && total > limit {
		return nil, text.Errorf("the row takes %d bytes, more than %d", total, limit)
	}
	return &l.out, nil
}

// nullValue gives a null a value of the right size; what it is does not matter.
func (l *RowLayout) nullValue(c *Column, place []byte) {
	switch {
	case c.Type.Variable():
		c.Offsets[0], c.Offsets[1], c.Values = 0, 0, place[:0]
	default:
		c.Values = place[:c.ValueBytes(1)]
	}
}
