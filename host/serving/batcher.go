package serving

import (
	"context"
	"sync"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// runner runs the model once on an instance, 0 ≤ instance < instances, with all inputs in the model's order; it returns all
// outputs in the model's order.
type runner func(ctx context.Context, instance int, in []schema.Tensor) ([]schema.Tensor, error)

// batcher lets at most `instances` runs go on at once and gathers waiting requests into them.
//
// A request that finds an idle instance and an empty queue runs at once in its caller's goroutine. Otherwise it queues, and
// goroutines that live only while there is work take batches from the queue's head. Order is kept among requests of equal
// dimensions. A request's inputs are never read after do has returned, whatever the reason.
type batcher struct {
	run      runner
	maxBatch int // rows; ≤ 1: no batching
	delay    time.Duration
	maxQueue int // requests
	observe  func(rows int, compute time.Duration)

	mu       sync.Mutex
	unpinned *sync.Cond // a pinned request was let go
	free     []int      // idle instances
	queue    []*request
	rows     int // in the queue
	timer    *time.Timer
	sleeping bool // a goroutine sleeps a short wait
	workers  sync.WaitGroup
	buffers  sync.Pool // *[]byte
}

// result is one request's answer: all outputs, its rows only.
type result struct {
	out            []schema.Tensor
	batch          int // rows of the run it was part of
	queue, compute time.Duration
}

// request is one caller's rows in the queue. Its fields are guarded by batcher.mu, except that in, rows and key do not change.
type request struct {
	in   []schema.Tensor
	rows int
	key  string // equal keys may share a batch

	since    time.Time
	group    *group // nil while queued
	pinned   bool   // a worker reads in
	left     bool   // the caller has gone
	finished bool
	done     chan struct{} // of capacity 1: the answer is there
	res      result
	err      error
}

// group is one run's members; its context ends when the last caller has gone.
type group struct {
	ctx     context.Context
	cancel  context.CancelFunc
	members []*request
	waiting int
}

func newBatcher(run runner, instances, maxBatch int, delay time.Duration, maxQueue int, observe func(int, time.Duration)) *batcher {
	b := &batcher{run: run, maxBatch: maxBatch, delay: delay, maxQueue: maxQueue, observe: observe}
	b.unpinned = sync.NewCond(&b.mu)
	for i := range instances {
		b.free = append(b.free, i)
	}
	return b
}

// do runs the inputs (the model's inputs in order, rows rows each) alone or in company. Errors: the context's when it ended
// first, errs.Exhausted when the queue is full, and those of the run.
func (b *batcher) do(ctx context.Context, in []schema.Tensor, rows int, key string) (result, error) {
	if err := ctx.Err(); err != nil {
		return result{}, err
	}
	b.mu.Lock()
	if len(b.free) > 0 && len(b.queue) == 0 && (b.maxBatch <= 1 || b.delay == 0 || rows >= b.maxBatch) {
		instance := b.take()
		b.mu.Unlock()
		defer b.giveBack(instance)
		return b.alone(ctx, instance, in, rows)
	}
	if len(b.queue) >= b.maxQueue {
		n := len(b.queue)
		b.mu.Unlock()
		return result{}, errs.New(errs.Exhausted, "the queue is full: %d requests are waiting; retry later, or raise batching.max_queue_size or instance_group.count", n)
	}
	r := &request{in: in, rows: rows, key: key, since: time.Now(), done: make(chan struct{}, 1)}
	b.queue = append(b.queue, r)
	b.rows += rows
	b.dispatch()
	b.mu.Unlock()

	select {
	case <-r.done:
		return r.res, r.err
	case <-ctx.Done():
		return b.leave(ctx, r)
	}
}

// leave takes a request whose caller has gone out of the queue, or waits until nobody reads its inputs.
func (b *batcher) leave(ctx context.Context, r *request) (result, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.finished {
		return r.res, r.err
	}
	r.left = true
	if r.group == nil {
		for i, q := range b.queue {
			if q == r {
				copy(b.queue[i:], b.queue[i+1:])
				b.queue[len(b.queue)-1] = nil
				b.queue = b.queue[:len(b.queue)-1]
				b.rows -= r.rows
				break
			}
		}
		return result{}, ctx.Err()
	}
	if r.group.waiting--; r.group.waiting == 0 {
		r.group.cancel()
	}
	for r.pinned {
		b.unpinned.Wait()
	}
	return result{}, ctx.Err()
}

func (b *batcher) take() int {
	i := b.free[len(b.free)-1]
	b.free = b.free[:len(b.free)-1]
	return i
}

func (b *batcher) giveBack(instance int) {
	b.mu.Lock()
	b.free = append(b.free, instance)
	b.dispatch()
	b.mu.Unlock()
}

// ready reports whether the queue's head should run now, and how long until it should otherwise.
func (b *batcher) ready() (bool, time.Duration) {
	if b.maxBatch <= 1 || b.delay == 0 || b.rows >= b.maxBatch {
		return true, 0
	}
	wait := b.delay - time.Since(b.queue[0].since)
	return wait <= 0, wait
}

// dispatch starts workers while there are idle instances and batches that should run. b.mu is held.
func (b *batcher) dispatch() {
	for len(b.free) > 0 && len(b.queue) > 0 {
		ok, wait := b.ready()
		if !ok {
			b.arm(wait)
			return
		}
		instance, g := b.take(), b.collect()
		b.workers.Add(1)
		go b.work(instance, g)
	}
}

// arm makes dispatch run again when the queue's head has waited long enough. b.mu is held.
//
// Go's timers are a millisecond late when the process is otherwise idle (its poller waits in whole milliseconds), which would
// make short delays several times as long; those are slept by a thread instead.
func (b *batcher) arm(wait time.Duration) {
	if wait < shortWait {
		if !b.sleeping { // one who sleeps already wakes up earlier, and arms again if need be
			b.sleeping = true
			b.workers.Add(1)
			go func() {
				defer b.workers.Done()
				pause(wait)
				b.mu.Lock()
				b.sleeping = false
				b.dispatch()
				b.mu.Unlock()
			}()
		}
		return
	}
	if b.timer == nil {
		b.timer = time.AfterFunc(wait, func() {
			b.mu.Lock()
			b.dispatch()
			b.mu.Unlock()
		})
		return
	}
	b.timer.Reset(wait)
}

// collect takes the next batch out of the queue: the head, and those behind it of its key as far as they fit; the first of its
// key that does not fit ends the batch, so that nobody is overtaken by its like. b.mu is held.
func (b *batcher) collect() *group {
	head := b.queue[0]
	g := &group{members: []*request{head}}
	n, kept, next := head.rows, 0, 1
	for ; b.maxBatch > 1 && n < b.maxBatch && next < len(b.queue); next++ {
		r := b.queue[next]
		if r.key == head.key {
			if n+r.rows > b.maxBatch {
				break
			}
			n += r.rows
			g.members = append(g.members, r)
			continue
		}
		b.queue[kept] = r
		kept++
	}
	kept += copy(b.queue[kept:], b.queue[next:])
	clear(b.queue[kept:])
	b.queue = b.queue[:kept]
	b.rows -= n
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.waiting = len(g.members)
	for _, r := range g.members {
		r.group, r.pinned = g, true
	}
	return g
}

// work runs batches on an instance for as long as there are any.
func (b *batcher) work(instance int, g *group) {
	defer b.workers.Done()
	for {
		b.execute(instance, g)
		b.mu.Lock()
		if len(b.queue) > 0 {
			if ok, _ := b.ready(); ok {
				g = b.collect()
				b.mu.Unlock()
				continue
			}
		}
		b.free = append(b.free, instance)
		b.dispatch()
		b.mu.Unlock()
		return
	}
}

func (b *batcher) execute(instance int, g *group) {
	defer g.cancel()
	start := time.Now()
	if len(g.members) == 1 {
		r := g.members[0]
		res, err := b.alone(g.ctx, instance, r.in, r.rows)
		res.queue = start.Sub(r.since)
		b.finish(r, res, err)
		return
	}
	in, rows, buffer := b.join(g.members)
	b.unpin(g.members)
	out, err := b.run(g.ctx, instance, in)
	compute := time.Since(start)
	b.buffers.Put(buffer)
	var parts [][]schema.Tensor
	if err == nil {
		parts, err = split(out, g.members, rows)
	}
	if err == nil {
		b.observe(rows, compute)
		for i, r := range g.members {
			b.finish(r, result{out: parts[i], batch: rows, queue: start.Sub(r.since), compute: compute}, nil)
		}
		return
	}
	// One member may have spoilt the run: each is tried by itself, so that it alone fails.
	for _, r := range g.members {
		ctx, ok := b.repin(r)
		if !ok {
			continue
		}
		res, err := b.alone(ctx, instance, r.in, r.rows)
		res.queue = start.Sub(r.since)
		r.group.cancel()
		b.finish(r, res, err)
	}
}

// alone runs one request, in pieces when it is larger than a batch may be.
func (b *batcher) alone(ctx context.Context, instance int, in []schema.Tensor, rows int) (result, error) {
	start := time.Now()
	if b.maxBatch <= 1 || rows <= b.maxBatch {
		out, err := b.run(ctx, instance, in)
		compute := time.Since(start)
		if err == nil {
			b.observe(rows, compute)
		}
		return result{out: out, batch: rows, compute: compute}, err
	}
	var pieces [][]schema.Tensor
	cursors := make([]int, len(in)) // byte offsets
	for from := 0; from < rows; from += b.maxBatch {
		n := min(b.maxBatch, rows-from)
		piece := make([]schema.Tensor, len(in))
		for i, t := range in {
			size := bytesOfRows(t, cursors[i], n, rows)
			piece[i] = schema.Tensor{Name: t.Name, Type: t.Type, Shape: withRows(t.Shape, n), Data: t.Data[cursors[i] : cursors[i]+size]}
			cursors[i] += size
		}
		began := time.Now()
		out, err := b.run(ctx, instance, piece)
		if err == nil {
			err = sameRows(out, n)
		}
		if err != nil {
			return result{}, err
		}
		b.observe(n, time.Since(began))
		pieces = append(pieces, out)
	}
	out, err := concat(pieces, rows)
	return result{out: out, batch: b.maxBatch, compute: time.Since(start)}, err
}

// finish gives a request its answer and lets go of its inputs.
func (b *batcher) finish(r *request, res result, err error) {
	b.mu.Lock()
	r.res, r.err, r.finished = res, err, true
	if r.pinned {
		r.pinned = false
		if r.left {
			b.unpinned.Broadcast()
		}
	}
	b.mu.Unlock()
	r.done <- struct{}{}
}

func (b *batcher) unpin(members []*request) {
	b.mu.Lock()
	wake := false
	for _, r := range members {
		r.pinned = false
		wake = wake || r.left
	}
	if wake {
		b.unpinned.Broadcast()
	}
	b.mu.Unlock()
}

// repin takes a request of a failed batch into a group of its own; false when its caller has gone.
func (b *batcher) repin(r *request) (context.Context, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.left {
		return nil, false
	}
	g := &group{waiting: 1, members: []*request{r}}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	r.group, r.pinned = g, true
	return g.ctx, true
}

// queued is the number of waiting requests.
func (b *batcher) queued() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue)
}

// close waits for the workers. There must be no caller in do.
func (b *batcher) close() {
	b.workers.Wait()
	b.mu.Lock()
	if b.timer != nil {
		b.timer.Stop()
	}
	b.mu.Unlock()
}
