package assemblyscript

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/plugin"
)

// guest compiles test/<name>.ts, unless that was done before with the same sources, and answers the module.
func guest(t testing.TB, name string) []byte {
	t.Helper()
	sum := sha256.New()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".ts") && !strings.HasSuffix(path, ".json") && path != "build.sh" {
			return err
		}
		raw, err := os.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(raw), raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join("..", "..", ".cache", "assemblyscript-tests")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	wasm := filepath.Join(dir, fmt.Sprintf("%s-%x.wasm", name, sum.Sum(nil)[:8]))
	if raw, err := os.ReadFile(wasm); err == nil {
		return raw
	}
	fresh := filepath.Join(t.TempDir(), name+".wasm")
	if out, err := exec.Command("./build.sh", filepath.Join("test", name+".ts"), fresh).CombinedOutput(); err != nil || len(out) > 0 { // warnings count
		t.Fatalf("build.sh %s: %v\n%s", name, err, out)
	}
	raw, err := os.ReadFile(fresh)
	if err != nil {
		t.Fatal(err)
	}
	// Another process may do the same: a rename is whole.
	if err := os.WriteFile(wasm+".new", raw, 0o644); err == nil {
		_ = os.Rename(wasm+".new", wasm)
	}
	return raw
}

func host(t testing.TB, o plugin.Options) *plugin.Host {
	t.Helper()
	h, err := plugin.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}
