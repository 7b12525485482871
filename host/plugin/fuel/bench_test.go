package fuel

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/weir-ml/weir/sdk/abi"
)

// kernels are small loops in which charges weigh most. Each takes n.
func kernels() map[string][]byte {
	out := map[string][]byte{}
	n := op(opLocalGet, 0)
	countDown := cat(n, i32c(1), op(0x6b), op(opLocalTee, 0), op(opBrIf, 0)) // n--; again while n
	m := &builder{}
	m.add("run", []byte{tI32}, nil, nil, loop(countDown))
	out["empty_loop"] = m.wasm()

	m = &builder{memory: []byte{0, 17}} // strlen over a megabyte of ones
	m.add("run", []byte{tI32}, nil, []byte{tI32}, cat(
		i32c(0), i32c(1), n, op(opMisc, miscMemoryFill, 0),
		i32c(0), op(opLocalSet, 1),
		loop(op(opLocalGet, 1), op(0x2d, 0, 0), op(opLocalGet, 1), i32c(1), op(0x6a), op(opLocalSet, 1), op(opBrIf, 0))))
	out["strlen"] = m.wasm()

	m = &builder{} // fib: calls
	m.add("run", []byte{tI32}, []byte{tI32}, nil, cat(
		n, i32c(2), op(0x48), []byte{opIf, blockEmpty}, n, op(opReturn), op(opEnd),
		n, i32c(1), op(0x6b), op(opCall, 0), n, i32c(2), op(0x6b), op(opCall, 0), op(0x6a)))
	out["fib"] = m.wasm()

	m = &builder{memory: []byte{0, 17}} // sum of doubles
	m.add("run", []byte{tI32}, []byte{tF64}, []byte{tF64}, cat(
		loop(op(opLocalGet, 1), n, i32c(3), op(0x74), i32c(0xfffff), op(0x71), op(0x2b, 3, 0), op(0xa0), op(opLocalSet, 1), countDown),
		op(opLocalGet, 1)))
	out["sum_f64"] = m.wasm()

	m = &builder{}
	m.add("run", []byte{tI32}, []byte{tI32}, nil, n)
	out["empty_call"] = m.wasm()
	return out
}

var kernelSize = map[string]uint64{"empty_loop": 1_000_000, "strlen": 1_000_000, "fib": 20, "sum_f64": 1_000_000, "empty_call": 1}

// ratio runs two functions in turn and reports the second's time in units of the first's: the least of the rounds, since a
// disturbance only ever adds.
func ratio(b *testing.B, plain, fuelled func()) {
	b.Helper()
	plain()
	fuelled()
	best := [2]time.Duration{1 << 62, 1 << 62}
	rounds := 0
	for b.Loop() {
		rounds++
		for k, f := range []func(){plain, fuelled} {
			from := time.Now()
			f()
			best[k] = min(best[k], time.Since(from))
		}
	}
	b.ReportMetric(float64(best[1])/float64(best[0]), "ratio")
	b.ReportMetric(float64(best[0]), "plain-ns")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkKernels(b *testing.B) {
	for name, wasm := range kernels() {
		b.Run(name, func(b *testing.B) {
			ctx := context.Background()
			rt := newRuntime(b)
			plain, err := rt.InstantiateWithConfig(ctx, wasm, wazero.NewModuleConfig().WithName(""))
			if err != nil {
				b.Fatal(err)
			}
			g, err := instantiate(b, rt, rewritten(b, wasm), NewMeter(0), nil, MaxBudget, time.Time{})
			if err != nil {
				b.Fatal(err)
			}
			repeat := 1
			if kernelSize[name] == 1 {
				repeat = 10_000
			}
			stack := make([]uint64, 1)
			loop := func(ctx context.Context, f api.Function, m *Meter) func() {
				return func() {
					for range repeat {
						if m != nil {
							m.Start(context.Background(), MaxBudget, time.Time{})
						}
						stack[0] = kernelSize[name]
						if err := f.CallWithStack(ctx, stack); err != nil {
							b.Fatal(err)
						}
						if m != nil {
							m.Used()
						}
					}
				}
			}
			ratio(b, loop(ctx, plain.ExportedFunction("run"), nil), loop(g.ctx, g.ExportedFunction("run"), g.meter))
		})
	}
}

// plug is one instance of a plugin with a batch in its memory.
type plug struct {
	mod   api.Module
	ctx   context.Context
	meter *Meter // nil: not rewritten
	entry api.Function
	args  []uint64
	stack []uint64
}

func (p *plug) run() error {
	if p.meter != nil {
		p.meter.Start(context.Background(), MaxBudget, time.Time{})
	}
	copy(p.stack, p.args)
	if err := p.entry.CallWithStack(p.ctx, p.stack); err != nil {
		return err
	}
	if p.meter != nil {
		p.meter.Used()
	}
	return nil
}

// plugCase is a committed plugin and how to use it.
type plugCase struct {
	params string
	entry  string
	side   bool
}

func plugCases(columns int) map[string]plugCase {
	type col struct {
		Name string  `json:"name"`
		Mean float64 `json:"mean"`
		Std  float64 `json:"std"`
	}
	type edges struct {
		Name  string    `json:"name"`
		Edges []float64 `json:"edges"`
	}
	var std struct {
		Columns []col `json:"columns"`
	}
	var psi struct {
		Columns []edges `json:"columns"`
	}
	for i := range columns {
		name := fmt.Sprintf("c%d", i)
		std.Columns = append(std.Columns, col{name, 0.5, 2})
		psi.Columns = append(psi.Columns, edges{name, []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}})
	}
	text := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	return map[string]plugCase{
		"standardize": {text(std), "weir_transform", false},
		"psi":         {text(psi), "weir_metric_update", true},
	}
}

