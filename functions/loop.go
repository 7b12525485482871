package functions

import (
	"context"
	"log/slog"
	"math/bits"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/weir-ml/weir/host/errs"
)

// inFlight is how many batches of one function are worked on at once: one computes while the other commits.
const inFlight = 2

// runner consumes one event function's input. It holds no plugin instance between batches.
type runner struct {
	name   string
	spec   Spec
	steps  *steps
	feed   Feed
	log    *slog.Logger
	meters *meters

	stopping chan struct{} // closed: fetch no more
	finished chan struct{} // closed: every batch that was begun has ended
	cancel   context.CancelFunc

	mu sync.Mutex
	st tally
}

// tally is what the runner counts, since it was started.
type tally struct {
	processed, retried, dead, duplicates uint64
	paused                               int // batches that wait for a plugin, a model or the store
	lastError                            string
	lastErrorAt                          time.Time
	batches                              [10]uint64 // by bits.Len(events-1): 1, 2, 3–4, 5–8, …
}

func startRunner(name string, spec Spec, st *steps, feed Feed, log *slog.Logger, m *meters) *runner {
	ctx, cancel := context.WithCancel(context.Background())
	r := &runner{
		name: name, spec: spec, steps: st, feed: feed, log: log.With("function", name), meters: m,
		stopping: make(chan struct{}), finished: make(chan struct{}), cancel: cancel,
	}
	go r.run(ctx)
	return r
}

// stop drains: no new fetch, what was begun is finished; after grace it is given up (and delivered again later). Once only.
func (r *runner) stop(grace time.Duration) {
	close(r.stopping)
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-r.finished:
	case <-t.C:
		r.log.Warn("event function did not finish in time; its batches will be delivered again", "grace_ms", grace.Milliseconds())
	}
	r.cancel()
	<-r.finished
}

func (r *runner) run(ctx context.Context) {
	defer close(r.finished)
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, inFlight)
	for failures := 0; ; {
		select {
		case <-r.stopping:
			return
		case slots <- struct{}{}:
		}
		select {
		case <-r.stopping: // both were ready
			return
		default:
		}
		// Not cancelled by stopping: a message that is under way to a cancelled fetch would cost it an attempt.
		events, err := r.feed.Fetch(ctx, r.spec.Event.BatchSize, r.spec.Event.MaxWait.Std())
		if err != nil || len(events) == 0 {
			<-slots
			if err != nil {
				r.note(err)
				failures++
				if !r.pause(ctx, failures) {
					return
				}
			}
			continue
		}
		failures = 0
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			r.batch(ctx, events)
		}()
	}
}

// batch carries fetched events to their end: outcome and acknowledgement, or another attempt.
func (r *runner) batch(ctx context.Context, events []Event) {
	started := time.Now()
	defer r.keepAlive(events)()
	r.meters.batches.Observe(float64(len(events)))
	r.count(func(t *tally) { t.batches[min(bits.Len(uint(len(events)-1)), len(t.batches)-1)]++ })

	fresh, err := r.dropProcessed(ctx, events)
	var done []Outcome
	var failed []failure
	for try := 0; ; try++ {
		if err == nil {
			done, failed, err = r.compute(ctx, fresh)
		} else {
			fresh, err = r.dropProcessed(ctx, events)
			if err == nil {
				done, failed, err = r.compute(ctx, fresh)
			}
		}
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
		// Nothing is wrong with the events, so that waiting here must not cost them attempts.
		r.note(err)
		if !r.pause(ctx, try) {
			for _, e := range fresh {
				_ = e.Nak(0) // lost: the message is delivered again after its ack wait
			}
			return
		}
	}
	var again []failure
	for _, f := range failed {
		if f.reason == Exhausted && f.event.Attempt < r.spec.Retry.MaxAttempts {
			again = append(again, f)
			continue
		}
		done = append(done, Outcome{Input: f.event, Dead: &Failure{Reason: f.reason, Error: clip(f.err.Error()), Attempts: f.event.Attempt}})
	}
	for _, f := range failed {
		r.note(f.err)
	}
	duplicates, err := r.commit(ctx, done)
	if err != nil {
		r.log.Warn("batch not committed; its events will be delivered again", "events", len(done), "error", err)
		for _, o := range done {
			_ = o.Input.Nak(0) // lost: the message is delivered again after its ack wait
		}
		return
	}
	dead := 0
	for _, o := range done {
		if o.Dead != nil {
			dead++
		}
		_ = o.Input.AckAsync() // lost: the message is delivered again after its ack wait
	}
	for _, f := range again {
		_ = f.event.Nak(r.delay(f.event.Attempt)) // lost: the message is delivered again after its ack wait
	}
	r.meters.batchTime.Observe(time.Since(started).Seconds())
	duplicates += len(events) - len(fresh)
	r.tell("done", len(done)-dead, func(t *tally, n uint64) { t.processed += n })
	r.tell("dead", dead, func(t *tally, n uint64) { t.dead += n })
	r.tell("retried", len(again), func(t *tally, n uint64) { t.retried += n })
	r.tell("duplicate", duplicates, func(t *tally, n uint64) { t.duplicates += n })
}

