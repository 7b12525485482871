package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-ml/weir/plugins"
	"github.com/weir-ml/weir/scripts"
	"github.com/weir-ml/weir/sdk/scaffold"
)

// shareCaches makes toolchains lie where `make setup` and scripts/toolchain.sh put them, everything else of weir's cache in a
// folder of the test, and Go's build cache where it is.
func shareCaches(t *testing.T) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOCACHE", strings.TrimSpace(string(cache)))
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if os.Getenv("WEIR_TOOLCHAINS") == "" {
		t.Setenv("WEIR_TOOLCHAINS", filepath.Join(root, ".cache"))
	}
}

// TestScaffolds: each language's example of each world builds and passes its own test as it comes, and with it the answers of all
// languages are the same, since they share the vectors. What an earlier run compiled from the same bytes is not compiled again.
func TestScaffolds(t *testing.T) {
	shareCaches(t)
	two := make(chan struct{}, 2) // builds at once
	var all sync.WaitGroup
	languages := scaffold.Languages()
	if testing.Short() {
		languages = []string{"c"} // compiling modules of the others under the race detector takes minutes
	}
	for _, language := range languages {
		for _, world := range scaffold.Worlds() {
			dir := filepath.Join(t.TempDir(), "plugin")
			all.Go(func() {
				two <- struct{}{}
				defer func() { <-two }()
				began := time.Now()
				passes(t, dir, language, world)
				t.Logf("%s %s: %s", language, world, time.Since(began).Round(time.Millisecond))
			})
		}
	}
	all.Wait()
}

// keptModule is where the module of just these files, made by just this recipe, is kept from an earlier run: compiling all twenty
// takes more than a minute of work.
func keptModule(t *testing.T, dir string) string {
	p, err := openProject(dir)
	if err != nil {
		t.Error(err)
		return ""
	}
	sum := sha256.New()
	r := recipes[p.Language]
	fmt.Fprintf(sum, "%s %q %s %s\n", r.toolchain, r.arguments(p, ""), runtime.Version(), plugins.Requirements)
	if r.library != nil {
		fmt.Fprintf(sum, "%q\n", r.library.arguments(""))
	}
	for _, files := range []fs.FS{os.DirFS(dir), scripts.Toolchain} {
		err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			raw, err := fs.ReadFile(files, path)
			fmt.Fprintf(sum, "%s %d\n%s", path, len(raw), raw)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	return filepath.Join(os.Getenv("WEIR_TOOLCHAINS"), "scaffolds", hex.EncodeToString(sum.Sum(nil)[:16])+".wasm")
}

func keepModule(module, kept string) error {
	wasm, err := os.ReadFile(module)
	if err != nil {
		return err
	}
	return writeWhole(kept, wasm)
}

func passes(t *testing.T, dir, language, world string) {
	var out, messages bytes.Buffer
	call := func(args ...string) bool {
		out.Reset()
		if code := run(context.Background(), args, strings.NewReader(""), &out, &messages); code != 0 {
			t.Errorf("weir %s: exit %d\n%s%s", strings.Join(args, " "), code, out.String(), messages.String())
			return false
		}
		return true
	}
	name := "my-" + language + "-" + world
	if !call("plugin", "new", name, "--lang", language, "--world", world, "--dir", dir) {
		return
	}
	kept := keptModule(t, dir)
	if wasm, err := os.ReadFile(kept); err == nil {
		if err := os.MkdirAll(filepath.Join(dir, "dist"), 0o755); err != nil {
			t.Error(err)
			return
		}
		if err := os.WriteFile(filepath.Join(dir, "dist", name+".wasm"), wasm, 0o644); err != nil {
			t.Error(err)
			return
		}
	}
	if !call("plugin", "test", dir, "-o", "json") {
		return
	}
	var got tested
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Errorf("%s %s: %v", language, world, err)
		return
	}
	if got.Plugin != name || got.Cases < 5 || got.Checks < 2*got.Cases || got.Failures != 0 {
		t.Errorf("%s %s: %+v", language, world, got)
	}
	if s := messages.String(); strings.Contains(s, "warning") {
		t.Errorf("%s %s: the compiler warns:\n%s", language, world, s)
	}
	if err := keepModule(filepath.Join(dir, "dist", name+".wasm"), kept); err != nil {
		t.Error(err)
	}
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil || strings.Contains(string(readme), "PLUGIN_") || !strings.Contains(string(readme), name) {
		t.Errorf("%s %s: the README is\n%s, %v", language, world, readme, err)
	}
}
