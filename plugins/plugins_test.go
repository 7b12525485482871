package plugins

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"testing"

	"github.com/weir-ml/weir/sdk/abi"
)

// TestDigests checks every committed module against its plugin.json; build.sh --check proves that the sources give the same bytes.
func TestDigests(t *testing.T) {
	files, err := filepath.Glob("*/plugin.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d manifests, %v", len(files), err)
	}
	more, err := filepath.Glob("../host/plugin/testdata/*/plugin.json")
	if err != nil || len(more) == 0 {
		t.Fatalf("%d manifests of test guests, %v", len(more), err)
	}
	for _, file := range append(files, more...) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			Name, Language, Toolchain, SHA256 string
			ABI, Size                         int
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		wasm, err := os.ReadFile(filepath.Join(filepath.Dir(file), m.Name+".wasm"))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(wasm)
		if hex.EncodeToString(sum[:]) != m.SHA256 || len(wasm) != m.Size || m.ABI != abi.Version || m.Toolchain == "" {
			t.Errorf("%s does not describe %s.wasm (%d bytes, sha256 %x)", file, m.Name, len(wasm), sum)
		}
		if m.Language == "go" && len(wasm) > 2_400_000 {
			t.Errorf("%s.wasm has %d bytes: does it import fmt or encoding/json? go list -deps tells", m.Name, len(wasm))
		}
	}
}

func TestBuiltinIsSorted(t *testing.T) {
	b := Builtin()
	if !sort.SliceIsSorted(b, func(i, j int) bool { return b[i].Name < b[j].Name }) {
		t.Fatal("the built-in plugins are out of order")
	}
	// All that lie here are built in, but for the example.
	if files, err := filepath.Glob("*/plugin.json"); err != nil || len(b) != len(files)-1 {
		t.Fatalf("%d built-in plugins of %d here, %v", len(b), len(files), err)
	}
	for _, a := range b {
		if len(a.Wasm) == 0 || a.Doc == "" || a.Description.Name != a.Name || len(a.Description.Worlds) == 0 || len(a.Exports) < 8 {
			t.Errorf("%s is incomplete", a.Name)
		}
		if sum := sha256.Sum256(a.Wasm); a.Digest != "sha256:"+hex.EncodeToString(sum[:]) {
			t.Errorf("%s is known as %s, but is %x", a.Name, a.Digest, sum)
		}
	}
}
