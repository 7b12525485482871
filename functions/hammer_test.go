package functions_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/functions/runtest"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Calls, replacements and removals at once: a call answers or says that the function is not there, an event is processed
// once whichever version is at work, and every plugin is closed in the end.
func TestHammer(t *testing.T) {
	m, p := runtest.NewMemory(), runtest.Double()
	s := service(t, functions.Options{Plugins: runtest.Plugins{"double": p}, Events: m})
	versions := []string{strings.Replace(eventSpec, `{"event"`, `{"http":{},"event"`, 1)}
	versions = append(versions, strings.Replace(versions[0], `"max_attempts":3`, `"max_attempts":4`, 1))
	ctx := context.Background()
	var callers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, _, err := s.Invoke(ctx, "f", abi.Request{Method: "POST", Body: []byte(`{"rows":[{"x":1}]}`)})
				if err != nil && !errs.Is(err, errs.NotFound) {
					t.Errorf("Invoke: %v", err)
				}
				if _, err := s.Status(ctx, "f"); err != nil && !errs.Is(err, errs.NotFound) {
					t.Errorf("Status: %v", err)
				}
			}
		}()
	}
	const rounds, each = 25, 8
	for i := range rounds {
		if err := s.Apply(ctx, "f", spec(t, versions[i%2])); err != nil {
			t.Fatal(err)
		}
		for j := range each {
			m.Publish("IN", "in.a", nil, fmt.Appendf(nil, `{"x":%d}`, i*each+j))
		}
		if i%5 == 4 {
			if err := s.Remove(ctx, "f"); err != nil {
				t.Fatal(err)
			}
		}
	}
	apply(t, s, "f", versions[0])
	await(t, "every result", func() bool { return len(m.Results("f")) >= rounds*each })
	close(stop)
	callers.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range m.Results("f") {
		seen[r.Header[functions.HeaderInputSequence]] = true
	}
	if len(seen) != rounds*each || len(m.Results("f")) != rounds*each || p.Open() != 0 {
		t.Errorf("%d results of %d inputs, want %d; %d plugins open", len(m.Results("f")), len(seen), rounds*each, p.Open())
	}
}
