package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin/fuel"
	"github.com/weir-ml/weir/sdk/abi"
)

func hostile(t testing.TB) []byte { return guestFile(t, "testdata/hostile/hostile.wasm") }

// named fails the test unless err has the kind, names the plugin with its digest, and contains the cause.
func wantFault(t *testing.T, err error, p *Plugin, kind errs.Kind, text string) {
	t.Helper()
	who := fmt.Sprintf("plugin %s (%s)", p.Description().Name, short(p.Digest()))
	if !errs.Is(err, kind) || !strings.Contains(err.Error(), text) || !strings.HasPrefix(err.Error(), who) {
		t.Errorf("got %v error %q, want %v with %q from %s", errs.KindOf(err), err, kind, text, who)
	}
}

// TestHostileGuests: whatever a guest does costs its instance and an error that says who and why; the next call works.
func TestHostileGuests(t *testing.T) {
	p := open(t, hostile(t), "", Limits{MemoryBytes: 8 << 20, Timeout: 300 * time.Millisecond})
	ctx := context.Background()
	for _, tc := range []struct {
		mode string
		kind errs.Kind
		text string
	}{
		{"loop", errs.Timeout, "time limit of 300ms"},
		{"empty loop", errs.Timeout, "time limit of 300ms"},
		{"fib", errs.Timeout, "time limit of 300ms"}, // recursion that never gets deep, without a loop
		{"fill loop", errs.Timeout, "time limit of 300ms"},
		{"deep", errs.Invalid, "out of bounds"}, // its 64 KiB of linear stack are used up
		{"trap", errs.Invalid, "unreachable"},
		{"divide", errs.Invalid, "integer divide by zero"},
		{"read far", errs.Invalid, "out of bounds"},
		{"write far", errs.Invalid, "out of bounds"},
		{"call nothing", errs.Invalid, "invalid table access"},
		{"memory bomb", errs.Exhausted, "memory limit of 8388608 bytes"},
		{"memory bomb, polite", errs.Exhausted, "memory limit of 8388608 bytes"},
		{"error", errs.Invalid, `it is "friday\u000a"'s day`},
		{"silent error", errs.Invalid, "weir_gate failed without saying why"},
		{"far answer", errs.Invalid, "weir_gate answered bytes 4294967280..4294967380"},
		{"huge answer", errs.Invalid, "weir_gate answered bytes"},
		{"no document", errs.Invalid, "weir_gate answered no such document"},
	} {
		t.Run(tc.mode, func(t *testing.T) {
			before := p.Stats()
			_, err := p.Gate(ctx, []byte(tc.mode))
			wantFault(t, err, p, tc.kind, tc.text)
			if s := p.Stats(); s.Traps != before.Traps+1 || s.Live != 0 {
				t.Errorf("the instance lives on: %+v after %+v", s, before)
			}
			if v, err := p.Gate(ctx, []byte("behave")); err != nil || v.Outcome != abi.Pass {
				t.Errorf("afterwards: %+v, %v", v, err)
			}
		})
	}
	if _, err := p.Gate(ctx, []byte("no outcome")); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "a verdict needs an outcome") {
		t.Errorf("no outcome: %v", err)
	}
	if _, err := p.Gate(ctx, make([]byte, 9<<20)); !errs.Is(err, errs.Exhausted) {
		t.Errorf("a context beyond the memory limit: %v", err)
	}
}

// TestNativeRecursion: recursion that uses no linear memory ends at wazero's own stack limit.
func TestNativeRecursion(t *testing.T) {
	p := open(t, hostile(t), "", Limits{Timeout: time.Minute})
	_, err := p.Gate(context.Background(), []byte("shallow"))
	wantFault(t, err, p, errs.Exhausted, "overflowed the stack")
	if v, err := p.Gate(context.Background(), []byte("behave")); err != nil || v.Outcome != abi.Pass {
		t.Errorf("afterwards: %+v, %v", v, err)
	}
	runtime.GC()
}

