package gates

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

// Judges opens gate plugins by the name of their resource. Safe for concurrent use.
type Judges interface {
	// Open answers NotFound for an unknown plugin and Invalid for one that is not of world gate or refuses the parameters.
	Open(ctx context.Context, plugin string, parameters json.RawMessage) (Judge, error)
}

// Judge is one opened gate plugin. Gate may be called by many goroutines; Close once, after the last call.
type Judge interface {
	// Gate gives the plugin the context document. An error means that it could not judge.
	Gate(ctx context.Context, document []byte) (abi.Verdict, error)
	Digest() string // "sha256:<hex>" of the module
	Close() error
}

// Store keeps decisions for good. Safe for concurrent use.
type Store interface {
	// Put stores a new decision and returns when it is acknowledged as durable; Exists when the ID is taken.
	Put(ctx context.Context, d Decision) error
	// Get reads one decision; NotFound for an unknown ID.
	Get(ctx context.Context, id string) (Decision, error)
	// List is the newest limit decisions of a gate, newest first; limit ≤ 0 means all. An unknown gate has none.
	List(ctx context.Context, gate string, limit int) ([]Decision, error)
}

// Options are the service's parts. Judges and Store are required; Logger nil discards, Registerer nil measures nothing,
// Now nil is time.Now.
type Options struct {
	Judges     Judges
	Store      Store
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
}

// Service holds the applied gates and evaluates them. Safe for concurrent use. It starts no goroutine and needs no Close.
type Service struct {
	judges Judges
	store  Store
	log    *slog.Logger
	now    func() time.Time
	meters *meters

	mu    sync.RWMutex
	gates map[string]Spec
}

// New makes a service without gates; Apply adds them.
func New(o Options) (*Service, error) {
	if o.Judges == nil || o.Store == nil {
		return nil, errs.New(errs.Internal, "gates: Judges and Store are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	m, err := newMeters(o.Registerer)
	if err != nil {
		return nil, err
	}
	return &Service{judges: o.Judges, store: o.Store, log: o.Logger.With("room", "gates"), now: o.Now, meters: m, gates: map[string]Spec{}}, nil
}

// Check reports what Apply would refuse, and opens the plugin once to see that it takes the parameters. It changes nothing.
func (s *Service) Check(ctx context.Context, name string, spec Spec) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := spec.Validate(); err != nil {
		return errs.New(errs.KindOf(err), "gate %q: %w", name, err)
	}
	j, err := s.judges.Open(ctx, spec.Plugin.Plugin, spec.Plugin.parameters())
	if err != nil {
		return errs.New(errs.KindOf(err), "gate %q: plugin %q: %w", name, spec.Plugin.Plugin, err)
	}
	return j.Close()
}

// Apply makes the gate, or replaces it, after validating the spec alone: it opens no plugin, so that a host starts quickly.
// What Check would have found shows when the gate is used.
func (s *Service) Apply(_ context.Context, name string, spec Spec) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := spec.Validate(); err != nil {
		return errs.New(errs.KindOf(err), "gate %q: %w", name, err)
	}
	spec.Plugin.Parameters = slices.Clone(spec.Plugin.Parameters)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gates[name] = spec
	return nil
}

// Remove forgets the gate; its decisions stay readable. NotFound when there is none of that name.
func (s *Service) Remove(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.gates[name]; !ok {
		return s.unknown(name)
	}
	delete(s.gates, name)
	return nil
}

// Names lists the applied gates in order.
func (s *Service) Names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.names()
}

func (s *Service) names() []string { return slices.Sorted(maps.Keys(s.gates)) }

// unknown wants the lock held.
func (s *Service) unknown(name string) error { return errs.Unknown("gate", name, s.names()) }

