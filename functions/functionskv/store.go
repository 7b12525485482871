// Package functionskv keeps event functions on weir's streams: it reads inputs through a durable consumer, and writes
// results, dead letters and processed markers to the function's own stream FN_<name> in atomic batches.
//
// It computes nothing and retries nothing; functions does. The subjects, headers and the rules that make a result exactly-once
// are in docs/formats/functions.md. Read store.go first, then feed.go and floor.go.
package functionskv

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv"
)

// Interface guards.
var (
	_ functions.Events = (*Store)(nil)
	_ functions.Feed   = (*feed)(nil)
)

// Options are the store's parts. KV is required. Logger nil discards. TidyEvery (default 5 s) is how often markers behind
// the consumer's position are removed.
type Options struct {
	KV        *kv.Store
	Logger    *slog.Logger
	TidyEvery time.Duration
}

// Store implements functions.Events. Safe for concurrent use.
type Store struct {
	kv    *kv.Store
	log   *slog.Logger
	every time.Duration
}

// New makes the adapter; it starts nothing.
func New(o Options) *Store {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.TidyEvery == 0 {
		o.TidyEvery = 5 * time.Second
	}
	return &Store{kv: o.KV, log: o.Logger.With("room", "functions"), every: o.TidyEvery}
}

// StreamName is the own stream of a function: what a consumer of its results names.
func StreamName(function string) string { return "FN_" + function }

func prefix(function string) string { return "weir.fn." + function + "." }

// Check implements functions.Events.
func (s *Store) Check(ctx context.Context, b functions.Binding) error {
	if b.OutputSubject != "" {
		owner, err := s.kv.StreamFor(ctx, b.OutputSubject)
		switch {
		case errs.Is(err, errs.NotFound):
		case err != nil:
			return err
		case owner != StreamName(b.Function):
			return errs.New(errs.Conflict, "spec.output.subject: %q belongs to stream %s: choose another subject", b.OutputSubject, owner)
		}
	}
	_, err := s.missingSubject(ctx, b)
	return err
}

// missingSubject reports whether the input stream has to be made, or to take in the subject, for b to receive anything.
func (s *Store) missingSubject(ctx context.Context, b functions.Binding) (bool, error) {
	in, err := s.kv.OpenStream(ctx, b.Stream)
	switch {
	case errs.Is(err, errs.NotFound):
		if strings.HasPrefix(b.Subject, "weir.") {
			return false, errs.New(errs.NotFound, "spec.event.stream: %s does not exist, and %q is not a subject to make it with", b.Stream, b.Subject)
		}
	case err != nil:
		return false, err
	default:
		info, err := in.Info(ctx)
		if err != nil {
			return false, err
		}
		for _, has := range info.Subjects {
			if functions.Overlaps(has, b.Subject) {
				return false, nil
			}
		}
	}
	owner, err := s.kv.StreamFor(ctx, b.Subject)
	switch {
	case errs.Is(err, errs.NotFound):
		return true, nil
	case err != nil:
		return false, err
	case owner != b.Stream:
		return false, errs.New(errs.Conflict, "spec.event.subject: %q belongs to stream %s, not to %s: name that stream or another subject", b.Subject, owner, b.Stream)
	}
	return false, nil
}

// Open implements functions.Events.
func (s *Store) Open(ctx context.Context, b functions.Binding) (functions.Feed, error) {
	if err := s.Check(ctx, b); err != nil {
		return nil, err
	}
	subjects := []string{prefix(b.Function) + ">"}
	if b.OutputSubject != "" {
		subjects = append(subjects, b.OutputSubject)
	}
	own, err := s.kv.Stream(ctx, kv.StreamConfig{Name: StreamName(b.Function), Subjects: subjects})
	if err != nil {
		return nil, err
	}
	f := &feed{store: s, binding: b, own: own, log: s.log.With("function", b.Function)}
	if f.in, err = s.bind(ctx, b); err != nil {
		return nil, err
	}
	return f, nil
}

// Forget implements functions.Events.
func (s *Store) Forget(ctx context.Context, function string) error {
	err := s.kv.DeleteStream(ctx, StreamName(function))
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	return err
}
