package offline

import "github.com/weir-ml/weir/sdk/abi"

// joiner copies chunks into batches of up to abi.MaxRows rows, whose buffers belong to whoever takes them.
type joiner struct {
	fields []abi.Field
	batch  *abi.Batch
}

func newJoiner(fields []abi.Field) *joiner { return &joiner{fields: fields} }

// fits reports whether rows more rows stay within one batch.
func (j *joiner) fits(rows int) bool { return j.batch == nil || j.batch.Rows+rows <= abi.MaxRows }

// take returns what was joined, or nil, and starts anew.
func (j *joiner) take() *abi.Batch {
	b := j.batch
	j.batch = nil
	return b
}

func (j *joiner) add(in *abi.Batch) {
	if j.batch == nil {
		j.batch = &abi.Batch{Columns: make([]abi.Column, len(j.fields))}
		for i, f := range j.fields {
			c := abi.Column{Field: f}
			if n := f.ValueBytes(abi.MaxRows); n > 0 && n <= 1<<20 {
				c.Values = make([]byte, 0, n)
			}
			if f.Type.Variable() {
				c.Offsets = append(make([]int32, 0, abi.MaxRows+1), 0)
			}
			j.batch.Columns[i] = c
		}
	}
	for i := range j.batch.Columns {
		appendColumn(&j.batch.Columns[i], &in.Columns[i], j.batch.Rows, in.Rows)
	}
	j.batch.Rows += in.Rows
}

// appendColumn appends the first rows rows of src to dst, which holds have rows.
func appendColumn(dst, src *abi.Column, have, rows int) {
	if src.NullCount(rows) > 0 && dst.Validity == nil {
		dst.Validity = make([]byte, abi.BitmapBytes(have), abi.BitmapBytes(abi.MaxRows))
		for i := range dst.Validity {
			dst.Validity[i] = 0xff
		}
	}
	if dst.Validity != nil {
		dst.Validity = appendBits(dst.Validity, src.Validity, have, rows)
	}
	switch {
	case src.Type == abi.Bool:
		dst.Values = appendBits(dst.Values, src.Values, have, rows)
	case src.Type.Variable():
		shift := int32(len(dst.Values)) - src.Offsets[0]
		dst.Values = append(dst.Values, src.Values[src.Offsets[0]:src.Offsets[rows]]...)
		for _, o := range src.Offsets[1 : rows+1] {
			dst.Offsets = append(dst.Offsets, o+shift)
		}
	default:
		dst.Values = append(dst.Values, src.Values[:src.ValueBytes(rows)]...)
	}
}

// appendBits appends n bits of src (nil: ones) to dst, which holds have bits.
func appendBits(dst, src []byte, have, n int) []byte {
	if have%8 == 0 && src != nil {
		return append(dst[:have/8], src[:abi.BitmapBytes(n)]...)
	}
	for len(dst) < abi.BitmapBytes(have+n) {
		dst = append(dst, 0)
	}
	for i := range n {
		if src == nil || abi.Bit(src, i) {
			abi.SetBit(dst, have+i)
		} else {
			abi.ClearBit(dst, have+i)
		}
	}
	return dst
}
