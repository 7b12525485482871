// Package runtest holds the contract of gates.Store as a test suite, and Memory, a fake that passes it, for other rooms' tests.
package runtest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/gates"
)

// Interface guard.
var _ gates.Store = (*Memory)(nil)

// Memory implements gates.Store; the zero value is empty. It keeps JSON, so that what cannot be stored is noticed.
type Memory struct {
	mu  sync.Mutex
	all map[string][]byte
}

// Put implements gates.Store.
func (m *Memory) Put(_ context.Context, d gates.Decision) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all[d.ID] != nil {
		return errs.New(errs.Exists, "decision %q exists", d.ID)
	}
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if m.all == nil {
		m.all = map[string][]byte{}
	}
	m.all[d.ID] = b
	return nil
}

// Get implements gates.Store.
func (m *Memory) Get(_ context.Context, id string) (d gates.Decision, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all[id] == nil {
		return d, errs.New(errs.NotFound, "decision %q not found", id)
	}
	err = json.Unmarshal(m.all[id], &d)
	return d, err
}

// List implements gates.Store.
func (m *Memory) List(ctx context.Context, gate string, limit int) ([]gates.Decision, error) {
	m.mu.Lock()
	var ids []string
	for id := range m.all {
		if strings.HasPrefix(id, gate+".") {
			ids = append(ids, id)
		}
	}
	m.mu.Unlock()
	slices.Sort(ids)
	slices.Reverse(ids)
	if limit > 0 && len(ids) > limit {
		ids = ids[:limit]
	}
	out := make([]gates.Decision, 0, len(ids))
	for _, id := range ids {
		d, err := m.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// TestStore runs the contract.
func TestStore(t *testing.T, open func(t *testing.T) gates.Store) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	decision := func(gate string, n int) gates.Decision {
		return gates.Decision{
			ID: fmt.Sprintf("%s.2026-%02d", gate, n), Gate: gate, Outcome: gates.Fail, Reasons: []string{"too low"},
			Findings: map[string]any{"gain": -0.5}, Plugin: "p", Digest: "sha256:ab", Parameters: json.RawMessage(`{"a":1}`),
			Evidence: gates.Evidence{Context: json.RawMessage(`{"candidate":{"name":"m"}}`), SHA256: "sha256:cd"}, When: at, DurationMS: 1.5,
		}
	}
	ids := func(ds []gates.Decision) []string {
		out := []string{}
		for _, d := range ds {
			out = append(out, d.ID)
		}
		return out
	}
	t.Run("a decision reads back as it was stored", func(t *testing.T) {
		s := open(t)
		want := decision("g", 1)
		if err := s.Put(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(t.Context(), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-stored +read):\n%s", diff)
		}
		other := want
		other.Outcome = gates.Pass
		if err := s.Put(t.Context(), other); !errs.Is(err, errs.Exists) {
			t.Errorf("a second decision of that ID: %v, want Exists", err)
		}
		if got, _ := s.Get(t.Context(), want.ID); got.Outcome != gates.Fail {
			t.Errorf("the stored decision changed to %s", got.Outcome)
		}
	})
	t.Run("unknown decisions are not found", func(t *testing.T) {
		s := open(t)
		for _, id := range []string{"", "g.1", "a b", "..", "ü"} {
			if _, err := s.Get(t.Context(), id); !errs.Is(err, errs.NotFound) {
				t.Errorf("Get(%q): %v, want NotFound", id, err)
			}
		}
	})
	t.Run("a gate lists its own, newest first", func(t *testing.T) {
		s := open(t)
		for _, n := range []int{2, 1, 3} {
			for _, g := range []string{"g", "g2"} {
				if err := s.Put(t.Context(), decision(g, n)); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, c := range []struct {
			gate  string
			limit int
			want  []string
		}{
			{"g", 0, []string{"g.2026-03", "g.2026-02", "g.2026-01"}},
			{"g", 2, []string{"g.2026-03", "g.2026-02"}},
			{"none", 5, []string{}},
			{"a b", 5, []string{}},
		} {
			got, err := s.List(t.Context(), c.gate, c.limit)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, ids(got)); diff != "" {
				t.Errorf("List(%q, %d) (-want +got):\n%s", c.gate, c.limit, diff)
			}
		}
	})
}
