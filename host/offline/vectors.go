package offline

import (
	"context"
	"encoding/binary"
	"math"
	"unicode/utf8"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// This file reads and writes DuckDB's flat vectors in place. What it relies on, and probeLayout checks before the first
// query: chunks hold at most 2,048 rows; a validity mask is a bitmap of 64-bit words, least significant bit first (as
// Arrow's, on a little-endian machine), absent when all rows are valid; BOOLEAN is a byte; TIMESTAMP is int64
// microseconds; an ARRAY's elements lie end to end in its child; a string is 16 bytes: a 32-bit length, then either up
// to 12 bytes of text or 4 bytes of prefix and a pointer.
const (
	vectorSize   = 2048
	stringSize   = 16
	stringInline = 12
)

// vectorReader turns vectors into a column. Fixed-width columns view DuckDB's memory; booleans, text and vectors with null
// elements are rebuilt in buffers that the next read of the same reader overwrites.
type vectorReader struct {
	bits    []byte
	offsets []int32
	text    []byte
	floats  []float32
}

func viewBytes(p unsafe.Pointer, n int) []byte { return unsafe.Slice((*byte)(p), n) }

func (r *vectorReader) read(v mapping.Vector, rows int, c *abi.Column) error {
	c.Validity, c.Offsets, c.Values = nil, nil, nil
	if rows == 0 {
		if c.Type.Variable() {
			c.Offsets = []int32{0}
		}
		return nil
	}
	if mask := mapping.VectorGetValidity(v); mask != nil {
		c.Validity = viewBytes(mask, abi.BitmapBytes(rows))
	}
	switch {
	case c.Type == abi.FloatVector:
		r.readFloats(mapping.ArrayVectorGetChild(v), rows, c)
	case c.Type == abi.Bool:
		r.readBools(viewBytes(mapping.VectorGetData(v), rows), c)
	case c.Type.Variable():
		return r.readStrings(mapping.VectorGetData(v), rows, c)
	default:
		c.Values = viewBytes(mapping.VectorGetData(v), rows*c.Type.Width())
	}
	return nil
}

// readFloats gives null elements the value NaN: a batch has no nulls inside a list.
func (r *vectorReader) readFloats(child mapping.Vector, rows int, c *abi.Column) {
	n := rows * c.ListSize
	c.Values = viewBytes(mapping.VectorGetData(child), n*4)
	mask := mapping.VectorGetValidity(child)
	if mask == nil {
		return
	}
	valid := viewBytes(mask, abi.BitmapBytes(n))
	r.floats = append(r.floats[:0], unsafe.Slice((*float32)(unsafe.Pointer(&c.Values[0])), n)...)
	for i := range r.floats {
		if !abi.Bit(valid, i) {
			r.floats[i] = float32(math.NaN())
		}
	}
	c.Values = viewBytes(unsafe.Pointer(&r.floats[0]), n*4)
}

// readBools packs bytes into bits, eight at a time: the multiplication moves the low bit of byte i to bit 56+i.
func (r *vectorReader) readBools(b []byte, c *abi.Column) {
	r.bits = r.bits[:0]
	for len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b) & 0x0101010101010101
		r.bits = append(r.bits, byte(x*0x0102040810204080>>56))
		b = b[8:]
	}
	if len(b) > 0 {
		var last byte
		for i, x := range b {
			last |= (x & 1) << i
		}
		r.bits = append(r.bits, last)
	}
	c.Values = r.bits
}

func (r *vectorReader) readStrings(data unsafe.Pointer, rows int, c *abi.Column) error {
	r.offsets, r.text = append(r.offsets[:0], 0), r.text[:0]
	for i := range rows {
		if !c.IsNull(i) {
			p := unsafe.Add(data, i*stringSize)
			n := int(*(*uint32)(p))
			at := unsafe.Add(p, 4)
			if n > stringInline {
				at = *(*unsafe.Pointer)(unsafe.Add(p, 8))
			}
			r.text = append(r.text, viewBytes(at, n)...)
			if len(r.text) > math.MaxInt32 {
				return errs.New(errs.Exhausted, "column %q: one chunk of %d rows holds more than 2 GiB of text", c.Name, rows)
			}
		}
		r.offsets = append(r.offsets, int32(len(r.text)))
	}
	c.Offsets, c.Values = r.offsets, r.text
	return nil
}

