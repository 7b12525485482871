package fuel

import (
	"testing"

	"github.com/weir-ml/weir/host/errs"
)

// TestHollow: a hollow module is valid, has the same interface, and each of its functions traps.
func TestHollow(t *testing.T) {
	m := &builder{memory: []byte{0, 1}, tables: [][]byte{{0x70, 0, 2}}, count: true, customs: [][]byte{append(appendName(nil, "note"), 1)}}
	m.data = [][]byte{append([]byte{1, 4}, "data"...)}
	m.elems = [][]byte{cat([]byte{0}, i32c(0), []byte{opEnd, 2, 0, 1})}
	m.globals = [][]byte{{tI32, 1, opI32Const, 7, opEnd}}
	m.add("run", []byte{tI64}, []byte{tI32, tF64}, []byte{tI32}, cat(i32c(1), []byte{0x44, 0, 0, 0, 0, 0, 0, 0, 0}))
	m.add("", nil, nil, nil, cat(i32c(0), i32c(0), i32c(4), op(opMisc, miscMemoryInit, 0, 0)))
	whole := rewritten(t, m.wasm())
	hollow, err := Hollow(whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(hollow); err != nil {
		t.Fatal(err)
	}
	rt := newRuntime(t)
	a, err := rt.CompileModule(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	b, err := rt.CompileModule(t.Context(), hollow)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range a.ExportedFunctions() {
		g := b.ExportedFunctions()[name]
		if g == nil || string(f.ParamTypes()) != string(g.ParamTypes()) || string(f.ResultTypes()) != string(g.ResultTypes()) {
			t.Errorf("%s differs", name)
		}
	}
	if len(a.ImportedFunctions()) != len(b.ImportedFunctions()) || len(b.CustomSections()) != 0 {
		t.Error("imports or custom sections differ")
	}
	for _, bad := range [][]byte{nil, []byte("\x00asm\x02\x00\x00\x00"), append(whole[:8:8], 1, 99), append(whole[:8:8], secCode, 1, 99)} {
		if _, err := Hollow(bad); !errs.Is(err, errs.Invalid) {
			t.Errorf("% x: %v", bad, err)
		}
	}
}
