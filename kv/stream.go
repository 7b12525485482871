package kv

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/weir-ml/weir/host/errs"
)

const (
	defaultPage  = 1000
	dedupeWindow = 2 * time.Minute
)

// StreamConfig describes a stream. When a limit is reached the oldest messages go.
type StreamConfig struct {
	Name         string        // letters, digits, '-' and '_'; not beginning with KV_
	Subjects     []string      // what it stores; '*' stands for a token, '>' for the rest
	MaxAge       time.Duration // 0 = for ever
	MaxBytes     int64         // 0 = the disk is the limit
	DedupeWindow time.Duration // how long message ids are remembered; 0 = two minutes, or MaxAge where that is shorter
}

// Msg is one stored message.
type Msg struct {
	Subject  string
	Header   map[string]string // without JetStream's own; nil when there is none
	Data     []byte
	Sequence uint64
	Time     time.Time
}

// Publish is one message to store.
type Publish struct {
	Subject          string
	Header           map[string]string // names are HTTP tokens and do not begin with "Nats-"; values hold no line breaks
	Data             []byte            // at most MaxValue
	ID               string            // a message id: stored at most once within DedupeWindow, "" = none; not in batches
	ExpectSubjectSeq *uint64           // the subject's last sequence must be this, 0 = none yet; nil = any
}

// StreamInfo is a stream's present state.
type StreamInfo struct {
	Name              string
	Subjects          []string
	Messages, Bytes   uint64
	FirstSeq, LastSeq uint64
	Created           time.Time
}

// Stream is a log of messages. Data that is passed in must not be changed before the call returns; what is returned belongs to
// the caller. Safe for concurrent use.
type Stream struct {
	store  *Store
	name   string
	writer *committer
}

// Stream opens a stream, making it at the first call. On an existing stream missing subjects are added, and limits that are not
// zero and differ are changed. Subjects that another stream stores are errs.Conflict naming it.
func (s *Store) Stream(ctx context.Context, c StreamConfig) (*Stream, error) {
	if err := checkStreamName(c.Name); err != nil {
		return nil, err
	}
	if len(c.Subjects) == 0 {
		return nil, errs.New(errs.Invalid, "stream %s needs at least one subject", c.Name)
	}
	for _, subject := range c.Subjects {
		if err := checkSubject(subject, true); err != nil {
			return nil, err
		}
		if strings.HasPrefix(subject, "$") || subject == ">" || strings.HasPrefix(subject, "*") {
			return nil, errs.New(errs.Invalid, "stream %s: the subject %q would catch the server's own: begin with a word", c.Name, subject)
		}
	}
	if c.MaxAge < 0 || c.MaxBytes < 0 || c.DedupeWindow < 0 || c.MaxAge > 0 && c.DedupeWindow > c.MaxAge {
		return nil, errs.New(errs.Invalid, "stream %s: limits must not be negative and DedupeWindow (%v) not longer than MaxAge (%v)", c.Name, c.DedupeWindow, c.MaxAge)
	}
	want := jetstream.StreamConfig{
		Name:               c.Name,
		Subjects:           c.Subjects,
		MaxAge:             c.MaxAge,
		MaxBytes:           unlimited(c.MaxBytes),
		MaxMsgs:            -1,
		MaxMsgSize:         -1,
		MaxMsgsPerSubject:  -1,
		MaxConsumers:       -1,
		Storage:            jetstream.FileStorage,
		Replicas:           1,
		AllowDirect:        true,
		AllowAtomicPublish: true,
		Discard:            jetstream.DiscardOld,
		Duplicates:         c.DedupeWindow,
	}
	if want.Duplicates == 0 {
		want.Duplicates = dedupeWindow
		if c.MaxAge > 0 {
			want.Duplicates = min(dedupeWindow, c.MaxAge)
		}
	}
	made, err := s.ensureStream(ctx, want, func(have *jetstream.StreamConfig) bool {
		changed := !have.AllowAtomicPublish || !have.AllowDirect
		have.AllowAtomicPublish, have.AllowDirect = true, true
		for _, subject := range c.Subjects {
			if !slices.Contains(have.Subjects, subject) {
				have.Subjects, changed = append(have.Subjects, subject), true
			}
		}
		if c.MaxAge != 0 && have.MaxAge != c.MaxAge {
			have.MaxAge, changed = c.MaxAge, true
			have.Duplicates = min(have.Duplicates, c.MaxAge)
		}
		if c.MaxBytes != 0 && have.MaxBytes != c.MaxBytes {
			have.MaxBytes, changed = c.MaxBytes, true
		}
		if c.DedupeWindow != 0 && have.Duplicates != c.DedupeWindow {
			have.Duplicates, changed = c.DedupeWindow, true
		}
		return changed
	})
	if api := (*jetstream.APIError)(nil); errors.As(err, &api) && api.ErrorCode == codeSubjectOverlap {
		return nil, s.overlap(ctx, c, err)
	}
	if err != nil {
		return nil, s.opError("open stream "+c.Name, err)
	}
	return s.stream(c.Name, made)
}

