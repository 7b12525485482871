// Package runtest is the contract suite of catalog.Store, and an in-memory store that passes it. It is for tests alone.
package runtest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/catalog"
	"github.com/weir-ml/weir/host/errs"
)

// Memory is a catalog.Store in memory.
type Memory struct {
	mu   sync.Mutex
	rev  uint64
	docs map[string]entry
	// Fail, when set, is what Put answers.
	Fail error
}

type entry struct {
	raw      []byte // as JSON, so that nobody shares a slice with the store
	revision uint64
}

var _ catalog.Store = (*Memory)(nil)

// NewMemory makes an empty store.
func NewMemory() *Memory { return &Memory{docs: map[string]entry{}} }

func (e entry) stored() (catalog.Stored, error) {
	s := catalog.Stored{Revision: e.revision}
	return s, json.Unmarshal(e.raw, &s.Plugin)
}

// List implements catalog.Store.
func (m *Memory) List(context.Context) ([]catalog.Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []catalog.Stored
	for _, e := range m.docs {
		s, err := e.stored()
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// Get implements catalog.Store.
func (m *Memory) Get(_ context.Context, name string) (catalog.Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.docs[name]
	if !ok {
		return catalog.Stored{}, errs.New(errs.NotFound, "no %q", name)
	}
	return e.stored()
}

// Put implements catalog.Store.
func (m *Memory) Put(_ context.Context, p catalog.Plugin, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Fail != nil {
		return 0, m.Fail
	}
	if m.docs[p.Name].revision != revision {
		return 0, errs.New(errs.Conflict, "%q changed meanwhile", p.Name)
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	m.rev++
	m.docs[p.Name] = entry{raw, m.rev}
	return m.rev, nil
}

// TestStore checks that a store keeps the contract. newStore makes an empty one.
func TestStore(t *testing.T, newStore func(testing.TB) catalog.Store) {
	ctx := context.Background()
	when := time.Date(2026, 2, 3, 4, 5, 6, 7000, time.UTC)
	doc := func(name string, n int) catalog.Plugin {
		return catalog.Plugin{
			Name: name, Current: n, Next: n + 1, Aliases: map[string]int{"prod": n},
			Versions: []catalog.Version{{Version: n, Digest: "sha256:x", ModuleVersion: "1.2", Size: 7, Worlds: []string{"gate"}, Created: when}},
			Moves:    []catalog.Move{{When: when, What: "current", To: n, Why: catalog.Push}},
		}
	}
	t.Run("what is put is read", func(t *testing.T) {
		s := newStore(t)
		if all, err := s.List(ctx); err != nil || len(all) != 0 {
			t.Fatalf("an empty store lists %v, %v", all, err)
		}
		for _, name := range []string{"a", "b-c_1"} {
			rev, err := s.Put(ctx, doc(name, 3), 0)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Get(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(catalog.Stored{Plugin: doc(name, 3), Revision: rev}, got); d != "" {
				t.Error(d)
			}
		}
		if all, err := s.List(ctx); err != nil || len(all) != 2 {
			t.Errorf("two documents list as %v, %v", all, err)
		}
	})
	t.Run("an unknown name", func(t *testing.T) {
		s := newStore(t)
		for _, name := range []string{"nobody", "", "a b", "x.*"} {
			if _, err := s.Get(ctx, name); !errs.Is(err, errs.NotFound) {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
	t.Run("a stale revision is a conflict and writes nothing", func(t *testing.T) {
		s := newStore(t)
		first, err := s.Put(ctx, doc("a", 1), 0)
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.Put(ctx, doc("a", 2), first)
		if err != nil {
			t.Fatal(err)
		}
		for _, stale := range []uint64{0, first, second + 100} {
			if _, err := s.Put(ctx, doc("a", 9), stale); !errs.Is(err, errs.Conflict) {
				t.Errorf("revision %d: %v, want a conflict", stale, err)
			}
		}
		if got, err := s.Get(ctx, "a"); err != nil || got.Plugin.Current != 2 || got.Revision != second {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("of many writers with one revision exactly one wins", func(t *testing.T) {
		s := newStore(t)
		rev, err := s.Put(ctx, doc("a", 1), 0)
		if err != nil {
			t.Fatal(err)
		}
		const writers = 16
		results := make(chan error, writers)
		for i := range writers {
			go func() {
				_, err := s.Put(ctx, doc("a", i+2), rev)
				if err != nil && !errs.Is(err, errs.Conflict) {
					err = fmt.Errorf("not a conflict: %w", err)
					t.Error(err)
				}
				results <- err
			}()
		}
		won := 0
		for range writers {
			if <-results == nil {
				won++
			}
		}
		if won != 1 {
			t.Errorf("%d writers won", won)
		}
	})
}
