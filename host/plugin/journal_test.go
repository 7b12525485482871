package plugin

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/errs"
)

// recording runs calls with a journal on services that answer now one thing and later another.
func recording(t testing.TB, calls ...string) (p *Plugin, s *services, g *Grants, j *Journal, got []string) {
	t.Helper()
	s = &services{kv: map[string][]byte{"team/a": []byte("then")}}
	g = allGrants(t, everyGrant, everything)
	p = granted(t, Options{Services: Services{s, s, s, s}}, "", Limits{}, g)
	j = NewJournal()
	got, err := script(WithJournal(context.Background(), j), p, calls...)
	if err != nil {
		t.Fatal(err)
	}
	return p, s, g, j, got
}

// TestJournal: a playback repeats the call to the byte, on another instance of another host without services or grants.
func TestJournal(t *testing.T) {
	var calls []string
	for _, tc := range grantedCalls {
		calls = append(calls, tc.call)
	}
	calls = append(calls, "wasi_wall", "wasi_random", "wasi_mono", "kv_get|other", "kv_get|", "log|9|x", `http_request|{"url":"x"}`)
	p, s, _, j, want := recording(t, calls...)
	raw, err := j.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var back Journal
	if err := back.UnmarshalBinary(raw); err != nil {
		t.Fatal(err)
	}
	if j.Len() != len(calls) || back.Len() != len(calls) {
		t.Errorf("%d entries, %d after reading it back, for %d calls", j.Len(), back.Len(), len(calls))
	}
	asked := len(s.asked)
	s.kv["team/a"] = []byte("now")
	for name, p := range map[string]*Plugin{"the same instance": p, "another host with grants": granted(t, Options{}, "", Limits{}, allGrants(t, everyGrant, everything))} {
		r, err := back.Replay()
		if err != nil {
			t.Fatal(err)
		}
		got, err := script(WithJournal(context.Background(), r), p, calls...)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	if len(s.asked) != asked {
		t.Errorf("the playback asked the services %q", s.asked[asked:])
	}
	again, err := script(context.Background(), p, "clock")
	if err != nil || again[0] == want[1] {
		t.Errorf("after the playback: %q, %v", again, err)
	}
	if twice, err := back.MarshalBinary(); err != nil || !bytes.Equal(twice, raw) {
		t.Errorf("written again it differs: %v", err)
	}
}

// TestJournalDiverges: every way of doing something else is an error that names the call.
func TestJournalDiverges(t *testing.T) {
	p, _, _, j, _ := recording(t, "clock", "kv_get|team/a", "random|8")
	for name, tc := range map[string]struct {
		calls []string
		want  string
	}{
		"other function":  {[]string{"clock", "clock"}, "call 2 to the host is clock, was kv_get"},
		"other arguments": {[]string{"clock", "kv_get|team/b"}, "call 2 to the host, kv_get, has other arguments"},
		"other length":    {[]string{"clock", "kv_get|team/a", "random|9"}, "call 3 to the host, random, has other arguments"},
		"more":            {[]string{"clock", "kv_get|team/a", "random|8", "clock"}, "call 4 to the host is clock, the recording has 3"},
		"less":            {[]string{"clock"}, "it ended before call 2 of 3 to the host, kv_get"},
	} {
		r, err := j.Replay()
		if err != nil {
			t.Fatal(err)
		}
		_, err = script(WithJournal(context.Background(), r), p, tc.calls...)
		t.Log(name)
		wantFault(t, err, p, errs.Conflict, tc.want)
	}
	if _, err := script(WithJournal(context.Background(), j), p, "clock"); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "a journal serves one call") {
		t.Errorf("a second recording: %v", err)
	}
	q := open(t, hostile(t), "", Limits{})
	r, err := j.Replay()
	if err != nil {
		t.Fatal(err)
	}
	_, err = q.Gate(WithJournal(context.Background(), r), []byte("behave"))
	wantFault(t, err, q, errs.Conflict, "the journal is of the module "+short(p.Digest()))
}

// TestJournalIsBounded: a call that gets too much goes on, and its journal says that it is cut.
func TestJournalIsBounded(t *testing.T) {
	calls := []string{}
	for range 40 {
		calls = append(calls, "kv_get quiet|team/big")
	}
	s := &services{kv: map[string][]byte{"team/big": make([]byte, 500_000)}}
	p := granted(t, Options{Services: Services{KV: s}}, "", Limits{MemoryBytes: 128 << 20}, allGrants(t, everyGrant, everything))
	j := NewJournal()
	if got, err := script(WithJournal(context.Background(), j), p, calls...); err != nil || slices.Contains(got, "failed") {
		t.Fatal(got, err)
	}
	if _, err := j.Replay(); !errs.Is(err, errs.Exhausted) {
		t.Errorf("a cut journal plays back: %v", err)
	}
	raw, err := j.MarshalBinary()
	if err != nil || len(raw) > 100 {
		t.Errorf("a cut journal has %d bytes, %v", len(raw), err)
	}
	var back Journal
	if err := back.UnmarshalBinary(raw); err != nil {
		t.Fatal(err)
	}
	if _, err := back.Replay(); !errs.Is(err, errs.Exhausted) {
		t.Errorf("a cut journal, read back, plays back: %v", err)
	}
}

// FuzzJournal: any bytes are an error that says where, or a journal that writes the same bytes again.
func FuzzJournal(f *testing.F) {
	j := NewJournal()
	_ = j.begin("sha256:" + strings.Repeat("ab", 32))
	j.record(hostClock, inputDigest(), statusDone, make([]byte, 8))
	j.record(hostKVGet, inputDigest([]byte("k")), statusAbsent, []byte("no"))
	j.record(hostNanoTime, inputDigest(), statusDone, make([]byte, 8))
	seed, _ := j.MarshalBinary()
	f.Add(seed)
	f.Add(seed[:len(seed)-3])
	f.Add(append(slices.Clone(seed), 0))
	empty, _ := NewJournal().MarshalBinary()
	f.Add(empty)
	f.Add([]byte("WBJ1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var j Journal
		if err := j.UnmarshalBinary(b); err != nil {
			if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "byte ") {
				t.Fatal(err)
			}
			return
		}
		again, err := j.MarshalBinary()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("read and written again: %x, %v", again, err)
		}
		r, err := j.Replay()
		if err != nil {
			return
		}
		for i := 0; ; i++ { // a playback takes what is there and ends
			if i > j.Len() {
				t.Fatal("more entries than there are")
			}
			if _, _, err := r.take(hostClock, inputDigest()); err != nil {
				break
			}
		}
	})
}
