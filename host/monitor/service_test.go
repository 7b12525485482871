package monitor_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/monitor"
	"github.com/weir-ml/weir/host/monitor/runtest"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

func empty(int) float64 { return math.NaN() }

func TestVerdicts(t *testing.T) {
	ref := table(400, map[string]func(int) float64{"a": ramp(0), "b": ramp(0), "c": ramp(0), "none": empty})
	cases := []struct {
		name, extra string
		current     *abi.Batch
		want        string
		drifted     []string
		share       float64
	}{
		{"the same", "", table(300, map[string]func(int) float64{"a": ramp(0), "b": ramp(0), "c": ramp(0), "none": empty}),
			"a=stable b=stable c=stable none=insufficient data → stable", []string{}, 0},
		{"one of three", "", table(300, map[string]func(int) float64{"c": ramp(9), "b": ramp(0.15), "a": ramp(0), "none": empty}),
			"a=stable b=watch c=drift none=insufficient data → stable", []string{"c"}, 1. / 3},
		{"two of three", "", table(300, map[string]func(int) float64{"c": ramp(9), "b": ramp(0), "a": ramp(-7), "none": ramp(0)}),
			"a=drift b=stable c=drift none=insufficient data → drift", []string{"a", "c"}, 2. / 3},
		{"threshold reached exactly", `,"threshold":9`, table(300, map[string]func(int) float64{"c": ramp(9), "b": ramp(0), "a": ramp(0), "none": empty}),
			"a=stable b=stable c=drift none=insufficient data → stable", []string{"c"}, 1. / 3},
		{"a lower share", `,"dataset_threshold":0.3`, table(300, map[string]func(int) float64{"c": ramp(9), "b": ramp(0), "a": ramp(0), "none": empty}),
			"a=stable b=stable c=drift none=insufficient data → drift", []string{"c"}, 1. / 3},
		{"another score", `,"score":"ratio","threshold":1.1`, table(300, map[string]func(int) float64{"c": ramp(9), "b": ramp(0), "a": ramp(-40), "none": empty}),
			"a=stable b=watch c=drift none=insufficient data → stable", []string{"c"}, 1. / 3},
		{"too few rows", "", table(299, map[string]func(int) float64{"c": ramp(9), "b": ramp(0), "a": ramp(0), "none": empty}),
			"a=insufficient data b=insufficient data c=insufficient data none=insufficient data → insufficient data", []string{}, 0},
		{"too few values in one", "", table(400, map[string]func(int) float64{"c": func(i int) float64 {
			if i < 101 {
				return math.NaN()
			}
			return 1e6
		}, "b": ramp(0), "a": ramp(0), "none": empty}),
			"a=stable b=stable c=insufficient data none=insufficient data → stable", []string{}, 0},
		{"no rows", "", table(0, map[string]func(int) float64{"c": ramp(9), "b": ramp(0), "a": ramp(0), "none": empty}),
			"a=insufficient data b=insufficient data c=insufficient data none=insufficient data → insufficient data", []string{}, 0},
		{"fewer asked for", `,"min_rows":10`, table(100, map[string]func(int) float64{"c": ramp(9), "b": ramp(9), "a": ramp(0), "none": empty}),
			"a=stable b=drift c=drift none=insufficient data → drift", []string{"b", "c"}, 2. / 3},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := &means{}
			s := service(t, &datasets{sets: map[string]*abi.Batch{"ref@2": ref}}, m, &runtest.Memory{})
			apply(t, s, "m", `{"metric":{"plugin":"means"},"reference":"ref@2"`+c.extra+`}`)
			r, err := s.Run(t.Context(), "m", monitor.Current{Rows: c.current, Label: "batch 7"})
			if err != nil {
				t.Fatal(err)
			}
			if got := verdicts(r); got != c.want || r.Drifted != strings.HasSuffix(c.want, "→ drift") {
				t.Errorf("verdicts %s\n    want %s (drifted %v)", got, c.want, r.Drifted)
			}
			if diff := cmp.Diff(c.drifted, r.DriftedColumns); diff != "" || math.Abs(r.Share-c.share) > 1e-12 {
				t.Errorf("share %v, drifted columns (-want +got):\n%s", r.Share, diff)
			}
			if r.Reference.Ref != "ref@2" || r.Reference.Rows != 400 || r.Current.Ref != "batch 7" || r.Current.Rows != int64(c.current.Rows) || r.Note == "" {
				t.Errorf("report %+v", r)
			}
			if m.open.Load() != 0 {
				t.Errorf("%d plugins or metrics left open", m.open.Load())
			}
			stored, err := s.Report(t.Context(), r.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(r, stored); diff != "" {
				t.Errorf("(-returned +stored):\n%s", diff)
			}
		})
	}
}

