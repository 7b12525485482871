//go:build wasip1

package guest

import (
	"unsafe"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest/internal/call"
	"github.com/weir-ml/weir/sdk/internal/text"
)

// What the host may still look at after an export returned. Go's collector does not see addresses that travel as integers.
var (
	held      = map[uint32][]uint64{} // by weir_alloc, until weir_free
	document  []byte
	in        abi.Batch
	out       *abi.Batch
	outHead   header
	outColumn []descriptor
)

func pack(b []byte) uint64 {
	if len(b) == 0 {
		return 0
	}
	return uint64(call.Address(unsafe.Pointer(&b[0])))<<32 | uint64(len(b))
}

func status(bytes int, f func() error) int32 {
	call.Begin(bytes)
	if call.Try(f) {
		return 0
	}
	return 1
}

// answer runs f, which makes a document, and packs that.
func answer(f func() ([]byte, error)) uint64 {
	call.Begin(call.YieldEvery)
	if !call.Try(func() (err error) { document, err = f(); return err }) {
		return 0
	}
	return pack(document)
}

//go:wasmexport weir_abi_version
func weirABIVersion() int32 { return abi.Version }

//go:wasmexport weir_alloc
func weirAlloc(size uint32) uint32 {
	b := make([]uint64, max((uint64(size)+7)/8, 1))
	p := call.Address(unsafe.Pointer(&b[0]))
	held[p] = b
	return p
}

//go:wasmexport weir_free
func weirFree(ptr, size uint32) {
	delete(held, ptr)
	call.Begin(int(size))
}

//go:wasmexport weir_error
func weirError() uint64 { return pack(call.Failure()) }

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
	return status(call.YieldEvery, func() error {
		if plugin.Init == nil {
			return nil
		}
		return plugin.Init(append([]byte(nil), call.View[byte](ptr, int(size))...))
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
	h := (*header)(call.Pointer(ptr))
	if cap(in.Columns) < int(h.columns) {
		in.Columns = make([]abi.Column, h.columns)
	}
	in.Rows, in.Columns = int(h.rows), in.Columns[:h.columns]
	for i, d := range call.View[descriptor](h.descriptors, int(h.columns)) {
		c := &in.Columns[i]
		if name := call.View[byte](d.name, int(d.nameLen)); c.Name != string(name) {
			c.Name = string(name)
		}
		c.Type, c.ListSize = abi.Type(d.kind), int(d.list)
		c.Validity, c.Offsets, c.Values = nil, nil, call.View[byte](d.values, int(d.byteLen))
		if d.validity != 0 {
			c.Validity = call.View[byte](d.validity, abi.BitmapBytes(in.Rows))
		}
		if d.offsets != 0 {
			c.Offsets = call.View[int32](d.offsets, in.Rows+1)
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
		d := descriptor{kind: uint8(c.Type), list: uint32(c.ListSize), nameLen: uint32(len(c.Name)), name: call.Address(unsafe.Pointer(unsafe.StringData(c.Name)))}
		if c.Validity != nil {
			c.Validity = aligned(c.Validity)
			d.validity = call.Address(unsafe.Pointer(unsafe.SliceData(c.Validity)))
		}
		if c.Type.Variable() {
			if call.Address(unsafe.Pointer(&c.Offsets[0]))%abi.Alignment != 0 {
				c.Offsets = append(make([]int32, 0, len(c.Offsets)+16), c.Offsets...)
			}
			d.offsets = call.Address(unsafe.Pointer(&c.Offsets[0]))
		} else {
			c.Values = aligned(c.Values[:c.ValueBytes(b.Rows)])
		}
		d.values, d.byteLen = call.Address(unsafe.Pointer(unsafe.SliceData(c.Values))), uint32(len(c.Values))
		outColumn[i] = d
	}
	outHead = header{magic: abi.Magic, version: abi.Version, rows: uint32(b.Rows), columns: uint32(len(b.Columns))}
	outHead.descriptors = call.Address(unsafe.Pointer(unsafe.SliceData(outColumn)))
	return call.Address(unsafe.Pointer(&outHead))
}

//go:wasmexport weir_transform
func weirTransform(ptr uint32) (result uint32) {
	b := read(ptr)
	call.Begin(size(b))
	call.Try(func() error {
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
	return status(int(size), metric(func(m Metric) error { return m.Merge(call.View[byte](ptr, int(size))) }))
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
		v, err := plugin.Gate(call.View[byte](ptr, int(size)))
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
		q, err := parseRequest(call.View[byte](ptr, int(size)))
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
