// Command wasmbuild compiles the plugins of this repository: every folder with a plugin.json below plugins/ and
// host/plugin/testdata/. build.sh calls it, having prepared the C toolchain; run it from the repository's root.
//
// The sources are copied to a temporary folder and compiled there, so that a digest that depends on where the repository lies
// is found out at once.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
)

// manifest is a plugin.json.
type manifest struct {
	Name      string   `json:"name"`
	Language  string   `json:"language"` // "c" or "go"
	ABI       int      `json:"abi"`      // version of the batch ABI
	Toolchain string   `json:"toolchain"`
	Flags     []string `json:"flags"`
	Size      int      `json:"size"`   // bytes of <name>.wasm
	SHA256    string   `json:"sha256"` // of <name>.wasm
	// What the module says about itself and the functions that it exports. Running it takes an engine, which no build tool may
	// import: the test in plugins/description_test.go checks both, and with -update writes them. build.sh calls it.
	Description json.RawMessage `json:"description,omitempty"`
	Exports     []string        `json:"exports,omitempty"`
}

var (
	cFlags  = []string{"--target=wasm32-wasi", "-O3", "-s", "-mexec-model=reactor", "-Wl,-z,stack-size=65536", "-msimd128"}
	goFlags = []string{"-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="}
)

func main() {
	check := flag.Bool("check", false, "compare with the committed digests instead of writing")
	zig := flag.String("zig", "zig", "the zig that scripts/toolchain.sh prints")
	flag.Parse()
	if err := run(*zig, *check); err != nil {
		fmt.Fprintln(os.Stderr, "wasmbuild:", err)
		os.Exit(1)
	}
}

func run(zig string, check bool) error {
	var found []string
	for _, pattern := range []string{"plugins/*/plugin.json", "host/plugin/testdata/*/plugin.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		found = append(found, files...)
	}
	sort.Strings(found)
	tmp, err := os.MkdirTemp("", "wasmbuild")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	for _, dir := range []string{"plugins", "sdk", "host/plugin/testdata"} {
		if err := os.CopyFS(filepath.Join(tmp, dir), os.DirFS(dir)); err != nil {
			return err
		}
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(tmp, file), raw, 0o644); err != nil {
			return err
		}
	}
	versions := map[string]string{}
	if versions["go"], err = output(tmp, goEnv(), "go", "env", "GOVERSION"); err != nil {
		return err
	}
	if versions["c"], err = output(tmp, nil, zig, "version"); err != nil {
		return err
	}
	versions["c"] = "ziglang " + versions["c"]
	wrong := 0
	for _, file := range found {
		ok, err := one(tmp, file, zig, versions, check)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if !ok {
			wrong++
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d plugins differ from what is committed: run plugins/build.sh", wrong, len(found))
	}
	return nil
}

// one builds the plugin of a manifest; ok is false when check finds a difference.
func one(tmp, file, zig string, versions map[string]string, check bool) (ok bool, err error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	var m manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return false, err
	}
	dir := filepath.Dir(file)
	wasm := filepath.Join(tmp, dir, m.Name+".wasm")
	flags := cFlags
	if m.Language == "go" {
		flags = goFlags
	}
	if check && m.Toolchain != versions[m.Language] {
		return false, fmt.Errorf("it was built with %s, here is %s: use the same, or rebuild and commit", m.Toolchain, versions[m.Language])
	}
	switch m.Language {
	case "c":
		args := append([]string{"cc"}, flags...)
		args = append(args, "-Wall", "-Werror", "-Wno-unused-function", "-I", "sdk/c", "-I", "plugins/internal/c", "-o", wasm, filepath.Join(dir, m.Name+".c"))
		_, err = output(tmp, nil, zig, args...)
	case "go":
		args := append([]string{"build"}, flags...)
		_, err = output(tmp, append(goEnv(), "GOOS=wasip1", "GOARCH=wasm"), "go", append(args, "-o", wasm, "./"+filepath.ToSlash(dir))...)
	default:
		err = fmt.Errorf("unknown language %q", m.Language)
	}
	if err != nil {
		return false, err
	}
	built, err := os.ReadFile(wasm)
	if err != nil {
		return false, err
	}
	sum := sha256.Sum256(built)
	digest := hex.EncodeToString(sum[:])
	same := digest == m.SHA256
	fmt.Printf("%-20s %-4s %8d bytes  sha256:%s%s\n", m.Name, m.Language, len(built), digest, map[bool]string{true: "", false: "  (differs)"}[same])
	if check {
		return same, nil
	}
	m.ABI, m.Toolchain, m.Flags, m.Size, m.SHA256 = 1, versions[m.Language], flags, len(built), digest
	out, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return false, err
	}
	if err := os.WriteFile(file, append(out, '\n'), 0o644); err != nil {
		return false, err
	}
	return true, os.WriteFile(filepath.Join(dir, m.Name+".wasm"), built, 0o644)
}

// goEnv keeps this machine's settings out of the build.
func goEnv() []string {
	return []string{"GOTOOLCHAIN=local", "GOFLAGS=", "GOWASM=", "GOEXPERIMENT=", "CGO_ENABLED=0", "GOWORK=off"}
}

func output(dir string, env []string, name string, args ...string) (string, error) {
	if strings.Contains(name, "/") {
		if abs, err := filepath.Abs(name); err == nil {
			name = abs
		}
	}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}
