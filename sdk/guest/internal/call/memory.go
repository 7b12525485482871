//go:build wasip1

package call

import (
	"runtime"
	"unsafe"

	"github.com/weir-ml/weir/sdk/internal/text"
)

// YieldEvery is the work, in bytes looked at or handed out, after which Begin yields.
const YieldEvery = 32 << 10

var (
	work    int
	failure []byte
)

// Begin lets Go's scheduler run now and then: the collector's workers are goroutines, and exports that never yield starve them
// until memory is full. Yielding takes some 4 µs, ten times what a call for one row takes, so it is done by the work.
func Begin(bytes int) {
	if work += bytes + YieldEvery/32; work >= YieldEvery {
		work = 0
		runtime.Gosched()
	}
}

// Address is where p points in linear memory. Go's collector does not see addresses that travel as integers: keep p, too.
func Address(p unsafe.Pointer) uint32 { return uint32(uintptr(p)) }

// Pointer is the inverse of Address.
func Pointer(p uint32) unsafe.Pointer {
	u := uintptr(p)
	return *(*unsafe.Pointer)(unsafe.Pointer(&u))
}

// View is n values at an address.
func View[T any](p uint32, n int) []T {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(Pointer(p)), n)
}

// Failure is the text of the last error.
func Failure() []byte { return failure }

// Fail keeps err for weir_error.
func Fail(err error) { failure = []byte(err.Error()) }

// Try runs f and reports success; errors and panics are kept for weir_error.
func Try(f func() error) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			Fail(text.Errorf("panic: %v", r))
			ok = false
		}
	}()
	if err := f(); err != nil {
		Fail(err)
		return false
	}
	return true
}
