package abi

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unicode/utf8"
	"unsafe"

	"github.com/weir-ml/weir/sdk/internal/text"
)

// Batch is a columnar chunk of rows in Go's memory, its buffers laid out as Arrow lays them out.
// A batch may hold more than MaxRows rows; host/plugin cuts it into chunks.
// A batch is not safe for concurrent writing; readers may share it.
type Batch struct {
	Rows    int
	Columns []Column
}

// Column is one column of a Batch.
type Column struct {
	Field
	// Validity is a bitmap, least significant bit first; a set bit means the row has a value. nil: every row has one.
	Validity []byte
	// Offsets has rows+1 entries for UTF8 and Binary: row i is Values[Offsets[i]:Offsets[i+1]]. Otherwise nil.
	Offsets []int32
	// Values holds little-endian fixed-width values (rows × width), a bitmap for Bool, or the bytes of variable rows.
	// The value of a null row is unspecified, and must be ignored.
	Values []byte
}

func bytesOf[T any](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*int(unsafe.Sizeof(v[0])))
}

func sliceOf[T any](b []byte) []T {
	if len(b) == 0 {
		return nil
	}
	var z T
	n := len(b) / int(unsafe.Sizeof(z))
	if uintptr(unsafe.Pointer(&b[0]))%unsafe.Alignof(z) != 0 {
		out := make([]T, n)
		copy(bytesOf(out), b)
		return out
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n)
}

// Float64Column makes a column over v without copying: v must not change while the column is used.
func Float64Column(name string, v []float64) Column {
	return Column{Field: Field{Name: name, Type: Float64}, Values: bytesOf(v)}
}

// Float32Column makes a column over v without copying.
func Float32Column(name string, v []float32) Column {
	return Column{Field: Field{Name: name, Type: Float32}, Values: bytesOf(v)}
}

// Int64Column makes a column over v without copying.
func Int64Column(name string, v []int64) Column {
	return Column{Field: Field{Name: name, Type: Int64}, Values: bytesOf(v)}
}

// Int32Column makes a column over v without copying.
func Int32Column(name string, v []int32) Column {
	return Column{Field: Field{Name: name, Type: Int32}, Values: bytesOf(v)}
}

// TimestampColumn makes a column over v, microseconds since 1970 UTC, without copying.
func TimestampColumn(name string, v []int64) Column {
	return Column{Field: Field{Name: name, Type: Timestamp}, Values: bytesOf(v)}
}

// FloatVectorColumn makes a column of fixed-size lists over v (row-major, size elements a row) without copying.
func FloatVectorColumn(name string, size int, v []float32) Column {
	return Column{Field: Field{Name: name, Type: FloatVector, ListSize: size}, Values: bytesOf(v)}
}

// BoolColumn makes a bitmap column from v.
func BoolColumn(name string, v []bool) Column {
	b := make([]byte, BitmapBytes(len(v)))
	for i, x := range v {
		if x {
			SetBit(b, i)
		}
	}
	return Column{Field: Field{Name: name, Type: Bool}, Values: b}
}

// UTF8Column makes a text column from v.
func UTF8Column(name string, v []string) Column {
	return variable(Field{Name: name, Type: UTF8}, v)
}

// BinaryColumn makes a bytes column from v.
func BinaryColumn(name string, v [][]byte) Column {
	return variable(Field{Name: name, Type: Binary}, v)
}

func variable[T string | []byte](f Field, v []T) Column {
	n := 0
	for _, s := range v {
		n += len(s)
	}
	c := Column{Field: f, Offsets: make([]int32, len(v)+1), Values: make([]byte, 0, n)}
	for i, s := range v {
		c.Values = append(c.Values, s...)
		c.Offsets[i+1] = int32(len(c.Values))
	}
	return c
}

// WithNulls returns the column with a validity bitmap in which the rows listed are null. rows is the column's row count.
func (c Column) WithNulls(rows int, null ...int) Column {
	c.Validity = make([]byte, BitmapBytes(rows))
	for i := range rows {
		SetBit(c.Validity, i)
	}
	for _, i := range null {
		ClearBit(c.Validity, i)
	}
	return c
}

