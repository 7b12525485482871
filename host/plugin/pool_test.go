package plugin

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
	return c.t
}

func TestPoolShrinksToZero(t *testing.T) {
	ck := &clock{t: time.Unix(1_700_000_000, 0)}
	h, err := newHost(Options{CacheDir: codeDir, Defaults: Limits{IdleAfter: time.Hour}}, ck.now)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	p, err := h.Open(ctx, builtin(t, "identity"), nil, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	// Three at once, by holding each inside the use of its chunk.
	in, _ := floats(8, 1)
	var nest func(n int) error
	nest = func(n int) error {
		return p.TransformChunk(ctx, in, func(*abi.Batch) error {
			if n > 1 {
				return nest(n - 1)
			}
			return nil
		})
	}
	if err := nest(3); err != nil {
		t.Fatal(err)
	}
	if s := p.Stats(); s.Live != 3 || s.Idle != 3 || s.ColdStarts != 3 || s.Calls != 3 || s.LastColdStart <= 0 {
		t.Fatalf("%+v", s)
	}
	h.sweep(ck.add(59 * time.Minute))
	if s := p.Stats(); s.Live != 3 {
		t.Fatalf("closed too early: %+v", s)
	}
	for _, in := range p.pool.idle {
		if in.fn[fnTransform] != nil {
			t.Error("an idle instance keeps its stacks")
		}
	}
	if err := nest(1); err != nil { // keeps one of them fresh
		t.Fatal(err)
	}
	h.sweep(ck.add(2 * time.Minute))
	if s := p.Stats(); s.Live != 1 || s.Idle != 1 {
		t.Fatalf("after an hour: %+v", s)
	}
	h.sweep(ck.add(2 * time.Hour))
	if s := p.Stats(); s.Live != 0 || s.Idle != 0 {
		t.Fatalf("not empty: %+v", s)
	}
	h.sweep(ck.add(codeIdle*time.Hour + time.Second))
	if p.pool.code.compiled != nil {
		t.Fatal("the machine code stays in memory")
	}
	if err := nest(2); err != nil {
		t.Fatalf("from cold: %v", err)
	}
	if s := p.Stats(); s.Live != 2 || s.ColdStarts != 5 {
		t.Fatalf("%+v", s)
	}
}

func TestPoolIsBounded(t *testing.T) {
	p := open(t, builtin(t, "identity"), "", Limits{MaxInstances: 2})
	ctx := context.Background()
	in, _ := floats(8, 1)
	var first, second sync.WaitGroup
	first.Add(2)
	second.Add(1)
	done := make(chan error, 2)
	for range 2 {
		go func() {
			done <- p.TransformChunk(ctx, in, func(*abi.Batch) error { first.Done(); second.Wait(); return nil })
		}()
	}
	first.Wait()
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := p.Transform(short, in); !errs.Is(err, errs.Exhausted) || !strings.Contains(err.Error(), "all 2 instances are busy") {
		t.Errorf("a full pool: %v", err)
	}
	gone, cancel2 := context.WithCancel(ctx)
	time.AfterFunc(10*time.Millisecond, cancel2)
	if _, err := p.Transform(gone, in); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that goes away: %v", err)
	}
	waited := make(chan error)
	go func() { _, err := p.Transform(ctx, in); waited <- err }()
	second.Done()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := <-waited; err != nil {
		t.Errorf("the one that waited: %v", err)
	}
	if s := p.Stats(); s.Live > 2 {
		t.Errorf("%+v", s)
	}
}

