package schema

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/weir-ml/weir/sdk/abi"
)

// rowScanner is the fast path of DecodeRows and DecodeObjects for known columns: one pass over plain rows, straight into
// typed columns, no maps. It gives up (ok = false) on anything that is not plain — escapes, nested values it does not need,
// repeated or missing keys, errors of any kind — and the general path then decides and words the error. A fuzz target holds
// the two paths to the same answer.
type rowScanner struct {
	data []byte
	pos  int

	fields []abi.Field
	index  map[string]int
	cols   []abi.Column
	valid  [][]byte // per column; nil until its first null
	seen   []int    // per column: 1 + the row that set it last
	guess  []int    // column (or -1) at each key position of the row before: rows mostly repeat their key order
	rows   int
}

func newRowScanner(fields []abi.Field) *rowScanner {
	s := &rowScanner{fields: fields, index: make(map[string]int, len(fields)), cols: make([]abi.Column, len(fields)),
		valid: make([][]byte, len(fields)), seen: make([]int, len(fields))}
	for i, f := range fields {
		s.index[f.Name] = i
		s.cols[i].Field = f
		if f.Type.Variable() {
			s.cols[i].Offsets = []int32{0}
		}
	}
	return s
}

// scanRows reads {"rows":[{…},…]} exactly.
func scanRows(data []byte, fields []abi.Field) (*abi.Batch, bool) {
	s := newRowScanner(fields)
	if len(s.index) != len(fields) {
		return nil, false
	}
	s.data = data
	if !s.take('{') {
		return nil, false
	}
	if k, ok := s.text(); !ok || string(k) != string(RowsForm) || !s.take(':') || !s.take('[') {
		return nil, false
	}
	if !s.take(']') {
		for {
			if !s.object() {
				return nil, false
			}
			if s.take(',') {
				continue
			}
			if s.take(']') {
				break
			}
			return nil, false
		}
	}
	if !s.take('}') || s.next() != 0 || s.pos < len(data) {
		return nil, false
	}
	return s.batch()
}

// scanObjects reads one object from each element.
func scanObjects(rows [][]byte, fields []abi.Field) (*abi.Batch, bool) {
	s := newRowScanner(fields)
	if len(s.index) != len(fields) {
		return nil, false
	}
	for _, r := range rows {
		s.data, s.pos = r, 0
		if !s.object() || s.next() != 0 || s.pos < len(r) {
			return nil, false
		}
	}
	return s.batch()
}

func (s *rowScanner) batch() (*abi.Batch, bool) {
	for i := range s.cols {
		c := &s.cols[i]
		if v := s.valid[i]; v != nil {
			c.Validity = v
		}
		if !c.Type.Variable() && c.Type != abi.Bool {
			aligned := alignedBytes(len(c.Values))
			copy(aligned, c.Values)
			c.Values = aligned
		}
		if len(c.Values) > math.MaxInt32 {
			return nil, false
		}
	}
	return &abi.Batch{Rows: s.rows, Columns: s.cols}, true
}

// next skips white space and returns the byte there without taking it; 0 at the end.
func (s *rowScanner) next() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

func (s *rowScanner) take(c byte) bool {
	if s.next() != c || s.pos >= len(s.data) {
		return false
	}
	s.pos++
	return true
}

// text takes a string without escapes and returns its content, sharing memory with the data.
func (s *rowScanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	from, ascii := s.pos, true
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			t := s.data[from:s.pos]
			s.pos++
			return t, ascii || utf8.Valid(t)
		case c == '\\' || c < 0x20:
			return nil, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, false
}

// number takes a number by JSON's grammar; whole tells that it has neither fraction nor exponent.
func (s *rowScanner) number() (lit []byte, whole, ok bool) {
	d, from := s.data, s.pos
	p := from
	digits := func() bool {
		q := p
		for p < len(d) && d[p] >= '0' && d[p] <= '9' {
			p++
		}
		return p > q
	}
	if p < len(d) && d[p] == '-' {
		p++
	}
	lead := p
	if !digits() || d[lead] == '0' && p > lead+1 {
		return nil, false, false
	}
	whole = true
	if p < len(d) && d[p] == '.' {
		whole = false
		p++
		if !digits() {
			return nil, false, false
		}
	}
	if p < len(d) && (d[p] == 'e' || d[p] == 'E') {
		whole = false
		p++
		if p < len(d) && (d[p] == '+' || d[p] == '-') {
			p++
		}
		if !digits() {
			return nil, false, false
		}
	}
	s.pos = p
	return d[from:p], whole, true
}

func (s *rowScanner) literal(word string) bool {
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		return false
	}
	s.pos += len(word)
	return true
}

