package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-ml/weir/plugins"
	"github.com/weir-ml/weir/sdk/abi"
)

// builtin returns a built-in module.
func builtin(t testing.TB, name string) []byte {
	t.Helper()
	for _, a := range plugins.Builtin() {
		if a.Name == name {
			return a.Wasm
		}
	}
	t.Fatalf("no built-in plugin %q", name)
	return nil
}

// open opens a module on a host of its own.
func open(t testing.TB, wasm []byte, params string, l Limits) *Plugin {
	t.Helper()
	h, err := New(Options{CacheDir: codeDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	p, err := h.Open(context.Background(), wasm, json.RawMessage(params), l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// floats makes a batch of cols float64 columns c0, c1, … and the parameters that standardise them.
func floats(rows, cols int) (*abi.Batch, string) {
	b, params := &abi.Batch{Rows: rows}, `{"columns":[`
	for c := range cols {
		v := make([]float64, rows)
		for r := range v {
			v[r] = math.Sin(float64(r*cols + c))
		}
		b.Columns = append(b.Columns, abi.Float64Column(fmt.Sprintf("c%d", c), v))
		if c > 0 {
			params += ","
		}
		params += fmt.Sprintf(`{"name":"c%d","mean":%d.25,"std":1.5}`, c, c)
	}
	return b, params + "]}"
}

func benchChunk(b *testing.B, name string, rows, cols int) {
	in, params := floats(rows, cols)
	p := open(b, builtin(b, name), params, Limits{})
	ctx := context.Background()
	use := func(*abi.Batch) error { return nil }
	b.ReportAllocs()
	b.SetBytes(int64(rows * cols * 8))
	for b.Loop() {
		if err := p.TransformChunk(ctx, in, use); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEmptyCall(b *testing.B) {
	p := open(b, builtin(b, "identity"), "", Limits{})
	ctx := context.Background()
	in, err := p.pool.acquire(ctx, &p.tenant)
	if err != nil {
		b.Fatal(err)
	}
	defer p.pool.release(in, nil)
	f := in.mod.ExportedFunction("weir_abi_version")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := in.invoke(ctx, f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIdentity2048(b *testing.B)   { benchChunk(b, "identity", 2048, 1) }
func BenchmarkIdentityOneRow(b *testing.B) { benchChunk(b, "identity", 1, 1) }
func BenchmarkOneRow(b *testing.B)         { benchChunk(b, "standardize", 1, 1) }
func BenchmarkOneRowOf10(b *testing.B)     { benchChunk(b, "standardize", 1, 10) }
func BenchmarkChunk8192x10(b *testing.B)   { benchChunk(b, "standardize", 8192, 10) }

// BenchmarkBatch compares 131,072 rows of 10 float64 columns in C against the same loop in Go.
func BenchmarkBatch(b *testing.B) {
	const rows, cols = 131072, 10
	in, params := floats(rows, cols)
	ctx := context.Background()
	b.Run("native", func(b *testing.B) {
		b.SetBytes(rows * cols * 8)
		for b.Loop() {
			for c := range in.Columns {
				x, y := in.Columns[c].Float64s(), make([]float64, rows)
				mean := float64(c) + 0.25
				for i, v := range x {
					y[i] = (v - mean) / 1.5
				}
			}
		}
	})
	p := open(b, builtin(b, "standardize"), params, Limits{})
	b.Run("c", func(b *testing.B) {
		b.SetBytes(rows * cols * 8)
		for b.Loop() {
			if _, err := p.Transform(ctx, in); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("c/chunks", func(b *testing.B) {
		chunks := make([]*abi.Batch, 0, rows/abi.MaxRows)
		for from := 0; from < rows; from += abi.MaxRows {
			chunks = append(chunks, in.Slice(from, from+abi.MaxRows))
		}
		b.SetBytes(rows * cols * 8)
		for b.Loop() {
			for _, c := range chunks {
				if err := p.TransformChunk(ctx, c, func(*abi.Batch) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkColdStart makes a host over a filled code cache, and one instance: what the first call after a start of the process costs.
func BenchmarkColdStart(b *testing.B) {
	for name, wasm := range map[string][]byte{"c": builtin(b, "standardize"), "go": hello(b)} {
		b.Run(name, func(b *testing.B) {
			dir, ctx := b.TempDir(), context.Background()
			_, params := floats(1, 1)
			once := func() {
				b.StopTimer()
				h, err := New(Options{CacheDir: dir})
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				p, err := h.Open(ctx, wasm, json.RawMessage(params), Limits{})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				p.Close()
				h.Close()
				b.StartTimer()
			}
			once()
			b.ResetTimer()
			for range b.N {
				once()
			}
		})
	}
}

// BenchmarkInstance makes one instance of code that is in memory.
func BenchmarkInstance(b *testing.B) {
	for name, wasm := range map[string][]byte{"c": builtin(b, "standardize"), "go": hello(b)} {
		b.Run(name, func(b *testing.B) {
			_, params := floats(1, 1)
			p := open(b, wasm, params, Limits{})
			for b.Loop() {
				in, err := p.pool.make(context.Background())
				if err != nil {
					b.Fatal(err)
				}
				in.close()
			}
		})
	}
}

// BenchmarkIdleInstances makes 1,000 instances, lets each do a row of work, and reports what one takes while idle: Go's heap, its
// linear memory apart (it is at least the guest's initial size, and resident where the guest has touched it), and what is resident.
func BenchmarkIdleInstances(b *testing.B) {
	const many = 1000
	for name, guest := range map[string]struct {
		wasm   []byte
		params string
		cols   int
	}{"c/identity": {builtin(b, "identity"), "{}", 1}, "c/standardize": {builtin(b, "standardize"), "", 1}, "c/row": {rowGuest(b), `"scale 1"`, 1}} {
		b.Run(name, func(b *testing.B) {
			in, params := floats(1, guest.cols)
			if guest.params != "" {
				params = guest.params
			}
			p := open(b, guest.wasm, params, Limits{MaxInstances: many})
			heap := func() uint64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.GC()
				runtime.ReadMemStats(&m)
				return m.HeapAlloc + m.StackInuse
			}
			resident := func() int {
				raw, err := os.ReadFile("/proc/self/statm")
				if err != nil {
					b.Skip("resident memory is read from /proc")
				}
				pages, err := strconv.Atoi(strings.Fields(string(raw))[1])
				if err != nil {
					b.Fatal(err)
				}
				return pages * os.Getpagesize()
			}
			for b.Loop() {
				before := heap()
				debug.FreeOSMemory()
				pages := resident()
				held := make([]*instance, 0, many)
				for range many {
					i, err := p.pool.make(context.Background())
					if err != nil {
						b.Fatal(err)
					}
					if _, err := p.chunk(context.Background(), i, in, 0, 1); err != nil {
						b.Fatal(err)
					}
					i.rest() // as the pool does after a second
					held = append(held, i)
				}
				all := heap() - before
				debug.FreeOSMemory() // what making them left behind
				linear := 0
				for _, i := range held {
					linear += cap(i.mem.buf)
				}
				b.ReportMetric(float64(int(all)-linear)/many, "B/instance")
				b.ReportMetric(float64(linear)/many, "linear-B/instance")
				b.ReportMetric(float64(resident()-pages)/many, "resident-B/instance")
				for _, i := range held {
					i.close()
				}
			}
		})
	}
}

// BenchmarkCompile compiles from nothing.
func BenchmarkCompile(b *testing.B) {
	for name, wasm := range map[string][]byte{"c": builtin(b, "standardize"), "go": hello(b)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				h, err := New(Options{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := h.Inspect(context.Background(), wasm); err != nil {
					b.Fatal(err)
				}
				h.Close()
			}
		})
	}
}

func BenchmarkGoHandler(b *testing.B) {
	p := open(b, hello(b), "", Limits{})
	for b.Loop() {
		if _, err := p.Handle(context.Background(), abi.Request{Kind: "event", Body: []byte("x")}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGoChunk8192x10(b *testing.B) {
	in, params := floats(8192, 10)
	p := open(b, hello(b), params, Limits{})
	b.SetBytes(8192 * 80)
	for b.Loop() {
		if err := p.TransformChunk(context.Background(), in, func(*abi.Batch) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPSIUpdate8192(b *testing.B) {
	in, _ := floats(8192, 1)
	p := open(b, builtin(b, "psi"), `{"columns":[{"name":"c0","edges":[-0.8,-0.6,-0.4,-0.2,0,0.2,0.4,0.6,0.8]}]}`, Limits{})
	m, err := p.Metric(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	b.SetBytes(8192 * 8)
	for b.Loop() {
		if err := m.Update(context.Background(), abi.Current, in); err != nil {
			b.Fatal(err)
		}
	}
}
