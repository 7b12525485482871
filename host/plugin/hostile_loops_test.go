package plugin

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/weir-ml/weir/host/errs"
)

// gateOf is a guest that behaves but for its gate.
func gateOf(code string) *hostileGuest {
	g := newGuest()
	g.globals = []uint32{0}
	g.tables = []uint32{16}
	return g.local("weir_gate", "ii>l", "iil", code+" i64.const 0")
}

// forever is the loop without anything in it.
const forever = " loop br 0 end "

// TestHostileLoops: what does not end is ended by its fuel, or by the time where it has plenty of that.
func TestHostileLoops(t *testing.T) {
	var cases []hostileCase
	burns := func(name string, g *hostileGuest, use func(context.Context, *Plugin) error) {
		cases = append(cases, hostileCase{name: name, module: g, use: use, kind: errs.Exhausted, cause: causeFuel, text: "burned its fuel of 20000000 units"})
	}
	for name, code := range map[string]string{
		"empty loop":                   forever,
		"counting loop":                "loop global.get 0 i32.const 1 i32.add global.set 0 br 0 end",
		"conditional loop":             "loop i32.const 1 br_if 0 end",
		"br_table loop":                "loop local.get 0 br_table 0 0 0 0 ; end",
		"loop out of nested blocks":    "loop block block block block br 4 end end end end end",
		"loops in loops":               "loop loop loop loop br 3 end end end end",
		"loop in if":                   "loop i32.const 1 if i32.const 0 if else br 2 end end br 0 end",
		"loop with dead code":          "loop br 0 unreachable i32.const 0 drop br 0 end",
		"memory.fill loop":             "loop i32.const 65536 i32.const 7 i32.const 4096 memory.fill br 0 end",
		"memory.copy loop":             "loop i32.const 65536 i32.const 65544 i32.const 4096 memory.copy br 0 end",
		"bulk loop of no bytes":        "loop i32.const 0 i32.const 0 i32.const 0 memory.fill br 0 end",
		"memory.grow loop of nothing":  "loop i32.const 0 memory.grow drop br 0 end",
		"memory.grow loop that fails":  "loop i32.const 65535 memory.grow drop br 0 end",
		"memory.size loop":             "loop memory.size drop br 0 end",
		"table.grow loop of nothing":   "loop ref.null i32.const 0 table.grow 0 drop br 0 end",
		"table.grow loop that fails":   "loop ref.null i32.const 0x7fffffff table.grow 0 drop br 0 end",
		"table.fill loop":              "loop i32.const 0 ref.null i32.const 16 table.fill 0 br 0 end",
		"table.set loop":               "loop i32.const 3 ref.null table.set 0 br 0 end",
		"table.copy loop":              "loop i32.const 0 i32.const 8 i32.const 8 table.copy br 0 end",
		"store loop":                   "loop i32.const 65536 i64.const 1 i64.store br 0 end",
		"loop that keeps its operands": "loop i32.const 1 i32.const 2 i32.const 3 br 0 end",
	} {
		burns(name, gateOf(code), useGate)
	}
	burns("exponential recursion", gateOf("i32.const 60 call $fib drop").
		fn("$fib", "i>i", "local.get 0 i32.const 2 i32.lt_s if:i local.get 0 else local.get 0 i32.const 1 i32.sub call $fib local.get 0 i32.const 2 i32.sub call $fib i32.add end"), useGate)
	tree := gateOf("i32.const 40 call $tree")
	tree.elements = []string{"$tree"}
	burns("exponential call_indirect", tree.
		fn("$tree", "i>", "local.get 0 if local.get 0 i32.const 1 i32.sub i32.const 0 call_indirect i> local.get 0 i32.const 1 i32.sub i32.const 0 call_indirect i> end"), useGate)
	// A chain of functions, each of which calls the next one twice: no loop, no recursion, 2^40 calls.
	chain := gateOf("call $f0")
	for i := range 40 {
		chain.fn(fmt.Sprintf("$f%d", i), ">", fmt.Sprintf("call $f%d call $f%d", i+1, i+1))
	}
	burns("chain of calls, doubling", chain.fn("$f40", ">", ""), useGate)

	// Loops everywhere where a guest is entered.
	in := func(export, sig, result string) *hostileGuest { return newGuest().fn(export, sig, forever+result) }
	start := newGuest().fn("$start", ">", forever)
	start.start = "$start"
	for _, c := range []struct {
		name string
		g    *hostileGuest
		use  func(context.Context, *Plugin) error
	}{
		{"loop in the start function", start, nil},
		{"loop in _initialize", newGuest().fn("_initialize", ">", forever), nil},
		{"loop in weir_abi_version", in("weir_abi_version", ">i", "i32.const 1"), nil},
		{"loop in weir_describe", in("weir_describe", ">l", "i64.const 0"), nil},
		{"loop in weir_alloc", in("weir_alloc", "i>i", "i32.const 0"), nil},
		{"loop in weir_init", in("weir_init", "ii>i", "i32.const 0"), nil},
		{"loop in weir_free", in("weir_free", "ii>", ""), nil},
		{"loop in weir_schema", in("weir_schema", ">l", "i64.const 0"), nil},
		{"loop in weir_error", in("weir_error", ">l", "i64.const 0").fn("weir_gate", "ii>l", "i64.const 0"), useGate},
		{"loop in weir_transform", in("weir_transform", "i>i", "i32.const 0"), useTransform},
		{"loop in weir_row", rowGuestOf(forever + "i32.const 0"), useRow},
		{"loop in weir_metric_update", in("weir_metric_update", "ii>i", "i32.const 0"), useMetric},
		{"loop in weir_metric_state", in("weir_metric_state", ">l", "i64.const 0"), useMetric},
		{"loop in weir_metric_merge", in("weir_metric_merge", "ii>i", "i32.const 0"), useMetric},
		{"loop in weir_metric_finish", in("weir_metric_finish", ">l", "i64.const 0"), useMetric},
		{"loop in weir_metric_reset", in("weir_metric_reset", ">i", "i32.const 0"), useMetric},
		{"loop in weir_gate", in("weir_gate", "ii>l", "i64.const 0"), useGate},
		{"loop in weir_handle", in("weir_handle", "ii>l", "i64.const 0"), useHandle},
	} {
		burns(c.name, c.g, c.use)
	}

	// The same by time.
	long := Limits{Fuel: 1 << 60, Timeout: 20 * time.Millisecond}
	late := func(name string, g *hostileGuest, use func(context.Context, *Plugin) error) {
		cases = append(cases, hostileCase{name: name, module: g, use: use, limits: long, kind: errs.Timeout, cause: causeTimeout, text: "stopped after its time limit of 20ms"})
	}
	late("empty loop, by time", gateOf(forever), useGate)
	late("exponential recursion, by time", gateOf("i32.const 80 call $fib drop").
		fn("$fib", "i>i", "local.get 0 i32.const 2 i32.lt_s if:i local.get 0 else local.get 0 i32.const 1 i32.sub call $fib local.get 0 i32.const 2 i32.sub call $fib i32.add end"), useGate)
	late("large bulk operations, by time", gateOf("i32.const 100 memory.grow drop loop i32.const 65536 i32.const 7 i32.const 4000000 memory.fill br 0 end"), useGate)
	late("loop in the start function, by time", start, nil)
	late("loop in weir_transform, by time", in("weir_transform", "i>i", "i32.const 0"), useTransform)

	// Recursion without an end, none of which touches the linear memory.
	deep := func(name string, g *hostileGuest) {
		cases = append(cases, hostileCase{name: name, module: g, use: useGate, limits: Limits{Fuel: 1 << 60, Timeout: time.Minute},
			kind: errs.Exhausted, cause: causeStack, text: "its recursion overflowed the stack"})
	}
	deep("recursion", gateOf("call $r").fn("$r", ">", "call $r"))
	deep("mutual recursion", gateOf("call $a").fn("$a", ">", "call $b").fn("$b", ">", "call $a"))
	turn := gateOf("call $r").fn("$r", ">", "i32.const 0 call_indirect >")
	turn.elements = []string{"$r"}
	deep("recursion by call_indirect", turn)
	wide := gateOf("call $r")
	deep("recursion with wide frames", wide.local("$r", ">", "lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll", "call $r"))
	burns("recursion beyond its fuel", gateOf("i32.const 30000000 call $down").fn("$down", "i>", "local.get 0 if local.get 0 i32.const 1 i32.sub call $down end"), nil)
	cases[len(cases)-1].use, cases[len(cases)-1].limits, cases[len(cases)-1].text = useGate, Limits{Fuel: 100_000}, "burned its fuel of 100000 units"
	runHostile(t, cases)
}

