package kv

import (
	"context"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/weir-ml/weir/host/errs"
)

// Publish stores one message and returns its sequence; with an ID that is stored already, that message's sequence. A crowd of
// callers shares commits. ErrStale when ExpectSubjectSeq fails.
func (st *Stream) Publish(ctx context.Context, p Publish) (uint64, error) {
	r, err := st.record(&p)
	if err != nil {
		return 0, err
	}
	return st.writer.commit(ctx, []record{r})
}

// PublishBatch stores at most 1,000 messages, all or none, and returns the last sequence; theirs are consecutive. ErrStale when an
// expectation fails: they are compared with the stream before the batch, so a subject's may only stand on its first message.
func (st *Stream) PublishBatch(ctx context.Context, ps []Publish) (uint64, error) {
	if len(ps) == 0 || len(ps) > MaxBatch {
		return 0, errs.New(errs.Invalid, "stream %s: a batch of %d messages must have 1 to %d", st.name, len(ps), MaxBatch)
	}
	records := make([]record, len(ps))
	seen := make(map[string]bool, len(ps))
	for i := range ps {
		p := &ps[i]
		if p.ID != "" {
			return 0, errs.New(errs.Invalid, "stream %s: message %d of a batch has the id %q: ids do not go into batches", st.name, i, p.ID)
		}
		if p.ExpectSubjectSeq != nil && seen[p.Subject] {
			return 0, errs.New(errs.Invalid, "stream %s: message %d of a batch expects a sequence of %q, which the batch writes before", st.name, i, p.Subject)
		}
		seen[p.Subject] = true
		var err error
		if records[i], err = st.record(p); err != nil {
			return 0, err
		}
	}
	return st.writer.commit(ctx, records)
}

// PublishMany stores any number of messages, each by itself, as fast as the stream takes them, and waits for all. seqs[i] is the
// sequence of ps[i], 0 where it failed; the error is the first failure's. Messages of one subject are stored in order.
func (st *Stream) PublishMany(ctx context.Context, ps []Publish) (seqs []uint64, err error) {
	records := make([]record, len(ps))
	for i := range ps {
		if records[i], err = st.record(&ps[i]); err != nil {
			return make([]uint64, len(ps)), err
		}
	}
	seqs = make([]uint64, len(ps))
	const window = 4 * MaxBatch // in the queue at once: the committer has its next group ready, others get their turn
	writes := make([]*write, len(ps))
	collect := func(i int) {
		seq, werr := st.writer.wait(ctx, writes[i])
		if werr != nil && err == nil {
			err = werr
		}
		seqs[i], writes[i] = seq, nil
	}
	sent, collected := 0, 0
	for sent < len(ps) && err == nil {
		next := min(sent+MaxBatch, len(ps))
		for i := sent; i < next; i++ {
			writes[i] = newWrite(records[i : i+1])
		}
		if eerr := st.writer.enqueue(ctx, writes[sent:next]...); eerr != nil {
			err = eerr
			break
		}
		sent = next
		for ; collected < sent-window+MaxBatch; collected++ {
			collect(collected)
		}
	}
	for ; collected < sent; collected++ {
		collect(collected)
	}
	return seqs, err
}

// record checks a message and turns it into the committer's form.
func (st *Stream) record(p *Publish) (record, error) {
	if err := checkSubject(p.Subject, false); err != nil {
		return record{}, err
	}
	// The server would store it wherever it belongs, and the caller would wait for another stream's answer.
	if known := *st.writer.subject.Load(); !slices.ContainsFunc(known, func(pattern string) bool { return matches(pattern, p.Subject) }) {
		return record{}, errs.New(errs.Invalid, "stream %s does not store the subject %q, only %s", st.name, p.Subject, strings.Join(known, ", "))
	}
	if len(p.Data) > MaxValue {
		return record{}, errs.New(errs.Invalid, "a message on %q has %d bytes, at most %d are allowed: store it as a blob", p.Subject, len(p.Data), MaxValue)
	}
	r := record{subject: p.Subject, data: p.Data, id: p.ID}
	if p.ExpectSubjectSeq != nil {
		r.expect = Expect{mode: expectExact, rev: *p.ExpectSubjectSeq}
	}
	if strings.ContainsAny(p.ID, "\r\n") || len(p.ID) > MaxKey {
		return record{}, errs.New(errs.Invalid, "message id %.40q must be one line of at most %d bytes", p.ID, MaxKey)
	}
	if len(p.Header) == 0 {
		return r, nil
	}
	r.header = make(nats.Header, len(p.Header))
	size := 0
	for k, v := range p.Header {
		if err := checkHeader(k, v); err != nil {
			return record{}, err
		}
		size += len(k) + len(v) + 4
		r.header[k] = []string{v}
	}
	if size > maxHeaders {
		return record{}, errs.New(errs.Invalid, "the headers of a message on %q have %d bytes, at most %d are allowed", p.Subject, size, maxHeaders)
	}
	return r, nil
}

// checkHeader accepts names that are HTTP tokens and not JetStream's, and values that come back as they went in.
func checkHeader(name, value string) error {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		return errs.New(errs.Invalid, "header name %q may hold letters, digits, '-', '_' and '.' only", name)
	}
	if reservedHeader(name) || strings.EqualFold(name, headerOperation) {
		return errs.New(errs.Invalid, "header name %q belongs to the server", name)
	}
	if strings.ContainsAny(value, "\r\n\x00") || value != strings.TrimSpace(value) {
		return errs.New(errs.Invalid, "header %s: the value %.40q must be one line without spaces around it", name, value)
	}
	return nil
}
