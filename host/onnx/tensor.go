package onnx

import (
	"encoding/binary"
	"strings"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

var types = []struct {
	dtype schema.DType
	ort   ort.TensorElementDataType
}{
	{schema.FP32, ort.TensorElementDataTypeFloat},
	{schema.FP64, ort.TensorElementDataTypeDouble},
	{schema.FP16, ort.TensorElementDataTypeFloat16},
	{schema.BF16, ort.TensorElementDataTypeBFloat16},
	{schema.Int8, ort.TensorElementDataTypeInt8},
	{schema.Int16, ort.TensorElementDataTypeInt16},
	{schema.Int32, ort.TensorElementDataTypeInt32},
	{schema.Int64, ort.TensorElementDataTypeInt64},
	{schema.Uint8, ort.TensorElementDataTypeUint8},
	{schema.Uint16, ort.TensorElementDataTypeUint16},
	{schema.Uint32, ort.TensorElementDataTypeUint32},
	{schema.Uint64, ort.TensorElementDataTypeUint64},
	{schema.Bool, ort.TensorElementDataTypeBool},
	{schema.Bytes, ort.TensorElementDataTypeString},
}

func typeOf(t ort.TensorElementDataType) (schema.DType, bool) {
	for _, x := range types {
		if x.ort == t {
			return x.dtype, true
		}
	}
	return "", false
}

func ortType(t schema.DType) ort.TensorElementDataType {
	for _, x := range types {
		if x.dtype == t {
			return x.ort
		}
	}
	return ort.TensorElementDataTypeUndefined
}

// wide says that the wrapper cannot size an output of this type by itself (it allots one byte an element), so that the
// output has to be allotted before the run.
func wide(t schema.DType) bool { return t == schema.FP16 || t == schema.BF16 }

// leadingOnly reports whether only the first dimension is free.
func leadingOnly(shape []int64) bool {
	for i, d := range shape {
		if d < 0 && i > 0 {
			return false
		}
	}
	return len(shape) > 0
}

// check compares a tensor with what the model wants and its data with its shape.
func check(t schema.Tensor, want schema.TensorSpec) error {
	n, err := want.Match(t)
	if err != nil {
		return err
	}
	size := int64(t.Type.Size())
	if size > 0 && (n > int64(len(t.Data))/size || n*size != int64(len(t.Data))) {
		return errs.New(errs.Invalid, "input %q has %d bytes of data, shape %v of %s needs %d elements of %d bytes", t.Name, len(t.Data), t.Shape, t.Type, n, size)
	}
	return nil
}

// newInput makes ONNX Runtime's view of a checked tensor. It shares t.Data where that is aligned; the caller destroys it.
func newInput(t schema.Tensor) (ort.Value, error) {
	n := schema.Elements(t.Shape)
	if t.Type == schema.Bytes {
		words, err := decodeBytes(t.Data, n)
		if err != nil {
			return nil, errs.New(errs.Invalid, "input %q: %w", t.Name, err)
		}
		if len(t.Shape) == 0 {
			return nil, errs.New(errs.Unimplemented, "input %q is a BYTES scalar: give it the shape [1]", t.Name)
		}
		v, err := ort.NewStringTensor(t.Shape)
		if err != nil {
			return nil, err
		}
		if err := v.SetContents(words); err != nil {
			_ = v.Destroy()
			return nil, err
		}
		return v, nil
	}
	if n == 0 {
		return onType(t.Type, emptyMaker(t.Shape))
	}
	data := t.Data
	if size := uintptr(t.Type.Size()); uintptr(unsafe.Pointer(unsafe.SliceData(data)))%size != 0 {
		data = append(make([]byte, 0, len(data)), data...) // a slice of a request's body may start anywhere
	}
	if t.Type == schema.Bool {
		for i, b := range data {
			if b > 1 {
				return nil, errs.New(errs.Invalid, "input %q: element %d of BOOL is %d, want 0 or 1", t.Name, i, b)
			}
		}
	}
	if len(t.Shape) == 0 {
		return onType(t.Type, scalarMaker(data))
	}
	return custom(t.Shape, data, t.Type)
}

// custom keeps a failed constructor's nil pointer out of the interface.
func custom(shape []int64, data []byte, t schema.DType) (ort.Value, error) {
	v, err := ort.NewCustomDataTensor(shape, data, ortType(t))
	if err != nil {
		return nil, err
	}
	return v, nil
}

// maker builds a value of one Go element type; onType picks the type.
type maker struct {
	shape  ort.Shape // of an empty tensor, or
	scalar bool      // a scalar with these bytes (zero when data is nil)
	data   []byte
}

func emptyMaker(shape []int64) maker { return maker{shape: shape} }
func scalarMaker(data []byte) maker  { return maker{scalar: true, data: data} }

func build[T ort.TensorData](m maker) (ort.Value, error) {
	if !m.scalar {
		v, err := ort.NewTensor(m.shape, []T{})
		if err != nil {
			return nil, err
		}
		return v, nil
	}
	var x T
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&x)), unsafe.Sizeof(x)), m.data)
	v, err := ort.NewScalar(x)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func onType(t schema.DType, m maker) (ort.Value, error) {
	switch t {
	case schema.FP32:
		return build[float32](m)
	case schema.FP64:
		return build[float64](m)
	case schema.Int8:
		return build[int8](m)
	case schema.Int16:
		return build[int16](m)
	case schema.Int32:
		return build[int32](m)
	case schema.Int64:
		return build[int64](m)
	case schema.Uint8:
		return build[uint8](m)
	case schema.Uint16:
		return build[uint16](m)
	case schema.Uint32:
		return build[uint32](m)
	case schema.Uint64:
		return build[uint64](m)
	case schema.Bool:
		return build[bool](m)
	}
	return nil, errs.New(errs.Unimplemented, "empty and scalar tensors of %s are not served", t)
}

