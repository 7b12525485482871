package predict

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"unsafe"

	"github.com/weir-ml/weir/host/errs"
)

// Matrix is a features array: Values has Rows × Cols numbers, row-major. null and the NaN spellings are NaN.
type Matrix struct {
	Rows, Cols int
	Values     []float64
}

// Slices views the matrix row by row, without copying values.
func (m Matrix) Slices() [][]float64 {
	out := make([][]float64, m.Rows)
	for r := range out {
		out[r] = m.Values[r*m.Cols : (r+1)*m.Cols : (r+1)*m.Cols]
	}
	return out
}

// body is a decoded request: either Matrix, or the form of schema.DecodeRows in named.
type body struct {
	features bool
	matrix   Matrix
	named    []byte // the whole document, for schema.DecodeRows
}

// decode reads {"features":[[…]]} in one pass over data, without encoding/json: the hot path. Numbers are exact float64s
// (as strconv.ParseFloat rounds). The tokens NaN, Infinity and -Infinity, their texts in quotes, and null are taken, too.
// Other documents are left to the named form. Errors are errs.Invalid and name row and column, or line and column of the text.
func decode(data []byte) (body, error) {
	s := scanner{data: data}
	s.space()
	if !s.take('{') {
		return body{}, s.fail("want a JSON object: {\"features\":[[…]]}, {\"rows\":[{…}]} or {\"columns\":{…}}")
	}
	s.space()
	key, ok := s.key()
	if !ok || key != "features" {
		if documentHas(data, "features") {
			return body{}, errs.New(errs.Invalid, "body: features excludes other keys")
		}
		return body{named: data}, nil
	}
	s.space()
	if !s.take(':') {
		return body{}, s.fail("want ':'")
	}
	m, err := s.matrix()
	if err != nil {
		return body{}, err
	}
	s.space()
	if s.at < len(data) && data[s.at] == ',' {
		return body{}, s.fail("features excludes other keys")
	}
	if !s.take('}') {
		return body{}, s.fail("want '}'")
	}
	if s.space(); s.at < len(data) {
		return body{}, s.fail("bytes follow the JSON document")
	}
	return body{features: true, matrix: m}, nil
}

// documentHas reports whether data is an object with that key anywhere at its top.
func documentHas(data []byte, key string) bool {
	var doc map[string]json.RawMessage
	if json.Unmarshal(data, &doc) != nil {
		return false
	}
	_, ok := doc[key]
	return ok
}

type scanner struct {
	data []byte
	at   int
}

func (s *scanner) fail(text string) error {
	done := s.data[:min(s.at, len(s.data))]
	return errs.New(errs.Invalid, "body: line %d, column %d: %s", 1+bytes.Count(done, []byte{'\n'}), len(done)-bytes.LastIndexByte(done, '\n'), text)
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) take(c byte) bool {
	if s.at < len(s.data) && s.data[s.at] == c {
		s.at++
		return true
	}
	return false
}

// key reads a string without escapes; ok is false for anything else, which the slow path then explains.
func (s *scanner) key() (string, bool) {
	if !s.take('"') {
		return "", false
	}
	i := bytes.IndexByte(s.data[s.at:], '"')
	if i < 0 || bytes.IndexByte(s.data[s.at:s.at+i], '\\') >= 0 {
		return "", false
	}
	k := string(s.data[s.at : s.at+i])
	s.at += i + 1
	return k, true
}

func (s *scanner) matrix() (Matrix, error) {
	var m Matrix
	if s.space(); !s.take('[') {
		return m, s.fail("features must be an array of rows: [[1,2],[3,4]]")
	}
	if s.space(); s.take(']') {
		return m, errs.New(errs.Invalid, "features has no rows")
	}
	// About what the text can hold, so that growing is rare; never more than a number for every two bytes.
	m.Values = make([]float64, 0, min((len(s.data)-s.at)/8+1, 1<<20))
	for {
		if s.space(); !s.take('[') {
			return m, s.fail("features[" + strconv.Itoa(m.Rows) + "] must be an array of numbers; features is an array of rows: [[1,2],[3,4]]")
		}
		n, err := s.row(&m)
		if err != nil {
			return m, err
		}
		if m.Rows == 0 {
			m.Cols = n
		} else if n != m.Cols {
			return m, errs.New(errs.Invalid, "features[%d] has %d numbers, features[0] has %d", m.Rows, n, m.Cols)
		}
		if n == 0 {
			return m, errs.New(errs.Invalid, "features[%d] is empty", m.Rows)
		}
		m.Rows++
		s.space()
		if s.take(',') {
			continue
		}
		if s.take(']') {
			return m, nil
		}
		return m, s.fail("want ',' or ']' after features[" + strconv.Itoa(m.Rows-1) + "]")
	}
}

