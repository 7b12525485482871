package kv_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-ml/weir/kv"
	"github.com/weir-ml/weir/kv/kvtest"
)

var benchValue = make([]byte, 200)

func BenchmarkPut(b *testing.B) {
	bk := bucket(b, kvtest.Open(b), kv.BucketConfig{Name: "b"})
	times := make([]time.Duration, 0, 1<<16)
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		must[uint64](b)(bk.Put(b.Context(), fmt.Sprintf("k.%d", i%1000), benchValue))
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
}

func BenchmarkPutCrowd(b *testing.B) {
	bk := bucket(b, kvtest.Open(b), kv.BucketConfig{Name: "b"})
	for _, writers := range []int{64, 512} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						if _, err := bk.Put(b.Context(), fmt.Sprintf("k.%d", i%1000), benchValue); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
		})
	}
}

func BenchmarkCommitTwoKeys(b *testing.B) {
	bk := bucket(b, kvtest.Open(b), kv.BucketConfig{Name: "b"})
	rev := must[uint64](b)(bk.Commit(b.Context(), kv.Op{Key: "x"}, kv.Op{Key: "y"}))
	for b.Loop() {
		rev = must[uint64](b)(bk.Commit(b.Context(), kv.Op{Key: "x", Value: benchValue, Expect: kv.Revision(rev - 1)}, kv.Op{Key: "y", Value: benchValue, Expect: kv.Revision(rev)}))
	}
}

func BenchmarkPublishMany(b *testing.B) {
	st := stream(b, kvtest.Open(b), kv.StreamConfig{Name: "log", Subjects: []string{"log"}})
	ps := make([]kv.Publish, 5000)
	for i := range ps {
		ps[i] = kv.Publish{Subject: "log", Data: benchValue}
	}
	for b.Loop() {
		must[[]uint64](b)(st.PublishMany(b.Context(), ps))
	}
	b.ReportMetric(float64(b.N*len(ps))/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkGet(b *testing.B) {
	bk := bucket(b, kvtest.Open(b), kv.BucketConfig{Name: "b"})
	must[uint64](b)(bk.Put(b.Context(), "k", benchValue))
	for b.Loop() {
		if _, err := bk.Get(b.Context(), "k"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMirrorGet(b *testing.B) {
	bk := bucket(b, kvtest.Open(b), kv.BucketConfig{Name: "b"})
	keys := make([]string, 1000)
	var ops []kv.Op
	for i := range keys {
		keys[i] = fmt.Sprintf("feature.%04d", i)
		ops = append(ops, kv.Op{Key: keys[i], Value: benchValue})
	}
	rev := must[uint64](b)(bk.Commit(b.Context(), ops...))
	m := mirror(b, bk, kv.MirrorConfig{})
	if err := m.Wait(b.Context(), rev); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		if _, ok := m.Get(keys[i%len(keys)]); !ok {
			b.Fatal("missing")
		}
	}
}

// A put until the mirror shows it.
func BenchmarkMirrorWait(b *testing.B) {
	bk := bucket(b, kvtest.Open(b), kv.BucketConfig{Name: "b"})
	m := mirror(b, bk, kv.MirrorConfig{})
	for b.Loop() {
		rev := must[uint64](b)(bk.Put(b.Context(), "k", benchValue))
		if err := m.Wait(b.Context(), rev); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	bucket(b, kvtest.OpenDir(b, dir), kv.BucketConfig{Name: "first"})
	for b.Loop() {
		s, err := kv.Open(b.Context(), kv.Options{Dir: b.TempDir()})
		if err == nil {
			err = s.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
