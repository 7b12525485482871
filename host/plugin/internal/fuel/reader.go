package fuel

import (
	"errors"
	"fmt"
)

// errTruncated ends every read beyond the end.
var errTruncated = errors.New("the module ends too early")

// reader walks over a byte slice; the first error sticks and everything read after it is zero.
type reader struct {
	b   []byte
	at  int
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *reader) more() bool { return r.err == nil && r.at < len(r.b) }

func (r *reader) byte() byte {
	if r.err != nil || r.at >= len(r.b) {
		r.fail("%w", errTruncated)
		return 0
	}
	r.at++
	return r.b[r.at-1]
}

func (r *reader) skip(n uint32) {
	if r.err != nil || uint64(n) > uint64(len(r.b)-r.at) {
		r.fail("%w", errTruncated)
		return
	}
	r.at += int(n)
}

func (r *reader) bytes(n uint32) []byte {
	from := r.at
	r.skip(n)
	if r.err != nil {
		return nil
	}
	return r.b[from:r.at]
}

// u32 reads an unsigned LEB128 of at most 32 bits.
func (r *reader) u32() uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if v > 1<<32-1 {
				r.fail("an integer is too large")
				return 0
			}
			return uint32(v)
		}
	}
	r.fail("an integer is too long")
	return 0
}

// s reads a signed LEB128 of at most that many bytes.
func (r *reader) s(limit int) int64 {
	var v int64
	for i := range limit {
		c := r.byte()
		v |= int64(c&0x7f) << (7 * i)
		if c < 0x80 {
			if c&0x40 != 0 && 7*(i+1) < 64 {
				v |= -1 << (7 * (i + 1))
			}
			return v
		}
	}
	r.fail("an integer is too long")
	return 0
}

// count reads the length of a vector whose items take at least one byte each.
func (r *reader) count() uint32 {
	n := r.u32()
	if r.err == nil && uint64(n) > uint64(len(r.b)-r.at) {
		r.fail("%w", errTruncated)
		return 0
	}
	return n
}

func putU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func putS64(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func putSection(b []byte, id byte, body []byte) []byte {
	b = append(b, id)
	b = putU32(b, uint32(len(body)))
	return append(b, body...)
}
