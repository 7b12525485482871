package schema

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Form is how a batch lies in JSON.
type Form string

// The two forms: {"rows":[{"col":v,…},…]} and {"columns":{"col":[v,…],…}}.
const (
	RowsForm    Form = "rows"
	ColumnsForm Form = "columns"
)

// JSON values by column type: bool → true/false; int32/int64 → a number without fraction; float32/float64 → a number, or
// the text "NaN", "Infinity" or "-Infinity", which JSON cannot write as numbers; utf8 → text; binary → base64 text;
// timestamp → RFC 3339 text (written in UTC) or a number of microseconds since 1970; float_vector → an array of numbers.
// null is a null in every type. Floats are written with the fewest digits that read back to the same bits.

// DecodeRows reads either form. With fields, the batch has exactly these columns in this order: a column that a row lacks is
// an error (write null for "no value"; a misspelt name must not become nulls), other keys are ignored. With nil fields the
// columns are those found, sorted by name, and types follow the values: true/false → bool, number → float64, text → utf8,
// array → float_vector. The batch shares no memory with data. Errors are errs.Invalid and name row and column.
func DecodeRows(data []byte, fields []abi.Field) (*abi.Batch, Form, error) {
	if fields != nil {
		if b, ok := scanRows(data, fields); ok {
			return b, RowsForm, nil
		}
	}
	return decodeRows(data, fields)
}

func decodeRows(data []byte, fields []abi.Field) (*abi.Batch, Form, error) {
	var doc struct {
		Rows    *[]map[string]json.RawMessage   `json:"rows"`
		Columns *map[string]([]json.RawMessage) `json:"columns"`
	}
	if err := Strict(data, &doc); err != nil {
		return nil, "", errs.New(errs.Invalid, "body: %w; want {\"rows\":[{…}]} or {\"columns\":{…}}", err)
	}
	switch {
	case doc.Rows != nil && doc.Columns != nil:
		return nil, "", errs.New(errs.Invalid, "body has both rows and columns: send one of them")
	case doc.Rows != nil:
		b, err := RowsToBatch(*doc.Rows, fields)
		return b, RowsForm, err
	case doc.Columns != nil:
		b, err := columnsToBatch(*doc.Columns, fields)
		return b, ColumnsForm, err
	}
	return nil, "", errs.New(errs.Invalid, `body has neither rows nor columns: want {"rows":[{…}]} or {"columns":{…}}`)
}

// DecodeObjects reads one JSON object a row, as events carry them. The rules are DecodeRows'. The error names the index.
func DecodeObjects(rows [][]byte, fields []abi.Field) (*abi.Batch, error) {
	if fields != nil {
		if b, ok := scanObjects(rows, fields); ok {
			return b, nil
		}
	}
	return decodeObjects(rows, fields)
}

func decodeObjects(rows [][]byte, fields []abi.Field) (*abi.Batch, error) {
	maps := make([]map[string]json.RawMessage, len(rows))
	for i, r := range rows {
		if err := json.Unmarshal(r, &maps[i]); err != nil {
			return nil, errs.New(errs.Invalid, "row %d: %w", i, PositionError(r, err))
		}
		if maps[i] == nil {
			return nil, errs.New(errs.Invalid, "row %d: want a JSON object, got null", i)
		}
	}
	return RowsToBatch(maps, fields)
}

// RowsToBatch builds a batch from decoded objects; see DecodeRows for the rules.
func RowsToBatch(rows []map[string]json.RawMessage, fields []abi.Field) (*abi.Batch, error) {
	if fields == nil {
		seen := map[string]json.RawMessage{}
		for _, r := range rows {
			for k, v := range r {
				if old, ok := seen[k]; !ok || isNull(old) {
					seen[k] = v
				}
			}
		}
		var err error
		if fields, err = infer(seen); err != nil {
			return nil, err
		}
	}
	b := &abi.Batch{Rows: len(rows), Columns: make([]abi.Column, len(fields))}
	for i, f := range fields {
		c, err := buildColumn(f, len(rows), func(r int) (json.RawMessage, error) {
			v, ok := rows[r][f.Name]
			if !ok {
				return nil, errs.New(errs.Invalid, "rows[%d] lacks column %q: write null for no value", r, f.Name)
			}
			return v, nil
		})
		if err != nil {
			return nil, err
		}
		b.Columns[i] = c
	}
	return b, nil
}

