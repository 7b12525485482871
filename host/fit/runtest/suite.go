// Package runtest holds the contract of fit.Store as a test suite, and a store in memory that passes it. Tests alone import
// it. Read this file first.
package runtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/fit"
)

// document is a record with every field filled.
func document(name string, n int) fit.Document {
	return fit.Document{
		Name: name, Version: n, Plugin: "standardize", PluginDigest: fmt.Sprintf("sha256:%064x", n), Parameters: json.RawMessage(`{"k":[1,2.5]}`),
		Digest: "sha256:00", Created: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
		Lineage: fit.Lineage{Dataset: "d@1", DatasetDigest: "sha256:11", Rows: 1 << 40, Columns: []string{"a", "ü"}, Options: json.RawMessage(`{"o":1}`),
			Recipe: "standardize/1", Queries: []string{"SELECT 1"}},
	}
}

// TestStore holds a store to the contract of fit.Store. newStore returns an empty one.
func TestStore(t *testing.T, newStore func(t *testing.T) fit.Store) {
	ctx := context.Background()
	refs := func(t *testing.T, s fit.Store, name string) (out []string) {
		t.Helper()
		list, err := s.List(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			out = append(out, d.Ref())
		}
		return out
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
		full := document("a", 1)
		if err := s.Add(ctx, full); err != nil {
			t.Fatal(err)
		}
		full.Lineage.Columns[0], full.Parameters[2] = "changed", 'x' // the store has its own copy
		got, err := s.List(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]fit.Document{document("a", 1)}, got); d != "" {
			t.Error(d)
		}
	})
	t.Run("numbers are dense, given once, and names do not mix", func(t *testing.T) {
		s := newStore(t)
		for _, n := range []int{0, 2} {
			if err := s.Add(ctx, document("a", n)); !errors.Is(err, fit.ErrTaken) {
				t.Errorf("first version %d: %v", n, err)
			}
		}
		for _, name := range []string{"ab", "a-b", "a", "a_b"} {
			for n := 1; n <= 11; n++ {
				if err := s.Add(ctx, document(name, n)); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, n := range []int{1, 11, 13} {
			if err := s.Add(ctx, document("a", n)); !errors.Is(err, fit.ErrTaken) || !errs.Is(err, errs.Conflict) {
				t.Errorf("version %d after 11: %v", n, err)
			}
		}
		if got := refs(t, s, "a"); len(got) != 11 || got[1] != "a@2" || got[10] != "a@11" {
			t.Error(got)
		}
		if got := refs(t, s, ""); len(got) != 44 || got[0] != "a@1" || got[11] != "a-b@1" || got[22] != "a_b@1" || got[43] != "ab@11" {
			t.Error(got)
		}
	})
	t.Run("a deleted number stays given", func(t *testing.T) {
		s := newStore(t)
		for n := 1; n <= 2; n++ {
			if err := s.Add(ctx, document("a", n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Delete(ctx, "a", 2); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(ctx, "a", 2); !errs.Is(err, errs.NotFound) {
			t.Error(err)
		}
		if n, err := s.Last(ctx, "a"); n != 2 || err != nil {
			t.Error(n, err)
		}
		if err := s.Add(ctx, document("a", 2)); !errors.Is(err, fit.ErrTaken) {
			t.Error(err)
		}
		if err := s.Add(ctx, document("a", 3)); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff([]string{"a@1", "a@3"}, refs(t, s, "a")); d != "" {
			t.Error(d)
		}
	})
	t.Run("writers do not collide", func(t *testing.T) {
		s := newStore(t)
		const writers = 12
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for {
					n, err := s.Last(ctx, "a")
					if err == nil {
						err = s.Add(ctx, document("a", n+1))
					}
					if err == nil {
						return
					}
					if !errors.Is(err, fit.ErrTaken) {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		list, err := s.List(ctx, "a")
		if err != nil || len(list) != writers {
			t.Fatal(len(list), err)
		}
		for i, d := range list {
			if d.Version != i+1 {
				t.Errorf("version %d at %d", d.Version, i)
			}
		}
	})
}
