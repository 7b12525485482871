package serving

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

// AppendJSON appends a tensor's values as nested JSON arrays, row-major; a scalar is a bare value. Numbers are written with the
// fewest digits that read back to the same bits; NaN and the infinities as the texts "NaN", "Infinity" and "-Infinity", which
// JSON has no numbers for; BYTES as text where they are UTF-8, else as base64.
func AppendJSON(out []byte, t schema.Tensor) []byte {
	w := jsonWriter{out: out, t: t}
	w.dimension(0)
	return w.out
}

type jsonWriter struct {
	out []byte
	t   schema.Tensor
	at  int // byte offset
}

func (w *jsonWriter) dimension(d int) {
	if d == len(w.t.Shape) {
		w.value()
		return
	}
	w.out = append(w.out, '[')
	for i := range w.t.Shape[d] {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.dimension(d + 1)
	}
	w.out = append(w.out, ']')
}

func (w *jsonWriter) value() {
	le, b := binary.LittleEndian, w.t.Data[w.at:]
	w.at += w.t.Type.Size()
	switch w.t.Type {
	case schema.FP32:
		w.out = schema.AppendFloat(w.out, float64(math.Float32frombits(le.Uint32(b))), 32)
	case schema.FP64:
		w.out = schema.AppendFloat(w.out, math.Float64frombits(le.Uint64(b)), 64)
	case schema.FP16:
		w.out = schema.AppendFloat(w.out, float64(half(le.Uint16(b))), 32)
	case schema.BF16:
		w.out = schema.AppendFloat(w.out, float64(math.Float32frombits(uint32(le.Uint16(b))<<16)), 32)
	case schema.Bool:
		w.out = strconv.AppendBool(w.out, b[0] != 0)
	case schema.Bytes:
		n := int(le.Uint32(b))
		w.at += 4 + n
		w.text(b[4 : 4+n])
	default:
		if v, ok := integer(w.t.Type, b); ok {
			w.out = strconv.AppendInt(w.out, v, 10)
		} else {
			w.out = strconv.AppendUint(w.out, le.Uint64(b), 10)
		}
	}
}

func (w *jsonWriter) text(b []byte) {
	s := string(b)
	if !utf8.Valid(b) {
		s = base64.StdEncoding.EncodeToString(b)
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always marshals
	}
	w.out = append(w.out, quoted...)
}

// integer reads one integer; false for UINT64, whose values may not fit.
func integer(t schema.DType, b []byte) (int64, bool) {
	le := binary.LittleEndian
	switch t {
	case schema.Int8:
		return int64(int8(b[0])), true
	case schema.Uint8:
		return int64(b[0]), true
	case schema.Int16:
		return int64(int16(le.Uint16(b))), true
	case schema.Uint16:
		return int64(le.Uint16(b)), true
	case schema.Int32:
		return int64(int32(le.Uint32(b))), true
	case schema.Uint32:
		return int64(le.Uint32(b)), true
	case schema.Int64:
		return int64(le.Uint64(b)), true
	}
	return 0, false
}

// half widens an IEEE 754 binary16; every value is exact in float32.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exp {
	case 0:
		v := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// toColumns makes columns of an output: one for shapes [rows] and [rows, 1]; for [rows, k] a FloatVector of FP32, and for other
// types k columns named name_0 … name_{k-1}. Integers of up to 32 bits become int64 or int32, halves float32.
func toColumns(t schema.Tensor, rows int) ([]abi.Column, error) {
	if len(t.Shape) == 0 || t.Shape[0] != int64(rows) {
		return nil, errs.New(errs.Invalid, "output %q has shape %v, not a row for each of %d", t.Name, t.Shape, rows)
	}
	width := int(schema.Elements(t.Shape[1:]))
	if width < 1 {
		return nil, errs.New(errs.Invalid, "output %q has shape %v: there is nothing in a row", t.Name, t.Shape)
	}
	if t.Type == schema.FP32 && width > 1 {
		v := make([]float32, rows*width)
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:]))
		}
		return []abi.Column{abi.FloatVectorColumn(t.Name, width, v)}, nil
	}
	if t.Type == schema.Bytes {
		return bytesColumns(t, rows, width), nil
	}
	cols := make([]abi.Column, width)
	size := t.Type.Size()
	for k := range cols {
		at := func(r int) []byte { return t.Data[(r*width+k)*size:] }
		c, err := numberColumn(t.Type, columnName(t.Name, k, width), rows, at)
		if err != nil {
			return nil, err
		}
		cols[k] = c
	}
	return cols, nil
}

