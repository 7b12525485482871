package plugin

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin/fuel"
	"github.com/weir-ml/weir/sdk/abi"
)

// instance is one running copy of a module. One goroutine at a time uses it; the pool sees to that.
type instance struct {
	code     *code
	compiled wazero.CompiledModule
	limits   Limits
	mod      api.Module
	mem      *linear
	meter    *meter
	ctx      context.Context // carries the meter and host; what every guest call is made with
	host     hostCalls
	ext      *extism               // of an Extism module, otherwise nil
	stack    [2]uint64             // arguments and result: no export has more
	fn       [exports]api.Function // looked up on first use: each carries a stack of 10 KiB

	arena     uint32 // the host's input buffer in guest memory; 0: none yet
	arenaSize uint32
	layout    *abi.Layout
	rowIn     *abi.RowLayout // nil until the first single row
	rowOut    *abi.RowLayout
	out       abi.Batch // view of the last output, its columns reused

	paid     int64 // of the fuel that meter.burned counts: already on the pool's account
	calls    uint64
	baseline uint32 // memory size after the first call
	idleAt   int64  // nanoseconds since 1970, to a sweep's precision
}

// export numbers the functions that an instance may be asked for.
type export int

const (
	fnAlloc export = iota
	fnFree
	fnDescribe
	fnInit
	fnSchema
	fnError
	fnTransform
	fnRow
	fnUpdate
	fnState
	fnMerge
	fnFinish
	fnReset
	fnGate
	fnHandle
	exports
)

var exportNames = [exports]string{
	"weir_alloc", "weir_free", "weir_describe", "weir_init", "weir_schema", "weir_error", "weir_transform", "weir_row",
	"weir_metric_update", "weir_metric_state", "weir_metric_merge", "weir_metric_finish", "weir_metric_reset", "weir_gate", "weir_handle",
}

// String is the export's name.
func (e export) String() string { return exportNames[e] }

// start makes an instance under l: start function, _initialize, version check. What it prints and burns is p's (nil: nobody's).
// Errors name the plugin.
func (c *code) start(ctx context.Context, l Limits, p *pool) (*instance, error) {
	h := c.host
	h.gate.RLock()
	defer h.gate.RUnlock()
	if h.isClosed() {
		return nil, errClosed
	}
	m, err := c.acquire(l)
	if err != nil {
		return nil, err
	}
	in := &instance{code: c, compiled: m, limits: l, mem: &linear{limit: uint64(l.MemoryBytes)}, meter: &meter{Meter: fuel.NewMeter(0), budget: l.Fuel, limit: l.Timeout}}
	in.host = hostCalls{in: in}
	if isExtism(m) {
		in.ext = newExtism(l)
	}
	in.ctx = in.host.context(in.meter.Context(context.Background()))
	var log *guestLog
	if p != nil {
		log, in.host.log, in.host.grants = p.log, p.log, p.grants
	}
	if err := in.boot(ctx, h.runtime, log); err != nil {
		if p != nil {
			p.charge(in, worldStart)
		}
		in.shut()
		return nil, h.blame(c, err)
	}
	return in, nil
}

func (in *instance) boot(ctx context.Context, rt wazero.Runtime, log *guestLog) error {
	alloc := experimental.MemoryAllocatorFunc(func(_, _ uint64) experimental.LinearMemory { return in.mem })
	// The defaults of a module configuration are what "untrusted" wants: no files, arguments or environment, and clock and random
	// numbers that are alike in every run. Its start functions are called here and not by wazero, to be under the time limit.
	cfg := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	if log != nil {
		cfg = cfg.WithStdout(log).WithStderr(log)
	}
	cfg = in.host.configure(cfg)
	err := in.guarded(ctx, func(ctx context.Context) (err error) {
		in.mod, err = rt.InstantiateModule(experimental.WithMemoryAllocator(ctx, alloc), in.compiled, cfg)
		if err == nil {
			err = in.meter.Attach(in.mod)
		}
		return err
	})
	if err != nil {
		return err
	}
	if f := in.mod.ExportedFunction("_initialize"); f != nil {
		if _, err := in.invoke(ctx, f); err != nil {
			return err
		}
	}
	if in.ext != nil {
		return nil // it has no version
	}
	v, err := in.invoke(ctx, in.mod.ExportedFunction("weir_abi_version"))
	if err != nil {
		return err
	}
	if int32(v) != abi.Version {
		return faultf(errs.Invalid, causeOutput, "it speaks version %d of the batch ABI, this host version %d", int32(v), abi.Version)
	}
	return nil
}

// close frees the instance. The caller does not hold the host's gate.
func (in *instance) close() {
	in.code.host.gate.RLock()
	defer in.code.host.gate.RUnlock()
	in.shut()
}

func (in *instance) shut() {
	if in.mod != nil {
		_ = in.mod.Close(context.Background())
	}
	in.code.release()
}

