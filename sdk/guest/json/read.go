// Package json reads and writes JSON in guests. encoding/json and the reflection behind it make a module half as large again, and
// what a plugin reads and writes is small and known; who wants encoding/json may still import it. Of the
// standard library it uses math, strconv and unicode/utf8.
//
// Reading is a strict pull parser, Reader, in this file; scan.go has its scanner; write.go writes the same bytes as encoding/json.
// It is not for documents larger than memory, and not for the host.
package json

import (
	"unicode/utf8"

	"github.com/weir-ml/weir/sdk/internal/text"
)

// MaxDepth is how deeply arrays and objects may be nested, in documents read and in values written.
const MaxDepth = 1000

// Reader reads one document from front to back. Its methods take the next value; the first error ends the reading: from then on
// every method answers a zero value and calls nothing, and End answers the error with its position. So a document is read without
// a check after each value:
//
//	r := json.NewReader(params)
//	r.Object(func(name string) {
//		switch name {
//		case "columns":
//			r.Array(func() { columns = append(columns, r.Text()) })
//		default:
//			r.Unknown(name)
//		}
//	})
//	if err := r.End(); err != nil {
//
// Accepted is what RFC 8259 calls JSON text, in valid UTF-8, with numbers that a float64 can hold (as with encoding/json, digits
// beyond its precision are rounded away), and nested at most MaxDepth deep. Half a surrogate pair in an escape reads as U+FFFD.
// Where an object has a member twice, its function is called twice.
// A Reader is not safe for concurrent use.
type Reader struct {
	doc   []byte
	at    int // of the next byte
	depth int
	err   error
}

// NewReader reads doc, which must not change meanwhile. Nothing that a Reader answers shares memory with it.
func NewReader(doc []byte) *Reader { return &Reader{doc: doc} }

// Kind is the kind of a value.
type Kind uint8

// The kinds. Invalid is what follows an error or the end.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	Text
	Array
	Object
)

// String is the kind in words: "a number".
func (k Kind) String() string {
	return [...]string{"no value", "null", "a boolean", "a number", "a text", "an array", "an object"}[k]
}

// Kind is the next value's kind, told by its first byte; nothing is taken.
func (r *Reader) Kind() Kind {
	switch c := r.peek(); {
	case c == 'n':
		return Null
	case c == 't' || c == 'f':
		return Bool
	case c == '-' || c >= '0' && c <= '9':
		return Number
	case c == '"':
		return Text
	case c == '[':
		return Array
	case c == '{':
		return Object
	}
	return Invalid
}

// Object takes an object and calls member for each of its members, whose value it must take: with a method of the Reader, or
// with Skip. A null is an object without members, as Go's nil maps are written.
func (r *Reader) Object(member func(name string)) {
	if r.Null() || !r.open('{', Object) {
		return
	}
	if r.peek() == '}' {
		r.close()
		return
	}
	for r.err == nil {
		if r.peek() != '"' {
			r.syntax("the name of a member")
			return
		}
		name := r.Text()
		if r.peek() != ':' {
			r.syntax(`":" after the name of a member`)
			return
		}
		r.at++
		r.element(func() { member(name) })
		if !r.more('}') {
			return
		}
	}
}

// Array takes an array and calls item for each of its items, which it must take. A null is an array without items, as Go's nil
// slices are written.
func (r *Reader) Array(item func()) {
	if r.Null() || !r.open('[', Array) {
		return
	}
	if r.peek() == ']' {
		r.close()
		return
	}
	for r.err == nil {
		r.element(item)
		if !r.more(']') {
			return
		}
	}
}

// element calls take and sees to it that it took a value.
func (r *Reader) element(take func()) {
	r.peek()
	if at := r.at; r.err == nil {
		if take(); r.err == nil && r.at == at {
			r.Fail("this value was not read")
		}
	}
}

// Text takes a text.
func (r *Reader) Text() string {
	if !r.expect(Text) {
		return ""
	}
	s, _ := r.text()
	return s
}

// Number takes a number.
func (r *Reader) Number() float64 {
	if !r.expect(Number) {
		return 0
	}
	return r.number()
}

// Bool takes a boolean.
func (r *Reader) Bool() bool {
	if !r.expect(Bool) {
		return false
	}
	if r.doc[r.at] == 't' {
		return r.word("true")
	}
	r.word("false")
	return false
}

// Null takes a null if that comes next, and reports so; it takes nothing else.
func (r *Reader) Null() bool { return r.Kind() == Null && r.word("null") }

// Any takes any value, as encoding/json reads it into an any: nil, bool, float64, string, []any or map[string]any.
func (r *Reader) Any() any {
	switch r.Kind() {
	case Bool:
		return r.Bool()
	case Number:
		return r.Number()
	case Text:
		return r.Text()
	case Array:
		items := []any{}
		r.Array(func() { items = append(items, r.Any()) })
		return items
	case Object:
		members := map[string]any{}
		r.Object(func(name string) { members[name] = r.Any() })
		return members
	case Null:
		r.Null()
	default:
		r.syntax("a value")
	}
	return nil
}

// Skip takes any value and drops it.
func (r *Reader) Skip() {
	switch r.Kind() {
	case Array:
		r.Array(r.Skip)
	case Object:
		r.Object(func(string) { r.Skip() })
	default:
		r.Any()
	}
}

// Unknown refuses a member that the document should not have.
func (r *Reader) Unknown(name string) { r.Fail("unknown field %q", name) }

// Fail ends the reading with an error at the present position. The verbs are those of guest.Errorf.
func (r *Reader) Fail(format string, args ...any) { r.failAt(r.at, format, args...) }

// End answers the first error, which names line and column (both from 1, columns in characters); nil when the whole document was
// read and nothing but white space follows.
func (r *Reader) End() error {
	if r.peek(); r.err == nil && r.at < len(r.doc) {
		r.syntax("the end of the document")
	}
	return r.err
}

func (r *Reader) failAt(at int, format string, args ...any) {
	if r.err != nil {
		return
	}
	line, start := 1, 0
	for i, c := range r.doc[:at] {
		if c == '\n' {
			line, start = line+1, i+1
		}
	}
	r.err = text.Errorf("line %d, column %d: %w", line, utf8.RuneCount(r.doc[start:at])+1, text.Errorf(format, args...))
}
