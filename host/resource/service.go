package resource

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weir-ml/weir/host/errs"
)

// Action is what an apply does to one object.
type Action string

// The actions.
const (
	Created   Action = "created"
	Updated   Action = "updated"
	Unchanged Action = "unchanged"
)

// Result tells what an apply did to one object.
type Result struct {
	Kind     string        `json:"kind"`
	Name     string        `json:"name"`
	Action   Action        `json:"action"`
	Changes  []FieldChange `json:"changes,omitempty"`
	Revision uint64        `json:"revision,omitempty"`
	// State is "ready", "failed" (it was stored before, and its room cannot make it so now: Reason says why; it is tried again
	// at the next apply and start) or "" for a dry run.
	State  string `json:"state,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// ApplyOptions changes how a manifest is applied.
type ApplyOptions struct {
	DryRun bool // check and diff only
}

// Service applies, reads and deletes resources. Writes are serialised; reads run beside them.
type Service struct {
	store Store
	kinds []Kind
	log   *slog.Logger
	now   func() time.Time

	write sync.Mutex // held by apply, delete and start: one change at a time

	mu      sync.RWMutex
	objects map[Ref]entry
}

type entry struct {
	parsed
	failure error // why the room could not make it so; nil: it could
}

// New makes a service over store that knows the given kinds. Call Start before anything else.
func New(store Store, log *slog.Logger, kinds ...Kind) *Service {
	slices.SortStableFunc(kinds, func(a, b Kind) int { return cmp.Compare(a.Order, b.Order) })
	return &Service{store: store, kinds: kinds, log: log.With("room", "resource"), now: time.Now, objects: map[Ref]entry{}}
}

// Start loads every stored object and applies it, kinds in order. An object whose room cannot make it so is kept, marked
// failed and logged: one broken model must not keep the rest from serving.
func (s *Service) Start(ctx context.Context) error {
	s.write.Lock()
	defer s.write.Unlock()
	all, err := s.store.List(ctx)
	if err != nil {
		return fmt.Errorf("load resources: %w", err)
	}
	var list []parsed
	for _, o := range all {
		k, err := s.kind(o.Kind)
		if err != nil {
			return errs.New(errs.Unavailable, "resource %s %q in the data folder was written by a newer weir: %w", o.Kind, o.Metadata.Name, err)
		}
		spec, err := k.fromJSON(o.Spec)
		if err != nil {
			return errs.New(errs.Unavailable, "resource %s %q in the data folder was written by a newer weir: %w", o.Kind, o.Metadata.Name, err)
		}
		list = append(list, parsed{Object: o, spec: spec, kind: k})
	}
	s.sort(list)
	for _, p := range list {
		s.enact(ctx, p)
	}
	return ctx.Err()
}

// Apply makes the manifest so: parse, validate, resolve references, dry-run each controller, commit everything at once, then
// tell the rooms. An object that would not change is not written. An error means that nothing has changed; only when taking
// a refused file back fails as well does it say that the file is stored.
func (s *Service) Apply(ctx context.Context, manifest []byte, o ApplyOptions) ([]Result, error) {
	list, err := s.parse(manifest)
	if err != nil {
		return nil, err
	}
	s.write.Lock()
	defer s.write.Unlock()
	return s.apply(ctx, list, o)
}

// apply is Apply of a parsed file; the caller holds the write lock.
func (s *Service) apply(ctx context.Context, list []parsed, o ApplyOptions) ([]Result, error) {
	results := make([]Result, len(list))
	inFile := touched{}
	for _, p := range list {
		inFile[p.Ref()] = whole
	}
	s.sort(list)
	now := s.now().UTC().Truncate(time.Microsecond)
	var changes []Change
	var changed []int
	for i := range list {
		p := &list[i]
		if err := s.resolve(*p, inFile); err != nil {
			return nil, err
		}
		old, exists := s.get(p.Ref())
		r := Result{Kind: p.Kind, Name: p.Metadata.Name, Action: Created}
		p.Created, p.Updated = now, now
		if exists {
			p.Created = old.Created
			r.Action, r.Changes = Unchanged, nil
			if !bytes.Equal(old.Spec, p.Spec) || !reflect.DeepEqual(old.Metadata, p.Metadata) {
				r.Action = Updated
				r.Changes = append(diffValues("metadata.labels", anyMap(old.Metadata.Labels), anyMap(p.Metadata.Labels)), diff("spec", old.Spec, p.Spec)...)
			}
		} else {
			r.Changes = diff("spec", nil, p.Spec)
		}
		if r.Action == Unchanged {
			p.Revision, p.Updated = old.Revision, old.Updated
			r.Revision = old.Revision
		} else {
			changes = append(changes, Change{Object: p.Object, Revision: old.Revision})
			changed = append(changed, i)
		}
		results[i] = r
	}
	// Dry runs come after all references are known to resolve. What refers to an object of the same file cannot be tried
	// before that object is there: if its room refuses it then, the whole file is taken back.
	for _, i := range changed {
		p := list[i]
		if s.refersTo(p, inFile) {
			continue
		}
		if err := p.kind.check(ctx, p.Metadata.Name, p.spec); err != nil {
			return nil, fmt.Errorf("%s %q: %w", p.Kind, p.Metadata.Name, err)
		}
	}
	if o.DryRun {
		return results, nil
	}
	if len(changes) > 0 {
		revs, err := s.store.Commit(ctx, changes)
		if err != nil {
			return nil, fmt.Errorf("store %d resources: %w", len(changes), err)
		}
		for n, i := range changed {
			list[i].Revision, results[i].Revision = revs[n], revs[n]
		}
	}
	// The objects are durable now: the client going away must not leave them half enacted.
	ctx = context.WithoutCancel(ctx)
	reenact, before := touched{}, map[Ref]entry{}
	for _, p := range list {
		if old, exists := s.get(p.Ref()); exists {
			before[p.Ref()] = old
		}
	}
	for i, p := range list {
		if results[i].Action == Unchanged && before[p.Ref()].failure == nil {
			continue
		}
		s.enact(ctx, p)
		reenact[p.Ref()] = whole
		if old, was := before[p.Ref()]; was && old.failure == nil {
			reenact[p.Ref()] = p.kind.follows(old.spec, p.spec)
		}
		if e, _ := s.get(p.Ref()); e.failure != nil && results[i].Action != Unchanged {
			return nil, s.takeBack(ctx, list, changed, before, e)
		}
	}
	s.enactDependents(ctx, reenact)
	for i, p := range list {
		e, _ := s.get(p.Ref())
		results[i].State, results[i].Reason = e.state(), e.reason()
	}
	return results, nil
}

// takeBack undoes a file that is stored but that a room refused: objects that were there come back as they were, new ones
// go. It returns the room's error. A crash on the way leaves the file stored, with the refused object marked failed.
func (s *Service) takeBack(ctx context.Context, list []parsed, changed []int, before map[Ref]entry, refused entry) error {
	cause := fmt.Errorf("%s %q: %w", refused.Kind, refused.Metadata.Name, refused.failure)
	changes := make([]Change, len(changed))
	for n, i := range changed {
		changes[n] = Change{Object: list[i].Object, Remove: true, Revision: list[i].Revision}
		if old, ok := before[list[i].Ref()]; ok {
			changes[n].Object, changes[n].Remove = old.Object, false
		}
	}
	revs, err := s.store.Commit(ctx, changes)
	if err != nil {
		return fmt.Errorf("%w; the file is stored all the same, because taking it back failed: %w", cause, err)
	}
	for n := len(changed) - 1; n >= 0; n-- { // what refers goes before what it refers to
		p := list[changed[n]]
		if !changes[n].Remove {
			continue
		}
		s.mu.Lock()
		delete(s.objects, p.Ref())
		s.mu.Unlock()
		if err := p.kind.remove(ctx, p.Metadata.Name); err != nil && !errs.Is(err, errs.NotFound) {
			s.log.Warn("a resource that was taken back did not let go", "kind", p.Kind, "name", p.Metadata.Name, "error", err)
		}
	}
	restored := touched{}
	for n, i := range changed {
		if old, ok := before[list[i].Ref()]; ok {
			old.Revision = revs[n]
			s.enact(ctx, old.parsed)
			restored[old.Ref()] = whole
		}
	}
	s.enactDependents(ctx, restored)
	return cause
}

func anyMap(m map[string]string) any {
	if len(m) == 0 {
		return nil
	}
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

func (e entry) state() string {
	if e.failure != nil {
		return "failed"
	}
	return "ready"
}

func (e entry) reason() string {
	if e.failure != nil {
		return e.failure.Error()
	}
	return ""
}

// enact tells the room and remembers the object with the outcome.
func (s *Service) enact(ctx context.Context, p parsed) {
	e := entry{parsed: p}
	if err := p.kind.apply(ctx, p.Metadata.Name, p.spec); err != nil {
		e.failure = err
		s.log.Warn("resource is stored but not ready", "kind", p.Kind, "name", p.Metadata.Name, "error", err)
	}
	s.mu.Lock()
	s.objects[p.Ref()] = e
	s.mu.Unlock()
}

// reach tells which uses of an object, by their At, a change of it concerns.
type reach func(at string) bool

func whole(string) bool { return true }

// touched are objects that changed, each with its reach.
type touched map[Ref]reach

// enactDependents applies again what a change reaches, directly or not, and was not touched itself: a function must run the
// new bytes of its plugin. It returns what it applied.
func (s *Service) enactDependents(ctx context.Context, changed touched) []Ref {
	s.mu.RLock()
	var all []parsed
	for _, e := range s.objects {
		all = append(all, e.parsed)
	}
	s.mu.RUnlock()
	s.sort(all)
	var out []Ref
	for _, p := range all { // in order of kinds, so one pass reaches dependents of dependents
		if _, done := changed[p.Ref()]; !done && s.refersTo(p, changed) {
			s.enact(ctx, p)
			changed[p.Ref()] = whole
			out = append(out, p.Ref())
		}
	}
	return out
}

func (s *Service) refersTo(p parsed, refs touched) bool {
	return slices.ContainsFunc(p.kind.refs(p.spec), func(r Ref) bool {
		reaches, ok := refs[r.Object()]
		return ok && reaches(r.At)
	})
}

// resolve reports the first reference that neither exists nor is in the file.
func (s *Service) resolve(p parsed, inFile touched) error {
	for _, r := range p.kind.refs(p.spec) {
		k, err := s.kind(r.Kind)
		if err != nil {
			return err
		}
		if _, ok := s.get(r.Object()); !ok && inFile[r.Object()] == nil && !k.exists(r.Name) {
			return errs.New(errs.Invalid, "%s %q refers to %s %q, which does not exist: apply it first or put it in the same file", p.Kind, p.Metadata.Name, r.Kind, r.Name)
		}
	}
	return nil
}

// Get returns one object with its status; errs.NotFound when there is none.
func (s *Service) Get(_ context.Context, kind, name string) (Object, error) {
	k, err := s.kind(kind)
	if err != nil {
		return Object{}, err
	}
	e, ok := s.get(Ref{Kind: k.Name, Name: name})
	if !ok {
		return Object{}, errs.New(errs.NotFound, "%s %q does not exist", k.Name, name)
	}
	return s.show(e), nil
}

// List returns the objects of a kind, or of every kind when kind is empty, by kind and name.
func (s *Service) List(_ context.Context, kind string) ([]Object, error) {
	if kind != "" {
		k, err := s.kind(kind)
		if err != nil {
			return nil, err
		}
		kind = k.Name
	}
	s.mu.RLock()
	var list []entry
	for r, e := range s.objects {
		if kind == "" || r.Kind == kind {
			list = append(list, e)
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(list, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Metadata.Name, b.Metadata.Name))
	})
	out := make([]Object, len(list))
	for i, e := range list {
		out[i] = s.show(e)
	}
	return out, nil
}

// status is what an object's reader sees beside the spec.
type status struct {
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	Detail any    `json:"detail,omitempty"`
}

func (s *Service) show(e entry) Object {
	o := e.Object
	o.Status = status{State: e.state(), Reason: e.reason(), Detail: e.kind.status(o.Metadata.Name)}
	return o
}

// Delete removes an object. It is refused with errs.Conflict while others refer to it; the error names them.
func (s *Service) Delete(ctx context.Context, kind, name string) error {
	s.write.Lock()
	defer s.write.Unlock()
	k, err := s.kind(kind)
	if err != nil {
		return err
	}
	ref := Ref{Kind: k.Name, Name: name}
	e, ok := s.get(ref)
	if !ok {
		return errs.New(errs.NotFound, "%s %q does not exist", k.Name, name)
	}
	stays := k.exists(name) // as itself; its versions and the like go with the object
	if users := s.Users(func(r Ref) bool { return r.Object() == ref && (r.At != "" || !stays) }); len(users) > 0 {
		return errs.New(errs.Conflict, "%s %q is used by %s: delete or change these first", k.Name, name, Names(users))
	}
	if _, err := s.store.Commit(ctx, []Change{{Object: e.Object, Remove: true, Revision: e.Revision}}); err != nil {
		return fmt.Errorf("delete %s %q: %w", k.Name, name, err)
	}
	s.mu.Lock()
	delete(s.objects, ref)
	s.mu.Unlock()
	ctx = context.WithoutCancel(ctx)
	if err := k.remove(ctx, name); err != nil {
		return fmt.Errorf("%s %q is deleted, but its room did not let go: %w", k.Name, name, err)
	}
	s.enactDependents(ctx, touched{ref: whole})
	return nil
}

// Kinds lists the kinds with the JSON Schema of their specs, in apply order.
func (s *Service) Kinds() []KindInfo {
	out := make([]KindInfo, len(s.kinds))
	for i, k := range s.kinds {
		out[i] = KindInfo{Name: k.Name, Schema: k.schema}
	}
	return out
}

func (s *Service) kind(name string) (Kind, error) {
	for _, k := range s.kinds {
		// People write "models" and "model" for Model.
		if n := strings.ToLower(name); n == strings.ToLower(k.Name) || n == strings.ToLower(k.Name)+"s" {
			return k, nil
		}
	}
	return Kind{}, unknownKind(name, s.kinds)
}

func (s *Service) get(r Ref) (entry, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.objects[r]
	return e, ok
}

func (s *Service) sort(list []parsed) {
	slices.SortStableFunc(list, func(a, b parsed) int {
		return cmp.Or(cmp.Compare(a.kind.Order, b.kind.Order), cmp.Compare(a.Metadata.Name, b.Metadata.Name))
	})
}
