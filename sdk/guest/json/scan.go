package json

import (
	"strconv"
	"unicode/utf8"
)

// peek skips white space and answers the next byte; 0 at the end and after an error (a zero byte begins no value either).
func (r *Reader) peek() byte {
	if r.err != nil {
		return 0
	}
	for ; r.at < len(r.doc); r.at++ {
		switch c := r.doc[r.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// syntax says what should stand here, and what does.
func (r *Reader) syntax(want string) {
	if r.peek(); r.err != nil {
		return
	}
	if r.at >= len(r.doc) {
		r.Fail("the document ends where %s should follow", want)
		return
	}
	c, size := utf8.DecodeRune(r.doc[r.at:])
	if c == utf8.RuneError && size == 1 {
		r.Fail("%s should follow, not the byte %d", want, r.doc[r.at])
		return
	}
	r.Fail("%s should follow, not %q", want, string(c))
}

// expect refuses a value of another kind.
func (r *Reader) expect(want Kind) bool {
	switch got := r.Kind(); {
	case r.err != nil:
		return false
	case got == want:
		return true
	case got == Invalid:
		r.syntax(want.String())
	default:
		r.Fail("%s is expected, not %s", want, got)
	}
	return false
}

// open takes the bracket that opens an array or object.
func (r *Reader) open(bracket byte, k Kind) bool {
	if !r.expect(k) {
		return false
	}
	if r.depth == MaxDepth {
		r.Fail("the document is nested deeper than %d", MaxDepth)
		return false
	}
	r.depth++
	r.at++
	return true
}

func (r *Reader) close() { r.depth--; r.at++ }

// more takes the comma after an element, or the closing bracket.
func (r *Reader) more(bracket byte) bool {
	switch r.peek() {
	case ',':
		r.at++
		return true
	case bracket:
		r.close()
		return false
	}
	r.syntax(`"," or "` + string(rune(bracket)) + `"`)
	return false
}

func (r *Reader) word(w string) bool {
	if end := r.at + len(w); end <= len(r.doc) && string(r.doc[r.at:end]) == w {
		r.at = end
		return true
	}
	r.Fail("%q should follow", w)
	return false
}

// digits skips decimal digits and reports whether there was one.
func (r *Reader) digits() bool {
	from := r.at
	for r.at < len(r.doc) && r.doc[r.at]-'0' <= 9 {
		r.at++
	}
	return r.at > from
}

// is takes the next byte if it is one of these.
func (r *Reader) is(a, b byte) bool {
	if r.at < len(r.doc) && (r.doc[r.at] == a || r.doc[r.at] == b) {
		r.at++
		return true
	}
	return false
}

// number takes a number by the grammar of RFC 8259, section 6, which is narrower than strconv's.
func (r *Reader) number() float64 {
	from := r.at
	r.is('-', '-')
	good := r.is('0', '0') || r.digits()
	if good && r.is('.', '.') {
		good = r.digits()
	}
	if good && r.is('e', 'E') {
		r.is('+', '-')
		good = r.digits()
	}
	if !good {
		r.failAt(from, "the number is damaged")
		return 0
	}
	v, err := strconv.ParseFloat(string(r.doc[from:r.at]), 64)
	if err != nil {
		r.failAt(from, "the number %s is too large", r.doc[from:r.at])
		return 0
	}
	return v
}

// text takes a text, quotes included.
func (r *Reader) text() (s string, ok bool) {
	r.at++
	from := r.at
	var out []byte // once an escape was met
	for r.at < len(r.doc) {
		switch c := r.doc[r.at]; {
		case c == '"':
			out = append(out, r.doc[from:r.at]...)
			r.at++
			return string(out), true
		case c < ' ':
			r.Fail("a control character (%d) in a text must be escaped", c)
			return "", false
		case c < utf8.RuneSelf && c != '\\':
			r.at++
		case c == '\\':
			out = append(out, r.doc[from:r.at]...)
			if out, ok = r.escape(out); !ok {
				return "", false
			}
			from = r.at
		default:
			v, size := utf8.DecodeRune(r.doc[r.at:])
			if v == utf8.RuneError && size == 1 {
				r.Fail("the text is not valid UTF-8")
				return "", false
			}
			r.at += size
		}
	}
	r.Fail("the document ends inside a text")
	return "", false
}

// escape takes an escape and appends what it means.
func (r *Reader) escape(out []byte) ([]byte, bool) {
	at := r.at
	r.at++
	if r.at < len(r.doc) {
		c := r.doc[r.at]
		r.at++
		switch c {
		case '"', '\\', '/':
			return append(out, c), true
		case 'b':
			return append(out, '\b'), true
		case 'f':
			return append(out, '\f'), true
		case 'n':
			return append(out, '\n'), true
		case 'r':
			return append(out, '\r'), true
		case 't':
			return append(out, '\t'), true
		case 'u':
			if v, ok := r.hex(r.at); ok {
				r.at += 4
				if v >= 0xd800 && v < 0xe000 { // a surrogate: a pair of them is one character
					low, ok := rune(0), false
					if v < 0xdc00 && r.at+2 <= len(r.doc) && r.doc[r.at] == '\\' && r.doc[r.at+1] == 'u' {
						low, ok = r.hex(r.at + 2)
					}
					if ok && low >= 0xdc00 && low < 0xe000 {
						r.at += 6
						v = 0x10000 + (v-0xd800)<<10 + (low - 0xdc00)
					} else {
						v = utf8.RuneError
					}
				}
				return utf8.AppendRune(out, v), true
			}
		}
	}
	r.failAt(at, "the escape in the text is damaged")
	return nil, false
}

// hex reads four hexadecimal digits at position at.
func (r *Reader) hex(at int) (v rune, ok bool) {
	if at+4 > len(r.doc) {
		return 0, false
	}
	for _, c := range r.doc[at : at+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | rune(c)
	}
	return v, true
}
