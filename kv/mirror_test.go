package kv_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv"
	"github.com/weir-ml/weir/kv/kvtest"
)

func mirror(t testing.TB, b *kv.Bucket, c kv.MirrorConfig) *kv.Mirror {
	t.Helper()
	m, err := b.Mirror(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMirror(t *testing.T) {
	ctx := t.Context()
	b := bucket(t, kvtest.Open(t), kv.BucketConfig{Name: "b"})
	rev := must[uint64](t)
	rev(b.Put(ctx, "m.a", []byte("1")))
	rev(b.Put(ctx, "other.a", []byte("1")))
	rev(b.Put(ctx, "m.gone", []byte("1")))
	if err := b.Delete(ctx, "m.gone", 0); err != nil {
		t.Fatal(err)
	}
	before := rev(b.Put(ctx, "other.b", []byte("1")))

	var mu sync.Mutex
	seen := map[string]string{}
	called := make(chan struct{}, 100)
	m := mirror(t, b, kv.MirrorConfig{Prefix: "m.", OnChange: func(key string, e *kv.Entry) {
		mu.Lock()
		defer mu.Unlock()
		seen[key] = "deleted"
		if e != nil {
			seen[key] = string(e.Value)
		}
		called <- struct{}{}
	}})
	if m.Sequence() < before {
		t.Fatalf("loaded up to %d, the bucket was at %d", m.Sequence(), before)
	}
	mu.Lock()
	if diff := cmp.Diff(map[string]string{"m.a": "1"}, seen); diff != "" {
		t.Errorf("OnChange before Mirror returned (-want +got):\n%s", diff)
	}
	mu.Unlock()
	<-called
	if e, ok := m.Get("m.a"); !ok || string(e.Value) != "1" {
		t.Fatalf("%v %v", e, ok)
	}
	if _, ok := m.Get("other.a"); ok {
		t.Fatal("a key outside the prefix")
	}
	// A commit whose last key lies outside the prefix.
	last := rev(b.Commit(ctx, kv.Op{Key: "m.b", Value: []byte("2")}, kv.Op{Key: "m.a", Delete: true}, kv.Op{Key: "zzz", Value: []byte("3")}))
	if err := m.Wait(ctx, last); err != nil {
		t.Fatal(err)
	}
	if l := m.List(""); len(l) != 1 || l[0].Key != "m.b" || l[0].Revision != last-2 {
		t.Fatalf("%v", l)
	}
	<-called
	<-called
	mu.Lock()
	if diff := cmp.Diff(map[string]string{"m.a": "deleted", "m.b": "2"}, seen); diff != "" {
		t.Errorf("OnChange (-want +got):\n%s", diff)
	}
	mu.Unlock()

	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	wantKind(t, m.Wait(short, last+1), errs.Timeout)
	waits := make(chan error, 1)
	go func() { waits <- m.Wait(ctx, last+1) }()
	m.Close()
	m.Close()
	wantKind(t, <-waits, errs.Unavailable)
	if _, ok := m.Get("m.b"); !ok {
		t.Fatal("a closed mirror forgot its state")
	}
	_, err := b.Mirror(ctx, kv.MirrorConfig{Prefix: "m"})
	wantKind(t, err, errs.Invalid)
}

// Every writer sees its own write after waiting for it, while OnChange stands still.
func TestMirrorReadsOwnWrites(t *testing.T) {
	ctx := t.Context()
	b := bucket(t, kvtest.Open(t), kv.BucketConfig{Name: "b"})
	block := make(chan struct{})
	var mu sync.Mutex
	final := map[string]string{}
	m := mirror(t, b, kv.MirrorConfig{OnChange: func(key string, e *kv.Entry) {
		<-block
		mu.Lock()
		final[key] = string(e.Value)
		mu.Unlock()
	}})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			key := fmt.Sprintf("k.%d", w)
			for i := range 60 {
				rev, err := b.Put(ctx, key, fmt.Append(nil, i))
				if err == nil {
					err = m.Wait(ctx, rev)
				}
				if e, ok := m.Get(key); err != nil || !ok || e.Revision < rev || string(e.Value) != fmt.Sprint(i) {
					t.Errorf("%s at %d after %d: %v", key, e.Revision, rev, err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(block)
	for done := false; !done; time.Sleep(time.Millisecond) { // until the callback has caught up
		mu.Lock()
		done = len(final) == 8
		for _, v := range final {
			done = done && v == "59"
		}
		mu.Unlock()
	}
	m.Close()
}

// A bucket and its mirror follow a map, whatever is done to them.
func TestBucketAndMirrorProperty(t *testing.T) {
	s := kvtest.Open(t)
	n := 0
	var buckets []*kv.Bucket
	var mirrors []*kv.Mirror
	for _, history := range []uint8{1, 5} {
		b := bucket(t, s, kv.BucketConfig{Name: fmt.Sprint("p", history), History: history})
		buckets, mirrors = append(buckets, b), append(mirrors, mirror(t, b, kv.MirrorConfig{Prefix: "a."}))
	}
	rapid.Check(t, func(rt *rapid.T) {
		n++ // every run has keys of its own
		ctx := t.Context()
		which := rapid.IntRange(0, 1).Draw(rt, "bucket")
		b, m := buckets[which], mirrors[which]
		type cell struct {
			value string
			rev   uint64 // of the last write
			live  bool
		}
		model := map[string]cell{}
		keys := rapid.SampledFrom([]string{fmt.Sprintf("a.%d.x", n), fmt.Sprintf("a.%d.y", n), fmt.Sprintf("a.%d.y.z", n), fmt.Sprintf("b.%d.c/d=e", n)})
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			var ops []kv.Op
			used := map[string]bool{}
			fails := false
			for range rapid.IntRange(1, 3).Draw(rt, "keys") {
				op := kv.Op{Key: keys.Draw(rt, "key"), Delete: rapid.Bool().Draw(rt, "delete")}
				if used[op.Key] {
					continue
				}
				used[op.Key] = true
				if !op.Delete {
					op.Value = []byte(rapid.StringN(0, 10, 40).Draw(rt, "value"))
				}
				c := model[op.Key]
				switch rapid.IntRange(0, 4).Draw(rt, "expect") {
				case 1:
					op.Expect = kv.Absent
					fails = fails || c.live
				case 2:
					if c.live {
						op.Expect = kv.Revision(c.rev)
					}
				case 3:
					op.Expect = kv.Revision(c.rev + 1)
					fails = true
				}
				ops = append(ops, op)
			}
			last, err := b.Commit(ctx, ops...)
			if (err != nil) != fails || err != nil && !errs.Is(err, errs.Conflict) {
				rt.Fatalf("commit of %v over %v: %v", ops, model, err)
			}
			if err != nil {
				continue
			}
			for i, op := range ops {
				model[op.Key] = cell{string(op.Value), last - uint64(len(ops)-1-i), !op.Delete}
			}
			if err := m.Wait(ctx, last); err != nil {
				rt.Fatal(err)
			}
		}
		want := map[string]string{}
		mirrored := map[string]string{}
		for k, c := range model {
			if c.live {
				want[k] = fmt.Sprintf("%q@%d", c.value, c.rev)
				if strings.HasPrefix(k, "a.") {
					mirrored[k] = want[k]
				}
			}
		}
		list, err := b.List(ctx, fmt.Sprintf("a.%d.", n))
		more, err2 := b.List(ctx, fmt.Sprintf("b.%d.", n))
		if err != nil || err2 != nil {
			rt.Fatal(err, err2)
		}
		show := func(es []kv.Entry) map[string]string {
			out := map[string]string{}
			for _, e := range es {
				out[e.Key] = fmt.Sprintf("%q@%d", e.Value, e.Revision)
			}
			return out
		}
		if diff := cmp.Diff(want, show(append(list, more...))); diff != "" {
			rt.Fatalf("bucket (-model +bucket):\n%s", diff)
		}
		if diff := cmp.Diff(mirrored, show(m.List(fmt.Sprintf("a.%d.", n)))); diff != "" {
			rt.Fatalf("mirror (-model +mirror):\n%s", diff)
		}
	})
}
