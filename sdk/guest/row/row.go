// Package row gives a transform in Go the entry for one row, weir_row (sdk/abi/ABI.md, section 10), by which the host spares
// single rows the batch around them:
//
//	func init() {
//		guest.Register(guest.Plugin{…, Schema: schema, Transform: transform})
//		row.Register(one)
//	}
//
//	func one(in *row.In, out *row.Out) error {
//		if !in.Null(0) {
//			out.SetFloat64(0, 2*in.Float64(0))
//		}
//		return nil
//	}
//
// Columns are counted as the Schema lists them; it must fix inputs and outputs. The function must answer what Transform answers: the host
// uses either. A module has the export because it imports this package, so import it only to register.
//
// It is not for batches: package guest does them. Read this file; export.go is the wasm side.
package row

import (
	"math"
	"unsafe"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/internal/text"
)

// one is the function registered; a module is one plugin, and its export has no other way to find it.
var one func(in *In, out *Out) error

// Register makes f the module's entry for one row. Call it once, from init. In and Out are valid during the call only.
func Register(f func(in *In, out *Out) error) {
	if one != nil {
		panic("row: Register was called twice")
	}
	one = f
}

// layout says where in a row each column's value lies.
type layout struct {
	at    []int // the first word of each column's place
	list  []int // elements of a float vector
	words int   // of the row
}

func layoutOf(fields []abi.Field) layout {
	l := layout{words: (len(fields) + 63) / 64}
	for _, f := range fields {
		l.at, l.list = append(l.at, l.words), append(l.list, f.ListSize)
		if f.Type == abi.FloatVector {
			l.words += (f.ListSize + 1) / 2
		} else {
			l.words++
		}
	}
	return l
}

// In is a row of inputs. Its methods do not check types: they are those of the Schema. The value of a null is unspecified.
type In struct {
	layout
	row []uint64
}

// Null reports whether column i has no value.
func (r *In) Null(i int) bool { return r.row[i>>6]&(1<<(i&63)) == 0 }

// Float64 is column i, a float64.
func (r *In) Float64(i int) float64 { return math.Float64frombits(r.row[r.at[i]]) }

// Float32 is column i, a float32.
func (r *In) Float32(i int) float32 { return math.Float32frombits(uint32(r.row[r.at[i]])) }

// Int64 is column i, an int64, an int32, or a timestamp in microseconds since 1970.
func (r *In) Int64(i int) int64 { return int64(r.row[r.at[i]]) }

// Bool is column i, a bool.
func (r *In) Bool(i int) bool { return r.row[r.at[i]] != 0 }

// Bytes is column i, utf8 or binary. The bytes belong to the host.
func (r *In) Bytes(i int) []byte { return bytesAt(r.row[r.at[i]]) }

// Vector is column i, a float_vector. The numbers belong to the host.
func (r *In) Vector(i int) []float32 { return vectorAt(r.row, r.at[i], r.list[i]) }

// Out is a row of outputs, all of them null until they are set.
type Out struct {
	layout
	row  []uint64
	keep [][]byte // what the row points to; Go's collector does not see addresses in it
}

// fit prepares the row for a schema's outputs.
func (r *Out) fit(fields []abi.Field) {
	r.layout = layoutOf(fields)
	r.row, r.keep = make([]uint64, r.words), make([][]byte, len(fields))
}

// clear makes all columns null.
func (r *Out) clear() { clear(r.row[:(len(r.at)+63)/64]) }

func (r *Out) set(i int, word uint64) {
	r.row[i>>6] |= 1 << (i & 63)
	r.row[r.at[i]] = word
}

// SetFloat64 gives column i, a float64, its value.
func (r *Out) SetFloat64(i int, v float64) { r.set(i, math.Float64bits(v)) }

// SetFloat32 gives column i, a float32, its value.
func (r *Out) SetFloat32(i int, v float32) { r.set(i, uint64(math.Float32bits(v))) }

// SetInt64 gives column i its value: an int64, an int32, or a timestamp in microseconds since 1970.
func (r *Out) SetInt64(i int, v int64) { r.set(i, uint64(v)) }

// SetBool gives column i, a bool, its value.
func (r *Out) SetBool(i int, v bool) {
	if v {
		r.set(i, 1)
	} else {
		r.set(i, 0)
	}
}

// SetBytes gives column i, utf8 or binary, its value, which must not change until the next row.
func (r *Out) SetBytes(i int, v []byte) {
	r.keep[i] = v
	r.set(i, wordOf(v))
}

// SetText gives column i, utf8, its value.
func (r *Out) SetText(i int, v string) {
	r.SetBytes(i, unsafe.Slice(unsafe.StringData(v), len(v)))
}

// Vector gives column i, a float_vector, the value that the caller writes to what it answers. It holds what an earlier row left.
func (r *Out) Vector(i int) []float32 {
	r.row[i>>6] |= 1 << (i & 63)
	return vectorAt(r.row, r.at[i], r.list[i])
}

func vectorAt(row []uint64, at, n int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(&row[at])), n)
}

// check refuses a schema that a row cannot have.
func check(s abi.Schema) error {
	if one == nil {
		return text.Errorf("row.Register was not called from init")
	}
	if len(s.Inputs) == 0 || len(s.Outputs) == 0 {
		return text.Errorf("weir_row needs a schema that fixes inputs and outputs; this one has %d and %d columns", len(s.Inputs), len(s.Outputs))
	}
	return nil
}