// Float64s views the values of a Float64 column; it shares memory with the column when that is aligned.
func (c *Column) Float64s() []float64 { return sliceOf[float64](c.Values) }

// Float32s views the values of a Float32 or FloatVector column.
func (c *Column) Float32s() []float32 { return sliceOf[float32](c.Values) }

// Int64s views the values of an Int64 or Timestamp column.
func (c *Column) Int64s() []int64 { return sliceOf[int64](c.Values) }

// Int32s views the values of an Int32 column.
func (c *Column) Int32s() []int32 { return sliceOf[int32](c.Values) }

// IsNull reports whether row i has no value.
func (c *Column) IsNull(i int) bool { return c.Validity != nil && !Bit(c.Validity, i) }

// BoolAt reads row i of a Bool column.
func (c *Column) BoolAt(i int) bool { return Bit(c.Values, i) }

// BytesAt is row i of a UTF8 or Binary column, sharing memory with the column.
func (c *Column) BytesAt(i int) []byte { return c.Values[c.Offsets[i]:c.Offsets[i+1]] }

// TextAt is row i of a UTF8 or Binary column as a string.
func (c *Column) TextAt(i int) string { return string(c.BytesAt(i)) }

// NullCount counts the nulls among the first rows rows.
func (c *Column) NullCount(rows int) int {
	if c.Validity == nil {
		return 0
	}
	n := 0
	for i := 0; i < rows; i += 8 {
		b := c.Validity[i/8]
		if rows-i < 8 {
			b &= 1<<(rows-i) - 1
		}
		n += bits.OnesCount8(b)
	}
	return rows - n
}

// Column returns the column of that name, or nil.
func (b *Batch) Column(name string) *Column {
	for i := range b.Columns {
		if b.Columns[i].Name == name {
			return &b.Columns[i]
		}
	}
	return nil
}

// Fields lists the columns' names and types.
func (b *Batch) Fields() []Field {
	f := make([]Field, len(b.Columns))
	for i := range b.Columns {
		f[i] = b.Columns[i].Field
	}
	return f
}

// Validate checks that every buffer has the size its type and the row count ask for, that offsets ascend, and that
// text is UTF-8. The error names the column.
func (b *Batch) Validate() error {
	if b.Rows < 0 {
		return text.Errorf("batch has %d rows", b.Rows)
	}
	for i := range b.Columns {
		if err := b.Columns[i].validate(b.Rows); err != nil {
			return text.Errorf("column %d (%q): %w", i, b.Columns[i].Name, err)
		}
	}
	return nil
}

func (c *Column) validate(rows int) error {
	if c.Validity != nil && len(c.Validity) < BitmapBytes(rows) {
		return text.Errorf("validity has %d bytes, %d rows need %d", len(c.Validity), rows, BitmapBytes(rows))
	}
	if !c.Type.Valid() {
		return text.Errorf("unknown %s", c.Type)
	}
	if c.Type.Variable() {
		if len(c.Offsets) < rows+1 {
			return text.Errorf("%d offsets, %d rows need %d", len(c.Offsets), rows, rows+1)
		}
		if c.Offsets[0] < 0 || int(c.Offsets[rows]) > len(c.Values) {
			return text.Errorf("offsets span %d..%d of %d bytes", c.Offsets[0], c.Offsets[rows], len(c.Values))
		}
		for i := range rows {
			if c.Offsets[i] > c.Offsets[i+1] {
				return text.Errorf("offset %d is %d, after %d", i+1, c.Offsets[i+1], c.Offsets[i])
			}
			if c.Type == UTF8 && !c.IsNull(i) && !utf8.Valid(c.BytesAt(i)) {
				return text.Errorf("row %d is not valid UTF-8", i)
			}
		}
		return nil
	}
	need := c.ValueBytes(rows)
	if need < 0 || len(c.Values) < need {
		return text.Errorf("values have %d bytes, %d rows of %s need %d", len(c.Values), rows, c.Type, need)
	}
	return nil
}