// rowGuestOf behaves but for weir_row, for one float64 column x.
func rowGuestOf(code string) *hostileGuest {
	const field = `[{"name":"x","type":"float64"}]`
	return newGuest().answer("weir_schema", ">l", `{"inputs":`+field+`,"outputs":`+field+`}`).fn("weir_row", "i>i", code)
}

// TestHostileFuelIsExact: what a call burns is the same each time, and a unit less is too little.
func TestHostileFuelIsExact(t *testing.T) {
	h, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	g := newGuest()
	g.local("weir_gate", "ii>l", "i", "i32.const 100000 local.set 2 loop local.get 2 i32.const 1 i32.sub local.tee 2 br_if 0 end "+fmt.Sprintf("i64.const %d", g.text(`{"outcome":"pass","reasons":["counted"]}`)))
	wasm := g.wasm()
	// The call's fuel: what two calls burn less what one does, with the documents' memory asked for and given back.
	burn := func(fuel int64, calls int) (int64, error) {
		p, err := h.Open(ctx, wasm, nil, Limits{Fuel: fuel})
		if err != nil {
			return 0, err
		}
		defer p.Close()
		before := p.Stats().Fuel
		for range calls {
			if _, err := p.Gate(ctx, []byte(`{}`)); err != nil {
				return 0, err
			}
		}
		return int64(p.Stats().Fuel - before), nil
	}
	one, err := burn(1<<40, 1)
	if err != nil {
		t.Fatal(err)
	}
	two, err := burn(1<<40, 2)
	if err != nil || two != 2*one {
		t.Fatalf("one call burns %d units, two burn %d, %v", one, two, err)
	}
	// The smallest limit that is enough, found by halving; one less fails, and both always.
	low, high := int64(1000), one
	for low+1 < high {
		if mid := (low + high) / 2; func() bool { _, err := burn(mid, 1); return err == nil }() {
			high = mid
		} else {
			low = mid
		}
	}
	for range 3 {
		if _, err := burn(high, 1); err != nil {
			t.Errorf("%d units: %v", high, err)
		}
		if _, err := burn(high-1, 1); !errs.Is(err, errs.Exhausted) {
			t.Errorf("%d units are enough, too: %v", high-1, err)
		}
	}
	if high < one-100 || high < 100_000 {
		t.Errorf("a call that burns %d units needs %d", one, high)
	}
}
