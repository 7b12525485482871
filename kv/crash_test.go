package kv_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv"
)

const crashWriters = 3 // goroutines of each sort

// TestKillNine kills a writing process at random moments and verifies that all it reported as acknowledged is there and that nothing is
// there by half. The child is this test binary; it says every acknowledgement on stdout, one line each.
func TestKillNine(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	if v := os.Getenv("WEIR_KILL_ROUNDS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			t.Fatalf("WEIR_KILL_ROUNDS=%q must be a number of at least 1", v)
		}
		rounds = n
	}
	w := &witness{dir: t.TempDir(), puts: map[string]int{}, pairs: map[string]int{}, messages: map[uint64]string{}, batches: map[string]bool{},
		blobs: map[string]bool{}, buckets: map[string]bool{}, subjects: map[string]bool{}}
	acks := 0
	for round := range rounds {
		n := w.crash(t, round%4 == 3)
		acks += n
		w.verify(t)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	t.Logf("%d rounds, %d acknowledgements: %d messages, %d batches, %d blobs", rounds, acks, len(w.messages), w.whole, len(w.blobs))
}

// witness remembers what was acknowledged, over all rounds.
type witness struct {
	dir      string
	puts     map[string]int // key → last number
	pairs    map[string]int // writer → last number that both keys must reach
	messages map[uint64]string
	batches  map[string]bool // "writer:number"
	blobs    map[string]bool
	buckets  map[string]bool
	subjects map[string]bool
	checked  uint64 // batches up to this sequence were verified
	whole    int    // batches seen, all of them whole
}

// crash runs one child and kills it, early, in its recovery perhaps, or after a random number of acknowledgements. It returns the number of acknowledgements.
func (w *witness) crash(t *testing.T, early bool) int {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^$")
	cmd.Env = append(os.Environ(), "WEIR_KV_CRASH_DIR="+w.dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe() // its end tells the child that the parent is gone
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func(after time.Duration) {
		time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	}
	// Counted in acknowledgements, so that a slow machine is tested as hard as a fast one.
	target := 1 + rand.IntN(100)
	if early {
		target = -1
		kill(time.Duration(20+rand.IntN(100)) * time.Millisecond)
	}
	acks, n := bufio.NewReader(stdout), 0
	for {
		line, err := acks.ReadString('\n') // a line without its end is no acknowledgement
		if err != nil {
			break
		}
		w.note(t, strings.TrimSpace(line))
		if n++; n == target {
			kill(time.Duration(rand.IntN(4000)) * time.Microsecond)
		}
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("the child ended by itself (%v):\n%s", err, &stderr)
	}
	return n
}

func (w *witness) note(t *testing.T, line string) {
	f := strings.Fields(line)
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("the child said %q", line)
		}
		return n
	}
	switch f[0] {
	case "put":
		w.puts[f[1]] = number(f[2])
	case "pair":
		w.pairs[f[1]] = number(f[2])
	case "message":
		w.messages[uint64(number(f[1]))] = f[2]
	case "batch":
		w.batches[f[1]] = true
	case "blob":
		w.blobs[f[1]] = true
	case "bucket":
		w.buckets[f[1]] = true
	case "subject":
		w.subjects[f[1]] = true
	default:
		t.Fatalf("the child said %q", line)
	}
}