// dropProcessed acknowledges redelivered events that have their marker and returns the others. First deliveries are not
// asked about: the commit expects that they have none.
func (r *runner) dropProcessed(ctx context.Context, events []Event) ([]Event, error) {
	var again []Event
	for _, e := range events {
		if e.Attempt > 1 {
			again = append(again, e)
		}
	}
	if len(again) == 0 {
		return events, nil
	}
	have, err := r.feed.Processed(ctx, again)
	if err != nil {
		return events, errs.With(errs.Unavailable, err)
	}
	fresh, i := make([]Event, 0, len(events)), 0
	for _, e := range events {
		if e.Attempt > 1 {
			i++
			if have[i-1] {
				_ = e.AckAsync() // lost: the message is delivered again after its ack wait
				continue
			}
		}
		fresh = append(fresh, e)
	}
	return fresh, nil
}

// keepAlive extends the events' ack wait until the function returned is called.
func (r *runner) keepAlive(events []Event) func() {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(r.spec.Event.AckWait.Std() / 3)
		defer t.Stop()
		for {
			select {
			case <-stop:
				return
			case <-t.C:
				for _, e := range events {
					_ = e.InProgress() // lost: the message is delivered again after its ack wait
				}
			}
		}
	}()
	return func() { close(stop); <-ended }
}

// delay is exponential with a cap and jitter; attempt counts from 1.
func (r *runner) delay(attempt int) time.Duration {
	return backoff(r.spec.Retry.Backoff.Std(), r.spec.Retry.MaxBackoff.Std(), attempt-1)
}

// backoff is base·2ⁿ, at most ceiling, and between half and all of that at random.
func backoff(base, ceiling time.Duration, n int) time.Duration {
	d := ceiling
	if n = max(n, 0); n < 32 && base < ceiling>>n {
		d = base << n
	}
	if d < 2 {
		return d
	}
	return d/2 + rand.N(d/2+1)
}

// pause waits before the next try of something that is away; false: the runner stops instead.
func (r *runner) pause(ctx context.Context, try int) bool {
	r.count(func(t *tally) { t.paused++ })
	defer r.count(func(t *tally) { t.paused-- })
	t := time.NewTimer(backoff(100*time.Millisecond, 5*time.Second, try))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.stopping:
		return false
	case <-ctx.Done():
		return false
	}
}

func (r *runner) count(f func(*tally)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.st)
}

func (r *runner) tell(outcome string, n int, f func(*tally, uint64)) {
	if n == 0 {
		return
	}
	r.meters.events.WithLabelValues(outcome).Add(float64(n))
	r.count(func(t *tally) { f(t, uint64(n)) })
}

// note keeps the newest error for the status.
func (r *runner) note(err error) {
	r.log.Debug("event function error", "error", err)
	r.count(func(t *tally) { t.lastError, t.lastErrorAt = clip(err.Error()), time.Now() })
}

// clip keeps error texts to what a header may hold: one line, at most 1 KiB.
func clip(s string) string {
	if len(s) > 1024 {
		s = s[:1020] + "…"
	}
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "�")))
}
