// Package golden compares what a test made with a file in the tree, and rewrites the file under -update.
//
// It is not for values that are clearer as a literal in the test. Read Check.
package golden

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files and generated pages")

// Updating reports whether this run rewrites golden files; call it only from a running test.
func Updating() bool { return *update }

// Check fails the test when the file at path (relative to the test's folder) does not hold got; with -update it writes it.
func Check(t testing.TB, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s is stale: run the test with -update and read the change\n%s", path, cmp.Diff(string(want), string(got)))
	}
}