// TestLyingHeaders damages the output of a transform in every field.
func TestLyingHeaders(t *testing.T) {
	h, err := New(Options{CacheDir: codeDir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	in := &abi.Batch{Rows: 3, Columns: []abi.Column{abi.UTF8Column("t", []string{"a", "b", "c"}).WithNulls(3, 1), abi.Float64Column("x", []float64{1, 2, 3})}}
	modes := []string{"p 1", "p 4294967295", "p 4294967288", "p 8"}
	for _, value := range []uint32{1, 7, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff} {
		for _, at := range []int{0, 4, 8, 12, 16, 20, 24, 28} {
			modes = append(modes, fmt.Sprintf("h %d %d", at, value))
			if at < 12 || at > 12 && at < 28 { // a name shorter than it was is a name
				modes = append(modes, fmt.Sprintf("d %d %d", at, value))
			}
		}
		modes = append(modes, fmt.Sprintf("d 12 %d", value|0x1000), fmt.Sprintf("d 28 %d", value|0x80000000))
	}
	// Within the ABI: fewer columns, text declared as bytes, other bytes of the memory as name or text.
	harmless := map[string]bool{"h 4 1": true, "h 12 1": true, "d 0 7": true, "d 8 1": true, "d 8 7": true, "d 24 1": true, "d 24 7": true}
	refused := 0
	for _, mode := range modes {
		params, _ := json.Marshal(mode)
		p, err := h.Open(ctx, hostile(t), params, Limits{MemoryBytes: 4 << 20})
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Transform(ctx, in)
		switch {
		case err == nil && harmless[mode]:
			if err := out.Validate(); err != nil {
				t.Errorf("%s: an invalid batch came through: %v", mode, err)
			}
		case err == nil:
			t.Errorf("%s: accepted", mode)
		default:
			wantFault(t, err, p, errs.Invalid, "breaks the ABI")
			refused++
		}
		p.Close()
	}
	if refused < 80 {
		t.Errorf("only %d lies were told", refused)
	}
}

// FuzzLyingHeaders lets a real guest answer any header over any pointer: no panic, and what is accepted is sound.
func FuzzLyingHeaders(f *testing.F) {
	f.Add(byte('h'), uint32(16), uint32(64), uint16(3))
	f.Add(byte('d'), uint32(24), uint32(math.MaxUint32), uint16(3))
	f.Add(byte('p'), uint32(1<<16), uint32(0), uint16(0))
	h, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { h.Close() })
	wasm := hostile(f)
	f.Fuzz(func(t *testing.T, kind byte, at, value uint32, rows uint16) {
		params, _ := json.Marshal(fmt.Sprintf("%c %d %d", 'a'+kind%26, at, value))
		p, err := h.Open(context.Background(), wasm, params, Limits{MemoryBytes: 8 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		out, err := p.Transform(context.Background(), everyType(int(rows%200)))
		if err == nil {
			err = out.Validate()
			if err != nil {
				t.Fatalf("accepted, but %v", err)
			}
			return
		}
		if k := errs.KindOf(err); k != errs.Invalid && k != errs.Exhausted {
			t.Fatalf("%v: %v", k, err)
		}
	})
}

func TestInitIsBounded(t *testing.T) {
	h, err := New(Options{CacheDir: codeDir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	if _, err := h.Open(ctx, hostile(t), json.RawMessage(`"init loop"`), Limits{Timeout: 50 * time.Millisecond}); !errs.Is(err, errs.Timeout) {
		t.Errorf("a loop in weir_init: %v", err)
	}
	if _, err := h.Open(ctx, hostile(t), json.RawMessage(`"init error"`), Limits{}); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "no such parameters") {
		t.Errorf("an error in weir_init: %v", err)
	}
	if _, err := h.Open(ctx, hostile(t), nil, Limits{MemoryBytes: 64 << 10}); !errs.Is(err, errs.Exhausted) {
		t.Errorf("a memory that begins above its limit: %v", err)
	}
}

func TestCallerGivesUp(t *testing.T) {
	p := open(t, hostile(t), "", Limits{Timeout: time.Minute})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := p.Gate(ctx, []byte("loop"))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the chain lost the context's error: %v", err)
	}
	wantFault(t, err, p, errs.Unavailable, "the caller gave up")
	ctx, cancel = context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = p.Gate(ctx, []byte("loop"))
	wantFault(t, err, p, errs.Timeout, "the caller gave up")
	if _, err := p.Gate(ctx, []byte("behave")); !errs.Is(err, errs.Timeout) {
		t.Errorf("a call that begins too late: %v", err)
	}
}

// TestModulesAreRefused feeds modules that are wrong before they run.
func TestModulesAreRefused(t *testing.T) {
	h, err := New(Options{CacheDir: codeDir, Defaults: Limits{Timeout: 100 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for name, tc := range map[string]struct {
		wasm []byte
		kind errs.Kind
		text string
	}{
		"empty":             {nil, errs.Invalid, "not a WebAssembly module"},
		"not wasm":          {[]byte("#!/bin/sh\nexit 1\n"), errs.Invalid, "not a WebAssembly module"},
		"cut":               {hostile(t)[:2000], errs.Invalid, "bytes are left"},
		"foreign import":    {tiny(tinyOptions{importModule: "env", importName: "system"}), errs.Invalid, "it imports env.system"},
		"aborts":            {tiny(tinyOptions{importModule: "env", importName: "abort", importType: 6, start: []byte{0x41, 0, 0x41, 0, 0x41, 7, 0x41, 3, 0x10, 0}}), errs.Invalid, "it aborted at line 7, column 3"},
		"aborts badly":      {tiny(tinyOptions{importModule: "env", importName: "abort", importType: 6, start: []byte{0x41, 0x7c, 0x41, 4, 0x41, 7, 0x41, 3, 0x10, 0}}), errs.Invalid, "it aborted at line 7, column 3"}, // texts at -4 and of no bytes
		"another abort":     {tiny(tinyOptions{importModule: "env", importName: "abort"}), errs.Invalid, "signature mismatch"},
		"reserved import":   {tiny(tinyOptions{importModule: fuel.ImportModule, importName: "refill"}), errs.Invalid, fuel.ImportModule},
		"no weir_alloc":     {tiny(tinyOptions{omit: "weir_alloc"}), errs.Invalid, "does not export the function weir_alloc"},
		"wrong version":     {tiny(tinyOptions{version: 2}), errs.Invalid, "version 2 of the batch ABI"},
		"start loops":       {tiny(tinyOptions{start: []byte{0x03, 0x40, 0x0c, 0, 0x0b}}), errs.Timeout, "time limit of 100ms"},
		"start traps":       {tiny(tinyOptions{start: []byte{0x00}}), errs.Invalid, "unreachable"},
		"invalid code":      {tiny(tinyOptions{start: []byte{0x6a}}), errs.Invalid, "not a valid module"},
		"describes nothing": {tiny(tinyOptions{}), errs.Invalid, "weir_describe failed without saying why"},
		"a lot of memory":   {tiny(tinyOptions{pages: 32000}), errs.Exhausted, "its memory begins with"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.Inspect(context.Background(), tc.wasm)
			if !errs.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.text) {
				t.Fatalf("%v error %v, want %v with %q", errs.KindOf(err), err, tc.kind, tc.text)
			}
			again, err2 := h.Inspect(context.Background(), tc.wasm)
			if err2 == nil {
				t.Fatalf("accepted the second time: %+v", again)
			}
		})
	}
}

type tinyOptions struct {
	importModule, importName string
	importType               byte
	omit                     string // an export to leave out
	rename, to               string // an export to give another name
	version                  byte   // 0: the right one
	pages                    uint32 // of memory
	start                    []byte // instructions of the start function, without the final end
}

// tiny assembles a module with every required export, each answering 0.
func tiny(o tinyOptions) []byte {
	leb := func(b []byte, v uint32) []byte {
		for ; v >= 0x80; v >>= 7 {
			b = append(b, byte(v)|0x80)
		}
		return append(b, byte(v))
	}
	text := func(b []byte, s string) []byte { return append(leb(b, uint32(len(s))), s...) }
	section := func(b []byte, id byte, body []byte) []byte {
		return append(leb(append(b, id), uint32(len(body))), body...)
	}
	if o.version == 0 {
		o.version = abi.Version
	}
	type export struct {
		name string
		kind byte // type: 0 () → (), 1 () → i32, 2 () → i64, 3 (i32) → i32, 4 (i32, i32) → (), 5 (i32, i32) → i32
	}
	all := []export{{"weir_abi_version", 1}, {"weir_alloc", 3}, {"weir_free", 4}, {"weir_describe", 2}, {"weir_init", 5}, {"weir_schema", 2}, {"weir_error", 2}}
	exports := all[:0:0]
	for _, e := range all {
		if e.name == o.rename {
			e.name = o.to
		}
		if e.name != o.omit {
			exports = append(exports, e)
		}
	}
	imports := byte(0)
	w := section([]byte("\x00asm\x01\x00\x00\x00"), 1, []byte{7, 0x60, 0, 0, 0x60, 0, 1, 0x7f, 0x60, 0, 1, 0x7e, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 2, 0x7f, 0x7f, 0, 0x60, 2, 0x7f, 0x7f, 1, 0x7f,
		0x60, 4, 0x7f, 0x7f, 0x7f, 0x7f, 0})
	if o.importName != "" {
		imports = 1
		w = section(w, 2, append(text(text([]byte{1}, o.importModule), o.importName), 0, o.importType))
	}
	funcs, code := []byte{byte(len(exports)) + 1, 0}, []byte{byte(len(exports)) + 1}
	body := append(append([]byte{0}, o.start...), 0x0b)
	code = append(leb(code, uint32(len(body))), body...)
	table := []byte{byte(len(exports)) + 1, 6, 'm', 'e', 'm', 'o', 'r', 'y', 2, 0}
	for i, e := range exports {
		funcs = append(funcs, e.kind)
		table = append(text(table, e.name), 0, imports+1+byte(i))
		switch {
		case e.name == "weir_abi_version":
			code = append(code, 4, 0, 0x41, o.version, 0x0b)
		case e.kind == 4:
			code = append(code, 2, 0, 0x0b)
		case e.kind == 2:
			code = append(code, 4, 0, 0x42, 0, 0x0b)
		default:
			code = append(code, 4, 0, 0x41, 0, 0x0b)
		}
	}
	w = section(w, 3, funcs)
	w = section(w, 5, leb([]byte{1, 0}, max(o.pages, 1)))
	w = section(w, 7, table)
	w = section(w, 8, []byte{imports})
	return section(w, 10, code)
}
