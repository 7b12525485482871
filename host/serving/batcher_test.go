package serving

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

func ignore(int, time.Duration) {}

// echo runs rows of x FP32 [n, w] and words BYTES [n]: both come back. It counts runs at once and refuses what a batcher must
// never do.
type echo struct {
	max, instances int
	now            atomic.Int64
	busy           []atomic.Bool
	bad            atomic.Pointer[string]
}

func (e *echo) run(_ context.Context, instance int, in []schema.Tensor) ([]schema.Tensor, error) {
	fail := func(format string, args ...any) {
		s := fmt.Sprintf(format, args...)
		e.bad.Store(&s)
	}
	if n := e.now.Add(1); int(n) > e.instances {
		fail("%d runs at once on %d instances", n, e.instances)
	}
	defer e.now.Add(-1)
	if e.busy[instance].Swap(true) {
		fail("instance %d runs twice at once", instance)
	}
	defer e.busy[instance].Store(false)
	rows := in[0].Shape[0]
	if int(rows) > e.max {
		fail("a run of %d rows, at most %d are allowed", rows, e.max)
	}
	if in[1].Shape[0] != rows || int64(len(in[0].Data)) != rows*in[0].Shape[1]*4 {
		fail("ragged batch: %v and %v", in[0].Shape, in[1].Shape)
	}
	time.Sleep(20 * time.Microsecond) // time for others to queue
	for _, v := range numbers(in[0].Data) {
		if v == poison {
			return nil, errs.New(errs.Invalid, "poison")
		}
	}
	return []schema.Tensor{
		{Name: "y", Type: schema.FP32, Shape: in[0].Shape, Data: bytes.Clone(in[0].Data)},
		{Name: "w", Type: schema.Bytes, Shape: in[1].Shape, Data: bytes.Clone(in[1].Data)},
	}, nil
}

type plan struct {
	rows, width   int
	poison        bool
	cancelAfter   time.Duration // 0: never
	pauseMicrosec int
}

// Whatever the sizes, shapes, failures and cancellations: each caller gets exactly its own rows back or its own error, the
// limits on batch size and concurrency hold, and nothing is left behind.
func TestEveryRequestGetsItsRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		max := rapid.IntRange(2, 9).Draw(t, "max")
		instances := rapid.IntRange(1, 3).Draw(t, "instances")
		delay := time.Duration(rapid.SampledFrom([]int{0, 50, 2000}).Draw(t, "delay_us")) * time.Microsecond
		plans := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) plan {
			p := plan{rows: rapid.IntRange(1, 12).Draw(t, "rows"), width: rapid.IntRange(1, 2).Draw(t, "width"), pauseMicrosec: rapid.IntRange(0, 50).Draw(t, "pause")}
			p.poison = rapid.IntRange(0, 7).Draw(t, "poison") == 0
			if rapid.IntRange(0, 4).Draw(t, "cancel") == 0 {
				p.cancelAfter = time.Duration(rapid.IntRange(1, 200).Draw(t, "cancel_us")) * time.Microsecond
			}
			return p
		}), 1, 40).Draw(t, "plans")

		e := &echo{max: max, instances: instances, busy: make([]atomic.Bool, instances)}
		b := newBatcher(e.run, instances, max, delay, 1000, ignore)
		problems := make([]string, len(plans))
		var wg sync.WaitGroup
		for i, p := range plans {
			wg.Add(1)
			go func() {
				defer wg.Done()
				time.Sleep(time.Duration(p.pauseMicrosec) * time.Microsecond)
				problems[i] = ask(b, i, p, max)
			}()
		}
		wg.Wait()
		b.close()
		if bad := e.bad.Load(); bad != nil {
			t.Fatal(*bad)
		}
		for i, p := range problems {
			if p != "" {
				t.Fatalf("request %d (%+v): %s", i, plans[i], p)
			}
		}
		if len(b.queue) != 0 || b.rows != 0 || len(b.free) != instances {
			t.Fatalf("left behind: %d queued, %d rows, %d of %d instances", len(b.queue), b.rows, len(b.free), instances)
		}
	})
}

