// Package runtest holds the contract of functions.Events as a test suite, and Memory, a fake that passes it, for tests of
// other rooms. Nothing here is for production: Memory forgets everything.
//
// Read events.go for the contract.
package runtest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/errs"
)

// Interface guards.
var (
	_ functions.Events = (*Memory)(nil)
	_ functions.Feed   = (*memoryFeed)(nil)
)

// Message is one stored result.
type Message struct {
	Data   []byte
	Header map[string]string
}

type memoryInput struct {
	stream, subject string
	header          map[string]string
	data            []byte
	attempt         int
	acked           bool
	due             time.Time // not delivered before
}

type memoryLetter struct {
	functions.DeadLetter
	gone bool
}

type memoryOwn struct {
	output  string
	results []Message
	letters []*memoryLetter
	done    map[uint64]bool
	state   map[uint64]*memoryInput // the consumer's view of the input stream
}

// Memory implements functions.Events in memory. A stream's subjects are not checked: every message of a stream is delivered.
type Memory struct {
	// Fail, when set, may fail a commit before it is written (applied false) or after (true): the caller sees the error.
	// It is called with the lock held.
	Fail func(applied bool) error

	mu      sync.Mutex
	changed *sync.Cond
	streams map[string][]*memoryInput
	own     map[string]*memoryOwn
}

// NewMemory makes an empty one.
func NewMemory() *Memory {
	m := &Memory{streams: map[string][]*memoryInput{}, own: map[string]*memoryOwn{}}
	m.changed = sync.NewCond(&m.mu)
	return m
}

// Publish appends to a stream and returns the sequence.
func (m *Memory) Publish(stream, subject string, header map[string]string, data []byte) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.publish(stream, subject, header, data)
}

func (m *Memory) publish(stream, subject string, header map[string]string, data []byte) uint64 {
	m.streams[stream] = append(m.streams[stream], &memoryInput{stream: stream, subject: subject, header: maps.Clone(header), data: slices.Clone(data)})
	m.changed.Broadcast()
	return uint64(len(m.streams[stream]))
}

// Results lists a function's results in order.
func (m *Memory) Results(function string) []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.own[function]; o != nil {
		return slices.Clone(o.results)
	}
	return nil
}

// Check implements functions.Events.
func (m *Memory) Check(_ context.Context, b functions.Binding) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.check(b)
}

func (m *Memory) check(b functions.Binding) error {
	for name, o := range m.own {
		if b.OutputSubject != "" && o.output == b.OutputSubject && name != b.Function {
			return errs.New(errs.Conflict, "spec.output.subject: %q belongs to stream FN_%s", b.OutputSubject, name)
		}
	}
	return nil
}

// Open implements functions.Events.
func (m *Memory) Open(_ context.Context, b functions.Binding) (functions.Feed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(b); err != nil {
		return nil, err
	}
	if m.own[b.Function] == nil {
		m.own[b.Function] = &memoryOwn{done: map[uint64]bool{}, state: map[uint64]*memoryInput{}}
	}
	o := m.own[b.Function]
	o.output = b.OutputSubject
	for _, s := range o.state { // what the last owner held comes back at once
		if !s.acked && s.due.After(time.Now()) {
			s.due = time.Time{}
		}
	}
	return &memoryFeed{m: m, b: b, own: o}, nil
}

// Forget implements functions.Events.
func (m *Memory) Forget(_ context.Context, function string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.own, function)
	return nil
}

type memoryFeed struct {
	m   *Memory
	b   functions.Binding
	own *memoryOwn
}

func (f *memoryFeed) Fetch(ctx context.Context, limit int, wait time.Duration) ([]functions.Event, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	end := time.Now().Add(wait)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var out []functions.Event
		now, next := time.Now(), end
		for i, in := range f.m.streams[f.b.Stream] {
			seq := uint64(i + 1)
			s := f.own.state[seq]
			if s == nil {
				c := *in
				s = &c
				f.own.state[seq] = s
			}
			if s.acked || len(out) == limit {
				continue
			}
			if s.due.After(now) {
				if s.due.Before(next) {
					next = s.due
				}
				continue
			}
			s.attempt++
			s.due = now.Add(f.b.AckWait)
			out = append(out, functions.Event{
				Stream: f.b.Stream, Incarnation: "0", Subject: s.subject, Sequence: seq, Attempt: s.attempt, Time: now,
				Header: s.header, Data: s.data, Delivery: delivery{f, seq},
			})
		}
		if len(out) > 0 || !now.Before(end) {
			return out, nil
		}
		t := time.AfterFunc(max(time.Until(next), time.Millisecond), f.m.changed.Broadcast)
		f.m.changed.Wait()
		t.Stop()
	}
}

