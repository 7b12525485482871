package kv

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/weir-ml/weir/host/errs"
)

const (
	leaseBucket  = "weir-leases"
	minLease     = 100 * time.Millisecond
	releaseLimit = 5 * time.Second
)

// leaseRecord is a lease's value in the bucket weir-leases. It is never deleted, so that the token only grows.
type leaseRecord struct {
	Holder  string    `json:"holder"` // "" = released
	Token   uint64    `json:"token"`
	Expires time.Time `json:"expires"`
}

// Lease is the right to be the only one who does something, for as long as it is renewed. Work that must not be done twice carries
// Token along, and whoever stores its result refuses tokens that are lower than one it has seen.
type Lease struct {
	store  *Store
	typed  Typed[leaseRecord]
	name   string
	holder string
	token  uint64
	ttl    time.Duration

	quit chan struct{} // tells the renewing to end
	idle chan struct{} // the renewing has ended
	done chan struct{}
	once sync.Once

	mu       sync.Mutex
	rev      uint64
	expires  time.Time
	lost     bool
	released bool
}

// Lease takes the lease name for holder, or answers errs.Conflict naming who has it and until when. It is renewed every third of
// ttl (at least 100 ms) until Release or Close; a process that dies keeps it until ttl has passed.
func (s *Store) Lease(ctx context.Context, name, holder string, ttl time.Duration) (*Lease, error) {
	if err := CheckKey(name); err != nil {
		return nil, err
	}
	if holder == "" {
		return nil, errs.New(errs.Invalid, "lease %s: the holder must not be empty", name)
	}
	if ttl < minLease {
		return nil, errs.New(errs.Invalid, "lease %s: the time to live %v must be at least %v", name, ttl, minLease)
	}
	b, err := s.Bucket(ctx, BucketConfig{Name: leaseBucket})
	if err != nil {
		return nil, err
	}
	l := &Lease{store: s, typed: NewTyped[leaseRecord](b, ""), name: name, holder: holder, ttl: ttl,
		quit: make(chan struct{}), idle: make(chan struct{}), done: make(chan struct{})}
	if err := l.take(ctx); err != nil {
		return nil, err
	}
	if err := s.addPart(l); err != nil {
		return nil, err
	}
	go l.renew()
	return l, nil
}

func (l *Lease) take(ctx context.Context) error {
	rec, rev, err := l.typed.Get(ctx, l.name)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	now := l.store.clock.Now()
	if rec.Holder != "" && now.Before(rec.Expires) {
		return errs.New(errs.Conflict, "lease %s is held by %s until %s", l.name, rec.Holder, rec.Expires.UTC().Format(time.RFC3339Nano))
	}
	l.token, l.expires = rec.Token+1, now.Add(l.ttl)
	l.rev, err = l.typed.Update(ctx, l.name, leaseRecord{Holder: l.holder, Token: l.token, Expires: l.expires}, rev)
	if errors.Is(err, ErrStale) {
		return errs.New(errs.Conflict, "lease %s was taken by another a moment ago: %w", l.name, err)
	}
	return err
}

// renew keeps the lease until it is lost or told to end.
func (l *Lease) renew() {
	defer close(l.idle)
	for {
		tick, stop := l.store.clock.After(l.ttl / 3)
		select {
		case <-l.quit:
			stop()
			return
		case <-tick:
		}
		if !l.extend() {
			l.mu.Lock()
			l.lost = true
			l.mu.Unlock()
			l.store.removePart(l)
			l.finish()
			return
		}
	}
}

// extend writes a later expiry. false means that the lease is gone: somebody else has it, or it ran out before a write succeeded.
func (l *Lease) extend() bool {
	l.mu.Lock()
	rev, expires := l.rev, l.expires
	l.mu.Unlock()
	now := l.store.clock.Now()
	if !now.Before(expires) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.ttl/3)
	defer cancel()
	next := now.Add(l.ttl)
	rev, err := l.typed.Update(ctx, l.name, leaseRecord{Holder: l.holder, Token: l.token, Expires: next}, rev)
	if errors.Is(err, ErrStale) {
		// Perhaps our own write of before, whose acknowledgement we missed.
		rec, at, gerr := l.typed.Get(ctx, l.name)
		if gerr != nil || rec.Holder != l.holder || rec.Token != l.token {
			return gerr != nil && l.store.clock.Now().Before(expires)
		}
		rev, next, err = at, rec.Expires, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.rev, l.expires = rev, next
	}
	return l.store.clock.Now().Before(l.expires)
}

// Token returns the fencing token: higher than that of every earlier lease of this name.
func (l *Lease) Token() uint64 { return l.token }

// Done is closed when the lease is lost or released.
func (l *Lease) Done() <-chan struct{} { return l.done }

// Release gives the lease back, so that others need not wait for its end. errs.Conflict when it was lost before; calling it again is fine.
func (l *Lease) Release(ctx context.Context) error {
	l.once.Do(func() { close(l.quit) })
	<-l.idle
	l.store.removePart(l)
	l.finish()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return nil
	}
	if l.lost {
		return errs.New(errs.Conflict, "lease %s of %s was lost before it was released", l.name, l.holder)
	}
	_, err := l.typed.Update(ctx, l.name, leaseRecord{Token: l.token, Expires: l.store.clock.Now()}, l.rev)
	if err != nil {
		return err
	}
	l.released = true
	return nil
}

func (l *Lease) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.done:
	default:
		close(l.done)
	}
}

// stop releases the lease when the store closes; whoever holds it learns by Done.
func (l *Lease) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), releaseLimit)
	defer cancel()
	if err := l.Release(ctx); err != nil {
		l.store.log.Warn("a lease could not be released", "lease", l.name, "error", err)
	}
}