func (s *Store) stream(name string, x jetstream.Stream) (*Stream, error) {
	w, err := s.committerOf(name, false)
	if err != nil {
		return nil, err
	}
	w.subject.Store(&x.CachedInfo().Config.Subjects)
	return &Stream{store: s, name: name, writer: w}, nil
}

// overlap finds out whose subjects collide with those of c.
func (s *Store) overlap(ctx context.Context, c StreamConfig, cause error) error {
	for _, subject := range c.Subjects {
		names := s.js.StreamNames(ctx, jetstream.WithStreamListSubject(subject))
		for name := range names.Name() {
			if name != c.Name {
				return errs.New(errs.Conflict, "stream %s: the subject %q overlaps with stream %s", c.Name, subject, name)
			}
		}
	}
	return errs.New(errs.Conflict, "stream %s: its subjects overlap with each other or with another stream: %w", c.Name, cause)
}

func checkStreamName(name string) error {
	if err := checkName("stream", name); err != nil {
		return err
	}
	if strings.HasPrefix(name, bucketStream) {
		return errs.New(errs.Invalid, "stream name %q: names that begin with %s belong to buckets", name, bucketStream)
	}
	return nil
}

// OpenStream opens a stream that exists, or answers errs.NotFound.
func (s *Store) OpenStream(ctx context.Context, name string) (*Stream, error) {
	if err := checkStreamName(name); err != nil {
		return nil, err
	}
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	x, err := s.js.Stream(ctx, name)
	if isNotFound(err) {
		return nil, errs.New(errs.NotFound, "stream %s does not exist", name)
	}
	if err != nil {
		return nil, s.opError("open stream "+name, err)
	}
	return s.stream(name, x)
}

// DeleteStream removes a stream, its messages and its consumers, or answers errs.NotFound.
func (s *Store) DeleteStream(ctx context.Context, name string) error {
	if err := checkStreamName(name); err != nil {
		return err
	}
	return s.deleteStream(ctx, name, "stream "+name)
}

// StreamFor returns the name of the stream that stores subject, which may hold wildcards, or errs.NotFound.
func (s *Store) StreamFor(ctx context.Context, subject string) (string, error) {
	if err := checkSubject(subject, true); err != nil {
		return "", err
	}
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	name, err := s.js.StreamNameBySubject(ctx, subject)
	if isNotFound(err) {
		return "", errs.New(errs.NotFound, "no stream stores the subject %q", subject)
	}
	if err != nil {
		return "", s.opError("find the stream of "+subject, err)
	}
	return name, nil
}

// Name returns the stream's name.
func (st *Stream) Name() string { return st.name }

// Info returns the present state, or errs.NotFound when the stream was deleted.
func (st *Stream) Info(ctx context.Context) (StreamInfo, error) {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	x, err := st.store.js.Stream(ctx, st.name)
	if isNotFound(err) {
		return StreamInfo{}, errs.New(errs.NotFound, "stream %s does not exist", st.name)
	}
	if err != nil {
		return StreamInfo{}, st.store.opError("describe stream "+st.name, err)
	}
	i := x.CachedInfo()
	return StreamInfo{Name: st.name, Subjects: i.Config.Subjects, Messages: i.State.Msgs, Bytes: i.State.Bytes,
		FirstSeq: i.State.FirstSeq, LastSeq: i.State.LastSeq, Created: i.Created}, nil
}

