package arch

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

type listed struct {
	ImportPath   string
	Dir          string
	Doc          string
	GoFiles      []string
	CgoFiles     []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// tree lists every package.
func tree(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,GoFiles,CgoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 20 {
		t.Fatalf("only %d packages: is this the tree's root?", len(all))
	}
	return all
}

func TestImports(t *testing.T) {
	for _, p := range tree(t) {
		for _, i := range p.Imports {
			for _, r := range Check(p.ImportPath, i) {
				t.Errorf("%s imports %s: %s", p.ImportPath, i, r.Why)
			}
		}
	}
}

// Rules that match nothing would hold for ever: each kind of violation must be caught.
func TestRulesCatch(t *testing.T) {
	cases := []struct{ from, to, why string }{
		{"host/serving", "host/app", "knows every room"},
		{"cmd/weir", "host/serving", "a command runs"},
		{"host/gates", "cmd/weir", "cmd is the top"},
		{"host/monitor", "github.com/nats-io/nats.go/jetstream", "rules, not machinery"},
		{"functions", "github.com/tetratelabs/wazero", "rules, not machinery"},
		{"functions", "kv", "knows no storage"},
		{"host/serving", "host/onnx", "knows no storage"},
		{"host/gates", "host/monitor", "declares an interface"},
		{"host/gates/gateskv", "host/monitor", "declares an interface"},
		{"host/gates/gateskv", "host/edge/rest", "one storage"},
		{"host/edge/rest", "host/plugin", "decode, one domain call"},
		{"host/edge/rest", "kv", "reaches storage"},
		{"host/edge/rest", "host/edge/fn", "share only the servers"},
		{"host/plugin", "host/serving", "nothing of the domain"},
		{"kv", "functions", "knows no room"},
		{"kv", "google.golang.org/grpc", "NATS only"},
		{"host/errs", "golang.org/x/sync/errgroup", "standard library only"},
		{"host/schema", "kv", "value types only"},
		{"sdk/client", "host/errs", "standard library only"},
		{"sdk/abi", "golang.org/x/exp/slices", "standard library only"},
		{"plugins/psi", "host/errs", "guests compile"},
		{"host/datasets", "github.com/duckdb/duckdb-go/v2", "only host/offline"},
		{"host/app", "github.com/nats-io/nats.go", "only kv"},
		{"host/app", "github.com/tetratelabs/wazero", "only host/plugin"},
		{"host/serving", "github.com/yalue/onnxruntime_go", "only host/onnx"},
		{"host/app", "github.com/gofiber/fiber/v2", "behind httpd"},
		{"host/app", "google.golang.org/grpc", "edges only"},
		{"host/config", "github.com/spf13/cobra", "command line's"},
	}
	for _, c := range cases {
		to := c.to
		if first, _, _ := strings.Cut(to, "/"); !strings.Contains(first, ".") {
			to = Module + "/" + to
		}
		found := false
		for _, r := range Check(Module+"/"+c.from, to) {
			found = found || strings.Contains(r.Why, c.why)
		}
		if !found {
			t.Errorf("%s may import %s: no rule with %q", c.from, c.to, c.why)
		}
	}
	for _, ok := range [][2]string{{"host/app", Module + "/kv"}, {"cmd/weir", Module + "/host/app"}, {"functions/functionskv", Module + "/functions"},
		{"host/edge/rest/restkv", Module + "/kv"}, {"host/edge/rest", Module + "/host/edge/httpd"}, {"sdk/client", Module + "/sdk/abi"}, {"kv", "github.com/nats-io/nats.go"}, {"sdk/abi", "unsafe"}} {
		if r := Check(Module+"/"+ok[0], ok[1]); len(r) > 0 {
			t.Errorf("%s may not import %s: %s", ok[0], ok[1], r[0].Why)
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	for _, p := range tree(t) {
		if len(p.GoFiles)+len(p.CgoFiles) > 0 && !strings.HasPrefix(p.Doc, "Package ") && !strings.HasPrefix(p.Doc, "Command ") {
			t.Errorf("%s has no package comment: say what it is for, what it is not for, and which file to read first", p.ImportPath)
		}
	}
}

var named = regexp.MustCompile("`((?:host|kv|functions|sdk|plugins|cmd|internal|examples|docs|bench|deploy)(?:/[a-z0-9_.-]+)*)/?`")

// What the papers name must exist.
func TestPapersNameWhatExists(t *testing.T) {
	for _, paper := range []string{"ARCHITECTURE.md", "CONTRIBUTING.md"} {
		text, err := os.ReadFile(filepath.Join(root, paper))
		if errors.Is(err, fs.ErrNotExist) {
			t.Logf("%s is not written yet", paper)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s names %s, which does not exist", paper, m[1])
			}
		}
	}
}