func (w *witness) verify(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	s, err := kv.Open(ctx, kv.Options{Dir: w.dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, err := s.Bucket(ctx, kv.BucketConfig{Name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	value := func(key string) int {
		e, err := b.Get(ctx, key)
		if errs.Is(err, errs.NotFound) {
			return 0
		}
		n, cerr := strconv.Atoi(string(e.Value))
		if err != nil || cerr != nil {
			t.Errorf("key %s holds %q: %v", key, e.Value, err)
		}
		return n
	}
	for key, acked := range w.puts {
		if got := value(key); got < acked || got > acked+1 {
			t.Errorf("key %s is at %d, acknowledged was %d", key, got, acked)
		}
		w.puts[key] = value(key)
	}
	for i := range crashWriters {
		writer := strconv.Itoa(i)
		x, y := value("pair."+writer+".a"), value("pair."+writer+".b")
		if x != y || x < w.pairs[writer] || x > w.pairs[writer]+1 {
			t.Errorf("pair %s is at %d and %d, acknowledged was %d", writer, x, y, w.pairs[writer])
		}
		w.pairs[writer] = x
	}
	for name := range w.buckets {
		nb, err := s.Bucket(ctx, kv.BucketConfig{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nb.Get(ctx, "k"); err != nil {
			t.Errorf("a new bucket: %v", err)
		}
	}
	for digest := range w.blobs {
		if _, err := s.Blobs().ReadAll(ctx, digest); err != nil {
			t.Error(err)
		}
	}
	for subject := range w.subjects {
		if name, err := s.StreamFor(ctx, subject); err != nil || name != "log" {
			t.Errorf("subject %s belongs to %q: %v", subject, name, err)
		}
	}
	w.verifyStream(t, s)
}

// verifyStream looks for every acknowledged message, and at all batches that were written since the last time.
func (w *witness) verifyStream(t *testing.T, s *kv.Store) {
	t.Helper()
	ctx := t.Context()
	st, err := s.OpenStream(ctx, "log")
	if errs.Is(err, errs.NotFound) && len(w.messages) == 0 && len(w.batches) == 0 {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for seq, data := range w.messages {
		if m, err := st.Get(ctx, seq); err != nil || string(m.Data) != data {
			t.Errorf("message %d is %q, acknowledged was %q: %v", seq, m.Data, data, err)
		}
	}
	members, sizes := map[string]int{}, map[string]int{}
	for {
		page, err := st.Read(ctx, kv.ReadOptions{From: w.checked + 1, Filter: "log.batch.>"})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page {
			var size int
			id, rest, _ := strings.Cut(string(m.Data), " ")
			if _, err := fmt.Sscan(rest, &size); err != nil {
				t.Fatalf("message %d holds %q", m.Sequence, m.Data)
			}
			members[id]++
			sizes[id] = size
			w.checked = m.Sequence
		}
		if len(page) == 0 {
			break
		}
	}
	for id, n := range members {
		if n != sizes[id] {
			t.Errorf("batch %s has %d of %d messages", id, n, sizes[id])
		}
		delete(w.batches, id)
		w.whole++
	}
	for id := range w.batches {
		t.Errorf("batch %s was acknowledged and is not there", id)
	}
	clear(w.batches)
}

// crashChild writes until it is killed.
func crashChild(dir string) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	if err := crashWrite(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func crashWrite(ctx context.Context, dir string) error {
	s, err := kv.Open(ctx, kv.Options{Dir: dir})
	if err != nil {
		return err
	}
	b, err := s.Bucket(ctx, kv.BucketConfig{Name: "b"})
	if err != nil {
		return err
	}
	st, err := s.Stream(ctx, kv.StreamConfig{Name: "log", Subjects: []string{"log.>"}})
	if err != nil {
		return err
	}
	say := func(format string, args ...any) {
		_, _ = os.Stdout.WriteString(fmt.Sprintf(format, args...) + "\n") // one write, so that lines never mix
	}
	failed := make(chan error)
	loop := func(step func() error) {
		go func() {
			for {
				if err := step(); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	number := func(key string) (n int, rev uint64, err error) {
		e, err := b.Get(ctx, key)
		if errs.Is(err, errs.NotFound) {
			return 0, 0, nil
		}
		if err == nil {
			n, err = strconv.Atoi(string(e.Value))
		}
		return n, e.Revision, err
	}
	run := strconv.FormatInt(time.Now().UnixNano(), 36)
	for i := range crashWriters {
		key := fmt.Sprint("put.", i)
		n, _, err := number(key)
		if err != nil {
			return err
		}
		loop(func() error {
			n++
			_, err := b.Put(ctx, key, fmt.Append(nil, n))
			if err == nil {
				say("put %s %d", key, n)
			}
			return err
		})
		loop(func() error {
			x, xrev, err := number(fmt.Sprintf("pair.%d.a", i))
			_, yrev, err2 := number(fmt.Sprintf("pair.%d.b", i))
			if err = errors.Join(err, err2); err != nil {
				return err
			}
			v := fmt.Append(nil, x+1)
			_, err = b.Commit(ctx, kv.Op{Key: fmt.Sprintf("pair.%d.a", i), Value: v, Expect: kv.Revision(xrev)}, kv.Op{Key: fmt.Sprintf("pair.%d.b", i), Value: v, Expect: kv.Revision(yrev)})
			if err == nil {
				say("pair %d %d", i, x+1)
			}
			return err
		})
		m := 0
		loop(func() error {
			m++
			data := fmt.Sprintf("%s:%d:%d", run, i, m)
			seq, err := st.Publish(ctx, kv.Publish{Subject: "log.single", Data: []byte(data)})
			if err == nil {
				say("message %d %s", seq, data)
			}
			return err
		})
		k := 0
		loop(func() error {
			k++
			id, size := fmt.Sprintf("%s:%d:%d", run, i, k), 2+rand.IntN(40)
			ps := make([]kv.Publish, size)
			for j := range ps {
				ps[j] = kv.Publish{Subject: "log.batch.x", Data: fmt.Appendf(nil, "%s %d %s", id, size, strings.Repeat("x", rand.IntN(2000)))}
			}
			_, err := st.PublishBatch(ctx, ps)
			if err == nil {
				say("batch %s", id)
			}
			return err
		})
	}
	loop(func() error {
		digest, _, err := s.Blobs().Put(ctx, strings.NewReader(strings.Repeat(run, 1+rand.IntN(20_000))))
		if err == nil {
			say("blob %s", digest)
		}
		return err
	})
	j := 0
	loop(func() error {
		j++
		if j > 5 {
			time.Sleep(20 * time.Millisecond)
			return nil
		}
		name := fmt.Sprintf("new-%s-%d", run, j)
		nb, err := s.Bucket(ctx, kv.BucketConfig{Name: name})
		if err != nil {
			return err
		}
		if _, err := nb.Put(ctx, "k", []byte("v")); err != nil {
			return err
		}
		say("bucket %s", name)
		if _, err = s.Stream(ctx, kv.StreamConfig{Name: "log", Subjects: []string{name}}); err == nil {
			say("subject %s", name)
		}
		return err
	})
	return <-failed
}
