package plugin

import (
	"container/list"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// TestTurns serves tenants in turn, each in the order of its calls.
func TestTurns(t *testing.T) {
	q := newTurns(1)
	tenants := map[byte]*tenant{'a': {}, 'b': {}, 'c': {}}
	if q.take(tenants['a']) != nil {
		t.Fatal("a free place is not given")
	}
	var waiting []*list.Element
	var names []byte
	for _, name := range []byte("aaaaabcbc") {
		w := q.take(tenants[name])
		if w == nil {
			t.Fatal("a place was given twice")
		}
		waiting, names = append(waiting, w), append(names, name)
	}
	// The second a gives up.
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if q.wait(gone, tenants['a'], waiting[1]) || q.length() != 8 {
		t.Fatal("who gave up got a place")
	}
	waiting[1] = nil
	var order []byte
	for range 8 {
		q.give()
		for i, w := range waiting {
			if w == nil {
				continue
			}
			select {
			case <-w.Value.(*waiter).ready:
				if !q.wait(gone, tenants[names[i]], w) {
					t.Error("a place that came was lost")
				}
				order, waiting[i] = append(order, names[i]), nil
			default:
			}
		}
	}
	if string(order) != "abcabcaa" {
		t.Errorf("served %s", order)
	}
	q.give()
	if q.free != 1 || q.ring.Len() != 0 || q.length() != 0 {
		t.Errorf("%d free, %d tenants, %d waiting", q.free, q.ring.Len(), q.length())
	}
}

// TestTurnsKeepTheirPlaces: whoever gives up and whenever, no place is lost or doubled.
func TestTurnsKeepTheirPlaces(t *testing.T) {
	q := newTurns(3)
	var inside, most int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for g := range 12 {
		own := &tenant{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 400 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration((g*i)%7)*10*time.Microsecond)
				if w := q.take(own); w != nil && !q.wait(ctx, own, w) {
					cancel()
					continue
				}
				mu.Lock()
				inside++
				most = max(most, inside)
				mu.Unlock()
				mu.Lock()
				inside--
				mu.Unlock()
				q.give()
				cancel()
			}
		}()
	}
	wg.Wait()
	if most > 3 || q.free != 3 || q.ring.Len() != 0 || q.length() != 0 {
		t.Errorf("%d at once, %d free, %d tenants wait with %d calls", most, q.free, q.ring.Len(), q.length())
	}
}

// TestPoolIsFair: behind a flood of one Plugin's calls, another Plugin of the same pool is served in turn.
func TestPoolIsFair(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	h, err := New(Options{CacheDir: codeDir, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	open := func() *Plugin {
		p, err := h.Open(ctx, builtin(t, "identity"), nil, Limits{MaxInstances: 1, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	flood, few := open(), open()
	defer flood.Close()
	defer few.Close()
	if flood.pool != few.pool {
		t.Fatal("two pools")
	}
	const crowd, guests = 200, 5
	in, _ := floats(1, 1)
	var mu sync.Mutex
	var order []string
	var wg sync.WaitGroup
	call := func(p *Plugin, name string) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := p.TransformChunk(ctx, in, func(*abi.Batch) error {
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				return nil
			}); err != nil {
				t.Error(err)
			}
		}()
	}
	err = flood.TransformChunk(ctx, in, func(*abi.Batch) error { // holds the only instance while the others line up
		for range crowd {
			call(flood, "flood")
		}
		await(t, func() bool { return flood.Stats().Waiting == crowd })
		for range guests {
			call(few, "few")
		}
		await(t, func() bool { return flood.Stats().Waiting == crowd+guests })
		if n := figures(t, reg)["weir_plugin_waiting_calls_count"]; n != crowd+guests {
			t.Errorf("%v calls wait, the gauge says", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if len(order) != crowd+guests {
		t.Fatalf("%d calls", len(order))
	}
	if last := len(order) - 1 - slices.Index(reversed(order), "few"); last >= 2*guests+1 {
		t.Errorf("the few were served by place %d, behind the flood", last)
	}
}

func reversed(s []string) []string {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

// await waits for a state that other goroutines bring about.
func await(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came")
		}
	}
}

// TestRecycling counts why instances are closed.
func TestRecycling(t *testing.T) {
	ck := &clock{t: time.Unix(1_700_000_000, 0)}
	reg := prometheus.NewPedanticRegistry()
	h, err := newHost(Options{CacheDir: codeDir, Registerer: reg, Defaults: Limits{IdleAfter: time.Hour}}, ck.now)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	p, err := h.Open(ctx, hostile(t), json.RawMessage(`""`), Limits{MemoryBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	borrow := func(change func(*instance)) {
		in, err := p.pool.acquire(ctx, &p.tenant)
		if err != nil {
			t.Fatal(err)
		}
		change(in)
		if err := p.pool.release(in, nil); err != nil {
			t.Fatal(err)
		}
	}
	borrow(func(in *instance) { in.calls = 1<<22 + 1 })
	borrow(func(*instance) {})  // what it needs after the first call is its own
	borrow(func(in *instance) { // a leak: three quarters of the limit, and more than twice what it began with
		if _, err := in.allocate(ctx, 3<<20); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := p.Gate(ctx, []byte("trap")); !errs.Is(err, errs.Invalid) {
		t.Fatal(err)
	}
	borrow(func(*instance) {})
	h.sweep(ck.add(2 * time.Hour))
	for reason, want := range map[string]float64{"calls": 1, "growth": 1, "error": 1, "idle": 1} {
		if got := figures(t, reg)["weir_plugin_recycled_total,reason="+reason]; got != want {
			t.Errorf("%s: %v, want %v", reason, got, want)
		}
	}
	if s := p.Stats(); s.Live != 0 || s.ColdStarts != 4 {
		t.Errorf("%+v", s)
	}
}