// The reference is read once for each (reference bytes, plugin bytes, parameters), and again when one of them changes or the
// cache is damaged.
func TestReferenceIsCached(t *testing.T) {
	d := &datasets{sets: map[string]*abi.Batch{
		"ref@1": table(400, map[string]func(int) float64{"a": ramp(0), "key": ramp(5)}),
		"cur@1": table(400, map[string]func(int) float64{"a": ramp(2), "key": ramp(5)}),
	}}
	m, store := &means{version: "1"}, &runtest.Memory{}
	s := service(t, d, m, store)
	run := func(want int) monitor.Report {
		t.Helper()
		r, err := s.Run(t.Context(), "m", monitor.Current{Dataset: "cur@1"})
		if err != nil {
			t.Fatal(err)
		}
		if d.reads["ref@1"] != want || len(r.Columns) != 1 || *r.Columns[0].Value != 2 {
			t.Errorf("reference read %d times, want %d; report %+v", d.reads["ref@1"], want, r.Columns)
		}
		return r
	}
	apply(t, s, "m", `{"metric":{"plugin":"means"},"reference":"ref@1","ignore":["key"]}`)
	first := run(1)
	again := run(1)
	if first.ReferenceCached || !again.ReferenceCached || d.quant != 1 || first.ParametersDigest != again.ParametersDigest {
		t.Errorf("cached %v, %v; quantiles computed %d times", first.ReferenceCached, again.ReferenceCached, d.quant)
	}
	m.version = "2"
	run(2)
	apply(t, s, "m", `{"metric":{"plugin":"means"},"reference":"ref@1","columns":["a"],"bins":4}`)
	run(3)
	store.Spoil()
	run(4)
	run(4)
}

