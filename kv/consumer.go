package kv

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/weir-ml/weir/host/errs"
)

const (
	defaultAckWait    = 30 * time.Second
	defaultAckPending = 1000
	ephemeralIdle     = 5 * time.Minute
	maxFetch          = 4096
	minFetchWait      = time.Millisecond
	fetchGrace        = 5 * time.Millisecond // between two messages of one answer
)

// ConsumerConfig describes a reader whose position the stream remembers. Messages are delivered again until they are
// acknowledged; how often is enough is the caller's business (Delivery.Attempt).
type ConsumerConfig struct {
	Durable       string        // letters, digits, '-' and '_'; "" makes one that goes away five minutes after its last fetch
	Filter        string        // a subject, wildcards allowed; "" = all
	AckWait       time.Duration // delivered again when not acknowledged for so long; 0 = 30 s
	MaxAckPending int           // delivered and not yet acknowledged at once, over all fetchers; 0 = 1,000
	From          uint64        // the first sequence, 0 = the beginning; only at the first call for a Durable
}

// Consumer fetches messages; many goroutines may fetch from one.
type Consumer struct {
	store  *Store
	stream string
	name   string
}

// Consumer opens a consumer, making it at the first call; on an existing one Filter, AckWait and MaxAckPending are changed and the
// position is kept.
func (st *Stream) Consumer(ctx context.Context, c ConsumerConfig) (*Consumer, error) {
	if c.Durable != "" {
		if err := checkName("consumer", c.Durable); err != nil {
			return nil, err
		}
	}
	if c.Filter != "" {
		if err := checkSubject(c.Filter, true); err != nil {
			return nil, err
		}
	}
	if c.AckWait < 0 || c.MaxAckPending < 0 {
		return nil, errs.New(errs.Invalid, "consumer %s of stream %s: AckWait and MaxAckPending must not be negative", c.Durable, st.name)
	}
	want := jetstream.ConsumerConfig{
		Durable:       c.Durable,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       defaultAckWait,
		MaxAckPending: defaultAckPending,
		MaxDeliver:    -1,
		MaxWaiting:    maxFetch,
		FilterSubject: c.Filter,
		DeliverPolicy: jetstream.DeliverAllPolicy,
	}
	if c.AckWait != 0 {
		want.AckWait = c.AckWait
	}
	if c.MaxAckPending != 0 {
		want.MaxAckPending = c.MaxAckPending
	}
	if c.From != 0 {
		want.DeliverPolicy, want.OptStartSeq = jetstream.DeliverByStartSequencePolicy, c.From
	}
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	op := fmt.Sprintf("open consumer %s of stream %s", c.Durable, st.name)
	if c.Durable == "" {
		want.InactiveThreshold = ephemeralIdle
	} else {
		have, err := st.store.js.Consumer(ctx, st.name, c.Durable)
		switch {
		case err == nil:
			h := have.CachedInfo().Config
			if h.FilterSubject == want.FilterSubject && h.AckWait == want.AckWait && h.MaxAckPending == want.MaxAckPending {
				return &Consumer{store: st.store, stream: st.name, name: c.Durable}, nil
			}
			want.DeliverPolicy, want.OptStartSeq = h.DeliverPolicy, h.OptStartSeq
		case errors.Is(err, jetstream.ErrConsumerNotFound):
		default:
			return nil, st.store.opError(op, err)
		}
	}
	made, err := st.store.js.CreateOrUpdateConsumer(ctx, st.name, want)
	if err != nil {
		return nil, st.store.opError(op, err)
	}
	return &Consumer{store: st.store, stream: st.name, name: made.CachedInfo().Name}, nil
}

// DeleteConsumer forgets a consumer and its position, or answers errs.NotFound.
func (st *Stream) DeleteConsumer(ctx context.Context, durable string) error {
	if err := checkName("consumer", durable); err != nil {
		return err
	}
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	err := st.store.js.DeleteConsumer(ctx, st.name, durable)
	if isNotFound(err) {
		return errs.New(errs.NotFound, "stream %s has no consumer %s", st.name, durable)
	}
	return st.store.opError("delete consumer "+durable, err)
}

// ConsumerInfo is a consumer's present state.
type ConsumerInfo struct {
	AckFloor    uint64 // every message up to this sequence of the stream is acknowledged
	Pending     uint64 // not yet delivered
	AckPending  uint64 // delivered, not yet acknowledged
	Redelivered uint64 // of those, delivered more than once
}

// Info returns the present state.
func (c *Consumer) Info(ctx context.Context) (ConsumerInfo, error) {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	x, err := c.store.js.Consumer(ctx, c.stream, c.name)
	if err != nil {
		return ConsumerInfo{}, c.store.opError("describe consumer "+c.name+" of stream "+c.stream, err)
	}
	i := x.CachedInfo()
	return ConsumerInfo{AckFloor: i.AckFloor.Stream, Pending: i.NumPending, AckPending: uint64(i.NumAckPending), Redelivered: uint64(i.NumRedelivered)}, nil
}

