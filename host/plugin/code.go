package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// codeIdle is how many IdleAfter periods machine code without instances stays in memory; the disk cache keeps it after that.
const codeIdle = 5

// code is one module: its bytes, its machine code while that is in use, and what it says about itself.
type code struct {
	host   *Host
	digest string
	wasm   []byte

	mu       sync.Mutex // held while compiling, so that a crowd of first users compiles once
	compiled wazero.CompiledModule
	live     int // instances made of it
	used     time.Time
	desc     *abi.Description
	params   *parameterSchema // of desc
	exports  []string
	extism   *extismNames // of an Extism module
	invalid  error        // a module that was found wrong stays wrong
}

// acquire returns the compiled module, compiling it when needed, and counts one more instance. The caller holds the host's gate.
func (c *code) acquire(l Limits) (wazero.CompiledModule, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.invalid != nil {
		return nil, c.invalid
	}
	if c.compiled == nil {
		m, err := c.compile()
		if f := (*fault)(nil); errors.As(err, &f) && f.cause == causeCompile {
			return nil, named("", c.digest, err) // no lasting verdict: the machine may have been busy
		}
		if err != nil {
			c.invalid = named("", c.digest, err)
			return nil, c.invalid
		}
		c.compiled = m
	}
	// The memory limit differs from caller to caller, so this is not a lasting verdict.
	if err := checkInterface(c.compiled, l); err != nil {
		return nil, named(c.nameLocked(), c.digest, err)
	}
	c.live++
	c.used = c.host.now()
	return c.compiled, nil
}

func (c *code) release() {
	c.mu.Lock()
	c.live--
	c.used = c.host.now()
	c.mu.Unlock()
}

// shrink drops machine code that has had no instance for long.
func (c *code) shrink(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.compiled != nil && c.live == 0 && now.Sub(c.used) > codeIdle*c.host.defaults.IdleAfter {
		_ = c.compiled.Close(context.Background())
		c.compiled = nil
	}
	if c.compiled == nil && c.live == 0 && now.Sub(c.used) > codeIdle*c.host.defaults.IdleAfter {
		c.host.forget(c)
	}
}

// forget removes a code entry that no pool uses.
func (h *Host) forget(c *code) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.pools {
		if p.code == c {
			return
		}
	}
	if h.codes[c.digest] == c {
		delete(h.codes, c.digest)
	}
}

// compile makes machine code, or loads it from the disk cache. An error is a fault: the module is wrong.
func (c *code) compile() (wazero.CompiledModule, error) {
	h := c.host
	rewrite := func() ([]byte, error) {
		wasm, err := instrument(c.wasm)
		if err != nil {
			return nil, faultf(errs.Invalid, causeTrap, "not a module that can run here: %v", err)
		}
		return wasm, nil
	}
	if h.disk != nil {
		m, err := h.disk.compile(h.runtime, c.digest, rewrite)
		if f := (*fault)(nil); err == nil || errors.As(err, &f) && f.cause == causeCompile {
			return m, err
		}
		// Either the module is wrong or the cache is: ask a runtime without one.
		wasm, err2 := rewrite()
		if err2 != nil {
			return nil, err2
		}
		ctx := context.Background()
		probe := wazero.NewRuntimeWithConfig(ctx, runtimeConfig())
		defer probe.Close(ctx)
		if _, err := compileModule(compileTime, probe, wasm); err != nil {
			return nil, err
		}
		h.log.Warn("plugin code cache is damaged: emptying it", "digest", c.digest, "error", err)
		if err := h.disk.clear(); err != nil {
			return nil, err
		}
		return h.disk.compile(h.runtime, c.digest, rewrite)
	}
	wasm, err := rewrite()
	if err != nil {
		return nil, err
	}
	return compileModule(compileTime, h.runtime, wasm)
}

// compileTime bounds one compilation. The largest guests at hand take seconds; single functions that take too long have been
// refused (host/plugin/fuel), so this ends modules of very many that nearly do. Tests, which run under the race detector and beside each other, raise it.
var compileTime = time.Minute