func ask(b *batcher, id int, p plan, max int) string {
	v := make([]float32, p.rows*p.width)
	var words []byte
	for r := range p.rows {
		for c := range p.width {
			v[r*p.width+c] = float32(id*1000 + r*10 + c)
		}
		w := fmt.Sprintf("%d/%d", id, r)[:rowLength(id, r)]
		words = append(append(words, byte(len(w)), 0, 0, 0), w...)
	}
	if p.poison {
		v[len(v)-1] = poison
	}
	in := []schema.Tensor{
		{Name: "x", Type: schema.FP32, Shape: []int64{int64(p.rows), int64(p.width)}, Data: le(v...)},
		{Name: "words", Type: schema.Bytes, Shape: []int64{int64(p.rows)}, Data: words},
	}
	want := [][]byte{bytes.Clone(in[0].Data), bytes.Clone(words)}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if p.cancelAfter > 0 {
		defer time.AfterFunc(p.cancelAfter, cancel).Stop()
	}
	res, err := b.do(ctx, in, p.rows, shapeKey(in[0].Shape))
	// The memory is the caller's again: scribbling must not disturb anybody (the race detector watches).
	clear(in[0].Data)
	clear(in[1].Data)
	switch {
	case errors.Is(err, context.Canceled) && p.cancelAfter > 0:
		return ""
	case p.poison && errs.Is(err, errs.Invalid):
		return ""
	case p.poison || err != nil:
		return fmt.Sprintf("got %v", err)
	}
	for i, t := range res.out {
		if t.Shape[0] != int64(p.rows) || !bytes.Equal(t.Data, want[i]) {
			return fmt.Sprintf("output %s: shape %v, data %v, want %v", t.Name, t.Shape, t.Data, want[i])
		}
	}
	if res.batch < min(p.rows, max) || res.batch > max {
		return fmt.Sprintf("batch of %d for %d rows", res.batch, p.rows)
	}
	return ""
}

func rowLength(id, r int) int { return min(3, 1+(id+r)%3) }

// gated makes a batcher whose runs wait for a token each, and a channel that tells the rows of each run as it starts.
func gated(instances, max int, delay time.Duration, queue int) (b *batcher, started chan int, tokens chan struct{}) {
	started, tokens = make(chan int, 100), make(chan struct{}, 100)
	b = newBatcher(func(ctx context.Context, _ int, in []schema.Tensor) ([]schema.Tensor, error) {
		started <- int(in[0].Shape[0])
		select {
		case <-tokens:
			return []schema.Tensor{{Name: "y", Type: schema.FP32, Shape: in[0].Shape, Data: bytes.Clone(in[0].Data)}}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}, instances, max, delay, queue, ignore)
	return b, started, tokens
}

func one(rows int) []schema.Tensor {
	return []schema.Tensor{{Name: "x", Type: schema.FP32, Shape: []int64{int64(rows), 1}, Data: make([]byte, 4*rows)}}
}

func TestQueueIsBounded(t *testing.T) {
	b, started, tokens := gated(1, 4, 0, 2)
	var wg sync.WaitGroup
	call := func() {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := b.do(context.Background(), one(1), 1, ""); err != nil {
				t.Error(err)
			}
		}()
	}
	call()
	<-started
	call()
	call()
	for b.queued() < 2 {
		runtime.Gosched()
	}
	if _, err := b.do(context.Background(), one(1), 1, ""); !errs.Is(err, errs.Exhausted) {
		t.Errorf("a third waiting request: %v, want Exhausted", err)
	}
	tokens <- struct{}{}
	if n := <-started; n != 2 {
		t.Errorf("the two that waited ran as %d rows, want 2 together", n)
	}
	tokens <- struct{}{}
	wg.Wait()
	b.close()
}

func TestCancelLeavesTheQueueAndStopsTheRun(t *testing.T) {
	b, started, tokens := gated(1, 4, 0, 10)
	background, cancelRun := context.WithCancel(context.Background())
	errRun := make(chan error, 1)
	go func() {
		_, err := b.do(background, one(1), 1, "")
		errRun <- err
	}()
	<-started
	waiting, cancelWait := context.WithCancel(context.Background())
	errWait := make(chan error, 1)
	go func() {
		_, err := b.do(waiting, one(1), 1, "")
		errWait <- err
	}()
	for b.queued() == 0 {
		runtime.Gosched()
	}
	cancelWait()
	if err := <-errWait; !errors.Is(err, context.Canceled) || b.queued() != 0 {
		t.Fatalf("got %v with %d queued; want Canceled and an empty queue", err, b.queued())
	}
	cancelRun()
	if err := <-errRun; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want Canceled", err)
	}
	// A batch stops when its last caller has gone.
	hold := make(chan error, 1)
	go func() {
		_, err := b.do(context.Background(), one(1), 1, "")
		hold <- err
	}()
	<-started
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := b.do(ctx, one(1), 1, "")
			left <- err
		}()
	}
	for b.queued() < 2 {
		runtime.Gosched()
	}
	tokens <- struct{}{}
	if n := <-started; n != 2 {
		t.Fatalf("a batch of %d, want 2", n)
	}
	cancel()
	for range 2 {
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want Canceled", err)
		}
	}
	if err := <-hold; err != nil {
		t.Error(err)
	}
	b.close() // would hang if the batch, which gets no token, went on
}

func TestDelayGathersCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, started, tokens := gated(2, 3, time.Second, 10)
		for range 3 {
			tokens <- struct{}{}
		}
		var wg sync.WaitGroup
		call := func(rows int) {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if _, err := b.do(context.Background(), one(rows), rows, ""); err != nil {
					t.Error(err)
				}
			}()
		}
		begin := time.Now()
		call(1)
		time.Sleep(600 * time.Millisecond)
		call(1)
		if n := <-started; n != 2 || time.Since(begin) != time.Second {
			t.Errorf("%d rows after %v, want 2 after 1s", n, time.Since(begin))
		}
		begin = time.Now()
		call(1)
		synctest.Wait()
		call(2)
		if n := <-started; n != 3 || time.Since(begin) != 0 {
			t.Errorf("%d rows after %v, want a full batch of 3 at once", n, time.Since(begin))
		}
		call(3)
		if n := <-started; n != 3 || time.Since(begin) != 0 {
			t.Errorf("%d rows after %v, want a full request of 3 at once", n, time.Since(begin))
		}
		wg.Wait()
		b.close()
	})
}

func TestOneBadMemberFailsAlone(t *testing.T) {
	release := make(chan struct{})
	first := true
	var mu sync.Mutex
	b := newBatcher(func(_ context.Context, _ int, in []schema.Tensor) ([]schema.Tensor, error) {
		mu.Lock()
		hold := first
		first = false
		mu.Unlock()
		if hold {
			<-release
		}
		for _, v := range numbers(in[0].Data) {
			if v == poison {
				return nil, errs.New(errs.Invalid, "poison")
			}
		}
		return []schema.Tensor{{Name: "y", Type: schema.FP32, Shape: in[0].Shape, Data: bytes.Clone(in[0].Data)}}, nil
	}, 1, 8, 0, 10, ignore)
	got := make([]error, 5)
	var wg sync.WaitGroup
	for i := range got {
		wg.Add(1)
		go func() {
			defer wg.Done()
			v := float32(i)
			if i == 2 {
				v = poison
			}
			in := []schema.Tensor{{Name: "x", Type: schema.FP32, Shape: []int64{1, 1}, Data: le(v)}}
			var res result
			if res, got[i] = b.do(context.Background(), in, 1, ""); got[i] == nil && numbers(res.out[0].Data)[0] != v {
				t.Errorf("request %d got %v", i, numbers(res.out[0].Data))
			}
		}()
	}
	for b.queued() < 4 {
		runtime.Gosched()
	}
	close(release)
	wg.Wait()
	b.close()
	for i, err := range got {
		if (err != nil) != (i == 2) {
			t.Errorf("request %d: %v", i, err)
		}
	}
}

// A model that mixes rows must not answer with somebody else's: its batches are undone, and lone requests still work.
func TestModelThatDoesNotKeepRows(t *testing.T) {
	release := make(chan struct{})
	var runs atomic.Int64
	b := newBatcher(func(_ context.Context, _ int, in []schema.Tensor) ([]schema.Tensor, error) {
		if runs.Add(1) == 1 {
			<-release
		}
		return []schema.Tensor{{Name: "mean", Type: schema.FP32, Shape: []int64{1}, Data: le(float32(math.Pi))}}, nil
	}, 1, 8, 0, 10, ignore)
	var wg sync.WaitGroup
	for range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if res, err := b.do(context.Background(), one(1), 1, ""); err != nil || res.batch != 1 {
				t.Errorf("batch %d, %v", res.batch, err)
			}
		}()
	}
	for b.queued() < 2 {
		runtime.Gosched()
	}
	close(release)
	wg.Wait()
	if _, err := b.do(context.Background(), one(9), 9, ""); !errs.Is(err, errs.Invalid) {
		t.Errorf("9 rows in pieces: %v, want Invalid", err)
	}
	b.close()
}

func BenchmarkBatcher64Callers(b *testing.B) {
	row := make([]byte, 4*30)
	q := newBatcher(func(_ context.Context, _ int, in []schema.Tensor) ([]schema.Tensor, error) {
		return []schema.Tensor{{Name: "y", Type: schema.FP32, Shape: in[0].Shape, Data: bytes.Clone(in[0].Data)}}, nil
	}, 1, 64, 0, 1024, ignore)
	b.ReportAllocs()
	b.SetParallelism(64 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		in := []schema.Tensor{{Name: "x", Type: schema.FP32, Shape: []int64{1, 30}, Data: row}}
		for pb.Next() {
			if _, err := q.do(context.Background(), in, 1, ""); err != nil {
				b.Error(err)
			}
		}
	})
	q.close()
}
