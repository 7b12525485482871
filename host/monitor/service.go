package monitor

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
)

// Options are the service's parts. Datasets, Metrics, Reports and Cache are required; Logger nil discards, Registerer nil
// measures nothing, Now nil is time.Now.
type Options struct {
	Datasets   Datasets
	Metrics    Metrics
	Reports    Reports
	Cache      Cache
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
}

// Service holds the applied monitors and runs them. Safe for concurrent use. It starts no goroutine and needs no Close.
type Service struct {
	o      Options
	log    *slog.Logger
	meters *meters

	mu     sync.RWMutex
	byName map[string]Spec // with defaults
}

// New makes a service without monitors; Apply adds them.
func New(o Options) (*Service, error) {
	if o.Datasets == nil || o.Metrics == nil || o.Reports == nil || o.Cache == nil {
		return nil, errs.New(errs.Internal, "monitor: Datasets, Metrics, Reports and Cache are required")
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
	return &Service{o: o, log: o.Logger.With("room", "monitor"), meters: m, byName: map[string]Spec{}}, nil
}

// Check reports what Apply would refuse: it reads the reference's columns and bins, and opens the plugin with them. The
// bins it computes stay cached; nothing else is left behind.
func (s *Service) Check(ctx context.Context, name string, spec Spec) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := s.check(ctx, spec); err != nil {
		return errs.New(errs.KindOf(err), "monitor %q: %w", name, err)
	}
	return nil
}

func (s *Service) check(ctx context.Context, spec Spec) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	p, err := s.bins(ctx, spec.withDefaults())
	if err != nil {
		return err
	}
	params, err := spec.parameters(p)
	if err != nil {
		return err
	}
	plugin, err := s.o.Metrics.Open(ctx, spec.Metric.Plugin, params)
	if err != nil {
		return errs.New(errs.KindOf(err), "plugin %q: %w", spec.Metric.Plugin, err)
	}
	return plugin.Close()
}

func (s *Service) bins(ctx context.Context, spec Spec) (Profile, error) {
	ref, err := s.o.Datasets.Get(ctx, spec.Reference)
	if err != nil {
		return Profile{}, errs.New(errs.KindOf(err), "spec.reference: %w", err)
	}
	columns, err := spec.columns(ref)
	if err != nil {
		return Profile{}, err
	}
	return s.profile(ctx, ref, columns, spec.Bins)
}

// Apply makes the monitor, or replaces it, after validating the spec alone: it opens no plugin and reads no data, so that a host starts quickly.
// What Check would have found shows when the monitor is used.
func (s *Service) Apply(_ context.Context, name string, spec Spec) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := spec.Validate(); err != nil {
		return errs.New(errs.KindOf(err), "monitor %q: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byName[name] = spec.withDefaults()
	return nil
}

// Remove forgets the monitor; its reports stay readable. NotFound when there is none of that name.
func (s *Service) Remove(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.byName[name]; !ok {
		return s.unknown(name)
	}
	delete(s.byName, name)
	return nil
}

// Names lists the applied monitors in order.
func (s *Service) Names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.names()
}

func (s *Service) names() []string { return slices.Sorted(maps.Keys(s.byName)) }

func (s *Service) spec(name string) (Spec, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	spec, ok := s.byName[name]
	if !ok {
		return Spec{}, s.unknown(name)
	}
	return spec, nil
}

// unknown wants the lock held.
func (s *Service) unknown(name string) error { return errs.Unknown("monitor", name, s.names()) }

// Status describes a monitor now.
type Status struct {
	Name    string  `json:"name"`
	Profile Profile `json:"profile"` // the bins of the reference's present version
	// Last is the newest report without its columns' details; nil when there is none.
	Last *Report `json:"last_report,omitempty"`
}

// Status reads a monitor's bins and its last report; NotFound for an unknown one.
func (s *Service) Status(ctx context.Context, name string) (Status, error) {
	spec, err := s.spec(name)
	if err != nil {
		return Status{}, err
	}
	st := Status{Name: name}
	if st.Profile, err = s.bins(ctx, spec); err != nil {
		return st, errs.New(errs.KindOf(err), "monitor %q: %w", name, err)
	}
	rs, err := s.o.Reports.Reports(ctx, name, 1)
	if err != nil || len(rs) == 0 {
		return st, err
	}
	last := rs[0]
	for i := range last.Columns {
		last.Columns[i].Detail = nil
	}
	st.Last = &last
	return st, nil
}

// Report reads one stored report; NotFound for an unknown ID.
func (s *Service) Report(ctx context.Context, id string) (Report, error) {
	return s.o.Reports.Report(ctx, id)
}

// Reports is the newest limit reports of the monitor, newest first; limit ≤ 0 means all. Those of a removed monitor stay
// readable; a monitor that is neither applied nor remembered is NotFound.
func (s *Service) Reports(ctx context.Context, name string, limit int) ([]Report, error) {
	out, err := s.o.Reports.Reports(ctx, name, limit)
	if err != nil || len(out) > 0 {
		return out, err
	}
	if _, err := s.spec(name); err != nil {
		return nil, err
	}
	return []Report{}, nil
}
