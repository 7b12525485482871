//go:build wasip1

package guest

import (
	"runtime"
	"unsafe"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/internal/text"
)

// What the host may still look at after an export returned. Go's collector does not see addresses that travel as integers.
var (
	held      = map[uint32][]uint64{} // by weir_alloc, until weir_free
	document  []byte
	failure   []byte
	in        abi.Batch
	out       *abi.Batch
	outHead   header
	outColumn []descriptor
)

// yieldEvery is the work, in bytes looked at or handed out, after which begin yields.
const yieldEvery = 32 << 10

var work int

// begin lets Go's scheduler run now and then: the collector's workers are goroutines, and exports that never yield starve them
// until memory is full. Yielding takes some 4 µs, ten times what a call for one row takes, so it is done by the work.
func begin(bytes int) {
	if work += bytes + yieldEvery/32; work >= yieldEvery {
		work = 0
		runtime.Gosched()
	}
}

func address(p unsafe.Pointer) uint32 { return uint32(uintptr(p)) }

func pointer(p uint32) unsafe.Pointer {
	u := uintptr(p)
	return *(*unsafe.Pointer)(unsafe.Pointer(&u))
}

func view[T any](p uint32, n int) []T {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(pointer(p)), n)
}

func pack(b []byte) uint64 {
	if len(b) == 0 {
		return 0
	}
	return uint64(address(unsafe.Pointer(&b[0])))<<32 | uint64(len(b))
}

// fail keeps err for weir_error.
func fail(err error) { failure = []byte(err.Error()) }

// try runs f and reports success; errors and panics are kept for weir_error.
func try(f func() error) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			fail(text.Errorf("panic: %v", r))
			ok = false
		}
	}()
	if err := f(); err != nil {
		fail(err)
		return false
	}
	return true
}

func status(bytes int, f func() error) int32 {
	begin(bytes)
	if try(f) {
		return 0
	}
	return 1
}

// answer runs f, which makes a document, and packs that.
func answer(f func() ([]byte, error)) uint64 {
	begin(yieldEvery)
	if !try(func() (err error) { document, err = f(); return err }) {
		return 0
	}
	return pack(document)
}

//go:wasmexport weir_abi_version
func weirABIVersion() int32 { return abi.Version }

//go:wasmexport weir_alloc
func weirAlloc(size uint32) uint32 {
	b := make([]uint64, max((uint64(size)+7)/8, 1))
	p := address(unsafe.Pointer(&b[0]))
	held[p] = b
	return p
}

//go:wasmexport weir_free
func weirFree(ptr, size uint32) {
	delete(held, ptr)
	begin(int(size))
}

//go:wasmexport weir_error
func weirError() uint64 { return pack(failure) }

//go:wasmexport weir_describe
func weirDescribe() uint64 {
	return answer(func() ([]byte, error) {
		if plugin.Description.Name == "" {
			return nil, text.Errorf("guest.Register was not called from init")
		}
		return appendDescription(nil, plugin.Description)
	})
}

//go:wasmexport weir_init
func weirInit(ptr, size uint32) int32 {
	return status(yieldEvery, func() error {
		if plugin.Init == nil {
			return nil
		}
		return plugin.Init(append([]byte(nil), view[byte](ptr, int(size))...))
	})
}

//go:wasmexport weir_schema
func weirSchema() uint64 {
	return answer(func() ([]byte, error) {
		if plugin.Schema == nil {
			return appendSchema(nil, abi.Schema{})
		}
		return appendSchema(nil, plugin.Schema())
	})
}

// read views the batch at ptr; the host vouches for it.
func read(ptr uint32) *abi.Batch {
	h := (*header)(pointer(ptr))
	if cap(in.Columns) < int(h.columns) {
		in.Columns = make([]abi.Column, h.columns)
	}
	in.Rows, in.Columns = int(h.rows), in.Columns[:h.columns]
	for i, d := range view[descriptor](h.descriptors, int(h.columns)) {
		c := &in.Columns[i]
		if name := view[byte](d.name, int(d.nameLen)); c.Name != string(name) {
			c.Name = string(name)
		}
		c.Type, c.ListSize = abi.Type(d.kind), int(d.list)
		c.Validity, c.Offsets, c.Values = nil, nil, view[byte](d.values, int(d.byteLen))
		if d.validity != 0 {
			c.Validity = view[byte](d.validity, abi.BitmapBytes(in.Rows))
		}
		if d.offsets != 0 {
			c.Offsets = view[int32](d.offsets, in.Rows+1)
		}
	}
	return &in
}

