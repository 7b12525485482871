package functions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
)

// Options are the service's parts. Plugins is required. Without Predictor no model can be run, without Events there are no
// event functions. Logger nil discards, Registerer nil measures nothing. DrainTimeout (default 20 s) is how long Close,
// Remove and a replacing Apply wait for batches that were begun.
type Options struct {
	Plugins      Plugins
	Predictor    Predictor
	Events       Events
	Logger       *slog.Logger
	Registerer   prometheus.Registerer
	DrainTimeout time.Duration
}

// Service holds the applied functions. Safe for concurrent use. Apply starts an event function's goroutines; Close ends
// them all.
type Service struct {
	o      Options
	log    *slog.Logger
	meters *meters

	change   sync.Mutex     // one Apply, Remove, Forget or Close at a time
	retiring sync.WaitGroup // replaced functions that still answer what they have begun

	mu     sync.RWMutex
	closed bool
	byName map[string]*function
}

// function is one applied function.
type function struct {
	name   string
	spec   Spec // with defaults
	raw    []byte
	plugin string // identity of the plugin when it was opened
	steps  *steps
	feed   Feed    // nil without an event trigger
	runner *runner // likewise

	calls                     sync.WaitGroup // uses of steps and feed from outside the runner
	invocations, invokeErrors atomic.Uint64
}

// New makes a service without functions.
func New(o Options) (*Service, error) {
	if o.Plugins == nil {
		return nil, errs.New(errs.Internal, "functions: Plugins is required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = 20 * time.Second
	}
	m, err := newMeters(o.Registerer)
	if err != nil {
		return nil, err
	}
	return &Service{o: o, log: o.Logger.With("room", "functions"), meters: m, byName: map[string]*function{}}, nil
}

// Check reports what Apply would refuse. It opens the plugin once and creates nothing. Whether the model is there is not
// asked: a function waits for its model.
func (s *Service) Check(ctx context.Context, name string, spec Spec) error {
	st, spec, err := s.open(ctx, name, spec)
	if err != nil {
		return err
	}
	if err := st.close(); err != nil {
		return err
	}
	if spec.Event != nil {
		if err := s.o.Events.Check(ctx, binding(name, spec)); err != nil {
			return errs.New(errs.KindOf(err), "function %q: %w", name, err)
		}
	}
	return nil
}

func (s *Service) open(ctx context.Context, name string, spec Spec) (*steps, Spec, error) {
	if err := CheckName(name); err != nil {
		return nil, spec, err
	}
	if err := spec.Validate(); err != nil {
		return nil, spec, errs.New(errs.KindOf(err), "function %q: %w", name, err)
	}
	if spec.Event != nil && s.o.Events == nil {
		return nil, spec, errs.New(errs.Unimplemented, "function %q: spec.event: there are no streams here", name)
	}
	spec = spec.withDefaults()
	st, err := openSteps(ctx, s.o.Plugins, s.o.Predictor, spec)
	if err != nil {
		return nil, spec, errs.New(errs.KindOf(err), "function %q: %w", name, err)
	}
	return st, spec, nil
}

func binding(name string, spec Spec) Binding {
	b := Binding{Function: name, Stream: spec.Event.Stream, Subject: spec.Event.Subject, AckWait: spec.Event.AckWait.Std()}
	if spec.Output != nil {
		b.OutputSubject = spec.Output.Subject
	}
	return b
}

func (s *Service) identity(spec Spec) string {
	for _, ref := range []*PluginRef{spec.Handler, spec.Transform} {
		if ref != nil {
			return s.o.Plugins.Identity(ref.Plugin)
		}
	}
	return ""
}

// Apply makes the function, or replaces it when the spec differs or its plugin stands for something else now. On an error the function that was
// there goes on. The one replaced finishes what it has begun; where that is
// requests alone, Apply does not wait for it.
func (s *Service) Apply(ctx context.Context, name string, spec Spec) error {
	s.change.Lock()
	defer s.change.Unlock()
	raw, err := json.Marshal(spec)
	if err != nil {
		return errs.New(errs.Invalid, "function %q: %w", name, err)
	}
	identity := s.identity(spec) // before opening: what moves in between is opened again later
	st, spec, err := s.open(ctx, name, spec)
	if err != nil {
		return err
	}
	s.mu.RLock()
	old, closed := s.byName[name], s.closed
	s.mu.RUnlock()
	if closed || old != nil && string(old.raw) == string(raw) && old.plugin == identity {
		cerr := st.close()
		if closed {
			return errs.New(errs.Unavailable, "function %q: weir is stopping", name)
		}
		return cerr
	}
	f := &function{name: name, spec: spec, raw: raw, plugin: identity, steps: st}
	if spec.Event != nil {
		if f.feed, err = s.o.Events.Open(ctx, binding(name, spec)); err != nil {
			err = errors.Join(err, st.close())
			return errs.New(errs.KindOf(err), "function %q: %w", name, err)
		}
	}
	s.mu.Lock()
	s.byName[name] = f
	s.meters.functions.Set(float64(len(s.byName)))
	s.mu.Unlock()
	if old != nil && old.feed == nil && f.feed == nil {
		// Only requests hold it. The longest of them must not hold up this change and all that come after it.
		s.retiring.Go(func() {
			if err := s.retire(old); err != nil {
				s.log.Warn("a replaced function did not close", "function", name, "error", err)
			}
		})
		return nil
	}
	err = s.retire(old)
	if f.feed != nil { // after the old one: two versions never run the same events side by side
		r := startRunner(name, f.spec, st, f.feed, s.log, s.meters)
		s.mu.Lock()
		f.runner = r
		s.mu.Unlock()
	}
	return err
}

// retire drains a function that is out of the map and closes what it held; nil is fine.
func (s *Service) retire(f *function) error {
	if f == nil {
		return nil
	}
	if f.runner != nil {
		f.runner.stop(s.o.DrainTimeout)
	}
	f.calls.Wait()
	var err error
	if f.feed != nil {
		err = f.feed.Close()
	}
	if cerr := f.steps.close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("function %q: close: %w", f.name, err)
	}
	return nil
}

