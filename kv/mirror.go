package kv

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/weir-ml/weir/host/errs"
)

// MirrorConfig says what a mirror holds.
type MirrorConfig struct {
	Prefix string // "" or ending at a token ("model.")
	// OnChange is called for every key of the initial state, sorted, before Mirror returns, and then for changes, one call at a time,
	// in the order of each key's revisions. A callback that is slower than the changes sees the latest of each key and may miss
	// those between; it never delays the mirror. e is nil when the key was deleted. It must not call Close.
	OnChange func(key string, e *Entry)
}

// Mirror is a copy of a bucket's keys under a prefix, kept in this process by a watch: reads take nanoseconds and no lock, and lag
// the bucket by microseconds. A reader that needs its own write waits for its revision. The parts of a multi-key commit
// become visible one after the other; Wait for the commit's revision sees them all. Entries that it returns are shared: do not change
// their values. Safe for concurrent use.
type Mirror struct {
	bucket  *Bucket
	prefix  string
	watch   jetstream.KeyWatcher
	cancel  context.CancelFunc
	values  sync.Map // key → *Entry
	seq     atomic.Uint64
	loaded  chan struct{}
	stopped chan struct{} // the watch has ended

	waiting atomic.Int64 // len(waiters), so that applying need not lock
	mu      sync.Mutex
	waiters []waiter

	changes   *changes // nil without OnChange
	closeOnce sync.Once
}

type waiter struct {
	rev  uint64
	done chan struct{}
}

// Mirror starts a mirror and returns when the initial state is loaded. ctx bounds the loading only.
func (b *Bucket) Mirror(ctx context.Context, c MirrorConfig) (*Mirror, error) {
	op := "mirror " + b.name + "/" + c.Prefix
	if err := checkPrefix(c.Prefix); err != nil {
		return nil, err
	}
	load, cancelLoad := withDefaultTimeout(ctx)
	defer cancelLoad()
	st, err := b.store.js.Stream(load, b.stream)
	if err != nil {
		return nil, b.store.opError(op, err)
	}
	bucket, err := b.store.js.KeyValue(load, b.name)
	if err != nil {
		return nil, b.store.opError(op, err)
	}
	alive, cancel := context.WithCancel(context.WithoutCancel(ctx))
	// The whole bucket, not the prefix alone: a commit's revision may be another key's, and Wait must see it pass.
	watch, err := bucket.WatchAll(alive)
	if err != nil {
		cancel()
		return nil, b.store.opError(op, err)
	}
	m := &Mirror{bucket: b, prefix: c.Prefix, watch: watch, cancel: cancel, loaded: make(chan struct{}), stopped: make(chan struct{})}
	if c.OnChange != nil {
		m.changes = newChanges(c.OnChange)
	}
	go m.run(st.CachedInfo().State.LastSeq)
	if err := b.store.addPart(m); err != nil {
		m.Close()
		return nil, err
	}
	select {
	case <-m.loaded:
	case <-m.stopped:
		m.Close()
		return nil, errs.New(errs.Unavailable, "%s: the watch ended before the initial state was there", op)
	case <-ctx.Done():
		m.Close()
		return nil, kinded(op, ctx.Err())
	}
	if m.changes != nil {
		m.changes.start()
	}
	return m, nil
}

// run applies the watch until it ends. at is the bucket's last sequence from before the watch.
func (m *Mirror) run(at uint64) {
	defer close(m.stopped)
	initial := true
	for e := range m.watch.Updates() {
		if e == nil {
			initial = false
			m.advance(max(at, m.seq.Load()))
			if m.changes != nil {
				m.changes.initial = append(m.changes.initial, m.List("")...)
			}
			close(m.loaded)
			continue
		}
		rev := e.Revision()
		if !initial && rev <= m.seq.Load() { // a watch that had to begin anew
			continue
		}
		if key := e.Key(); strings.HasPrefix(key, m.prefix) {
			m.apply(watched(e), initial)
		}
		if initial { // a wait must not end before the earlier sequences are in
			at = max(at, rev)
			continue
		}
		m.advance(rev)
	}
}

func (m *Mirror) apply(e Entry, initial bool) {
	shared := &e
	if e.Deleted {
		m.values.Delete(e.Key)
		shared = nil
	} else {
		m.values.Store(e.Key, shared)
	}
	if m.changes != nil && !initial {
		m.changes.add(e.Key, shared)
	}
}

