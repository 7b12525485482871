package abi

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/weir-ml/weir/sdk/internal/text"
)

// The host's half of the wire: Layout (layout.go) writes batches into a guest's linear memory, Decode reads them back and trusts
// nothing. Both are pure functions over byte slices; ABI.md is their specification.

// Offsets inside the batch header and inside a column descriptor.
const (
	hMagic, hVersion, hFlags, hRows, hColumns, hDescriptors, hZero32, hZero64 = 0, 4, 6, 8, 12, 16, 20, 24

	dType, dZero, dList, dName, dNameLen, dValidity, dOffsets, dValues, dBytes = 0, 1, 4, 8, 12, 16, 20, 24, 28
)

// maxAddress bounds every buffer's end: linear memories have at most 2^32 bytes and weir's stay below 2^31.
const maxAddress = math.MaxInt32

func align(n uint64) uint64 { return (n + Alignment - 1) &^ (Alignment - 1) }

// checkRuns checks the offsets of rows [from, to), whose ends lie within Values, and that text is UTF-8.
// On failure it returns the row.
func (c *Column) checkRuns(from, to int) (int, error) {
	last := c.Offsets[from]
	for i, o := range c.Offsets[from+1 : to+1] {
		if o < last {
			return from + i, text.Errorf("offset %d follows %d", o, last)
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
			return r, text.Errorf("the text is not valid UTF-8")
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
		return text.Errorf("batch header: magic is 0x%s, not 0x%s", strconv.FormatUint(uint64(m), 16), strconv.FormatUint(uint64(Magic), 16))
	}
	if v := le.Uint16(h[hVersion:]); v != Version {
		return text.Errorf("batch header: version %d, this host speaks %d", v, Version)
	}
	if le.Uint16(h[hFlags:]) != 0 || le.Uint32(h[hZero32:]) != 0 || le.Uint64(h[hZero64:]) != 0 {
		return text.Errorf("batch header: flags and reserved bytes must be zero")
	}
	rows, cols := le.Uint32(h[hRows:]), le.Uint32(h[hColumns:])
	if rows > MaxRows {
		return text.Errorf("batch header: %d rows, the limit is %d", rows, MaxRows)
	}
	if lim.Rows >= 0 && int(rows) != lim.Rows {
		return text.Errorf("batch header: %d rows instead of %d", rows, lim.Rows)
	}
	if cols > MaxColumns {
		return text.Errorf("batch header: %d columns, the limit is %d", cols, MaxColumns)
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
			return text.Errorf("column %d (%q): %w", i, c.Name, err)
		}
		renamed = renamed || fresh
		total += int64(len(c.Name) + len(c.Validity) + 4*len(c.Offsets) + len(c.Values))
		if lim.Bytes > 0 && total > lim.Bytes {
			return text.Errorf("column %d (%q): the batch takes more than %d bytes", i, c.Name, lim.Bytes)
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
		return false, text.Errorf("the name has %d bytes, not 1..%d", nameLen, MaxNameBytes)
	}
	name, err := view(mem, le.Uint32(d[dName:]), uint64(nameLen), false, "name")
	if err != nil {
		c.Name = ""
		return false, err
	}
	if c.Name != string(name) {
		fresh = true
		if c.Name = string(name); !utf8.ValidString(c.Name) {
			return false, text.Errorf("the name is not valid UTF-8")
		}
	}
	if d[dZero]|d[dZero+1]|d[dZero+2] != 0 {
		return false, text.Errorf("reserved descriptor bytes must be zero")
	}
	list := le.Uint32(d[dList:])
	if list > MaxListSize {
		return false, text.Errorf("list size %d is out of 1..%d", list, MaxListSize)
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
			return false, text.Errorf("a %s column has no offsets", c.Type)
		}
		// rows ≤ 2^13 and list ≤ 2^20 elements of 4 bytes: the product stays below 2^36.
		if need := uint64(c.ValueBytes(rows)); uint64(size) != need {
			return false, text.Errorf("values have %d bytes, %d rows of %s need %d", size, rows, c.Type, need)
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
		return false, text.Errorf("offsets span %d..%d of %d bytes", lo, hi, size)
	}
	if r, err := c.checkRuns(0, rows); err != nil {
		return false, text.Errorf("row %d: %w", r, err)
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
		return nil, text.Errorf("%s: the pointer is 0 but %d bytes are due", what, n)
	}
	if aligned && p%Alignment != 0 {
		return nil, text.Errorf("%s: address %d is not a multiple of %d", what, p, Alignment)
	}
	end := uint64(p) + n
	if end > uint64(len(mem)) {
		return nil, text.Errorf("%s: bytes %d..%d lie outside the memory of %d", what, p, end, len(mem))
	}
	return mem[p:end:end], nil
}

func (b *Batch) uniqueNames() error {
	seen := make(map[string]int, len(b.Columns))
	for i := range b.Columns {
		if j, dup := seen[b.Columns[i].Name]; dup {
			return text.Errorf("columns %d and %d are both named %q", j, i, b.Columns[i].Name)
		}
		seen[b.Columns[i].Name] = i
	}
	return nil
}