// size is the bytes of a batch's values.
func size(b *abi.Batch) (n int) {
	for i := range b.Columns {
		n += len(b.Columns[i].Values)
	}
	return n
}

// write answers the address of b's header.
func write(b *abi.Batch) uint32 {
	out = b
	if cap(outColumn) < len(b.Columns) {
		outColumn = make([]descriptor, len(b.Columns))
	}
	outColumn = outColumn[:len(b.Columns)]
	for i := range b.Columns {
		c := &b.Columns[i]
		d := descriptor{kind: uint8(c.Type), list: uint32(c.ListSize), nameLen: uint32(len(c.Name)), name: address(unsafe.Pointer(unsafe.StringData(c.Name)))}
		if c.Validity != nil {
			c.Validity = aligned(c.Validity)
			d.validity = address(unsafe.Pointer(unsafe.SliceData(c.Validity)))
		}
		if c.Type.Variable() {
			if address(unsafe.Pointer(&c.Offsets[0]))%abi.Alignment != 0 {
				c.Offsets = append(make([]int32, 0, len(c.Offsets)+16), c.Offsets...)
			}
			d.offsets = address(unsafe.Pointer(&c.Offsets[0]))
		} else {
			c.Values = aligned(c.Values[:c.ValueBytes(b.Rows)])
		}
		d.values, d.byteLen = address(unsafe.Pointer(unsafe.SliceData(c.Values))), uint32(len(c.Values))
		outColumn[i] = d
	}
	outHead = header{magic: abi.Magic, version: abi.Version, rows: uint32(b.Rows), columns: uint32(len(b.Columns))}
	outHead.descriptors = address(unsafe.Pointer(unsafe.SliceData(outColumn)))
	return address(unsafe.Pointer(&outHead))
}

//go:wasmexport weir_transform
func weirTransform(ptr uint32) (result uint32) {
	b := read(ptr)
	begin(size(b))
	try(func() error {
		if plugin.Transform == nil {
			return text.Errorf("this plugin is no transform")
		}
		o, err := plugin.Transform(b)
		if err == nil {
			err = check(o, b.Rows)
		}
		if err == nil {
			result = write(o)
		}
		return err
	})
	return result
}

func metric(f func(Metric) error) func() error {
	return func() error {
		if plugin.Metric == nil {
			return text.Errorf("this plugin is no metric")
		}
		return f(plugin.Metric)
	}
}

//go:wasmexport weir_metric_update
func weirMetricUpdate(side, ptr uint32) int32 {
	b := read(ptr)
	return status(size(b), metric(func(m Metric) error { return m.Update(abi.Side(side), b) }))
}

//go:wasmexport weir_metric_state
func weirMetricState() uint64 {
	return answer(func() (state []byte, err error) {
		err = metric(func(m Metric) (err error) { state, err = m.State(); return err })()
		return state, err
	})
}

//go:wasmexport weir_metric_merge
func weirMetricMerge(ptr, size uint32) int32 {
	return status(int(size), metric(func(m Metric) error { return m.Merge(view[byte](ptr, int(size))) }))
}

//go:wasmexport weir_metric_finish
func weirMetricFinish() uint64 {
	return answer(func() (doc []byte, err error) {
		err = metric(func(m Metric) error {
			scores, err := m.Finish()
			if err == nil {
				doc, err = appendScores(nil, scores)
			}
			return err
		})()
		return doc, err
	})
}

//go:wasmexport weir_metric_reset
func weirMetricReset() int32 {
	return status(0, metric(func(m Metric) error { m.Reset(); return nil }))
}

//go:wasmexport weir_gate
func weirGate(ptr, size uint32) uint64 {
	return answer(func() ([]byte, error) {
		if plugin.Gate == nil {
			return nil, text.Errorf("this plugin is no gate")
		}
		v, err := plugin.Gate(view[byte](ptr, int(size)))
		if err != nil {
			return nil, err
		}
		return appendVerdict(nil, v)
	})
}

//go:wasmexport weir_handle
func weirHandle(ptr, size uint32) uint64 {
	return answer(func() ([]byte, error) {
		if plugin.Handle == nil {
			return nil, text.Errorf("this plugin is no handler")
		}
		q, err := parseRequest(view[byte](ptr, int(size)))
		if err != nil {
			return nil, err
		}
		r, err := plugin.Handle(q)
		if err != nil {
			return nil, err
		}
		return appendResponse(nil, r)
	})
}
