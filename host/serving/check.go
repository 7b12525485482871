package serving

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"unsafe"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// arrange checks a request's tensors against the model and puts them into the model's order. Every rule that can be checked is
// checked here, before the request meets others in a batch. rows is the first dimension (0 for models without one); key says
// which requests may share a batch. columns name a matrix's columns in errors; nil counts them.
func (m *model) arrange(in []schema.Tensor, columns []string) (ordered []schema.Tensor, rows int, key string, err error) {
	ordered = make([]schema.Tensor, len(m.inputs))
	given := 0
	for _, t := range in {
		i := find(m.inputs, t.Name)
		if i < 0 {
			return nil, 0, "", errs.New(errs.Invalid, "unknown input %q: model %q takes %s", t.Name, m.name, describe(m.inputs))
		}
		if ordered[i].Type != "" {
			return nil, 0, "", errs.New(errs.Invalid, "input %q is given twice", t.Name)
		}
		if err := checkTensor(t, m.inputs[i]); err != nil {
			return nil, 0, "", err
		}
		if m.spec.NaN == "reject" {
			if err := rejectNaN(t, columns); err != nil {
				return nil, 0, "", err
			}
		}
		ordered[i] = t
		given++
	}
	if given < len(ordered) {
		for i := range ordered {
			if ordered[i].Type == "" {
				return nil, 0, "", errs.New(errs.Invalid, "input %q is missing: model %q takes %s", m.inputs[i].Name, m.name, describe(m.inputs))
			}
		}
	}
	if len(ordered[0].Shape) > 0 {
		rows = int(ordered[0].Shape[0])
	}
	if !m.batchable {
		return ordered, rows, "", nil
	}
	if rows == 0 {
		return nil, 0, "", errs.New(errs.Invalid, "the request has no rows")
	}
	var keys strings.Builder
	for i, t := range ordered {
		if t.Shape[0] != int64(rows) {
			return nil, 0, "", errs.New(errs.Invalid, "input %q has %d rows, input %q has %d", t.Name, t.Shape[0], ordered[0].Name, rows)
		}
		if rows > m.spec.Batching.MaxBatchSize && schema.Elements(t.Shape) == 0 {
			// Rows without elements cost the sender nothing, however many they are.
			return nil, 0, "", errs.New(errs.Invalid, "input %q has shape %v: %d rows with nothing in them", t.Name, t.Shape, rows)
		}
		if m.freeShapes[i] {
			keys.WriteString(shapeKey(t.Shape))
		}
	}
	return ordered, rows, keys.String(), nil
}

// checkTensor compares a tensor with what the model wants and its data with its shape.
func checkTensor(t schema.Tensor, want schema.TensorSpec) error {
	n, err := want.Match(t)
	if err != nil {
		return err
	}
	if t.Type == schema.Bytes {
		return checkBytes(t, n)
	}
	size := int64(t.Type.Size())
	if n > int64(len(t.Data))/size || n*size != int64(len(t.Data)) {
		return errs.New(errs.Invalid, "input %q has %d bytes of data, shape %v of %s needs %d elements of %d bytes", t.Name, len(t.Data), t.Shape, t.Type, n, size)
	}
	return nil
}

func checkBytes(t schema.Tensor, n int64) error {
	rest := t.Data
	for i := range n {
		if len(rest) < 4 || uint64(binary.LittleEndian.Uint32(rest)) > uint64(len(rest)-4) {
			return errs.New(errs.Invalid, "input %q ends inside BYTES element %d of %d", t.Name, i, n)
		}
		rest = rest[4+binary.LittleEndian.Uint32(rest):]
	}
	if len(rest) > 0 {
		return errs.New(errs.Invalid, "input %q has %d bytes after the last of %d BYTES elements", t.Name, len(rest), n)
	}
	return nil
}

// rejectNaN looks for a NaN in a tensor of floats.
func rejectNaN(t schema.Tensor, columns []string) error {
	at := -1
	switch t.Type {
	case schema.FP32:
		if v := floats[float32](t.Data); v != nil {
			for i, x := range v {
				if x != x {
					at = i
					break
				}
			}
		} else {
			at = scan(t.Data, 4, func(b []byte) bool {
				x := math.Float32frombits(binary.LittleEndian.Uint32(b))
				return x != x
			})
		}
	case schema.FP64:
		at = scan(t.Data, 8, func(b []byte) bool { return math.IsNaN(math.Float64frombits(binary.LittleEndian.Uint64(b))) })
	case schema.FP16:
		at = scan(t.Data, 2, func(b []byte) bool { return binary.LittleEndian.Uint16(b)&0x7fff > 0x7c00 })
	case schema.BF16:
		at = scan(t.Data, 2, func(b []byte) bool { return binary.LittleEndian.Uint16(b)&0x7fff > 0x7f80 })
	}
	if at < 0 {
		return nil
	}
	row, col := at, 0
	if len(t.Shape) > 0 {
		width := int(schema.Elements(t.Shape[1:]))
		row, col = at/width, at%width
		if width == len(columns) {
			return errs.New(errs.Invalid, "row %d, column %q is NaN or null: this model rejects them (nan: reject)", row, columns[col])
		}
	}
	return errs.New(errs.Invalid, "input %q: row %d, column %d is NaN: this model rejects them (nan: reject)", t.Name, row, col)
}

// floats views aligned bytes as numbers; nil when they are not aligned.
func floats[T float32 | float64](b []byte) []T {
	var z T
	if len(b) == 0 || uintptr(unsafe.Pointer(&b[0]))%unsafe.Sizeof(z) != 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), len(b)/int(unsafe.Sizeof(z)))
}

func scan(b []byte, size int, bad func([]byte) bool) int {
	for i := 0; i < len(b); i += size {
		if bad(b[i : i+size]) {
			return i / size
		}
	}
	return -1
}

func find(specs []schema.TensorSpec, name string) int {
	for i := range specs {
		if specs[i].Name == name {
			return i
		}
	}
	return -1
}

// describe lists tensors for an error: "features" FP32 [-1 30].
func describe(specs []schema.TensorSpec) string {
	parts := make([]string, len(specs))
	for i, s := range specs {
		dims := make([]string, len(s.Shape))
		for d, v := range s.Shape {
			dims[d] = strconv.FormatInt(v, 10)
		}
		parts[i] = strconv.Quote(s.Name) + " " + string(s.Type) + " [" + strings.Join(dims, " ") + "]"
	}
	return strings.Join(parts, ", ")
}

// selectOutputs picks outputs by name in the order asked for; no names mean all.
func selectOutputs(all []schema.Tensor, names []string) []schema.Tensor {
	if len(names) == 0 {
		return all
	}
	out := make([]schema.Tensor, 0, len(names))
	for _, n := range names {
		for _, t := range all {
			if t.Name == n {
				out = append(out, t)
				break
			}
		}
	}
	return out
}
