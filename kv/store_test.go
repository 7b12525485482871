package kv_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv"
	"github.com/weir-ml/weir/kv/kvtest"
)

// tree describes every file under dir, to show that nothing was changed.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		out[path] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRestartKeepsData(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	s := kvtest.OpenDir(t, dir)
	b := bucket(t, s, kv.BucketConfig{Name: "b", History: 3})
	st := stream(t, s, kv.StreamConfig{Name: "log", Subjects: []string{"log.>"}})
	r1 := must[uint64](t)(b.Put(ctx, "k", []byte("v1")))
	must[uint64](t)(st.PublishBatch(ctx, numbered("log.x", 10)))
	c, err := st.Consumer(ctx, kv.ConsumerConfig{Durable: "d"})
	if err != nil {
		t.Fatal(err)
	}
	ds, err := c.Fetch(ctx, 4, 0)
	if err != nil || len(ds) != 4 {
		t.Fatal(len(ds), err)
	}
	for _, d := range ds {
		if err := d.Ack(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("a second close: %v", err)
	}
	_, err = b.Put(ctx, "k", nil)
	if !errors.Is(err, kv.ErrClosed) {
		t.Fatalf("a put after close: %v", err)
	}
	_, err = b.Get(ctx, "k")
	wantKind(t, err, errs.Unavailable)
	_, err = s.Bucket(ctx, kv.BucketConfig{Name: "c"})
	wantKind(t, err, errs.Unavailable)

	s = kvtest.OpenDir(t, dir)
	b = bucket(t, s, kv.BucketConfig{Name: "b"})
	must[uint64](t)(b.Update(ctx, "k", []byte("v2"), r1))
	if h, err := b.History(ctx, "k"); err != nil || len(h) != 2 {
		t.Fatalf("a history of 3 was not kept: %v %v", h, err)
	}
	st, err = s.OpenStream(ctx, "log")
	if err != nil {
		t.Fatal(err)
	}
	if c, err = st.Consumer(ctx, kv.ConsumerConfig{Durable: "d"}); err != nil {
		t.Fatal(err)
	}
	if ds, err := c.Fetch(ctx, 100, 0); err != nil || len(ds) != 6 || ds[0].Sequence != 5 {
		t.Fatalf("%d deliveries after the restart: %v", len(ds), err)
	}
}

