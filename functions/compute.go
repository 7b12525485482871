package functions

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

// failure is an event's error of one attempt.
type failure struct {
	event  Event
	reason Reason // Exhausted: may be tried again
	err    error
}

// away reports whether err says that the plugin or the model cannot work now, so that the event is not to blame.
func away(err error) bool { return errs.Is(err, errs.Unavailable) }

// compute makes an outcome or a failure of every event. An error means that nothing can be computed now (the plugin or
// the model is away, or the drain's time is over): nothing has been done, call again later.
func (r *runner) compute(ctx context.Context, events []Event) (done []Outcome, failed []failure, err error) {
	if r.steps.handler {
		for _, e := range events {
			o, reason, err := r.handle(ctx, e)
			switch {
			case err == nil:
				done = append(done, o)
			case ctx.Err() != nil || away(err):
				return nil, nil, err
			default:
				failed = append(failed, failure{e, reason, err})
			}
		}
		return done, failed, nil
	}
	good := make([]Event, 0, len(events))
	rows := make([]row, 0, len(events))
	for _, e := range events {
		o, err := decodeRow(e.Data)
		if err != nil {
			failed = append(failed, failure{e, Undecodable, err})
			continue
		}
		good, rows = append(good, e), append(rows, o)
	}
	if len(good) == 0 {
		return nil, failed, nil
	}
	done, reason, err := r.together(ctx, good, rows)
	if err == nil {
		return done, failed, nil
	}
	if ctx.Err() != nil || away(err) {
		return nil, nil, err
	}
	if len(good) == 1 {
		return nil, append(failed, failure{good[0], reason, err}), nil
	}
	done = make([]Outcome, 0, len(good))
	for i := range good { // one of them is bad, or they do not go together: each alone
		o, reason, err := r.together(ctx, good[i:i+1], rows[i:i+1])
		switch {
		case err == nil:
			done = append(done, o...)
		case ctx.Err() != nil || away(err):
			return nil, nil, err
		default:
			failed = append(failed, failure{good[i], reason, err})
		}
	}
	return done, failed, nil
}

// together runs the steps on all rows as one batch.
func (r *runner) together(ctx context.Context, events []Event, rows []row) ([]Outcome, Reason, error) {
	in, err := schema.RowsToBatch(rows, r.steps.fields)
	if err != nil {
		return nil, Undecodable, err
	}
	c, err := r.steps.rows(ctx, in)
	if err != nil {
		return nil, Exhausted, err
	}
	out := make([]Outcome, len(events))
	for i, e := range events {
		data, err := resultObject(r.spec.Output.Keep, rows[i], c.out, i)
		if err != nil {
			return nil, Undecodable, err
		}
		out[i] = Outcome{Input: e, Result: &Result{Data: data, Header: r.header(e, c.batchSize, c.model)}}
	}
	return out, "", nil
}

// handle gives one event to the handler. A status of 400 and above is a failure: 408, 429 and 5xx are tried again.
func (r *runner) handle(ctx context.Context, e Event) (Outcome, Reason, error) {
	req := abi.Request{Kind: "event", Subject: e.Subject, ID: e.Stream + ":" + strconv.FormatUint(e.Sequence, 10), Body: e.Data}
	if len(e.Header) > 0 {
		req.Headers = make(map[string][]string, len(e.Header))
		for k, v := range e.Header {
			req.Headers[k] = []string{v}
		}
	}
	resp, err := r.steps.handle(ctx, req)
	if err != nil {
		return Outcome{}, Exhausted, fmt.Errorf("handler: %w", err)
	}
	if resp.Status >= 400 {
		reason := Refused
		if resp.Status >= 500 || resp.Status == 408 || resp.Status == 429 {
			reason = Exhausted
		}
		return Outcome{}, reason, errs.New(errs.Invalid, "handler answered status %d: %.200q", resp.Status, resp.Body)
	}
	o := Outcome{Input: e}
	if r.spec.Output != nil && len(resp.Body) > 0 {
		o.Result = &Result{Data: resp.Body, Header: r.header(e, 1, "")}
		if ct := resp.Headers["Content-Type"]; len(ct) > 0 {
			o.Result.Header["Content-Type"] = clip(ct[0])
		}
	}
	return o, "", nil
}

func (r *runner) header(e Event, batch int, model string) map[string]string {
	h := map[string]string{
		HeaderFunction: r.name, HeaderInputStream: e.Stream,
		HeaderInputSequence: strconv.FormatUint(e.Sequence, 10), HeaderBatchSize: strconv.Itoa(batch),
	}
	if d := r.steps.digest(); d != "" {
		h[HeaderPlugin] = d
	}
	if model != "" {
		h[HeaderModel] = model
	}
	return h
}

// commit writes the outcomes and returns when each of them is in the stream, written now or before. It loses none: it goes
// on until it succeeds, or until the runner's time is over (then an error, and the events are delivered again).
// duplicates counts those that were there before.
func (r *runner) commit(ctx context.Context, outcomes []Outcome) (duplicates int, err error) {
	for try := 0; len(outcomes) > 0; try++ {
		err := r.feed.Commit(ctx, outcomes)
		if err == nil {
			return duplicates, nil
		}
		if ctx.Err() != nil {
			return duplicates, err
		}
		stale := errors.Is(err, ErrProcessed)
		if !stale {
			r.note(err)
			switch k := errs.KindOf(err); {
			case (k == errs.Invalid || k == errs.Exhausted) && len(outcomes) > 1:
				for i := range outcomes { // one of them is what is wrong
					n, err := r.commit(ctx, outcomes[i:i+1])
					duplicates += n
					if err != nil {
						return duplicates, err
					}
				}
				return duplicates, nil
			case k == errs.Invalid && shrink(&outcomes[0], err):
				continue
			}
			if !r.pause(ctx, try) {
				return duplicates, err
			}
		}
		missing, n, perr := r.unprocessed(ctx, outcomes)
		if perr != nil {
			r.note(perr)
			if !r.pause(ctx, try) {
				return duplicates, perr
			}
			continue
		}
		if stale && n == 0 && !r.pause(ctx, try) { // a marker that cannot be read yet
			return duplicates, err
		}
		outcomes, duplicates = missing, duplicates+n
	}
	return duplicates, nil
}

// shrink makes an outcome that was refused smaller: a result becomes a dead letter, a dead letter loses its payload.
func shrink(o *Outcome, err error) bool {
	switch {
	case o.Result != nil:
		o.Result = nil
		o.Dead = &Failure{Reason: Unstorable, Error: clip(err.Error()), Attempts: o.Input.Attempt}
	case o.Dead != nil && !o.Dead.Bare:
		o.Dead.Bare = true
	default:
		return false
	}
	return true
}

// unprocessed drops the outcomes whose input has its marker.
func (r *runner) unprocessed(ctx context.Context, outcomes []Outcome) (missing []Outcome, dropped int, err error) {
	events := make([]Event, len(outcomes))
	for i := range outcomes {
		events[i] = outcomes[i].Input
	}
	have, err := r.feed.Processed(ctx, events)
	if err != nil {
		return nil, 0, err
	}
	for i := range outcomes {
		if have[i] {
			dropped++
			continue
		}
		missing = append(missing, outcomes[i])
	}
	return missing, dropped, nil
}
