package serving

import (
	"context"
	"log/slog"
	"reflect"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// Options are what a Service works with. Loader is needed always, Blobs for Apply and Check, Plugins for models with steps.
type Options struct {
	Loader  Loader
	Plugins Plugins
	Blobs   Blobs
	// StrictDevices refuses a KIND_GPU model where it would otherwise fall back to the CPU.
	StrictDevices bool
	Logger        *slog.Logger          // nil is silent
	Registerer    prometheus.Registerer // nil: no metrics
}

// Service holds the loaded models. It is safe for concurrent use; no method blocks the requests of other models.
type Service struct {
	o       Options
	log     *slog.Logger
	metrics *metrics

	mu      sync.RWMutex
	entries map[string]*entry
	closed  bool
	warned  map[string]bool // models whose config.pbtxt was warned about
	alive   sync.WaitGroup  // loaded models
}

// entry is one name. change serialises Apply and Remove; the rest is guarded by Service.mu.
type entry struct {
	change  sync.Mutex
	current *model // or nil
	state   State
	reason  string // why the last Apply failed, or ""
	failed  string // the version that failed
	note    string
}

// State is where a model is in its life.
type State string

// The states. A model whose new version failed stays ready with its old one, and Reason says so.
const (
	Loading State = "loading"
	Ready   State = "ready"
	Failed  State = "failed"
)

// ModelStatus says how a model is.
type ModelStatus struct {
	Name    string `json:"name"`
	State   State  `json:"state"`
	Version string `json:"version,omitempty"` // serving; "" when none is
	// Reason says why the last Apply failed; FailedVersion is the version that it wanted.
	Reason        string `json:"reason,omitempty"`
	FailedVersion string `json:"failed_version,omitempty"`
	// Note is what an operator should know: a GPU that is not there, a configuration file that is not read.
	Note string `json:"note,omitempty"`

	Spec              *ModelSpec          `json:"spec,omitempty"` // as served, with defaults
	Inputs            []schema.TensorSpec `json:"inputs,omitempty"`
	Outputs           []schema.TensorSpec `json:"outputs,omitempty"`
	Columns           []string            `json:"columns,omitempty"` // order of a features array
	Device            string              `json:"device,omitempty"`
	Instances         int                 `json:"instances,omitempty"`
	PreprocessDigest  string              `json:"preprocess_digest,omitempty"`
	PostprocessDigest string              `json:"postprocess_digest,omitempty"`
	LoadedAt          time.Time           `json:"loaded_at,omitzero"`
	Stats             Stats               `json:"stats,omitzero"`
}

// New makes a Service. It fails only when its metrics are registered already.
func New(o Options) (*Service, error) {
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{o: o, log: o.Logger.With("room", "serving"), metrics: m, entries: map[string]*entry{}, warned: map[string]bool{}}, nil
}

// Close unloads every model after its running and waiting requests have been answered. It may be called twice.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	var old []*model
	for _, e := range s.entries {
		if e.current != nil {
			old = append(old, e.current)
			e.current = nil
		}
	}
	s.entries = map[string]*entry{}
	s.mu.Unlock()
	for _, m := range old {
		m.release()
	}
	s.alive.Wait()
	return nil
}

// Apply loads a model and swaps it in: requests that have begun finish on the old version, later ones run on the new one, and
// none sees half of each. When it fails, the old version goes on serving and the status has the reason. The spec that serves
// already, with the same plugins, is not loaded again. Errors: errs.Invalid for a bad spec or model, errs.NotFound for a missing blob or plugin,
// errs.Unavailable when the library or a required GPU is not there.
func (s *Service) Apply(ctx context.Context, name string, spec ModelSpec) error {
	return s.apply(ctx, name, spec, s.stored, "")
}

func (s *Service) stored(ctx context.Context, digest string) ([]byte, error) {
	if s.o.Blobs == nil {
		return nil, errs.New(errs.Unimplemented, "this server keeps no blobs")
	}
	return s.o.Blobs.ReadAll(ctx, digest)
}

type reader func(ctx context.Context, digest string) ([]byte, error)

func (s *Service) apply(ctx context.Context, name string, spec ModelSpec, read reader, note string) error {
	if err := checkName(name); err != nil {
		return err
	}
	e, err := s.enter(name)
	if err != nil {
		return err
	}
	defer e.change.Unlock()
	full, err := spec.WithDefaults()
	if err == nil && s.serves(e, full) {
		s.mu.Lock()
		e.reason, e.failed = "", ""
		s.mu.Unlock()
		return nil
	}
	var m *model
	if err == nil {
		m, err = s.read(ctx, name, full, read)
	}
	if err != nil {
		s.refuse(name, e, full.Version, note, err)
		return wrap(err, "model %q version %s", name, full.Version)
	}
	s.mu.Lock()
	if s.closed || s.entries[name] != e {
		s.mu.Unlock()
		m.free()
		return errs.New(errs.Unavailable, "model %q: %w", name, errClosed)
	}
	old := e.current
	s.alive.Add(1)
	m.freed = s.alive.Done
	e.current, e.state, e.reason, e.failed, e.note = m, Ready, "", "", note
	s.mu.Unlock()
	s.metrics.loaded.WithLabelValues(name).Set(1)
	s.log.Info("model is serving", "model", name, "version", full.Version, "blob", full.Blob, "device", m.executors[0].Device())
	if old != nil {
		old.release()
	}
	return nil
}

// enter finds or makes the entry of a name and locks it for a change.
func (s *Service) enter(name string) (*entry, error) {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, errs.New(errs.Unavailable, "model %q: %w", name, errClosed)
		}
		e := s.entries[name]
		if e == nil {
			e = &entry{state: Loading}
			s.entries[name] = e
		}
		s.mu.Unlock()
		e.change.Lock()
		s.mu.RLock()
		same := s.entries[name] == e
		s.mu.RUnlock()
		if same {
			return e, nil
		}
		e.change.Unlock() // it was removed while this call waited
	}
}

