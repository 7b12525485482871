package functions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/functions/runtest"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

const eventSpec = `{"event":{"stream":"IN","subject":"in.>","ack_wait":"500ms","max_wait":"20ms"},"transform":{"plugin":"double"},` +
	`"output":{"subject":"out.f"},"retry":{"max_attempts":3,"backoff":"1ms","max_backoff":"5ms"}}`

// await polls until ok, for at most 20 s.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not happen", what)
		}
	}
}

// position waits until every one of n inputs is done.
func drained(t testing.TB, s *functions.Service, name string, n uint64) functions.Status {
	t.Helper()
	var st functions.Status
	await(t, fmt.Sprintf("the end of %d inputs", n), func() bool {
		var err error
		if st, err = s.Status(context.Background(), name); err != nil {
			t.Fatal(err)
		}
		return st.Event.AckFloor >= n && st.Event.AckPending == 0 && st.Event.Pending == 0 &&
			st.Event.Processed+st.Event.Dead+st.Event.Duplicates >= n
	})
	return st
}

func letters(t testing.TB, s *functions.Service, name string) []functions.DeadLetter {
	t.Helper()
	ls, err := s.DeadLetters(context.Background(), name, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ls
}

func TestEventResults(t *testing.T) {
	m := runtest.NewMemory()
	s := service(t, functions.Options{
		Plugins: runtest.Plugins{"double": runtest.Double()}, Predictor: runtest.Model(runtest.AddOne), Events: m, Registerer: prometheus.NewRegistry(),
	})
	m.Publish("IN", "in.a", nil, []byte(`{"x":1,"id":"one","z":[1, 2]}`))
	m.Publish("IN", "in.a", nil, []byte(`{"x":2}`))
	apply(t, s, "f", strings.Replace(eventSpec, `"subject":"out.f"`, `"subject":"out.f","keep":["z","id","y"]`, 1))
	drained(t, s, "f", 2)
	got := m.Results("f")
	if len(got) != 2 || string(got[0].Data) != `{"z":[1, 2],"id":"one","y":2}` || string(got[1].Data) != `{"y":4}` {
		t.Fatalf("results %s", got)
	}
	h := got[1].Header
	digest := h[functions.HeaderPlugin]
	if diff := cmp.Diff(map[string]string{
		functions.HeaderFunction: "f", functions.HeaderInputStream: "IN", functions.HeaderInputSequence: "2",
		functions.HeaderBatchSize: "2", functions.HeaderPlugin: digest,
	}, h); diff != "" || !strings.HasPrefix(digest, "sha256:") {
		t.Errorf("headers (-want +got):\n%s", diff)
	}

	apply(t, s, "g", `{"event":{"stream":"IN","subject":"in.>","max_wait":"20ms"},"transform":{"plugin":"double"},"model":"m","output":{"subject":"out.g"}}`)
	drained(t, s, "g", 2)
	got = m.Results("g")
	if len(got) != 2 || string(got[0].Data) != `{"id":"one","y":2,"prediction":3}` || got[0].Header[functions.HeaderModel] != "m@3" || got[0].Header[functions.HeaderBatchSize] != "12" {
		t.Errorf("results %s %v", got, got[0].Header)
	}
}

func TestPoisonStaysAlone(t *testing.T) {
	m := runtest.NewMemory()
	s := service(t, functions.Options{Plugins: runtest.Plugins{"double": runtest.Double()}, Events: m})
	want := map[uint64]functions.Reason{}
	put := func(doc string, r functions.Reason) {
		seq := m.Publish("IN", "in.a", map[string]string{"K": "v"}, []byte(doc))
		if r != "" {
			want[seq] = r
		}
	}
	for i := range 50 {
		put(fmt.Sprintf(`{"x":%d,"id":%d}`, i, i), "")
		switch i {
		case 3:
			put(`{"x":`, functions.Undecodable)
		case 7:
			put(`[1]`, functions.Undecodable)
		case 9:
			put(`null`, functions.Undecodable)
		case 11:
			put(`{"id":5}`, functions.Undecodable)
		case 20:
			put(`{"x":"text"}`, functions.Undecodable)
		case 30:
			put(`{"x":-1}`, functions.Exhausted)
		case 40:
			put(`{"x":-2}`, functions.Exhausted)
		}
	}
	apply(t, s, "f", eventSpec)
	st := drained(t, s, "f", 57)
	seen := map[string]int{}
	for _, r := range m.Results("f") {
		var doc struct{ ID, Y int }
		if err := json.Unmarshal(r.Data, &doc); err != nil || doc.Y != 2*doc.ID {
			t.Errorf("result %s: %v", r.Data, err)
		}
		seen[r.Header[functions.HeaderInputSequence]]++
	}
	if len(seen) != 50 || len(m.Results("f")) != 50 {
		t.Errorf("%d results of %d inputs, want 50 of 50", len(m.Results("f")), len(seen))
	}
	got := map[uint64]functions.Reason{}
	for _, l := range letters(t, s, "f") {
		got[l.InputSequence] = l.Reason
		attempts := 1
		if l.Reason == functions.Exhausted {
			attempts = 3
		}
		if l.Attempts != attempts || l.Error == "" || l.Header["K"] != "v" || len(l.Data) == 0 || l.Subject != "in.a" {
			t.Errorf("letter %+v, want %d attempts", l, attempts)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	if e := st.Event; e.Processed != 50 || e.Dead != 7 || e.Retried != 4 || e.LastError == "" || e.LastErrorAt == nil || len(e.Batches) == 0 {
		t.Errorf("status %+v", e)
	}
}

func TestReplay(t *testing.T) {
	m := runtest.NewMemory()
	p := runtest.Double()
	var mended atomic.Bool
	double := p.TransformFunc
	p.TransformFunc = func(ctx context.Context, in *abi.Batch) (*abi.Batch, error) {
		if !mended.Load() {
			return nil, errs.New(errs.Invalid, "not today")
		}
		return double(ctx, in)
	}
	s := service(t, functions.Options{Plugins: runtest.Plugins{"double": p}, Events: m})
	apply(t, s, "f", eventSpec)
	m.Publish("IN", "in.a", nil, []byte(`{"x":4}`))
	drained(t, s, "f", 1)
	mended.Store(true)
	ls := letters(t, s, "f")
	if len(ls) != 1 {
		t.Fatalf("%d letters", len(ls))
	}
	if _, err := s.Replay(t.Context(), "f", ls[0].Sequence); err != nil {
		t.Fatal(err)
	}
	drained(t, s, "f", 2)
	if r := m.Results("f"); len(r) != 1 || string(r[0].Data) != `{"y":8}` || len(letters(t, s, "f")) != 0 {
		t.Errorf("results %s, letters %v", r, letters(t, s, "f"))
	}
}

func TestHandlerEvents(t *testing.T) {
	m := runtest.NewMemory()
	p := &runtest.Plugin{World: abi.WorldHandler, HandleFunc: func(_ context.Context, r abi.Request) (abi.Response, error) {
		switch body := string(r.Body); body {
		case "silent":
			return abi.Response{Status: 204}, nil
		case "bad":
			return abi.Response{Status: 422, Body: []byte("no")}, nil
		case "busy":
			return abi.Response{Status: 503}, nil
		default:
			return abi.Response{Headers: map[string][]string{"Content-Type": {"text/plain"}}, Body: []byte(r.Kind + " " + r.Subject + " " + r.ID + " " + r.Headers["K"][0] + " " + body)}, nil
		}
	}}
	s := service(t, functions.Options{Plugins: runtest.Plugins{"h": p}, Events: m})
	for _, body := range []string{"a", "silent", "bad", "busy", "b"} {
		m.Publish("IN", "in.q", map[string]string{"K": "k"}, []byte(body))
	}
	apply(t, s, "f", strings.Replace(eventSpec, `"transform":{"plugin":"double"}`, `"handler":{"plugin":"h"}`, 1))
	drained(t, s, "f", 5)
	var got []string
	for _, r := range m.Results("f") {
		got = append(got, string(r.Data)+" "+r.Header["Content-Type"])
	}
	if diff := cmp.Diff([]string{"event in.q IN:1 k a text/plain", "event in.q IN:5 k b text/plain"}, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	reasons := map[string]functions.Reason{}
	for _, l := range letters(t, s, "f") {
		reasons[string(l.Data)] = l.Reason
	}
	if diff := cmp.Diff(map[string]functions.Reason{"bad": functions.Refused, "busy": functions.Exhausted}, reasons); diff != "" {
		t.Errorf("letters (-want +got):\n%s", diff)
	}
}

// While the model is away nothing is dead-lettered and no attempt is spent, however long it takes.
func TestModelAwayPauses(t *testing.T) {
	m := runtest.NewMemory()
	var calls atomic.Int64
	s := service(t, functions.Options{Plugins: runtest.Plugins{}, Events: m, Predictor: runtest.Model(func(ctx context.Context, model string, in *abi.Batch) (functions.Prediction, error) {
		if calls.Add(1) <= 4 { // longer than max_attempts, and than the ack wait
			return functions.Prediction{}, errs.New(errs.NotFound, "model %q not found", model)
		}
		return runtest.AddOne(ctx, model, in)
	})})
	apply(t, s, "f", strings.Replace(eventSpec, `"transform":{"plugin":"double"}`, `"model":"late"`, 1))
	m.Publish("IN", "in.a", nil, []byte(`{"x":1}`))
	await(t, "the pause", func() bool {
		st, err := s.Status(t.Context(), "f")
		if err != nil {
			t.Fatal(err)
		}
		return st.State == functions.Paused && strings.Contains(st.Event.LastError, "late")
	})
	st := drained(t, s, "f", 1)
	if r := m.Results("f"); len(r) != 1 || string(r[0].Data) != `{"prediction":2}` || st.Event.Dead != 0 || st.Event.Retried != 0 {
		t.Errorf("results %s, status %+v", r, st.Event)
	}
}

// A commit whose acknowledgement is lost, one that is refused, and an ack that is lost: one result for each input all the same.
func TestCommitFaults(t *testing.T) {
	m := runtest.NewMemory()
	var n atomic.Int64
	m.Fail = func(applied bool) error {
		switch n.Add(1) % 5 {
		case 1:
			return errs.New(errs.Timeout, "outcome unknown (applied %v)", applied)
		case 3:
			return errs.New(errs.Unavailable, "away")
		}
		return nil
	}
	s := service(t, functions.Options{Plugins: runtest.Plugins{"double": runtest.Double()}, Events: lossy{m}})
	const inputs = 60
	for i := range inputs {
		m.Publish("IN", "in.a", nil, fmt.Appendf(nil, `{"x":%d}`, i))
	}
	apply(t, s, "f", strings.Replace(eventSpec, `"ack_wait"`, `"batch_size":7,"ack_wait"`, 1))
	drained(t, s, "f", inputs)
	seen := map[string]int{}
	for _, r := range m.Results("f") {
		seen[r.Header[functions.HeaderInputSequence]]++
	}
	if len(seen) != inputs || len(m.Results("f")) != inputs {
		t.Errorf("%d results of %d inputs: %v", len(m.Results("f")), len(seen), slices.Sorted(maps.Keys(seen)))
	}
}

// lossy loses the ack of every first delivery.
type lossy struct{ *runtest.Memory }

func (l lossy) Open(ctx context.Context, b functions.Binding) (functions.Feed, error) {
	f, err := l.Memory.Open(ctx, b)
	return lossyFeed{f}, err
}

type lossyFeed struct{ functions.Feed }

func (l lossyFeed) Fetch(ctx context.Context, n int, wait time.Duration) ([]functions.Event, error) {
	es, err := l.Feed.Fetch(ctx, n, wait)
	for i := range es {
		if es[i].Attempt == 1 {
			es[i].Delivery = deaf{es[i].Delivery}
		}
	}
	return es, err
}

type deaf struct{ functions.Delivery }

func (deaf) AckAsync() error { return nil }

// A result that the store refuses becomes a dead letter, and takes no neighbour with it.
func TestUnstorableResult(t *testing.T) {
	m := runtest.NewMemory()
	s := service(t, functions.Options{Plugins: runtest.Plugins{"double": runtest.Double()}, Events: picky{m}})
	for i := range 10 {
		m.Publish("IN", "in.a", nil, fmt.Appendf(nil, `{"x":%d}`, i))
	}
	apply(t, s, "f", eventSpec)
	drained(t, s, "f", 10)
	ls := letters(t, s, "f")
	if len(m.Results("f")) != 9 || len(ls) != 1 || ls[0].Reason != functions.Unstorable || string(ls[0].Data) != `{"x":3}` {
		t.Errorf("%d results, letters %+v", len(m.Results("f")), ls)
	}
}

type picky struct{ *runtest.Memory }

func (p picky) Open(ctx context.Context, b functions.Binding) (functions.Feed, error) {
	f, err := p.Memory.Open(ctx, b)
	return pickyFeed{f}, err
}

type pickyFeed struct{ functions.Feed }

func (p pickyFeed) Commit(ctx context.Context, os []functions.Outcome) error {
	for _, o := range os {
		if o.Result != nil && string(o.Result.Data) == `{"y":6}` {
			return errs.New(errs.Invalid, "message too large")
		}
	}
	return p.Feed.Commit(ctx, os)
}

// Close finishes the batch in work: its result is there and its input acknowledged when Close returns.
func TestCloseDrains(t *testing.T) {
	m := runtest.NewMemory()
	p := runtest.Double()
	double := p.TransformFunc
	began, goOn := make(chan struct{}, 8), make(chan struct{})
	p.TransformFunc = func(ctx context.Context, in *abi.Batch) (*abi.Batch, error) {
		began <- struct{}{}
		<-goOn
		return double(ctx, in)
	}
	s := service(t, functions.Options{Plugins: runtest.Plugins{"double": p}, Events: m})
	apply(t, s, "f", eventSpec)
	m.Publish("IN", "in.a", nil, []byte(`{"x":1}`))
	<-began
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	close(goOn)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if len(m.Results("f")) != 1 || p.Open() != 0 {
		t.Errorf("%d results, %d plugins open", len(m.Results("f")), p.Open())
	}
	if err := s.Apply(t.Context(), "f", spec(t, eventSpec)); !errs.Is(err, errs.Unavailable) || p.Open() != 0 {
		t.Errorf("Apply after Close: %v, %d open", err, p.Open())
	}
}

// A replacement goes on where the old version stopped; a refused one leaves the old version at work.
func TestReplace(t *testing.T) {
	m := runtest.NewMemory()
	p := runtest.Double()
	s := service(t, functions.Options{Plugins: runtest.Plugins{"double": p, "echo": echo()}, Events: m})
	apply(t, s, "f", eventSpec)
	apply(t, s, "f", eventSpec) // the same: nothing happens
	if p.Open() != 1 {
		t.Errorf("%d plugins open after the same spec twice", p.Open())
	}
	m.Publish("IN", "in.a", nil, []byte(`{"x":1}`))
	drained(t, s, "f", 1)
	for name, doc := range map[string]string{
		"unknown plugin": strings.Replace(eventSpec, `"double"`, `"nope"`, 1),
		"wrong world":    strings.Replace(eventSpec, `"double"`, `"echo"`, 1),
		"invalid":        `{}`,
	} {
		if err := s.Check(t.Context(), "f", spec(t, doc)); err == nil {
			t.Errorf("%s: Check says nothing", name)
		}
		if err := s.Apply(t.Context(), "f", spec(t, doc)); err == nil {
			t.Errorf("%s: applied", name)
		}
	}
	m.Publish("IN", "in.a", nil, []byte(`{"x":2}`))
	drained(t, s, "f", 2)
	apply(t, s, "f", strings.Replace(eventSpec, `"subject":"out.f"`, `"subject":"out.f","keep":["x"]`, 1))
	m.Publish("IN", "in.a", nil, []byte(`{"x":3}`))
	await(t, "the third result", func() bool { return len(m.Results("f")) == 3 })
	if got := string(m.Results("f")[2].Data); got != `{"x":3,"y":6}` || p.Open() != 1 {
		t.Errorf("result %s, %d plugins open", got, p.Open())
	}
	if err := s.Forget(t.Context(), "f"); !errs.Is(err, errs.Conflict) {
		t.Errorf("Forget of an applied function: %v", err)
	}
	if err := s.Remove(t.Context(), "f"); err != nil || p.Open() != 0 {
		t.Errorf("Remove: %v, %d open", err, p.Open())
	}
	if err := s.Remove(t.Context(), "f"); !errs.Is(err, errs.NotFound) {
		t.Errorf("a second Remove: %v", err)
	}
	if err := s.Forget(t.Context(), "f"); err != nil || len(m.Results("f")) != 0 {
		t.Errorf("Forget: %v, %d results left", err, len(m.Results("f")))
	}
}

// Closed while it waits for its model, a function leaves its events to whoever comes next.
func TestCloseWhilePaused(t *testing.T) {
	m := runtest.NewMemory()
	doc := strings.Replace(eventSpec, `"transform":{"plugin":"double"}`, `"model":"late"`, 1)
	gone := service(t, functions.Options{Plugins: runtest.Plugins{}, Events: m, Predictor: runtest.Model(func(context.Context, string, *abi.Batch) (functions.Prediction, error) {
		return functions.Prediction{}, errs.New(errs.Unavailable, "no model")
	})})
	apply(t, gone, "f", doc)
	m.Publish("IN", "in.a", nil, []byte(`{"x":1}`))
	await(t, "the pause", func() bool {
		st, err := gone.Status(t.Context(), "f")
		return err == nil && st.State == functions.Paused
	})
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	if len(m.Results("f")) != 0 {
		t.Fatalf("results %s", m.Results("f"))
	}
	next := service(t, functions.Options{Plugins: runtest.Plugins{}, Events: m, Predictor: runtest.Model(runtest.AddOne)})
	apply(t, next, "f", doc)
	drained(t, next, "f", 1)
	if r := m.Results("f"); len(r) != 1 || len(letters(t, next, "f")) != 0 {
		t.Errorf("results %s, letters %v", r, letters(t, next, "f"))
	}
}