func TestOpenRefusals(t *testing.T) {
	ctx := t.Context()
	_, err := kv.Open(ctx, kv.Options{})
	wantKind(t, err, errs.Invalid)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = kv.Open(ctx, kv.Options{Dir: file})
	wantKind(t, err, errs.Invalid)
	_, err = kv.Open(ctx, kv.Options{Dir: filepath.Join(file, "below")})
	wantKind(t, err, errs.Invalid)
	for _, listen := range []string{"nonsense", "127.0.0.1:x", "127.0.0.1:70000"} {
		_, err = kv.Open(ctx, kv.Options{Dir: t.TempDir(), Listen: listen})
		wantKind(t, err, errs.Invalid)
	}

	kvtest.OpenDir(t, dir)
	_, err = kv.Open(ctx, kv.Options{Dir: dir})
	wantKind(t, err, errs.Conflict)

	reg := prometheus.NewRegistry()
	s, err := kv.Open(ctx, kv.Options{Dir: t.TempDir(), Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = kv.Open(ctx, kv.Options{Dir: t.TempDir(), Registerer: reg})
	wantKind(t, err, errs.Invalid)
}

// Data that the server would skip with a warning is refused, by name, and left as it is.
func TestOpenDamaged(t *testing.T) {
	ctx := t.Context()
	meta := func(name string) string { return filepath.Join("jetstream", "$G", "streams", "KV_b", name) }
	for name, hurt := range map[string]func(dir string) (string, error){
		"description changed": func(dir string) (string, error) {
			raw, err := os.ReadFile(filepath.Join(dir, meta("meta.inf")))
			if err != nil {
				return "", err
			}
			return "meta.inf", os.WriteFile(filepath.Join(dir, meta("meta.inf")), []byte(strings.Replace(string(raw), "true", "fals", 1)), 0o644)
		},
		"description missing": func(dir string) (string, error) { return "meta.inf", os.Remove(filepath.Join(dir, meta("meta.inf"))) },
		"checksum missing":    func(dir string) (string, error) { return "meta.sum", os.Remove(filepath.Join(dir, meta("meta.sum"))) },
		"checksum garbled": func(dir string) (string, error) {
			return "meta.inf", os.WriteFile(filepath.Join(dir, meta("meta.sum")), []byte("0123"), 0o644)
		},
		"format unknown": func(dir string) (string, error) {
			return "format 9", os.WriteFile(filepath.Join(dir, "kv.json"), []byte(`{"format":9}`), 0o644)
		},
		"format garbled": func(dir string) (string, error) {
			return "kv.json", os.WriteFile(filepath.Join(dir, "kv.json"), []byte(`{"for`), 0o644)
		},
		"message garbled": func(dir string) (string, error) {
			return "1.blk", flip(filepath.Join(dir, meta("msgs/1.blk")), 40)
		},
		"message cut": func(dir string) (string, error) {
			return "1.blk", os.Truncate(filepath.Join(dir, meta("msgs/1.blk")), 50)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := kvtest.OpenDir(t, dir)
			b := bucket(t, s, kv.BucketConfig{Name: "b"})
			for i := range 5 {
				must[uint64](t)(b.Put(ctx, fmt.Sprint("k", i), []byte("some value")))
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			word, err := hurt(dir)
			if err != nil {
				t.Fatal(err)
			}
			before := tree(t, dir)
			damaged, err := kv.Open(ctx, kv.Options{Dir: dir})
			if err == nil {
				_ = damaged.Close()
			}
			wantKind(t, err, errs.Invalid)
			if !strings.Contains(err.Error(), word) {
				t.Errorf("error %q does not name %q", err, word)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("the refused opening changed files:\n%s", diff)
			}
		})
	}
}

func flip(name string, at int64) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	raw[at] ^= 0xff
	return os.WriteFile(name, raw, 0o644)
}

// A crash between the two files of a stream that was being made, or being changed, does not lock anybody out.
func TestOpenAfterInterruptedMaking(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	s := kvtest.OpenDir(t, dir)
	bucket(t, s, kv.BucketConfig{Name: "b"})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "jetstream", "$G", "streams", "KV_b")
	if err := os.Remove(filepath.Join(folder, "meta.sum")); err != nil {
		t.Fatal(err)
	}
	s = kvtest.OpenDir(t, dir)
	must[uint64](t)(bucket(t, s, kv.BucketConfig{Name: "b"}).Put(ctx, "k", []byte("v")))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	raw, err := os.ReadFile(filepath.Join(folder, "meta.inf"))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(raw), `"max_msgs_per_subject":1`, `"max_msgs_per_subject":7`, 1)
	if changed == string(raw) {
		t.Fatalf("no history in %s", raw)
	}
	if err := os.WriteFile(filepath.Join(folder, "meta.inf"), []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "changing"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "changing", "KV_b"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b := bucket(t, kvtest.OpenDir(t, dir), kv.BucketConfig{Name: "b"})
	must[uint64](t)(b.Put(ctx, "k", []byte("v2")))
	if h, err := b.History(ctx, "k"); err != nil || len(h) != 2 {
		t.Fatalf("the changed history is not in force: %v %v", h, err)
	}
}

