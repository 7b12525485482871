package functionskv

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv"
)

// Headers of a dead letter beside those that results have too. The input's own headers follow under originalPrefix.
const (
	headerReason      = "Weir-Dead-Reason"
	headerError       = "Weir-Dead-Error"
	headerAttempts    = "Weir-Dead-Attempts"
	headerSubject     = "Weir-Input-Subject"
	headerIncarnation = "Weir-Input-Incarnation"
	headerOmitted     = "Weir-Dead-Payload" // "omitted"
	headerReplayed    = "Weir-Replayed"     // on the message that a replay publishes: function and letter
	originalPrefix    = "Weir-Original-"
)

func letterHeader(function string, o functions.Outcome) map[string]string {
	h := map[string]string{
		functions.HeaderFunction:      function,
		functions.HeaderInputStream:   o.Input.Stream,
		functions.HeaderInputSequence: strconv.FormatUint(o.Input.Sequence, 10),
		headerIncarnation:             o.Input.Incarnation,
		headerSubject:                 o.Input.Subject,
		headerReason:                  string(o.Dead.Reason),
		headerError:                   o.Dead.Error,
		headerAttempts:                strconv.Itoa(o.Dead.Attempts),
	}
	if o.Dead.Bare {
		h[headerOmitted] = "omitted"
		return h
	}
	for k, v := range o.Input.Header {
		h[originalPrefix+k] = v
	}
	return h
}

func letterData(o functions.Outcome) []byte {
	if o.Dead.Bare {
		return nil
	}
	return o.Input.Data
}

// parseLetter reads a message that Commit wrote.
func parseLetter(m kv.Msg) (l functions.DeadLetter, incarnation string, err error) {
	l = functions.DeadLetter{
		Sequence: m.Sequence, Function: m.Header[functions.HeaderFunction], Reason: functions.Reason(m.Header[headerReason]),
		Error: m.Header[headerError], Stream: m.Header[functions.HeaderInputStream], Subject: m.Header[headerSubject],
		Data: m.Data, Bare: m.Header[headerOmitted] != "", Time: m.Time,
	}
	if l.Attempts, err = strconv.Atoi(m.Header[headerAttempts]); err == nil {
		l.InputSequence, err = strconv.ParseUint(m.Header[functions.HeaderInputSequence], 10, 64)
	}
	if err != nil {
		return l, "", errs.New(errs.Internal, "message %d is not a dead letter: %w", m.Sequence, err)
	}
	for k, v := range m.Header {
		if name, ok := strings.CutPrefix(k, originalPrefix); ok {
			if l.Header == nil {
				l.Header = map[string]string{}
			}
			l.Header[name] = v
		}
	}
	return l, m.Header[headerIncarnation], nil
}

// DeadLetters implements functions.Letters.
func (f *feed) DeadLetters(ctx context.Context, from uint64, limit int) ([]functions.DeadLetter, error) {
	ms, err := f.own.Read(ctx, kv.ReadOptions{From: from, Filter: prefix(f.binding.Function) + "dead.>", Limit: limit})
	if err != nil {
		return nil, err
	}
	out := make([]functions.DeadLetter, len(ms))
	for i, m := range ms {
		if out[i], _, err = parseLetter(m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Replay implements functions.Letters.
func (f *feed) Replay(ctx context.Context, sequence uint64) (uint64, error) {
	missing := errs.New(errs.NotFound, "function %q has no dead letter %d", f.binding.Function, sequence)
	if sequence == 0 {
		return 0, missing
	}
	m, err := f.own.Get(ctx, sequence)
	if errs.Is(err, errs.NotFound) || err == nil && !strings.HasPrefix(m.Subject, prefix(f.binding.Function)+"dead.") {
		return 0, missing
	}
	if err != nil {
		return 0, err
	}
	l, incarnation, err := parseLetter(m)
	if err != nil {
		return 0, err
	}
	in, err := f.store.kv.OpenStream(ctx, l.Stream)
	if err != nil {
		return 0, fmt.Errorf("replay dead letter %d: %w", sequence, err)
	}
	if l.Bare {
		info, err := in.Info(ctx)
		if err != nil {
			return 0, err
		}
		original, err := in.Get(ctx, l.InputSequence)
		if err != nil || strconv.FormatInt(info.Created.UnixNano(), 36) != incarnation {
			return 0, errs.New(errs.NotFound, "dead letter %d was too large to keep, and its input %d is gone from stream %s", sequence, l.InputSequence, l.Stream)
		}
		l.Data, l.Header = original.Data, original.Header
	}
	h := map[string]string{headerReplayed: fmt.Sprintf("%s:%d", f.binding.Function, sequence)}
	for k, v := range l.Header {
		if k != headerReplayed {
			h[k] = v
		}
	}
	seq, err := in.Publish(ctx, kv.Publish{Subject: l.Subject, Header: h, Data: l.Data, ID: fmt.Sprintf("weir-replay:%s:%d", f.binding.Function, sequence)})
	if err != nil {
		return 0, fmt.Errorf("replay dead letter %d: %w", sequence, err)
	}
	// Its subject holds this letter alone.
	if err := f.own.Purge(ctx, m.Subject, 0); err != nil {
		return seq, fmt.Errorf("dead letter %d is replayed as %d but still listed: %w", sequence, seq, err)
	}
	return seq, nil
}
