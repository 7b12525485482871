package functionskv_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/functions/functionskv"
	"github.com/weir-ml/weir/functions/runtest"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/kv"
	"github.com/weir-ml/weir/kv/kvtest"
)

// deafEvents loses every ack of a first delivery: as if the process died between commit and acknowledgement.
type deafEvents struct{ functions.Events }

type deafFeed struct{ functions.Feed }

type deaf struct{ functions.Delivery }

func (d deafEvents) Open(ctx context.Context, b functions.Binding) (functions.Feed, error) {
	f, err := d.Events.Open(ctx, b)
	return deafFeed{f}, err
}

func (d deafFeed) Fetch(ctx context.Context, n int, wait time.Duration) ([]functions.Event, error) {
	es, err := d.Feed.Fetch(ctx, n, wait)
	for i := range es {
		if es[i].Attempt == 1 {
			es[i].Delivery = deaf{es[i].Delivery}
		}
	}
	return es, err
}

func (deaf) AckAsync() error { return nil }

func service(t testing.TB, events functions.Events, doc string) *functions.Service {
	t.Helper()
	svc, err := functions.New(functions.Options{Plugins: runtest.Plugins{"double": runtest.Double()}, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := svc.Close(); err != nil {
			t.Error(err)
		}
	})
	var spec functions.Spec
	if err := schema.Strict([]byte(doc), &spec); err != nil {
		t.Fatal(err)
	}
	if err := svc.Apply(context.Background(), "f", spec); err != nil {
		t.Fatal(err)
	}
	return svc
}

func inputs(t testing.TB, s *kv.Store, n int) *kv.Stream {
	t.Helper()
	in, err := s.Stream(context.Background(), kv.StreamConfig{Name: "IN", Subjects: []string{"in.>"}})
	if err != nil {
		t.Fatal(err)
	}
	ps := make([]kv.Publish, n)
	for i := range ps {
		ps[i] = kv.Publish{Subject: "in.a", Data: fmt.Appendf(nil, `{"x":%d,"id":%d}`, i, i)}
	}
	if _, err := in.PublishMany(context.Background(), ps); err != nil {
		t.Fatal(err)
	}
	return in
}

func TestLostAcks(t *testing.T) {
	s := kvtest.Open(t)
	in := inputs(t, s, 120)
	svc := service(t, deafEvents{functionskv.New(functionskv.Options{KV: s})}, crashSpec)
	waitDone(t, svc, 120)
	checkOnce(t, s, svc, in, 120)
	st, err := svc.Status(t.Context(), "f")
	if err != nil || st.Event.Duplicates < 120 {
		t.Errorf("%d redeliveries found their marker, want at least 120 (%v)", st.Event.Duplicates, err)
	}
}

// Markers go once the position has passed them, and a delivery that comes all the same is known to be processed.
func TestTidy(t *testing.T) {
	s := kvtest.Open(t)
	inputs(t, s, 2500)
	svc := service(t, functionskv.New(functionskv.Options{KV: s, TidyEvery: 20 * time.Millisecond}), crashSpec)
	waitDone(t, svc, 2500)
	own, err := s.OpenStream(t.Context(), functionskv.StreamName("f"))
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left, err := own.Read(t.Context(), kv.ReadOptions{Filter: "weir.fn.f.>"})
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 1 && strings.HasPrefix(left[0].Subject, "weir.fn.f.floor.IN.") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d messages beside the results are left, the last %+v", len(left), left[len(left)-1])
		}
	}
	if err := svc.Close(); err != nil {
		t.Fatal(err)
	}
	feed, err := functionskv.New(functionskv.Options{KV: s}).Open(t.Context(), functions.Binding{
		Function: "f", Stream: "IN", Subject: "in.>", OutputSubject: "out.f", AckWait: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	inputs(t, s, 1)
	es, err := feed.Fetch(t.Context(), 1, 10*time.Second)
	if err != nil || len(es) != 1 || es[0].Sequence != 2501 {
		t.Fatalf("fetched %+v, %v", es, err)
	}
	old := es[0]
	old.Sequence = 2500
	have, err := feed.Processed(t.Context(), []functions.Event{old, es[0]})
	if err != nil || !have[0] || have[1] {
		t.Errorf("Processed = %v, %v; want true for the old one alone", have, err)
	}
	if err := feed.Commit(t.Context(), []functions.Outcome{{Input: es[0]}, {Input: old}}); !errs.Is(err, errs.Conflict) {
		t.Errorf("commit of an input behind the floor: %v", err)
	}
}

// A stream that is deleted and made again starts afresh: its first message is not the old one's duplicate.
func TestInputMadeAgain(t *testing.T) {
	s := kvtest.Open(t)
	inputs(t, s, 3)
	svc := service(t, functionskv.New(functionskv.Options{KV: s, TidyEvery: 20 * time.Millisecond}), crashSpec)
	waitDone(t, svc, 3)
	if err := s.DeleteStream(t.Context(), "IN"); err != nil {
		t.Fatal(err)
	}
	inputs(t, s, 2)
	for end := time.Now().Add(30 * time.Second); len(results(t, s, "f", "out.f")) < 5; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			st, err := svc.Status(t.Context(), "f")
			t.Fatalf("%d results; status %+v, %v", len(results(t, s, "f", "out.f")), st.Event, err)
		}
	}
	waitDone(t, svc, 2)
}

