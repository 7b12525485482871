package functionskv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv"
)

// maxAckPending bounds what waits for another attempt; above it, nothing new is delivered until some are done.
const maxAckPending = 10_000

// input is one incarnation of the input stream with the function's consumer on it.
type input struct {
	stream      *kv.Stream
	consumer    *kv.Consumer
	incarnation string
}

// feed implements functions.Feed.
type feed struct {
	store   *Store
	binding functions.Binding
	own     *kv.Stream
	log     *slog.Logger

	mu      sync.Mutex // of in, tidy and closed
	in      *input
	tidy    *tidier // nil until the first Fetch, so that a feed that only reads letters runs nothing
	closed  bool
	floorMu sync.RWMutex
	floor   floor
}

// bind makes what is missing of the input and connects to it.
func (s *Store) bind(ctx context.Context, b functions.Binding) (*input, error) {
	missing, err := s.missingSubject(ctx, b)
	if err != nil {
		return nil, err
	}
	var in *kv.Stream
	if missing {
		in, err = s.kv.Stream(ctx, kv.StreamConfig{Name: b.Stream, Subjects: []string{b.Subject}})
	} else {
		in, err = s.kv.OpenStream(ctx, b.Stream)
	}
	if err != nil {
		return nil, fmt.Errorf("input stream: %w", err)
	}
	info, err := in.Info(ctx)
	if err != nil {
		return nil, err
	}
	c, err := in.Consumer(ctx, kv.ConsumerConfig{
		Durable: "fn_" + b.Function, Filter: b.Subject, AckWait: b.AckWait, MaxAckPending: maxAckPending,
	})
	if err != nil {
		return nil, err
	}
	return &input{stream: in, consumer: c, incarnation: strconv.FormatInt(info.Created.UnixNano(), 36)}, nil
}

// current is the input to fetch from; it starts the background work at its first call.
func (f *feed) current(ctx context.Context) (*input, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errs.New(errs.Unavailable, "function %q: its feed is closed", f.binding.Function)
	}
	if f.tidy == nil {
		if err := f.loadFloor(ctx, f.in); err != nil {
			return nil, err
		}
		f.tidy = f.startTidier()
	}
	return f.in, nil
}

// rebind connects to the stream that took the place of a deleted one, or makes it.
func (f *feed) rebind(ctx context.Context) error {
	in, err := f.store.bind(ctx, f.binding)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if in.incarnation != f.in.incarnation {
		if err := f.loadFloor(ctx, in); err != nil {
			return err
		}
	}
	f.in = in
	return nil
}

// Fetch implements functions.Feed.
func (f *feed) Fetch(ctx context.Context, max int, wait time.Duration) ([]functions.Event, error) {
	in, err := f.current(ctx)
	if err != nil {
		return nil, err
	}
	ds, err := in.consumer.Fetch(ctx, max, wait)
	if errs.Is(err, errs.NotFound) { // the stream or the consumer was deleted under us
		if err := f.rebind(ctx); err != nil {
			return nil, fmt.Errorf("connect to stream %s again: %w", f.binding.Stream, err)
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	events := make([]functions.Event, len(ds))
	for i, d := range ds {
		events[i] = functions.Event{
			Stream: f.binding.Stream, Incarnation: in.incarnation, Subject: d.Subject, Sequence: d.Sequence,
			Attempt: d.Attempt, Time: d.Time, Header: d.Header, Data: d.Data, Delivery: d,
		}
	}
	return events, nil
}

func (f *feed) subject(kind string, e functions.Event) string {
	return prefix(f.binding.Function) + kind + "." + e.Stream + "." + e.Incarnation + "." + strconv.FormatUint(e.Sequence, 10)
}

// Processed implements functions.Feed.
func (f *feed) Processed(ctx context.Context, events []functions.Event) ([]bool, error) {
	have := make([]bool, len(events))
	for i, e := range events {
		// The marker first: a floor that passes the event in between leaves it true either way.
		_, err := f.own.Last(ctx, f.subject("done", e))
		switch {
		case err == nil:
			have[i] = true
		case errs.Is(err, errs.NotFound):
			f.floorMu.RLock()
			have[i] = f.floor.covers(e)
			f.floorMu.RUnlock()
		default:
			return nil, err
		}
	}
	return have, nil
}

// Commit implements functions.Feed. The floor cannot pass one of the inputs while the batch is on its way.
func (f *feed) Commit(ctx context.Context, outcomes []functions.Outcome) error {
	f.floorMu.RLock()
	defer f.floorMu.RUnlock()
	var none uint64
	batch := make([]kv.Publish, 0, 2*len(outcomes))
	for _, o := range outcomes {
		if f.floor.covers(o.Input) {
			return fmt.Errorf("input %d of stream %s: %w", o.Input.Sequence, o.Input.Stream, functions.ErrProcessed)
		}
		switch {
		case o.Dead != nil:
			batch = append(batch, kv.Publish{Subject: f.subject("dead", o.Input), Header: letterHeader(f.binding.Function, o), Data: letterData(o)})
		case o.Result != nil:
			batch = append(batch, kv.Publish{Subject: f.binding.OutputSubject, Header: o.Result.Header, Data: o.Result.Data})
		}
		batch = append(batch, kv.Publish{Subject: f.subject("done", o.Input), ExpectSubjectSeq: &none})
	}
	_, err := f.own.PublishBatch(ctx, batch)
	if errors.Is(err, kv.ErrStale) {
		return fmt.Errorf("%w: %w", functions.ErrProcessed, err)
	}
	return err
}

// Info implements functions.Feed.
func (f *feed) Info(ctx context.Context) (functions.FeedInfo, error) {
	f.mu.Lock()
	in := f.in
	f.mu.Unlock()
	i, err := in.consumer.Info(ctx)
	if err != nil {
		return functions.FeedInfo{}, err
	}
	return functions.FeedInfo{AckFloor: i.AckFloor, Pending: i.Pending, AckPending: i.AckPending}, nil
}

// Close implements functions.Feed. Safe twice.
func (f *feed) Close() error {
	f.mu.Lock()
	f.closed = true
	t := f.tidy
	f.mu.Unlock()
	if t != nil {
		t.stop()
	}
	return nil
}
