// Package runtest is the contract suite of resource.Store, and an in-memory store that passes it. It is for tests alone.
package runtest

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/resource"
)

// Memory is a resource.Store in memory.
type Memory struct {
	mu   sync.Mutex
	rev  uint64
	objs map[resource.Ref]resource.Object
	// Fail, when set, is what Commit answers.
	Fail error
}

var _ resource.Store = (*Memory)(nil)

// NewMemory makes an empty store.
func NewMemory() *Memory { return &Memory{objs: map[resource.Ref]resource.Object{}} }

// List returns every object.
func (m *Memory) List(context.Context) ([]resource.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []resource.Object
	for _, o := range m.objs {
		out = append(out, o)
	}
	return out, nil
}

// Commit makes all changes or none.
func (m *Memory) Commit(_ context.Context, changes []resource.Change) ([]uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Fail != nil {
		return nil, m.Fail
	}
	for _, c := range changes {
		if m.objs[c.Object.Ref()].Revision != c.Revision {
			return nil, errs.New(errs.Conflict, "%v changed meanwhile", c.Object.Ref())
		}
	}
	revs := make([]uint64, len(changes))
	for i, c := range changes {
		m.rev++
		revs[i] = m.rev
		o := c.Object
		o.Revision = m.rev
		m.objs[o.Ref()] = o
		if c.Remove {
			delete(m.objs, o.Ref())
		}
	}
	return revs, nil
}

// TestStore checks that a store keeps the contract. newStore makes an empty one.
func TestStore(t *testing.T, newStore func(testing.TB) resource.Store) {
	ctx := context.Background()
	obj := func(name, spec string) resource.Object {
		return resource.Object{APIVersion: resource.APIVersion, Kind: "Thing", Metadata: resource.Metadata{Name: name}, Spec: json.RawMessage(spec)}
	}
	find := func(t *testing.T, s resource.Store, name string) (resource.Object, bool) {
		t.Helper()
		all, err := s.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range all {
			if o.Metadata.Name == name {
				return o, true
			}
		}
		return resource.Object{}, false
	}
	t.Run("several objects in one commit", func(t *testing.T) {
		s := newStore(t)
		revs, err := s.Commit(ctx, []resource.Change{{Object: obj("a", `{"x":1}`)}, {Object: obj("b", `{"x":2}`)}})
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range []string{"a", "b"} {
			if o, ok := find(t, s, n); !ok || o.Revision != revs[i] {
				t.Errorf("%s has revision %d, commit said %d", n, o.Revision, revs[i])
			}
		}
	})
	t.Run("a stale member refuses the whole commit", func(t *testing.T) {
		s := newStore(t)
		revs, err := s.Commit(ctx, []resource.Change{{Object: obj("a", `{"x":1}`)}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Commit(ctx, []resource.Change{{Object: obj("b", `{}`)}, {Object: obj("a", `{"x":2}`), Revision: revs[0] + 7}})
		if !errs.Is(err, errs.Conflict) {
			t.Errorf("got %v, want a conflict", err)
		}
		if _, ok := find(t, s, "b"); ok {
			t.Error("half of a refused commit was written")
		}
	})
	t.Run("creating what exists is a conflict", func(t *testing.T) {
		s := newStore(t)
		for i, want := range []bool{false, true} {
			_, err := s.Commit(ctx, []resource.Change{{Object: obj("a", `{}`)}})
			if (err != nil) != want || want && !errs.Is(err, errs.Conflict) {
				t.Errorf("commit %d: %v", i, err)
			}
		}
	})
	t.Run("removed objects are gone and can come back", func(t *testing.T) {
		s := newStore(t)
		revs, err := s.Commit(ctx, []resource.Change{{Object: obj("a", `{}`)}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Commit(ctx, []resource.Change{{Object: obj("a", `{}`), Remove: true, Revision: revs[0]}}); err != nil {
			t.Fatal(err)
		}
		if _, ok := find(t, s, "a"); ok {
			t.Error("a removed object is listed")
		}
		if _, err := s.Commit(ctx, []resource.Change{{Object: obj("a", `{}`)}}); err != nil {
			t.Errorf("creating it again: %v", err)
		}
	})
}
