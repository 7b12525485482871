package examples

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/plugin/plugintest"
	"github.com/weir-ml/weir/sdk/abi"
)

// languages and names are what build.sh compiles: every example in every language. The answers of the first language are those that the others are
// compared with.
var (
	languages = []string{"c", "go", "assemblyscript", "rust", "zig"}
	names     = []string{"cross-time", "gate", "ks", "log1p-clip-bucketise", "onehot", "psi", "standardise"}
	withRow   = []string{"log1p-clip-bucketise", "standardise"}
)

// hosted keeps one host for all tests: compiling Go modules takes a while, and its cache lies on disk.
var hosted struct {
	once sync.Once
	host *plugin.Host
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if hosted.host != nil {
		_ = hosted.host.Close()
	}
	os.Exit(code)
}

// folder is where build.sh writes.
func folder() string {
	if d := os.Getenv("WEIR_EXAMPLES"); d != "" {
		return d
	}
	return filepath.Join("..", "..", ".cache", "examples")
}

// open builds all examples, once, and answers a host to run them on.
func open(t testing.TB) *plugin.Host {
	t.Helper()
	hosted.once.Do(func() {
		failed := make([]error, len(languages))
		places := make(chan struct{}, runtime.NumCPU()) // compilers at once
		var all sync.WaitGroup
		for i, l := range languages {
			all.Go(func() {
				places <- struct{}{}
				defer func() { <-places }()
				if out, err := exec.Command("./build.sh", l).CombinedOutput(); err != nil {
					failed[i] = fmt.Errorf("build.sh %s: %w\n%s", l, err, out)
				}
			})
		}
		all.Wait()
		if hosted.err = errors.Join(failed...); hosted.err != nil {
			return
		}
		hosted.host, hosted.err = plugin.New(plugin.Options{CacheDir: filepath.Join(folder(), "code")})
	})
	if hosted.err != nil {
		t.Fatal(hosted.err)
	}
	return hosted.host
}

func module(t testing.TB, language, name string) []byte {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join(folder(), language, name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

func vectors(t *testing.T, name string) []plugintest.Case {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(name, "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	cases, err := plugintest.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%s/vectors.json: %v", name, err)
	}
	return cases
}

// each runs f as a subtest of every language and example. The module stays in use meanwhile: a host forgets the machine code of one that
// is not, and reading Go's from the cache takes longer than a case.
func each(t *testing.T, f func(t *testing.T, h *plugin.Host, language, name string)) {
	h := open(t)
	for _, l := range languages {
		for _, n := range names {
			t.Run(l+"/"+n, func(t *testing.T) {
				p, err := h.Open(context.Background(), module(t, l, n), vectors(t, n)[0].Parameters, plugin.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				f(t, h, l, n)
			})
		}
	}
}

func TestVectors(t *testing.T) {
	each(t, func(t *testing.T, h *plugin.Host, language, name string) {
		cases := vectors(t, name)
		report, err := plugintest.Run(context.Background(), h, module(t, language, name), cases)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range report.Failures() {
			t.Errorf("%s: %s", r.Case, r.Detail)
		}
		if len(report.Results) != len(cases) {
			t.Fatalf("%d results of %d cases", len(report.Results), len(cases))
		}
	})
}

// propertyCases are those of the vectors that TestProperties tries: the first, which has most of what an example can do, the one with the edge values, and the
// one without rows. All of them in five languages would take minutes.
func propertyCases(cases []plugintest.Case) (some []plugintest.Case) {
	for i, c := range cases {
		if c.Error == "" && (i < 2 || c.World == abi.WorldTransform && c.Input.Rows == 0 || c.Name == "missing values" || c.Name == "nulls") {
			some = append(some, c)
		}
	}
	return some
}

func TestProperties(t *testing.T) {
	each(t, func(t *testing.T, h *plugin.Host, language, name string) {
		report, err := plugintest.Properties(context.Background(), h, module(t, language, name), propertyCases(vectors(t, name)))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range report.Failures() {
			t.Errorf("%s: %s: %s", r.Case, r.Check, r.Detail)
		}
		if len(report.Results) < 2 {
			t.Fatalf("only %d properties were checked", len(report.Results))
		}
	})
}

func TestDescriptions(t *testing.T) {
	each(t, func(t *testing.T, h *plugin.Host, language, name string) {
		var want abi.Description
		raw, err := os.ReadFile(filepath.Join(name, "description.json"))
		if err == nil {
			err = json.Unmarshal(raw, &want)
		}
		if err != nil {
			t.Fatal(err)
		}
		info, err := h.Inspect(context.Background(), module(t, language, name))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(info.Description, want) {
			t.Errorf("weir_describe answers %+v\ndescription.json has %+v", info.Description, want)
		}
		if got, want := slices.Contains(info.Exports, "weir_row"), slices.Contains(withRow, name); got != want {
			t.Errorf("weir_row is exported: %v, want %v", got, want)
		}
	})
}

// TestSchemasAgree opens each example with the parameters of its first case.
func TestSchemasAgree(t *testing.T) {
	wants := map[string]abi.Schema{}
	each(t, func(t *testing.T, h *plugin.Host, language, name string) {
		p, err := h.Open(context.Background(), module(t, language, name), vectors(t, name)[0].Parameters, plugin.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		got, err := p.Schema(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		want, seen := wants[name]
		if !seen {
			wants[name] = got
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("the schema is %+v, that of %s is %+v", got, languages[0], want)
		}
	})
}
