package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// The hostile suite: modules that try to take the host down, take its time or memory, or lead it astray. Its cases are in the
// other hostile_*_test.go files; this one runs them, all alike: see runHostile.

// hostileCase is one module and what becomes of it.
type hostileCase struct {
	name   string
	module *hostileGuest
	wasm   func() []byte // instead of module
	limits Limits        // zero fields: those of the suite
	grants []string
	with   []OpenOption
	use    func(ctx context.Context, p *Plugin) error // nil: Open is where it fails
	after  func(ctx context.Context, p *Plugin) error // what must work afterwards, on a fresh instance; nil: nothing is asked
	kind   errs.Kind                                  // of the error
	cause  cause                                      // the metric's label; "" = the module is refused before it has an instance
	text   string                                     // a part of the error
	params string
}

// Ways of using a guest.
func useGate(ctx context.Context, p *Plugin) error { _, err := p.Gate(ctx, []byte(`{}`)); return err }

func useHandle(ctx context.Context, p *Plugin) error {
	_, err := p.Handle(ctx, abi.Request{Kind: "http", Body: []byte("hello")})
	return err
}

func useTransform(ctx context.Context, p *Plugin) error {
	_, err := p.Transform(ctx, hostileBatch())
	return err
}

func useRow(ctx context.Context, p *Plugin) error {
	return p.Row(ctx, &abi.Batch{Rows: 1, Columns: []abi.Column{abi.Float64Column("x", []float64{1})}}, func(*abi.Batch) error { return nil })
}

// useMetric goes through all that a metric can be asked for.
func useMetric(ctx context.Context, p *Plugin) error {
	m, err := p.Metric(ctx)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Update(ctx, abi.Reference, hostileBatch()); err != nil {
		return err
	}
	state, err := m.State(ctx)
	if err != nil {
		return err
	}
	if err := m.Merge(ctx, state); err != nil {
		return err
	}
	_, err = m.Finish(ctx)
	return err
}

// hostileBatch has every kind of buffer: validity, offsets, text, numbers.
func hostileBatch() *abi.Batch {
	return &abi.Batch{Rows: 3, Columns: []abi.Column{
		abi.UTF8Column("t", []string{"a", "b", "c"}).WithNulls(3, 1), abi.Float64Column("x", []float64{1, 2, 3}),
	}}
}

// hostileLimits are the suite's where a case says nothing: small, so that limits are met soon.
var hostileLimits = Limits{MemoryBytes: 8 << 20, Timeout: time.Minute, Fuel: 20_000_000, MaxInstances: 2}

// neighbour is a plugin that does its work on the same host.
type neighbour struct {
	p    *Plugin
	in   *abi.Batch
	want []float64
}