// identity is what the spec's plugins stand for now.
func (s *Service) identity(spec ModelSpec) string {
	text := ""
	for _, step := range []*Step{spec.Preprocess, spec.Postprocess} {
		if step != nil && step.Plugin != "" && s.o.Plugins != nil {
			text += step.Plugin + " " + s.o.Plugins.Identity(step.Plugin) + "\n"
		}
	}
	return text
}

// serves reports whether the entry serves exactly this spec, with the plugins that its steps name now.
func (s *Service) serves(e *entry, full ModelSpec) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e.current == nil {
		return false
	}
	have := e.current.spec
	if full.Batching.MaxBatchSize == 0 {
		full.Batching.MaxBatchSize = have.Batching.MaxBatchSize
	}
	return reflect.DeepEqual(have, full) && e.current.identity == s.identity(full)
}

func (s *Service) read(ctx context.Context, name string, full ModelSpec, read reader) (*model, error) {
	blob, err := read(ctx, full.Blob)
	if err != nil {
		return nil, wrap(err, "blob %s", full.Blob)
	}
	return s.load(ctx, name, full, blob)
}

func (s *Service) refuse(name string, e *entry, version, note string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.entries[name] != e {
		return
	}
	e.reason, e.failed = err.Error(), version
	if e.current == nil {
		e.state, e.note = Failed, note
		s.metrics.loaded.WithLabelValues(name).Set(0)
	}
}

// Check loads a model as Apply would and lets it go again.
func (s *Service) Check(ctx context.Context, name string, spec ModelSpec) error {
	if err := checkName(name); err != nil {
		return err
	}
	full, err := spec.WithDefaults()
	if err != nil {
		return wrap(err, "model %q", name)
	}
	blob, err := s.stored(ctx, full.Blob)
	if err != nil {
		return wrap(err, "model %q: blob %s", name, full.Blob)
	}
	dry := &Service{o: s.o, log: s.log, metrics: noMetrics()}
	m, err := dry.load(ctx, name, full, blob)
	if err != nil {
		return wrap(err, "model %q", name)
	}
	m.free()
	return nil
}

// Remove unloads a model; its running and waiting requests are still answered. errs.NotFound when there is none.
func (s *Service) Remove(ctx context.Context, name string) error {
	s.mu.RLock()
	e := s.entries[name]
	s.mu.RUnlock()
	if e == nil {
		return s.unknown(name)
	}
	e.change.Lock()
	defer e.change.Unlock()
	s.mu.Lock()
	if s.entries[name] != e {
		s.mu.Unlock()
		return s.unknown(name)
	}
	delete(s.entries, name)
	old := e.current
	e.current = nil
	s.mu.Unlock()
	if old != nil {
		old.release()
	}
	s.metrics.forget(name)
	s.log.Info("model is removed", "model", name)
	return nil
}

// acquire takes a reference on the serving version; the caller releases it. version "" is any.
func (s *Service) acquire(name, version string) (*model, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, errs.New(errs.Unavailable, "model %q: %w", name, errClosed)
	}
	e := s.entries[name]
	switch {
	case e == nil:
		return nil, s.unknownLocked(name)
	case e.current == nil && e.state == Loading:
		return nil, errs.New(errs.Unavailable, "model %q is loading", name)
	case e.current == nil:
		return nil, errs.New(errs.Unavailable, "model %q is not loaded: %s", name, e.reason)
	case version != "" && version != e.current.spec.Version:
		return nil, errs.New(errs.NotFound, "model %q serves version %s, not %s", name, e.current.spec.Version, version)
	}
	e.current.refs.Add(1)
	return e.current, nil
}

func (s *Service) unknown(name string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.unknownLocked(name)
}

func (s *Service) unknownLocked(name string) error {
	names := make([]string, 0, len(s.entries))
	for n := range s.entries {
		names = append(names, n)
	}
	sort.Strings(names)
	if len(names) == 0 {
		return errs.New(errs.NotFound, "model %q not found: there are none", name)
	}
	return errs.New(errs.NotFound, "model %q not found: there are %s", name, quoted(names))
}

func quoted(names []string) string { return `"` + strings.Join(names, `", "`) + `"` }

// Models lists every model's status, sorted by name.
func (s *Service) Models() []ModelStatus {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]ModelStatus, 0, len(s.entries))
	for name, e := range s.entries {
		list = append(list, e.status(name))
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// Status is one model's status. errs.NotFound when there is none.
func (s *Service) Status(name string) (ModelStatus, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.entries[name]
	if e == nil {
		return ModelStatus{}, s.unknownLocked(name)
	}
	return e.status(name), nil
}

func (e *entry) status(name string) ModelStatus {
	st := ModelStatus{Name: name, State: e.state, Reason: e.reason, FailedVersion: e.failed, Note: e.note}
	m := e.current
	if m == nil {
		return st
	}
	spec := m.spec
	st.Version, st.Spec, st.Inputs, st.Outputs, st.Columns = spec.Version, &spec, m.inputs, m.outputs, m.columns
	st.Device, st.Instances, st.LoadedAt = m.executors[0].Device(), len(m.instances), m.loaded
	st.Stats = m.meters.snapshot()
	st.Stats.Queued = m.batcher.queued()
	if m.note != "" {
		st.Note = strings.TrimPrefix(st.Note+"; "+m.note, "; ")
	}
	if m.pre != nil {
		st.PreprocessDigest = m.pre.Digest()
	}
	if m.post != nil {
		st.PostprocessDigest = m.post.Digest()
	}
	return st
}