// Any NATS client reads and writes a bucket as an ordinary one, and weir sees its writes.
func TestOrdinaryBucketToNATS(t *testing.T) {
	ctx := t.Context()
	s, err := kv.Open(ctx, kv.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := bucket(t, s, kv.BucketConfig{Name: "b", History: 4})
	r1 := must[uint64](t)(b.Commit(ctx, kv.Op{Key: "x.1", Value: []byte("one")}, kv.Op{Key: "x.2", Value: []byte("two")}))
	must[uint64](t)(b.Put(ctx, "x.3", []byte("three")))
	if err := b.Delete(ctx, "x.3", 0); err != nil {
		t.Fatal(err)
	}

	nc, err := nats.Connect("nats://" + s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := js.KeyValue(ctx, "b")
	if err != nil {
		t.Fatal(err)
	}
	if e, err := theirs.Get(ctx, "x.2"); err != nil || string(e.Value()) != "two" || e.Revision() != r1 {
		t.Fatalf("%v %v", e, err)
	}
	if _, err := theirs.Get(ctx, "x.3"); !errors.Is(err, jetstream.ErrKeyNotFound) {
		t.Fatalf("a deleted key: %v", err)
	}
	if h, err := theirs.History(ctx, "x.3"); err != nil || len(h) != 2 || h[1].Operation() != jetstream.KeyValueDelete {
		t.Fatalf("%v %v", h, err)
	}
	if keys, err := theirs.Keys(ctx); err != nil || len(keys) != 2 {
		t.Fatalf("%v %v", keys, err)
	}
	if st, err := theirs.Status(ctx); err != nil || st.History() != 4 || st.Bucket() != "b" {
		t.Fatalf("%v %v", st, err)
	}
	if _, err := theirs.Update(ctx, "x.1", []byte("late"), r1); !errors.Is(err, jetstream.ErrKeyExists) && !errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		t.Fatalf("a stale update of theirs: %v", err)
	}
	// Their writes under our head map: our next conditional writes judge by what is there.
	r4, err := theirs.Update(ctx, "x.1", []byte("theirs"), r1-1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Update(ctx, "x.1", nil, r1-1)
	if !errors.Is(err, kv.ErrStale) {
		t.Fatal(err)
	}
	must[uint64](t)(b.Update(ctx, "x.1", []byte("ours"), r4))
	if err := theirs.Purge(ctx, "x.1"); err != nil {
		t.Fatal(err)
	}
	_, err = b.Get(ctx, "x.1")
	wantKind(t, err, errs.NotFound)
	must[uint64](t)(b.Create(ctx, "x.1", []byte("reborn")))
	if _, err := theirs.Create(ctx, "x.3", []byte("reborn")); err != nil {
		t.Fatal(err)
	}
	_, err = b.Create(ctx, "x.3", nil)
	wantKind(t, err, errs.Exists)
}

// A write whose caller has gone is answered at once and either not stored or said to be unknown.
func TestCancelledWrites(t *testing.T) {
	b := bucket(t, kvtest.Open(t), kv.BucketConfig{Name: "b"})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Put(gone, "never", nil)
	wantKind(t, err, errs.Unavailable)
	_, err = b.Get(t.Context(), "never")
	wantKind(t, err, errs.NotFound)

	var wg sync.WaitGroup
	for i := range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			key := fmt.Sprint("k", i)
			_, err := b.Put(ctx, key, nil)
			_, gerr := b.Get(t.Context(), key)
			switch {
			case err == nil && gerr != nil:
				t.Errorf("%s was acknowledged and is not there: %v", key, gerr)
			case err != nil && !errs.Is(err, errs.Unavailable):
				t.Errorf("%s: %v", key, err)
			}
		})
		wg.Go(cancel)
	}
	wg.Wait()
	must[uint64](t)(b.Put(t.Context(), "after", nil))
}

func TestMetrics(t *testing.T) {
	ctx := t.Context()
	reg := prometheus.NewRegistry()
	s, err := kv.Open(ctx, kv.Options{Dir: t.TempDir(), Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := bucket(t, s, kv.BucketConfig{Name: "b"})
	must[uint64](t)(b.Put(ctx, "k", nil))
	_, err = b.Create(ctx, "k", nil)
	wantKind(t, err, errs.Exists)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += "/" + l.GetValue()
			}
			switch {
			case m.Counter != nil:
				got[name] = m.Counter.GetValue()
			case m.Histogram != nil:
				got[name] = float64(m.Histogram.GetSampleCount())
			case m.Gauge != nil:
				got[name] = m.Gauge.GetValue()
			}
		}
	}
	want := map[string]float64{"weir_kv_writes_total/ok": 1, "weir_kv_writes_total/stale": 1, "weir_kv_commit_duration_seconds": 1,
		"weir_kv_commit_size_messages": 1, "weir_kv_queue_size_writes": 0, "weir_kv_group_retries_total": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
