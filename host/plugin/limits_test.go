package plugin

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// TestFuelOfOneCall: a call that burns more than its budget ends, with a cause of its own, long before its time is up; the same
// call within the budget does not.
func TestFuelOfOneCall(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	h, err := New(Options{CacheDir: codeDir, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	p, err := h.Open(ctx, hostile(t), nil, Limits{Fuel: 2_000_000, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, mode := range []string{"loop", "empty loop", "fib", "fill loop"} {
		before := p.Stats()
		_, err := p.Gate(ctx, []byte(mode))
		wantFault(t, err, p, errs.Exhausted, "its fuel of 2000000 units in one call")
		if !strings.Contains(err.Error(), "fuel_per_call") {
			t.Errorf("%s: the error does not say what to do: %v", mode, err)
		}
		// A slice more than the budget can be granted, not more; a little less than the budget is used when the last charge did not fit.
		if burned := p.Stats().Fuel - before.Fuel; burned < 1_500_000 || burned > 2_200_000 {
			t.Errorf("%s: %d units burned", mode, burned)
		}
		if v, err := p.Gate(ctx, []byte("behave")); err != nil || v.Outcome != abi.Pass {
			t.Errorf("afterwards: %+v, %v", v, err)
		}
	}
	seen := figures(t, reg)
	if n := seen["weir_plugin_traps_total,cause=fuel"]; n != 4 {
		t.Errorf("%v traps by fuel, want 4", n)
	}
	total := seen["weir_plugin_fuel_units_total,world=gate"] + seen["weir_plugin_fuel_units_total,world=start"]
	if want := p.Stats().Fuel; uint64(total) != want {
		t.Errorf("the counters say %v units, the plugin %d", total, want)
	}
	if _, err := h.Open(ctx, hostile(t), []byte(`"init loop"`), Limits{Fuel: 1_000_000, Timeout: time.Hour}); !errs.Is(err, errs.Exhausted) || !strings.Contains(err.Error(), "1000000 units") {
		t.Errorf("a loop in weir_init: %v", err)
	}
	if _, err := h.Open(ctx, tiny(tinyOptions{start: []byte{0x03, 0x40, 0x0c, 0, 0x0b}}), nil, Limits{Fuel: 1_000_000, Timeout: time.Hour}); !errs.Is(err, errs.Exhausted) || !strings.Contains(err.Error(), "1000000 units") {
		t.Errorf("a loop in the start function: %v", err)
	}
}

// TestFuelIsDeterministic: the same calls burn the same, whatever ran between them and in whichever instance.
func TestFuelIsDeterministic(t *testing.T) {
	in, params := floats(1000, 3)
	var want uint64
	for range 3 {
		p := open(t, builtin(t, "standardize"), params, Limits{})
		before := p.Stats().Fuel
		if _, err := p.Transform(context.Background(), in); err != nil {
			t.Fatal(err)
		}
		got := p.Stats().Fuel - before
		if want == 0 {
			want = got
		}
		if got != want || got == 0 {
			t.Errorf("burned %d units, before %d", got, want)
		}
	}
}

// TestFuelPerSecond: a plugin over its rate is refused with the time to wait when the caller will not wait that long, works again
// when the time has passed, and its metrics keep their sums.
func TestFuelPerSecond(t *testing.T) {
	ck := &clock{t: time.Unix(1_700_000_000, 0)}
	h, err := newHost(Options{CacheDir: codeDir}, ck.now)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	in, params := floats(8192, 4)
	p, err := h.Open(ctx, builtin(t, "standardize"), []byte(params), Limits{FuelPerSecond: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ck.add(time.Hour) // pays what opening cost
	if _, err := p.Transform(ctx, in); err != nil {
		t.Fatalf("within the rate: %v", err)
	}
	burned := p.Stats().Fuel
	for range 2 {
		_, err = p.Transform(ctx, in)
		if !errs.Is(err, errs.Exhausted) || !strings.Contains(err.Error(), "1000 units of fuel a second: retry in ") || !strings.Contains(err.Error(), "fuel_per_second") {
			t.Fatalf("over the rate: %v", err)
		}
	}
	soon, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if _, err := p.Transform(soon, in); !errs.Is(err, errs.Exhausted) {
		t.Errorf("a caller with little time: %v", err)
	}
	if now := p.Stats(); now.Fuel != burned || now.Traps != 0 {
		t.Errorf("refused calls burned or trapped: %+v", now)
	}
	ck.add(time.Duration(burned) * time.Second / 1000)
	if _, err := p.Transform(ctx, in); err != nil {
		t.Errorf("after paying it off: %v", err)
	}
	ck.add(24 * time.Hour)
	if _, err := p.Transform(ctx, in); err != nil { // the bucket holds a second's income and not a day's
		t.Error(err)
	}
	if _, err := p.Transform(ctx, in); !errs.Is(err, errs.Exhausted) {
		t.Errorf("a day of idleness was saved up: %v", err)
	}
}

func TestRateWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRate(100, time.Now)
		r.spend(350) // 2.5 s of debt
		began := time.Now()
		if d, err := r.wait(context.Background(), time.Second); err != nil || d < 2500*time.Millisecond || d > 2600*time.Millisecond || time.Since(began) != 0 {
			t.Errorf("longer than allowed: %v, %v after %v", d, err, time.Since(began))
		}
		short, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if d, _ := r.wait(short, time.Hour); d == 0 || time.Since(began) != 0 {
			t.Errorf("longer than the context: %v after %v", d, time.Since(began))
		}
		gone, cancel2 := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel2)
		if _, err := r.wait(gone, time.Hour); !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
			t.Errorf("cancelled: %v after %v", err, time.Since(began))
		}
		if d, err := r.wait(context.Background(), time.Hour); d != 0 || err != nil {
			t.Errorf("%v, %v", d, err)
		}
		if w := time.Since(began); w < 2500*time.Millisecond || w > 2600*time.Millisecond {
			t.Errorf("waited %v", w)
		}
		var none *rate
		none.spend(1 << 60)
		if d, err := none.wait(context.Background(), 0); d != 0 || err != nil {
			t.Errorf("without a limit: %v, %v", d, err)
		}
	})
}

// TestCeilings: what a plugin does not ask for is the default, and nothing is above the operator's ceilings.
func TestCeilings(t *testing.T) {
	h, err := New(Options{Defaults: Limits{Timeout: time.Second}, Ceilings: Limits{MemoryBytes: 16 << 20, Fuel: 5e9, FuelPerSecond: 7e9, LogPerSecond: 5}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	std := standard()
	for name, tc := range map[string]struct{ ask, want Limits }{
		"nothing": {Limits{}, Limits{16 << 20, time.Second, 5e9, 7e9, std.MaxInstances, std.IdleAfter, 16 << 20, 5, std.HostCallTimeout}},
		"less":    {Limits{1 << 20, time.Minute, 1e9, 2e9, 1, time.Hour, 1 << 10, 1, time.Hour}, Limits{1 << 20, time.Minute, 1e9, 2e9, 1, time.Hour, 1 << 10, 1, time.Hour}},
		"more":    {Limits{MemoryBytes: 1 << 40, Fuel: 1 << 60, FuelPerSecond: 1 << 60, LogPerSecond: 1e6}, Limits{16 << 20, time.Second, 5e9, 7e9, std.MaxInstances, std.IdleAfter, 16 << 20, 5, std.HostCallTimeout}},
	} {
		if got := h.bounded(tc.ask); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

// TestCompilationIsBounded: a compilation ends with its time, and what takes one function too long is refused before it.
func TestCompilationIsBounded(t *testing.T) {
	h, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	out, err := instrument(hostile(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := compileModule(time.Nanosecond, h.runtime, out); !errs.Is(named("", "", err), errs.Exhausted) || !strings.Contains(err.Error(), "longer than 1ns to compile") {
		t.Errorf("without time: %v", err)
	}
	if _, err := compileModule(compileTime, h.runtime, out); err != nil {
		t.Errorf("the same with time: %v", err)
	}
	fill := []byte{0x41, 0, 0x41, 1, 0x41, 9, 0xfc, 11, 0}
	if _, err := h.Inspect(context.Background(), tiny(tinyOptions{start: bytes.Repeat(fill, 5000)})); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "basic blocks") {
		t.Errorf("5,000 memory.fill: %v", err)
	}
}
