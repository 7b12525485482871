package fuel

import (
	"context"
	"errors"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/weir-ml/weir/host/errs"
)

// endless are modules whose export "run" (or start function) never ends by itself.
func endless() map[string][]byte {
	out := map[string][]byte{}
	out["for"] = one(loop(op(opBr, 0)))
	out["br_if to itself"] = one(loop(i32c(1), op(opBrIf, 0)))
	out["br_if self loop in dead end"] = one(loop(i32c(1), op(opBrIf, 0), op(opBr, 0)))
	out["nested loops"] = one(loop(loop(loop(op(opBr, 2)))))
	out["inner falls, outer repeats"] = one(loop(loop(i32c(0), op(opBrIf, 0)), op(opBr, 0)))
	out["only a br_table"] = one(loop(i32c(3), op(opBrTable, 2, 0, 0, 0)))
	out["br_table with one target"] = one(loop(i32c(0), op(opBrTable, 0, 0)))
	out["if arms"] = one(loop(i32c(1), []byte{opIf, blockEmpty}, op(opBr, 1), op(opElse), op(opBr, 1), op(opEnd)))

	m := &builder{}
	typ := m.typ([]byte{tI32, tI64}, []byte{tI32, tI64})
	m.add("run", nil, nil, nil, cat(i32c(1), i64c(2), []byte{opLoop}, appendS64(nil, int64(typ)), op(opBr, 0), op(opEnd), op(0x1a), op(0x1a)))
	out["loop with parameters"] = m.wasm()

	m = &builder{} // a loop whose only work is in a block that branches to the loop
	m.add("run", nil, nil, nil, loop(blk(blk(op(opBr, 2)))))
	out["branch over blocks"] = m.wasm()

	m = &builder{}
	m.add("run", nil, nil, nil, op(opCall, 0))
	out["recursion"] = m.wasm()

	m = &builder{}
	m.add("run", nil, nil, nil, op(opCall, 1))
	m.add("", nil, nil, nil, op(opCall, 2))
	m.add("", nil, nil, nil, op(opCall, 0))
	out["mutual recursion"] = m.wasm()

	indirect := func(code ...[]byte) []byte {
		m := &builder{tables: [][]byte{{0x70, 0, 2}}}
		m.elems = [][]byte{cat([]byte{0}, i32c(0), []byte{opEnd, 2, 0, 1})}
		m.add("run", nil, nil, nil, cat(code...))
		m.add("", nil, nil, nil, cat(code...))
		return m.wasm()
	}
	out["call_indirect recursion"] = indirect(i32c(1), op(opCallIndirect, 0, 0))
	out["call_indirect in a loop"] = indirect(loop(i32c(1), op(opCallIndirect, 0, 0), op(opBr, 0)))

	// A tree of calls without recursion or loop: 2 to the 40th.
	m = &builder{}
	for i := range 40 {
		name := ""
		if i == 0 {
			name = "run"
		}
		m.add(name, nil, nil, nil, cat(op(opCall, uint32(i+1)), op(opCall, uint32(i+1))))
	}
	m.add("", nil, nil, nil, nil)
	out["a tree of calls"] = m.wasm()

	bulk := func(name string, code ...[]byte) {
		m := &builder{memory: []byte{0, 100}, tables: [][]byte{{0x70, 0, 100}}, count: true}
		m.data = [][]byte{append([]byte{1, 4}, "data"...)}
		m.add("run", nil, nil, nil, cat(code...))
		out[name] = m.wasm()
	}
	fill := cat(i32c(0), i32c(1), i32c(100<<16), op(opMisc, miscMemoryFill, 0))
	var long []byte
	for range 100 {
		long = append(long, fill...)
	}
	bulk("memory.fill in a loop", loop(fill, op(opBr, 0)))
	bulk("memory.fill 100 times in a row", long)
	bulk("memory.copy in a loop", loop(i32c(0), i32c(1), i32c(0x7fff), op(opMisc, miscMemoryCopy, 0, 0), op(opBr, 0)))
	bulk("memory.grow by nothing in a loop", loop(i32c(0), op(opMemoryGrow, 0), op(0x1a), op(opBr, 0)))
	bulk("memory.init in a loop", loop(i32c(0), i32c(0), i32c(4), op(opMisc, miscMemoryInit, 0, 0), op(opBr, 0)))
	bulk("table.fill in a loop", loop(i32c(0), []byte{opRefNull, 0x70}, i32c(100), op(opMisc, miscTableFill, 0), op(opBr, 0)))
	bulk("table.grow that fails in a loop", loop([]byte{opRefNull, 0x70}, i32c(-1), op(opMisc, miscTableGrow, 0), op(0x1a), op(opBr, 0)))

	m = &builder{start: []byte{0}}
	m.add("", nil, nil, nil, loop(op(opBr, 0)))
	out["start function"] = m.wasm()
	return out
}

