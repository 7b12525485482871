package plugintest

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Null is how CSV cells of any type write a row without a value; an empty cell does so in columns that are neither utf8 nor binary.
const Null = `\N`

// ReadCSV makes a transform's case of two tables, its input and its expected output. Their first record names and types the
// columns: "age:float64", "city:utf8", "embedding:float_vector[3]". Cells are numbers, NaN, Infinity and -Infinity; true and
// false; text; base64 for binary; microseconds since 1970 or RFC 3339 for timestamp; elements with spaces between them for
// float_vector; \N for null. Errors are errs.Invalid and name table, line and column.
func ReadCSV(name string, input, expected io.Reader) (Case, error) {
	c := Case{Name: name, World: abi.WorldTransform}
	var err error
	if c.Input, err = table(input); err != nil {
		return c, errs.New(errs.Invalid, "vectors: case %q: input: %w", name, err)
	}
	if c.Output, err = table(expected); err != nil {
		return c, errs.New(errs.Invalid, "vectors: case %q: expected: %w", name, err)
	}
	if c.Input.Rows != c.Output.Rows {
		return c, errs.New(errs.Invalid, "vectors: case %q: expected: %d rows, the input has %d", name, c.Output.Rows, c.Input.Rows)
	}
	return c, nil
}

func table(r io.Reader) (*abi.Batch, error) {
	limited := &io.LimitedReader{R: r, N: MaxBytes + 1}
	d := csv.NewReader(limited)
	d.ReuseRecord = true
	head, err := d.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty: its first line names and types the columns, as in age:float64,city:utf8")
		}
		return nil, err
	}
	builders := make([]*builder, len(head))
	seen := map[string]bool{}
	for i, cell := range head {
		f, err := field(cell)
		if err == nil && seen[f.Name] {
			err = fmt.Errorf("column %q is there already", f.Name)
		}
		if err == nil {
			seen[f.Name] = true
			builders[i], err = newBuilder(f)
		}
		if err != nil {
			return nil, fmt.Errorf("line 1, column %d: %w", i+1, err)
		}
	}
	rows := 0
	for {
		record, err := d.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for i, cell := range record {
			if err := builders[i].cell(cell); err != nil {
				line, _ := d.FieldPos(i)
				return nil, fmt.Errorf("line %d, column %q: %w", line, builders[i].field.Name, err)
			}
		}
		rows++
	}
	if limited.N <= 0 {
		return nil, fmt.Errorf("more than %d bytes: split the file", MaxBytes)
	}
	b := &abi.Batch{Rows: rows}
	for _, x := range builders {
		b.Columns = append(b.Columns, x.column())
	}
	return b, nil
}

// field reads a header's cell, name:type or name:float_vector[size]. The name may hold colons.
func field(cell string) (f abi.Field, err error) {
	colon := strings.LastIndexByte(cell, ':')
	if colon < 1 {
		return f, fmt.Errorf("%q is not name:type", cell)
	}
	f.Name = cell[:colon]
	kind := cell[colon+1:]
	if open := strings.IndexByte(kind, '['); open > 0 && strings.HasSuffix(kind, "]") {
		if f.ListSize, err = strconv.Atoi(kind[open+1 : len(kind)-1]); err != nil {
			return f, fmt.Errorf("%q has no list size", cell)
		}
		kind = kind[:open]
	}
	if len(f.Name) > abi.MaxNameBytes {
		return f, fmt.Errorf("a name of %d bytes, at most %d", len(f.Name), abi.MaxNameBytes)
	}
	f.Type, err = abi.ParseType(kind)
	return f, err
}

// cell adds a row.
func (b *builder) cell(text string) error {
	t := b.field.Type
	if text == Null || text == "" && !t.Variable() {
		b.null()
		return nil
	}
	switch t {
	case abi.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		b.bools = append(b.bools, text == "true")
	case abi.UTF8:
		return b.text(text)
	case abi.Binary:
		return b.binaryText(text)
	case abi.FloatVector:
		items := strings.Fields(text)
		if len(items) != b.field.ListSize {
			return fmt.Errorf("%d elements, the list size is %d", len(items), b.field.ListSize)
		}
		for _, item := range items {
			v, err := float(item, 32)
			if err != nil {
				return err
			}
			b.f32 = append(b.f32, float32(v))
		}
	case abi.Timestamp:
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			text = strconv.FormatInt(at.UnixMicro(), 10)
		}
		return b.number(text)
	default:
		return b.number(text)
	}
	b.rows++
	return nil
}
