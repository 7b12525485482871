// Package kvtest boots a real store for tests: an embedded server without a socket, in a temporary folder. It is no fake; what
// passes here runs on the code that serves in production. Read kv/store.go first.
package kvtest

import (
	"testing"

	"github.com/weir-ml/weir/kv"
)

// Open returns a store in a fresh folder that is closed when the test ends.
func Open(t testing.TB) *kv.Store {
	t.Helper()
	return OpenDir(t, t.TempDir())
}

// OpenDir opens a store in dir, for tests that close and open again; closing it early is fine.
func OpenDir(t testing.TB, dir string) *kv.Store {
	t.Helper()
	s, err := kv.Open(t.Context(), kv.Options{Dir: dir})
	if err != nil {
		t.Fatalf("open a store in %s: %v", dir, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}
