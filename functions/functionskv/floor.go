package functionskv

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv"
)

// floor says that every input of the incarnation up to Sequence is processed, although its marker is gone. It is written
// to the function's own stream before the markers go, because the consumer's own position is not worth as much: a killed
// server may forget its last acknowledgements and deliver those messages again as if for the first time.
type floor struct {
	Stream      string `json:"stream"`
	Incarnation string `json:"incarnation"`
	Sequence    uint64 `json:"sequence"`
}

func (f floor) covers(e functions.Event) bool {
	return e.Sequence <= f.Sequence && e.Incarnation == f.Incarnation && e.Stream == f.Stream
}

func (f *feed) floorSubject(in *input) string {
	return prefix(f.binding.Function) + "floor." + f.binding.Stream + "." + in.incarnation
}

// loadFloor reads the floor of an incarnation; none is zero.
func (f *feed) loadFloor(ctx context.Context, in *input) error {
	fl := floor{Stream: f.binding.Stream, Incarnation: in.incarnation}
	m, err := f.own.Last(ctx, f.floorSubject(in))
	switch {
	case errs.Is(err, errs.NotFound):
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(m.Data, &fl); err != nil {
			return errs.New(errs.Internal, "function %q: floor message %d is damaged: %w", f.binding.Function, m.Sequence, err)
		}
	}
	f.floorMu.Lock()
	f.floor = fl
	f.floorMu.Unlock()
	return nil
}

// tidier removes markers behind the consumer's position in the background.
type tidier struct {
	cancel context.CancelFunc
	ended  chan struct{}
	once   sync.Once
}

func (f *feed) startTidier() *tidier {
	ctx, cancel := context.WithCancel(context.Background())
	t := &tidier{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(t.ended)
		tick := time.NewTicker(f.store.every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := f.tidyMarkers(ctx); err != nil && ctx.Err() == nil && !errs.Is(err, errs.NotFound) {
				f.log.Warn("processed markers were not removed; trying again later", "error", err)
			}
		}
	}()
	return t
}

func (t *tidier) stop() {
	t.once.Do(t.cancel)
	<-t.ended
}

// tidyMarkers raises the floor to the consumer's position, durably, and then removes the markers below it. Markers stand in
// the order in which batches were committed, so those after the first one above the floor stay until the floor passes it.
func (f *feed) tidyMarkers(ctx context.Context) error {
	f.mu.Lock()
	in := f.in
	f.mu.Unlock()
	info, err := in.consumer.Info(ctx)
	if err != nil {
		return err
	}
	f.floorMu.RLock()
	before := f.floor
	f.floorMu.RUnlock()
	if before.Incarnation != in.incarnation || info.AckFloor <= before.Sequence {
		return nil
	}
	next := floor{Stream: f.binding.Stream, Incarnation: in.incarnation, Sequence: info.AckFloor}
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	at, err := f.own.Publish(ctx, kv.Publish{Subject: f.floorSubject(in), Data: data})
	if err != nil {
		return err
	}
	f.floorMu.Lock() // waits for commits on their way, which were checked against the floor before
	if f.floor == before {
		f.floor = next
	}
	f.floorMu.Unlock()

	filter := prefix(f.binding.Function) + "done." + f.binding.Stream + "." + in.incarnation + ".*"
	upTo, err := f.firstAbove(ctx, filter, next.Sequence)
	if err != nil {
		return err
	}
	if upTo > 0 {
		if err := f.own.Purge(ctx, filter, upTo); err != nil {
			return err
		}
	}
	return f.own.Purge(ctx, f.floorSubject(in), at)
}

// firstAbove finds the own stream's sequence of the first marker whose input lies above floor, or what comes after the last
// marker; 0 when there is none to remove.
func (f *feed) firstAbove(ctx context.Context, filter string, floor uint64) (uint64, error) {
	const page = 1000
	var upTo uint64
	for from := uint64(1); ; from = upTo {
		ms, err := f.own.Read(ctx, kv.ReadOptions{From: from, Filter: filter, Limit: page})
		if err != nil {
			return 0, err
		}
		for _, m := range ms {
			n, err := strconv.ParseUint(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], 10, 64)
			if err != nil || n > floor {
				return upTo, nil
			}
			upTo = m.Sequence + 1
		}
		if len(ms) < page {
			return upTo, nil
		}
	}
}
