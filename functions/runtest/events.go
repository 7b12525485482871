package runtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/errs"
)

// Harness is an implementation of functions.Events under test, with a way to look behind it.
type Harness struct {
	Events  functions.Events
	Publish func(t *testing.T, stream, subject string, header map[string]string, data []byte) uint64
	Results func(t *testing.T, function string) []Message
}

// TestEvents runs the contract against fresh harnesses.
func TestEvents(t *testing.T, open func(t *testing.T) Harness) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, h Harness)
	}{
		{"events come in order and once", inOrder},
		{"a commit is all or nothing and once", commitOnce},
		{"an unanswered event comes again after the ack wait", redelivery},
		{"work in progress is not delivered again", inProgress},
		{"a feed opened again goes on", reopened},
		{"dead letters are listed and replayed once", letters},
		{"a letter without payload is replayed from the input", bareLetter},
		{"the output subject has one owner", oneOwner},
		{"the position follows the acknowledgements", position},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

var bound = functions.Binding{Function: "f", Stream: "IN", Subject: "in.x", OutputSubject: "out.f", AckWait: time.Second}

func openFeed(t *testing.T, h Harness, b functions.Binding) functions.Feed {
	t.Helper()
	f, err := h.Events.Open(t.Context(), b)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return f
}

// fetch collects n events.
func fetch(t *testing.T, f functions.Feed, n int) []functions.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var out []functions.Event
	for len(out) < n {
		es, err := f.Fetch(ctx, n-len(out), time.Second)
		if err != nil {
			t.Fatalf("Fetch after %d of %d events: %v", len(out), n, err)
		}
		out = append(out, es...)
	}
	return out
}

func publish(t *testing.T, h Harness, n int) {
	t.Helper()
	for i := range n {
		if seq := h.Publish(t, "IN", "in.x", map[string]string{"K": fmt.Sprint(i)}, fmt.Appendf(nil, "%d", i)); seq == 0 {
			t.Fatal("Publish answered sequence 0")
		}
	}
}

func result(e functions.Event) functions.Outcome {
	return functions.Outcome{Input: e, Result: &functions.Result{Data: append([]byte("r"), e.Data...), Header: map[string]string{"H": "v" + string(e.Data)}}}
}

func texts(ms []Message) []string {
	out := []string{}
	for _, m := range ms {
		out = append(out, string(m.Data)+"/"+m.Header["H"])
	}
	return out
}

func inOrder(t *testing.T, h Harness) {
	f := openFeed(t, h, bound)
	publish(t, h, 5)
	for i, e := range fetch(t, f, 5) {
		if string(e.Data) != fmt.Sprint(i) || e.Attempt != 1 || e.Sequence != uint64(i+1) || e.Stream != "IN" || e.Subject != "in.x" || e.Header["K"] != fmt.Sprint(i) || e.Incarnation == "" {
			t.Errorf("event %d is %+v", i, e)
		}
	}
	if more, err := f.Fetch(t.Context(), 5, 50*time.Millisecond); err != nil || len(more) != 0 {
		t.Errorf("a second fetch answered %d events, %v", len(more), err)
	}
}

func commitOnce(t *testing.T, h Harness) {
	f := openFeed(t, h, bound)
	publish(t, h, 3)
	es := fetch(t, f, 3)
	if err := f.Commit(t.Context(), []functions.Outcome{result(es[0]), {Input: es[1]}}); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	if err := f.Commit(t.Context(), []functions.Outcome{result(es[2]), result(es[1])}); !errors.Is(err, functions.ErrProcessed) {
		t.Fatalf("a second commit of an input answered %v, want ErrProcessed", err)
	}
	have, err := f.Processed(t.Context(), es)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]bool{true, true, false}, have); diff != "" {
		t.Errorf("Processed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"r0/v0"}, texts(h.Results(t, "f"))); diff != "" {
		t.Errorf("the refused commit left something (-want +got):\n%s", diff)
	}
	if err := f.Commit(t.Context(), []functions.Outcome{result(es[2])}); err != nil {
		t.Errorf("the innocent member alone: %v", err)
	}
}

func redelivery(t *testing.T, h Harness) {
	f := openFeed(t, h, bound)
	publish(t, h, 2)
	first := fetch(t, f, 2)
	_ = first[1].AckAsync() // what it did shows below
	again := fetch(t, f, 1)
	if again[0].Sequence != first[0].Sequence || again[0].Attempt != 2 {
		t.Errorf("redelivered sequence %d attempt %d, want %d and 2", again[0].Sequence, again[0].Attempt, first[0].Sequence)
	}
	_ = again[0].Nak(0) // what it did shows below
	if e := fetch(t, f, 1)[0]; e.Attempt != 3 {
		t.Errorf("after a nak the attempt is %d, want 3", e.Attempt)
	}
}

func inProgress(t *testing.T, h Harness) {
	patient := bound
	patient.AckWait = 2 * time.Second
	f := openFeed(t, h, patient)
	publish(t, h, 1)
	e := fetch(t, f, 1)[0]
	until := time.Now().Add(patient.AckWait * 3 / 2)
	for time.Now().Before(until) {
		_ = e.InProgress() // what it did shows below
		more, err := f.Fetch(t.Context(), 1, patient.AckWait/10)
		if err != nil || len(more) > 0 {
			t.Fatalf("delivered %d events while in progress, %v", len(more), err)
		}
	}
}

