package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// MaxModuleBytes bounds an uploaded module.
const MaxModuleBytes = 64 << 20

// Options configure a Host.
type Options struct {
	CacheDir   string // machine code by digest; "" keeps it in memory only. Nobody else may write there: it holds code that runs
	Defaults   Limits
	Ceilings   Limits                // what no plugin gets more of, whatever it asks for; zero fields: no ceiling
	Logger     *slog.Logger          // nil: silent. What guests print goes there at debug level, cut and rate-limited
	Registerer prometheus.Registerer // nil: no metrics
	Services   Services              // what stands behind the functions of weir:host
}

// Host runs plugins. Its methods are safe for concurrent use.
type Host struct {
	defaults Limits
	ceilings Limits
	services Services
	log      *slog.Logger
	metrics  *metrics
	now      func() time.Time
	runtime  wazero.Runtime
	cache    wazero.CompilationCache // nil without a directory
	disk     *diskCache              // nil without a directory

	gate sync.RWMutex // held for reading while a guest runs, for writing to close

	mu    sync.Mutex
	codes map[string]*code
	pools map[string]*pool

	closed atomic.Bool
	coarse atomic.Int64 // the clock at the last sweep, in nanoseconds: precise enough for idleness, and free to read

	stop chan struct{}
	done sync.WaitGroup
}

// New makes a host. Close it to end its housekeeping goroutine and free machine code.
func New(o Options) (*Host, error) { return newHost(o, time.Now) }

func newHost(o Options, now func() time.Time) (*Host, error) {
	h := &Host{
		defaults: o.Defaults.or(standard()).within(o.Ceilings), ceilings: o.Ceilings,
		services: o.Services, log: o.Logger, now: now,
		codes: map[string]*code{}, pools: map[string]*pool{}, stop: make(chan struct{}),
	}
	h.defaults.MaxOutputBytes = o.Defaults.MaxOutputBytes
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.log = h.log.With("room", "plugin")
	var err error
	if h.metrics, err = newMetrics(o.Registerer, h.count); err != nil {
		return nil, err
	}
	cfg := runtimeConfig()
	if o.CacheDir != "" {
		if h.disk, err = openDiskCache(o.CacheDir); err != nil {
			return nil, err
		}
		if h.cache, err = wazero.NewCompilationCacheWithDir(o.CacheDir); err != nil {
			return nil, fmt.Errorf("open the plugin code cache: %w", err)
		}
		cfg = cfg.WithCompilationCache(h.cache)
	}
	ctx := context.Background()
	h.runtime = wazero.NewRuntimeWithConfig(ctx, cfg)
	if err := prepareRuntime(ctx, h.runtime); err != nil {
		return nil, err
	}
	h.coarse.Store(now().UnixNano())
	h.done.Add(1)
	go h.keepHouse()
	return h, nil
}

func runtimeConfig() wazero.RuntimeConfig {
	return wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2).WithMemoryLimitPages(2 << 30 >> 16).WithDebugInfoEnabled(false)
}

func prepareRuntime(ctx context.Context, rt wazero.Runtime) error {
	if err := instantiateWASI(ctx, rt); err != nil {
		return err
	}
	return instantiateHostModules(ctx, rt)
}

// keepHouse closes idle instances and unused code until Close.
func (h *Host) keepHouse() {
	defer h.done.Done()
	t := time.NewTicker(max(min(h.defaults.IdleAfter/4, time.Second), 10*time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-t.C:
			h.sweep(h.now())
		}
	}
}

// sweep closes what has been idle too long at that time.
func (h *Host) sweep(now time.Time) {
	h.coarse.Store(now.UnixNano())
	h.mu.Lock()
	pools := make([]*pool, 0, len(h.pools))
	for _, p := range h.pools {
		pools = append(pools, p)
	}
	codes := make([]*code, 0, len(h.codes))
	for _, c := range h.codes {
		codes = append(codes, c)
	}
	h.mu.Unlock()
	for _, p := range pools {
		p.shrink(now)
	}
	for _, c := range codes {
		c.shrink(now)
	}
}

// count sums live and idle instances and waiting calls, for the gauges.
func (h *Host) count() (live, idle, waiting int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.pools {
		s := p.stats()
		live, idle, waiting = live+s.Live, idle+s.Idle, waiting+s.Waiting
	}
	return live, idle, waiting
}

