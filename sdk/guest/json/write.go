package json

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/weir-ml/weir/sdk/internal/text"
)

// Append writes v behind dst, byte for byte as encoding/json's Marshal writes it: no white space, members of maps sorted,
// <, > and & escaped, invalid UTF-8 as U+FFFD. It knows
//
//   - nil, bool, string, every integer type, float32 and float64 (NaN and infinities are errors),
//   - []any, []string, []float64, []float32, []int, []int64, []uint64, []bool (nil is null), *float64 (nil is null),
//   - maps from string to any, string, []string, float64, int, and bool (nil is null),
//   - whatever has a method MarshalJSON, encoding/json's RawMessage for one. Its text is written as it is once it is known to be JSON.
//
// Any other type is an error, which names the place in v. Nor may v be nested deeper than MaxDepth.
func Append(dst []byte, v any) ([]byte, error) { return appendAny(dst, v, 0) }

func appendAny(dst []byte, v any, depth int) (out []byte, err error) {
	if depth > MaxDepth {
		return nil, text.Errorf("the value is nested deeper than %d", MaxDepth)
	}
	switch x := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, x), nil
	case string:
		return AppendText(dst, x), nil
	case float64:
		return AppendNumber(dst, x)
	case float32:
		return appendFloat(dst, float64(x), 32)
	case *float64:
		if x == nil {
			return append(dst, "null"...), nil
		}
		return AppendNumber(dst, *x)
	case []any:
		return appendItems(dst, len(x), x == nil, func(dst []byte, i int) ([]byte, error) { return appendAny(dst, x[i], depth+1) })
	case []string:
		return AppendTexts(dst, x), nil
	case []float64:
		return appendItems(dst, len(x), x == nil, func(dst []byte, i int) ([]byte, error) { return AppendNumber(dst, x[i]) })
	case []float32:
		return appendItems(dst, len(x), x == nil, func(dst []byte, i int) ([]byte, error) { return appendFloat(dst, float64(x[i]), 32) })
	case []int:
		return appendItems(dst, len(x), x == nil, func(dst []byte, i int) ([]byte, error) { return strconv.AppendInt(dst, int64(x[i]), 10), nil })
	case []int64:
		return appendItems(dst, len(x), x == nil, func(dst []byte, i int) ([]byte, error) { return strconv.AppendInt(dst, x[i], 10), nil })
	case []uint64:
		return appendItems(dst, len(x), x == nil, func(dst []byte, i int) ([]byte, error) { return strconv.AppendUint(dst, x[i], 10), nil })
	case []bool:
		return appendItems(dst, len(x), x == nil, func(dst []byte, i int) ([]byte, error) { return strconv.AppendBool(dst, x[i]), nil })
	case map[string]any:
		return appendMembers(dst, names(x), func(dst []byte, name string) ([]byte, error) { return appendAny(dst, x[name], depth+1) })
	case map[string]string:
		return appendMembers(dst, names(x), func(dst []byte, name string) ([]byte, error) { return AppendText(dst, x[name]), nil })
	case map[string][]string:
		return appendMembers(dst, names(x), func(dst []byte, name string) ([]byte, error) { return AppendTexts(dst, x[name]), nil })
	case map[string]float64:
		return appendMembers(dst, names(x), func(dst []byte, name string) ([]byte, error) { return AppendNumber(dst, x[name]) })
	case map[string]int:
		return appendMembers(dst, names(x), func(dst []byte, name string) ([]byte, error) { return strconv.AppendInt(dst, int64(x[name]), 10), nil })
	case map[string]bool:
		return appendMembers(dst, names(x), func(dst []byte, name string) ([]byte, error) { return strconv.AppendBool(dst, x[name]), nil })
	case interface{ MarshalJSON() ([]byte, error) }:
		raw, err := x.MarshalJSON()
		if err != nil {
			return nil, err
		}
		r := NewReader(raw)
		r.Skip()
		if err := r.End(); err != nil {
			return nil, text.Errorf("MarshalJSON answered no JSON: %w", err)
		}
		return append(dst, raw...), nil
	}
	return appendInteger(dst, v)
}

