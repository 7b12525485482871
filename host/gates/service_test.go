package gates_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/gates"
	"github.com/weir-ml/weir/host/gates/runtest"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/plugins"
	"github.com/weir-ml/weir/sdk/abi"
)

// judges opens fakes by name.
type judges map[string]func(ctx context.Context, doc []byte) (abi.Verdict, error)

type judge struct {
	fn   func(ctx context.Context, doc []byte) (abi.Verdict, error)
	open *atomic.Int64
}

var opened atomic.Int64

func (j judges) Open(_ context.Context, name string, params json.RawMessage) (gates.Judge, error) {
	fn, ok := j[name]
	if !ok {
		return nil, errs.New(errs.NotFound, "plugin %q not found", name)
	}
	if string(params) == `{"bad":true}` {
		return nil, errs.New(errs.Invalid, "parameters refused")
	}
	opened.Add(1)
	return judge{fn, &opened}, nil
}

func (j judge) Gate(ctx context.Context, doc []byte) (abi.Verdict, error) { return j.fn(ctx, doc) }
func (j judge) Digest() string                                            { return "sha256:feed" }
func (j judge) Close() error                                              { j.open.Add(-1); return nil }

func answer(v abi.Verdict, err error) func(context.Context, []byte) (abi.Verdict, error) {
	return func(context.Context, []byte) (abi.Verdict, error) { return v, err }
}