// object takes one row.
func (s *rowScanner) object() bool {
	if !s.take('{') {
		return false
	}
	set := 0
	if !s.take('}') {
		for k := 0; ; k++ {
			key, ok := s.text()
			if !ok || !s.take(':') {
				return false
			}
			col := s.column(key, k)
			if col < 0 {
				ok = s.skip()
			} else if ok = s.seen[col] != s.rows+1; ok {
				s.seen[col] = s.rows + 1
				set++
				ok = s.value(col)
			}
			if !ok {
				return false
			}
			if s.take(',') {
				continue
			}
			if s.take('}') {
				break
			}
			return false
		}
	}
	if set != len(s.fields) {
		return false
	}
	s.rows++
	return true
}

// column finds the key's column, -1 for none; position k is a hint.
func (s *rowScanner) column(key []byte, k int) int {
	if k < len(s.guess) {
		if g := s.guess[k]; g >= 0 && s.fields[g].Name == string(key) {
			return g
		}
	}
	col, ok := s.index[string(key)]
	if !ok {
		col = -1
	}
	if k == len(s.guess) {
		s.guess = append(s.guess, col)
	}
	return col
}

// skip passes over a value that no column takes.
func (s *rowScanner) skip() bool {
	switch c := s.next(); {
	case c == '"':
		_, ok := s.text()
		return ok
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	case c == '-' || c >= '0' && c <= '9':
		_, _, ok := s.number()
		return ok
	}
	return false
}

// value takes the value of column i in row s.rows.
func (s *rowScanner) value(i int) bool {
	c := &s.cols[i]
	first := s.next()
	if first == 'n' {
		if !s.literal("null") {
			return false
		}
		if s.valid[i] == nil {
			s.valid[i] = make([]byte, abi.BitmapBytes(s.rows), abi.BitmapBytes(s.rows)+64)
			for r := range s.rows {
				abi.SetBit(s.valid[i], r)
			}
		}
		s.mark(i, false)
		switch {
		case c.Type.Variable():
			c.Offsets = append(c.Offsets, int32(len(c.Values)))
		case c.Type == abi.Bool:
			c.Values = growBit(c.Values, s.rows)
		default:
			c.Values = append(c.Values, make([]byte, c.ValueBytes(1))...)
		}
		return true
	}
	if s.valid[i] != nil {
		s.mark(i, true)
	}
	return s.present(c, first)
}

func (s *rowScanner) present(c *abi.Column, first byte) bool {
	le := binary.LittleEndian
	switch c.Type {
	case abi.Float64, abi.Float32:
		bits := c.Type.Width() * 8
		v, ok := s.float(first, bits)
		if bits == 32 {
			c.Values = le.AppendUint32(c.Values, math.Float32bits(float32(v)))
		} else {
			c.Values = le.AppendUint64(c.Values, math.Float64bits(v))
		}
		return ok
	case abi.Int32, abi.Int64:
		lit, whole, ok := s.number()
		if !ok || !whole {
			return false
		}
		n, err := strconv.ParseInt(view(lit), 10, c.Type.Width()*8)
		if c.Type == abi.Int32 {
			c.Values = le.AppendUint32(c.Values, uint32(int32(n)))
		} else {
			c.Values = le.AppendUint64(c.Values, uint64(n))
		}
		return err == nil
	case abi.Bool:
		c.Values = growBit(c.Values, s.rows)
		if first == 't' {
			abi.SetBit(c.Values, s.rows)
			return s.literal("true")
		}
		return s.literal("false")
	case abi.UTF8:
		t, ok := s.text()
		if !ok || len(c.Values)+len(t) > math.MaxInt32 {
			return false
		}
		c.Values = append(c.Values, t...)
		c.Offsets = append(c.Offsets, int32(len(c.Values)))
		return true
	}
	return false // binary, timestamps and vectors take the general path
}

func (s *rowScanner) float(first byte, bits int) (float64, bool) {
	if first == '"' {
		t, ok := s.text()
		if !ok {
			return 0, false
		}
		switch string(t) {
		case "NaN":
			return math.NaN(), true
		case "Infinity":
			return math.Inf(1), true
		case "-Infinity":
			return math.Inf(-1), true
		}
		return 0, false
	}
	lit, _, ok := s.number()
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseFloat(view(lit), bits)
	return v, err == nil
}

func (s *rowScanner) mark(i int, valid bool) {
	s.valid[i] = growBit(s.valid[i], s.rows)
	if valid {
		abi.SetBit(s.valid[i], s.rows)
	}
}

// growBit makes room for bit i, which is the next one.
func growBit(b []byte, i int) []byte {
	if i/8 >= len(b) {
		return append(b, 0)
	}
	return b
}

// view is b as a string without copying; b must not change while it is used.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
