package catalogkv_test

import (
	"testing"

	"github.com/weir-ml/weir/host/catalog"
	"github.com/weir-ml/weir/host/catalog/catalogkv"
	"github.com/weir-ml/weir/host/catalog/runtest"
	"github.com/weir-ml/weir/kv"
	"github.com/weir-ml/weir/kv/kvtest"
)

func TestStore(t *testing.T) {
	runtest.TestStore(t, func(t testing.TB) catalog.Store {
		s, err := catalogkv.Open(t.Context(), kvtest.Open(t))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// What was acknowledged is there when the folder is opened again, and numbering goes on where it was.
func TestDurable(t *testing.T) {
	dir := t.TempDir()
	first, err := kv.Open(t.Context(), kv.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	open := func(s *kv.Store) *catalog.Service {
		store, err := catalogkv.Open(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		c, err := catalog.New(t.Context(), store, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open(first)
	for _, d := range []string{"sha256:a", "sha256:b"} {
		if _, err := c.Record(t.Context(), "p", catalog.Module{Digest: d}, catalog.Push); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	c = open(kvtest.OpenDir(t, dir))
	if v, err := c.Record(t.Context(), "p", catalog.Module{Digest: "sha256:c"}, catalog.Push); err != nil || v.Version != 3 {
		t.Errorf("the third digest became %+v, %v", v, err)
	}
	if v, err := c.Resolve("p", "1"); err != nil || v.Digest != "sha256:a" {
		t.Errorf("version 1 is %+v, %v", v, err)
	}
}
