package fuel

import (
	"context"
	"runtime"
	"runtime/metrics"
	"slices"
	"testing"
	"time"
)

// BenchmarkCollectorWait measures how long collections wait to stop the world while a guest call runs for as long as it lasts.
func BenchmarkCollectorWait(b *testing.B) {
	const name = "/sched/pauses/stopping/gc:seconds"
	g, err := instantiate(b, newRuntime(b), rewritten(b, kernels()["sum_f64"]), NewMeter(0), nil, MaxBudget, time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g.meter.Start(ctx, MaxBudget, time.Time{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = g.ExportedFunction("run").Call(g.ctx, 0xffffffff) // ends with the context's error
		}
	}()
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	before := slices.Clone(sample[0].Value.Float64Histogram().Counts)
	for b.Loop() {
		runtime.GC()
	}
	metrics.Read(sample)
	after := sample[0].Value.Float64Histogram()
	cancel()
	<-done
	var stops uint64
	for i, n := range after.Counts {
		stops += n - before[i]
	}
	seen := uint64(0)
	quantile := map[string]uint64{"p50-µs-stop": stops / 2, "p99-µs-stop": stops * 99 / 100, "max-µs-stop": stops - 1}
	for i, n := range after.Counts {
		n -= before[i]
		for unit, at := range quantile {
			if n > 0 && at >= seen && at < seen+n {
				b.ReportMetric(after.Buckets[i+1]*1e6, unit) // the bucket's upper bound
			}
		}
		seen += n
	}
}
