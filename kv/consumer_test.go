package kv_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv"
	"github.com/weir-ml/weir/kv/kvtest"
)

func TestConsumer(t *testing.T) {
	ctx := t.Context()
	s := kvtest.Open(t)
	st := stream(t, s, kv.StreamConfig{Name: "log", Subjects: []string{"log.>"}})
	for i := range 10 {
		must[uint64](t)(st.Publish(ctx, kv.Publish{Subject: fmt.Sprintf("log.%d", i%2), Header: map[string]string{"N": fmt.Sprint(i)}, Data: fmt.Append(nil, i)}))
	}
	c, err := st.Consumer(ctx, kv.ConsumerConfig{Durable: "even", Filter: "log.0", AckWait: 300 * time.Millisecond, MaxAckPending: 4})
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(max int, wait time.Duration) []*kv.Delivery {
		t.Helper()
		ds, err := c.Fetch(ctx, max, wait)
		if err != nil {
			t.Fatal(err)
		}
		return ds
	}
	ds := fetch(100, 5*time.Second) // returns with the four that may be under way
	if len(ds) == 0 {
		t.Fatal("nothing came")
	}
	for len(ds) < 4 {
		ds = append(ds, fetch(100, 5*time.Second)...)
	}
	for i, d := range ds {
		if d.Sequence != uint64(2*i+1) || d.Attempt != 1 || string(d.Data) != fmt.Sprint(2*i) || d.Header["N"] != fmt.Sprint(2*i) || d.Time.IsZero() {
			t.Fatalf("delivery %d: %+v", i, d)
		}
	}
	if info, err := c.Info(ctx); err != nil || info.AckPending != 4 || info.Pending != 1 || info.AckFloor != 0 {
		t.Fatalf("%+v %v", info, err)
	}
	if err := ds[0].Ack(ctx); err != nil {
		t.Fatal(err)
	}
	if err := ds[1].Nak(0); err != nil {
		t.Fatal(err)
	}
	// The fifth, the one given back, and after AckWait the two that nobody settled.
	seen := map[uint64]int{}
	for len(seen) < 4 {
		for _, d := range fetch(10, 5*time.Second) {
			seen[d.Sequence] = d.Attempt
			if err := d.Ack(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(map[uint64]int{3: 2, 5: 2, 7: 2, 9: 1}, seen); diff != "" {
		t.Fatalf("attempts by sequence (-want +got):\n%s", diff)
	}
	if info, err := c.Info(ctx); err != nil || info.AckFloor != 9 || info.AckPending != 0 || info.Pending != 0 {
		t.Fatalf("%+v %v", info, err)
	}
	if ds := fetch(10, 20*time.Millisecond); len(ds) != 0 {
		t.Fatalf("%d deliveries after all were settled", len(ds))
	}
	// A waiting fetch answers with the first message.
	got := make(chan []*kv.Delivery, 1)
	go func() { ds, _ := c.Fetch(ctx, 100, time.Minute); got <- ds }()
	must[uint64](t)(st.Publish(ctx, kv.Publish{Subject: "log.0"}))
	if ds := <-got; len(ds) != 1 || ds[0].InProgress() != nil || ds[0].AckAsync() != nil {
		t.Fatalf("%d deliveries", len(ds))
	}
	// Opening again keeps the place, and changes what may change.
	if c, err = st.Consumer(ctx, kv.ConsumerConfig{Durable: "even", Filter: "log.0", From: 1}); err != nil {
		t.Fatal(err)
	}
	if ds := fetch(10, 20*time.Millisecond); len(ds) != 0 {
		t.Fatalf("%d deliveries after opening again", len(ds))
	}
	if c, err = st.Consumer(ctx, kv.ConsumerConfig{From: 10}); err != nil {
		t.Fatal(err)
	}
	if ds := fetch(1, time.Second); len(ds) != 1 || ds[0].Sequence != 10 {
		t.Fatalf("from 10: %v", ds)
	}
	if err := st.DeleteConsumer(ctx, "even"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, st.DeleteConsumer(ctx, "even"), errs.NotFound)
}

// While MaxAckPending holds the rest back a fetch that does not want to wait returns, and nothing is lost by it.
func TestConsumerHeldBack(t *testing.T) {
	ctx := t.Context()
	st := stream(t, kvtest.Open(t), kv.StreamConfig{Name: "log", Subjects: []string{"log"}})
	must[uint64](t)(st.PublishBatch(ctx, numbered("log", 6)))
	c, err := st.Consumer(ctx, kv.ConsumerConfig{Durable: "d", MaxAckPending: 2, AckWait: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for want := uint64(1); want <= 6; {
		var held []*kv.Delivery
		for len(held) < 2 {
			ds, err := c.Fetch(ctx, 10, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, ds...)
		}
		if ds, err := c.Fetch(ctx, 10, 0); err != nil || len(ds) != 0 {
			t.Fatalf("%d deliveries beyond MaxAckPending: %v", len(ds), err)
		}
		gone, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		if ds, err := c.Fetch(gone, 10, time.Minute); !errs.Is(err, errs.Timeout) || len(ds) != 0 {
			t.Fatalf("%d deliveries beyond MaxAckPending: %v", len(ds), err)
		}
		cancel()
		for _, d := range held {
			if d.Sequence != want || d.Attempt != 1 {
				t.Fatalf("message %d, attempt %d, want %d", d.Sequence, d.Attempt, want)
			}
			want++
			if err := d.Ack(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Many fetchers of one consumer share the messages: each comes once while all are acknowledged.
func TestConsumerShared(t *testing.T) {
	ctx := t.Context()
	st := stream(t, kvtest.Open(t), kv.StreamConfig{Name: "log", Subjects: []string{"log"}})
	const total = 2000
	if _, err := st.PublishMany(ctx, numbered("log", total)); err != nil {
		t.Fatal(err)
	}
	c, err := st.Consumer(ctx, kv.ConsumerConfig{Durable: "d"})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[uint64]int{}
	for range 4 {
		wg.Go(func() {
			for {
				ds, err := c.Fetch(ctx, 64, 100*time.Millisecond)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, d := range ds {
					seen[d.Sequence]++
				}
				done := len(seen) == total
				mu.Unlock()
				for _, d := range ds {
					if err := d.AckAsync(); err != nil {
						t.Error(err)
					}
				}
				if done {
					return
				}
			}
		})
	}
	wg.Wait()
	for seq, n := range seen {
		if n != 1 {
			t.Fatalf("message %d came %d times", seq, n)
		}
	}
}