func TestEndlessModulesAreStopped(t *testing.T) {
	for name, wasm := range endless() {
		t.Run(name, func(t *testing.T) {
			out := rewritten(t, wasm)
			rt := newRuntime(t)
			// run answers how the module ended: the start function's ends in instantiate.
			run := func(m *Meter, ctx context.Context, budget int64, deadline time.Time) error {
				g, err := instantiate(t, rt, out, m, ctx, budget, deadline)
				if err != nil {
					return err
				}
				defer g.Close(g.ctx)
				_, err = g.ExportedFunction("run").Call(g.ctx)
				return err
			}
			stack := strings.Contains(name, "recursion")
			budget := int64(3_000_000)
			if stack {
				budget = 100_000 // the stack ends, too
			}
			var units [2]int64
			for k, slice := range []int64{1_000, DefaultSlice} {
				m := NewMeter(slice)
				if err := run(m, nil, budget, time.Time{}); !errors.Is(err, ErrExhausted) || !errs.Is(err, errs.Exhausted) {
					t.Fatalf("slice %d: %v", slice, err)
				}
				units[k] = m.granted
			}
			if units[0] > budget || units[1] > budget {
				t.Errorf("granted %v of %d", units, budget)
			}
			if stack {
				return // no deadline comes before the stack's end
			}
			patience := 20 * time.Millisecond
			if strings.Contains(name, "100 times") {
				patience = 0 // it ends by itself, on a fast machine before any later moment
			}
			if err := run(NewMeter(0), nil, MaxBudget, time.Now().Add(patience)); !errors.Is(err, ErrDeadline) || !errs.Is(err, errs.Timeout) {
				t.Errorf("deadline: %v", err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if patience == 0 {
				cancel()
			}
			timer := time.AfterFunc(patience, cancel)
			defer timer.Stop()
			if err := run(NewMeter(0), ctx, MaxBudget, time.Time{}); !errors.Is(err, context.Canceled) || !Stopped(err) {
				t.Errorf("cancelled: %v", err)
			}
		})
	}
}

// A test is never further away than the bound, on any path: a guest with a slice of one unit asks for more at once.
func TestTestsAreClose(t *testing.T) {
	// Straight code, arms that skip tests, and returns of large functions.
	arm := cat(op(opLocalGet, 0), []byte{opIf, blockEmpty}, bytesOf(cat(op(opLocalGet, 0), op(opLocalSet, 0)), 3*gapUnits), op(opEnd))
	straight := bytesOf(cat(op(opLocalGet, 0), op(opLocalSet, 0)), gapUnits-20)
	m := &builder{}
	m.add("run", []byte{tI32}, nil, nil, cat(bytesOf(cat(straight, arm), 50)))
	g, err := instantiate(t, newRuntime(t), rewritten(t, m.wasm()), NewMeter(1), nil, MaxBudget, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	before := g.meter.Refills()
	if _, _, err := g.call("run", MaxBudget, 0); err != nil {
		t.Fatal(err)
	}
	// The arms are not taken, so 50 stretches of straight code run; each is just below the bound.
	if n := g.meter.Refills() - before; n < 45 {
		t.Errorf("50 stretches of %d units were tested %d times", gapUnits-20, n)
	}
}

func bytesOf(b []byte, n int) []byte {
	out := make([]byte, 0, len(b)*n)
	for range n {
		out = append(out, b...)
	}
	return out
}

func TestMeter(t *testing.T) {
	m := &builder{}
	n := op(opLocalGet, 0)
	m.add("count", []byte{tI32}, nil, nil, loop(n, i32c(1), op(0x6b), op(opLocalTee, 0), op(opBrIf, 0))) // 1 + 4n
	g, err := instantiate(t, newRuntime(t), rewritten(t, m.wasm()), NewMeter(100), nil, 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	count := func(n uint64) error {
		_, err := g.ExportedFunction("count").Call(g.ctx, n)
		return err
	}
	// Exactly enough, and one less.
	for _, c := range []struct {
		budget int64
		ok     bool
	}{{4001, true}, {4000, false}, {0, false}, {-5, false}, {1 << 40, true}} {
		g.meter.Start(context.Background(), c.budget, time.Time{})
		err := count(1000)
		if c.ok != (err == nil) || !c.ok && !errors.Is(err, ErrExhausted) {
			t.Errorf("budget %d: %v", c.budget, err)
		}
		if c.ok && (g.meter.Used() != 4001 || g.meter.Remaining() != c.budget-4001) {
			t.Errorf("budget %d: used %d, remaining %d", c.budget, g.meter.Used(), g.meter.Remaining())
		}
	}
	// What one call leaves of its slice is no gift to the next.
	for range 100 {
		g.meter.Start(context.Background(), 41, time.Time{})
		if err := count(10); err != nil {
			t.Fatal(err)
		}
		g.meter.Start(context.Background(), 40, time.Time{})
		if err := count(10); !errors.Is(err, ErrExhausted) {
			t.Fatalf("40 of 41 units: %v", err)
		}
	}
	// After Stop there is what is left of the slice, and no more.
	g.meter.Start(context.Background(), 1_000_000, time.Time{})
	if err := count(1); err != nil {
		t.Fatal(err)
	}
	g.meter.Stop()
	if err := count(30); !errors.Is(err, ErrExhausted) {
		t.Errorf("after Stop: %v", err)
	}
	// A limit of time from the first refill.
	g.meter.StartWithin(context.Background(), MaxBudget, 5*time.Millisecond)
	if err := count(0); !errors.Is(err, ErrDeadline) { // four billion times
		t.Errorf("within 5 ms: %v", err)
	}
	g.meter.StartWithin(context.Background(), MaxBudget, 0)
	if err := count(1000); err != nil {
		t.Errorf("without a limit: %v", err)
	}
	// A context that is over stops at the first refill.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	g.meter.Start(ctx, MaxBudget, time.Time{})
	if err := count(1000); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrDeadline) {
		t.Errorf("cancelled: %v", err)
	}
}

// Host functions charge for their work; it counts like the guest's own.
func TestBurn(t *testing.T) {
	m := &builder{}
	m.imports = append(m.imports, append(appendName(appendName(nil, "env"), "work"), 0, byte(m.typ(nil, nil))))
	m.add("run", []byte{tI32}, nil, nil, loop(op(opCall, 0), op(opLocalGet, 0), i32c(1), op(0x6b), op(opLocalTee, 0), op(opBrIf, 0)))
	ctx := context.Background()
	rt := newRuntime(t)
	meter := NewMeter(0)
	if _, err := rt.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(func() { meter.Burn(1000) }).Export("work").Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	g, err := instantiate(t, rt, rewritten(t, m.wasm()), meter, nil, 100, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	const pass = 1 + 6 + 60 + 1 + 1 + 1 + 1000 // loop, call of an import, sub, tee, br_if, the host's
	if _, used, err := g.call("run", MaxBudget, 10); err != nil || used != 1+10*pass {
		t.Errorf("used %d, want %d (%v)", used, 1+10*pass, err)
	}
	if _, _, err := g.call("run", 1+10*pass-1001, 10); !errors.Is(err, ErrExhausted) {
		t.Errorf("too little for the host's work: %v", err)
	}
}

func TestCallsWithoutMeter(t *testing.T) {
	out := rewritten(t, one(loop(op(opBr, 0))))
	rt := newRuntime(t)
	ctx := context.Background()
	mod, err := rt.InstantiateWithConfig(ctx, out, wazero.NewModuleConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mod.ExportedFunction("run").Call(ctx); !errs.Is(err, errs.Internal) || !strings.Contains(err.Error(), "without its fuel meter") {
		t.Errorf("%v", err)
	}
	plain, err := rt.InstantiateWithConfig(ctx, one(), wazero.NewModuleConfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := NewMeter(0).Attach(plain); !errs.Is(err, errs.Internal) {
		t.Errorf("attached to a module without counter: %v", err)
	}
}

// A collection during a long guest call waits for about a slice before the world stops.
func TestCollectorGetsItsTurn(t *testing.T) {
	const name = "/sched/pauses/stopping/gc:seconds"
	for _, slice := range []int64{DefaultSlice, 10 * DefaultSlice} {
		g, err := instantiate(t, newRuntime(t), rewritten(t, kernels()["sum_f64"]), NewMeter(slice), nil, MaxBudget, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		done := make(chan error)
		g.meter.Start(ctx, MaxBudget, time.Time{})
		go func() {
			for {
				if _, err := g.ExportedFunction("run").Call(g.ctx, 1_000_000_000); err != nil {
					done <- err
					return
				}
			}
		}()
		time.Sleep(20 * time.Millisecond)
		sample := []metrics.Sample{{Name: name}}
		metrics.Read(sample)
		before := slices.Clone(sample[0].Value.Float64Histogram().Counts)
		collections := 0
		for end := time.Now().Add(time.Second); time.Now().Before(end); collections++ {
			runtime.GC()
		}
		metrics.Read(sample)
		after := sample[0].Value.Float64Histogram()
		worst := 0.0
		for i, n := range after.Counts {
			if n > before[i] {
				worst = after.Buckets[i]
			}
		}
		from := time.Now()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		t.Logf("slice %d: %d collections, the longest stop of the world took %.3f ms, cancelling %s", slice, collections, worst*1e3, time.Since(from).Round(time.Microsecond))
		if collections < 2 {
			t.Error("hardly any collection took place")
		}
	}
}

// TestLongCallsTakeTurns: on one processor, beside a guest that never ends, another goroutine gets far more turns than the
// scheduler's slices of 10 ms would give it.
func TestLongCallsTakeTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const limit = 500 * time.Millisecond
	m := NewMeter(0)
	g, err := instantiate(t, newRuntime(t), rewritten(t, endless()["for"]), m, nil, MaxBudget, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(g.ctx)
	done := make(chan error)
	go func() {
		m.StartWithin(context.Background(), MaxBudget, limit)
		_, err := g.ExportedFunction("run").Call(g.ctx)
		done <- err
	}()
	for turns := 0; ; turns++ {
		select {
		case err := <-done:
			if !errors.Is(err, ErrDeadline) {
				t.Fatal(err)
			}
			if most := int(limit / (10 * time.Millisecond)); turns < 4*most {
				t.Fatalf("%d turns; whole slices would be %d", turns, most)
			}
			return
		default:
			runtime.Gosched()
		}
	}
}

// TestBulkThatWouldEndLateIsNotBegun: filling 64 MiB takes milliseconds that nothing can interrupt, so a deadline in a millisecond
// stops it before; one in a minute does not.
func TestBulkThatWouldEndLateIsNotBegun(t *testing.T) {
	m := &builder{memory: []byte{0, 0x80, 0x08}} // 1,024 pages
	m.add("run", nil, nil, nil, cat(i32c(0), i32c(7), i32c(64<<20), op(opMisc, miscMemoryFill, 0)))
	meter := NewMeter(0)
	g, err := instantiate(t, newRuntime(t), rewritten(t, m.wasm()), meter, nil, MaxBudget, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(g.ctx)
	run := func(limit time.Duration) (byte, error) {
		meter.StartWithin(context.Background(), MaxBudget, limit)
		_, err := g.ExportedFunction("run").Call(g.ctx)
		b, _ := g.Memory().ReadByte(0)
		return b, err
	}
	if b, err := run(time.Millisecond); !errors.Is(err, ErrDeadline) || b != 0 {
		t.Errorf("a millisecond: the first byte is %d, %v", b, err)
	}
	if b, err := run(time.Minute); err != nil || b != 7 {
		t.Errorf("a minute: the first byte is %d, %v", b, err)
	}
}
