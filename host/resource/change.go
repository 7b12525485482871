package resource

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/weir-ml/weir/host/errs"
)

// Use is one object that refers to another, with its state.
type Use struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Ref is what the object's spec says, such as name, name@3, name@prod.
	Ref    string `json:"ref"`
	State  string `json:"state"`            // ready or failed
	Reason string `json:"reason,omitempty"` // of a failure: the room goes on with what it had before, where it had something
}

// Names lists users for a message, each once: Function scale, Model churn.
func Names(users []Use) string {
	var out []string
	for _, u := range users {
		out = append(out, u.Kind+" "+u.Name)
	}
	return strings.Join(slices.Compact(out), ", ")
}

// Users lists the objects that have a matching reference, by kind and name; one that has several comes once for each text.
func (s *Service) Users(match func(Ref) bool) []Use {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []Use
	for _, e := range s.objects {
		for _, r := range e.kind.refs(e.spec) {
			if match(r) {
				out = append(out, Use{Kind: e.Kind, Name: e.Metadata.Name, Ref: r.String(), State: e.state(), Reason: e.reason()})
			}
		}
	}
	slices.SortFunc(out, func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ref, b.Ref))
	})
	return slices.Compact(out)
}

// Edit applies the manifest that edit makes of one object as it is now. Nothing else is applied between the two, so that a
// change that depends on what was there cannot undo somebody else's. exists false: there is no such object, and o is empty.
func (s *Service) Edit(ctx context.Context, kind, name string, edit func(o Object, exists bool) ([]byte, error)) ([]Result, error) {
	s.write.Lock()
	defer s.write.Unlock()
	k, err := s.kind(kind)
	if err != nil {
		return nil, err
	}
	e, ok := s.get(Ref{Kind: k.Name, Name: name})
	manifest, err := edit(e.Object, ok)
	if err != nil {
		return nil, err
	}
	list, err := s.parse(manifest)
	if err != nil {
		return nil, err
	}
	return s.apply(ctx, list, ApplyOptions{})
}

// Touch runs change, with nothing applied or deleted meanwhile, and then applies again exactly the objects that have one of
// the references it returns, and what depends on those. change must make its own effect durable. Touch returns the state of
// what it applied; an object whose room cannot take the change is failed there, and its room keeps what it had.
func (s *Service) Touch(ctx context.Context, change func(context.Context) ([]Ref, error)) ([]Result, error) {
	s.write.Lock()
	defer s.write.Unlock()
	refs, err := change(ctx)
	if err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // as in Apply: what is durable is enacted
	at := map[Ref][]string{}
	for _, r := range refs {
		if _, err := s.kind(r.Kind); err != nil {
			return nil, errs.With(errs.Internal, err)
		}
		at[r.Object()] = append(at[r.Object()], r.At)
	}
	changed := touched{}
	for o, list := range at {
		changed[o] = func(at string) bool { return slices.Contains(list, at) }
	}
	var out []Result
	for _, r := range s.enactDependents(ctx, changed) {
		e, _ := s.get(r)
		out = append(out, Result{Kind: r.Kind, Name: r.Name, Action: Unchanged, Revision: e.Revision, State: e.state(), Reason: e.reason()})
	}
	return out, nil
}
