package kv

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/weir-ml/weir/host/errs"
)

// smallCrowd is the number of lone records from which one batch is cheaper than as many publishes in a row: a batch costs the server
// several fsyncs whatever its size, about 12 times a lone publish (BenchmarkPut, BenchmarkCommitTwoKeys).
const smallCrowd = 12

// groupBytes bounds the payload of one group, so that a crowd of large values does not stand in memory three times over.
const groupBytes = 16 << 20

// committer is the only writer of one stream. Writes queue up; each round takes what is there: a lone record is published
// alone, anything more becomes one atomic batch, so that a crowd shares one fsync. Callers are answered only after the
// server's acknowledgement. A few lone records are not worth a batch and go in a row. A batch that is refused goes on write by write, so that one loser never fails a stranger.
//
// heads remembers the last revision of keys that were written conditionally. It only decides what to put into a batch: a
// mismatch is read again from the server before anybody is refused, and the server checks every expectation once more.
type committer struct {
	stream  string
	keys    bool // a bucket: delete markers count as absent
	metrics *metrics
	wire    *wire
	heads   heads
	subject atomic.Pointer[[]string] // a stream's subjects, as far as known; nil in a bucket

	mu     sync.Mutex
	queue  []*write
	closed bool
	wake   chan struct{}
	done   chan struct{}
}

