// Package guest is what a plugin in Go imports: it turns a few functions into the exports that weir's host calls.
//
//	func init() {
//		guest.Register(guest.Plugin{
//			Description: abi.Description{Name: "double", Version: "1.0.0", Worlds: []abi.World{abi.WorldTransform}},
//			Transform:   double,
//		})
//	}
//
//	func double(in *abi.Batch) (*abi.Batch, error) { … }
//
//	func main() {}
//
// Build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o double.wasm .
//
// Package row beside it adds the entry for one row, and package host what the plugin may ask of its host: a module exports and
// imports for these only when the plugin imports them. sdk/examples has seven plugins to copy.
//
// The package uses the standard library and sdk alone. It compiles on every platform, so that a plugin's functions can be
// tested natively; the exports exist in wasip1 builds only. Read this file first, then exports.go and, for the contract,
// sdk/abi/ABI.md.
//
// A module holds Go's runtime, 1.8 MB, and what the plugin imports; how long its first compile and a cold start take goes by
// that. fmt adds 0.7 MB, encoding/json 1.2 MB with it, so this package does without: Errorf, ParseQuery and the package json
// below it stand in for them. Plugins may import whatever they like.
package guest

import (
	"math/bits"
	"unsafe"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest/internal/call"
	"github.com/weir-ml/weir/sdk/internal/text"
)

// Plugin is everything a module can do; leave out what it does not. One instance serves one call at a time, and an error or a
// panic in any function costs the instance: the host starts a fresh one, so nothing needs cleaning up.
type Plugin struct {
	Description abi.Description
	// Init takes the parameters, a JSON document, once before any other work. nil accepts any.
	Init func(params []byte) error
	// Schema is asked after Init. nil: no fixed columns.
	Schema func() abi.Schema

	// Transform answers as many rows as it is given, at most abi.MaxRows. The input's buffers belong to the host and are valid for
	// this call; the output may share them. What it answers may be reused once Transform is called again.
	Transform func(in *abi.Batch) (*abi.Batch, error)
	// Metric keeps one summary.
	Metric Metric
	// Gate judges a JSON context.
	Gate func(context []byte) (abi.Verdict, error)
	// Handle answers a request or an event.
	Handle func(abi.Request) (abi.Response, error)
}

// Metric is a mergeable summary of two samples. For any split of the rows and any order of updates and merges, State and
// Finish must answer the same bytes.
type Metric interface {
	Update(side abi.Side, b *abi.Batch) error
	State() ([]byte, error)
	Merge(state []byte) error
	Finish() ([]abi.Score, error)
	Reset()
}

// plugin is the one registered; a module is one plugin, and its exports have no other way to find it.
var plugin Plugin

// Register makes p the module's plugin. Call it once, from init.
func Register(p Plugin) {
	if plugin.Description.Name != "" {
		panic("guest: Register was called twice")
	}
	plugin = p
	call.Schema = p.Schema
}

// header and descriptor are the ABI's structures as they lie in memory (a little-endian machine's view of them).
type header struct {
	magic          uint32
	version, flags uint16
	rows, columns  uint32
	descriptors    uint32
	zero           uint32
	zero64         uint64
}

type descriptor struct {
	kind                               uint8
	zero                               [3]uint8
	list, name, nameLen                uint32
	validity, offsets, values, byteLen uint32
}

// Their sizes are part of the ABI: the arrays' lengths would be negative otherwise.
var (
	_ [abi.HeaderSize - unsafe.Sizeof(header{})]byte
	_ [unsafe.Sizeof(header{}) - abi.HeaderSize]byte
	_ [abi.DescriptorSize - unsafe.Sizeof(descriptor{})]byte
	_ [unsafe.Sizeof(descriptor{}) - abi.DescriptorSize]byte
)

// aligned returns b at an address that the ABI allows, copying when it must.
func aligned(b []byte) []byte {
	if len(b) == 0 || uintptr(unsafe.Pointer(&b[0]))%abi.Alignment == 0 {
		return b
	}
	words := make([]uint64, (len(b)+7)/8)
	out := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(b))
	copy(out, b)
	return out
}

// check refuses a batch that the host would refuse, with a clearer word.
func check(b *abi.Batch, rows int) error {
	if b == nil {
		return text.Errorf("the transform answered no batch")
	}
	if b.Rows != rows {
		return text.Errorf("the transform answered %d rows for %d", b.Rows, rows)
	}
	for i := range b.Columns {
		c := &b.Columns[i]
		need := c.ValueBytes(rows)
		if c.Type.Variable() {
			need = 0
			if len(c.Offsets) != rows+1 {
				return text.Errorf("output column %q has %d offsets, not %d", c.Name, len(c.Offsets), rows+1)
			}
		}
		if len(c.Values) < need {
			return text.Errorf("output column %q has %d bytes, not %d", c.Name, len(c.Values), need)
		}
		if c.Validity != nil && len(c.Validity) < abi.BitmapBytes(rows) {
			return text.Errorf("output column %q has a validity of %d bytes, not %d", c.Name, len(c.Validity), abi.BitmapBytes(rows))
		}
	}
	return nil
}

// Arena hands out slices that are used for one call and given back together, so that a transform's outputs cost no garbage.
// The slices are not cleared.
type Arena struct {
	buf  []uint64
	used int
	want int
}

// Reset takes everything back.
func (a *Arena) Reset() {
	if a.want > len(a.buf) {
		a.buf = make([]uint64, 1<<bits.Len(uint(a.want)))
	}
	a.used, a.want = 0, 0
}

// Bytes is a slice of n bytes, 8-aligned.
func (a *Arena) Bytes(n int) []byte {
	words := (n + 7) / 8
	a.want += words
	if words == 0 {
		return nil
	}
	if a.used+words > len(a.buf) {
		fresh := make([]uint64, words)
		return unsafe.Slice((*byte)(unsafe.Pointer(&fresh[0])), n)
	}
	a.used += words
	return unsafe.Slice((*byte)(unsafe.Pointer(&a.buf[a.used-words])), n)
}

// Float64s is a slice of n numbers.
func (a *Arena) Float64s(n int) []float64 { return slice[float64](a, n) }

// Int64s is a slice of n numbers.
func (a *Arena) Int64s(n int) []int64 { return slice[int64](a, n) }

// Int32s is a slice of n numbers.
func (a *Arena) Int32s(n int) []int32 { return slice[int32](a, n) }

func slice[T any](a *Arena, n int) []T {
	if n == 0 {
		return nil
	}
	var z T
	return unsafe.Slice((*T)(unsafe.Pointer(&a.Bytes(n * int(unsafe.Sizeof(z)))[0])), n)
}