func appendInteger(dst []byte, v any) ([]byte, error) {
	switch x := v.(type) {
	case int:
		return strconv.AppendInt(dst, int64(x), 10), nil
	case int8:
		return strconv.AppendInt(dst, int64(x), 10), nil
	case int16:
		return strconv.AppendInt(dst, int64(x), 10), nil
	case int32:
		return strconv.AppendInt(dst, int64(x), 10), nil
	case int64:
		return strconv.AppendInt(dst, x, 10), nil
	case uint:
		return strconv.AppendUint(dst, uint64(x), 10), nil
	case uint8:
		return strconv.AppendUint(dst, uint64(x), 10), nil
	case uint16:
		return strconv.AppendUint(dst, uint64(x), 10), nil
	case uint32:
		return strconv.AppendUint(dst, uint64(x), 10), nil
	case uint64:
		return strconv.AppendUint(dst, x, 10), nil
	}
	return nil, text.Errorf("a value of this type cannot be written: use those of json.Append, or a type with MarshalJSON such as encoding/json's RawMessage")
}

// appendItems writes an array of n items. It is not generic, as every instance would take its place in the module.
func appendItems(dst []byte, n int, null bool, one func(dst []byte, i int) ([]byte, error)) (out []byte, err error) {
	if null {
		return append(dst, "null"...), nil
	}
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = one(dst, i); err != nil {
			return nil, text.Errorf("item %d: %w", i, err)
		}
	}
	return append(dst, ']'), nil
}

// names is the names of a map's members, in no order; nil for a nil map.
func names[T any](members map[string]T) []string {
	if members == nil {
		return nil
	}
	out := make([]string, 0, len(members))
	for name := range members {
		out = append(out, name)
	}
	return out
}

// appendMembers writes an object, sorted by name; nil is null.
func appendMembers(dst []byte, names []string, one func(dst []byte, name string) ([]byte, error)) (out []byte, err error) {
	if names == nil {
		return append(dst, "null"...), nil
	}
	sort(names)
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = one(append(AppendText(dst, name), ':'), name); err != nil {
			return nil, text.Errorf("%q: %w", name, err)
		}
	}
	return append(dst, '}'), nil
}

// sort is Shell's, with Ciura's gaps: package slices would take 19 kB for it.
func sort(v []string) {
	for _, gap := range [...]int{1577, 701, 301, 132, 57, 23, 10, 4, 1} {
		for i := gap; i < len(v); i++ {
			x, j := v[i], i
			for ; j >= gap && v[j-gap] > x; j -= gap {
				v[j] = v[j-gap]
			}
			v[j] = x
		}
	}
}

// AppendTexts writes an array of texts; nil is null.
func AppendTexts(dst []byte, v []string) []byte {
	dst, _ = appendItems(dst, len(v), v == nil, func(dst []byte, i int) ([]byte, error) { return AppendText(dst, v[i]), nil })
	return dst
}

// AppendNumber writes v in the fewest digits that read back as v. NaN and infinities are errors.
func AppendNumber(dst []byte, v float64) ([]byte, error) { return appendFloat(dst, v, 64) }

// appendFloat writes as ECMAScript's Number.prototype.toString does, which encoding/json follows: exponents below 1e-6 and from 1e21.
func appendFloat(dst []byte, v float64, bits int) ([]byte, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, text.Errorf("JSON has no number %v", v)
	}
	abs, format := math.Abs(v), byte('f')
	if abs != 0 && (bits == 64 && (abs < 1e-6 || abs >= 1e21) || bits == 32 && (float32(abs) < 1e-6 || float32(abs) >= 1e21)) {
		format = 'e'
	}
	dst = strconv.AppendFloat(dst, v, format, -1, bits)
	if n := len(dst); format == 'e' && n >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' { // e-09 becomes e-9
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst, nil
}

// AppendText writes s in quotes.
func AppendText(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
				i++
				continue
			}
			dst = append(dst, s[from:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\b':
				dst = append(dst, `\b`...)
			case '\f':
				dst = append(dst, `\f`...)
			case '\n':
				dst = append(dst, `\n`...)
			case '\r':
				dst = append(dst, `\r`...)
			case '\t':
				dst = append(dst, `\t`...)
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			from = i
			continue
		}
		v, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case v == utf8.RuneError && size == 1:
			dst = append(append(dst, s[from:i]...), `\ufffd`...)
			from = i + size
		case v == '\u2028' || v == '\u2029': // line ends in JavaScript
			dst = append(append(append(dst, s[from:i]...), `\u202`...), hex[v&15])
			from = i + size
		}
		i += size
	}
	return append(append(dst, s[from:]...), '"')
}
