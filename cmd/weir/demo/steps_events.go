package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// rounds is how often the held-out rows are published in the streaming step.
const rounds = 20

// result is one message of the score function.
type result struct {
	ID         string `json:"id"`
	Prediction int64  `json:"prediction"`
}

// streamEvents publishes rows as events and collects the batched inference results.
func (d *demo) streamEvents(ctx context.Context) error {
	d.title("Publish the held-out rows as events and collect batched inference results")
	if err := d.apply(ctx, scoreFunction()); err != nil {
		return err
	}
	want := map[string]int64{} // id → the label HTTP gave this row
	var lines bytes.Buffer
	for round := range rounds {
		for _, r := range d.table.test {
			id := fmt.Sprintf("%d-%d", round, r.id)
			want[id] = d.http[strconv.FormatInt(r.id, 10)].label
			if err := json.NewEncoder(&lines).Encode(d.table.object(r, id)); err != nil {
				return err
			}
		}
	}
	began := time.Now()
	pub, err := d.c.PublishLines(ctx, "measurements.heldout", &lines)
	if err != nil {
		return err
	}
	acked := time.Since(began)
	got, err := d.collect(ctx, len(want), 20*time.Second)
	if err != nil {
		return err
	}
	took := time.Since(began)
	lost, twice, wrong := compare(want, got)
	d.claim(len(pub.Sequences) == len(want), "%d events durable in %.0f ms (%.0f a second)", len(pub.Sequences), ms(acked), float64(len(want))/acked.Seconds())
	d.claim(lost == 0 && twice == 0, "%d results %.0f ms after the first publish: %d lost, %d twice", len(want)-lost, ms(took), lost, twice)
	d.claim(wrong == 0, "every result is what HTTP answered for the same row (%d differ)", wrong)
	f, err := d.c.Function(ctx, "score")
	if err != nil {
		return err
	}
	sizes := make([]int, 0, len(f.Event.Batches))
	for s := range maps.Keys(f.Event.Batches) {
		if n, err := strconv.Atoi(s); err == nil {
			sizes = append(sizes, n)
		}
	}
	slices.Sort(sizes)
	text := ""
	for _, s := range sizes {
		text += fmt.Sprintf("  ≤%d: %d×", s, f.Event.Batches[strconv.Itoa(s)])
	}
	d.claim(len(sizes) > 0 && slices.Max(sizes) > 1, "batch sizes reached:%s", text)
	d.next("curl 'http://%s/api/v1/events/predictions?limit=3'", d.host.HTTP)
	return nil
}

// results reads the score function's output from its beginning: how often each id was predicted, and what.
type results struct {
	got   map[string][]int64
	after uint64
}

// page reads what follows, waiting up to wait for a first message; it answers how many messages there were.
func (r *results) page(ctx context.Context, d *demo, wait time.Duration) (int, error) {
	events, err := d.c.Events(ctx, "predictions", r.after, 1000, wait)
	for _, e := range events {
		var m result
		if err := json.Unmarshal(e.Data, &m); err != nil {
			return 0, fmt.Errorf("result %d: %w", e.Sequence, err)
		}
		r.got[m.ID] = append(r.got[m.ID], m.Prediction)
		r.after = e.Sequence
	}
	return len(events), err
}

// collect reads until n different ids are there, or patience ends.
func (d *demo) collect(ctx context.Context, n int, patience time.Duration) (map[string][]int64, error) {
	r := results{got: map[string][]int64{}}
	set, done := d.bar(n, "results")
	defer done()
	for deadline := time.Now().Add(patience); len(r.got) < n && time.Now().Before(deadline); set(len(r.got)) {
		if _, err := r.page(ctx, d, 500*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return r.got, nil
}

// collectAll waits until the function has nothing left to do, or patience ends, and reads every result there is.
func (d *demo) collectAll(ctx context.Context, patience time.Duration) (map[string][]int64, error) {
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		f, err := d.c.Function(ctx, "score")
		if err != nil {
			return nil, err
		}
		if f.Event.Pending == 0 && f.Event.AckPending == 0 || time.Now().After(deadline) {
			break
		}
	}
	r := results{got: map[string][]int64{}}
	for {
		if n, err := r.page(ctx, d, 0); err != nil || n == 0 {
			return r.got, err
		}
	}
}

// compare counts wanted results that are missing, there more than once, or different.
func compare(want map[string]int64, got map[string][]int64) (lost, twice, wrong int) {
	for id, label := range want {
		switch labels := got[id]; {
		case len(labels) == 0:
			lost++
		case len(labels) > 1:
			twice++
		case labels[0] != label:
			wrong++
		}
	}
	return lost, twice, wrong
}

// scaleToZero waits until the function's pool is empty and times the call that wakes it.
func (d *demo) scaleToZero(ctx context.Context) error {
	d.title("Let the pool fall to zero and call the function cold")
	f, err := d.c.Function(ctx, "standardize")
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); f.Pool.Live > 0 && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
		if f, err = d.c.Function(ctx, "standardize"); err != nil {
			return err
		}
	}
	d.claim(f.Pool.Live == 0, "after a second without calls %d instances are left", f.Pool.Live)
	body, err := json.Marshal(map[string]any{"rows": []any{d.table.object(d.table.test[0], "")}})
	if err != nil {
		return err
	}
	var took [2]time.Duration
	var cold string
	for i := range took {
		began := time.Now()
		res, err := d.c.Invoke(ctx, "standardize", http.MethodPost, "", nil, bytes.NewReader(body))
		if err != nil {
			return err
		}
		var ignored any
		if err := decode(res, &ignored); err != nil {
			return err
		}
		took[i] = time.Since(began)
		if i == 0 {
			cold = res.Header.Get("Weir-Cold-Start-Us")
		}
	}
	us, _ := strconv.ParseFloat(cold, 64)
	d.claim(us > 0, "the cold call started an instance in %.2f ms; over HTTP it took %.2f ms, the warm one after it %.2f ms", us/1000, ms(took[0]), ms(took[1]))
	d.next("curl http://%s/metrics | grep weir_plugin", d.host.HTTP)
	return nil
}