type delivery struct {
	f   *memoryFeed
	seq uint64
}

func (d delivery) set(fn func(*memoryInput)) error {
	d.f.m.mu.Lock()
	defer d.f.m.mu.Unlock()
	fn(d.f.own.state[d.seq])
	d.f.m.changed.Broadcast()
	return nil
}

func (d delivery) AckAsync() error { return d.set(func(s *memoryInput) { s.acked = true }) }
func (d delivery) Nak(delay time.Duration) error {
	return d.set(func(s *memoryInput) { s.due = time.Now().Add(delay) })
}
func (d delivery) InProgress() error {
	return d.set(func(s *memoryInput) { s.due = time.Now().Add(d.f.b.AckWait) })
}

func (f *memoryFeed) Processed(_ context.Context, events []functions.Event) ([]bool, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	out := make([]bool, len(events))
	for i, e := range events {
		out[i] = f.own.done[e.Sequence]
	}
	return out, nil
}

func (f *memoryFeed) Commit(ctx context.Context, outcomes []functions.Outcome) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.m.Fail != nil {
		if err := f.m.Fail(false); err != nil {
			return err
		}
	}
	for _, o := range outcomes {
		if f.own.done[o.Input.Sequence] {
			return functions.ErrProcessed
		}
	}
	for _, o := range outcomes {
		f.own.done[o.Input.Sequence] = true
		switch {
		case o.Dead != nil:
			l := &memoryLetter{DeadLetter: functions.DeadLetter{
				Sequence: uint64(len(f.own.letters) + 1), Function: f.b.Function, Reason: o.Dead.Reason, Error: o.Dead.Error,
				Attempts: o.Dead.Attempts, Stream: o.Input.Stream, InputSequence: o.Input.Sequence, Subject: o.Input.Subject,
				Bare: o.Dead.Bare, Time: time.Now(),
			}}
			if !o.Dead.Bare {
				l.Data, l.Header = o.Input.Data, o.Input.Header
			}
			f.own.letters = append(f.own.letters, l)
		case o.Result != nil:
			f.own.results = append(f.own.results, Message{Data: slices.Clone(o.Result.Data), Header: maps.Clone(o.Result.Header)})
		}
	}
	f.m.changed.Broadcast()
	if f.m.Fail != nil {
		return f.m.Fail(true)
	}
	return nil
}

func (f *memoryFeed) DeadLetters(_ context.Context, from uint64, limit int) ([]functions.DeadLetter, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	var out []functions.DeadLetter
	for _, l := range f.own.letters {
		if !l.gone && l.Sequence >= from && len(out) < limit {
			out = append(out, l.DeadLetter)
		}
	}
	return out, nil
}

func (f *memoryFeed) Replay(_ context.Context, seq uint64) (uint64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if seq == 0 || seq > uint64(len(f.own.letters)) || f.own.letters[seq-1].gone {
		return 0, errs.New(errs.NotFound, "function %q has no dead letter %d", f.b.Function, seq)
	}
	l := f.own.letters[seq-1]
	l.gone = true
	data, header := l.Data, l.Header
	if l.Bare {
		in := f.m.streams[l.Stream][l.InputSequence-1]
		data, header = in.data, in.header
	}
	return f.m.publish(l.Stream, l.Subject, header, data), nil
}

func (f *memoryFeed) Info(context.Context) (functions.FeedInfo, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	var i functions.FeedInfo
	floor := true
	for n := range f.m.streams[f.b.Stream] {
		s := f.own.state[uint64(n+1)]
		switch {
		case s != nil && s.acked:
			if floor {
				i.AckFloor = uint64(n + 1)
			}
			continue
		case s != nil && s.attempt > 0:
			i.AckPending++
		default:
			i.Pending++
		}
		floor = false
	}
	return i, nil
}

func (f *memoryFeed) Close() error { return nil }
