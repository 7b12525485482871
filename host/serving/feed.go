package serving

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

// feeder says how columns become the model's inputs.
type feeder struct {
	// matrix: the model has one numeric input of shape [rows, …]; the columns, in order, fill a row's width elements. Otherwise
	// each input takes the column of its own name.
	matrix bool
	width  int // elements a row, or -1: any
	// fields are columns known to fit, so that batches of them need no more checking, and names are what errors call the matrix's
	// columns then.
	fields []abi.Field
	names  []string
}

// plan settles how columns feed this model, and refuses a preprocess step whose columns cannot.
func (m *model) plan() (feeder, error) {
	f := feeder{width: -1}
	if len(m.inputs) == 1 && m.inputs[0].Type != schema.Bytes && len(m.inputs[0].Shape) > 1 {
		f.matrix = true
		f.width = int(schema.Elements(m.inputs[0].Shape[1:])) // -1 where a dimension is free
	}
	if m.spec.Preprocess == nil {
		return f, nil
	}
	fields := m.preSchema.Outputs
	if m.pre == nil {
		for _, c := range m.columns {
			fields = append(fields, abi.Field{Name: c, Type: abi.Float64})
		}
	}
	if len(fields) == 0 {
		return f, nil // a plugin without declared outputs is judged by what it gives
	}
	if err := m.fits(f, fields); err != nil {
		return f, err
	}
	f.fields, f.names = fields, matrixNames(fields)
	return f, nil
}

// matrixNames names each element of a matrix's row: a vector column has as many as its size.
func matrixNames(fields []abi.Field) []string {
	var names []string
	for _, f := range fields {
		if f.ListSize == 0 {
			names = append(names, f.Name)
		}
		for k := range f.ListSize {
			names = append(names, fmt.Sprintf("%s[%d]", f.Name, k))
		}
	}
	return names
}

// are reports whether a batch has exactly these columns in this order.
func are(b *abi.Batch, fields []abi.Field) bool {
	if len(b.Columns) != len(fields) {
		return false
	}
	for i := range fields {
		if b.Columns[i].Field != fields[i] {
			return false
		}
	}
	return true
}

// fits checks columns against the model's inputs.
func (m *model) fits(f feeder, fields []abi.Field) error {
	if f.matrix {
		n := 0
		for _, c := range fields {
			if c.Type.Variable() {
				return errs.New(errs.Invalid, "column %q is %s, and the model's input is %s", c.Name, c.Type, describe(m.inputs))
			}
			n += max(1, c.ListSize)
		}
		if f.width >= 0 && n != f.width {
			return errs.New(errs.Invalid, "%d columns are given, and the model's input %s takes %d", n, describe(m.inputs), f.width)
		}
		if f.width < 0 && len(m.inputs[0].Shape) != 2 {
			return errs.New(errs.Invalid, "columns cannot fill the model's input %s: more than one dimension is free", describe(m.inputs))
		}
		return nil
	}
	for _, in := range m.inputs {
		var have *abi.Field
		for i := range fields {
			if fields[i].Name == in.Name {
				have = &fields[i]
			}
		}
		if have == nil {
			return errs.New(errs.Invalid, "the model's input %s has no column of its name", describe([]schema.TensorSpec{in}))
		}
		if have.Type.Variable() != (in.Type == schema.Bytes) {
			return errs.New(errs.Invalid, "column %q is %s, and the model's input is %s", have.Name, have.Type, describe([]schema.TensorSpec{in}))
		}
	}
	return nil
}

// tensors makes the model's inputs of a batch of columns. names are the matrix's columns, for errors. A null becomes NaN, and is
// refused where NaN is, or where the input's type has none.
func (m *model) tensors(b *abi.Batch) (in []schema.Tensor, names []string, err error) {
	names = m.feed.names
	if !are(b, m.feed.fields) {
		fields := b.Fields()
		if err := m.fits(m.feed, fields); err != nil {
			return nil, nil, err
		}
		names = matrixNames(fields)
	}
	if m.feed.matrix {
		t, width := schema.Tensor{Name: m.inputs[0].Name, Type: m.inputs[0].Type}, len(names)
		t.Shape = m.shape(m.inputs[0], b.Rows, width)
		if t.Data, err = newData(t.Type, b.Rows*width); err != nil {
			return nil, nil, err
		}
		at := 0
		for i := range b.Columns {
			if err := fill(t, b.Rows, width, at, &b.Columns[i]); err != nil {
				return nil, nil, err
			}
			at += max(1, b.Columns[i].ListSize)
		}
		return []schema.Tensor{t}, names, nil
	}
	for _, spec := range m.inputs {
		c := b.Column(spec.Name)
		width := max(1, c.ListSize)
		t := schema.Tensor{Name: spec.Name, Type: spec.Type, Shape: m.shape(spec, b.Rows, width)}
		if spec.Type == schema.Bytes {
			for r := range b.Rows {
				if c.IsNull(r) {
					return nil, nil, errs.New(errs.Invalid, "row %d, column %q is null", r, c.Name)
				}
				w := c.BytesAt(r)
				t.Data = append(append(t.Data, byte(len(w)), byte(len(w)>>8), byte(len(w)>>16), byte(len(w)>>24)), w...)
			}
		} else {
			if t.Data, err = newData(t.Type, b.Rows*width); err != nil {
				return nil, nil, err
			}
			if err := fill(t, b.Rows, width, 0, c); err != nil {
				return nil, nil, err
			}
		}
		in = append(in, t)
	}
	return in, nil, nil
}

