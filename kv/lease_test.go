package kv_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv"
	"github.com/weir-ml/weir/kv/kvtest"
)

// handClock moves only when told to.
type handClock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[chan time.Time]time.Time
	armed  chan struct{} // one for every After
}

func newHandClock() *handClock {
	return &handClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), timers: map[chan time.Time]time.Time{}, armed: make(chan struct{}, 1000)}
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) After(d time.Duration) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan time.Time, 1)
	c.timers[ch] = c.now.Add(d)
	c.armed <- struct{}{}
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.timers, ch)
	}
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for ch, at := range c.timers {
		if !c.now.Before(at) {
			ch <- c.now
			delete(c.timers, ch)
		}
	}
}

func leaseStore(t *testing.T) (*kv.Store, *handClock) {
	clock := newHandClock()
	s, err := kv.Open(t.Context(), kv.Options{Dir: t.TempDir(), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, clock
}

func TestLease(t *testing.T) {
	ctx := t.Context()
	s, clock := leaseStore(t)
	const ttl = 9 * time.Second
	a, err := s.Lease(ctx, "pipeline.nightly", "a", ttl)
	if err != nil {
		t.Fatal(err)
	}
	<-clock.armed
	_, err = s.Lease(ctx, "pipeline.nightly", "b", ttl)
	wantKind(t, err, errs.Conflict)
	if !strings.Contains(err.Error(), "held by a until 2026-01-01T00:00:09Z") {
		t.Errorf("error %q does not name the holder", err)
	}
	for range 5 { // renewed well beyond its first end
		clock.advance(ttl / 3)
		<-clock.armed
	}
	_, err = s.Lease(ctx, "pipeline.nightly", "b", ttl)
	wantKind(t, err, errs.Conflict)
	if err := a.Release(ctx); err != nil {
		t.Fatal(err)
	}
	<-a.Done()
	if err := a.Release(ctx); err != nil {
		t.Fatalf("a second release: %v", err)
	}
	b, err := s.Lease(ctx, "pipeline.nightly", "b", ttl)
	if err != nil || b.Token() <= a.Token() {
		t.Fatalf("tokens %d then %d: %v", a.Token(), b.Token(), err)
	}
	<-clock.armed

	// The holder sleeps through its time: it is lost, and another may have it.
	clock.advance(ttl)
	<-b.Done()
	c, err := s.Lease(ctx, "pipeline.nightly", "c", ttl)
	if err != nil || c.Token() <= b.Token() {
		t.Fatalf("tokens %d then %d: %v", b.Token(), c.Token(), err)
	}
	wantKind(t, b.Release(ctx), errs.Conflict)
	<-clock.armed

	// Somebody overwrote the record: the next renewal sees it.
	must[uint64](t)(bucket(t, s, kv.BucketConfig{Name: "weir-leases"}).Put(ctx, "pipeline.nightly", []byte(`{"holder":"thief","token":99,"expires":"2026-01-02T00:00:00Z"}`)))
	clock.advance(ttl / 3)
	<-c.Done()

	for _, bad := range []struct {
		name, holder string
		ttl          time.Duration
	}{{"", "h", ttl}, {"n", "", ttl}, {"n", "h", time.Millisecond}} {
		_, err := s.Lease(ctx, bad.name, bad.holder, bad.ttl)
		wantKind(t, err, errs.Invalid)
	}
}

// Of many who reach for a free lease one gets it.
func TestLeaseRace(t *testing.T) {
	ctx := t.Context()
	s, _ := leaseStore(t)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var got []*kv.Lease
	for range 16 {
		wg.Go(func() {
			l, err := s.Lease(ctx, "one", "h", time.Minute)
			if err != nil {
				if !errs.Is(err, errs.Conflict) {
					t.Error(err)
				}
				return
			}
			mu.Lock()
			got = append(got, l)
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(got) != 1 {
		t.Fatalf("%d holders", len(got))
	}
}

// Closing a store gives its leases back, so that the next process need not wait.
func TestCloseReleasesLeases(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	s := kvtest.OpenDir(t, dir)
	l, err := s.Lease(ctx, "one", "first", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	<-l.Done()
	next, err := kvtest.OpenDir(t, dir).Lease(ctx, "one", "second", time.Hour)
	if err != nil || next.Token() != l.Token()+1 {
		t.Fatalf("%v %v", next, err)
	}
}