// What does not fit beside the headers of a dead letter is read from the input when it is replayed.
func TestLargeLetter(t *testing.T) {
	s := kvtest.Open(t)
	in := inputs(t, s, 0)
	header := map[string]string{"Long": strings.Repeat("x", 47<<10)}
	data := []byte(`{"x":-1,"pad":"` + strings.Repeat("y", kv.MaxValue-100) + `"}`)
	if _, err := in.Publish(t.Context(), kv.Publish{Subject: "in.a", Header: header, Data: data}); err != nil {
		t.Fatal(err)
	}
	svc := service(t, functionskv.New(functionskv.Options{KV: s}), crashSpec)
	waitDone(t, svc, 1)
	ls, err := svc.DeadLetters(t.Context(), "f", 0, 0)
	if err != nil || len(ls) != 1 || ls[0].Reason != functions.Exhausted {
		t.Fatalf("letters: %d, %v", len(ls), err)
	}
	seq, err := svc.Replay(t.Context(), "f", ls[0].Sequence)
	if err != nil {
		t.Fatal(err)
	}
	m, err := in.Get(t.Context(), seq)
	if err != nil || string(m.Data) != string(data) || m.Header["Long"] != header["Long"] {
		t.Errorf("replayed %d bytes with %d header bytes, %v", len(m.Data), len(m.Header["Long"]), err)
	}
}

func TestBindingConflicts(t *testing.T) {
	s := kvtest.Open(t)
	inputs(t, s, 1)
	ev := functionskv.New(functionskv.Options{KV: s})
	good := functions.Binding{Function: "f", Stream: "IN", Subject: "in.a", OutputSubject: "out.f", AckWait: time.Second}
	cases := []struct {
		name string
		edit func(*functions.Binding)
		kind errs.Kind
		text string
	}{
		{"output taken by a stream", func(b *functions.Binding) { b.OutputSubject = "in.result" }, errs.Conflict, "IN"},
		{"input of another stream", func(b *functions.Binding) { b.Stream = "OTHER" }, errs.Conflict, "IN"},
		{"weir's subjects make no stream", func(b *functions.Binding) { b.Stream, b.Subject = "OTHER", "weir.fn.g.dead.>" }, errs.NotFound, "OTHER"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := good
			c.edit(&b)
			check := ev.Check(t.Context(), b)
			_, open := ev.Open(t.Context(), b)
			for _, err := range []error{check, open} {
				if !errs.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
					t.Errorf("error %v, want %v naming %s", err, c.kind, c.text)
				}
			}
		})
	}
	if err := ev.Check(t.Context(), good); err != nil {
		t.Errorf("Check: %v", err)
	}
	if _, err := s.OpenStream(t.Context(), functionskv.StreamName("f")); !errs.Is(err, errs.NotFound) {
		t.Errorf("Check made the own stream: %v", err)
	}
	wider := good
	wider.Stream, wider.Subject = "NEW", "new.*.x"
	f, err := ev.Open(t.Context(), wider)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if owner, err := s.StreamFor(t.Context(), "new.1.x"); err != nil || owner != "NEW" {
		t.Errorf("the input stream was not made: %q, %v", owner, err)
	}
}

// BenchmarkEvents measures messages through an event function with a fake step, every batch fsynced.
func BenchmarkEvents(b *testing.B) {
	s := kvtest.Open(b)
	inputs(b, s, b.N)
	b.ResetTimer()
	svc := service(b, functionskv.New(functionskv.Options{KV: s}), strings.Replace(crashSpec, `"batch_size":50`, `"batch_size":400`, 1))
	for {
		st, err := svc.Status(b.Context(), "f")
		if err != nil {
			b.Fatal(err)
		}
		if st.Event.Processed >= uint64(b.N) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
