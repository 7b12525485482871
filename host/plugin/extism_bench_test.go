package plugin

import (
	"bytes"
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/weir-ml/weir/sdk/abi"
)

// BenchmarkExtismEcho is one request through a handler that answers its input, by the development kit that it was made with.
func BenchmarkExtismEcho(b *testing.B) {
	for _, module := range []string{"go-echo", "assemblyscript-echo"} {
		for _, size := range []int{100, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", module, size), func(b *testing.B) {
				p := extismCase{module: module, limits: Limits{MaxInstances: 1}}.open(b)
				in := abi.Request{Body: bytes.Repeat([]byte("x"), size)}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				began := processorTime(b)
				for b.Loop() {
					if r, err := p.Handle(context.Background(), in); err != nil || len(r.Body) != size {
						b.Fatal(len(r.Body), err)
					}
				}
				b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// processorTime is what this process has spent on processors: on a busy machine it says more than the clock.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkHostCall is one call of weir:host, from a gate that makes 10,000 of them.
func BenchmarkHostCall(b *testing.B) {
	for _, call := range []string{"clock", "kv_get"} {
		b.Run(call, func(b *testing.B) {
			s := &services{kv: map[string][]byte{"team/a": []byte("x")}}
			p := granted(b, Options{Services: Services{KV: silent{s}}}, "", Limits{MaxInstances: 1}, allGrants(b, everyGrant, everything))
			began := processorTime(b)
			for b.Loop() {
				if _, err := script(context.Background(), p, call+" many|10000"); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(processorTime(b)-began)/float64(b.N)/10000, "cpu-ns/hostcall")
		})
	}
}

// silent is a KV that takes no notes.
type silent struct{ *services }

func (s silent) Get(_ context.Context, key string) ([]byte, error) { return s.kv[key], nil }