func newCommitter(conn *nats.Conn, stream string, keys bool, m *metrics) (*committer, error) {
	w, err := newWire(conn, stream)
	if err != nil {
		return nil, err
	}
	c := &committer{stream: stream, keys: keys, metrics: m, wire: w, heads: heads{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go c.run()
	return c, nil
}

// commit queues the records and waits until they are durable. It returns the sequence of the last one. When ctx ends first, the
// write is taken back if it has not been sent; otherwise the error is ErrUnknownOutcome.
func (c *committer) commit(ctx context.Context, records []record) (uint64, error) {
	w := newWrite(records)
	if err := c.enqueue(ctx, w); err != nil {
		return 0, err
	}
	return c.wait(ctx, w)
}

func (c *committer) enqueue(ctx context.Context, ws ...*write) error {
	if err := ctx.Err(); err != nil {
		return kinded("write to "+c.stream, err)
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return errs.New(errs.Unavailable, "%s was deleted or its store closed: %w", c.stream, ErrClosed)
	}
	c.queue = append(c.queue, ws...)
	c.mu.Unlock()
	c.metrics.queued.Add(float64(len(ws)))
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
}

func (c *committer) wait(ctx context.Context, w *write) (uint64, error) {
	select {
	case <-w.done:
		return w.last, w.err
	case <-ctx.Done():
	}
	if w.state.CompareAndSwap(writeQueued, writeAbandoned) {
		return 0, kinded("write to "+c.stream+" was taken back before it was sent", ctx.Err())
	}
	select {
	case <-w.done: // both were ready
		return w.last, w.err
	default:
		return 0, errs.New(errs.KindOf(ctx.Err()), "write to %s was interrupted (%v): %w", c.stream, ctx.Err(), ErrUnknownOutcome)
	}
}

// close lets the queue run empty and ends the goroutine. Safe to call twice.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	<-c.done
	c.wire.close()
}

func (c *committer) run() {
	defer close(c.done)
	var pending []*write
	for {
		c.mu.Lock()
		pending, c.queue = append(pending, c.queue...), nil
		closed := c.closed
		c.mu.Unlock()
		if len(pending) == 0 {
			if closed {
				return
			}
			<-c.wake
			continue
		}
		var group []*write
		before := len(pending)
		group, pending = c.take(pending)
		c.metrics.queued.Sub(float64(before - len(pending)))
		c.execute(group)
	}
}

// take splits pending, in order, into a group that may share one batch and the rest. The server checks an expectation against
// what was stored before the batch, so a conditional write on a subject that the group already writes waits for the next
// round, and with it everything later on the same subjects.
func (c *committer) take(pending []*write) (group, rest []*write) {
	written, blocked, ids := map[string]bool{}, map[string]bool{}, map[string]bool{}
	records, size := 0, 0
	for i, w := range pending {
		if len(group) > 0 && (records+len(w.records) > MaxBatch || size+w.size > groupBytes) {
			return group, append(rest, pending[i:]...)
		}
		if !fits(w, written, blocked, ids) {
			for j := range w.records {
				blocked[w.records[j].subject] = true
			}
			rest = append(rest, w)
			continue
		}
		if !w.state.CompareAndSwap(writeQueued, writeTaken) && w.state.Load() == writeAbandoned {
			continue
		}
		for j := range w.records {
			r := &w.records[j]
			written[r.subject] = true
			if r.id != "" {
				ids[r.id] = true
			}
		}
		group = append(group, w)
		records += len(w.records)
		size += w.size
	}
	return group, rest
}

func fits(w *write, written, blocked, ids map[string]bool) bool {
	for i := range w.records {
		r := &w.records[i]
		if blocked[r.subject] || r.expect.mode != expectAny && written[r.subject] || r.id != "" && ids[r.id] {
			return false
		}
	}
	return true
}

// execute stores a group and answers every write in it.
func (c *committer) execute(group []*write) {
	if i := slices.IndexFunc(group, func(w *write) bool { return len(w.records) == 0 }); i >= 0 { // see clearHeads
		clear(c.heads)
		group[i].finish(0, nil)
		c.execute(slices.Delete(group, i, i+1))
		return
	}
	switch {
	case len(group) == 0:
	case len(group) == 1:
		c.alone(group[0])
	default:
		c.together(group)
	}
}

// together stores a group of at least two writes as one batch, or, when that is refused, write by write.
func (c *committer) together(group []*write) {
	c.load(group)
	var ready []*write
	var msgs []*nats.Msg
	for _, w := range group {
		demand, bad := c.demands(w)
		if bad >= 0 { // the head says no, and it was read just now or is confirmed here
			if head, err := c.reload(w.records[bad].subject); err != nil {
				c.answer(w, 0, err)
				continue
			} else if !c.allows(w.records[bad].expect, head) {
				c.answer(w, 0, c.staleError(&w.records[bad], head))
				continue
			}
			if demand, bad = c.demands(w); bad >= 0 {
				c.alone(w) // several expectations moved: let the server judge
				continue
			}
		}
		ready = append(ready, w)
		for i := range w.records {
			msgs = append(msgs, c.wire.message(&w.records[i], demand[i]))
		}
	}
	if len(ready) < 2 {
		for _, w := range ready {
			c.alone(w)
		}
		return
	}
	if len(ready) < smallCrowd && len(msgs) == len(ready) {
		c.inARow(ready, msgs)
		return
	}
	start := time.Now()
	last, err := c.wire.batch(msgs)
	if refused(err) {
		c.metrics.retries.Inc()
		for _, w := range ready {
			c.forget(w)
		}
		for _, w := range ready {
			c.alone(w)
		}
		return
	}
	if err == nil {
		c.metrics.committed(start, len(msgs))
	}
	next := last - uint64(len(msgs))
	for _, w := range ready {
		next += uint64(len(w.records))
		if err != nil {
			c.forget(w)
			c.answer(w, 0, err)
			continue
		}
		c.learn(w, next)
		c.answer(w, next, nil)
	}
}

// inARow stores a few writes of one record each, without waiting for one before the next is sent.
func (c *committer) inARow(ws []*write, msgs []*nats.Msg) {
	start := time.Now()
	seqs, failures := c.wire.publishAll(msgs)
	var again []*write
	for i, w := range ws {
		switch {
		case failures[i] == nil:
			c.metrics.committed(start, 1)
			c.learn(w, seqs[i])
			c.answer(w, seqs[i], nil)
		case refused(failures[i]):
			c.forget(w)
			again = append(again, w) // alone finds out what the refusal means
		default:
			c.forget(w)
			c.answer(w, 0, failures[i])
		}
	}
	for _, w := range again {
		c.alone(w)
	}
}

// alone stores one write by itself. Where the expected revision of an absent key is a delete marker's, or a head was out of
// date, a refusal makes it look again.
func (c *committer) alone(w *write) {
	const attempts = 4 // each needs another writer outside this committer to have come between
	for try := 0; ; try++ {
		demand, bad := c.demands(w)
		if bad >= 0 {
			head, err := c.reload(w.records[bad].subject)
			if err != nil {
				c.answer(w, 0, err)
				return
			}
			if !c.allows(w.records[bad].expect, head) {
				c.answer(w, 0, c.staleError(&w.records[bad], head))
				return
			}
			if try < attempts {
				continue
			}
		}
		start := time.Now()
		last, err := c.send(w, demand)
		if err == nil {
			c.metrics.committed(start, len(w.records))
			c.learn(w, last)
			c.answer(w, last, nil)
			return
		}
		c.forget(w)
		var api *apiError
		if !errors.As(err, &api) {
			c.answer(w, 0, err)
			return
		}
		if !api.stale() {
			c.answer(w, 0, c.refusal(w, api))
			return
		}
		// Somebody was faster: find out where, for the error's text, or because Absent may still hold.
		c.load([]*write{w})
		if _, bad := c.demands(w); bad < 0 && try >= attempts || try > 2*attempts {
			c.answer(w, 0, errs.New(errs.Conflict, "write to %s: its keys change faster than they can be checked: %w", c.stream, ErrStale))
			return
		}
	}
}

func (c *committer) send(w *write, demand []uint64) (uint64, error) {
	if len(w.records) == 1 {
		return c.wire.publish(c.wire.message(&w.records[0], demand[0]))
	}
	msgs := make([]*nats.Msg, len(w.records))
	for i := range w.records {
		msgs[i] = c.wire.message(&w.records[i], demand[i])
	}
	return c.wire.batch(msgs)
}

// answer ends a write and counts its outcome.
func (c *committer) answer(w *write, last uint64, err error) {
	outcome := "ok"
	switch {
	case err == nil:
	case errs.Is(err, errs.Conflict), errs.Is(err, errs.Exists):
		outcome = "stale"
	case errs.Is(err, errs.Timeout), errs.Is(err, errs.Unavailable):
		outcome = "unknown"
	default:
		outcome = "refused"
	}
	c.metrics.commits.WithLabelValues(outcome).Inc()
	w.finish(last, err)
}

// refusal gives a server's refusal that is not a matter of revisions its kind.
func (c *committer) refusal(w *write, api *apiError) error {
	switch api.ErrCode {
	case codeStoreFailed:
		return errs.New(errs.Exhausted, "stream %s takes no more: %s: raise its MaxBytes or free some space", c.stream, api.Description)
	case codeMessageTooLarge:
		return errs.New(errs.Invalid, "a message for %s has about %d bytes and is over the limit of %d", c.stream, w.size, MaxValue)
	case codeStreamNotFound:
		return errs.New(errs.NotFound, "stream %s does not exist", c.stream)
	case codeBatchDuplicate:
		return errs.New(errs.Exists, "a batch for stream %s holds a message id that is stored already", c.stream)
	}
	if api.Code >= 500 {
		return errs.New(errs.Unavailable, "stream %s: %w", c.stream, api)
	}
	return errs.New(errs.Internal, "stream %s refused a write: %w", c.stream, api)
}

func refused(err error) bool {
	var api *apiError
	return errors.As(err, &api)
}