func openPlug(tb testing.TB, rt wazero.Runtime, wasm []byte, fuelled bool, c plugCase, columns, rows int) *plug {
	tb.Helper()
	p := &plug{ctx: context.Background(), stack: make([]uint64, 4)}
	if fuelled {
		wasm = rewritten(tb, wasm)
		p.meter = NewMeter(0)
		p.ctx = p.meter.Context(p.ctx)
		p.meter.Start(context.Background(), MaxBudget, time.Time{})
	}
	var err error
	if p.mod, err = rt.InstantiateWithConfig(p.ctx, wasm, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize")); err != nil {
		tb.Fatal(err)
	}
	if fuelled {
		if err := p.meter.Attach(p.mod); err != nil {
			tb.Fatal(err)
		}
	}
	call := func(name string, args ...uint64) uint64 {
		out, err := p.mod.ExportedFunction(name).Call(p.ctx, args...)
		if err != nil {
			tb.Fatalf("%s: %v", name, err)
		}
		return out[0]
	}
	doc := uint32(call("weir_alloc", uint64(len(c.params))))
	p.mod.Memory().WriteString(doc, c.params)
	if v := call("weir_init", uint64(doc), uint64(len(c.params))); v != 0 {
		v := call("weir_error")
		text, _ := p.mod.Memory().Read(uint32(v>>32), uint32(v))
		tb.Fatalf("weir_init: %s", text)
	}
	batch := &abi.Batch{Rows: rows}
	for i := range columns {
		v := make([]float64, rows)
		for r := range v {
			v[r] = float64((r*7919+i*104729)%1000) / 1000
		}
		batch.Columns = append(batch.Columns, abi.Float64Column(fmt.Sprintf("c%d", i), v))
	}
	l, err := abi.NewLayout(batch.Fields(), rows)
	if err != nil {
		tb.Fatal(err)
	}
	size, err := l.Size(batch, 0, rows)
	if err != nil {
		tb.Fatal(err)
	}
	arena := uint32(call("weir_alloc", uint64(size)))
	l.Place(arena)
	view, _ := p.mod.Memory().Read(arena, size)
	if err := l.Encode(view, batch, 0, rows); err != nil {
		tb.Fatal(err)
	}
	p.entry = p.mod.ExportedFunction(c.entry)
	if c.side {
		p.args = append(p.args, 0)
	}
	p.args = append(p.args, uint64(arena))
	return p
}

// BenchmarkPlugins runs committed plugins on a chunk of 8,192 rows and on one row, 10 float64 columns.
func BenchmarkPlugins(b *testing.B) {
	for name, c := range plugCases(10) {
		wasm, err := os.ReadFile(filepath.Join("..", "..", "..", "plugins", name, name+".wasm"))
		if err != nil {
			b.Fatal(err)
		}
		for _, rows := range []int{8192, 1} {
			b.Run(fmt.Sprintf("%s/rows=%d", name, rows), func(b *testing.B) {
				rt := newRuntime(b)
				if _, err := wasi_snapshot_preview1.Instantiate(context.Background(), rt); err != nil {
					b.Fatal(err)
				}
				repeat := max(1, 1000/rows)
				var f [2]func()
				for k := range f {
					p := openPlug(b, rt, wasm, k == 1, c, 10, rows)
					f[k] = func() {
						for range repeat {
							if err := p.run(); err != nil {
								b.Fatal(err)
							}
						}
					}
				}
				ratio(b, f[0], f[1])
			})
		}
	}
}

// BenchmarkRewrite is the upload of a large guest.
func BenchmarkRewrite(b *testing.B) {
	wasm, err := os.ReadFile(filepath.Join("..", "..", "..", "plugins", "psi", "psi.wasm"))
	if err != nil {
		b.Fatal(err)
	}
	var r Report
	for b.Loop() {
		if _, r, err = Rewrite(wasm, Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(r.BytesOut)/float64(r.BytesIn), "size-ratio")
}

func BenchmarkRefill(b *testing.B) {
	m := NewMeter(0)
	ctx := m.Context(context.Background())
	call, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	m.Start(call, MaxBudget, time.Now().Add(time.Hour))
	stack := []uint64{0}
	for b.Loop() {
		stack[0] = ^uint64(0)
		refill(ctx, stack)
	}
}

// BenchmarkDeadline measures how long after its deadline an endless guest ends.
func BenchmarkDeadline(b *testing.B) {
	for _, name := range []string{"for", "nested loops", "a tree of calls", "memory.copy in a loop"} {
		b.Run(name, func(b *testing.B) {
			rt := newRuntime(b)
			out := rewritten(b, endless()[name])
			compiled, err := rt.CompileModule(context.Background(), out)
			if err != nil {
				b.Fatal(err)
			}
			var over []time.Duration
			for b.Loop() {
				m := NewMeter(0)
				ctx := m.Context(context.Background())
				deadline := time.Now().Add(2 * time.Millisecond)
				m.Start(context.Background(), MaxBudget, deadline)
				mod, err := rt.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName(""))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := mod.ExportedFunction("run").Call(ctx); !Stopped(err) {
					b.Fatal(err)
				}
				over = append(over, time.Since(deadline))
				mod.Close(ctx)
			}
			slices.Sort(over)
			b.ReportMetric(float64(over[len(over)/2].Microseconds()), "p50-µs-over")
			b.ReportMetric(float64(over[len(over)*99/100].Microseconds()), "p99-µs-over")
			b.ReportMetric(0, "ns/op")
		})
	}
}
