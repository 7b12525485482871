package fuel

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/weir-ml/weir/host/errs"
)

// FuzzRewrite: whatever the bytes, an answer or an error of kind invalid; never a panic, and never a module that wazero
// refuses (which Rewrite itself calls internal).
func FuzzRewrite(f *testing.F) {
	for _, k := range kernels() {
		f.Add(k)
	}
	for seed := range uint64(8) {
		f.Add(generate(stream(seed)))
	}
	for _, h := range hostile() {
		if len(h.wasm) < 1<<16 {
			f.Add(h.wasm)
		}
	}
	if b, err := os.ReadFile(filepath.Join("..", "..", "..", "plugins", "identity", "identity.wasm")); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, wasm []byte) {
		out, report, err := Rewrite(wasm, Options{})
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if report.BytesOut != len(out) {
			t.Fatalf("%d bytes reported, %d made", report.BytesOut, len(out))
		}
		if _, _, err := Rewrite(out, Options{}); err == nil {
			t.Fatal("a rewritten module was rewritten again")
		}
	})
}

// stream is a reproducible source for the generator.
func stream(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 200+r.IntN(1500))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// FuzzSame: a generated module does the same with and without fuel: results, memory, globals or the same trap; and burns the
// same units in every run, whatever the slice.
func FuzzSame(f *testing.F) {
	for seed := range uint64(30) {
		f.Add(stream(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<14 {
			return
		}
		sameBehaviour(t, generate(src))
	})
}

// TestSame is the same on many modules, and counts what they did, so that it cannot run nothing.
func TestSame(t *testing.T) {
	var all sameCounts
	for seed := range uint64(400) {
		all.add(sameBehaviour(t, generate(stream(1000+seed))))
		if t.Failed() {
			t.Fatalf("seed %d", 1000+seed)
		}
	}
	t.Logf("%d calls returned, %d trapped, %d were stopped; %d units", all.returned, all.trapped, all.stopped, all.units)
	if all.returned < 800 || all.trapped < 100 || all.stopped < 10 {
		t.Errorf("too few: %+v", all)
	}
}

type sameCounts struct{ returned, trapped, stopped, units int }

func (c *sameCounts) add(o sameCounts) {
	c.returned, c.trapped, c.stopped, c.units = c.returned+o.returned, c.trapped+o.trapped, c.stopped+o.stopped, c.units+o.units
}

// run is what a call did.
type runResult struct {
	values []uint64
	fail   error
	used   int64
	state  string // memory and globals
}

func stateOf(mod api.Module) string {
	b, _ := mod.Memory().Read(0, mod.Memory().Size())
	s := string(b)
	for i := range 3 {
		s += itoa(int(mod.ExportedGlobal("g" + itoa(i)).Get()))
	}
	return s
}

func sameBehaviour(t *testing.T, wasm []byte) (n sameCounts) {
	t.Helper()
	const budget = 400_000
	ctx := context.Background()
	out, _, err := Rewrite(wasm, Options{})
	if err != nil {
		t.Fatalf("rewrite: %v\n%x", err, wasm)
	}
	rt := wazero.NewRuntime(ctx)
	defer rt.Close(ctx)
	if err := Instantiate(ctx, rt); err != nil {
		t.Fatal(err)
	}
	plain, err := rt.CompileModule(ctx, wasm)
	if err != nil {
		t.Fatal(err)
	}
	fuelled, err := rt.CompileModule(ctx, out)
	if err != nil {
		t.Fatal(err)
	}
	burn := func(name string, args []uint64, slice, budget int64) runResult {
		m := NewMeter(slice)
		ctx := m.Context(ctx)
		m.Start(context.Background(), budget, time.Time{})
		mod, err := rt.InstantiateModule(ctx, fuelled, wazero.NewModuleConfig().WithName(""))
		if err != nil {
			t.Fatal(err)
		}
		defer mod.Close(ctx)
		if err := m.Attach(mod); err != nil {
			t.Fatal(err)
		}
		m.Start(context.Background(), budget, time.Time{})
		v, err := mod.ExportedFunction(name).Call(ctx, args...)
		return runResult{v, err, m.Used(), stateOf(mod)}
	}
	for i := range genFuncs {
		name := "f" + itoa(i)
		args := make([]uint64, len(plain.ExportedFunctions()[name].ParamTypes()))
		for k := range args {
			args[k] = uint64(3 + k)
		}
		a := burn(name, args, 1_000, budget)
		b := burn(name, args, DefaultSlice, budget)
		if a.state != b.state || trapText(a.fail) != trapText(b.fail) || !equal(a.values, b.values) {
			t.Fatalf("%s: two runs differ: %v, %v\n%x", name, a.fail, b.fail, wasm)
		}
		if errors.Is(a.fail, ErrExhausted) {
			n.stopped++
			continue
		}
		mod, err := rt.InstantiateModule(ctx, plain, wazero.NewModuleConfig().WithName(""))
		if err != nil {
			t.Fatal(err)
		}
		v, fail := mod.ExportedFunction(name).Call(ctx, args...)
		if trapText(fail) != trapText(a.fail) {
			t.Fatalf("%s: %v, with fuel %v\n%x", name, fail, a.fail, wasm)
		}
		overflow := fail != nil && strings.Contains(fail.Error(), "stack overflow") // at another depth
		if !equal(v, a.values) || !overflow && stateOf(mod) != a.state {
			t.Fatalf("%s: %x, with fuel %x, or their memories differ\n%x", name, v, a.values, wasm)
		}
		mod.Close(ctx)
		if fail != nil {
			n.trapped++
			continue
		}
		n.returned++
		n.units += int(a.used)
		if a.used != b.used {
			t.Fatalf("%s: burned %d and %d units\n%x", name, a.used, b.used, wasm)
		}
		if c := burn(name, args, 77, a.used); c.fail != nil || c.used != a.used {
			t.Fatalf("%s: with just what it needs, %d units: %v, burned %d\n%x", name, a.used, c.fail, c.used, wasm)
		}
	}
	return n
}

func equal(a, b []uint64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