// Close waits for running calls (each ends within its plugin's Timeout), then frees everything. Later calls into plugins of
// this host answer errs.Unavailable. Close is safe twice.
func (h *Host) Close() error {
	h.mu.Lock()
	if !h.closed.CompareAndSwap(false, true) {
		h.mu.Unlock()
		return nil
	}
	h.mu.Unlock()
	close(h.stop)
	h.done.Wait()
	h.gate.Lock()
	defer h.gate.Unlock()
	h.mu.Lock()
	for _, p := range h.pools {
		p.abandon()
	}
	h.pools, h.codes = map[string]*pool{}, map[string]*code{}
	h.mu.Unlock()
	h.metrics.close()
	ctx := context.Background()
	err := h.runtime.Close(ctx)
	if h.cache != nil {
		if e := h.cache.Close(ctx); err == nil {
			err = e
		}
	}
	return err
}

// bounded are limits with the defaults put in and the ceilings applied.
func (h *Host) bounded(l Limits) Limits {
	return l.within(h.ceilings).or(h.defaults).within(h.ceilings)
}

func (h *Host) isClosed() bool { return h.closed.Load() }

var errClosed = errs.New(errs.Unavailable, "the plugin host is shut down")

// Info is what Inspect learns about a module.
type Info struct {
	Digest      string // "sha256:<64 hex>" of the bytes as uploaded
	Size        int    // bytes
	Description abi.Description
	Exports     []string // functions, sorted
}

// Inspect validates and compiles a module (its code then waits in the cache), starts it once without parameters and asks
// what it is; an Extism module cannot say, so WithExtism does. A module that is malformed, imports what it may not, lacks an
// export of a world it claims, or traps on the way is errs.Invalid with the reason.
func (h *Host) Inspect(ctx context.Context, wasm []byte, with ...OpenOption) (Info, error) {
	return h.InspectWithin(ctx, wasm, Limits{}, with...)
}

// Open makes the plugin ready: compiled, and one instance started and initialised with params (a JSON document; nil = {}),
// so that wrong parameters fail here, as errs.Invalid with the guest's words. The same module, parameters and limits share one pool.
// Close the plugin when done. wasm is kept and must not change.
func (h *Host) Open(ctx context.Context, wasm []byte, params json.RawMessage, limits Limits, with ...OpenOption) (*Plugin, error) {
	var o opening
	for _, w := range with {
		w(&o)
	}
	c, err := h.codeOf(wasm)
	if err != nil {
		return nil, err
	}
	if len(params) == 0 {
		params = json.RawMessage("{}")
	}
	if !json.Valid(params) {
		return nil, errs.New(errs.Invalid, "plugin %s: the parameters are not JSON", short(c.digest))
	}
	limits = h.bounded(limits)
	sum := sha256.Sum256(params)
	key := fmt.Sprintf("%s|%x|%+v|%s", c.digest, sum, limits, o.key())
	h.mu.Lock()
	if h.closed.Load() {
		h.mu.Unlock()
		return nil, errClosed
	}
	p := h.pools[key]
	if p == nil {
		p = newPool(h, c, key, append(json.RawMessage(nil), params...), limits, o)
		h.pools[key] = p
	}
	p.refs++
	h.mu.Unlock()
	pl := &Plugin{pool: p}
	if err := p.prepare(ctx, &pl.tenant); err != nil {
		_ = pl.Close() // never fails
		return nil, err
	}
	if pl.desc, err = c.play(o.extism, c.described()); err != nil {
		_ = pl.Close()
		return nil, h.blame(c, err)
	}
	pl.rows, pl.foreign = p.takesRows(), c.foreign() != nil
	return pl, nil
}

// codeOf finds or makes the code entry of a module, not compiled yet.
func (h *Host) codeOf(wasm []byte) (*code, error) {
	if len(wasm) > MaxModuleBytes {
		return nil, errs.New(errs.Invalid, "the module has %d bytes, the limit is %d", len(wasm), MaxModuleBytes)
	}
	sum := sha256.Sum256(wasm)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed.Load() {
		return nil, errClosed
	}
	c := h.codes[digest]
	if c == nil {
		c = &code{host: h, digest: digest, wasm: wasm, used: h.now()}
		h.codes[digest] = c
	}
	return c, nil
}

// drop ends one reference to a pool.
func (h *Host) drop(p *pool) {
	h.mu.Lock()
	p.refs--
	last := p.refs == 0
	if last && h.pools[p.key] == p {
		delete(h.pools, p.key)
	}
	h.mu.Unlock()
	if last {
		p.close()
	}
}

// short is the digest as errors and logs show it: 12 hex digits.
func short(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }
