package fuel

import (
	"unicode/utf8"

	"github.com/weir-ml/weir/host/errs"
)

// reader walks one section. After the first failure every read answers zero, and err says what was wrong; so a caller
// may check once per item. Counts are bounded by the bytes that are left, so a hostile count allocates nothing.
type reader struct {
	b   []byte
	pos int
	err error
	in  string // "section code", for messages
}

func newReader(b []byte, in string) *reader { return &reader{b: b, in: in} }

func (r *reader) left() int { return len(r.b) - r.pos }

// fail records the first failure.
func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = errs.New(errs.Invalid, "%s, byte %d: "+format, append([]any{r.in, r.pos}, args...)...)
	}
	r.pos = len(r.b)
}

func (r *reader) byte() byte {
	if r.pos >= len(r.b) {
		r.fail("it ends too early")
		return 0
	}
	c := r.b[r.pos]
	r.pos++
	return c
}

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > r.left() {
		r.fail("%d bytes are announced, %d are left", n, r.left())
		return nil
	}
	s := r.b[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return s
}

// u32 reads an unsigned LEB128 of at most 32 bits: at most 5 bytes, unused bits zero. Longer than necessary is allowed, as
// the format allows it.
func (r *reader) u32() uint32 {
	var v uint64
	for i := 0; i < 5; i++ {
		c := r.byte()
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			if v > 1<<32-1 {
				r.fail("the number does not fit 32 bits")
				return 0
			}
			return uint32(v)
		}
	}
	r.fail("the number is longer than 5 bytes")
	return 0
}

// skipSigned skips a signed LEB128 of at most limit bytes; its unused bits are the validator's business.
func (r *reader) skipSigned(limit int) {
	for i := 0; i < limit; i++ {
		if r.byte() < 0x80 {
			return
		}
	}
	r.fail("the number is longer than %d bytes", limit)
}

// count reads the length of a vector whose items take at least itemBytes each.
func (r *reader) count(itemBytes, limit int, what string) int {
	n := r.u32()
	if uint64(n)*uint64(itemBytes) > uint64(r.left()) {
		r.fail("%d %s are announced, %d bytes are left", n, what, r.left())
		return 0
	}
	if uint64(n) > uint64(limit) {
		r.fail("%d %s, at most %d are allowed", n, what, limit)
		return 0
	}
	return int(n)
}

func (r *reader) name() string {
	n := r.count(1, len(r.b), "bytes of a name")
	s := r.bytes(n)
	if !utf8.Valid(s) {
		r.fail("a name is not UTF-8")
		return ""
	}
	return string(s)
}

// done fails unless everything was read.
func (r *reader) done() error {
	if r.err == nil && r.left() > 0 {
		r.fail("%d bytes too many", r.left())
	}
	return r.err
}

func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func appendS64(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func appendName(b []byte, s string) []byte { return append(appendU32(b, uint32(len(s))), s...) }

// appendSection writes a section with its length.
func appendSection(b []byte, id byte, body []byte) []byte {
	return append(appendU32(append(b, id), uint32(len(body))), body...)
}
