package gateskv_test

import (
	"testing"

	"github.com/weir-ml/weir/host/gates"
	"github.com/weir-ml/weir/host/gates/gateskv"
	"github.com/weir-ml/weir/host/gates/runtest"
	"github.com/weir-ml/weir/kv"
	"github.com/weir-ml/weir/kv/kvtest"
)

func TestStore(t *testing.T) {
	runtest.TestStore(t, func(t *testing.T) gates.Store {
		s, err := gateskv.Open(t.Context(), kvtest.Open(t))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// An acknowledged decision is there when the store is opened again.
func TestDurable(t *testing.T) {
	dir := t.TempDir()
	first, err := kv.Open(t.Context(), kv.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s, err := gateskv.Open(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), gates.Decision{ID: "g.1", Gate: "g", Outcome: gates.Review, Reasons: []string{"look"}, Parameters: []byte("{}"), Evidence: gates.Evidence{Context: []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := gateskv.Open(t.Context(), kvtest.OpenDir(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := again.Get(t.Context(), "g.1"); err != nil || d.Outcome != gates.Review {
		t.Errorf("Get: %+v, %v", d, err)
	}
}
