package fuel

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// refused are the reasons for which a valid module may be turned down.
var refused = []string{"not a function", "no code", "entries, the limit", "tables, the limit", "reserved"}

// TestSpecSuite runs the rewriting over every module of WebAssembly's own test suite, which wazero's module carries: what was
// valid stays valid, and what was not does not become so.
func TestSpecSuite(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "internal/integration_test/spectest/v*/testdata/*.wasm"))
	if len(files) < 500 {
		t.Fatalf("only %d modules of the suite found", len(files))
	}
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	defer rt.Close(ctx)
	kept, invalid := 0, 0
	for _, file := range files {
		wasm, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, before := rt.CompileModule(ctx, wasm)
		if before == nil {
			c.Close(ctx)
		}
		out, err := Instrument(wasm)
		var after error
		if err == nil {
			if c, after = rt.CompileModule(ctx, out); after == nil {
				c.Close(ctx)
			}
		}
		switch {
		case before == nil && err != nil:
			known := false
			for _, r := range refused {
				known = known || strings.Contains(err.Error(), r)
			}
			if !known {
				t.Errorf("%s: valid, but refused: %v", filepath.Base(file), err)
			}
		case before == nil && after != nil:
			t.Errorf("%s: valid before, but after: %v", filepath.Base(file), after)
		case before != nil && err == nil && after == nil:
			t.Errorf("%s: was invalid (%v), is valid now", filepath.Base(file), before)
		case before == nil:
			kept++
		default:
			invalid++
		}
	}
	t.Logf("%d modules kept their meaning, %d invalid ones stayed so", kept, invalid)
	if kept < 300 || invalid < 300 {
		t.Fatal("too few modules were compared")
	}
}

// assemble builds a module with one function type () → (), the bodies given, and f0 exported as "run".
func assemble(bodies ...[]byte) []byte {
	w := []byte("\x00asm\x01\x00\x00\x00")
	w = putSection(w, sType, []byte{1, 0x60, 0, 0})
	funcs := []byte{byte(len(bodies))}
	code := []byte{byte(len(bodies))}
	for _, b := range bodies {
		funcs = append(funcs, 0)
		code = putU32(code, uint32(len(b)))
		code = append(code, b...)
	}
	w = putSection(w, sFunction, funcs)
	w = putSection(w, sTable, []byte{1, 0x70, 0, 1})
	w = putSection(w, sMemory, []byte{1, 0, 1})
	w = putSection(w, sExport, []byte{1, 3, 'r', 'u', 'n', 0, 0})
	w = putSection(w, sElement, []byte{1, 0, 0x41, 0, 0x0b, 1, 0})
	return putSection(w, sCode, code)
}

// TestStops checks that every way to run for ever or for very long comes back to the host.
func TestStops(t *testing.T) {
	// fib(2^31): recursion without loops, bounded in depth by tail position of nothing: exponential in time.
	for name, bodies := range map[string][][]byte{
		"loop":                    {{0, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b}},
		"nested loops":            {{0, 0x03, 0x40, 0x03, 0x40, 0x0c, 1, 0x0b, 0x0b, 0x0b}},
		"bulk fill in a loop":     {{0, 0x03, 0x40, 0x41, 0, 0x41, 0, 0x41, 0x80, 0x80, 0x04, 0xfc, 11, 0, 0x0c, 0, 0x0b, 0x0b}},
		"loop of failing grows":   {{0, 0x03, 0x40, 0x41, 0x7f, 0x40, 0, 0x1a, 0x0c, 0, 0x0b, 0x0b}},
		"calls without recursion": tree(30),
	} {
		t.Run(name, func(t *testing.T) {
			wasm, err := Instrument(assemble(bodies...))
			if err != nil {
				t.Fatal(err)
			}
			ctx := context.Background()
			rt := wazero.NewRuntime(ctx)
			defer rt.Close(ctx)
			refills := 0
			stop := func(_ context.Context, stack []uint64) {
				if refills++; refills == 50 {
					panic("enough")
				}
				stack[0] = Slice
			}
			if _, err := rt.NewHostModuleBuilder(Module).NewFunctionBuilder().WithGoFunction(api.GoFunc(stop), nil, []api.ValueType{api.ValueTypeI64}).Export(Refill).Instantiate(ctx); err != nil {
				t.Fatal(err)
			}
			mod, err := rt.Instantiate(ctx, wasm)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := mod.ExportedFunction("run").Call(ctx); err == nil || !strings.Contains(err.Error(), "enough") || refills != 50 {
				t.Fatalf("after %d refills: %v", refills, err)
			}
		})
	}
}

// tree makes n functions of which each calls the next twice: 2^n calls, no loop, no recursion.
func tree(n int) [][]byte {
	var out [][]byte
	for i := 1; i < n; i++ {
		out = append(out, []byte{0, 0x10, byte(i), 0x10, byte(i), 0x0b})
	}
	return append(out, []byte{0, 0x0b})
}

// TestRefuses checks that indices which only the additions would make valid are refused.
func TestRefuses(t *testing.T) {
	for name, body := range map[string][]byte{
		"counter":       {0, 0x23, 0, 0x1a, 0x0b},
		"purse":         {0, 0x20, 0, 0x1a, 0x03, 0x40, 0x0b, 0x0b},
		"helper":        {0, 0x10, 1, 0x0b},
		"helper by ref": {0, 0xd2, 1, 0x1a, 0x0b},
		"type":          {0, 0x41, 0, 0x11, 1, 0, 0x0b},
		"block type":    {0, 0x02, 1, 0x0b, 0x0b},
		"beyond 2.0":    {0, 0xfe, 0, 0x0b},
		"truncated":     {0, 0x41},
		"no end":        {0, 0x02, 0x40, 0x0b},
	} {
		if out, err := Instrument(assemble(body)); err == nil {
			t.Errorf("%s: accepted as %x", name, out)
		}
	}
	if _, err := Instrument([]byte("MZ")); err == nil {
		t.Error("not a module, but accepted")
	}
	huge := assemble([]byte{0, 0x0b})
	huge = bytes.Replace(huge, putSection(nil, sTable, []byte{1, 0x70, 0, 1}), putSection(nil, sTable, append([]byte{1, 0x70, 0}, putU32(nil, 1<<31)...)), 1)
	if _, err := Instrument(huge); err == nil || !strings.Contains(err.Error(), "entries, the limit") {
		t.Errorf("a huge table: %v", err)
	}
}

// FuzzInstrument: no panic, and no more than a few times the input's size.
func FuzzInstrument(f *testing.F) {
	f.Add(assemble([]byte{0, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b}))
	f.Add(assemble(tree(3)...))
	if w, err := os.ReadFile("../../../../plugins/identity/identity.wasm"); err == nil {
		f.Add(w)
	}
	f.Fuzz(func(t *testing.T, wasm []byte) {
		out, err := Instrument(wasm)
		if err == nil && len(out) > 64*len(wasm)+4096 {
			t.Fatalf("%d bytes became %d", len(wasm), len(out))
		}
	})
}

func TestLEB(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 63, 64, -64, -65, 1 << 40, -1 << 63, 1<<63 - 1} {
		r := &reader{b: putS64(nil, v)}
		if got := r.s(10); got != v || r.err != nil || r.more() {
			t.Errorf("%d came back as %d, %v", v, got, r.err)
		}
	}
	r := &reader{b: binary.AppendUvarint(nil, 1<<32)}
	if r.u32(); r.err == nil {
		t.Error("an integer beyond 32 bits was read")
	}
}