// shape is the tensor's shape for rows of width elements: the declared dimensions, a single free one (of rank 2) being width.
// Rank 1 stays rank 1.
func (m *model) shape(spec schema.TensorSpec, rows, width int) []int64 {
	if len(spec.Shape) == 1 {
		return []int64{int64(rows)}
	}
	if len(spec.Shape) <= 2 {
		return []int64{int64(rows), int64(width)}
	}
	return withRows(spec.Shape, rows)
}

// newData is an aligned buffer of n elements.
func newData(t schema.DType, n int) ([]byte, error) {
	size := t.Size()
	if size == 0 || t == schema.FP16 || t == schema.BF16 {
		return nil, errs.New(errs.Unimplemented, "the model's input is %s: columns cannot fill it, send tensors", t)
	}
	words := make([]uint64, (n*size+7)/8)
	if len(words) == 0 {
		return []byte{}, nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), n*size), nil
}

func typed[T any](b []byte) []T {
	if len(b) == 0 {
		return nil
	}
	var z T
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), len(b)/int(unsafe.Sizeof(z)))
}

// fill writes a column into a row-major matrix of width columns, from column at on. The data comes from newData.
func fill(t schema.Tensor, rows, width, at int, c *abi.Column) error {
	switch t.Type {
	case schema.FP32:
		dst := typed[float32](t.Data)
		switch {
		case c.Type == abi.Float64 && c.Validity == nil:
			// The one place where weir narrows a model's input: round to nearest even, as a cast in NumPy.
			for r, x := range c.Float64s()[:rows] {
				dst[r*width+at] = float32(x)
			}
			return nil
		case c.Type == abi.Float32 && c.Validity == nil:
			for r, x := range c.Float32s()[:rows] {
				dst[r*width+at] = x
			}
			return nil
		}
		return fillNumbers(dst, rows, width, at, c, func(x float64) (float32, bool) { return float32(x), true }, float32(math.NaN()))
	case schema.FP64:
		return fillNumbers(typed[float64](t.Data), rows, width, at, c, func(x float64) (float64, bool) { return x, true }, math.NaN())
	case schema.Int64:
		if (c.Type == abi.Int64 || c.Type == abi.Timestamp) && c.Validity == nil {
			for r, x := range c.Int64s()[:rows] {
				typed[int64](t.Data)[r*width+at] = x
			}
			return nil
		}
		return fillIntegers[int64](t, rows, width, at, c)
	case schema.Int32:
		return fillIntegers[int32](t, rows, width, at, c)
	case schema.Int16:
		return fillIntegers[int16](t, rows, width, at, c)
	case schema.Int8:
		return fillIntegers[int8](t, rows, width, at, c)
	case schema.Uint64:
		return fillIntegers[uint64](t, rows, width, at, c)
	case schema.Uint32:
		return fillIntegers[uint32](t, rows, width, at, c)
	case schema.Uint16:
		return fillIntegers[uint16](t, rows, width, at, c)
	case schema.Uint8:
		return fillIntegers[uint8](t, rows, width, at, c)
	case schema.Bool:
		return fillNumbers(t.Data, rows, width, at, c, func(x float64) (byte, bool) { return byte(x), x == 0 || x == 1 })
	}
	return errs.New(errs.Unimplemented, "the model's input is %s: columns cannot fill it, send tensors", t.Type)
}

// fillIntegers takes whole numbers in T's range only.
func fillIntegers[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](t schema.Tensor, rows, width, at int, c *abi.Column) error {
	return fillNumbers(typed[T](t.Data), rows, width, at, c, func(x float64) (T, bool) { return whole[T](x) })
}

