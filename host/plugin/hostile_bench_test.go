package plugin

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-ml/weir/host/errs"
)

// BenchmarkHostileNeighbour: the p99 of a neighbour's call (64 rows through standardize, one caller) alone, and beside eight
// modules that never end, each with one instance, stopped after 10 ms and called again at once. Three settings, since loops
// that may have all processors are a measure of the operating system's scheduler and not of the isolation: with fuel_per_second, as
// an operator limits guests that are not trusted with more; one caller for all eight, which keeps one processor busy; and
// eight callers without a limit. Phases alternate, so that drift of the machine meets both.
func BenchmarkHostileNeighbour(b *testing.B) {
	b.Run("fuel_per_second", func(b *testing.B) { benchNeighbour(b, 60_000_000, 8) })
	b.Run("one_caller", func(b *testing.B) { benchNeighbour(b, 0, 1) })
	b.Run("eight_callers", func(b *testing.B) { benchNeighbour(b, 0, 8) })
}

func benchNeighbour(b *testing.B, fuelPerSecond int64, callers int) {
	const phase = 1000 // calls of the neighbour
	h, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	n := newNeighbour(b, h)
	defer n.p.Close()
	villains := make([]*Plugin, 8)
	for i := range villains {
		g := gateOf("i32.const " + string(rune('0'+i)) + " drop " + forever) // eight digests
		villains[i], err = h.Open(ctx, g.wasm(), nil, Limits{MaxInstances: 1, Timeout: 10 * time.Millisecond, FuelPerSecond: fuelPerSecond})
		if err != nil {
			b.Fatal(err)
		}
		defer villains[i].Close()
	}
	measure := func() []time.Duration {
		took := make([]time.Duration, 0, phase)
		for range phase {
			began := time.Now()
			if _, err := n.p.Transform(ctx, n.in); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(began))
			time.Sleep(100 * time.Microsecond) // requests come one by one, not as a loop of their own
		}
		return took
	}
	var kills atomic.Int64
	var lasted time.Duration
	attacked := func() []time.Duration {
		var wg sync.WaitGroup
		stop, cancel := context.WithCancel(ctx)
		for caller := range callers {
			wg.Go(func() {
				for i := caller; stop.Err() == nil; i += callers {
					switch _, err := villains[i%len(villains)].Gate(stop, []byte("{}")); {
					case errs.Is(err, errs.Timeout):
						kills.Add(1)
					case errs.Is(err, errs.Exhausted): // it owes fuel
						time.Sleep(time.Millisecond)
					case stop.Err() == nil:
						b.Errorf("a loop ended with %v", err)
						return
					}
				}
			})
		}
		began := time.Now()
		took := measure()
		lasted += time.Since(began)
		cancel()
		wg.Wait()
		return took
	}
	measure()
	var alone, beside []time.Duration
	for b.Loop() {
		alone = append(alone, measure()...)
		beside = append(beside, attacked()...)
	}
	a, s := quantile(alone, 0.99), quantile(beside, 0.99)
	b.ReportMetric(quantile(alone, 0.5).Seconds()*1e6, "alone-p50-µs")
	b.ReportMetric(a.Seconds()*1e6, "alone-p99-µs")
	b.ReportMetric(quantile(beside, 0.5).Seconds()*1e6, "beside-p50-µs")
	b.ReportMetric(s.Seconds()*1e6, "beside-p99-µs")
	b.ReportMetric(float64(s)/float64(a), "p99-ratio")
	b.ReportMetric(float64(kills.Load())/lasted.Seconds(), "kills/s")
}

// BenchmarkKillOverrun: how long after its time limit of 5 ms the call of a guest that does not end has failed; native is a loop in Go that
// looks at the clock all the time, and so what the machine's scheduler adds in the same run.
func BenchmarkKillOverrun(b *testing.B) {
	const limit = 5 * time.Millisecond
	report := func(b *testing.B, over []time.Duration) {
		b.ReportMetric(quantile(over, 0.5).Seconds()*1e3, "over-p50-ms")
		b.ReportMetric(quantile(over, 0.99).Seconds()*1e3, "over-p99-ms")
	}
	b.Run("native", func(b *testing.B) {
		var over []time.Duration
		for b.Loop() {
			began := time.Now()
			for time.Since(began) < limit {
			}
			over = append(over, time.Since(began)-limit)
		}
		report(b, over)
	})
	turn := gateOf("i32.const 100 call $tree")
	turn.elements = []string{"$tree"}
	turn.fn("$tree", "i>", "local.get 0 if local.get 0 i32.const 1 i32.sub i32.const 0 call_indirect i> local.get 0 i32.const 1 i32.sub i32.const 0 call_indirect i> end")
	for _, tc := range []struct {
		name string
		g    *hostileGuest
	}{
		{"loop", gateOf(forever)},
		{"recursion", gateOf("i32.const 100 call $fib drop").
			fn("$fib", "i>i", "local.get 0 i32.const 2 i32.lt_s if:i local.get 0 else local.get 0 i32.const 1 i32.sub call $fib local.get 0 i32.const 2 i32.sub call $fib i32.add end")},
		{"call_indirect", turn},
		{"bulk", gateOf("i32.const 100 memory.grow drop loop i32.const 65536 i32.const 7 i32.const 4000000 memory.fill br 0 end")},
		{"random_get", calling(hostileWASI, "random_get", "ii>i", "i32.const 32 memory.grow drop loop i32.const 65536 i32.const 0x100000 call $random_get drop br 0 end")},
	} {
		b.Run(tc.name, func(b *testing.B) {
			h, err := New(Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close()
			ctx := context.Background()
			p, err := h.Open(ctx, tc.g.wasm(), nil, Limits{Timeout: limit, Fuel: 1 << 60})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			var over []time.Duration
			for b.Loop() {
				began := time.Now()
				if _, err := p.Gate(ctx, []byte("{}")); !errs.Is(err, errs.Timeout) {
					b.Fatal(err)
				}
				over = append(over, time.Since(began)-limit)
			}
			report(b, over)
		})
	}
}

// quantile is the smallest value that a share q of the values does not exceed; it sorts them.
func quantile(v []time.Duration, q float64) time.Duration {
	slices.Sort(v)
	return v[min(int(q*float64(len(v))), len(v)-1)]
}
