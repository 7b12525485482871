// Package extism measures Extism's own Go SDK on the module that host/plugin's BenchmarkExtismEcho runs, with the same figures.
// It is a module of its own, so that nothing of Extism is linked into weir. Build the module first:
//
//	host/plugin/testdata/extism/build.sh
//	go test ./host/plugin -run '^$' -bench ExtismEcho && (cd bench/extism && go test -bench .)
package extism

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	extism "github.com/extism/go-sdk"
)

// BenchmarkSDKEcho is one call of a handler that answers its input, without a time limit and with one of 5 s.
func BenchmarkSDKEcho(b *testing.B) {
	wasm, err := os.ReadFile("../../.cache/extism/go-echo.wasm")
	if err != nil {
		b.Fatalf("%v: run host/plugin/testdata/extism/build.sh", err)
	}
	ctx := context.Background()
	for _, limit := range []time.Duration{0, 5 * time.Second} {
		for _, size := range []int{100, 100_000} {
			b.Run(fmt.Sprintf("go-echo/%d/limit=%s", size, limit), func(b *testing.B) {
				m := extism.Manifest{Wasm: []extism.Wasm{extism.WasmData{Data: wasm}}, Timeout: uint64(limit.Milliseconds())}
				p, err := extism.NewPlugin(ctx, m, extism.PluginConfig{EnableWasi: true}, nil)
				if err != nil {
					b.Fatal(err)
				}
				defer p.Close(ctx)
				in := bytes.Repeat([]byte("x"), size)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				began := processorTime(b)
				for b.Loop() {
					if _, out, err := p.Call("echo", in); err != nil || len(out) != size {
						b.Fatal(len(out), err)
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
