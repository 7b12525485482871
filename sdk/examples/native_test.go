package examples

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/plugin"
)

// compiled are the languages that the tests of this file call the compiler for: with -short only zig, which is the quicker.
func compiled() []string {
	if testing.Short() {
		return []string{"zig"}
	}
	return []string{"rust", "zig"}
}

// TestNative runs the unit tests of the SDKs that compile natively, and those of the examples in them.
func TestNative(t *testing.T) {
	for _, language := range compiled() {
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
	for _, language := range compiled() {
		source := map[string]string{"rust": "lib.rs", "zig": "standardise.zig"}[language]
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

// TestPanics sees to it that the host tells why a guest panicked.
func TestPanics(t *testing.T) {
	h := open(t)
	wants := map[string]string{
		"../rust/testdata/panics.rs": "the len is 3 but the index is 13 (panics.rs, line 16",
		"../zig/testdata/panics.zig": "żółć: this gate always panics",
	}
	for _, language := range compiled() {
		source := "../" + language + "/testdata/panics." + map[string]string{"rust": "rs", "zig": "zig"}[language]
		want := wants[source]
		wasm := filepath.Join(t.TempDir(), "plugin.wasm")
		if out, err := exec.Command(filepath.Join(filepath.Dir(source), "..", "build.sh"), source, wasm).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", source, err, out)
		}
		raw, err := os.ReadFile(wasm)
		if err != nil {
			t.Fatal(err)
		}
		p, err := h.Open(context.Background(), raw, nil, plugin.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if _, err := p.Gate(context.Background(), []byte(`{"longer":3}`+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
		p.Close()
	}
}