func columnsToBatch(cols map[string][]json.RawMessage, fields []abi.Field) (*abi.Batch, error) {
	if fields == nil {
		seen := map[string]json.RawMessage{}
		for k, vs := range cols {
			seen[k] = json.RawMessage("null")
			for _, v := range vs {
				if !isNull(v) {
					seen[k] = v
					break
				}
			}
		}
		var err error
		if fields, err = infer(seen); err != nil {
			return nil, err
		}
	}
	b := &abi.Batch{Rows: -1, Columns: make([]abi.Column, len(fields))}
	for i, f := range fields {
		vs, ok := cols[f.Name]
		if !ok {
			return nil, errs.New(errs.Invalid, "column %q is missing", f.Name)
		}
		if b.Rows < 0 {
			b.Rows = len(vs)
		}
		if len(vs) != b.Rows {
			return nil, errs.New(errs.Invalid, "column %q has %d values, column %q has %d", f.Name, len(vs), fields[0].Name, b.Rows)
		}
		c, err := buildColumn(f, len(vs), func(r int) (json.RawMessage, error) { return vs[r], nil })
		if err != nil {
			return nil, err
		}
		b.Columns[i] = c
	}
	b.Rows = max(b.Rows, 0)
	return b, nil
}

func isNull(v json.RawMessage) bool { return len(v) == 4 && string(v) == "null" }