// Evaluate asks the gate about e, stores the decision and returns it. The plugin is opened anew each time, so that a gate
// always judges with the version of its plugin that is current.
//
// When the gate cannot judge, Evaluate returns the stored decision of outcome Error together with an error that has the
// cause and its kind. A decision that could not be stored is not returned: the error is all there is.
func (s *Service) Evaluate(ctx context.Context, name string, e Evaluation) (Decision, error) {
	s.mu.RLock()
	spec, ok := s.gates[name]
	var err error
	if !ok {
		err = s.unknown(name)
	}
	s.mu.RUnlock()
	if err != nil {
		return Decision{}, err
	}
	if e.Candidate.Name == "" {
		return Decision{}, errs.New(errs.Invalid, "gate %q: candidate.name is missing: say what is judged", name)
	}
	doc, err := e.document(name)
	if err != nil {
		return Decision{}, err
	}
	started := s.now()
	d := Decision{
		ID: newID(name, started), Gate: name, Plugin: spec.Plugin.Plugin, Parameters: spec.Plugin.parameters(),
		Evidence: Evidence{Context: doc, SHA256: schema.DigestOf(doc)}, When: started.UTC(),
	}
	cause := s.judge(ctx, spec, doc, &d)
	if cause != nil {
		d.Outcome, d.Reasons, d.Findings = Error, []string{"could not judge: " + cause.Error()}, nil
	}
	took := s.now().Sub(started)
	d.DurationMS = float64(took) / float64(time.Millisecond)
	// The caller's deadline may be what stopped the plugin; the decision about that is still written.
	put, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := s.store.Put(put, d); err != nil {
		return Decision{}, fmt.Errorf("gate %q: store decision %s: %w", name, d.ID, err)
	}
	s.meters.observe(d.Outcome, took)
	if cause != nil {
		s.log.Warn("gate could not judge", "gate", name, "decision", d.ID, "error", cause)
		return d, errs.New(errs.KindOf(cause), "gate %q could not judge (decision %s): %w", name, d.ID, cause)
	}
	return d, nil
}

const storeTimeout = 10 * time.Second

// judge fills the decision from the plugin's verdict; an error means there is none.
func (s *Service) judge(ctx context.Context, spec Spec, doc []byte, d *Decision) error {
	j, err := s.judges.Open(ctx, spec.Plugin.Plugin, spec.Plugin.parameters())
	if err != nil {
		return errs.New(errs.KindOf(err), "open plugin %q: %w", spec.Plugin.Plugin, err)
	}
	defer j.Close()
	d.Digest = j.Digest()
	v, err := j.Gate(ctx, doc)
	if err != nil {
		return errs.New(errs.KindOf(err), "plugin %q: %w", spec.Plugin.Plugin, err)
	}
	switch v.Outcome {
	case abi.Pass, abi.Fail, abi.Review:
	default:
		return errs.New(errs.Invalid, "plugin %q answered outcome %q, which is none of pass, fail, review", spec.Plugin.Plugin, v.Outcome)
	}
	if len(v.Reasons) == 0 {
		return errs.New(errs.Invalid, "plugin %q answered %q without a reason", spec.Plugin.Plugin, v.Outcome)
	}
	d.Outcome, d.Reasons, d.Findings = Outcome(v.Outcome), v.Reasons, v.Evidence
	return nil
}

// Decision reads one stored decision; NotFound for an unknown ID.
func (s *Service) Decision(ctx context.Context, id string) (Decision, error) {
	return s.store.Get(ctx, id)
}

// Decisions is the newest limit decisions of the gate, newest first; limit ≤ 0 means all. The decisions of a removed gate
// stay readable; a gate that is neither applied nor remembered is NotFound.
func (s *Service) Decisions(ctx context.Context, gate string, limit int) ([]Decision, error) {
	out, err := s.store.List(ctx, gate, limit)
	if err != nil || len(out) > 0 {
		return out, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, ok := s.gates[gate]; !ok {
		return nil, s.unknown(gate)
	}
	return []Decision{}, nil
}

// newID sorts by time within a gate.
func newID(gate string, t time.Time) string {
	var r [4]byte
	rand.Read(r[:]) // never fails (crypto/rand)
	stamp := t.UTC().Format("20060102t150405.000000")
	return gate + "." + strings.Replace(stamp, ".", "", 1) + "z-" + hex.EncodeToString(r[:])
}
