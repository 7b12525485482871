// Package runtest holds the contracts of monitor's stores as test suites, and Memory, a fake that passes them, for other
// rooms' tests.
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
	"github.com/weir-ml/weir/host/monitor"
)

// Interface guards.
var (
	_ monitor.Reports = (*Memory)(nil)
	_ monitor.Cache   = (*Memory)(nil)
)

// Memory implements monitor.Reports and monitor.Cache; the zero value is empty. It keeps JSON, so that what cannot be stored
// is noticed.
type Memory struct {
	mu      sync.Mutex
	reports map[string][]byte
	cache   map[string][]byte
}

// PutReport implements monitor.Reports.
func (m *Memory) PutReport(_ context.Context, r monitor.Report) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reports[r.ID] != nil {
		return errs.New(errs.Exists, "report %q exists", r.ID)
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if m.reports == nil {
		m.reports = map[string][]byte{}
	}
	m.reports[r.ID] = b
	return nil
}

// Report implements monitor.Reports.
func (m *Memory) Report(_ context.Context, id string) (r monitor.Report, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reports[id] == nil {
		return r, errs.New(errs.NotFound, "report %q not found", id)
	}
	err = json.Unmarshal(m.reports[id], &r)
	return r, err
}

// Reports implements monitor.Reports.
func (m *Memory) Reports(ctx context.Context, name string, limit int) ([]monitor.Report, error) {
	m.mu.Lock()
	var ids []string
	for id := range m.reports {
		if strings.HasPrefix(id, name+".") {
			ids = append(ids, id)
		}
	}
	m.mu.Unlock()
	slices.Sort(ids)
	slices.Reverse(ids)
	if limit > 0 && len(ids) > limit {
		ids = ids[:limit]
	}
	out := make([]monitor.Report, 0, len(ids))
	for _, id := range ids {
		r, err := m.Report(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Load implements monitor.Cache.
func (m *Memory) Load(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.cache[key]), nil
}

// Save implements monitor.Cache.
func (m *Memory) Save(_ context.Context, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cache == nil {
		m.cache = map[string][]byte{}
	}
	m.cache[key] = slices.Clone(value)
	return nil
}

// Entries counts the cached entries.
func (m *Memory) Entries() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.cache)
}

// Spoil damages every cached entry.
func (m *Memory) Spoil() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.cache {
		m.cache[k] = []byte("{")
	}
}

// TestReports runs the contract of monitor.Reports.
func TestReports(t *testing.T, open func(t *testing.T) monitor.Reports) {
	report := func(name string, n int) monitor.Report {
		v := 0.25
		return monitor.Report{
			ID: fmt.Sprintf("%s.2026-%02d", name, n), Monitor: name, Verdict: monitor.Drift, Drifted: true, DriftedColumns: []string{"a"}, Share: 0.5,
			Columns: []monitor.ColumnReport{
				{Column: "a", Score: "psi", Value: &v, Verdict: monitor.Drift, Drifted: true, ReferenceValues: 9, CurrentValues: 8, Detail: map[string]any{"bins": 10.0}},
				{Column: "b", Verdict: monitor.Insufficient, Note: "no value"},
			},
			Reference: monitor.Sample{Ref: "d@1", Digest: "sha256:aa", Rows: 9}, Current: monitor.Sample{Ref: "rows", Rows: 8},
			Plugin: "psi", Threshold: 0.2, MinRows: 1, Started: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), DurationMS: 1.5,
		}
	}
	t.Run("a report reads back as it was stored", func(t *testing.T) {
		s := open(t)
		want := report("m", 1)
		if err := s.PutReport(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		got, err := s.Report(t.Context(), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-stored +read):\n%s", diff)
		}
		if err := s.PutReport(t.Context(), want); !errs.Is(err, errs.Exists) {
			t.Errorf("a second report of that ID: %v, want Exists", err)
		}
		for _, id := range []string{"", "m.x", "a b", "..", "ü"} {
			if _, err := s.Report(t.Context(), id); !errs.Is(err, errs.NotFound) {
				t.Errorf("Report(%q): %v, want NotFound", id, err)
			}
		}
	})
	t.Run("a monitor lists its own, newest first", func(t *testing.T) {
		s := open(t)
		for _, n := range []int{2, 1, 3} {
			for _, m := range []string{"m", "m2"} {
				if err := s.PutReport(t.Context(), report(m, n)); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, c := range []struct {
			name  string
			limit int
			want  []string
		}{
			{"m", 0, []string{"m.2026-03", "m.2026-02", "m.2026-01"}},
			{"m", 1, []string{"m.2026-03"}},
			{"none", 5, []string{}},
			{"a b", 5, []string{}},
		} {
			got, err := s.Reports(t.Context(), c.name, c.limit)
			if err != nil {
				t.Fatal(err)
			}
			ids := []string{}
			for _, r := range got {
				ids = append(ids, r.ID)
			}
			if diff := cmp.Diff(c.want, ids); diff != "" {
				t.Errorf("Reports(%q, %d) (-want +got):\n%s", c.name, c.limit, diff)
			}
		}
	})
}

// TestCache runs the contract of monitor.Cache.
func TestCache(t *testing.T, open func(t *testing.T) monitor.Cache) {
	c := open(t)
	if b, err := c.Load(t.Context(), "00ff"); b != nil || err != nil {
		t.Errorf("Load of nothing: %q, %v", b, err)
	}
	for _, v := range []string{"one", "two"} {
		if err := c.Save(t.Context(), "00ff", []byte(v)); err != nil {
			t.Fatal(err)
		}
		if b, err := c.Load(t.Context(), "00ff"); string(b) != v || err != nil {
			t.Errorf("Load: %q, %v; want %q", b, err, v)
		}
	}
	if b, err := c.Load(t.Context(), "00fe"); b != nil || err != nil {
		t.Errorf("Load of another key: %q, %v", b, err)
	}
}
