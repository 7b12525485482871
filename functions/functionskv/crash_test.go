package functionskv_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/functions/functionskv"
	"github.com/weir-ml/weir/functions/runtest"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/kv"
)

const (
	childEnv  = "WEIR_FN_CRASH_DIR"
	crashSpec = `{"event":{"stream":"IN","subject":"in.>","ack_wait":"500ms","batch_size":50},"transform":{"plugin":"double"},` +
		`"output":{"subject":"out.f"},"retry":{"max_attempts":3,"backoff":"1ms","max_backoff":"5ms"}}`
)

// start runs the function on the store; markers are tidied as often as possible, so that kills hit that too.
func start(s *kv.Store) (*functions.Service, error) {
	svc, err := functions.New(functions.Options{
		Plugins: runtest.Plugins{"double": runtest.Double()},
		Events:  functionskv.New(functionskv.Options{KV: s, TidyEvery: 30 * time.Millisecond}),
	})
	if err != nil {
		return nil, err
	}
	var spec functions.Spec
	if err := schema.Strict([]byte(crashSpec), &spec); err != nil {
		return nil, err
	}
	return svc, svc.Apply(context.Background(), "f", spec)
}

// child publishes and processes until it is killed. It prints the last acknowledged sequence.
func child(dir string) int {
	ctx := context.Background()
	fail := func(err error) int {
		fmt.Println("error", err)
		return 1
	}
	s, err := kv.Open(ctx, kv.Options{Dir: dir})
	if err != nil {
		return fail(err)
	}
	if _, err := start(s); err != nil {
		return fail(err)
	}
	in, err := s.OpenStream(ctx, "IN")
	if err != nil {
		return fail(err)
	}
	for n := 0; ; n++ {
		ps := make([]kv.Publish, 1+rand.IntN(40))
		for i := range ps {
			x := rand.IntN(1000)
			if rand.IntN(40) == 0 {
				x = -1 - rand.IntN(2) // fails on every attempt
			}
			ps[i] = kv.Publish{Subject: "in.a", Data: fmt.Appendf(nil, `{"x":%d,"id":%d}`, x, x)}
		}
		last, err := in.PublishBatch(ctx, ps)
		if err != nil {
			return fail(err)
		}
		fmt.Println("acked", last)
	}
}

// Killed again and again while it publishes and processes, a function has exactly one result or dead letter for every input.
func TestKilled(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	if v := os.Getenv("WEIR_KILL_ROUNDS"); v != "" {
		var err error
		if rounds, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	var acked uint64
	for range rounds {
		acked = max(acked, killed(t, dir))
	}
	s, err := kv.Open(t.Context(), kv.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	svc, err := start(s)
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.OpenStream(t.Context(), "IN")
	if err != nil {
		t.Fatal(err)
	}
	info, err := in.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.LastSeq < acked || info.Messages != info.LastSeq {
		t.Fatalf("stream holds %d messages up to %d, but %d were acknowledged", info.Messages, info.LastSeq, acked)
	}
	waitDone(t, svc, info.LastSeq)
	checkOnce(t, s, svc, in, info.LastSeq)
	if err := svc.Close(); err != nil {
		t.Error(err)
	}
}

// killed runs a child for a random while and returns what it last acknowledged.
func killed(t *testing.T, dir string) (acked uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var kill *time.Timer
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		if word != "acked" {
			t.Errorf("child: %s", lines.Text())
			break
		}
		if acked, err = strconv.ParseUint(rest, 10, 64); err != nil {
			t.Error(err)
		}
		if kill == nil { // it works now
			kill = time.AfterFunc(time.Duration(rand.IntN(700))*time.Millisecond, func() { cmd.Process.Kill() })
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	if kill == nil {
		t.Fatal("the child ended before it acknowledged anything")
	}
	return acked
}

func waitDone(t *testing.T, svc *functions.Service, last uint64) {
	t.Helper()
	var st functions.Status
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var err error
		if st, err = svc.Status(t.Context(), "f"); err != nil {
			t.Fatal(err)
		}
		if st.Event.AckFloor >= last && st.Event.Pending == 0 && st.Event.AckPending == 0 {
			return
		}
	}
	t.Fatalf("not done with %d inputs: %+v", last, *st.Event)
}

// checkOnce compares inputs with results and dead letters.
func checkOnce(t *testing.T, s *kv.Store, svc *functions.Service, in *kv.Stream, last uint64) {
	t.Helper()
	type row struct{ X, ID, Y int }
	want := make(map[uint64]row, last)
	for from := uint64(1); from <= last; {
		ms, err := in.Read(t.Context(), kv.ReadOptions{From: from})
		if err != nil || len(ms) == 0 {
			t.Fatalf("read inputs from %d: %d, %v", from, len(ms), err)
		}
		for _, m := range ms {
			var r row
			if err := json.Unmarshal(m.Data, &r); err != nil {
				t.Fatal(err)
			}
			want[m.Sequence], from = r, m.Sequence+1
		}
	}
	seen := map[uint64]int{}
	for _, m := range results(t, s, "f", "out.f") {
		seq, err := strconv.ParseUint(m.Header[functions.HeaderInputSequence], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		var r row
		if err := json.Unmarshal(m.Data, &r); err != nil || r.ID != want[seq].X || r.Y != 2*r.ID || want[seq].X < 0 {
			t.Errorf("result %s for input %d, %+v: %v", m.Data, seq, want[seq], err)
		}
		seen[seq]++
	}
	results := len(seen)
	for from := uint64(0); ; {
		ls, err := svc.DeadLetters(t.Context(), "f", from, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range ls {
			if want[l.InputSequence].X >= 0 {
				t.Errorf("input %d, %+v, became a dead letter: %s", l.InputSequence, want[l.InputSequence], l.Error)
			}
			seen[l.InputSequence]++
			from = l.Sequence + 1
		}
		if len(ls) == 0 {
			break
		}
	}
	missing, twice := 0, 0
	for seq := range want {
		switch n := seen[seq]; {
		case n == 0:
			missing++
		case n > 1:
			twice++
		}
	}
	if missing+twice > 0 || len(seen) != len(want) {
		t.Errorf("of %d inputs %d have nothing, %d more than one", len(want), missing, twice)
	}
	t.Logf("%d inputs, %d results, %d dead letters", len(want), results, len(seen)-results)
}