// Fetch waits up to wait for messages and returns no more than most (1 to 4,096), as soon as there is at least one and no more is at hand;
// empty when none came. When ctx ends it returns what came, or ctx's error.
func (c *Consumer) Fetch(ctx context.Context, most int, wait time.Duration) ([]*Delivery, error) {
	op := "fetch from consumer " + c.name + " of stream " + c.stream
	if most < 1 || most > maxFetch {
		return nil, errs.New(errs.Invalid, "%s: %d messages must be 1 to %d", op, most, maxFetch)
	}
	if err := ctx.Err(); err != nil {
		return nil, kinded(op, err)
	}
	// A request without an end would wait for ever while MaxAckPending holds the messages back.
	wait = max(wait, minFetchWait)
	// no_wait with expires: the server answers with what is there, or waits for the first (nats-server, processNextMsgRequest).
	body, err := json.Marshal(struct {
		Batch   int           `json:"batch"`
		NoWait  bool          `json:"no_wait"`
		Expires time.Duration `json:"expires,omitempty"`
	}{most, true, wait})
	if err != nil {
		return nil, errs.New(errs.Internal, "%s: %w", op, err)
	}
	nc := c.store.reads
	sub, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		return nil, c.store.opError(op, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return nil, c.store.opError(op, err)
	}
	if err := nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+c.stream+"."+c.name, sub.Subject, body); err != nil {
		return nil, c.store.opError(op, err)
	}
	// Most requests end with that many messages or with the server's status. Two do not: when MaxAckPending holds the rest back the server
	// waits on, and ctx may end. Then the subscription is drained, so that nothing under way is lost until its AckWait.
	limit, cancel := context.WithTimeout(ctx, wait+requestTimeout)
	defer cancel()
	var out []*Delivery
	draining := false
	for len(out) < most {
		m, err := next(limit, sub, len(out) > 0 && !draining)
		if err != nil {
			switch {
			case errors.Is(err, nats.ErrNoResponders):
				return nil, errs.New(errs.NotFound, "%s: it does not exist", op)
			case draining && len(out) > 0:
				return out, nil
			case draining:
				return nil, c.store.opError(op, cmp.Or(ctx.Err(), limit.Err(), err))
			case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled), sub.Drain() != nil:
				return nil, c.store.opError(op, err)
			}
			draining = true
			var stop context.CancelFunc
			limit, stop = context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
			defer stop()
			continue
		}
		switch status := m.Header.Get(headerStatus); status {
		case "":
			d, err := c.delivery(m)
			if err != nil {
				return nil, err
			}
			out = append(out, d)
		case "100": // a heartbeat
		case "404", "408": // nothing there; the wait is over
			return out, nil
		default:
			if len(out) > 0 {
				return out, nil
			}
			return nil, errs.New(errs.Unavailable, "%s: %s", op, m.Header.Get("Description"))
		}
	}
	return out, nil
}

// next waits for one message, and only for a moment when others came before it.
func next(ctx context.Context, sub *nats.Subscription, brief bool) (*nats.Msg, error) {
	if brief {
		if m, err := sub.NextMsg(fetchGrace); err != nil && errors.Is(err, nats.ErrTimeout) {
			return nil, context.DeadlineExceeded
		} else {
			return m, err
		}
	}
	return sub.NextMsgWithContext(ctx)
}

// Delivery is one message under way. Exactly one of Ack, AckAsync and Nak should end it.
type Delivery struct {
	Msg
	Attempt int // 1 = the first time

	store *Store
	reply string
}

func (c *Consumer) delivery(m *nats.Msg) (*Delivery, error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, errs.New(errs.Internal, "a delivery of stream %s without its particulars: %w", c.stream, err)
	}
	return &Delivery{
		Msg:     Msg{Subject: m.Subject, Header: ownHeader(m.Header), Data: m.Data, Sequence: meta.Sequence.Stream, Time: meta.Timestamp},
		Attempt: int(meta.NumDelivered), store: c.store, reply: m.Reply,
	}, nil
}

// Ack ends the delivery and waits until the server has confirmed it. A crash right after may still deliver the message again.
func (d *Delivery) Ack(ctx context.Context) error {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	_, err := d.store.reads.RequestWithContext(ctx, d.reply, []byte("+ACK"))
	return d.store.opError("acknowledge message "+d.Subject, err)
}

// AckAsync ends the delivery without waiting.
func (d *Delivery) AckAsync() error { return d.send("+ACK") }

// Nak gives the message back, to be delivered again after delay (0 = at once).
func (d *Delivery) Nak(delay time.Duration) error {
	if delay <= 0 {
		return d.send("-NAK")
	}
	return d.send(fmt.Sprintf(`-NAK {"delay": %d}`, delay.Nanoseconds()))
}

// InProgress says that work goes on: AckWait begins anew.
func (d *Delivery) InProgress() error { return d.send("+WPI") }

func (d *Delivery) send(body string) error {
	return d.store.opError("settle message "+d.Subject, d.store.reads.Publish(d.reply, []byte(body)))
}