func columnName(name string, k, width int) string {
	if width == 1 {
		return name
	}
	return name + "_" + strconv.Itoa(k)
}

func gather[T any](rows int, at func(int) []byte, read func([]byte) T) []T {
	v := make([]T, rows)
	for r := range v {
		v[r] = read(at(r))
	}
	return v
}

func numberColumn(t schema.DType, name string, rows int, at func(int) []byte) (abi.Column, error) {
	le := binary.LittleEndian
	switch t {
	case schema.FP32:
		return abi.Float32Column(name, gather(rows, at, func(b []byte) float32 { return math.Float32frombits(le.Uint32(b)) })), nil
	case schema.FP64:
		return abi.Float64Column(name, gather(rows, at, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) })), nil
	case schema.FP16:
		return abi.Float32Column(name, gather(rows, at, func(b []byte) float32 { return half(le.Uint16(b)) })), nil
	case schema.BF16:
		return abi.Float32Column(name, gather(rows, at, func(b []byte) float32 { return math.Float32frombits(uint32(le.Uint16(b)) << 16) })), nil
	case schema.Bool:
		return abi.BoolColumn(name, gather(rows, at, func(b []byte) bool { return b[0] != 0 })), nil
	case schema.Int8, schema.Uint8, schema.Int16, schema.Uint16, schema.Int32:
		return abi.Int32Column(name, gather(rows, at, func(b []byte) int32 { v, _ := integer(t, b); return int32(v) })), nil
	case schema.Uint32, schema.Int64:
		return abi.Int64Column(name, gather(rows, at, func(b []byte) int64 { v, _ := integer(t, b); return v })), nil
	case schema.Uint64:
		v := gather(rows, at, func(b []byte) int64 { return int64(le.Uint64(b)) })
		for r, x := range v {
			if x < 0 {
				return abi.Column{}, errs.New(errs.Invalid, "output %q: row %d is %d, beyond int64", name, r, uint64(x))
			}
		}
		return abi.Int64Column(name, v), nil
	}
	return abi.Column{}, errs.New(errs.Internal, "output %q has unknown type %s", name, t)
}

func bytesColumns(t schema.Tensor, rows, width int) []abi.Column {
	words := make([][][]byte, width)
	text, at := true, 0
	for range rows {
		for k := range width {
			n := int(binary.LittleEndian.Uint32(t.Data[at:]))
			w := t.Data[at+4 : at+4+n]
			at += 4 + n
			words[k] = append(words[k], w)
			text = text && utf8.Valid(w)
		}
	}
	cols := make([]abi.Column, width)
	for k := range cols {
		cols[k] = abi.BinaryColumn(columnName(t.Name, k, width), words[k])
		if text {
			cols[k].Type = abi.UTF8
		}
	}
	return cols
}

// fromColumn makes a tensor of a plugin's column. Nulls become NaN in floats and are an error elsewhere.
func fromColumn(c *abi.Column, rows int) (schema.Tensor, error) {
	t := schema.Tensor{Name: c.Name, Shape: []int64{int64(rows)}}
	switch c.Type {
	case abi.UTF8, abi.Binary:
		t.Type = schema.Bytes
		for r := range rows {
			if c.IsNull(r) {
				return t, errs.New(errs.Invalid, "row %d, column %q is null", r, c.Name)
			}
			w := c.BytesAt(r)
			t.Data = append(binary.LittleEndian.AppendUint32(t.Data, uint32(len(w))), w...)
		}
		return t, nil
	case abi.Float64:
		t.Type = schema.FP64
	case abi.Float32:
		t.Type = schema.FP32
	case abi.FloatVector:
		t.Type = schema.FP32
		t.Shape = append(t.Shape, int64(c.ListSize))
	case abi.Int32:
		t.Type = schema.Int32
	case abi.Bool:
		t.Type = schema.Bool
	default:
		t.Type = schema.Int64
	}
	width := max(1, c.ListSize)
	var err error
	if t.Data, err = newData(t.Type, rows*width); err != nil {
		return t, err
	}
	return t, fill(t, rows, width, 0, c)
}
