// Package datasetstest holds the contract of datasets.Store as a test suite, and a store in memory that passes it. Tests
// alone import it. Read suite.go first.
package datasetstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/datasets"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// version is a record with every field filled.
func version(name string, n int) datasets.Version {
	return datasets.Version{
		Name: name, Version: n, Digest: fmt.Sprintf("sha256:%064x", n), Rows: int64(n) * 10, Bytes: 1 << 40, Source: "héllo",
		Columns: []abi.Field{{Name: "x", Type: abi.Float64}, {Name: "v", Type: abi.FloatVector, ListSize: 3}},
		Created: time.Date(2024, 1, 2, 3, 4, 5, 6000, time.UTC),
		Lineage: &datasets.Lineage{SQL: "SELECT 1", Inputs: []string{"a@1"}, InputDigests: map[string]string{"a@1": "sha256:00"},
			Functions: []datasets.FunctionLineage{{Name: "f", Plugin: "p", Digest: "sha256:11", Parameters: json.RawMessage(`{"k":1}`)}}},
	}
}

// TestStore holds a store to the contract of datasets.Store. newStore returns an empty one.
func TestStore(t *testing.T, newStore func(t *testing.T) datasets.Store) {
	ctx := context.Background()
	refs := func(t *testing.T, s datasets.Store, name string) (out []string) {
		t.Helper()
		list, err := s.List(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range list {
			out = append(out, v.Ref())
		}
		return out
	}
	add := func(t *testing.T, s datasets.Store, v datasets.Version) {
		t.Helper()
		if err := s.Add(ctx, v); err != nil {
			t.Fatalf("add %s: %v", v.Ref(), err)
		}
	}
	t.Run("empty", func(t *testing.T) {
		s := newStore(t)
		if n, err := s.Last(ctx, "a"); n != 0 || err != nil {
			t.Error(n, err)
		}
		if got := append(refs(t, s, "a"), refs(t, s, "")...); len(got) != 0 {
			t.Error(got)
		}
		if err := s.Delete(ctx, "a", 1); !errs.Is(err, errs.NotFound) {
			t.Error(err)
		}
	})
	t.Run("values come back as they were", func(t *testing.T) {
		s := newStore(t)
		full, bare := version("a", 1), datasets.Version{Name: "a", Version: 2}
		add(t, s, full)
		add(t, s, bare)
		full.Columns[0].Name, full.Lineage.Inputs[0] = "changed", "changed" // the store has its own copy
		got, err := s.List(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]datasets.Version{version("a", 1), bare}, got); d != "" {
			t.Error(d)
		}
	})
	t.Run("numbers are dense and given once", func(t *testing.T) {
		s := newStore(t)
		for _, n := range []int{0, 2} {
			if err := s.Add(ctx, version("a", n)); !errors.Is(err, datasets.ErrTaken) {
				t.Errorf("first version %d: %v", n, err)
			}
		}
		for n := 1; n <= 12; n++ {
			add(t, s, version("a", n))
		}
		for _, n := range []int{1, 12, 14} {
			if err := s.Add(ctx, version("a", n)); !errors.Is(err, datasets.ErrTaken) || !errs.Is(err, errs.Conflict) {
				t.Errorf("version %d after 12: %v", n, err)
			}
		}
		if got := refs(t, s, "a"); len(got) != 12 || got[1] != "a@2" || got[9] != "a@10" || got[11] != "a@12" {
			t.Error(got)
		}
	})
	t.Run("names do not mix", func(t *testing.T) {
		s := newStore(t)
		for _, n := range []string{"ab", "a", "a-b", "a_b", "b"} {
			add(t, s, version(n, 1))
		}
		add(t, s, version("a", 2))
		if d := cmp.Diff([]string{"a@1", "a@2"}, refs(t, s, "a")); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]string{"a@1", "a@2", "a-b@1", "a_b@1", "ab@1", "b@1"}, refs(t, s, "")); d != "" {
			t.Error(d)
		}
	})
	t.Run("a deleted number stays given", func(t *testing.T) {
		s := newStore(t)
		for n := 1; n <= 3; n++ {
			add(t, s, version("a", n))
		}
		for _, n := range []int{2, 3} {
			if err := s.Delete(ctx, "a", n); err != nil {
				t.Fatal(err)
			}
			if err := s.Delete(ctx, "a", n); !errs.Is(err, errs.NotFound) {
				t.Error(err)
			}
		}
		if d := cmp.Diff([]string{"a@1"}, refs(t, s, "a")); d != "" {
			t.Error(d)
		}
		if err := s.Add(ctx, version("a", 3)); !errors.Is(err, datasets.ErrTaken) {
			t.Error(err)
		}
		if err := s.Delete(ctx, "a", 1); err != nil {
			t.Fatal(err)
		}
		if got := refs(t, s, ""); len(got) != 0 {
			t.Error(got)
		}
		if n, err := s.Last(ctx, "a"); n != 3 || err != nil {
			t.Error(n, err)
		}
		add(t, s, version("a", 4))
	})
	t.Run("writers do not collide", func(t *testing.T) {
		s := newStore(t)
		const writers = 16
		var wg sync.WaitGroup
		for range writers {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for {
					n, err := s.Last(ctx, "a")
					if err == nil {
						err = s.Add(ctx, version("a", n+1))
					}
					if err == nil {
						return
					}
					if !errors.Is(err, datasets.ErrTaken) {
						t.Error(err)
						return
					}
				}
			}()
		}
		wg.Wait()
		list, err := s.List(ctx, "a")
		if err != nil || len(list) != writers {
			t.Fatal(len(list), err)
		}
		for i, v := range list {
			if v.Version != i+1 {
				t.Errorf("version %d at %d", v.Version, i)
			}
		}
	})
}
