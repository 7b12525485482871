package fitkv

import (
	"context"
	"testing"

	"github.com/weir-ml/weir/host/fit"
	"github.com/weir-ml/weir/host/fit/runtest"
	"github.com/weir-ml/weir/kv/kvtest"
)

func TestStore(t *testing.T) {
	runtest.TestStore(t, func(t *testing.T) fit.Store {
		s, err := Open(context.Background(), kvtest.Open(t))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// TestReopen: what was added is there for the next process, and so is the number of what was deleted.
func TestReopen(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	first := kvtest.OpenDir(t, dir)
	s, err := Open(ctx, first)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 2; n++ {
		if err := s.Add(ctx, fit.Document{Name: "a", Version: n, Parameters: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Delete(ctx, "a", 2); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(ctx, kvtest.OpenDir(t, dir)); err != nil {
		t.Fatal(err)
	}
	list, err := s.List(ctx, "")
	if err != nil || len(list) != 1 || list[0].Ref() != "a@1" {
		t.Fatal(list, err)
	}
	if n, err := s.Last(ctx, "a"); n != 2 || err != nil {
		t.Fatal(n, err)
	}
}
