package functions

import (
	"context"
	"strconv"
	"time"
)

// State is what a function does now.
type State string

// The states.
const (
	Ready   State = "ready"   // answers requests; no event trigger
	Running State = "running" // consumes its stream
	Paused  State = "paused"  // waits, with back-off, for its plugin, its model or the store
)

// Status describes a function now. Counters run since it was applied in this process.
type Status struct {
	Name          string       `json:"name"`
	State         State        `json:"state"`
	Plugin        string       `json:"plugin,omitempty"`
	PluginDigest  string       `json:"plugin_digest,omitempty"`
	Model         string       `json:"model,omitempty"`
	Invocations   uint64       `json:"invocations"`
	InvokeErrors  uint64       `json:"invoke_errors"`
	Pool          PoolStats    `json:"pool"`
	Event         *EventStatus `json:"event,omitempty"` // nil without an event trigger
	FeedUnknown   string       `json:"feed_unknown,omitempty"`
	OutputSubject string       `json:"output_subject,omitempty"`
}

// EventStatus describes the consumption of a stream.
type EventStatus struct {
	Stream     string `json:"stream"`
	Subject    string `json:"subject"`
	Pending    uint64 `json:"pending"`     // not delivered yet
	AckPending uint64 `json:"ack_pending"` // delivered, not done: being worked on, or waiting for another attempt
	AckFloor   uint64 `json:"ack_floor"`   // every input up to here is done
	Processed  uint64 `json:"processed"`
	Retried    uint64 `json:"retried"`
	Dead       uint64 `json:"dead"`
	Duplicates uint64 `json:"duplicates"` // redeliveries that had their marker
	LastError  string `json:"last_error,omitempty"`
	// LastErrorAt is null when there was none.
	LastErrorAt *time.Time `json:"last_error_at,omitempty"`
	// Batches counts fetched batches by the largest size of their class: "1", "2", "4", … "512".
	Batches map[string]uint64 `json:"batches,omitempty"`
}

// Status describes one function; NotFound for an unknown one. When the stream cannot be read, FeedUnknown says why and the
// position is zero.
func (s *Service) Status(ctx context.Context, name string) (Status, error) {
	f, err := s.acquire(name)
	if err != nil {
		return Status{}, err
	}
	defer f.calls.Done()
	st := Status{
		Name: name, State: Ready, PluginDigest: f.steps.digest(), Model: f.spec.Model, Pool: f.steps.stats(),
		Invocations: f.invocations.Load(), InvokeErrors: f.invokeErrors.Load(),
	}
	for _, ref := range []*PluginRef{f.spec.Handler, f.spec.Transform} {
		if ref != nil {
			st.Plugin = ref.Plugin
		}
	}
	if f.spec.Output != nil {
		st.OutputSubject = f.spec.Output.Subject
	}
	if f.feed == nil {
		return st, nil
	}
	e := &EventStatus{Stream: f.spec.Event.Stream, Subject: f.spec.Event.Subject}
	st.Event, st.State = e, Running
	if i, err := f.feed.Info(ctx); err != nil {
		st.FeedUnknown = err.Error()
	} else {
		e.Pending, e.AckPending, e.AckFloor = i.Pending, i.AckPending, i.AckFloor
	}
	s.mu.RLock()
	r := f.runner
	s.mu.RUnlock()
	if r == nil { // replacing one that still drains
		return st, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.st
	e.Processed, e.Retried, e.Dead, e.Duplicates, e.LastError = t.processed, t.retried, t.dead, t.duplicates, t.lastError
	if t.lastError != "" {
		e.LastErrorAt = &t.lastErrorAt
	}
	if t.paused > 0 {
		st.State = Paused
	}
	for i, n := range t.batches {
		if n > 0 {
			if e.Batches == nil {
				e.Batches = map[string]uint64{}
			}
			e.Batches[strconv.Itoa(1<<i)] = n
		}
	}
	return st, nil
}
