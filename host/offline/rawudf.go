package offline

/*
#include <stdlib.h>

void weirOfflineScalar(void *, void *, void *);
typedef void (*weir_offline_scalar_t)(void *, void *, void *);

void weirOfflineRelease(void *);
typedef void (*weir_offline_release_t)(void *);
*/
import "C"

import (
	"runtime/cgo"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// registerRaw registers b as a scalar function whose callback gets whole chunks. The driver's own scalar functions box
// every value of every row, an order of magnitude slower. DuckDB owns the handle to b from here on and releases it with
// the session's database.
func registerRaw(conn mapping.Connection, b *boundFunction) error {
	f := mapping.CreateScalarFunction()
	defer mapping.DestroyScalarFunction(&f)
	mapping.ScalarFunctionSetName(f, b.name)
	for _, in := range b.schema.Inputs {
		t, err := logicalType(in)
		if err != nil {
			return errs.New(errs.Invalid, "input %w", err)
		}
		mapping.ScalarFunctionAddParameter(f, t)
		mapping.DestroyLogicalType(&t)
	}
	if len(b.schema.Inputs) == 0 {
		t := mapping.CreateLogicalType(mapping.TypeAny)
		mapping.ScalarFunctionSetVarargs(f, t)
		mapping.DestroyLogicalType(&t)
	}
	result, err := resultType(b.schema.Outputs)
	if err != nil {
		return err
	}
	mapping.ScalarFunctionSetReturnType(f, result)
	mapping.DestroyLogicalType(&result)
	mapping.ScalarFunctionSetSpecialHandling(f) // nulls are the Transformer's business

	// The handle lives in C's memory, because DuckDB keeps the pointer.
	cell := (*cgo.Handle)(C.malloc(C.size_t(unsafe.Sizeof(cgo.Handle(0)))))
	*cell = cgo.NewHandle(b)
	mapping.ScalarFunctionSetExtraInfo(f, unsafe.Pointer(cell), unsafe.Pointer(C.weir_offline_release_t(C.weirOfflineRelease)))
	mapping.ScalarFunctionSetFunction(f, unsafe.Pointer(C.weir_offline_scalar_t(C.weirOfflineScalar)))
	if mapping.RegisterScalarFunction(conn, f) == mapping.StateError {
		return errs.New(errs.Invalid, "DuckDB refuses to register it")
	}
	return nil
}

// resultType is the type of the one output, or a STRUCT of several; it must be destroyed.
func resultType(outputs []abi.Field) (mapping.LogicalType, error) {
	types, names := make([]mapping.LogicalType, 0, len(outputs)), make([]string, 0, len(outputs))
	defer func() {
		for i := range types {
			mapping.DestroyLogicalType(&types[i])
		}
	}()
	seen := map[string]string{}
	for i, o := range outputs {
		if err := checkName("outputs", i, o.Name, seen); err != nil {
			return mapping.LogicalType{}, err
		}
		t, err := logicalType(o)
		if err != nil {
			return mapping.LogicalType{}, errs.New(errs.Invalid, "output %w", err)
		}
		types, names = append(types, t), append(names, o.Name)
	}
	if len(types) == 1 {
		return logicalType(outputs[0])
	}
	return mapping.CreateStructType(types, names), nil
}

// weirOfflineScalar is DuckDB's callback: it runs on any of DuckDB's threads, several at once, and must neither panic
// nor jump. The input's vectors are flat (the C API flattens them), the result's vector is fresh.
//
//export weirOfflineScalar
func weirOfflineScalar(info, chunk, out unsafe.Pointer) {
	fi := mapping.FunctionInfo{Ptr: info}
	b := (*(*cgo.Handle)(mapping.ScalarFunctionGetExtraInfo(fi))).Value().(*boundFunction)
	if err := b.call(mapping.DataChunk{Ptr: chunk}, mapping.Vector{Ptr: out}); err != nil {
		mapping.ScalarFunctionSetError(fi, err.Error())
	}
}

// weirOfflineRelease is called once when DuckDB drops the function.
//
//export weirOfflineRelease
func weirOfflineRelease(cell unsafe.Pointer) {
	(*(*cgo.Handle)(cell)).Delete()
	C.free(cell)
}
