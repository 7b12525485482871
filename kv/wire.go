package kv

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/weir-ml/weir/host/errs"
)

// Headers and subjects of JetStream: KV layout ADR-8, direct get ADR-31, atomic batches ADR-50 of nats-architecture-and-design.
const (
	headerExpected  = "Nats-Expected-Last-Subject-Sequence"
	headerMsgID     = "Nats-Msg-Id"
	headerBatchID   = "Nats-Batch-Id"
	headerBatchSeq  = "Nats-Batch-Sequence"
	headerCommit    = "Nats-Batch-Commit"
	headerSequence  = "Nats-Sequence"
	headerTime      = "Nats-Time-Stamp"
	headerSubject   = "Nats-Subject"
	headerPending   = "Nats-Num-Pending"
	headerOperation = "KV-Operation"
	headerReason    = "Nats-Marker-Reason"
	headerStatus    = "Status"
	operationDelete = "DEL"

	directGet = "$JS.API.DIRECT.GET."

	// noDemand is the expected sequence of a record without an expectation.
	noDemand = ^uint64(0)

	ackTimeout = 20 * time.Second
)

// wire speaks to one stream for its committer. It is used by one goroutine.
type wire struct {
	conn    *nats.Conn
	stream  string
	inbox   string // replies go to inbox + a running number
	sub     *nats.Subscription
	replies chan *nats.Msg
	number  uint64
	batches *nuid.NUID
	timeout time.Duration // of an acknowledgement
}

func newWire(conn *nats.Conn, stream string) (*wire, error) {
	w := &wire{conn: conn, stream: stream, inbox: conn.NewInbox() + ".", replies: make(chan *nats.Msg, 2*MaxBatch), batches: nuid.New(), timeout: ackTimeout}
	var err error
	if w.sub, err = conn.ChanSubscribe(w.inbox+"*", w.replies); err != nil {
		return nil, kinded("open the writer of "+stream, err)
	}
	return w, nil
}

func (w *wire) close() { _ = w.sub.Unsubscribe() }

// message builds the message of r; demand is the sequence that the subject's last message must have.
func (w *wire) message(r *record, demand uint64) *nats.Msg {
	m := &nats.Msg{Subject: r.subject, Data: r.data}
	if len(r.header) > 0 || demand != noDemand || r.id != "" {
		m.Header = make(nats.Header, len(r.header)+5)
		for k, v := range r.header {
			m.Header[k] = v
		}
		if demand != noDemand {
			m.Header[headerExpected] = []string{strconv.FormatUint(demand, 10)}
		}
		if r.id != "" {
			m.Header[headerMsgID] = []string{r.id}
		}
	}
	return m
}

// publish stores one message. An *apiError is the server's refusal; after any other error that matches ErrUnknownOutcome it may
// be stored.
func (w *wire) publish(m *nats.Msg) (uint64, error) {
	m.Reply = w.next()
	if err := w.conn.PublishMsg(m); err != nil {
		return 0, kinded("publish to "+w.stream, err)
	}
	return w.ack()
}

// publishAll stores the messages one by one and in order, each by itself, sending all before it waits; at most MaxBatch.
func (w *wire) publishAll(msgs []*nats.Msg) ([]uint64, []error) {
	seqs, failures := make([]uint64, len(msgs)), make([]error, len(msgs))
	first := w.number + 1
	for i, m := range msgs {
		m.Reply = w.next()
		if err := w.conn.PublishMsg(m); err != nil {
			failures[i] = kinded("publish to "+w.stream, err)
		}
	}
	timer := time.NewTimer(w.timeout)
	defer timer.Stop()
	for i := range msgs {
		if failures[i] != nil {
			continue
		}
		m, err := w.await(first+uint64(i), timer) // one stream answers in order
		if err == nil {
			seqs[i], err = parseAck(w.stream, m)
		}
		if failures[i] = err; err != nil && !refused(err) {
			for j := i + 1; j < len(msgs); j++ { // the timer has fired, or the connection is gone, for all
				failures[j] = err
			}
			return seqs, failures
		}
	}
	return seqs, failures
}

// batch stores the messages all or none and returns the sequence of the last; theirs are consecutive. It does not answer for
// messages before the commit: a batch that the server gave up is refused at its end.
func (w *wire) batch(msgs []*nats.Msg) (uint64, error) {
	id := w.batches.Next()
	for i, m := range msgs {
		if m.Header == nil {
			m.Header = make(nats.Header, 3)
		}
		m.Header[headerBatchID] = []string{id}
		m.Header[headerBatchSeq] = []string{strconv.Itoa(i + 1)}
		if i == len(msgs)-1 {
			m.Header[headerCommit] = []string{"1"}
			m.Reply = w.next()
		}
		if err := w.conn.PublishMsg(m); err != nil {
			return 0, kinded("publish a batch to "+w.stream, err)
		}
	}
	return w.ack()
}