// whole converts a whole number that T can hold. The bounds are powers of two, which floats hold exactly.
func whole[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](x float64) (T, bool) {
	var z T
	n := int(unsafe.Sizeof(z)) * 8
	low, high := 0.0, math.Ldexp(1, n)
	if signed := z-1 < z; signed {
		low, high = -math.Ldexp(1, n-1), math.Ldexp(1, n-1)
	}
	if x != math.Trunc(x) || x < low || x >= high { // NaN differs from itself
		return 0, false
	}
	return T(x), true
}

// fillNumbers converts a column value by value. null stands for a null; without one a null is an error.
func fillNumbers[T any](dst []T, rows, width, at int, c *abi.Column, convert func(float64) (T, bool), null ...T) error {
	vector := c.Type == abi.FloatVector
	for r := range rows {
		if c.IsNull(r) {
			if len(null) == 0 {
				return errs.New(errs.Invalid, "row %d, column %q is null", r, c.Name)
			}
			for k := range max(1, c.ListSize) {
				dst[r*width+at+k] = null[0]
			}
			continue
		}
		for k := range max(1, c.ListSize) {
			var x float64
			if vector {
				x = float64(c.Float32s()[r*c.ListSize+k])
			} else {
				var ok bool
				if x, ok = c.Float64At(r); !ok {
					return errs.New(errs.Invalid, "column %q is %s, which is no number", c.Name, c.Type)
				}
			}
			v, ok := convert(x)
			if !ok {
				return errs.New(errs.Invalid, "row %d, column %q: %v cannot be a %T", r, c.Name, x, v)
			}
			dst[r*width+at+k] = v
		}
	}
	return nil
}

// conform gives a batch the columns, order and types that a plugin declares; other columns are dropped. Numbers convert where
// the value survives (a float becomes an integer only when it is whole).
func conform(b *abi.Batch, want []abi.Field, whose string) (*abi.Batch, error) {
	if len(want) == 0 || are(b, want) {
		return b, nil
	}
	out := &abi.Batch{Rows: b.Rows, Columns: make([]abi.Column, len(want))}
	for i, f := range want {
		c := b.Column(f.Name)
		if c == nil {
			names := make([]string, len(want))
			for k := range want {
				names[k] = want[k].Name
			}
			return nil, errs.New(errs.Invalid, "column %q is missing: %s takes %s", f.Name, whose, quoted(names))
		}
		if c.Field == f {
			out.Columns[i] = *c
			continue
		}
		col, err := cast(c, b.Rows, f)
		if err != nil {
			return nil, err
		}
		out.Columns[i] = col
	}
	return out, nil
}

func cast(c *abi.Column, rows int, f abi.Field) (abi.Column, error) {
	if c.Type.Variable() || c.Type == abi.FloatVector || f.Type.Variable() || f.Type == abi.FloatVector {
		want := f.Type.String()
		if f.ListSize > 0 {
			want = fmt.Sprintf("%s of %d", want, f.ListSize)
		}
		return abi.Column{}, errs.New(errs.Invalid, "column %q is %s, want %s", c.Name, c.Type, want)
	}
	d := map[abi.Type]schema.DType{abi.Float64: schema.FP64, abi.Float32: schema.FP32, abi.Int64: schema.Int64, abi.Timestamp: schema.Int64, abi.Int32: schema.Int32, abi.Bool: schema.Bool}[f.Type]
	data, err := newData(d, rows)
	if err != nil {
		return abi.Column{}, err
	}
	values := *c
	values.Validity = nil
	if c.Validity != nil {
		values = withoutNulls(c, rows)
	}
	if err := fill(schema.Tensor{Type: d, Data: data}, rows, 1, 0, &values); err != nil {
		return abi.Column{}, err
	}
	col := abi.Column{Field: f, Values: data, Validity: c.Validity}
	if f.Type == abi.Bool {
		col.Values = abi.BoolColumn("", typed[bool](data)).Values
	}
	return col, nil
}

// withoutNulls puts zeros where a column has nulls, whose values may be anything.
func withoutNulls(c *abi.Column, rows int) abi.Column {
	out := abi.Column{Field: c.Field, Values: append([]byte{}, c.Values...)}
	w := c.ValueBytes(1)
	for r := range rows {
		switch {
		case !c.IsNull(r):
		case c.Type == abi.Bool:
			abi.ClearBit(out.Values, r)
		default:
			clear(out.Values[r*w : (r+1)*w])
		}
	}
	return out
}