func TestSameModuleSharesAPool(t *testing.T) {
	h, err := New(Options{CacheDir: codeDir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	_, params := floats(1, 2)
	a, err := h.Open(ctx, builtin(t, "standardize"), []byte(params), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := h.Open(ctx, builtin(t, "standardize"), []byte(params), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if a.pool != b.pool || a.Stats().ColdStarts != 1 {
		t.Fatal("two pools for the same work")
	}
	a.Close()
	a.Close()
	in, _ := floats(1, 2)
	if _, err := b.Transform(ctx, in); err != nil {
		t.Fatalf("after the other was closed: %v", err)
	}
	b.Close()
	if _, err := b.Transform(ctx, in); !errs.Is(err, errs.Unavailable) {
		t.Fatalf("after Close: %v", err)
	}
	if err := b.pool.host.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal("Close is not safe twice")
	}
	if _, err := h.Open(ctx, builtin(t, "identity"), nil, Limits{}); !errs.Is(err, errs.Unavailable) {
		t.Fatalf("Open after Close: %v", err)
	}
}

// TestCrowd hammers one plugin from many goroutines, well-behaved and hostile calls mixed.
func TestCrowd(t *testing.T) {
	p := open(t, hostile(t), "", Limits{MaxInstances: 3, MemoryBytes: 4 << 20})
	ctx := context.Background()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 60 {
				in := everyType(1 + (g*60+i)%50)
				switch (g + i) % 4 {
				case 0:
					if _, err := p.Gate(ctx, []byte("trap")); !errs.Is(err, errs.Invalid) {
						t.Errorf("trap: %v", err)
					}
				case 1:
					if v, err := p.Gate(ctx, []byte("behave")); err != nil || v.Outcome != abi.Pass {
						t.Errorf("gate: %v", err)
					}
				default:
					if out, err := p.Transform(ctx, in); err != nil || !out.Equal(in) {
						t.Errorf("transform: %v", err)
					}
				}
			}
		}()
	}
	wg.Wait()
	if s := p.Stats(); s.Live > 3 || s.Traps != 8*15 || s.Live != s.Idle {
		t.Errorf("%+v", s)
	}
}

// TestCompilesOnce: a crowd of first users waits for one compilation.
func TestCompilesOnce(t *testing.T) {
	dir := t.TempDir()
	h, err := New(Options{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	var wg sync.WaitGroup
	for range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := h.Inspect(context.Background(), hello(t)); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if n := len(h.disk.files()); n != 2 {
		t.Errorf("%d files: want the code and the hollow module", n)
	}
}

// TestDamagedCache: machine code that was changed on disk is never run, but made again.
func TestDamagedCache(t *testing.T) {
	dir := t.TempDir()
	run := func() error {
		h, err := New(Options{CacheDir: dir})
		if err != nil {
			return err
		}
		defer h.Close()
		in, params := floats(10, 2)
		p, err := h.Open(context.Background(), builtin(t, "standardize"), []byte(params), Limits{})
		if err != nil {
			return err
		}
		defer p.Close()
		_, err = p.Transform(context.Background(), in)
		return err
	}
	if err := run(); err != nil {
		t.Fatal(err)
	}
	var code, seal, module string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, _ error) error {
		if strings.HasSuffix(path, sealSuffix) {
			seal = path
		} else if strings.HasSuffix(path, hollowSuffix) {
			module = path
		} else if !d.IsDir() {
			code = path
		}
		return nil
	})
	good, err := os.ReadFile(code)
	if err != nil || seal == "" {
		t.Fatalf("no machine code was kept: %v", err)
	}
	for name, harm := range map[string]func() error{
		"garbled throughout": func() error {
			bad := append([]byte(nil), good...)
			for i := range bad {
				bad[i] ^= 0x5a
			}
			return os.WriteFile(code, bad, 0o600)
		},
		"one bit": func() error {
			bad := append([]byte(nil), good...)
			bad[len(bad)/2] ^= 1
			return os.WriteFile(code, bad, 0o600)
		},
		"function table": func() error {
			bad := append([]byte(nil), good...)
			for i := 24; i < 64; i++ {
				bad[i] = 0xff
			}
			return os.WriteFile(code, bad, 0o600)
		},
		"cut":            func() error { return os.WriteFile(code, good[:len(good)/2], 0o600) },
		"empty":          func() error { return os.WriteFile(code, nil, 0o600) },
		"module garbled": func() error { return os.WriteFile(module, []byte("\x00asm\x01\x00\x00\x00"), 0o600) },
		"module gone":    func() error { return os.Remove(module) },
		"gone":           func() error { return os.Remove(code) },
		"seal gone":      func() error { return os.Remove(seal) },
		"seal garbled": func() error {
			return os.WriteFile(seal, []byte("../../etc/passwd 00000000 x.fuel2.wasm 00000000\n"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := harm(); err != nil {
				t.Fatal(err)
			}
			if err := run(); err != nil {
				t.Fatal(err)
			}
			if now, err := os.ReadFile(code); err != nil || len(now) != len(good) {
				t.Fatalf("the code was not made again: %d bytes, %v", len(now), err)
			}
		})
	}
}

// figures are a registry's counters, gauges and sizes of histograms, by "name,label=value".
func figures(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	mfs, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]float64{}
	for _, mf := range mfs {
		for _, m := range mf.Metric {
			name := mf.GetName()
			for _, l := range m.Label {
				name += "," + l.GetName() + "=" + l.GetValue()
			}
			seen[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return seen
}

// TestCodeLiesElsewhere: when wazero does not find the machine code where the seal says it is (another version of it looks
// elsewhere), what it makes of the hollow module is not used.
func TestCodeLiesElsewhere(t *testing.T) {
	dir := t.TempDir()
	in, params := floats(10, 2)
	run := func() *abi.Batch {
		h, err := New(Options{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		p, err := h.Open(context.Background(), builtin(t, "standardize"), []byte(params), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		out, err := p.Transform(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := run()
	seals, err := filepath.Glob(filepath.Join(dir, "*"+sealSuffix))
	if err != nil || len(seals) != 1 {
		t.Fatalf("%v, %v", seals, err)
	}
	raw, err := os.ReadFile(seals[0])
	if err != nil {
		t.Fatal(err)
	}
	s, _ := readSeal(seals[0])
	other := filepath.Join(filepath.Dir(s.code), strings.Repeat("0", 64))
	if err := os.Rename(filepath.Join(dir, s.code), filepath.Join(dir, other)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(seals[0], []byte(strings.Replace(string(raw), s.code, other, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := run(); !got.Equal(want) {
			t.Error("another result")
		}
	}
	if again, ok := readSeal(seals[0]); !ok || again != s {
		t.Errorf("the code was not made again: %+v, not %+v", again, s)
	}
}

func TestMetricsAndLog(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	var out strings.Builder
	var mu sync.Mutex
	h, err := New(Options{CacheDir: codeDir, Registerer: reg, Logger: slog.New(slog.NewTextHandler(locked{&mu, &out}, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	p, err := h.Open(ctx, hello(t), nil, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 + 5 {
		if _, err := p.Handle(ctx, abi.Request{Kind: "http", Path: "/print"}); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = p.Handle(ctx, abi.Request{Kind: "http", Path: "/error"})
	seen := figures(t, reg)
	for name, want := range map[string]float64{
		"weir_plugin_calls_total,world=handler": 20 + 6, "weir_plugin_call_seconds,world=handler": 20 + 6,
		"weir_plugin_traps_total,cause=guest_error": 1, "weir_plugin_cold_start_seconds": 1,
		"weir_plugin_instances_count,state=live": 0, "weir_plugin_instances_count,state=idle": 0,
	} {
		if got, ok := seen[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if mfs, _ := reg.Gather(); len(mfs) != 0 {
		t.Errorf("%d families stay registered", len(mfs))
	}
	mu.Lock()
	defer mu.Unlock()
	if n := strings.Count(out.String(), "printed by a guest"); n == 0 || n > 2*20 {
		t.Errorf("%d records of the guest's output", n)
	}
}

type locked struct {
	mu *sync.Mutex
	w  *strings.Builder
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
