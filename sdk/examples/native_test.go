package examples

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestNative runs the unit tests of the SDKs that compile natively, and those of the examples in them.
func TestNative(t *testing.T) {
	for _, language := range []string{"rust", "zig"} {
		t.Run(language, func(t *testing.T) {
			if out, err := exec.Command("../" + language + "/test.sh").CombinedOutput(); err != nil {
				t.Fatalf("sdk/%s/test.sh: %v\n%s", language, err, out)
			}
		})
	}
}

// TestReproducible compiles an example from another folder: the same bytes must come out, so that a digest stands for a source.
func TestReproducible(t *testing.T) {
	open(t)
	for language, source := range map[string]string{"rust": "lib.rs", "zig": "standardise.zig"} {
		t.Run(language, func(t *testing.T) {
			dir := t.TempDir()
			raw, err := os.ReadFile(filepath.Join("standardise", language, source))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, source), raw, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			wasm := filepath.Join(dir, "plugin.wasm")
			if out, err := exec.Command("../"+language+"/build.sh", filepath.Join(dir, source), wasm).CombinedOutput(); err != nil {
				t.Fatalf("sdk/%s/build.sh: %v\n%s", language, err, out)
			}
			got, err := os.ReadFile(wasm)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, module(t, language, "standardise")) {
				t.Error("another folder gives another module")
			}
		})
	}
}