func infer(sample map[string]json.RawMessage) ([]abi.Field, error) {
	names := make([]string, 0, len(sample))
	for n := range sample {
		names = append(names, n)
	}
	sort.Strings(names)
	fields := make([]abi.Field, 0, len(names))
	for _, n := range names {
		v := sample[n]
		f := abi.Field{Name: n, Type: abi.Float64}
		switch v[0] {
		case 't', 'f':
			f.Type = abi.Bool
		case '"':
			f.Type = abi.UTF8
		case '[':
			var a []json.RawMessage
			if err := json.Unmarshal(v, &a); err != nil || len(a) == 0 {
				return nil, errs.New(errs.Invalid, "column %q: an empty array has no size", n)
			}
			f.Type, f.ListSize = abi.FloatVector, len(a)
		case '{':
			return nil, errs.New(errs.Invalid, "column %q: objects are not values; flatten them", n)
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func buildColumn(f abi.Field, rows int, at func(int) (json.RawMessage, error)) (abi.Column, error) {
	c := abi.Column{Field: f}
	if f.Type.Variable() {
		c.Offsets = make([]int32, rows+1)
	} else {
		n := f.ValueBytes(rows)
		if n < 0 {
			return c, errs.New(errs.Invalid, "column %q: list size %d is out of range", f.Name, f.ListSize)
		}
		c.Values = alignedBytes(n)
	}
	for r := range rows {
		v, err := at(r)
		if err != nil {
			return c, err
		}
		if isNull(v) {
			if c.Validity == nil {
				c = c.WithNulls(rows)
			}
			abi.ClearBit(c.Validity, r)
		} else if err := setValue(&c, r, v); err != nil {
			return c, errs.New(errs.Invalid, "row %d, column %q: %w", r, f.Name, err)
		}
		if c.Offsets != nil {
			if len(c.Values) > math.MaxInt32 {
				return c, errs.New(errs.Invalid, "column %q holds more than 2 GiB", f.Name)
			}
			c.Offsets[r+1] = int32(len(c.Values))
		}
	}
	return c, nil
}

// alignedBytes is a buffer whose start is 8-byte aligned, so that typed views need no copy.
func alignedBytes(n int) []byte {
	col := abi.Int64Column("", make([]int64, (n+7)/8))
	return col.Values[:n:len(col.Values)]
}

func setValue(c *abi.Column, r int, v json.RawMessage) error {
	le := binary.LittleEndian
	switch c.Type {
	case abi.Bool:
		switch string(v) {
		case "true":
			abi.SetBit(c.Values, r)
		case "false":
		default:
			return mismatch(c.Field, v)
		}
	case abi.Int32, abi.Int64:
		n, err := strconv.ParseInt(string(v), 10, c.Type.Width()*8)
		if err != nil {
			return mismatch(c.Field, v)
		}
		if c.Type == abi.Int32 {
			le.PutUint32(c.Values[r*4:], uint32(int32(n)))
		} else {
			le.PutUint64(c.Values[r*8:], uint64(n))
		}
	case abi.Float32:
		x, err := parseFloat(v, 32)
		if err != nil {
			return mismatch(c.Field, v)
		}
		le.PutUint32(c.Values[r*4:], math.Float32bits(float32(x)))
	case abi.Float64:
		x, err := parseFloat(v, 64)
		if err != nil {
			return mismatch(c.Field, v)
		}
		le.PutUint64(c.Values[r*8:], math.Float64bits(x))
	case abi.UTF8:
		var s string
		if v[0] != '"' || json.Unmarshal(v, &s) != nil {
			return mismatch(c.Field, v)
		}
		c.Values = append(c.Values, s...)
	case abi.Binary:
		var s []byte
		if v[0] != '"' || json.Unmarshal(v, &s) != nil {
			return mismatch(c.Field, v)
		}
		c.Values = append(c.Values, s...)
	case abi.Timestamp:
		us, err := parseTime(v)
		if err != nil {
			return mismatch(c.Field, v)
		}
		le.PutUint64(c.Values[r*8:], uint64(us))
	case abi.FloatVector:
		var a []json.RawMessage
		if v[0] != '[' || json.Unmarshal(v, &a) != nil {
			return mismatch(c.Field, v)
		}
		if len(a) != c.ListSize {
			return fmt.Errorf("has %d elements, want %d", len(a), c.ListSize)
		}
		for i, e := range a {
			x, err := parseFloat(e, 32)
			if err != nil {
				return fmt.Errorf("element %d: %w", i, mismatch(abi.Field{Type: abi.Float32}, e))
			}
			le.PutUint32(c.Values[(r*c.ListSize+i)*4:], math.Float32bits(float32(x)))
		}
	default:
		return fmt.Errorf("unknown %s", c.Type)
	}
	return nil
}

func parseFloat(v json.RawMessage, bits int) (float64, error) {
	switch string(v) {
	case `"NaN"`:
		return math.NaN(), nil
	case `"Infinity"`:
		return math.Inf(1), nil
	case `"-Infinity"`:
		return math.Inf(-1), nil
	}
	// Only JSON's number grammar: ParseFloat alone would take hex, underscores and "inf".
	if c := v[0]; c != '-' && (c < '0' || c > '9') {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(string(v), bits)
}

func parseTime(v json.RawMessage) (int64, error) {
	if v[0] != '"' {
		return strconv.ParseInt(string(v), 10, 64)
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		return 0, err
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, err
	}
	return t.UnixMicro(), nil
}

func mismatch(f abi.Field, v json.RawMessage) error {
	s := string(v)
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return fmt.Errorf("%s is not a %s", s, f.Type)
}

// EncodeRows writes the batch in the given form; see DecodeRows for how each type is written.
func EncodeRows(b *abi.Batch, form Form) []byte {
	out := make([]byte, 0, 64+b.Rows*len(b.Columns)*16)
	if form == ColumnsForm {
		out = append(out, `{"columns":{`...)
		for i := range b.Columns {
			if i > 0 {
				out = append(out, ',')
			}
			c := &b.Columns[i]
			out = append(appendText(out, c.Name), ':', '[')
			for r := range b.Rows {
				if r > 0 {
					out = append(out, ',')
				}
				out = AppendValue(out, c, r)
			}
			out = append(out, ']')
		}
		return append(out, '}', '}')
	}
	out = append(out, `{"rows":[`...)
	keys := make([][]byte, len(b.Columns))
	for i := range b.Columns {
		keys[i] = append(appendText(nil, b.Columns[i].Name), ':')
	}
	for r := range b.Rows {
		if r > 0 {
			out = append(out, ',')
		}
		out = append(out, '{')
		for i := range b.Columns {
			if i > 0 {
				out = append(out, ',')
			}
			out = AppendValue(append(out, keys[i]...), &b.Columns[i], r)
		}
		out = append(out, '}')
	}
	return append(out, ']', '}')
}

// AppendObject appends row r as one JSON object, as event functions publish results.
func AppendObject(out []byte, b *abi.Batch, r int) []byte {
	out = append(out, '{')
	for i := range b.Columns {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendText(out, b.Columns[i].Name), ':')
		out = AppendValue(out, &b.Columns[i], r)
	}
	return append(out, '}')
}

// AppendValue appends one value as JSON.
func AppendValue(out []byte, c *abi.Column, r int) []byte {
	if c.IsNull(r) {
		return append(out, "null"...)
	}
	le := binary.LittleEndian
	switch c.Type {
	case abi.Bool:
		return strconv.AppendBool(out, c.BoolAt(r))
	case abi.Int32:
		return strconv.AppendInt(out, int64(int32(le.Uint32(c.Values[r*4:]))), 10)
	case abi.Int64:
		return strconv.AppendInt(out, int64(le.Uint64(c.Values[r*8:])), 10)
	case abi.Float32:
		return AppendFloat(out, float64(math.Float32frombits(le.Uint32(c.Values[r*4:]))), 32)
	case abi.Float64:
		return AppendFloat(out, math.Float64frombits(le.Uint64(c.Values[r*8:])), 64)
	case abi.Timestamp:
		t := time.UnixMicro(int64(le.Uint64(c.Values[r*8:]))).UTC()
		if y := t.Year(); y < 0 || y > 9999 { // RFC 3339 has four digits; the number form has no such bound
			return strconv.AppendInt(out, t.UnixMicro(), 10)
		}
		return append(t.AppendFormat(append(out, '"'), time.RFC3339Nano), '"')
	case abi.UTF8:
		return appendText(out, c.TextAt(r))
	case abi.Binary:
		out = append(out, '"')
		out = base64.StdEncoding.AppendEncode(out, c.BytesAt(r))
		return append(out, '"')
	case abi.FloatVector:
		out = append(out, '[')
		for i := range c.ListSize {
			if i > 0 {
				out = append(out, ',')
			}
			out = AppendFloat(out, float64(math.Float32frombits(le.Uint32(c.Values[(r*c.ListSize+i)*4:]))), 32)
		}
		return append(out, ']')
	}
	return append(out, "null"...)
}

// AppendFloat appends v with the fewest digits that read back to the same bits of a float of that size (32 or 64);
// NaN and the infinities become texts.
func AppendFloat(out []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(out, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(out, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(out, `"-Infinity"`...)
	}
	abs := math.Abs(v)
	if abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(out, v, 'e', -1, bits)
	}
	return strconv.AppendFloat(out, v, 'f', -1, bits)
}

func appendText(out []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			b, err := json.Marshal(s)
			if err != nil {
				return append(out, `""`...)
			}
			return append(out, b...)
		}
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}

// Strict decodes exactly one JSON document into v: unknown keys and trailing bytes are errors that say where.
func Strict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("empty JSON document")
		}
		return PositionError(data, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("bytes follow the JSON document at offset %d", d.InputOffset())
	}
	return nil
}

// PositionError adds line and column to an encoding/json error about data.
func PositionError(data []byte, err error) error {
	var off int64
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		off = syntax.Offset
	case errors.As(err, &mistyped):
		off = mistyped.Offset
	default:
		return err
	}
	off = min(max(off, 0), int64(len(data)))
	line := 1 + bytes.Count(data[:off], []byte("\n"))
	col := int(off) - bytes.LastIndexByte(data[:off], '\n') - 1
	return fmt.Errorf("line %d, column %d: %w", line, col, err)
}
