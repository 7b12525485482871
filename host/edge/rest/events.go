package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// headerPrefix marks request headers that become headers of the event.
const headerPrefix = "Weir-Header-"

// Published says where published events are; all of them are durable.
type Published struct {
	Stream    string   `json:"stream"`
	Sequences []uint64 `json:"sequences"`
}

// EventPage is a page of stored events.
type EventPage struct {
	Events []EventJSON `json:"events"`
	Last   uint64      `json:"last" jsonschema:"description=The last sequence of this page, to be sent as after; without events the one that was asked for"`
}

// EventJSON is one stored event. Payloads that are JSON are shown as such, others as base64.
type EventJSON struct {
	Stream     string            `json:"stream"`
	Subject    string            `json:"subject"`
	Sequence   uint64            `json:"sequence"`
	Time       time.Time         `json:"time"`
	Header     map[string]string `json:"header,omitempty"`
	Data       json.RawMessage   `json:"data,omitempty"`
	DataBase64 []byte            `json:"data_base64,omitempty"`
}

func toEventJSON(e StoredEvent) EventJSON {
	out := EventJSON{Stream: e.Stream, Subject: e.Subject, Sequence: e.Sequence, Time: e.Time, Header: e.Header}
	if json.Valid(e.Data) {
		out.Data = e.Data
	} else {
		out.DataBase64 = e.Data
	}
	return out
}

func (a *api) streams(c *httpd.Call) error {
	v, err := list(a.d.Events.Streams(c.Context()))
	return answer(c, 200, v, err)
}

func (a *api) publish(c *httpd.Call) error {
	subject, err := c.Param("subject")
	if err != nil {
		return err
	}
	body, err := c.Body()
	if err != nil {
		return err
	}
	header := map[string]string{}
	for k, v := range c.Headers() {
		if name, ok := strings.CutPrefix(k, headerPrefix); ok && len(v) > 0 {
			header[name] = v[0]
		}
	}
	id := c.Header("Weir-Message-Id")
	var events []Event
	switch batch := c.Query("batch"); {
	case batch == "":
		events = []Event{{ID: id, Header: header, Data: body}}
	case batch != "ndjson":
		return errs.New(errs.Invalid, "query batch: %q: use ndjson", batch)
	case id != "":
		return errs.New(errs.Invalid, "Weir-Message-Id names one event: it has no use with batch")
	default:
		if events, err = splitLines(body, header); err != nil {
			return err
		}
	}
	stream, seqs, err := a.d.Events.Publish(c.Context(), subject, events)
	if err != nil && len(events) > 1 {
		for i, s := range seqs {
			if s == 0 {
				return errs.New(errs.KindOf(err), "event %d of %d was not stored (earlier ones were, later ones may be): %w", i+1, len(events), err)
			}
		}
	}
	return answer(c, 200, Published{stream, seqs}, err)
}

// splitLines makes an event of each line that is not blank. All must be JSON: nothing is published otherwise.
func splitLines(body []byte, header map[string]string) ([]Event, error) {
	var events []Event
	n := 0
	for line := range bytes.Lines(body) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if !json.Valid(line) {
			var v any
			return nil, errs.New(errs.Invalid, "line %d is not JSON: %w; nothing was published", n, json.Unmarshal(line, &v))
		}
		events = append(events, Event{Header: header, Data: line})
	}
	if len(events) == 0 {
		return nil, errs.New(errs.Invalid, "the body has no lines")
	}
	return events, nil
}

const maxWait = time.Minute

func (a *api) readEvents(c *httpd.Call) error {
	subject, err := c.Param("subject")
	if err != nil {
		return err
	}
	after, err := number(c, "after", 0)
	if err != nil {
		return err
	}
	n, err := limit(c, 100, 10_000)
	if err != nil {
		return err
	}
	var wait schema.Duration
	if w := c.Query("wait"); w != "" {
		if err := wait.UnmarshalText([]byte(w)); err != nil {
			return errs.New(errs.Invalid, "query wait: %w", err)
		}
	}
	events, err := a.await(c.Context(), subject, after, n, min(wait.Std(), maxWait))
	if err != nil {
		return err
	}
	page := EventPage{Events: []EventJSON{}, Last: after}
	for _, e := range events {
		page.Events = append(page.Events, toEventJSON(e))
		page.Last = e.Sequence
	}
	return c.JSON(200, page)
}

// await reads until there is something or the time is up. It asks again every 20 to 100 ms: a reader of stored events is
// no consumer, and keeps no state in the store.
func (a *api) await(ctx context.Context, subject string, after uint64, n int, wait time.Duration) ([]StoredEvent, error) {
	deadline := time.Now().Add(wait)
	for pause := 20 * time.Millisecond; ; pause = min(pause*2, 100*time.Millisecond) {
		events, err := a.d.Events.Read(ctx, subject, after, n)
		left := time.Until(deadline)
		if err != nil || len(events) > 0 || left <= 0 {
			return events, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(pause, left)):
		}
	}
}
