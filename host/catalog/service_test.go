package catalog_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weir-ml/weir/host/catalog"
	"github.com/weir-ml/weir/host/catalog/runtest"
	"github.com/weir-ml/weir/host/errs"
)

var ctx = context.Background()

func digest(n int) string { return fmt.Sprintf("sha256:%064x", n) }

func module(n int) catalog.Module {
	return catalog.Module{Digest: digest(n), ModuleVersion: fmt.Sprintf("1.%d", n), Size: int64(n), Worlds: []string{"gate"}}
}

func open(t testing.TB, store catalog.Store) *catalog.Service {
	t.Helper()
	clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var mu sync.Mutex
	s, err := catalog.New(ctx, store, func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		clock = clock.Add(time.Second)
		return clock
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func record(t testing.TB, s *catalog.Service, name string, n int, why catalog.Why, want int) {
	t.Helper()
	if v, err := s.Record(ctx, name, module(n), why); err != nil || v.Version != want || v.Digest != digest(n) {
		t.Fatalf("record %d: %+v, %v; want version %d", n, v, err, want)
	}
}

func moves(p catalog.Plugin) (out []string) {
	for _, m := range p.Moves {
		out = append(out, fmt.Sprintf("%s %d→%d %s", m.What, m.From, m.To, m.Why))
	}
	return out
}

func TestLife(t *testing.T) {
	store := runtest.NewMemory()
	s := open(t, store)
	if _, err := s.Resolve("p", "1"); !errs.Is(err, errs.NotFound) {
		t.Errorf("a name without versions: %v", err)
	}
	record(t, s, "p", 1, catalog.Push, 1)
	record(t, s, "p", 2, catalog.Push, 2)
	record(t, s, "p", 2, catalog.Push, 2) // again: nothing happens
	record(t, s, "p", 1, catalog.Rollback, 1)
	record(t, s, "p", 3, catalog.Push, 3)
	if _, moved, err := s.SetAlias(ctx, "p", "prod", "1"); err != nil || !moved {
		t.Fatal(moved, err)
	}
	if _, moved, err := s.SetAlias(ctx, "p", "prod", "1"); err != nil || moved {
		t.Errorf("the same alias again: moved %v, %v", moved, err)
	}
	if v, _, err := s.SetAlias(ctx, "p", "stage", "latest"); err != nil || v.Version != 3 {
		t.Errorf("an alias to an alias: %+v, %v", v, err)
	}
	for at, want := range map[string]int{"": 3, "current": 3, "latest": 3, "1": 1, "prod": 1, "stage": 3} {
		if v, err := s.Resolve("p", at); err != nil || v.Version != want {
			t.Errorf("@%s is %d, %v; want %d", at, v.Version, err, want)
		}
	}
	_, err := s.Resolve("p", "nope")
	if !errs.Is(err, errs.NotFound) || !strings.Contains(err.Error(), "versions: 1, 2, 3; aliases: prod=1, stage=3") {
		t.Errorf("%v", err)
	}

	for _, n := range []int{1, 3} { // aliased; current
		if err := s.RemoveVersion(ctx, "p", n); !errs.Is(err, errs.Conflict) {
			t.Errorf("removing %d: %v", n, err)
		}
	}
	if err := s.RemoveVersion(ctx, "p", 2); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveVersion(ctx, "p", 2); !errs.Is(err, errs.NotFound) {
		t.Errorf("removing it twice: %v", err)
	}
	if h := s.Holders(digest(2)); h != nil {
		t.Errorf("a removed version holds its digest: %v", h)
	}
	p, _ := s.Plugin("p")
	if v, err := p.Previous(); err != nil || v.Version != 1 { // 2 is gone
		t.Errorf("before 3 comes %+v, %v", v, err)
	}
	record(t, s, "p", 2, catalog.Push, 2) // the number is the digest's
	p, _ = s.Plugin("p")
	if l, _ := p.Latest(); l.Version != 3 || p.Current != 2 {
		t.Errorf("latest %d, current %d", l.Version, p.Current)
	}
	if err := s.DeleteAlias(ctx, "p", "prod"); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteAlias(ctx, "p", "prod"); !errs.Is(err, errs.NotFound) {
		t.Errorf("deleting it twice: %v", err)
	}
	p, _ = s.Plugin("p")
	if d := cmp.Diff([]string{
		"current 0→1 push", "current 1→2 push", "current 2→1 rollback", "current 1→3 push", "prod 0→1 alias", "stage 0→3 alias", "current 3→2 push", "prod 1→0 alias",
	}, moves(p)); d != "" {
		t.Error(d)
	}

	if err := s.Retire(ctx, "p"); err != nil {
		t.Fatal(err)
	}
	if names := s.Names(); names != nil {
		t.Errorf("a retired name is listed: %v", names)
	}
	record(t, s, "p", 4, catalog.Push, 4) // numbers stay taken
	// A second process over the same store sees the same.
	again, _ := open(t, store).Plugin("p")
	p, _ = s.Plugin("p")
	if d := cmp.Diff(p, again); d != "" {
		t.Error(d)
	}
}

func TestAliasNames(t *testing.T) {
	s := open(t, runtest.NewMemory())
	record(t, s, "p", 1, catalog.Push, 1)
	for _, bad := range []string{"", "1", "12", "latest", "current", "A", "a_b", "-a", "a-", "a@b", strings.Repeat("a", 64)} {
		if _, _, err := s.SetAlias(ctx, "p", bad, "1"); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, good := range []string{"a", "prod", "v2", "2-b"} {
		if _, _, err := s.SetAlias(ctx, "p", good, "1"); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

// A full name takes what it knows, then what removed versions make room for, and says what to do otherwise.
func TestFull(t *testing.T) {
	store := runtest.NewMemory()
	p := catalog.Plugin{Name: "p", Current: 1, Next: catalog.MaxVersions + 1}
	for n := 1; n <= catalog.MaxVersions; n++ {
		p.Versions = append(p.Versions, catalog.Version{Version: n, Digest: digest(n)})
	}
	if _, err := store.Put(ctx, p, 0); err != nil {
		t.Fatal(err)
	}
	s := open(t, store)
	next := catalog.MaxVersions + 1
	if err := s.Admit("p", digest(7)); err != nil {
		t.Errorf("a known digest: %v", err)
	}
	if err := s.Admit("p", digest(next)); !errs.Is(err, errs.Exhausted) {
		t.Errorf("a new digest: %v", err)
	}
	if _, err := s.Record(ctx, "p", module(next), catalog.Push); !errs.Is(err, errs.Exhausted) {
		t.Errorf("a new digest: %v", err)
	}
	if err := s.RemoveVersion(ctx, "p", 2); err != nil {
		t.Fatal(err)
	}
	if err := s.Admit("p", digest(next)); err != nil {
		t.Errorf("a new digest after a removal: %v", err)
	}
	record(t, s, "p", next, catalog.Push, next)
}

// The store fails: nothing is remembered that is not stored.
func TestStoreFails(t *testing.T) {
	store := runtest.NewMemory()
	s := open(t, store)
	record(t, s, "p", 1, catalog.Push, 1)
	store.Fail = errs.New(errs.Unavailable, "the disk is away")
	if _, err := s.Record(ctx, "p", module(2), catalog.Push); !errs.Is(err, errs.Unavailable) {
		t.Errorf("%v", err)
	}
	if p, _ := s.Plugin("p"); p.Current != 1 || len(p.Versions) != 1 {
		t.Errorf("%+v", p)
	}
}

// Two services over one store, as two writers would be: neither loses the other's versions.
func TestOtherWriter(t *testing.T) {
	store := runtest.NewMemory()
	a, b := open(t, store), open(t, store)
	record(t, a, "p", 1, catalog.Push, 1)
	record(t, b, "p", 2, catalog.Push, 2)
	record(t, a, "p", 3, catalog.Push, 3)
	p, _ := a.Plugin("p")
	if len(p.Live()) != 3 || p.Current != 3 {
		t.Errorf("%+v", p)
	}
}

// Sixteen writers at once: numbers are contiguous, a digest has one number, the moves lead from one current to the next.
func TestHammer(t *testing.T) {
	s := open(t, runtest.NewMemory())
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for range 12 {
				why := catalog.Push
				if r.IntN(3) == 0 {
					why = catalog.Rollback
				}
				if _, err := s.Record(ctx, "p", module(1+r.IntN(40)), why); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	p, _ := s.Plugin("p")
	checkPlugin(t, p)
}

// checkPlugin asserts what is always true of a document.
func checkPlugin(t interface{ Errorf(string, ...any) }, p catalog.Plugin) {
	seen := map[string]bool{}
	for i, v := range p.Versions {
		if v.Version != i+1 || seen[v.Digest] {
			t.Errorf("version %d at place %d, digest seen before: %v", v.Version, i, seen[v.Digest])
		}
		seen[v.Digest] = true
	}
	if p.Next != len(p.Versions)+1 {
		t.Errorf("next is %d after %d versions", p.Next, len(p.Versions))
	}
	at := map[string]int{}
	for i, m := range p.Moves {
		if at[m.What] != m.From && i > 0 {
			if _, known := at[m.What]; known {
				t.Errorf("move %d of %s begins at %d, the one before ended at %d", i, m.What, m.From, at[m.What])
			}
		}
		at[m.What] = m.To
	}
	if at["current"] != p.Current {
		t.Errorf("the last move went to %d, current is %d", at["current"], p.Current)
	}
	for a, n := range p.Aliases {
		if _, ok := p.Version(n); !ok || at[a] != n {
			t.Errorf("alias %s points to %d, its last move to %d", a, n, at[a])
		}
	}
	if _, ok := p.Version(p.Current); p.Current != 0 && !ok {
		t.Errorf("the current version %d is not there", p.Current)
	}
}

// Any order of changes keeps the document's rules.
func TestRules(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := open(t, runtest.NewMemory())
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			n := rapid.IntRange(1, 5).Draw(rt, "n")
			alias := rapid.SampledFrom([]string{"prod", "stage"}).Draw(rt, "alias")
			var err error
			switch rapid.IntRange(0, 6).Draw(rt, "step") {
			case 0, 1, 2:
				_, err = s.Record(ctx, "p", module(n), catalog.Push)
			case 3:
				_, _, err = s.SetAlias(ctx, "p", alias, fmt.Sprint(n))
			case 4:
				err = s.DeleteAlias(ctx, "p", alias)
			case 5:
				err = s.RemoveVersion(ctx, "p", n)
			case 6:
				if rapid.IntRange(0, 4).Draw(rt, "retire") == 0 {
					err = s.Retire(ctx, "p")
				}
			}
			if err != nil && !errs.Is(err, errs.NotFound) && !errs.Is(err, errs.Conflict) {
				rt.Fatalf("%v", err)
			}
			p, _ := s.Plugin("p")
			if len(p.Versions) > 0 {
				checkPlugin(rt, p)
			}
		}
	})
}
