package functions_test

import (
	"testing"

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
	if n := p.Plugins["echo"].Open(); n != 1 {
		t.Errorf("%d plugins are open", n)
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
