package plugintest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/weir-ml/weir/sdk/abi"
)

// nan is the one NaN that vectors can write.
var nan = math.Float64frombits(0x7ff8000000000000)

// batch reads an array of columns, {"name", "type", "list_size"?, "values"}. No columns make a batch of no rows.
func batch(raw json.RawMessage) (*abi.Batch, error) {
	items, err := array(raw)
	if err != nil {
		return nil, err
	}
	b := &abi.Batch{}
	for i, item := range items {
		c, rows, err := column(item)
		if err == nil && i > 0 && rows != b.Rows {
			err = fmt.Errorf("values: %d rows, columns before it have %d", rows, b.Rows)
		}
		if err == nil && b.Column(c.Name) != nil {
			err = fmt.Errorf("name: column %q is there already", c.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		b.Rows = rows
		b.Columns = append(b.Columns, c)
	}
	return b, nil
}

func column(raw json.RawMessage) (c abi.Column, rows int, err error) {
	var values []json.RawMessage
	err = object(raw, func(key string, value json.RawMessage) (err error) {
		switch key {
		case "name":
			c.Name, err = nonEmpty(value)
		case "type":
			err = strict(value, &c.Type)
		case "list_size":
			err = strict(value, &c.ListSize)
		case "values":
			values, err = array(value)
		default:
			err = errors.New("unknown member")
		}
		return err
	})
	switch {
	case err != nil:
		return c, 0, err
	case c.Name == "":
		return c, 0, errors.New(`"name" is missing`)
	case len(c.Name) > abi.MaxNameBytes:
		return c, 0, fmt.Errorf("name: %d bytes, at most %d", len(c.Name), abi.MaxNameBytes)
	case !c.Type.Valid():
		return c, 0, errors.New(`"type" is missing`)
	case values == nil:
		return c, 0, errors.New(`"values" is missing`)
	}
	b, err := newBuilder(c.Field)
	if err != nil {
		return c, 0, err
	}
	for i, v := range values {
		if err := b.json(v); err != nil {
			return c, 0, fmt.Errorf("values[%d]: %w", i, err)
		}
	}
	return b.column(), len(values), nil
}

// builder collects the rows of one column.
type builder struct {
	field  abi.Field
	rows   int
	nulls  []int
	bools  []bool
	i32    []int32
	i64    []int64
	f32    []float32
	f64    []float64
	texts  []string
	binary [][]byte
}

func newBuilder(f abi.Field) (*builder, error) {
	switch {
	case f.Type == abi.FloatVector && (f.ListSize < 1 || f.ListSize > abi.MaxListSize):
		return nil, fmt.Errorf("list_size: %d is not 1..%d", f.ListSize, abi.MaxListSize)
	case f.Type != abi.FloatVector && f.ListSize != 0:
		return nil, fmt.Errorf("list_size: only a float_vector has one, not %s", f.Type)
	}
	return &builder{field: f}, nil
}

func (b *builder) column() abi.Column {
	var c abi.Column
	switch b.field.Type {
	case abi.Bool:
		c = abi.BoolColumn(b.field.Name, b.bools)
	case abi.Int32:
		c = abi.Int32Column(b.field.Name, b.i32)
	case abi.Int64:
		c = abi.Int64Column(b.field.Name, b.i64)
	case abi.Timestamp:
		c = abi.TimestampColumn(b.field.Name, b.i64)
	case abi.Float32:
		c = abi.Float32Column(b.field.Name, b.f32)
	case abi.Float64:
		c = abi.Float64Column(b.field.Name, b.f64)
	case abi.FloatVector:
		c = abi.FloatVectorColumn(b.field.Name, b.field.ListSize, b.f32)
	case abi.UTF8:
		c = abi.UTF8Column(b.field.Name, b.texts)
	case abi.Binary:
		c = abi.BinaryColumn(b.field.Name, b.binary)
	}
	if b.nulls != nil {
		c = c.WithNulls(b.rows, b.nulls...)
	}
	return c
}

// null adds a row without a value.
func (b *builder) null() {
	b.nulls = append(b.nulls, b.rows)
	b.rows++
	switch b.field.Type {
	case abi.Bool:
		b.bools = append(b.bools, false)
	case abi.Int32:
		b.i32 = append(b.i32, 0)
	case abi.Int64, abi.Timestamp:
		b.i64 = append(b.i64, 0)
	case abi.Float32:
		b.f32 = append(b.f32, 0)
	case abi.Float64:
		b.f64 = append(b.f64, 0)
	case abi.FloatVector:
		b.f32 = append(b.f32, make([]float32, b.field.ListSize)...)
	case abi.UTF8:
		b.texts = append(b.texts, "")
	case abi.Binary:
		b.binary = append(b.binary, nil)
	}
}

// json adds a JSON value.
func (b *builder) json(raw json.RawMessage) (err error) {
	text := string(raw)
	if text == "null" {
		b.null()
		return nil
	}
	switch b.field.Type {
	case abi.Bool:
		var v bool
		if err = strict(raw, &v); err == nil {
			b.bools = append(b.bools, v)
		}
	case abi.UTF8:
		var v string
		if err = strict(raw, &v); err == nil {
			b.texts = append(b.texts, v)
		}
	case abi.Binary:
		var v []byte
		if text[0] != '"' {
			return errors.New("binary is base64 in a string")
		}
		if err = strict(raw, &v); err == nil {
			b.binary = append(b.binary, v)
		}
	case abi.FloatVector:
		items, err := array(raw)
		if err != nil {
			return err
		}
		if len(items) != b.field.ListSize {
			return fmt.Errorf("%d elements, list_size is %d", len(items), b.field.ListSize)
		}
		for i, item := range items {
			v, err := float(unquoted(item), 32)
			if err != nil {
				return fmt.Errorf("element %d: %w", i, err)
			}
			b.f32 = append(b.f32, float32(v))
		}
	default:
		if (b.field.Type == abi.Float32 || b.field.Type == abi.Float64) && text[0] == '"' {
			text = unquoted(raw)
			if text != "NaN" && text != "Infinity" && text != "-Infinity" {
				return fmt.Errorf("%q is no %s: a number, \"NaN\", \"Infinity\", \"-Infinity\" or null", text, b.field.Type)
			}
		}
		return b.number(text)
	}
	if err == nil {
		b.rows++
	}
	return err
}

func unquoted(raw json.RawMessage) string {
	var s string
	if raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// number adds a row to a column of one number a row.
func (b *builder) number(text string) error {
	switch b.field.Type {
	case abi.Int32, abi.Int64, abi.Timestamp:
		size := 64
		if b.field.Type == abi.Int32 {
			size = 32
		}
		v, err := strconv.ParseInt(text, 10, size)
		if err != nil {
			return fmt.Errorf("%s is no %s%s", text, b.field.Type, because(err))
		}
		if size == 32 {
			b.i32 = append(b.i32, int32(v))
		} else {
			b.i64 = append(b.i64, v)
		}
	case abi.Float32:
		v, err := float(text, 32)
		if err != nil {
			return err
		}
		b.f32 = append(b.f32, float32(v))
	default:
		v, err := float(text, 64)
		if err != nil {
			return err
		}
		b.f64 = append(b.f64, v)
	}
	b.rows++
	return nil
}

// float reads a decimal number of JSON's form, NaN, Infinity or -Infinity.
func float(text string, size int) (float64, error) {
	switch text {
	case "NaN":
		return nan, nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	if !json.Valid([]byte(text)) || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return 0, fmt.Errorf("%s is no float%d", text, size)
	}
	v, err := strconv.ParseFloat(text, size)
	if err != nil {
		return 0, fmt.Errorf("%s is no float%d%s", text, size, because(err))
	}
	return v, nil
}

func because(err error) string {
	if errors.Is(err, strconv.ErrRange) {
		return ": out of range"
	}
	return ""
}

// binaryText adds bytes in base64 to a binary column.
func (b *builder) binaryText(text string) error {
	v, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("%q is not base64", text)
	}
	b.binary = append(b.binary, v)
	b.rows++
	return nil
}

// text adds a row to a utf8 column.
func (b *builder) text(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("not UTF-8")
	}
	b.texts = append(b.texts, s)
	b.rows++
	return nil
}

// render writes row r of a column for people, as vectors write it.
func render(c *abi.Column, r int) string {
	if c.IsNull(r) {
		return "null"
	}
	switch c.Type {
	case abi.Bool:
		return strconv.FormatBool(c.BoolAt(r))
	case abi.Int32:
		return strconv.FormatInt(int64(c.Int32s()[r]), 10)
	case abi.Int64, abi.Timestamp:
		return strconv.FormatInt(c.Int64s()[r], 10)
	case abi.Float32:
		return renderFloat(float64(c.Float32s()[r]), 32)
	case abi.Float64:
		return renderFloat(c.Float64s()[r], 64)
	case abi.UTF8:
		return strconv.Quote(cut(c.TextAt(r)))
	case abi.Binary:
		return strconv.Quote(cut(base64.StdEncoding.EncodeToString(c.BytesAt(r))))
	}
	var out bytes.Buffer
	out.WriteByte('[')
	for i, v := range c.Float32s()[r*c.ListSize : (r+1)*c.ListSize] {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(renderFloat(float64(v), 32))
	}
	out.WriteByte(']')
	return cut(out.String())
}

func renderFloat(v float64, size int) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(v, 'g', -1, size)
}

func cut(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
