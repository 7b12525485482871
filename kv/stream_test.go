package kv_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv"
	"github.com/weir-ml/weir/kv/kvtest"
)

func stream(t testing.TB, s *kv.Store, c kv.StreamConfig) *kv.Stream {
	t.Helper()
	st, err := s.Stream(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestStreamPublishAndRead(t *testing.T) {
	ctx := t.Context()
	s := kvtest.Open(t)
	st := stream(t, s, kv.StreamConfig{Name: "log", Subjects: []string{"log.>"}})
	seq := must[uint64](t)
	s1 := seq(st.Publish(ctx, kv.Publish{Subject: "log.a", Header: map[string]string{"Weir-Function": "f", "x-Mixed": "Ä b"}, Data: []byte("one")}))
	s2 := seq(st.PublishBatch(ctx, []kv.Publish{{Subject: "log.b", Data: []byte("two")}, {Subject: "log.a", Header: map[string]string{"H": ""}, Data: []byte("three")}}))
	if s1 != 1 || s2 != 3 {
		t.Fatalf("sequences %d and %d", s1, s2)
	}
	m, err := st.Get(ctx, 1)
	if err != nil || m.Time.IsZero() {
		t.Fatal(m, err)
	}
	if diff := cmp.Diff(map[string]string{"Weir-Function": "f", "x-Mixed": "Ä b"}, m.Header); diff != "" {
		t.Error(diff)
	}
	if m, err = st.Get(ctx, 2); err != nil || m.Header != nil || string(m.Data) != "two" || m.Subject != "log.b" {
		t.Fatalf("%+v %v", m, err)
	}
	if m, err = st.Last(ctx, "log.a"); err != nil || string(m.Data) != "three" || m.Sequence != 3 {
		t.Fatalf("%+v %v", m, err)
	}
	if m, err = st.Last(ctx, "log.*"); err != nil || m.Sequence != 3 {
		t.Fatalf("%+v %v", m, err)
	}
	_, err = st.Get(ctx, 4)
	wantKind(t, err, errs.NotFound)
	_, err = st.Last(ctx, "log.none")
	wantKind(t, err, errs.NotFound)
	for _, p := range []kv.Publish{{}, {Subject: "log.*"}, {Subject: "log..a"}, {Subject: "log.a b"}, {Subject: "log.a", Data: make([]byte, kv.MaxValue+1)},
		{Subject: "log.a", Header: map[string]string{"Nats-Rollup": "all"}}, {Subject: "log.a", Header: map[string]string{"KV-Operation": "DEL"}},
		{Subject: "log.a", Header: map[string]string{"a b": ""}}, {Subject: "log.a", Header: map[string]string{"A": "x\r\nB: y"}}} {
		_, err := st.Publish(ctx, p)
		wantKind(t, err, errs.Invalid)
	}
	// A subject of nobody's, and one of another stream's, which must not get it.
	other := stream(t, s, kv.StreamConfig{Name: "other", Subjects: []string{"other.*"}})
	for _, subject := range []string{"elsewhere", "log", "other.x"} {
		_, err = st.Publish(ctx, kv.Publish{Subject: subject})
		wantKind(t, err, errs.Invalid)
		_, err = st.PublishBatch(ctx, []kv.Publish{{Subject: "log.a"}, {Subject: subject}})
		wantKind(t, err, errs.Invalid)
	}
	if info, err := other.Info(ctx); err != nil || info.Messages != 0 {
		t.Fatalf("%+v %v", info, err)
	}
	// A subject that another handle added is known to this one.
	stream(t, s, kv.StreamConfig{Name: "log", Subjects: []string{"extra"}})
	seq(st.Publish(ctx, kv.Publish{Subject: "extra"}))
}

func TestStreamPages(t *testing.T) {
	ctx := t.Context()
	st := stream(t, kvtest.Open(t), kv.StreamConfig{Name: "log", Subjects: []string{"log.>"}})
	var ps []kv.Publish
	for i := range 2500 {
		ps = append(ps, kv.Publish{Subject: fmt.Sprintf("log.%d", i%3), Data: fmt.Append(nil, i)})
	}
	seqs, err := st.PublishMany(ctx, ps)
	if err != nil {
		t.Fatal(err)
	}
	for i, seq := range seqs {
		if m, err := st.Get(ctx, seq); err != nil || string(m.Data) != fmt.Sprint(i) {
			t.Fatalf("message %d at %d: %s %v", i, seq, m.Data, err)
		}
	}
	n, last := 0, uint64(0)
	for from := uint64(0); ; {
		page, err := st.Read(ctx, kv.ReadOptions{From: from, Filter: "log.1", Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page {
			if m.Sequence <= last || m.Subject != "log.1" {
				t.Fatalf("%d %s after %d", m.Sequence, m.Subject, last)
			}
			n, last = n+1, m.Sequence
		}
		if len(page) < 100 {
			break
		}
		from = last + 1
	}
	if n != 833 {
		t.Fatalf("%d messages of 833", n)
	}
	if all, err := st.Read(ctx, kv.ReadOptions{Limit: 5000}); err != nil || len(all) != 2500 {
		t.Fatalf("%d messages, %v", len(all), err)
	}
	if none, err := st.Read(ctx, kv.ReadOptions{From: 2501}); err != nil || len(none) != 0 {
		t.Fatalf("%d messages, %v", len(none), err)
	}
	if err := st.Purge(ctx, "log.1", 0); err != nil {
		t.Fatal(err)
	}
	if err := st.Purge(ctx, "", 2401); err != nil {
		t.Fatal(err)
	}
	info, err := st.Info(ctx)
	if err != nil || info.FirstSeq < 2401 || info.LastSeq != 2500 || info.Messages >= 100 || info.Created.IsZero() {
		t.Fatalf("%+v %v", info, err)
	}
	// Large messages: more bytes than one answer of the server holds.
	for range 5 {
		must[uint64](t)(st.Publish(ctx, kv.Publish{Subject: "log.big", Data: make([]byte, kv.MaxValue)}))
	}
	if big, err := st.Read(ctx, kv.ReadOptions{Filter: "log.big"}); err != nil || len(big) != 5 {
		t.Fatalf("%d messages, %v", len(big), err)
	}
}

func TestStreamExpectations(t *testing.T) {
	ctx := t.Context()
	st := stream(t, kvtest.Open(t), kv.StreamConfig{Name: "log", Subjects: []string{"log.>"}})
	at := func(n uint64) *uint64 { return &n }
	s1 := must[uint64](t)(st.Publish(ctx, kv.Publish{Subject: "log.a", ExpectSubjectSeq: at(0)}))
	_, err := st.Publish(ctx, kv.Publish{Subject: "log.a", ExpectSubjectSeq: at(0)})
	if !errors.Is(err, kv.ErrStale) {
		t.Fatal(err)
	}
	_, err = st.PublishBatch(ctx, []kv.Publish{{Subject: "log.b"}, {Subject: "log.a", ExpectSubjectSeq: at(s1 + 7)}, {Subject: "log.c"}})
	if !errors.Is(err, kv.ErrStale) {
		t.Fatal(err)
	}
	if info, _ := st.Info(ctx); info.LastSeq != s1 {
		t.Fatalf("a refused batch left %d messages", info.LastSeq-s1)
	}
	must[uint64](t)(st.PublishBatch(ctx, []kv.Publish{{Subject: "log.b", ExpectSubjectSeq: at(0)}, {Subject: "log.a", ExpectSubjectSeq: at(s1)}, {Subject: "log.a"}}))
	_, err = st.PublishBatch(ctx, []kv.Publish{{Subject: "log.x"}, {Subject: "log.x", ExpectSubjectSeq: at(0)}})
	wantKind(t, err, errs.Invalid)
	_, err = st.PublishBatch(ctx, []kv.Publish{{Subject: "log.x", ID: "id"}})
	wantKind(t, err, errs.Invalid)
	_, err = st.PublishBatch(ctx, make([]kv.Publish, kv.MaxBatch+1))
	wantKind(t, err, errs.Invalid)
	// After a purge the subject is as new.
	if err := st.Purge(ctx, "", 0); err != nil {
		t.Fatal(err)
	}
	must[uint64](t)(st.Publish(ctx, kv.Publish{Subject: "log.a", ExpectSubjectSeq: at(0)}))
}

// The same message id is stored once, alone and in a crowd, and everybody learns where.
func TestPublishDeduplicates(t *testing.T) {
	ctx := t.Context()
	st := stream(t, kvtest.Open(t), kv.StreamConfig{Name: "log", Subjects: []string{"log.>"}})
	first := must[uint64](t)(st.Publish(ctx, kv.Publish{Subject: "log.a", ID: "m-0"}))
	var wg sync.WaitGroup
	seqs := make([]uint64, 40)
	for i := range seqs {
		wg.Go(func() {
			var err error
			if seqs[i], err = st.Publish(ctx, kv.Publish{Subject: "log.a", ID: fmt.Sprintf("m-%d", i%4)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range seqs {
		if i%4 == 0 && seqs[i] != first || seqs[i] != seqs[i%4] {
			t.Fatalf("message m-%d at %d, before at %d", i%4, seqs[i], seqs[i%4])
		}
	}
	if info, err := st.Info(ctx); err != nil || info.Messages != 4 {
		t.Fatalf("%+v %v", info, err)
	}
}

func TestStreamsBesideEachOther(t *testing.T) {
	ctx := t.Context()
	s := kvtest.Open(t)
	stream(t, s, kv.StreamConfig{Name: "one", Subjects: []string{"a.>"}, MaxAge: time.Minute})
	_, err := s.Stream(ctx, kv.StreamConfig{Name: "two", Subjects: []string{"b.x", "a.deep.*"}})
	wantKind(t, err, errs.Conflict)
	if !strings.Contains(err.Error(), "one") || !strings.Contains(err.Error(), "a.deep.*") {
		t.Errorf("error %q names neither the other stream nor the subject", err)
	}
	st := stream(t, s, kv.StreamConfig{Name: "one", Subjects: []string{"c.x"}, MaxBytes: 1 << 20})
	if info, err := st.Info(ctx); err != nil || len(info.Subjects) != 2 {
		t.Fatalf("%+v %v", info, err)
	}
	for subject, want := range map[string]string{"a.b": "one", "c.x": "one", "a.*": "one"} {
		if got, err := s.StreamFor(ctx, subject); err != nil || got != want {
			t.Errorf("StreamFor(%s) = %q, %v", subject, got, err)
		}
	}
	_, err = s.StreamFor(ctx, "d")
	wantKind(t, err, errs.NotFound)
	_, err = s.OpenStream(ctx, "none")
	wantKind(t, err, errs.NotFound)
	opened, err := s.OpenStream(ctx, "one")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteStream(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.DeleteStream(ctx, "one"), errs.NotFound)
	_, err = opened.Info(ctx)
	wantKind(t, err, errs.NotFound)
	_, err = opened.Publish(ctx, kv.Publish{Subject: "a.b"})
	wantKind(t, err, errs.Unavailable) // its writer ended with the stream
	_, err = opened.Last(ctx, "a.b")
	wantKind(t, err, errs.NotFound)
	for _, c := range []kv.StreamConfig{{Name: "x"}, {Name: "KV_x", Subjects: []string{"x"}}, {Name: "x", Subjects: []string{">"}}, {Name: "x", Subjects: []string{"$KV.b.>"}},
		{Name: "x", Subjects: []string{"a b"}}, {Name: "x y", Subjects: []string{"x"}}, {Name: "x", Subjects: []string{"x"}, MaxAge: time.Second, DedupeWindow: time.Minute}} {
		_, err := s.Stream(ctx, c)
		wantKind(t, err, errs.Invalid)
	}
}

func numbered(subject string, n int) []kv.Publish {
	ps := make([]kv.Publish, n)
	for i := range ps {
		ps[i] = kv.Publish{Subject: subject, Data: fmt.Append(nil, i)}
	}
	return ps
}

// KEDA's scaler computes the lag from these fields.
func TestJsz(t *testing.T) {
	ctx := t.Context()
	s := kvtest.Open(t)
	st := stream(t, s, kv.StreamConfig{Name: "jobs", Subjects: []string{"jobs"}})
	if _, err := st.Consumer(ctx, kv.ConsumerConfig{Durable: "work"}); err != nil {
		t.Fatal(err)
	}
	if _, err := st.PublishBatch(ctx, numbered("jobs", 7)); err != nil {
		t.Fatal(err)
	}
	type page struct {
		Accounts []struct {
			Name    string `json:"name"`
			Streams []struct {
				Name      string `json:"name"`
				Consumers []struct {
					Name       string `json:"name"`
					NumPending int    `json:"num_pending"`
				} `json:"consumer_detail"`
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	// The server tells a consumer of new messages a moment after it has acknowledged them.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		w := httptest.NewRecorder()
		s.Jsz().ServeHTTP(w, httptest.NewRequest("GET", "/jsz?acc=$G&consumers=true&config=true", nil))
		var got page
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Accounts) != 1 || len(got.Accounts[0].Streams) != 1 || len(got.Accounts[0].Streams[0].Consumers) != 1 {
			t.Fatalf("jsz: %s", w.Body)
		}
		if got.Accounts[0].Streams[0].Consumers[0].NumPending == 7 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("jsz never showed the 7 pending messages: %s", w.Body)
		}
	}
}