// Get returns the message of a sequence, or errs.NotFound.
func (st *Stream) Get(ctx context.Context, seq uint64) (Msg, error) {
	if seq == 0 {
		return Msg{}, errs.New(errs.Invalid, "stream %s: sequences begin at 1", st.name)
	}
	m, err := st.store.getOne(ctx, st.name, directRequest{Seq: seq})
	if errors.Is(err, errNoMessage) {
		return Msg{}, errs.New(errs.NotFound, "stream %s has no message %d", st.name, seq)
	}
	if err != nil {
		return Msg{}, err
	}
	return message(m), nil
}

// Last returns the last message of a subject, which may hold wildcards, or errs.NotFound.
func (st *Stream) Last(ctx context.Context, subject string) (Msg, error) {
	if err := checkSubject(subject, true); err != nil {
		return Msg{}, err
	}
	m, err := st.store.getOne(ctx, st.name, directRequest{Last: subject})
	if errors.Is(err, errNoMessage) {
		return Msg{}, errs.New(errs.NotFound, "stream %s has no message on %q", st.name, subject)
	}
	if err != nil {
		return Msg{}, err
	}
	return message(m), nil
}

// ReadOptions select a page of a stream.
type ReadOptions struct {
	From   uint64 // the first sequence, 0 = the beginning
	Filter string // a subject, wildcards allowed; "" = all
	Limit  int    // the most messages; 0 = 1,000
}

// Read returns up to Limit messages in order of sequence. A page shorter than Limit ends at the stream's present end; the next page
// begins after the last sequence of this one.
func (st *Stream) Read(ctx context.Context, o ReadOptions) ([]Msg, error) {
	if o.Limit < 0 {
		return nil, errs.New(errs.Invalid, "stream %s: Limit %d must not be negative", st.name, o.Limit)
	}
	if o.Limit == 0 {
		o.Limit = defaultPage
	}
	if o.Filter == "" {
		o.Filter = ">"
	} else if err := checkSubject(o.Filter, true); err != nil {
		return nil, err
	}
	var out []Msg
	for from := max(o.From, 1); ; {
		more, err := st.store.getMany(ctx, st.name, directRequest{Seq: from, Next: o.Filter, Batch: o.Limit - len(out)}, func(m stored) {
			out = append(out, message(m))
			from = m.seq + 1
		})
		if err != nil || !more || len(out) >= o.Limit {
			return out, err
		}
	}
}

// Purge removes messages: of a subject (wildcards allowed, "" = all), and only those before upTo when that is not 0. The sequence
// numbers go on.
func (st *Stream) Purge(ctx context.Context, subjectFilter string, upTo uint64) error {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	var opts []jetstream.StreamPurgeOpt
	if subjectFilter != "" {
		if err := checkSubject(subjectFilter, true); err != nil {
			return err
		}
		opts = append(opts, jetstream.WithPurgeSubject(subjectFilter))
	}
	if upTo != 0 {
		opts = append(opts, jetstream.WithPurgeSequence(upTo))
	}
	x, err := st.store.js.Stream(ctx, st.name)
	if err == nil {
		err = x.Purge(ctx, opts...)
	}
	if err != nil {
		return st.store.opError("purge stream "+st.name, err)
	}
	return st.writer.clearHeads(ctx)
}

func message(m stored) Msg {
	return Msg{Subject: m.subject, Header: ownHeader(m.header), Data: m.data, Sequence: m.seq, Time: m.time}
}

// ownHeader drops what JetStream and the client library added.
func ownHeader(h nats.Header) map[string]string {
	var own map[string]string
	for k, v := range h {
		if len(v) == 0 || reservedHeader(k) {
			continue
		}
		if own == nil {
			own = make(map[string]string, len(h))
		}
		own[k] = v[0]
	}
	return own
}

func reservedHeader(name string) bool {
	return len(name) >= 5 && strings.EqualFold(name[:5], "Nats-") || strings.EqualFold(name, headerStatus) || strings.EqualFold(name, "Description")
}