func service(t *testing.T, j gates.Judges, s gates.Store) *gates.Service {
	t.Helper()
	g, err := gates.New(gates.Options{Judges: j, Store: s, Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func apply(t *testing.T, g *gates.Service, name, doc string) {
	t.Helper()
	var s gates.Spec
	if err := schema.Strict([]byte(doc), &s); err != nil {
		t.Fatal(err)
	}
	if err := g.Apply(t.Context(), name, s); err != nil {
		t.Fatal(err)
	}
}

func TestEvaluate(t *testing.T) {
	trap := errors.New("wasm trap: unreachable")
	var seen []byte
	j := judges{
		"pass":     answer(abi.Verdict{Outcome: abi.Pass, Reasons: []string{"better"}, Evidence: map[string]any{"gain": 0.1}}, nil),
		"review":   answer(abi.Verdict{Outcome: abi.Review, Reasons: []string{"odd"}}, nil),
		"trap":     answer(abi.Verdict{}, trap),
		"slow":     answer(abi.Verdict{}, errs.New(errs.Timeout, "5s passed")),
		"nonsense": answer(abi.Verdict{Outcome: "maybe", Reasons: []string{"x"}}, nil),
		"silent":   answer(abi.Verdict{Outcome: abi.Pass}, nil),
		"look": func(_ context.Context, doc []byte) (abi.Verdict, error) {
			seen = doc
			return abi.Verdict{Outcome: abi.Fail, Reasons: []string{"no"}}, nil
		},
	}
	cases := []struct {
		plugin string
		want   gates.Outcome
		kind   errs.Kind // of the error, when want is Error
		reason string
	}{
		{"pass", gates.Pass, 0, "better"},
		{"review", gates.Review, 0, "odd"},
		{"look", gates.Fail, 0, "no"},
		{"trap", gates.Error, errs.Internal, "could not judge: plugin \"trap\": wasm trap"},
		{"slow", gates.Error, errs.Timeout, "5s passed"},
		{"nonsense", gates.Error, errs.Invalid, `"maybe"`},
		{"silent", gates.Error, errs.Invalid, "without a reason"},
	}
	store := &runtest.Memory{}
	g := service(t, j, store)
	for _, c := range cases {
		t.Run(c.plugin, func(t *testing.T) {
			apply(t, g, "g-"+c.plugin, `{"plugin":{"plugin":"`+c.plugin+`","parameters":{"k":2}}}`)
			d, err := g.Evaluate(t.Context(), "g-"+c.plugin, gates.Evaluation{
				Candidate: gates.Subject{Name: "m", Version: "4", Digest: "sha256:00", Metrics: map[string]float64{"b": 0.5, "a": math.NaN()}},
				Baseline:  &gates.Subject{Name: "m", Version: "3", Metrics: map[string]float64{"b": math.Inf(-1)}},
				Context:   map[string]any{"by": "test"},
			})
			if (err != nil) != (c.want == gates.Error) || err != nil && errs.KindOf(err) != c.kind {
				t.Fatalf("error %v, want kind %v", err, c.kind)
			}
			if err != nil && !strings.Contains(err.Error(), d.ID) {
				t.Errorf("error %q does not name decision %s", err, d.ID)
			}
			if d.Outcome != c.want || len(d.Reasons) != 1 || !strings.Contains(d.Reasons[0], c.reason) || d.Gate != "g-"+c.plugin || d.Digest != "sha256:feed" || string(d.Parameters) != `{"k":2}` {
				t.Errorf("decision %+v", d)
			}
			const context = `,"candidate":{"name":"m","version":"4","digest":"sha256:00","metrics":{"a":"NaN","b":0.5}},"baseline":{"name":"m","version":"3","metrics":{"b":"-Infinity"}},"context":{"by":"test"}}`
			if want := `{"gate":"g-` + c.plugin + `"` + context; string(d.Evidence.Context) != want || d.Evidence.SHA256 != schema.DigestOf([]byte(want)) {
				t.Errorf("evidence %s", d.Evidence.Context)
			}
			if c.plugin == "look" && string(seen) != string(d.Evidence.Context) {
				t.Errorf("the plugin saw %s", seen)
			}
			stored, err := g.Decision(t.Context(), d.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(d, stored); diff != "" {
				t.Errorf("(-returned +stored):\n%s", diff)
			}
		})
	}
	if n := opened.Load(); n != 0 {
		t.Errorf("%d judges were not closed", n)
	}
}

type fullStore struct{ runtest.Memory }

func (*fullStore) Put(context.Context, gates.Decision) error {
	return errs.New(errs.Exhausted, "disk full")
}

func TestUnstoredDecisionIsNone(t *testing.T) {
	g := service(t, judges{"p": answer(abi.Verdict{Outcome: abi.Pass, Reasons: []string{"x"}}, nil)}, &fullStore{})
	apply(t, g, "g", `{"plugin":{"plugin":"p"}}`)
	d, err := g.Evaluate(t.Context(), "g", gates.Evaluation{Candidate: gates.Subject{Name: "m"}})
	if !errs.Is(err, errs.Exhausted) || d.Outcome != "" {
		t.Errorf("decision %+v, error %v", d, err)
	}
}

func TestApplyAndList(t *testing.T) {
	g := service(t, judges{"p": answer(abi.Verdict{Outcome: abi.Pass, Reasons: []string{"x"}}, nil)}, &runtest.Memory{})
	for name, c := range map[string]struct {
		gate, doc, text string
		kind            errs.Kind
	}{
		"no plugin":       {"g", `{"plugin":{"plugin":""}}`, "spec.plugin.plugin", errs.Invalid},
		"parameters":      {"g", `{"plugin":{"plugin":"p","parameters":[]}}`, "spec.plugin.parameters", errs.Invalid},
		"unknown plugin":  {"g", `{"plugin":{"plugin":"q"}}`, `"q"`, errs.NotFound},
		"refused by it":   {"g", `{"plugin":{"plugin":"p","parameters":{"bad":true}}}`, "refused", errs.Invalid},
		"name with a dot": {"a.b", `{"plugin":{"plugin":"p"}}`, `"a.b"`, errs.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			var s gates.Spec
			if err := json.Unmarshal([]byte(c.doc), &s); err != nil {
				t.Fatal(err)
			}
			if err := g.Check(t.Context(), c.gate, s); !errs.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %v with %q", err, c.kind, c.text)
			}
			// Apply does not open the plugin: what it refuses shows when the gate judges.
			err := g.Apply(t.Context(), c.gate, s)
			if wrong := c.gate == "a.b" || s.Validate() != nil; wrong != (err != nil) {
				t.Errorf("Apply: %v", err)
			}
			if err == nil {
				if err := g.Remove(t.Context(), c.gate); err != nil {
					t.Error(err)
				}
			}
		})
	}
	apply(t, g, "b", `{"plugin":{"plugin":"p"}}`)
	apply(t, g, "a", `{"description":"x","plugin":{"plugin":"p","parameters":null}}`)
	e := gates.Evaluation{Candidate: gates.Subject{Name: "m"}}
	if _, err := g.Evaluate(t.Context(), "c", e); !errs.Is(err, errs.NotFound) || !strings.Contains(err.Error(), "a, b") {
		t.Errorf("unknown gate: %v", err)
	}
	if _, err := g.Evaluate(t.Context(), "a", gates.Evaluation{}); !errs.Is(err, errs.Invalid) {
		t.Errorf("no candidate: %v", err)
	}
	var ids []string
	for range 3 {
		d, err := g.Evaluate(t.Context(), "a", e)
		if err != nil {
			t.Fatal(err)
		}
		ids = append([]string{d.ID}, ids...)
		time.Sleep(time.Microsecond) // IDs sort by the microsecond
	}
	if err := g.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := g.Remove(t.Context(), "a"); !errs.Is(err, errs.NotFound) {
		t.Errorf("second Remove: %v", err)
	}
	ds, err := g.Decisions(t.Context(), "a", 2)
	if err != nil || len(ds) != 2 || ds[0].ID != ids[0] || ds[1].ID != ids[1] {
		t.Errorf("decisions of a removed gate: %v, %v; want %v", ds, err, ids[:2])
	}
	if ds, err := g.Decisions(t.Context(), "b", 0); err != nil || len(ds) != 0 {
		t.Errorf("decisions of b: %v, %v", ds, err)
	}
	if _, err := g.Decisions(t.Context(), "zzz", 0); !errs.Is(err, errs.NotFound) {
		t.Errorf("decisions of nobody: %v", err)
	}
}

// wasm opens built-in plugins in the real engine.
type wasm struct{ host *plugin.Host }

func (w wasm) Open(ctx context.Context, name string, params json.RawMessage) (gates.Judge, error) {
	for _, a := range plugins.Builtin() {
		if a.Name == name {
			return w.host.Open(ctx, a.Wasm, params, plugin.Limits{})
		}
	}
	return nil, errs.New(errs.NotFound, "plugin %q not found", name)
}

func TestBeatsBaseline(t *testing.T) {
	host, err := plugin.New(plugin.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	g := service(t, wasm{host}, &runtest.Memory{})
	apply(t, g, "g", `{"plugin":{"plugin":"beats-baseline","parameters":{"metrics":[{"name":"auc","min_delta":0.01}]}}}`)
	subject := func(auc float64) gates.Subject {
		return gates.Subject{Name: "m", Metrics: map[string]float64{"auc": auc}}
	}
	for _, c := range []struct {
		name            string
		candidate, base float64
		want            gates.Outcome
	}{
		{"better", 0.92, 0.9, gates.Pass},
		{"worse", 0.88, 0.9, gates.Fail},
		{"not a number", math.NaN(), 0.9, gates.Fail},
		{"baseline not a number", 0.9, math.NaN(), gates.Review},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := subject(c.base)
			d, err := g.Evaluate(t.Context(), "g", gates.Evaluation{Candidate: subject(c.candidate), Baseline: &base})
			if err != nil || d.Outcome != c.want {
				t.Errorf("outcome %s (%v), want %s: %v", d.Outcome, err, c.want, d.Reasons)
			}
		})
	}
}

func FuzzSpec(f *testing.F) {
	f.Add([]byte(`{"description":"d","plugin":{"plugin":"p","parameters":{"a":[1]}}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var s gates.Spec
		if schema.Strict(doc, &s) != nil || s.Validate() != nil {
			return
		}
		back, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var again gates.Spec
		if err := schema.Strict(back, &again); err != nil || again.Validate() != nil {
			t.Fatalf("%s does not read back: %v", back, err)
		}
	})
}