func newNeighbour(t testing.TB, h *Host) *neighbour {
	t.Helper()
	in, params := floats(64, 1)
	p, err := h.Open(context.Background(), builtin(t, "standardize"), json.RawMessage(params), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	n := &neighbour{p: p, in: in}
	for _, x := range in.Columns[0].Float64s() {
		n.want = append(n.want, (x-0.25)/1.5)
	}
	return n
}

// check fails the test unless the neighbour answers as ever.
func (n *neighbour) check(t *testing.T) {
	t.Helper()
	out, err := n.p.Transform(context.Background(), n.in)
	if err != nil {
		t.Fatalf("the neighbour suffers: %v", err)
	}
	for i, v := range out.Columns[0].Float64s() {
		if math.Float64bits(v) != math.Float64bits(n.want[i]) {
			t.Fatalf("the neighbour answers %v in row %d, not %v", v, i, n.want[i])
		}
	}
}

// runHostile runs cases on one host. For each: the error has the kind, the text and the plugin's digest (and its name, once it
// could say it); the instance is gone and counted by cause, or there never was one; what must work afterwards does; and a
// neighbour answers the same bits. In the end the host closes; TestMain looks for goroutines.
func runHostile(t *testing.T, cases []hostileCase) {
	reg := prometheus.NewRegistry()
	h, err := New(Options{Registerer: reg, Services: Services{KV: &services{kv: map[string][]byte{"a": []byte("b")}}}})
	if err != nil {
		t.Fatal(err)
	}
	n := newNeighbour(t, h)
	names := map[string]bool{}
	for i, tc := range cases {
		if names[tc.name] {
			t.Fatalf("two cases are named %q", tc.name)
		}
		names[tc.name] = true
		if testing.Short() && i%8 != 0 {
			continue // the race detector sees in every eighth what there is to see; to compile them all takes it minutes
		}
		t.Run(tc.name, func(t *testing.T) { tc.run(t, h, reg, n) })
	}
	if err := n.p.Close(); err != nil {
		t.Error(err)
	}
	if err := h.Close(); err != nil {
		t.Errorf("the host does not close: %v", err)
	}
}

func (tc *hostileCase) run(t *testing.T, h *Host, reg *prometheus.Registry, n *neighbour) {
	ctx := context.Background()
	var wasm []byte
	if tc.wasm != nil {
		wasm = tc.wasm()
	} else {
		wasm = tc.module.wasm()
	}
	label := "weir_plugin_traps_total,cause=" + string(tc.cause)
	before := figures(t, reg)
	with := tc.with
	if tc.grants != nil {
		with = append(with, WithGrants(allGrants(t, tc.grants, everything)))
	}
	p, err := h.Open(ctx, wasm, json.RawMessage(tc.params), tc.limits.or(hostileLimits), with...)
	opened := err == nil
	if opened {
		defer p.Close()
		if tc.use == nil {
			t.Fatal("the module was opened")
		}
		err = tc.use(ctx, p)
	}
	switch who := "sha256:"; {
	case err == nil:
		t.Fatal("no error")
	case !errs.Is(err, tc.kind):
		t.Errorf("%v error %q, want %v", errs.KindOf(err), err, tc.kind)
	case !strings.Contains(err.Error(), tc.text) || tc.text == "":
		t.Errorf("error %q does not say %q", err, tc.text)
	case !opened && tc.use != nil:
		t.Errorf("it fails when it is opened: %v", err)
	case opened && !strings.HasPrefix(err.Error(), fmt.Sprintf("plugin %s (%s)", p.Description().Name, short(p.Digest()))):
		t.Errorf("error %q does not begin with name and digest", err)
	case !strings.Contains(err.Error(), who):
		t.Errorf("error %q has no digest", err)
	}
	after := figures(t, reg)
	if tc.cause == "" {
		for name, v := range after {
			if strings.HasPrefix(name, "weir_plugin_traps_total") && v != before[name] {
				t.Errorf("it had an instance: %s", name)
			}
		}
		if _, err := h.Inspect(ctx, wasm); err == nil && tc.limits.MemoryBytes == 0 {
			t.Error("Inspect takes what Open refuses")
		}
	} else if after[label] != before[label]+1 {
		t.Errorf("%s went from %v to %v: %q", label, before[label], after[label], err)
	}
	if live, _, waiting := h.count(); live != 1 || waiting != 0 { // the neighbour's
		t.Errorf("%d instances and %d waiting calls are left", live, waiting)
	}
	if tc.after != nil {
		if err := tc.after(ctx, p); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
	n.check(t)
}

// useThrice asks the gate three times.
func useThrice(ctx context.Context, p *Plugin) error {
	for range 2 {
		if err := useGate(ctx, p); err != nil {
			return fmt.Errorf("too early: %w", err)
		}
	}
	return useGate(ctx, p)
}

// afterTrap fails unless the gate traps again: it would pass on an instance that has been used.
func afterTrap(ctx context.Context, p *Plugin) error {
	if err := useGate(ctx, p); err == nil {
		return fmt.Errorf("an instance that trapped was used again")
	}
	return nil
}
