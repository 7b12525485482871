package functions_test

import (
	"context"
	"testing"
	"time"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/functions/runtest"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// identities answers for plugins whose bytes stay while something else about them changes, such as their limits.
type identities struct {
	runtest.Plugins
	now string
}

func (i *identities) Identity(string) string { return i.now }

// A function that is applied again is replaced when its plugin stands for something else, and only then; when the plugin is
// refused, the old one goes on.
func TestFunctionFollowsItsPlugin(t *testing.T) {
	p := &identities{Plugins: runtest.Plugins{"echo": echo()}, now: "one"}
	s := service(t, functions.Options{Plugins: p})
	const doc = `{"http":{},"handler":{"plugin":"echo"}}`
	invocations := func(want uint64) {
		t.Helper()
		if _, _, err := s.Invoke(t.Context(), "f", abi.Request{Kind: "http"}); err != nil {
			t.Fatal(err)
		}
		if st, err := s.Status(t.Context(), "f"); err != nil || st.Invocations != want {
			t.Errorf("%d invocations (%v), want %d", st.Invocations, err, want)
		}
	}
	apply(t, s, "f", doc)
	invocations(1)
	apply(t, s, "f", doc) // nothing has changed: the same function, with its counters
	invocations(2)
	p.now = "two"
	apply(t, s, "f", doc)
	invocations(1)
	for end := time.Now().Add(time.Minute); p.Plugins["echo"].Open() != 1; time.Sleep(time.Millisecond) { // the old one closes by itself
		if time.Now().After(end) {
			t.Fatalf("%d plugins are open", p.Plugins["echo"].Open())
		}
	}
	p.now = "three"
	kept := p.Plugins["echo"]
	delete(p.Plugins, "echo")
	if err := s.Apply(t.Context(), "f", spec(t, doc)); !errs.Is(err, errs.NotFound) {
		t.Errorf("a plugin that is gone: %v", err)
	}
	invocations(2)
	if n := kept.Open(); n != 1 {
		t.Errorf("%d plugins are open", n)
	}
}

// A request that takes long ends on the function it began on, and does not hold up the one that replaces it.
func TestReplacedFunctionEndsItsCalls(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	old := &runtest.Plugin{World: abi.WorldHandler, Version: "old", HandleFunc: func(context.Context, abi.Request) (abi.Response, error) {
		close(begun)
		<-goOn
		return abi.Response{Body: []byte("old")}, nil
	}}
	fresh := &runtest.Plugin{World: abi.WorldHandler, Version: "new", HandleFunc: func(context.Context, abi.Request) (abi.Response, error) {
		return abi.Response{Body: []byte("new")}, nil
	}}
	p := runtest.Plugins{"p": old}
	s := service(t, functions.Options{Plugins: p})
	const doc = `{"http":{},"handler":{"plugin":"p"}}`
	apply(t, s, "f", doc)
	answers := make(chan string, 1)
	go func() {
		r, _, err := s.Invoke(context.Background(), "f", abi.Request{Kind: "http"})
		if err != nil {
			t.Error(err)
		}
		answers <- string(r.Body)
	}()
	<-begun
	p["p"] = fresh
	apply(t, s, "f", doc) // returns although the call goes on
	if r, _, err := s.Invoke(t.Context(), "f", abi.Request{Kind: "http"}); err != nil || string(r.Body) != "new" {
		t.Errorf("%q, %v", r.Body, err)
	}
	if n := old.Open(); n != 1 {
		t.Errorf("the old plugin is open %d times while its call runs", n)
	}
	close(goOn)
	if got := <-answers; got != "old" {
		t.Errorf("the call that began on the old one answered %q", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := old.Open() + fresh.Open(); n != 0 {
		t.Errorf("%d plugins are open after Close", n)
	}
}
