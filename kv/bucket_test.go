package kv_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv"
	"github.com/weir-ml/weir/kv/kvtest"
)

func bucket(t testing.TB, s *kv.Store, c kv.BucketConfig) *kv.Bucket {
	t.Helper()
	b, err := s.Bucket(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantKind(t *testing.T, err error, kind errs.Kind) {
	t.Helper()
	if !errs.Is(err, kind) {
		t.Fatalf("error %v, want kind %v", err, kind)
	}
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestBucketLife(t *testing.T) {
	ctx := t.Context()
	b := bucket(t, kvtest.Open(t), kv.BucketConfig{Name: "things", History: 5})
	rev := must[uint64](t)

	_, err := b.Get(ctx, "a.b")
	wantKind(t, err, errs.NotFound)
	r1 := rev(b.Create(ctx, "a.b", []byte("one")))
	_, err = b.Create(ctx, "a.b", []byte("again"))
	wantKind(t, err, errs.Exists)
	if !errors.Is(err, kv.ErrExists) {
		t.Fatalf("%v is not ErrExists", err)
	}
	r2 := rev(b.Update(ctx, "a.b", []byte("two"), r1))
	_, err = b.Update(ctx, "a.b", []byte("late"), r1)
	wantKind(t, err, errs.Conflict)
	if !errors.Is(err, kv.ErrStale) {
		t.Fatalf("%v is not ErrStale", err)
	}
	if want := fmt.Sprintf(`bucket things, key "a.b": expected revision %d, found revision %d`, r1, r2); !strings.Contains(err.Error(), want) {
		t.Errorf("error %q does not say %q", err, want)
	}
	e, err := b.Get(ctx, "a.b")
	if err != nil || string(e.Value) != "two" || e.Revision != r2 || e.Key != "a.b" || e.Created.IsZero() {
		t.Fatalf("get: %+v, %v", e, err)
	}
	if err := b.Delete(ctx, "a.b", r1); !errors.Is(err, kv.ErrStale) {
		t.Fatalf("delete at an old revision: %v", err)
	}
	if err := b.Delete(ctx, "a.b", r2); err != nil {
		t.Fatal(err)
	}
	_, err = b.Get(ctx, "a.b")
	wantKind(t, err, errs.NotFound)
	if r4 := rev(b.Create(ctx, "a.b", []byte("reborn"))); r4 <= r2 {
		t.Fatalf("revision %d after %d", r4, r2)
	}
	h, err := b.History(ctx, "a.b")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range h {
		got = append(got, fmt.Sprintf("%s %v", e.Value, e.Deleted))
	}
	if diff := cmp.Diff([]string{"one false", "two false", " true", "reborn false"}, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	_, err = b.History(ctx, "nothing")
	wantKind(t, err, errs.NotFound)
}

func TestCommitIsAllOrNothing(t *testing.T) {
	ctx := t.Context()
	b := bucket(t, kvtest.Open(t), kv.BucketConfig{Name: "b"})
	rev := must[uint64](t)
	last := rev(b.Commit(ctx, kv.Op{Key: "x", Value: []byte("x1")}, kv.Op{Key: "y", Value: []byte("y1"), Expect: kv.Absent}))
	x, err := b.Get(ctx, "x")
	if err != nil || x.Revision != last-1 {
		t.Fatalf("x at %d of a commit that ended at %d: %v", x.Revision, last, err)
	}
	_, err = b.Commit(ctx, kv.Op{Key: "x", Value: []byte("x2"), Expect: kv.Revision(x.Revision)}, kv.Op{Key: "y", Value: []byte("y2"), Expect: kv.Revision(x.Revision)})
	if !errors.Is(err, kv.ErrStale) {
		t.Fatalf("one stale key: %v", err)
	}
	_, err = b.Commit(ctx, kv.Op{Key: "new", Value: []byte("n")}, kv.Op{Key: "y", Value: []byte("y2"), Expect: kv.Absent})
	if !errors.Is(err, kv.ErrStale) || !errors.Is(err, kv.ErrExists) || !errs.Is(err, errs.Conflict) {
		t.Fatalf("one key that is there: %v", err)
	}
	list, err := b.List(ctx, "")
	if err != nil || len(list) != 2 || string(list[0].Value) != "x1" || string(list[1].Value) != "y1" {
		t.Fatalf("after refused commits: %v, %v", list, err)
	}
	rev(b.Commit(ctx, kv.Op{Key: "x", Delete: true}, kv.Op{Key: "y", Value: []byte("y3"), Expect: kv.Revision(last)}))
	rev(b.Commit(ctx, kv.Op{Key: "x", Value: []byte("x3"), Expect: kv.Absent}, kv.Op{Key: "z", Value: []byte("z"), Expect: kv.Revision(0)}))
	list, err = b.List(ctx, "")
	if err != nil || len(list) != 3 {
		t.Fatalf("after a delete and a rebirth: %v, %v", list, err)
	}
}

func TestBucketList(t *testing.T) {
	ctx := t.Context()
	b := bucket(t, kvtest.Open(t), kv.BucketConfig{Name: "b"})
	for _, k := range []string{"model.z", "model.a", "modelling.x", "run.1", "model.a.deep"} {
		must[uint64](t)(b.Put(ctx, k, []byte(k)))
	}
	must[uint64](t)(b.Put(ctx, "model.gone", nil))
	if err := b.Delete(ctx, "model.gone", 0); err != nil {
		t.Fatal(err)
	}
	keys := func(prefix string) []string {
		l, err := b.List(ctx, prefix)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, e := range l {
			out = append(out, e.Key)
		}
		return out
	}
	if diff := cmp.Diff([]string{"model.a", "model.a.deep", "model.z"}, keys("model.")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string(nil), keys("none.")); diff != "" {
		t.Error(diff)
	}
	_, err := b.List(ctx, "model")
	wantKind(t, err, errs.Invalid)

	// More keys than one answer of the server may hold.
	for i := 0; i < 1500; i += 500 {
		var ops []kv.Op
		for j := i; j < i+500; j++ {
			ops = append(ops, kv.Op{Key: fmt.Sprintf("many.%04d", j), Value: []byte("v")})
		}
		must[uint64](t)(b.Commit(ctx, ops...))
	}
	many := keys("many.")
	if len(many) != 1500 || many[0] != "many.0000" || many[1499] != "many.1499" {
		t.Fatalf("%d keys of 1500", len(many))
	}
}

func TestBucketRefusals(t *testing.T) {
	ctx := t.Context()
	s := kvtest.Open(t)
	b := bucket(t, s, kv.BucketConfig{Name: "b"})
	for _, key := range []string{"", ".a", "a.", "a..b", "a b", "a*", ">", "ä", "a\n", strings.Repeat("k", kv.MaxKey+1)} {
		_, err := b.Put(ctx, key, nil)
		wantKind(t, err, errs.Invalid)
		_, err = b.Get(ctx, key)
		wantKind(t, err, errs.Invalid)
	}
	_, err := b.Put(ctx, "big", make([]byte, kv.MaxValue+1))
	wantKind(t, err, errs.Invalid)
	for _, word := range []string{"8388609", "8388608", "big"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not name %s", err, word)
		}
	}
	big := bytes.Repeat([]byte{7}, kv.MaxValue)
	must[uint64](t)(b.Put(ctx, strings.Repeat("k", kv.MaxKey), big))
	if e, err := b.Get(ctx, strings.Repeat("k", kv.MaxKey)); err != nil || !bytes.Equal(e.Value, big) {
		t.Fatalf("the largest value under the longest key: %v", err)
	}
	must[uint64](t)(b.Commit(ctx, kv.Op{Key: "big1", Value: big, Expect: kv.Absent}, kv.Op{Key: "big2", Value: big}))
	for name, ops := range map[string][]kv.Op{
		"none":        nil,
		"twice":       {{Key: "k"}, {Key: "k"}},
		"too many":    make([]kv.Op, kv.MaxBatch+1),
		"delete with": {{Key: "k", Delete: true, Value: []byte("v")}},
	} {
		if _, err := b.Commit(ctx, ops...); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "a.b", "a b", "a/b", strings.Repeat("n", 300)} {
		_, err := s.Bucket(ctx, kv.BucketConfig{Name: name})
		wantKind(t, err, errs.Invalid)
	}
	_, err = s.Bucket(ctx, kv.BucketConfig{Name: "h", History: 65})
	wantKind(t, err, errs.Invalid)

	full := bucket(t, s, kv.BucketConfig{Name: "full", MaxBytes: 4096})
	must[uint64](t)(full.Put(ctx, "a", make([]byte, 3000)))
	_, err = full.Put(ctx, "b", make([]byte, 3000))
	wantKind(t, err, errs.Exhausted)
	_, err = full.Commit(ctx, kv.Op{Key: "b", Value: make([]byte, 3000)}, kv.Op{Key: "c"})
	wantKind(t, err, errs.Exhausted)
}

// Writers move one unit between two accounts with multi-key commits; the sum must hold, and the number of successes is the
// number of moves.
func TestCommitHammer(t *testing.T) {
	ctx := t.Context()
	b := bucket(t, kvtest.Open(t), kv.BucketConfig{Name: "bank"})
	must[uint64](t)(b.Commit(ctx, kv.Op{Key: "a", Value: []byte("1000")}, kv.Op{Key: "b", Value: []byte("0")}))
	const writers, moves = 8, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for done := 0; done < moves; {
				x, err := b.Get(ctx, "a")
				y, err2 := b.Get(ctx, "b")
				if err != nil || err2 != nil {
					t.Error(err, err2)
					return
				}
				var p, q int
				_, _ = fmt.Sscan(string(x.Value), &p)
				_, _ = fmt.Sscan(string(y.Value), &q)
				_, err = b.Commit(ctx, kv.Op{Key: "a", Value: fmt.Append(nil, p-1), Expect: kv.Revision(x.Revision)},
					kv.Op{Key: "b", Value: fmt.Append(nil, q+1), Expect: kv.Revision(y.Revision)},
					kv.Op{Key: fmt.Sprintf("noise.%d", w), Value: []byte("n")})
				switch {
				case err == nil:
					done++
				case !errors.Is(err, kv.ErrStale):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	x, _ := b.Get(ctx, "a")
	y, _ := b.Get(ctx, "b")
	if string(x.Value) != fmt.Sprint(1000-writers*moves) || string(y.Value) != fmt.Sprint(writers*moves) {
		t.Fatalf("a = %s, b = %s after %d moves", x.Value, y.Value, writers*moves)
	}
}

// In a crowd most of which is bound to lose, every write gets its own answer: losers lose, strangers win, and of those who
// create the same key exactly one does.
func TestGroupIsFair(t *testing.T) {
	ctx := t.Context()
	b := bucket(t, kvtest.Open(t), kv.BucketConfig{Name: "crowd"})
	must[uint64](t)(b.Put(ctx, "taken", []byte("v")))
	for round := range 10 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		created := 0
		for i := range 64 {
			wg.Go(func() {
				var err error
				switch i % 4 {
				case 0:
					if _, err = b.Create(ctx, "taken", nil); !errors.Is(err, kv.ErrExists) {
						t.Errorf("create of a taken key: %v", err)
					}
				case 1:
					if _, err = b.Update(ctx, fmt.Sprintf("never.%d", i), nil, 1<<40); !errors.Is(err, kv.ErrStale) {
						t.Errorf("update at a revision that never was: %v", err)
					}
				case 2:
					if _, err = b.Put(ctx, fmt.Sprintf("stranger.%d.%d", round, i), []byte("v")); err != nil {
						t.Errorf("a stranger failed: %v", err)
					}
				case 3:
					if _, err = b.Create(ctx, fmt.Sprintf("race.%d", round), fmt.Append(nil, i)); err == nil {
						mu.Lock()
						created++
						mu.Unlock()
					} else if !errors.Is(err, kv.ErrExists) {
						t.Errorf("race: %v", err)
					}
				}
			})
		}
		wg.Wait()
		if created != 1 {
			t.Fatalf("round %d: %d creators of one key", round, created)
		}
		l, err := b.List(ctx, fmt.Sprintf("stranger.%d.", round))
		if err != nil || len(l) != 16 {
			t.Fatalf("round %d: %d strangers, %v", round, len(l), err)
		}
	}
}

func TestTyped(t *testing.T) {
	ctx := t.Context()
	type model struct {
		Name  string
		Stage int
	}
	b := bucket(t, kvtest.Open(t), kv.BucketConfig{Name: "b"})
	m := kv.NewTyped[model](b, "model.")
	r1 := must[uint64](t)(m.Create(ctx, "iris", model{"iris", 1}))
	_, err := m.Create(ctx, "iris", model{})
	wantKind(t, err, errs.Exists)
	r2 := must[uint64](t)(m.Update(ctx, "iris", model{"iris", 2}, r1))
	got, rev, err := m.Get(ctx, "iris")
	if err != nil || rev != r2 || got != (model{"iris", 2}) {
		t.Fatalf("%v %d %v", got, rev, err)
	}
	op, err := m.Op("wine", model{"wine", 0}, kv.Absent)
	if err != nil {
		t.Fatal(err)
	}
	must[uint64](t)(b.Commit(ctx, op, kv.Op{Key: "other.thing", Value: []byte("x")}))
	list, err := m.List(ctx)
	if err != nil || len(list) != 2 || list[0].Key != "iris" || list[1].Value.Name != "wine" {
		t.Fatalf("%v %v", list, err)
	}
	if err := m.Delete(ctx, "iris", r2); err != nil {
		t.Fatal(err)
	}
	_, _, err = m.Get(ctx, "iris")
	wantKind(t, err, errs.NotFound)
	_, _, err = kv.NewTyped[model](b, "other.").Get(ctx, "thing")
	wantKind(t, err, errs.Internal)
	_, err = kv.NewTyped[model](b, "model").Put(ctx, "iris", model{})
	wantKind(t, err, errs.Invalid)
	_, err = kv.NewTyped[chan int](b, "x.").Put(ctx, "c", nil)
	wantKind(t, err, errs.Invalid)
}
