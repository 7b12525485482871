package offline

import (
	"fmt"
	"strings"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Supported is how error messages list the types that a column can have, with what is converted to reach them.
const Supported = "BOOLEAN, INTEGER (from TINYINT, SMALLINT and their unsigned kin), BIGINT (from UINTEGER, UBIGINT, HUGEINT), " +
	"FLOAT, DOUBLE (from DECIMAL), VARCHAR (from ENUM, UUID), BLOB, TIMESTAMP (from DATE, TIMESTAMPTZ and other precisions), " +
	"FLOAT[n] (from DOUBLE[n], and from lists whose rows all have n elements)"

// duckType is as much of a DuckDB type as this room tells apart. The zero value is no type.
type duckType struct {
	id   mapping.Type
	elem mapping.Type // of ARRAY and LIST
	size int          // of ARRAY
}

func duckTypeOf(t mapping.LogicalType) duckType {
	d := duckType{id: mapping.GetTypeId(t)}
	var child mapping.LogicalType
	switch d.id {
	case mapping.TypeArray:
		child, d.size = mapping.ArrayTypeChildType(t), int(mapping.ArrayTypeArraySize(t))
	case mapping.TypeList:
		child = mapping.ListTypeChildType(t)
	default:
		return d
	}
	d.elem = mapping.GetTypeId(child)
	mapping.DestroyLogicalType(&child)
	return d
}

// floatList reports whether d is a list, of no declared length, that can become FLOAT[n] once n is known.
func (d duckType) floatList() bool {
	return d.id == mapping.TypeList && (d.elem == mapping.TypeFloat || d.elem == mapping.TypeDouble)
}

var duckTypeNames = map[mapping.Type]string{
	mapping.TypeTime: "TIME", mapping.TypeTimeTZ: "TIMETZ", mapping.TypeInterval: "INTERVAL", mapping.TypeList: "LIST", mapping.TypeStruct: "STRUCT",
	mapping.TypeMap: "MAP", mapping.TypeUnion: "UNION", mapping.TypeBit: "BIT", mapping.TypeArray: "ARRAY", mapping.TypeBigNum: "BIGNUM",
	mapping.TypeBoolean: "BOOLEAN", mapping.TypeInteger: "INTEGER", mapping.TypeBigInt: "BIGINT", mapping.TypeFloat: "FLOAT",
	mapping.TypeDouble: "DOUBLE", mapping.TypeVarchar: "VARCHAR", mapping.TypeBlob: "BLOB", mapping.TypeTimestamp: "TIMESTAMP",
	mapping.TypeDecimal: "DECIMAL", mapping.TypeHugeInt: "HUGEINT", mapping.TypeDate: "DATE", mapping.TypeTimestampTZ: "TIMESTAMPTZ",
}

func (d duckType) String() string {
	n, ok := duckTypeNames[d.id]
	if !ok {
		n = fmt.Sprintf("type %d", d.id)
	}
	switch d.id {
	case mapping.TypeList:
		return duckType{id: d.elem}.String() + "[]"
	case mapping.TypeArray:
		return fmt.Sprintf("%s[%d]", duckType{id: d.elem}, d.size)
	}
	return n
}

// abiType is the batch type of a column and, where DuckDB's own type is another, the SQL type to cast it to first.
// n is the length of a float list, 0 when it is not known. ok is false for a type that batches do not have.
func (d duckType) abiType(n int) (f abi.Field, cast string, ok bool) {
	switch d.id {
	case mapping.TypeBoolean:
		return abi.Field{Type: abi.Bool}, "", true
	case mapping.TypeInteger:
		return abi.Field{Type: abi.Int32}, "", true
	case mapping.TypeTinyInt, mapping.TypeSmallInt, mapping.TypeUTinyInt, mapping.TypeUSmallInt, mapping.TypeSQLNull:
		return abi.Field{Type: abi.Int32}, "INTEGER", true
	case mapping.TypeBigInt:
		return abi.Field{Type: abi.Int64}, "", true
	case mapping.TypeUInteger, mapping.TypeUBigInt, mapping.TypeHugeInt, mapping.TypeUHugeInt:
		return abi.Field{Type: abi.Int64}, "BIGINT", true
	case mapping.TypeFloat:
		return abi.Field{Type: abi.Float32}, "", true
	case mapping.TypeDouble:
		return abi.Field{Type: abi.Float64}, "", true
	case mapping.TypeDecimal:
		return abi.Field{Type: abi.Float64}, "DOUBLE", true
	case mapping.TypeVarchar:
		return abi.Field{Type: abi.UTF8}, "", true
	case mapping.TypeEnum, mapping.TypeUUID:
		return abi.Field{Type: abi.UTF8}, "VARCHAR", true
	case mapping.TypeBlob:
		return abi.Field{Type: abi.Binary}, "", true
	case mapping.TypeTimestamp:
		return abi.Field{Type: abi.Timestamp}, "", true
	case mapping.TypeDate, mapping.TypeTimestampS, mapping.TypeTimestampMS, mapping.TypeTimestampNS, mapping.TypeTimestampTZ:
		return abi.Field{Type: abi.Timestamp}, "TIMESTAMP", true
	case mapping.TypeArray:
		f := abi.Field{Type: abi.FloatVector, ListSize: d.size}
		switch d.elem {
		case mapping.TypeFloat:
			return f, "", true
		case mapping.TypeDouble:
			return f, fmt.Sprintf("FLOAT[%d]", d.size), true
		}
	case mapping.TypeList:
		if d.floatList() && n > 0 {
			return abi.Field{Type: abi.FloatVector, ListSize: n}, fmt.Sprintf("FLOAT[%d]", n), true
		}
	}
	return abi.Field{}, "", false
}

// project writes the select list that gives every column one of the batch types. sizes holds the known lengths of float
// lists by column name. what names the thing in errors: a column without a batch type, two columns of one name (SQL
// does not tell "A" from "a"), no column at all or too many.
func project(what string, cols []column, sizes map[string]int) (list string, fields []abi.Field, err error) {
	if len(cols) == 0 || len(cols) > abi.MaxColumns {
		return "", nil, errs.New(errs.Invalid, "%s has %d columns: 1 to %d are possible", what, len(cols), abi.MaxColumns)
	}
	seen := make(map[string]string, len(cols))
	var b strings.Builder
	for i, c := range cols {
		if err := checkName(what, i, c.name, seen); err != nil {
			return "", nil, err
		}
		f, cast, ok := c.duck.abiType(sizes[c.name])
		if !ok {
			return "", nil, errs.New(errs.Invalid, "%s: column %q is %s, which is not supported: cast it or leave it out; the types are %s", what, c.name, c.duck, Supported)
		}
		f.Name = c.name
		fields = append(fields, f)
		if i > 0 {
			b.WriteString(", ")
		}
		id := quoteIdent(c.name)
		if cast == "" {
			b.WriteString(id)
		} else {
			fmt.Fprintf(&b, "CAST(%s AS %s) AS %s", id, cast, id)
		}
	}
	return b.String(), fields, nil
}

// checkName refuses names that batches, SQL or Parquet cannot carry; seen maps lower-cased names to names.
func checkName(what string, i int, name string, seen map[string]string) error {
	switch {
	case name == "":
		return errs.New(errs.Invalid, "%s: column %d has no name: give every column a name (a data frame's index is left out with index=False)", what, i+1)
	case len(name) > abi.MaxNameBytes:
		return errs.New(errs.Invalid, "%s: the name of column %d has %d bytes, %d are possible", what, i+1, len(name), abi.MaxNameBytes)
	case strings.ContainsRune(name, 0):
		return errs.New(errs.Invalid, "%s: the name of column %d holds a NUL byte", what, i+1)
	}
	low := strings.ToLower(name)
	if other, dup := seen[low]; dup {
		return errs.New(errs.Invalid, "%s: two columns are named %q and %q, which SQL does not tell apart: rename one", what, other, name)
	}
	seen[low] = name
	return nil
}

// sqlType is the DuckDB type of a field, as SQL.
func sqlType(f abi.Field) (string, error) {
	switch f.Type {
	case abi.Bool:
		return "BOOLEAN", nil
	case abi.Int32:
		return "INTEGER", nil
	case abi.Int64:
		return "BIGINT", nil
	case abi.Float32:
		return "FLOAT", nil
	case abi.Float64:
		return "DOUBLE", nil
	case abi.UTF8:
		return "VARCHAR", nil
	case abi.Binary:
		return "BLOB", nil
	case abi.Timestamp:
		return "TIMESTAMP", nil
	case abi.FloatVector:
		if f.ListSize < 1 || f.ListSize > MaxVector {
			return "", fmt.Errorf("%q is a vector of %d elements: 1 to %d are possible in SQL", f.Name, f.ListSize, MaxVector)
		}
		return fmt.Sprintf("FLOAT[%d]", f.ListSize), nil
	}
	return "", fmt.Errorf("%q has the unknown %s", f.Name, f.Type)
}

// MaxVector is the longest FLOAT[n] that DuckDB has.
const MaxVector = 100_000

// logicalType is sqlType as a DuckDB type; it must be destroyed.
func logicalType(f abi.Field) (mapping.LogicalType, error) {
	if _, err := sqlType(f); err != nil {
		return mapping.LogicalType{}, err
	}
	if f.Type == abi.FloatVector {
		elem := mapping.CreateLogicalType(mapping.TypeFloat)
		defer mapping.DestroyLogicalType(&elem)
		return mapping.CreateArrayType(elem, mapping.IdxT(f.ListSize)), nil
	}
	id := map[abi.Type]mapping.Type{
		abi.Bool: mapping.TypeBoolean, abi.Int32: mapping.TypeInteger, abi.Int64: mapping.TypeBigInt, abi.Float32: mapping.TypeFloat,
		abi.Float64: mapping.TypeDouble, abi.UTF8: mapping.TypeVarchar, abi.Binary: mapping.TypeBlob, abi.Timestamp: mapping.TypeTimestamp,
	}[f.Type]
	return mapping.CreateLogicalType(id), nil
}