func TestRunErrors(t *testing.T) {
	full := table(400, map[string]func(int) float64{"a": ramp(0), "b": ramp(0)})
	text := &abi.Batch{Rows: 1, Columns: []abi.Column{abi.UTF8Column("a", []string{"x"}), abi.Float64Column("b", []float64{1})}}
	d := &datasets{sets: map[string]*abi.Batch{"ref@1": full, "short@1": table(400, map[string]func(int) float64{"z": ramp(0)})}}
	m := &means{}
	s := service(t, d, m, &runtest.Memory{})
	apply(t, s, "m", `{"metric":{"plugin":"means"},"reference":"ref@1"}`)
	bad := *full
	bad.Columns = append([]abi.Column(nil), full.Columns...)
	bad.Columns[1].Values = bad.Columns[1].Values[:8]
	cases := []struct {
		name, monitor string
		current       monitor.Current
		kind          errs.Kind
		text          string
	}{
		{"unknown monitor", "x", monitor.Current{Rows: full}, errs.NotFound, "known monitors: m"},
		{"nothing given", "m", monitor.Current{}, errs.Invalid, "one of them"},
		{"both given", "m", monitor.Current{Rows: full, Dataset: "ref@1"}, errs.Invalid, "one of them"},
		{"unknown data set", "m", monitor.Current{Dataset: "y"}, errs.NotFound, `"y"`},
		{"columns missing", "m", monitor.Current{Dataset: "short@1"}, errs.Invalid, "lacks columns of the monitor: a, b"},
		{"not a number", "m", monitor.Current{Rows: text}, errs.Invalid, `column "a" is utf8`},
		{"broken batch", "m", monitor.Current{Rows: &bad}, errs.Invalid, `"b"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Run(t.Context(), c.monitor, c.current)
			if err == nil || errs.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %v with %q", err, c.kind, c.text)
			}
		})
	}
	m.fail = errors.New("trap")
	if _, err := s.Run(t.Context(), "m", monitor.Current{Rows: full}); !errors.Is(err, m.fail) {
		t.Errorf("a trap: %v", err)
	}
	if m.open.Load() != 0 {
		t.Errorf("%d plugins or metrics left open", m.open.Load())
	}
	if rs, err := s.Reports(t.Context(), "m", 0); err != nil || len(rs) != 0 {
		t.Errorf("reports after failures: %v, %v", rs, err)
	}
}

func TestApply(t *testing.T) {
	d := &datasets{sets: map[string]*abi.Batch{
		"ref@1":  table(400, map[string]func(int) float64{"a": ramp(0)}),
		"none@1": table(400, map[string]func(int) float64{"a": empty}),
		"text@1": {Rows: 1, Columns: []abi.Column{abi.UTF8Column("t", []string{"x"})}},
	}}
	s, err := monitor.New(monitor.Options{Datasets: d, Metrics: &means{}, Reports: &runtest.Memory{}, Cache: &runtest.Memory{}, Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	const good = `"metric":{"plugin":"means"},"reference":"ref@1"`
	cases := []struct {
		name, monitor, doc string
		kind               errs.Kind
		text               string
	}{
		{"no plugin", "m", `{"metric":{"plugin":""},"reference":"ref@1"}`, errs.Invalid, "spec.metric.plugin"},
		{"unknown plugin", "m", `{"metric":{"plugin":"q"},"reference":"ref@1"}`, errs.NotFound, `"q"`},
		{"parameters no object", "m", `{"metric":{"plugin":"means","parameters":3},"reference":"ref@1"}`, errs.Invalid, "spec.metric.parameters"},
		{"parameters with bins", "m", `{"metric":{"plugin":"means","parameters":{"columns":[]}},"reference":"ref@1"}`, errs.Invalid, "spec.metric.parameters.columns"},
		{"no reference", "m", `{"metric":{"plugin":"means"},"reference":""}`, errs.Invalid, "spec.reference"},
		{"unknown reference", "m", `{"metric":{"plugin":"means"},"reference":"x"}`, errs.NotFound, "spec.reference"},
		{"reference without numbers", "m", `{"metric":{"plugin":"means"},"reference":"text@1"}`, errs.Invalid, "no numeric column"},
		{"reference without values", "m", `{"metric":{"plugin":"means"},"reference":"none@1"}`, errs.Invalid, "no value"},
		{"unknown column", "m", `{` + good + `,"columns":["a","b"]}`, errs.Invalid, "spec.columns[1]"},
		{"text column", "m", `{"metric":{"plugin":"means"},"reference":"text@1","columns":["t"]}`, errs.Invalid, "utf8"},
		{"unknown ignored column", "m", `{` + good + `,"ignore":["b"]}`, errs.Invalid, "spec.ignore[0]"},
		{"column twice", "m", `{` + good + `,"columns":["a","a"]}`, errs.Invalid, "spec.columns[1]"},
		{"both lists", "m", `{` + good + `,"columns":["a"],"ignore":["a"]}`, errs.Invalid, "spec.ignore"},
		{"one bin", "m", `{` + good + `,"bins":1}`, errs.Invalid, "spec.bins"},
		{"negative threshold", "m", `{` + good + `,"threshold":-1}`, errs.Invalid, "spec.threshold"},
		{"share above one", "m", `{` + good + `,"dataset_threshold":1.5}`, errs.Invalid, "spec.dataset_threshold"},
		{"negative min_rows", "m", `{` + good + `,"min_rows":-5}`, errs.Invalid, "spec.min_rows"},
		{"name", "a.b", `{` + good + `}`, errs.Invalid, `"a.b"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := s.Check(t.Context(), c.monitor, spec(t, c.doc)); !errs.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %v with %q", err, c.kind, c.text)
			}
			// Apply opens neither plugin nor data: what they refuse shows when the monitor runs.
			err := s.Apply(t.Context(), c.monitor, spec(t, c.doc))
			if wrong := c.name == "name" || spec(t, c.doc).Validate() != nil; wrong != (err != nil) {
				t.Errorf("Apply: %v", err)
			}
			if err == nil {
				if _, err := s.Run(t.Context(), c.monitor, monitor.Current{Dataset: "ref@1"}); !errs.Is(err, c.kind) {
					t.Errorf("Run: %v, want %v", err, c.kind)
				}
				if err := s.Remove(t.Context(), c.monitor); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if len(s.Names()) != 0 {
		t.Errorf("applied: %v", s.Names())
	}
	apply(t, s, "m", `{`+good+`,"metric":{"plugin":"means","parameters":null}}`)
	if _, err := s.Run(t.Context(), "m", monitor.Current{Dataset: "ref@1"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), "m"); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), "m"); !errs.Is(err, errs.NotFound) {
		t.Errorf("second Remove: %v", err)
	}
	if rs, err := s.Reports(t.Context(), "m", 5); err != nil || len(rs) != 1 {
		t.Errorf("reports of a removed monitor: %d, %v", len(rs), err)
	}
	if _, err := s.Reports(t.Context(), "zzz", 5); !errs.Is(err, errs.NotFound) {
		t.Errorf("reports of nobody: %v", err)
	}
}