// Remove stops the function: it finishes what it has begun. Results, dead letters and its position in the input stay, so
// that a function of that name, applied again, goes on where this one stopped. Forget deletes them. NotFound when there is
// no such function.
func (s *Service) Remove(_ context.Context, name string) error {
	s.change.Lock()
	defer s.change.Unlock()
	s.mu.Lock()
	f, ok := s.byName[name]
	if !ok {
		err := s.unknown(name)
		s.mu.Unlock()
		return err
	}
	delete(s.byName, name)
	s.meters.functions.Set(float64(len(s.byName)))
	s.mu.Unlock()
	return s.retire(f)
}

// Forget deletes the results and dead letters of a removed function, which frees its output subject. Conflict while the
// function is applied.
func (s *Service) Forget(ctx context.Context, name string) error {
	s.change.Lock()
	defer s.change.Unlock()
	if err := CheckName(name); err != nil {
		return err
	}
	s.mu.RLock()
	_, applied := s.byName[name]
	s.mu.RUnlock()
	switch {
	case applied:
		return errs.New(errs.Conflict, "function %q is applied: remove it first", name)
	case s.o.Events == nil:
		return nil
	}
	return s.o.Events.Forget(ctx, name)
}

// Close drains every function, all at once. Safe twice.
func (s *Service) Close() error {
	s.change.Lock()
	defer s.change.Unlock()
	s.mu.Lock()
	s.closed = true
	all := s.byName
	s.byName = map[string]*function{}
	s.meters.functions.Set(0)
	s.mu.Unlock()
	errc := make(chan error, len(all))
	for _, f := range all {
		go func() { errc <- s.retire(f) }()
	}
	var first error
	for range all {
		if err := <-errc; first == nil {
			first = err
		}
	}
	s.retiring.Wait()
	return first
}

// Names lists the applied functions in order.
func (s *Service) Names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.names()
}

func (s *Service) names() []string { return slices.Sorted(maps.Keys(s.byName)) }

// acquire finds a function and holds it open until calls.Done.
func (s *Service) acquire(name string) (*function, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f, ok := s.byName[name]
	if !ok {
		return nil, s.unknown(name)
	}
	f.calls.Add(1) // under the lock: retire waits only after the map has let go of f
	return f, nil
}

// unknown wants the lock held.
func (s *Service) unknown(name string) error { return errs.Unknown("function", name, s.names()) }

func (s *Service) acquireFeed(name string) (*function, error) {
	f, err := s.acquire(name)
	if err == nil && f.feed == nil {
		f.calls.Done()
		return nil, errs.New(errs.Invalid, "function %q has no event trigger, so it has no dead letters", name)
	}
	return f, err
}

// DeadLetters is a page of the function's dead letters in order of their sequence, from that sequence on (0: the oldest);
// limit ≤ 0 means 100.
func (s *Service) DeadLetters(ctx context.Context, name string, from uint64, limit int) ([]DeadLetter, error) {
	f, err := s.acquireFeed(name)
	if err != nil {
		return nil, err
	}
	defer f.calls.Done()
	if limit <= 0 {
		limit = 100
	}
	return f.feed.DeadLetters(ctx, from, limit)
}

// Replay sends the payload of a dead letter through the function again, as a new message of its input stream, and removes
// the letter. It returns the new message's sequence. NotFound when there is no such letter (any more).
func (s *Service) Replay(ctx context.Context, name string, sequence uint64) (uint64, error) {
	f, err := s.acquireFeed(name)
	if err != nil {
		return 0, err
	}
	defer f.calls.Done()
	return f.feed.Replay(ctx, sequence)
}