func reopened(t *testing.T, h Harness) {
	f := openFeed(t, h, bound)
	publish(t, h, 2)
	es := fetch(t, f, 2)
	if err := f.Commit(t.Context(), []functions.Outcome{result(es[0])}); err != nil {
		t.Fatal(err)
	}
	_ = es[1].Nak(0) // what it did shows below
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	g := openFeed(t, h, bound)
	again := fetch(t, g, 2)
	have, err := g.Processed(t.Context(), again)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range again {
		if have[i] != (e.Sequence == es[0].Sequence) {
			t.Errorf("Processed of input %d is %v", e.Sequence, have[i])
		}
	}
}

func dead(e functions.Event, bare bool) functions.Outcome {
	return functions.Outcome{Input: e, Dead: &functions.Failure{Reason: functions.Refused, Error: "no good", Attempts: 3, Bare: bare}}
}

func letters(t *testing.T, h Harness) {
	f := openFeed(t, h, bound)
	publish(t, h, 3)
	es := fetch(t, f, 3)
	if err := f.Commit(t.Context(), []functions.Outcome{dead(es[0], false), result(es[1]), dead(es[2], false)}); err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		_ = e.AckAsync() // what it did shows below
	}
	ls, err := f.DeadLetters(t.Context(), 0, 10)
	if err != nil || len(ls) != 2 {
		t.Fatalf("DeadLetters: %d, %v; want 2", len(ls), err)
	}
	l := ls[0]
	if l.Time.IsZero() || l.Sequence == 0 {
		t.Errorf("letter has time %v, sequence %d", l.Time, l.Sequence)
	}
	seq := l.Sequence
	l.Time, l.Sequence = time.Time{}, 0
	want := functions.DeadLetter{
		Function: "f", Reason: functions.Refused, Error: "no good", Attempts: 3, Stream: "IN", InputSequence: es[0].Sequence,
		Subject: "in.x", Header: map[string]string{"K": "0"}, Data: []byte("0"),
	}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Errorf("letter (-want +got):\n%s", diff)
	}
	page, err := f.DeadLetters(t.Context(), seq+1, 1)
	if err != nil || len(page) != 1 || page[0].Sequence != ls[1].Sequence {
		t.Errorf("the page after the first letter: %+v, %v", page, err)
	}
	in, err := f.Replay(t.Context(), seq)
	if err != nil {
		t.Fatalf("Replay: %v", err)
	}
	e := fetch(t, f, 1)[0]
	if e.Sequence != in || string(e.Data) != "0" || e.Subject != "in.x" || e.Header["K"] != "0" || e.Attempt != 1 {
		t.Errorf("replayed as %d, delivered %+v", in, e)
	}
	if _, err := f.Replay(t.Context(), seq); !errs.Is(err, errs.NotFound) {
		t.Errorf("a second replay: %v, want NotFound", err)
	}
	if _, err := f.Replay(t.Context(), 999); !errs.Is(err, errs.NotFound) {
		t.Errorf("replay of nothing: %v, want NotFound", err)
	}
	if ls, err := f.DeadLetters(t.Context(), 0, 10); err != nil || len(ls) != 1 {
		t.Errorf("after the replay: %d letters, %v; want 1", len(ls), err)
	}
}

func bareLetter(t *testing.T, h Harness) {
	f := openFeed(t, h, bound)
	publish(t, h, 1)
	e := fetch(t, f, 1)[0]
	if err := f.Commit(t.Context(), []functions.Outcome{dead(e, true)}); err != nil {
		t.Fatal(err)
	}
	_ = e.AckAsync() // what it did shows below
	ls, err := f.DeadLetters(t.Context(), 0, 10)
	if err != nil || len(ls) != 1 || !ls[0].Bare || len(ls[0].Data) != 0 || len(ls[0].Header) != 0 {
		t.Fatalf("DeadLetters: %+v, %v", ls, err)
	}
	if _, err := f.Replay(t.Context(), ls[0].Sequence); err != nil {
		t.Fatal(err)
	}
	if e := fetch(t, f, 1)[0]; string(e.Data) != "0" || e.Header["K"] != "0" {
		t.Errorf("replayed %+v", e)
	}
}

func oneOwner(t *testing.T, h Harness) {
	openFeed(t, h, bound)
	other := bound
	other.Function = "g"
	if err := h.Events.Check(t.Context(), other); !errs.Is(err, errs.Conflict) {
		t.Errorf("Check of a taken output subject: %v, want Conflict", err)
	}
	if _, err := h.Events.Open(t.Context(), other); !errs.Is(err, errs.Conflict) {
		t.Errorf("Open of a taken output subject: %v, want Conflict", err)
	}
	if err := h.Events.Check(t.Context(), bound); err != nil {
		t.Errorf("Check of the owner: %v", err)
	}
	for range 2 {
		if err := h.Events.Forget(t.Context(), "f"); err != nil {
			t.Fatalf("Forget: %v", err)
		}
	}
	openFeed(t, h, other)
}

func position(t *testing.T, h Harness) {
	f := openFeed(t, h, bound)
	publish(t, h, 4)
	es := fetch(t, f, 3)
	_ = es[0].AckAsync() // what it did shows below
	_ = es[2].AckAsync() // what it did shows below
	want := functions.FeedInfo{AckFloor: 1, Pending: 1, AckPending: 1}
	var got functions.FeedInfo
	for range 200 {
		var err error
		if got, err = f.Info(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("Info = %+v, want %+v", got, want)
}
