package plugin

import (
	"bytes"
	"context"
	"strings"
	"testing"

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

// TestWrongContexts: plugins/plugins_test.go runs the vectors; this is about documents that those cannot write.
func TestWrongContexts(t *testing.T) {
	p := open(t, builtin(t, "beats-baseline"), `{"metrics":[{"name":"accuracy"}]}`, Limits{})
	for doc, want := range map[string]string{`{}`: `"candidate" is missing`, `[`: "context:"} {
		_, err := p.Gate(context.Background(), []byte(doc))
		wantFault(t, err, p, errs.Invalid, want)
	}
}

// TestDamagedStates: a summary refuses the state of another kind, version or set of bins, and one that was cut.
func TestDamagedStates(t *testing.T) {
	p := open(t, builtin(t, "psi"), `{"columns":[{"name":"c0","edges":[-0.5,0,0.25,0.5]},{"name":"c1","edges":[0]}]}`, Limits{})
	ctx := context.Background()
	metric := func() *Metric {
		m, err := p.Metric(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	whole := metric()
	defer whole.Close()
	in, _ := floats(4000, 3) // a column more than asked for is passed over
	if err := whole.Update(ctx, abi.Reference, in); err != nil {
		t.Fatal(err)
	}
	want, err := whole.State(ctx)
	if err != nil {
		t.Fatal(err)
	}
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