// advance publishes the applied sequence and wakes those who waited for it. Wait registers before it looks at the sequence, and here the
// sequence is set before looking at the registrations, so that one of the two sees the other.
func (m *Mirror) advance(rev uint64) {
	m.seq.Store(rev)
	if m.waiting.Load() == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiters = slices.DeleteFunc(m.waiters, func(w waiter) bool {
		if w.rev <= rev {
			close(w.done)
			m.waiting.Add(-1)
			return true
		}
		return false
	})
}

// Get returns a key's value.
func (m *Mirror) Get(key string) (Entry, bool) {
	if v, ok := m.values.Load(key); ok {
		return *v.(*Entry), true
	}
	return Entry{}, false
}

// List returns the values under prefix, which may be any text, sorted by key. It walks the whole mirror.
func (m *Mirror) List(prefix string) []Entry {
	var out []Entry
	m.values.Range(func(k, v any) bool {
		if strings.HasPrefix(k.(string), prefix) {
			out = append(out, *v.(*Entry))
		}
		return true
	})
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// Sequence returns the last sequence of the bucket that is applied.
func (m *Mirror) Sequence() uint64 { return m.seq.Load() }

// Wait returns when the write of revision rev, and all before it, are applied. It ends with ctx, or with errs.Unavailable when the
// mirror is closed.
func (m *Mirror) Wait(ctx context.Context, rev uint64) error {
	if m.seq.Load() >= rev {
		return nil
	}
	w := waiter{rev: rev, done: make(chan struct{})}
	m.mu.Lock()
	m.waiters = append(m.waiters, w)
	m.waiting.Add(1)
	m.mu.Unlock()
	if m.seq.Load() >= rev {
		m.leave(w)
		return nil
	}
	select {
	case <-w.done:
		return nil
	case <-m.stopped:
		m.leave(w)
		return errs.New(errs.Unavailable, "the mirror of bucket %s has ended at sequence %d, before %d", m.bucket.name, m.seq.Load(), rev)
	case <-ctx.Done():
		m.leave(w)
		return kinded("wait for revision in the mirror of bucket "+m.bucket.name, ctx.Err())
	}
}

func (m *Mirror) leave(w waiter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.IndexFunc(m.waiters, func(x waiter) bool { return x.done == w.done }); i >= 0 {
		m.waiters = slices.Delete(m.waiters, i, i+1)
		m.waiting.Add(-1)
	}
}

// Close ends the mirror and waits for a running OnChange. Reads go on answering the last state. Safe to call twice.
func (m *Mirror) Close() {
	m.closeOnce.Do(func() {
		m.bucket.store.removePart(m)
		stopWatch(m.watch)
		m.cancel()
		if m.changes != nil {
			m.changes.close()
		}
	})
	<-m.stopped
}

func (m *Mirror) stop() { m.Close() }

// changes calls OnChange from a goroutine of its own and keeps, per key, only the latest change that it has not yet handed over.
type changes struct {
	fn      func(string, *Entry)
	initial []Entry

	mu      sync.Mutex
	order   []string
	latest  map[string]*Entry
	closed  bool
	wake    chan struct{}
	started bool
	done    chan struct{}
}

func newChanges(fn func(string, *Entry)) *changes {
	return &changes{fn: fn, latest: map[string]*Entry{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

func (c *changes) add(key string, e *Entry) {
	c.mu.Lock()
	if _, waits := c.latest[key]; !waits {
		c.order = append(c.order, key)
	}
	c.latest[key] = e
	c.mu.Unlock()
	c.signal()
}

func (c *changes) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// start hands over the initial state on the caller's goroutine and then begins with the changes.
func (c *changes) start() {
	for i := range c.initial {
		c.fn(c.initial[i].Key, &c.initial[i])
	}
	c.initial = nil
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.started = true
		go c.run()
	}
}

func (c *changes) run() {
	defer close(c.done)
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return
		}
		if len(c.order) == 0 {
			c.mu.Unlock()
			<-c.wake
			continue
		}
		key := c.order[0]
		e := c.latest[key]
		c.order = c.order[1:]
		delete(c.latest, key)
		c.mu.Unlock()
		c.fn(key, e)
	}
}

func (c *changes) close() {
	c.mu.Lock()
	c.closed = true
	started := c.started
	c.mu.Unlock()
	c.signal()
	if started {
		<-c.done
	}
}
