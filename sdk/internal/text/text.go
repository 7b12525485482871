// Package text formats errors for code that is compiled into guests, where package fmt and the reflection behind it would take
// 700 kB of a module whose floor is 1.8 MB. It uses errors and strconv alone.
//
// It is not for general formatting: few verbs, few types, no widths.
package text

import "strconv"

// Errorf formats as fmt.Errorf does, with the verbs %s, %v, %d, %q, %w and %% and without flags, widths and argument indexes.
//
// Arguments may be of the types that Of knows. Whatever fmt would answer with %!… for a missing argument or an unknown verb,
// Errorf answers with %!VERB; arguments left over are ignored. A test keeps both alike. The error wraps the last argument of %w.
func Errorf(format string, args ...any) error {
	e := &fault{}
	next := func() (v any, ok bool) {
		if len(args) == 0 {
			return nil, false
		}
		v, args = args[0], args[1:]
		return v, true
	}
	out := make([]byte, 0, len(format)+32)
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			out = append(out, format[i])
			continue
		}
		i++
		verb := format[i]
		if verb == '%' {
			out = append(out, '%')
			continue
		}
		v, ok := next()
		switch {
		case !ok:
			out = append(out, '%', '!', verb)
		case verb == 'q':
			s, _ := Of(v)
			out = strconv.AppendQuote(out, s)
		case verb == 's' || verb == 'v' || verb == 'd' || verb == 'w':
			s, _ := Of(v)
			out = append(out, s...)
			if err, is := v.(error); is && verb == 'w' {
				e.cause = err
			}
		default:
			out = append(out, '%', '!', verb)
		}
	}
	e.text = string(out)
	return e
}

type fault struct {
	text  string
	cause error
}

func (e *fault) Error() string { return e.text }
func (e *fault) Unwrap() error { return e.cause }

// Of is v as %v writes it: nil, strings, byte slices (as text), booleans, numbers, errors, and what has a String method.
// known is false for any other type, and the text then says so.
func Of(v any) (s string, known bool) {
	switch x := v.(type) {
	case nil:
		return "<nil>", true
	case string:
		return x, true
	case []byte:
		return string(x), true
	case error:
		return x.Error(), true
	case interface{ String() string }:
		return x.String(), true
	case bool:
		return strconv.FormatBool(x), true
	case int:
		return strconv.FormatInt(int64(x), 10), true
	case int8:
		return strconv.FormatInt(int64(x), 10), true
	case int16:
		return strconv.FormatInt(int64(x), 10), true
	case int32:
		return strconv.FormatInt(int64(x), 10), true
	case int64:
		return strconv.FormatInt(x, 10), true
	case uint:
		return strconv.FormatUint(uint64(x), 10), true
	case uint8:
		return strconv.FormatUint(uint64(x), 10), true
	case uint16:
		return strconv.FormatUint(uint64(x), 10), true
	case uint32:
		return strconv.FormatUint(uint64(x), 10), true
	case uint64:
		return strconv.FormatUint(x, 10), true
	case float32:
		return strconv.FormatFloat(float64(x), 'g', -1, 32), true
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64), true
	}
	return "(a value of another type)", false
}