type fullStore struct{ runtest.Memory }

func (*fullStore) PutReport(context.Context, monitor.Report) error {
	return errs.New(errs.Exhausted, "disk full")
}

func TestUnstoredReportIsNone(t *testing.T) {
	d := &datasets{sets: map[string]*abi.Batch{"ref@1": table(400, map[string]func(int) float64{"a": ramp(0)})}}
	s, err := monitor.New(monitor.Options{Datasets: d, Metrics: &means{}, Reports: &fullStore{}, Cache: &runtest.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, "m", `{"metric":{"plugin":"means"},"reference":"ref@1"}`)
	r, err := s.Run(t.Context(), "m", monitor.Current{Dataset: "ref@1"})
	if !errs.Is(err, errs.Exhausted) || r.ID != "" {
		t.Errorf("report %+v, error %v", r, err)
	}
}

func FuzzSpec(f *testing.F) {
	f.Add([]byte(`{"metric":{"plugin":"psi","parameters":{"x":1}},"reference":"a@1","columns":["a"],"bins":5,"threshold":0.1,"min_rows":7}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var s monitor.Spec
		if schema.Strict(doc, &s) != nil || s.Validate() != nil {
			return
		}
		back, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var again monitor.Spec
		if err := schema.Strict(back, &again); err != nil || again.Validate() != nil {
			t.Fatalf("%s does not read back: %v", back, err)
		}
	})
}

func BenchmarkRun(b *testing.B) {
	const rows = 100_000
	d := &datasets{sets: map[string]*abi.Batch{"ref@1": table(rows, map[string]func(int) float64{"a": ramp(0), "b": ramp(1)})}}
	s := service(b, d, &means{}, &runtest.Memory{})
	apply(b, s, "m", `{"metric":{"plugin":"means"},"reference":"ref@1"}`)
	b.SetBytes(rows * 2 * 8)
	for b.Loop() {
		if _, err := s.Run(b.Context(), "m", monitor.Current{Dataset: "ref@1"}); err != nil {
			b.Fatal(err)
		}
	}
}
