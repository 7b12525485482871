package fuel

import (
	"bytes"

	"github.com/weir-ml/weir/host/errs"
)

// Hollow is a valid module without its code: every function's body is replaced by one that traps, and custom sections are left
// out; all else stays. An engine that keeps machine code elsewhere needs no more of a module, and reads and validates it in a
// fraction of the time. module has been validated before.
func Hollow(module []byte) ([]byte, error) {
	if len(module) < len(magic) || !bytes.Equal(module[:len(magic)], magic) {
		return nil, errs.New(errs.Invalid, "not a WebAssembly module")
	}
	r := newReader(module[len(magic):], "module")
	out := append(make([]byte, 0, len(module)/2), magic...)
	for r.left() > 0 && r.err == nil {
		id := r.byte()
		body := r.bytes(int(r.u32()))
		switch id {
		case secCustom:
		case secCode:
			c := newReader(body, "section code")
			n := c.count(3, maxFunctions+maxKeepers, "functions")
			if c.err != nil {
				return nil, c.err
			}
			hollow := appendU32(make([]byte, 0, 4*n+5), uint32(n))
			for range n {
				hollow = append(hollow, 3, 0, opUnreachable, opEnd)
			}
			out = appendSection(out, id, hollow)
		default:
			out = appendSection(out, id, body)
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return out, nil
}