func (s *scanner) row(m *Matrix) (n int, err error) {
	if s.space(); s.take(']') {
		return 0, nil
	}
	for {
		s.space()
		v, ok := s.number()
		if !ok {
			return 0, s.badNumber(m.Rows, n)
		}
		m.Values = append(m.Values, v)
		n++
		// The common case first: no space around the comma.
		if s.at < len(s.data) && s.data[s.at] == ',' {
			s.at++
			continue
		}
		s.space()
		if s.take(',') {
			continue
		}
		if s.take(']') {
			return n, nil
		}
		return 0, s.fail("want ',' or ']' after features[" + strconv.Itoa(m.Rows) + "][" + strconv.Itoa(n-1) + "]")
	}
}

func (s *scanner) badNumber(row, col int) error {
	rest := s.data[min(s.at, len(s.data)):]
	end := bytes.IndexAny(rest, ",]} \n")
	if end < 0 || end > 40 {
		end = min(len(rest), 40)
	}
	return s.fail("features[" + strconv.Itoa(row) + "][" + strconv.Itoa(col) + "]: " + strconv.Quote(string(rest[:end])) + " is not a number")
}

// Powers of ten that a float64 holds exactly.
var pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// number reads one value. A mantissa below 2^53 and a power of ten within ±22 are both exact, so that one multiplication
// or division rounds correctly (Clinger 1990); everything else goes to strconv. On failure s.at stays.
func (s *scanner) number() (float64, bool) {
	d, start := s.data, s.at
	i := start
	if i >= len(d) {
		return 0, false
	}
	neg := d[i] == '-'
	if neg {
		i++
	}
	if i >= len(d) || d[i] < '0' || d[i] > '9' {
		return s.word()
	}
	var mant uint64
	digits, exp := 0, 0
	if d[i] == '0' {
		i++
		if i < len(d) && d[i] >= '0' && d[i] <= '9' {
			return 0, false // JSON has no leading zeros
		}
	} else {
		for ; i < len(d) && d[i] >= '0' && d[i] <= '9'; i++ {
			mant = mant*10 + uint64(d[i]-'0') // may overflow; digits tells
			digits++
		}
	}
	if i < len(d) && d[i] == '.' {
		i++
		from := i
		for ; i < len(d) && d[i] >= '0' && d[i] <= '9'; i++ {
			mant = mant*10 + uint64(d[i]-'0')
			if mant != 0 || digits > 0 {
				digits++
			}
		}
		if i == from {
			return 0, false
		}
		exp = from - i
	}
	if i < len(d) && (d[i] == 'e' || d[i] == 'E') {
		i++
		eneg := false
		if i < len(d) && (d[i] == '+' || d[i] == '-') {
			eneg = d[i] == '-'
			i++
		}
		from, e := i, 0
		for ; i < len(d) && d[i] >= '0' && d[i] <= '9'; i++ {
			if e < 10000 {
				e = e*10 + int(d[i]-'0')
			}
		}
		if i == from {
			return 0, false
		}
		if eneg {
			e = -e
		}
		exp += e
	}
	s.at = i
	if digits <= 19 && mant < 1<<53 && exp >= -22 && exp <= 22 {
		v := float64(mant)
		if exp < 0 {
			v /= pow10[-exp]
		} else {
			v *= pow10[exp]
		}
		if neg {
			v = -v
		}
		return v, true
	}
	text := d[start:i]
	v, err := strconv.ParseFloat(unsafe.String(&text[0], len(text)), 64) // ParseFloat keeps its text only in an error
	if err != nil {
		s.at = start
		return 0, false // out of float64's range
	}
	return v, true
}

var words = []struct {
	text  string
	value float64
}{
	{"null", math.NaN()}, {"NaN", math.NaN()}, {`"NaN"`, math.NaN()}, {"Infinity", math.Inf(1)}, {`"Infinity"`, math.Inf(1)},
	{"-Infinity", math.Inf(-1)}, {`"-Infinity"`, math.Inf(-1)},
}

func (s *scanner) word() (float64, bool) {
	for _, w := range words {
		if rest := s.data[s.at:]; len(rest) >= len(w.text) && string(rest[:len(w.text)]) == w.text {
			s.at += len(w.text)
			return w.value, true
		}
	}
	return 0, false
}