// output reads a value that ONNX Runtime filled. The data is Go's memory: it outlives v.
func output(name string, t schema.DType, v ort.Value) (schema.Tensor, error) {
	out := schema.Tensor{Name: name, Type: t, Shape: v.GetShape()}
	if out.Shape == nil {
		out.Shape = []int64{}
	}
	switch x := v.(type) {
	case *ort.Tensor[float32]:
		out.Data = view(x.GetData())
	case *ort.Tensor[int64]:
		out.Data = view(x.GetData())
	case *ort.Tensor[float64]:
		out.Data = view(x.GetData())
	case *ort.Tensor[int8]:
		out.Data = view(x.GetData())
	case *ort.Tensor[int16]:
		out.Data = view(x.GetData())
	case *ort.Tensor[int32]:
		out.Data = view(x.GetData())
	case *ort.Tensor[uint8]:
		out.Data = view(x.GetData())
	case *ort.Tensor[uint16]:
		out.Data = view(x.GetData())
	case *ort.Tensor[uint32]:
		out.Data = view(x.GetData())
	case *ort.Tensor[uint64]:
		out.Data = view(x.GetData())
	case *ort.Tensor[bool]:
		out.Data = view(x.GetData())
	case *ort.Scalar[float32]:
		out.Data = view([]float32{x.GetData()})
	case *ort.Scalar[float64]:
		out.Data = view([]float64{x.GetData()})
	case *ort.Scalar[int8]:
		out.Data = view([]int8{x.GetData()})
	case *ort.Scalar[int16]:
		out.Data = view([]int16{x.GetData()})
	case *ort.Scalar[int32]:
		out.Data = view([]int32{x.GetData()})
	case *ort.Scalar[int64]:
		out.Data = view([]int64{x.GetData()})
	case *ort.Scalar[uint8]:
		out.Data = view([]uint8{x.GetData()})
	case *ort.Scalar[uint16]:
		out.Data = view([]uint16{x.GetData()})
	case *ort.Scalar[uint32]:
		out.Data = view([]uint32{x.GetData()})
	case *ort.Scalar[uint64]:
		out.Data = view([]uint64{x.GetData()})
	case *ort.Scalar[bool]:
		out.Data = view([]bool{x.GetData()})
	case *ort.CustomDataTensor:
		out.Data = x.GetData()
	case *ort.StringTensor:
		words, err := x.GetContents()
		if err != nil {
			return out, err
		}
		out.Data = encodeBytes(words)
	default:
		return out, errs.New(errs.Internal, "output %q is a %T", name, v)
	}
	return out, nil
}

// view is v's memory as bytes; weir runs on little-endian machines only.
func view[T any](v []T) []byte {
	if len(v) == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*int(unsafe.Sizeof(v[0])))
}

// decodeBytes cuts n length-prefixed elements. ONNX Runtime takes C strings, so an element must not hold a zero byte.
func decodeBytes(data []byte, n int64) ([]string, error) {
	if n > int64(len(data))/4 {
		return nil, errs.New(errs.Invalid, "%d bytes of data cannot hold %d BYTES elements", len(data), n)
	}
	words := make([]string, 0, n)
	for i := range n {
		if len(data) < 4 {
			return nil, errs.New(errs.Invalid, "BYTES element %d of %d: no room for its length", i, n)
		}
		size := uint64(binary.LittleEndian.Uint32(data))
		data = data[4:]
		if size > uint64(len(data)) {
			return nil, errs.New(errs.Invalid, "BYTES element %d of %d: length %d, and %d bytes are left", i, n, size, len(data))
		}
		w := string(data[:size])
		if strings.IndexByte(w, 0) >= 0 {
			return nil, errs.New(errs.Invalid, "BYTES element %d of %d holds a zero byte, which ONNX strings cannot", i, n)
		}
		words, data = append(words, w), data[size:]
	}
	if len(data) > 0 {
		return nil, errs.New(errs.Invalid, "%d bytes follow the last of %d BYTES elements", len(data), n)
	}
	return words, nil
}

func encodeBytes(words []string) []byte {
	n := 0
	for _, w := range words {
		n += 4 + len(w)
	}
	out := make([]byte, 0, n)
	for _, w := range words {
		out = append(binary.LittleEndian.AppendUint32(out, uint32(len(w))), w...)
	}
	return out
}
