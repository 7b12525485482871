// Package restkv gives the REST edge events out of the store's streams. Read this one file.
package restkv

import (
	"context"
	"slices"

	"github.com/weir-ml/weir/host/edge/rest"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv"
)

// Events publishes to and reads from streams by subject. It is safe for concurrent use.
type Events struct {
	store *kv.Store
	names func() []string
}

var _ rest.Events = (*Events)(nil)

// New makes Events over store. names lists the streams that people may see; a name without a stream is left out.
func New(store *kv.Store, names func() []string) *Events { return &Events{store, names} }

func (e *Events) stream(ctx context.Context, subject string) (*kv.Stream, error) {
	name, err := e.store.StreamFor(ctx, subject)
	if errs.Is(err, errs.NotFound) {
		return nil, errs.New(errs.NotFound, "no stream stores subject %q: apply a Function whose event trigger names it", subject)
	}
	if err != nil {
		return nil, err
	}
	return e.store.OpenStream(ctx, name)
}

// Publish stores the events in order; a single one shares its commit with other callers'.
func (e *Events) Publish(ctx context.Context, subject string, events []rest.Event) (string, []uint64, error) {
	st, err := e.stream(ctx, subject)
	if err != nil {
		return "", nil, err
	}
	ps := make([]kv.Publish, len(events))
	for i, ev := range events {
		ps[i] = kv.Publish{Subject: subject, Header: ev.Header, Data: ev.Data, ID: ev.ID}
	}
	if len(ps) == 1 {
		seq, err := st.Publish(ctx, ps[0])
		return st.Name(), []uint64{seq}, err
	}
	seqs, err := st.PublishMany(ctx, ps)
	return st.Name(), seqs, err
}

// Read returns at most limit messages of the subject after a sequence.
func (e *Events) Read(ctx context.Context, subject string, after uint64, limit int) ([]rest.StoredEvent, error) {
	st, err := e.stream(ctx, subject)
	if err != nil {
		return nil, err
	}
	msgs, err := st.Read(ctx, kv.ReadOptions{From: after + 1, Filter: subject, Limit: limit})
	out := make([]rest.StoredEvent, len(msgs))
	for i, m := range msgs {
		out[i] = rest.StoredEvent{Stream: st.Name(), Subject: m.Subject, Sequence: m.Sequence, Time: m.Time, Header: m.Header, Data: m.Data}
	}
	return out, err
}

// Streams describes the named streams, by name.
func (e *Events) Streams(ctx context.Context) ([]rest.StreamInfo, error) {
	names := slices.Clone(e.names())
	slices.Sort(names)
	out := []rest.StreamInfo{}
	for _, n := range slices.Compact(names) {
		st, err := e.store.OpenStream(ctx, n)
		if errs.Is(err, errs.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		i, err := st.Info(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, rest.StreamInfo{Name: i.Name, Subjects: i.Subjects, Messages: i.Messages, Bytes: i.Bytes, FirstSeq: i.FirstSeq, LastSeq: i.LastSeq, Created: i.Created})
	}
	return out, nil
}
