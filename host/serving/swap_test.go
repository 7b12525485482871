package serving

import (
	"testing"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// A model whose step names a plugin takes what the name stands for now when it is applied again: once a move, and not for
// nothing. A plugin that is gone or does not fit leaves the old one serving, with the reason.
func TestStepsFollowTheirPlugin(t *testing.T) {
	w := newWorld(map[string]*fakeExecutor{"v1": newFake(1)})
	inputs := []abi.Field{{Name: "a", Type: abi.Float64}, {Name: "b", Type: abi.Float64}}
	same := func(b *abi.Batch) (*abi.Batch, error) { return b, nil }
	first := &fakeTransform{schema: abi.Schema{Inputs: inputs, Outputs: inputs}, f: same}
	second := &fakeTransform{schema: abi.Schema{Inputs: inputs, Outputs: inputs}, f: same}
	w.plugins["same"] = first
	s := newService(t, w)
	spec := ModelSpec{Blob: blob("v1"), Preprocess: &Step{Plugin: "same"}}
	apply := func(wantLoads int) {
		t.Helper()
		if err := s.Apply(ctx, "m", spec); err != nil {
			t.Fatal(err)
		}
		if len(w.loads) != wantLoads {
			t.Errorf("%d loads, want %d", len(w.loads), wantLoads)
		}
	}
	apply(1)
	apply(1)
	w.moved++
	w.plugins["same"] = second
	apply(2)
	if first.closed.Load() != 1 || second.closed.Load() != 0 {
		t.Errorf("closed: the old one %d times, the new one %d times", first.closed.Load(), second.closed.Load())
	}
	apply(2)
	w.moved++
	delete(w.plugins, "same")
	if err := s.Apply(ctx, "m", spec); !errs.Is(err, errs.NotFound) {
		t.Errorf("a plugin that is gone: %v", err)
	}
	if st, err := s.Status("m"); err != nil || st.State != Ready || st.Reason == "" || second.closed.Load() != 0 {
		t.Errorf("%+v, %v; the plugin in use was closed %d times", st, err, second.closed.Load())
	}
}