// next numbers a reply subject; replies to earlier ones are dropped when they come late.
func (w *wire) next() string {
	w.number++
	return w.inbox + strconv.FormatUint(w.number, 10)
}

// await returns the reply to the request number n.
func (w *wire) await(n uint64, timer *time.Timer) (*nats.Msg, error) {
	want := w.inbox + strconv.FormatUint(n, 10)
	for {
		select {
		case m, ok := <-w.replies:
			if !ok {
				return nil, errs.New(errs.Unavailable, "stream %s: the connection closed: %w", w.stream, ErrUnknownOutcome)
			}
			if m.Subject == want {
				return m, nil
			}
		case <-timer.C:
			return nil, errs.New(errs.Timeout, "stream %s did not acknowledge within %v: %w", w.stream, w.timeout, ErrUnknownOutcome)
		}
	}
}

func (w *wire) ack() (uint64, error) {
	timer := time.NewTimer(w.timeout)
	defer timer.Stop()
	m, err := w.await(w.number, timer)
	if err != nil {
		return 0, err
	}
	return parseAck(w.stream, m)
}

func parseAck(stream string, m *nats.Msg) (uint64, error) {
	if len(m.Data) == 0 && m.Header.Get(headerStatus) == "503" {
		return 0, errs.New(errs.Unavailable, "nobody stores messages for stream %s: it was deleted, or the server has given up on its disk (see the log)", stream)
	}
	var ack struct {
		Stream   string    `json:"stream"`
		Sequence uint64    `json:"seq"`
		Error    *apiError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return 0, errs.New(errs.Unavailable, "stream %s: unreadable acknowledgement %.60q: %w", stream, m.Data, ErrUnknownOutcome)
	}
	if ack.Error != nil {
		return 0, ack.Error
	}
	if ack.Stream != stream || ack.Sequence == 0 {
		return 0, errs.New(errs.Internal, "stream %s: an acknowledgement from stream %q, sequence %d", stream, ack.Stream, ack.Sequence)
	}
	return ack.Sequence, nil
}

// heads reads the last message of each subject, pipelined.
func (w *wire) heads(subjects []string) ([]head, error) {
	timer := time.NewTimer(w.timeout)
	defer timer.Stop()
	out := make([]head, len(subjects))
	for start := 0; start < len(subjects); start += MaxBatch {
		part := subjects[start:min(start+MaxBatch, len(subjects))]
		first := w.number + 1
		for _, s := range part {
			if err := w.conn.PublishRequest(directGet+w.stream+"."+s, w.next(), nil); err != nil {
				return nil, kinded("read "+s, err)
			}
		}
		replies := map[string]int{}
		for i := range part {
			replies[w.inbox+strconv.FormatUint(first+uint64(i), 10)] = start + i
		}
		for len(replies) > 0 { // direct gets are answered in any order
			select {
			case m, ok := <-w.replies:
				if !ok {
					return nil, errs.New(errs.Unavailable, "read the heads of %s: the connection closed", w.stream)
				}
				i, mine := replies[m.Subject]
				if !mine {
					continue
				}
				delete(replies, m.Subject)
				var err error
				if out[i], err = parseHead(m); err != nil {
					return nil, fmt.Errorf("read the head of %s in %s: %w", subjects[i], w.stream, err)
				}
			case <-timer.C:
				return nil, errs.New(errs.Timeout, "read the heads of %s: no answer within %v", w.stream, w.timeout)
			}
		}
	}
	return out, nil
}

func parseHead(m *nats.Msg) (head, error) {
	switch status := m.Header.Get(headerStatus); status {
	case "":
	case "404":
		return head{}, nil
	default:
		return head{}, errs.New(errs.Unavailable, "status %s %s", status, m.Header.Get("Description"))
	}
	rev, err := strconv.ParseUint(m.Header.Get(headerSequence), 10, 64)
	if err != nil {
		return head{}, errs.New(errs.Internal, "a message without its sequence")
	}
	return head{rev: rev, live: !isMarker(m.Header)}, nil
}

// isMarker reports whether a bucket's message says that its key has no value, as nats.go reads it (jetstream/kv.go).
func isMarker(h nats.Header) bool { return h.Get(headerOperation) != "" || h.Get(headerReason) != "" }