// enter lets a guest run: it fails once the host is closing. leave must follow.
func (in *instance) enter() error {
	h := in.code.host
	h.gate.RLock()
	if h.isClosed() {
		h.gate.RUnlock()
		return errClosed
	}
	return nil
}

func (in *instance) leave() { in.code.host.gate.RUnlock() }

// guarded runs f under the time limit and ctx, and makes faults of its errors.
func (in *instance) guarded(ctx context.Context, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return &fault{errs.KindOf(err), causeCancelled, "the caller gave up: " + err.Error(), err}
	}
	in.meter.arm(ctx)
	err := f(in.ctx)
	in.meter.disarm()
	if err != nil {
		return trapFault(ctx, err, in.mem, in.limits)
	}
	return nil
}

// call calls an export that takes up to two integers and returns one, or none.
func (in *instance) call(ctx context.Context, e export, args ...uint64) (uint64, error) {
	f := in.fn[e]
	if f == nil {
		f = in.mod.ExportedFunction(exportNames[e]) // there: the interface was checked
		in.fn[e] = f
	}
	return in.invoke(ctx, f, args...)
}

func (in *instance) invoke(ctx context.Context, f api.Function, args ...uint64) (uint64, error) {
	in.stack[0] = 0
	copy(in.stack[:], args)
	in.meter.arm(ctx)
	err := f.CallWithStack(in.ctx, in.stack[:])
	in.meter.disarm()
	if err != nil {
		return 0, trapFault(ctx, err, in.mem, in.limits)
	}
	in.calls++
	return in.stack[0], nil
}

// memory is the whole linear memory as it is now; a later call may move it.
func (in *instance) memory() []byte { return in.mem.buf }

// bytes views size bytes at ptr that a guest answered, checked.
func (in *instance) bytes(ptr, size uint32, what export) ([]byte, error) {
	m := in.memory()
	if end := uint64(ptr) + uint64(size); end > uint64(len(m)) {
		return nil, faultf(errs.Invalid, causeOutput, "%s answered bytes %d..%d of a memory of %d", what, ptr, end, len(m))
	}
	if int64(size) > in.limits.MaxOutputBytes {
		return nil, faultf(errs.Exhausted, causeOutput, "%s answered %d bytes, the limit is %d", what, size, in.limits.MaxOutputBytes)
	}
	return m[ptr : uint64(ptr)+uint64(size)], nil
}

// document calls an export that answers a packed document, and views it; a packed 0 is the guest's error.
func (in *instance) document(ctx context.Context, e export, args ...uint64) ([]byte, error) {
	v, err := in.call(ctx, e, args...)
	if err != nil {
		return nil, err
	}
	if v == 0 {
		return nil, in.guestError(ctx, e)
	}
	doc, err := in.bytes(uint32(v>>32), uint32(v), e)
	if limit := maxDocument[e]; err == nil && limit > 0 && len(doc) > limit {
		return nil, faultf(errs.Exhausted, causeOutput, "%s answered %d bytes, such a document has at most %d", e, len(doc), limit)
	}
	return doc, err
}

// maxDocument bounds, in bytes, documents that the host takes apart: as values in Go they are 20 to 40 times as large, outside the guest's
// memory limit. 0: no bound but MaxOutputBytes.
var maxDocument = [exports]int{fnSchema: maxDescriptionBytes, fnGate: maxDocumentBytes, fnFinish: maxDocumentBytes}

// maxErrorBytes cuts the guest's error texts.
const maxErrorBytes = 1024

// guestError asks for the text of the error that an export just answered.
func (in *instance) guestError(ctx context.Context, what export) error {
	if in.mem.refused {
		return faultf(errs.Exhausted, causeMemory, "it needs more than its memory limit of %d bytes (%s)", in.limits.MemoryBytes, what)
	}
	v, err := in.call(ctx, fnError)
	if err != nil {
		return err
	}
	text, err := in.bytes(uint32(v>>32), min(uint32(v), maxErrorBytes), fnError)
	if err != nil {
		return err
	}
	if len(text) == 0 {
		return faultf(errs.Invalid, causeGuest, "%s failed without saying why", what)
	}
	return faultf(errs.Invalid, causeGuest, "%s", printable(text))
}