// ValueBytes is the size of the values buffer of a column of fixed width with that many rows; -1 for variable types or a
// list size out of range.
func (f Field) ValueBytes(rows int) int {
	switch {
	case f.Type == Bool:
		return BitmapBytes(rows)
	case f.Type == FloatVector:
		if f.ListSize < 1 || f.ListSize > MaxListSize {
			return -1
		}
		return rows * f.ListSize * 4
	case f.Type.Width() > 0:
		return rows * f.Type.Width()
	}
	return -1
}

// Slice returns rows [from, to) as a batch. Buffers are shared where the bit position allows it (from a multiple of 8 for
// bitmaps) and copied otherwise.
func (b *Batch) Slice(from, to int) *Batch {
	out := &Batch{Rows: to - from, Columns: make([]Column, len(b.Columns))}
	for i := range b.Columns {
		c := b.Columns[i]
		if c.Validity != nil {
			c.Validity = sliceBits(c.Validity, from, to)
		}
		switch {
		case c.Type.Variable():
			base, end := c.Offsets[from], c.Offsets[to]
			off := make([]int32, to-from+1)
			for j := range off {
				off[j] = c.Offsets[from+j] - base
			}
			c.Offsets, c.Values = off, c.Values[base:end]
		case c.Type == Bool:
			c.Values = sliceBits(c.Values, from, to)
		default:
			w := c.ValueBytes(1)
			c.Values = c.Values[from*w : to*w]
		}
		out.Columns[i] = c
	}
	return out
}

func sliceBits(b []byte, from, to int) []byte {
	if from%8 == 0 {
		return b[from/8 : from/8+BitmapBytes(to-from)]
	}
	out := make([]byte, BitmapBytes(to-from))
	for i := range to - from {
		if Bit(b, from+i) {
			SetBit(out, i)
		}
	}
	return out
}

// BitmapBytes is the bytes that a bitmap of n bits takes.
func BitmapBytes(n int) int { return (n + 7) / 8 }

// Bit reads bit i.
func Bit(b []byte, i int) bool { return b[i>>3]&(1<<(i&7)) != 0 }

// SetBit sets bit i.
func SetBit(b []byte, i int) { b[i>>3] |= 1 << (i & 7) }

// ClearBit clears bit i.
func ClearBit(b []byte, i int) { b[i>>3] &^= 1 << (i & 7) }

// Equal reports whether two batches have the same columns and, bit for bit, the same valid values: NaN equals the NaN with
// the same payload, and 0 differs from -0. The values of null rows do not count.
func (b *Batch) Equal(o *Batch) bool {
	if b.Rows != o.Rows || len(b.Columns) != len(o.Columns) {
		return false
	}
	for i := range b.Columns {
		x, y := &b.Columns[i], &o.Columns[i]
		if x.Field != y.Field {
			return false
		}
		for r := range b.Rows {
			if x.IsNull(r) != y.IsNull(r) || !x.IsNull(r) && !sameValue(x, y, r) {
				return false
			}
		}
	}
	return true
}

func sameValue(x, y *Column, r int) bool {
	switch {
	case x.Type == Bool:
		return x.BoolAt(r) == y.BoolAt(r)
	case x.Type.Variable():
		return string(x.BytesAt(r)) == string(y.BytesAt(r))
	}
	w := x.ValueBytes(1)
	return string(x.Values[r*w:r*w+w]) == string(y.Values[r*w:r*w+w])
}

// Float64At reads row r of any numeric, boolean or timestamp column as a float64 (int64 beyond 2^53 loses precision).
// ok is false for a null and for types that are not numbers.
func (c *Column) Float64At(r int) (v float64, ok bool) {
	if c.IsNull(r) {
		return 0, false
	}
	switch c.Type {
	case Float64:
		return math.Float64frombits(binary.LittleEndian.Uint64(c.Values[r*8:])), true
	case Float32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(c.Values[r*4:]))), true
	case Int64, Timestamp:
		return float64(int64(binary.LittleEndian.Uint64(c.Values[r*8:]))), true
	case Int32:
		return float64(int32(binary.LittleEndian.Uint32(c.Values[r*4:]))), true
	case Bool:
		if c.BoolAt(r) {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}
