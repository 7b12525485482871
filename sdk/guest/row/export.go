//go:build wasip1

package row

import (
	"unsafe"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest/internal/call"
)

var (
	in  In
	out Out
)

//go:wasmexport weir_row
func weirRow(ptr uint32) (result uint32) {
	call.Begin(len(in.row) * 8)
	call.Try(func() error {
		if out.row == nil { // the first row: weir_init has fixed the columns
			var s abi.Schema
			if call.Schema != nil {
				s = call.Schema()
			}
			if err := check(s); err != nil {
				return err
			}
			in.layout = layoutOf(s.Inputs)
			out.fit(s.Outputs)
		}
		in.row = call.View[uint64](ptr, in.words)
		out.clear()
		err := one(&in, &out)
		if err == nil {
			result = call.Address(unsafe.Pointer(&out.row[0]))
		}
		return err
	})
	return result
}

// bytesAt is what a place of utf8 or binary points to.
func bytesAt(word uint64) []byte { return call.View[byte](uint32(word), int(word>>32)) }

func wordOf(b []byte) uint64 {
	return uint64(len(b))<<32 | uint64(call.Address(unsafe.Pointer(unsafe.SliceData(b))))
}