// surviveKill kills the host while events are being published, starts it again, and accounts for every acknowledged one.
func (d *demo) surviveKill(ctx context.Context) error {
	d.title("Kill the host with SIGKILL mid-stream, start it again, and account for everything acknowledged")
	before, err := d.collectAll(ctx, 5*time.Second)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	acked := map[string]int64{}
	publishing := sync.WaitGroup{}
	for w := range 4 {
		publishing.Go(func() {
			for i := 0; ; i++ {
				r := d.table.test[(w+4*i)%len(d.table.test)]
				id := fmt.Sprintf("kill-%d-%d", w, i)
				data, err := json.Marshal(d.table.object(r, id))
				if err != nil {
					return
				}
				if _, err := d.c.Publish(ctx, "measurements.live", data, id, nil); err != nil {
					return // the host is gone: this event was never acknowledged
				}
				mu.Lock()
				acked[id] = d.http[strconv.FormatInt(r.id, 10)].label
				mu.Unlock()
			}
		})
	}
	time.Sleep(700 * time.Millisecond)
	if err := d.host.kill(); err != nil {
		return err
	}
	publishing.Wait()
	d.say("SIGKILL after %d acknowledged events, with results on their way", len(acked))
	if err := d.start(ctx); err != nil {
		return fmt.Errorf("start after SIGKILL: %w", err)
	}
	d.say("started again on the same folder: ready in %.0f ms", ms(d.host.Ready))
	// Events that were stored but not acknowledged before the kill may have results too; they are not owed, and not wrong.
	got, err := d.collectAll(ctx, 20*time.Second)
	if err != nil {
		return err
	}
	lost, twice, wrong := compare(acked, got)
	d.claim(lost == 0 && twice == 0 && wrong == 0, "%d acknowledged events: %d lost, %d with two results, %d wrong", len(acked), lost, twice, wrong)
	lost, twice = 0, 0
	for id := range before {
		switch n := len(got[id]); {
		case n == 0:
			lost++
		case n > 1:
			twice++
		}
	}
	d.claim(lost == 0 && twice == 0, "%d earlier results: %d lost, %d twice", len(before), lost, twice)
	return d.sameAsBefore(ctx)
}

// sameAsBefore checks what else had been acknowledged: resources, data sets, verdicts.
func (d *demo) sameAsBefore(ctx context.Context) error {
	objects, err := d.c.List(ctx, "")
	if err != nil {
		return err
	}
	ready := 0
	for _, o := range objects {
		if o.Status != nil && o.Status.State == "ready" {
			ready++
		}
	}
	sets, err := d.c.Datasets(ctx)
	if err != nil {
		return err
	}
	decisions, err := d.c.Decisions(ctx, "promotion", 10)
	if err != nil {
		return err
	}
	const wantObjects, wantSets, wantDecisions = 8, 5, 2
	d.claim(len(objects) == wantObjects && ready == wantObjects && len(sets) == wantSets && len(decisions) == wantDecisions,
		"%d of %d resources ready, %d data sets, %d verdicts are there", ready, len(objects), len(sets), len(decisions))
	p, err := d.c.Predict(ctx, "breast-cancer", [][]float64{d.table.test[0].features})
	if err != nil {
		return err
	}
	d.claim(string(p.Predictions) == fmt.Sprintf("[%d]", d.http[strconv.FormatInt(d.table.test[0].id, 10)].label), "and the model answers as before")
	return nil
}