// writeVector copies a column into a fresh flat vector of the same type. The caller has checked the column's buffers.
func writeVector(v mapping.Vector, c *abi.Column, rows int) error {
	if c.NullCount(rows) > 0 {
		mapping.VectorEnsureValidityWritable(v)
		copy(viewBytes(mapping.VectorGetValidity(v), abi.BitmapBytes(rows)), c.Validity)
	}
	switch {
	case c.Type == abi.FloatVector:
		n := rows * c.ListSize * 4
		copy(viewBytes(mapping.VectorGetData(mapping.ArrayVectorGetChild(v)), n), c.Values)
	case c.Type == abi.Bool:
		out := viewBytes(mapping.VectorGetData(v), rows)
		for i := range out {
			out[i] = c.Values[i>>3] >> (i & 7) & 1
		}
	case c.Type.Variable():
		return writeStrings(v, c, rows)
	default:
		copy(viewBytes(mapping.VectorGetData(v), rows*c.Type.Width()), c.Values)
	}
	return nil
}

// writeStrings writes short texts in place and asks DuckDB to keep a copy of long ones. Null rows become empty strings
// under their cleared bit, so that nothing ever follows a stale pointer.
func writeStrings(v mapping.Vector, c *abi.Column, rows int) error {
	data := mapping.VectorGetData(v)
	for i := range rows {
		var text []byte
		if !c.IsNull(i) {
			text = c.BytesAt(i)
		}
		if c.Type == abi.UTF8 && !utf8.Valid(text) {
			return errs.New(errs.Invalid, "column %q, row %d is not valid UTF-8", c.Name, i)
		}
		if len(text) > stringInline {
			mapping.VectorAssignStringElementLen(v, mapping.IdxT(i), text)
			continue
		}
		cell := viewBytes(unsafe.Add(data, i*stringSize), stringSize)
		clear(cell) // DuckDB compares whole cells: the padding must be zero
		binary.LittleEndian.PutUint32(cell, uint32(len(text)))
		copy(cell[4:], text)
	}
	return nil
}

// chunkReader turns result chunks into batches that view them.
type chunkReader struct {
	batch   abi.Batch
	readers []vectorReader
}

func newChunkReader(fields []abi.Field) *chunkReader {
	r := &chunkReader{readers: make([]vectorReader, len(fields))}
	for _, f := range fields {
		r.batch.Columns = append(r.batch.Columns, abi.Column{Field: f})
	}
	return r
}

// read returns the chunk as a batch, valid until the chunk is destroyed or the next read.
func (r *chunkReader) read(chunk mapping.DataChunk) (*abi.Batch, error) {
	if n := int(mapping.DataChunkGetColumnCount(chunk)); n != len(r.batch.Columns) {
		return nil, errs.New(errs.Internal, "a chunk has %d columns, %d are expected", n, len(r.batch.Columns))
	}
	r.batch.Rows = int(mapping.DataChunkGetSize(chunk))
	for i := range r.batch.Columns {
		if err := r.readers[i].read(mapping.DataChunkGetVector(chunk, mapping.IdxT(i)), r.batch.Rows, &r.batch.Columns[i]); err != nil {
			return nil, err
		}
	}
	return &r.batch, nil
}

// probeLayout compares what this file reads of a small result with what DuckDB was asked for, so that a driver whose
// memory looks different is an error and never a crash or a wrong number.
func probeLayout(ctx context.Context, s *session) error {
	if n := mapping.VectorSize(); n != vectorSize || unsafe.Sizeof(mapping.StringT{}) != stringSize || !littleEndian() {
		return errs.New(errs.Internal, "DuckDB %s: vectors of %d rows and strings of %d bytes; this build of weir reads %d and %d on little-endian machines",
			mapping.LibraryVersion(), n, unsafe.Sizeof(mapping.StringT{}), vectorSize, stringSize)
	}
	want := &abi.Batch{Rows: 3, Columns: []abi.Column{
		abi.Float64Column("d", []float64{0, 0.5, 0}).WithNulls(3, 2),
		abi.BoolColumn("b", []bool{true, false, true}),
		abi.TimestampColumn("t", []int64{0, 1_000_001, 2_000_002}),
		abi.UTF8Column("s", []string{"", "twelve bytes", "more than twelve"}),
		abi.FloatVectorColumn("v", 2, []float32{0, 1, 1, 2, 2, 3}),
	}}
	var got *abi.Batch
	err := s.stream(ctx, `SELECT CASE WHEN i < 2 THEN i / 2 END, i <> 1, make_timestamp(i * 1000001), CASE i WHEN 0 THEN '' WHEN 1 THEN 'twelve bytes' ELSE 'more than twelve' END,
		[i, i + 1]::FLOAT[2] FROM range(3) r(i) ORDER BY i`, want.Fields(), func(b *abi.Batch) error {
		j := newJoiner(want.Fields())
		j.add(b)
		got = j.take()
		return nil
	})
	if err == nil && (got == nil || !got.Equal(want)) {
		err = errs.New(errs.Internal, "DuckDB %s does not lay its vectors out as this build of weir expects: read %+v", mapping.LibraryVersion(), got)
	}
	return err
}

func littleEndian() bool {
	x := uint16(1)
	return *(*byte)(unsafe.Pointer(&x)) == 1
}
