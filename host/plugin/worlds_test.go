package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/plugins"
	"github.com/weir-ml/weir/sdk/abi"
)

func TestInspectBuiltins(t *testing.T) {
	h, err := New(Options{CacheDir: codeDir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, a := range plugins.Builtin() {
		i, err := h.Inspect(context.Background(), a.Wasm)
		if err != nil {
			t.Errorf("%s: %v", a.Name, err)
			continue
		}
		if i.Digest != a.Digest || i.Description.Name != a.Name || i.Size != len(a.Wasm) || i.Description.Parameters == nil || len(i.Exports) < 8 {
			t.Errorf("%s: %+v", a.Name, i)
		}
	}
}

func TestHandler(t *testing.T) {
	p := open(t, hello(t), `{"greeting":"cześć"}`, Limits{})
	ctx := context.Background()
	for range 3 {
		r, err := p.Handle(ctx, abi.Request{Kind: "http", Method: "POST", Query: "name=Ala%20K", Body: []byte("ignored")})
		if err != nil || string(r.Body) != `{"kind":"http","message":"cześć, Ala K"}` || r.Headers["Content-Type"][0] != "application/json" {
			t.Fatalf("%+v %s, %v", r, r.Body, err)
		}
	}
	if r, err := p.Handle(ctx, abi.Request{Kind: "http", Query: "%zz"}); err != nil || r.Status != 400 {
		t.Errorf("a bad query: %+v, %v", r, err)
	}
	_, err := p.Handle(ctx, abi.Request{Kind: "event", Path: "/panic"})
	wantFault(t, err, p, errs.Invalid, "panic: asked to")
	_, err = p.Handle(ctx, abi.Request{Kind: "event", Path: "/error"})
	wantFault(t, err, p, errs.Invalid, "asked to fail")
	if s := p.Stats(); s.Traps != 2 {
		t.Errorf("%+v", s)
	}
	if _, err := p.Gate(ctx, nil); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "is no gate") {
		t.Errorf("a world it does not speak: %v", err)
	}
	if _, err := p.Metric(ctx); !errs.Is(err, errs.Invalid) {
		t.Errorf("a world it does not speak: %v", err)
	}
}

// TestGoGuestsDoNotLeak makes a Go guest work long in little memory: its collector must get to run.
func TestGoGuestsDoNotLeak(t *testing.T) {
	p := open(t, hello(t), "", Limits{MemoryBytes: 24 << 20})
	ctx := context.Background()
	in := everyType(2000)
	body := bytes.Repeat([]byte("x"), 4<<10)
	for i := range 500 {
		if err := p.TransformChunk(ctx, in, func(*abi.Batch) error { return nil }); err != nil {
			t.Fatalf("transform %d: %v", i, err)
		}
		if _, err := p.Handle(ctx, abi.Request{Kind: "event", Body: body}); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	if s := p.Stats(); s.Traps != 0 {
		t.Errorf("%+v", s)
	}
}

type verdictCase struct {
	Name       string          `json:"name"`
	Parameters json.RawMessage `json:"parameters"`
	Context    json.RawMessage `json:"context"`
	Outcome    abi.Outcome     `json:"outcome"`
	Reasons    []string        `json:"reasons"`
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestBeatsBaseline(t *testing.T) {
	var cases []verdictCase
	readJSON(t, "../../plugins/beats-baseline/testdata/vectors.json", &cases)
	if len(cases) < 8 {
		t.Fatalf("%d vectors", len(cases))
	}
	h, err := New(Options{CacheDir: codeDir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, tc := range cases {
		p, err := h.Open(context.Background(), builtin(t, "beats-baseline"), tc.Parameters, Limits{})
		if err != nil {
			t.Fatalf("%s: %v", tc.Name, err)
		}
		v, err := p.Gate(context.Background(), tc.Context)
		if err != nil || v.Outcome != tc.Outcome || !reflect.DeepEqual(v.Reasons, tc.Reasons) {
			t.Errorf("%s: %s %q, %v; want %s %q", tc.Name, v.Outcome, v.Reasons, err, tc.Outcome, tc.Reasons)
		}
		p.Close()
	}
	p, err := h.Open(context.Background(), builtin(t, "beats-baseline"), cases[0].Parameters, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for doc, want := range map[string]string{`{}`: `"candidate" is missing`, `[`: "context:"} {
		_, err := p.Gate(context.Background(), []byte(doc))
		wantFault(t, err, p, errs.Invalid, want)
	}
}

// TestPSIAgainstNumpy compares with values that testdata/psi.py computed by numpy, following Evidently's definition.
func TestPSIAgainstNumpy(t *testing.T) {
	var cases []struct {
		Name      string
		Edges     []float64
		Reference []*float64
		Current   []*float64
		PSI       *float64
		RefShares []float64 `json:"reference_shares"`
	}
	readJSON(t, "../../plugins/psi/testdata/vectors.json", &cases)
	if len(cases) < 8 {
		t.Fatalf("%d vectors", len(cases))
	}
	h, err := New(Options{CacheDir: codeDir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	column := func(v []*float64) *abi.Batch {
		x, null := make([]float64, len(v)), []int(nil)
		for i, p := range v {
			if p == nil {
				// Missing travels as a null, a NaN or an infinity: all the same.
				x[i] = [...]float64{1, math.NaN(), math.Inf(1), math.Inf(-1)}[i%4]
				if i%4 == 0 {
					null = append(null, i)
				}
				continue
			}
			x[i] = *p
		}
		return &abi.Batch{Rows: len(v), Columns: []abi.Column{abi.Float64Column("x", x).WithNulls(len(v), null...)}}
	}
	ctx := context.Background()
	for _, tc := range cases {
		params, _ := json.Marshal(map[string]any{"columns": []any{map[string]any{"name": "x", "edges": tc.Edges}}})
		p, err := h.Open(ctx, builtin(t, "psi"), params, Limits{})
		if err != nil {
			t.Fatalf("%s: %v", tc.Name, err)
		}
		m, err := p.Metric(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Update(ctx, abi.Reference, column(tc.Reference)); err != nil {
			t.Fatalf("%s: %v", tc.Name, err)
		}
		if err := m.Update(ctx, abi.Current, column(tc.Current)); err != nil {
			t.Fatalf("%s: %v", tc.Name, err)
		}
		s, err := m.Finish(ctx)
		if err != nil || len(s) != 1 || s[0].Name != "psi" || s[0].Column != "x" {
			t.Fatalf("%s: %+v, %v", tc.Name, s, err)
		}
		switch {
		case tc.PSI == nil:
			if s[0].Value != nil || s[0].Note == "" {
				t.Errorf("%s: %+v, want no value and a note", tc.Name, s[0])
			}
		case s[0].Value == nil || math.Abs(*s[0].Value-*tc.PSI) > 1e-12*math.Max(1, math.Abs(*tc.PSI)):
			t.Errorf("%s: %v, want %v", tc.Name, s[0].Value, *tc.PSI)
		default:
			for i, share := range s[0].Detail["reference_shares"].([]any) {
				if share.(float64) != tc.RefShares[i] {
					t.Errorf("%s: share %d is %v, want %v", tc.Name, i, share, tc.RefShares[i])
				}
			}
		}
		m.Close()
		m.Close()
		p.Close()
	}
}

// TestPSIMerges: any split of the rows and any order of merges gives the same state and scores, bit for bit.
func TestPSIMerges(t *testing.T) {
	p := open(t, builtin(t, "psi"), `{"columns":[{"name":"c0","edges":[-0.5,0,0.25,0.5]},{"name":"c1","edges":[0]}]}`, Limits{})
	ctx := context.Background()
	metric := func() *Metric {
		m, err := p.Metric(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	in, _ := floats(4000, 3) // a column more than asked for is passed over
	whole := metric()
	defer whole.Close()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(whole.Update(ctx, abi.Reference, in.Slice(0, 2500)))
	check(whole.Update(ctx, abi.Current, in.Slice(2500, 4000)))
	want, err := whole.State(ctx)
	check(err)
	scores, err := whole.Finish(ctx)
	check(err)
	rapid.Check(t, func(rt *rapid.T) {
		// Cut both sides at random, deal the pieces to up to three summaries, and merge those in a random order.
		parts := []*Metric{metric(), metric(), metric()}
		defer func() {
			for _, m := range parts {
				m.Close()
			}
		}()
		for from := 0; from < in.Rows; {
			to := min(from+rapid.IntRange(1, 1500).Draw(rt, "rows"), in.Rows)
			side := abi.Reference
			if from >= 2500 {
				side = abi.Current
			} else {
				to = min(to, 2500)
			}
			check(parts[rapid.IntRange(0, 2).Draw(rt, "part")].Update(ctx, side, in.Slice(from, to)))
			from = to
		}
		order := rapid.Permutation([]int{0, 1, 2}).Draw(rt, "order")
		for _, i := range order[1:] {
			s, err := parts[i].State(ctx)
			check(err)
			check(parts[order[0]].Merge(ctx, s))
		}
		got, err := parts[order[0]].State(ctx)
		check(err)
		again, err := parts[order[0]].Finish(ctx)
		check(err)
		if !bytes.Equal(got, want) || !reflect.DeepEqual(again, scores) {
			rt.Fatalf("%x, want %x", got, want)
		}
	})
	for _, bad := range [][]byte{nil, []byte("psi"), want[:len(want)-1], append(append([]byte(nil), want...), 0), append([]byte("psi\x02"), want[4:]...), append(append([]byte(nil), want[:5]...), make([]byte, len(want)-5)...)} {
		m := metric()
		if err := m.Merge(ctx, bad); !errs.Is(err, errs.Invalid) {
			t.Errorf("a damaged state %x: %v", bad, err)
		}
		m.Close()
	}
}

// TestMetricsAreDiscardedAfterAnError: a metric that failed stays failed, and its instance is not used again.
func TestMetricsAreDiscardedAfterAnError(t *testing.T) {
	p := open(t, hostile(t), "", Limits{})
	ctx := context.Background()
	m, err := p.Metric(ctx)
	if err != nil {
		t.Fatal(err)
	}
	one, _ := floats(1, 1)
	thirteen, _ := floats(13, 1)
	if err := m.Update(ctx, abi.Current, one); err != nil {
		t.Fatal(err)
	}
	if s, err := m.State(ctx); err != nil || s[0] != 1 {
		t.Fatalf("%v, %v", s, err)
	}
	err = m.Update(ctx, abi.Current, thirteen)
	wantFault(t, err, p, errs.Invalid, "unreachable")
	if _, err2 := m.State(ctx); err2 == nil || err2.Error() != err.Error() {
		t.Errorf("a failed metric answers %v", err2)
	}
	m.Close()
	fresh, err := p.Metric(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	if s, err := fresh.State(ctx); err != nil || s[0] != 0 {
		t.Fatalf("%v, %v", s, err)
	}
	if err := fresh.Update(ctx, 2, one); !errs.Is(err, errs.Invalid) {
		t.Errorf("a third side: %v", err)
	}
	closed, err := p.Metric(ctx)
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if _, err := closed.Finish(ctx); !errs.Is(err, errs.Unavailable) {
		t.Errorf("a closed metric: %v", err)
	}
}
