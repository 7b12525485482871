package fuel

import (
	"bytes"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/errs"
)

// slowToCompile are modules of a few kilobytes that the engine would compile for minutes. Each grows with n.
var slowToCompile = map[string]struct {
	body   func(n int) []byte
	locals int
	most   int // an n that is accepted
	text   string
}{
	"memory.fill in a row": {func(n int) []byte {
		return bytes.Repeat(cat(i32c(0), i32c(1), i32c(9), op(opMisc, miscMemoryFill, 0)), n)
	}, 0, 4_000, "basic blocks"},
	"loops in a row": {func(n int) []byte { return bytes.Repeat(loop(i32c(0), op(opBrIf, 0)), n) }, 0, 3_000, "basic blocks"},
	"loops in loops": {func(n int) []byte {
		var b []byte
		for range n {
			b = cat([]byte{opLoop, blockEmpty}, b, i32c(0), op(opBrIf, 0), op(opEnd))
		}
		return b
	}, 0, 3_000, "basic blocks"},
	"ifs over locals": {func(n int) []byte {
		var b []byte
		for i := range n {
			b = append(b, cat(i32c(0), []byte{opIf, blockEmpty}, op(opLocalGet, uint32(i%2000)), op(opLocalSet, uint32(i*7%2000)), op(opEnd))...)
		}
		return b
	}, 2000, 700, "basic blocks times 2000 locals"},
	"locals through loops": {func(n int) []byte {
		var b []byte
		for i := range 1000 {
			b = append(b, cat(op(opLocalGet, uint32(i)), op(opLocalSet, uint32(i*7%1000)))...)
		}
		for range n {
			b = loop(b, i32c(0), op(opBrIf, 0))
		}
		return b
	}, 1000, 40, "hand on"},
}

// TestSlowToCompile: what takes the compiler too long is refused before it sees it, and the message says what and where.
func TestSlowToCompile(t *testing.T) {
	for name, tc := range slowToCompile {
		module := func(n int) []byte {
			m := &builder{memory: []byte{0, 1}}
			m.add("", nil, nil, nil, nil)
			m.add("run", nil, nil, bytes.Repeat([]byte{tI32}, tc.locals), tc.body(n))
			return m.wasm()
		}
		if _, _, err := Rewrite(module(tc.most), Options{Trusted: true}); err != nil {
			t.Errorf("%s: %d are refused: %v", name, tc.most, err)
		}
		_, _, err := Rewrite(module(tc.most*5/2), Options{Trusted: true})
		if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), tc.text) || !strings.Contains(err.Error(), "function 1") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkSlowToCompile compiles the slowest functions that are accepted.
func BenchmarkSlowToCompile(b *testing.B) {
	for name, tc := range slowToCompile {
		b.Run(strings.ReplaceAll(name, " ", "_"), func(b *testing.B) {
			m := &builder{memory: []byte{0, 1}}
			m.add("run", nil, nil, bytes.Repeat([]byte{tI32}, tc.locals), tc.body(tc.most))
			out, _, err := Rewrite(m.wasm(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				rt := newRuntime(b)
				if _, err := rt.CompileModule(b.Context(), out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