// compileModule compiles within about limit: the compiler looks at the clock between functions, which it does when it has
// several workers.
func compileModule(limit time.Duration, rt wazero.Runtime, wasm []byte) (m wazero.CompiledModule, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	ctx = experimental.WithCompilationWorkers(ctx, max(2, runtime.GOMAXPROCS(0)/2))

	defer func() {
		// A cache file that is damaged cleverly enough makes wazero's reader panic; so might a module that finds a bug in it.
		if r := recover(); r != nil {
			m, err = nil, faultf(errs.Invalid, causeTrap, "the compiler gave up on it: %v", r)
		}
	}()
	m, err = rt.CompileModule(ctx, wasm)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, faultf(errs.Exhausted, causeCompile, "it takes longer than %s to compile: make it smaller, or try again on a machine that is less busy", limit)
	}
	if err != nil {
		return nil, faultf(errs.Invalid, causeTrap, "not a valid WebAssembly module: %s", firstLine(err.Error()))
	}
	return m, nil
}

func (c *code) name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nameLocked()
}

func (c *code) nameLocked() string {
	if c.desc != nil {
		return c.desc.Name
	}
	return ""
}

// exportsFunction tells of the module's exports, once learn has run.
func (c *code) exportsFunction(e export) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.exports, e.String())
}

// parameters is the schema of its parameters, once learn has run; nil: it has none.
func (c *code) parameters() *parameterSchema {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.params
}

// described is the description, once learn has run.
func (c *code) described() abi.Description {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.desc
}

// describe answers the module's description, starting it once under l for that when nobody has asked before.
func (c *code) describe(ctx context.Context, l Limits) (abi.Description, []string, error) {
	c.mu.Lock()
	d, exports := c.desc, c.exports
	c.mu.Unlock()
	if d != nil {
		return *d, exports, nil
	}
	in, err := c.start(ctx, l, nil)
	if err != nil {
		return abi.Description{}, nil, err
	}
	defer in.close()
	if err := in.enter(); err != nil {
		return abi.Description{}, nil, err
	}
	desc, err := c.learn(ctx, in)
	in.leave()
	if err != nil {
		return abi.Description{}, nil, c.host.blame(c, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return desc, c.exports, nil
}

// learn asks an instance for the description, checks it and remembers it.
func (c *code) learn(ctx context.Context, in *instance) (abi.Description, error) {
	c.mu.Lock()
	if c.desc != nil {
		defer c.mu.Unlock()
		return *c.desc, nil
	}
	c.mu.Unlock()
	if in.ext != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		d := ExtismExports{}.describe(c.digest)
		c.desc, c.exports, c.extism = &d, sortedKeys(in.compiled.ExportedFunctions()), extismNamesOf(in.compiled)
		return d, nil
	}
	raw, err := in.document(ctx, fnDescribe)
	if err != nil {
		return abi.Description{}, err
	}
	if len(raw) > maxDescriptionBytes {
		return abi.Description{}, faultf(errs.Invalid, causeOutput, "weir_describe answered %d bytes, a description has at most %d", len(raw), maxDescriptionBytes)
	}
	var d abi.Description
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, faultf(errs.Invalid, causeOutput, "weir_describe did not answer a description: %v", err)
	}
	var doc struct {
		Parameters json.RawMessage `json:"parameters"` // as it stands: numbers keep their digits
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return d, faultf(errs.Invalid, causeOutput, "weir_describe did not answer a description: %v", err)
	}
	params, err := compileParameters(doc.Parameters)
	if err != nil {
		return d, err
	}
	if !nameOK(d.Name) {
		return d, faultf(errs.Invalid, causeOutput, "its name %q must be lower-case words and digits joined by dashes, at most 64 bytes", d.Name)
	}
	if err := checkWorlds(in.compiled, d); err != nil {
		return d, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.desc, c.params = &d, params
	c.exports = sortedKeys(in.compiled.ExportedFunctions())
	return d, nil
}

// blame counts a fault and names the plugin in it.
func (h *Host) blame(c *code, err error) error {
	var f *fault
	if errors.As(err, &f) {
		h.metrics.trapped(f.cause)
		h.log.Debug("plugin instance thrown away", "plugin", c.name(), "digest", c.digest, "cause", string(f.cause), "error", f.text)
	}
	return named(c.name(), c.digest, err)
}

func (c *code) String() string { return fmt.Sprintf("%s (%s)", c.name(), short(c.digest)) }