// printable makes a guest's text fit for errors and logs: valid UTF-8 and one line.
func printable(b []byte) string {
	out := make([]rune, 0, len(b))
	for _, r := range string(b) {
		if r < ' ' || r == 0x7f {
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}

// allocate asks the guest for size bytes.
func (in *instance) allocate(ctx context.Context, size uint32) (uint32, error) {
	v, err := in.call(ctx, fnAlloc, uint64(size))
	if err != nil {
		return 0, err
	}
	ptr := uint32(v)
	switch {
	case ptr == 0:
		return 0, faultf(errs.Exhausted, causeMemory, "it has no room for %d bytes within its memory limit of %d", size, in.limits.MemoryBytes)
	case ptr%abi.Alignment != 0:
		return 0, faultf(errs.Invalid, causeOutput, "weir_alloc answered the address %d, which is not a multiple of %d", ptr, abi.Alignment)
	case uint64(ptr)+uint64(size) > uint64(len(in.memory())):
		return 0, faultf(errs.Invalid, causeOutput, "weir_alloc answered bytes %d..%d of a memory of %d", ptr, uint64(ptr)+uint64(size), len(in.memory()))
	}
	return ptr, nil
}

// give copies a document into guest memory, lets f use it and frees it again. f's error wins.
func (in *instance) give(ctx context.Context, doc []byte, f func(ptr, size uint64) error) error {
	if uint64(len(doc)) > uint64(in.limits.MemoryBytes) {
		return faultf(errs.Exhausted, causeMemory, "a document of %d bytes does not fit its memory limit of %d", len(doc), in.limits.MemoryBytes)
	}
	size := uint32(max(len(doc), 1))
	ptr, err := in.allocate(ctx, size)
	if err != nil {
		return err
	}
	copy(in.memory()[ptr:], doc)
	if err := f(uint64(ptr), uint64(len(doc))); err != nil {
		return err
	}
	_, err = in.call(ctx, fnFree, uint64(ptr), uint64(size))
	return err
}

// put writes rows [from, to) of b into the arena and returns the header's address. The arena and the layout are kept from
// call to call; they change when the shape does or more room is needed.
func (in *instance) put(ctx context.Context, b *abi.Batch, from, to int) (uint32, error) {
	if in.layout == nil || in.layout.Rows() < to-from || !in.layout.Fits(b) {
		rows := 16
		for rows < to-from {
			rows *= 2
		}
		l, err := abi.NewLayout(b.Fields(), min(rows, abi.MaxRows))
		if err != nil {
			return 0, errs.With(errs.Invalid, fmt.Errorf("input batch: %w", err))
		}
		in.layout = l
		if in.arena != 0 {
			l.Place(in.arena)
		}
	}
	size, err := in.layout.Size(b, from, to)
	if err != nil {
		return 0, errs.With(errs.Invalid, fmt.Errorf("input batch: %w", err))
	}
	if err := in.reserve(ctx, size, to-from); err != nil {
		return 0, err
	}
	if err := in.layout.Encode(in.memory()[in.arena:][:in.arenaSize], b, from, to); err != nil {
		return 0, errs.With(errs.Invalid, fmt.Errorf("input batch: %w", err))
	}
	return in.arena, nil
}

// reserve makes the arena hold size bytes, which are those of that many rows.
func (in *instance) reserve(ctx context.Context, size uint32, rows int) error {
	if size <= in.arenaSize && in.arena != 0 {
		return nil
	}
	if in.arena != 0 {
		old, oldSize := in.arena, in.arenaSize
		in.arena, in.arenaSize = 0, 0
		if _, err := in.call(ctx, fnFree, uint64(old), uint64(oldSize)); err != nil {
			return err
		}
	}
	if int64(size) > in.limits.MemoryBytes {
		return faultf(errs.Exhausted, causeMemory, "a chunk of %d rows takes %d bytes, its memory limit is %d", rows, size, in.limits.MemoryBytes)
	}
	arena, err := in.allocate(ctx, size)
	if err != nil {
		return err
	}
	in.arena, in.arenaSize = arena, size
	in.fn[fnAlloc], in.fn[fnFree] = nil, nil // not needed again soon
	if in.layout != nil {
		in.layout.Place(arena)
	}
	return nil
}

// putRow writes row 0 of b into the arena, where the next batch will lie, too, and returns its address.
func (in *instance) putRow(ctx context.Context, b *abi.Batch) (uint32, error) {
	size, err := in.rowIn.Size(b, 0)
	if err == nil {
		if err := in.reserve(ctx, size, 1); err != nil {
			return 0, err
		}
		err = in.rowIn.Encode(in.memory()[in.arena:][:size], in.arena, b, 0)
	}
	if err != nil {
		return 0, errs.With(errs.Invalid, fmt.Errorf("input row: %w", err))
	}
	return in.arena, nil
}

// rest gives up what an idle instance can do without: each function that was called keeps a stack of 10 KiB.
func (in *instance) rest() { in.fn = [exports]api.Function{} }

// worn says why a fresh instance would be better, "" when none would: guests with a collector or a leaky allocator drift
// towards their limit and would die inside somebody's call.
func (in *instance) worn() (reason string) {
	size := uint32(len(in.memory()))
	if in.baseline == 0 {
		in.baseline = size
	}
	switch {
	case in.calls > 1<<22:
		return recycledCalls
	case int64(size) > in.limits.MemoryBytes/4*3 && uint64(size) > 2*uint64(in.baseline):
		return recycledGrowth
	}
	return ""
}
