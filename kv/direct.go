package kv

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/weir-ml/weir/host/errs"
)

// pageBytes bounds one answer of a direct get, well under what the server may hold for our connection.
const pageBytes = 32 << 20

// directRequest is the body of a direct get (ADR-31): by sequence, the last of a subject, or a page in order of sequence.
type directRequest struct {
	Seq      uint64   `json:"seq,omitempty"`
	Last     string   `json:"last_by_subj,omitempty"`
	Next     string   `json:"next_by_subj,omitempty"`
	Multi    []string `json:"multi_last,omitempty"`
	Batch    int      `json:"batch,omitempty"`
	MaxBytes int      `json:"max_bytes,omitempty"`
}

var (
	errNoMessage = errs.New(errs.NotFound, "no message")
	errTooMany   = errors.New("more subjects match than one answer may hold")
)

// stored is one message read back.
type stored struct {
	subject string
	header  nats.Header // with JetStream's own
	data    []byte
	seq     uint64
	time    time.Time
}

func parseStored(m *nats.Msg) (stored, error) {
	s := stored{subject: m.Header.Get(headerSubject), header: m.Header, data: m.Data}
	var err error
	if s.seq, err = strconv.ParseUint(m.Header.Get(headerSequence), 10, 64); err != nil {
		return s, errs.New(errs.Internal, "a stored message came without its sequence")
	}
	if s.time, err = time.Parse(time.RFC3339Nano, m.Header.Get(headerTime)); err != nil {
		return s, errs.New(errs.Internal, "message %d came with the time %q", s.seq, m.Header.Get(headerTime))
	}
	return s, nil
}

// getOne reads one message; errNoMessage when there is none.
func (s *Store) getOne(ctx context.Context, stream string, req directRequest) (stored, error) {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	subject, body := directGet+stream, []byte(nil)
	if req.Last != "" && !strings.ContainsAny(req.Last, "*>") {
		subject += "." + req.Last // spares the server a JSON body
	} else {
		var err error
		if body, err = json.Marshal(req); err != nil {
			return stored{}, errs.New(errs.Internal, "read %s: %w", stream, err)
		}
	}
	m, err := s.reads.RequestWithContext(ctx, subject, body)
	if errors.Is(err, nats.ErrNoResponders) {
		return stored{}, s.missing(stream)
	}
	if err != nil {
		return stored{}, kinded("read "+stream, err)
	}
	switch status := m.Header.Get(headerStatus); status {
	case "":
		return parseStored(m)
	case "404":
		return stored{}, errNoMessage
	default:
		return stored{}, errs.New(errs.Internal, "read %s: status %s %s", stream, status, m.Header.Get("Description"))
	}
}

// getMany reads a page and hands each message to each in order. more says that the answer ended before the last match.
func (s *Store) getMany(ctx context.Context, stream string, req directRequest, each func(stored)) (more bool, err error) {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	req.MaxBytes = pageBytes
	body, err := json.Marshal(req)
	if err != nil {
		return false, errs.New(errs.Internal, "read %s: %w", stream, err)
	}
	sub, err := s.reads.SubscribeSync(s.reads.NewInbox())
	if err != nil {
		return false, kinded("read "+stream, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return false, kinded("read "+stream, err)
	}
	if err := s.reads.PublishRequest(directGet+stream, sub.Subject, body); err != nil {
		return false, kinded("read "+stream, err)
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if errors.Is(err, nats.ErrNoResponders) {
			return false, s.missing(stream)
		}
		if err != nil {
			return false, kinded("read "+stream, err)
		}
		switch status := m.Header.Get(headerStatus); status {
		case "":
			st, err := parseStored(m)
			if err != nil {
				return false, err
			}
			each(st)
		case "204": // end of batch
			return m.Header.Get(headerPending) != "0", nil
		case "404":
			return false, nil
		case "413":
			return false, errTooMany
		default:
			return false, errs.New(errs.Internal, "read %s: status %s %s", stream, status, m.Header.Get("Description"))
		}
	}
}

// missing is the error for a stream that nobody answers for.
func (s *Store) missing(stream string) error {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if !s.srv.JetStreamEnabled() {
		return errs.New(errs.Unavailable, "the server has given up on its disk (see the log): stream %s cannot be read", stream)
	}
	return errs.New(errs.NotFound, "stream %s does not exist", stream)
}
