package onnx

import (
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/weir-ml/weir/host/errs"
)

// LibraryEnv names the environment variable that holds the path of ONNX Runtime's shared library.
const LibraryEnv = "WEIR_ONNXRUNTIME_LIB"

const fix = "run scripts/onnxruntime.sh, or set " + LibraryEnv + " to the path of libonnxruntime.so (1.24 or later)"

// FindLibrary returns the path of ONNX Runtime's shared library. An explicit path wins, then WEIR_ONNXRUNTIME_LIB; either must
// exist. Otherwise: beside the executable or in ../lib from it, then .cache/onnxruntime of the working folder, of the
// executable's folder and of their parents, then the system's library folders. The newest version of the first place that has
// one is taken. errs.Unavailable lists where it looked.
func FindLibrary(explicit string) (string, error) {
	exe, err := os.Executable()
	if err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
	}
	cwd, err := os.Getwd()
	if err != nil {
		cwd = ""
	}
	return findLibrary(explicit, os.Getenv(LibraryEnv), filepath.Dir(exe), cwd, systemFolders())
}

func findLibrary(explicit, env, exeDir, cwd string, system []string) (string, error) {
	for _, named := range []struct{ path, from string }{{explicit, "the configured library path"}, {env, LibraryEnv}} {
		if named.path == "" {
			continue
		}
		if info, err := os.Stat(named.path); err != nil || info.IsDir() {
			return "", errs.New(errs.Unavailable, "%s is %q, and there is no such file; %s", named.from, named.path, fix)
		}
		return named.path, nil
	}
	name := "libonnxruntime.so*"
	if runtime.GOOS == "darwin" {
		name = "libonnxruntime*.dylib"
	}
	var patterns []string
	add := func(elem ...string) {
		p := filepath.Join(append(elem, name)...)
		for _, seen := range patterns {
			if seen == p {
				return
			}
		}
		patterns = append(patterns, p)
	}
	if exeDir != "" {
		add(exeDir)
		add(exeDir, "..", "lib")
	}
	for _, dir := range []string{cwd, exeDir} {
		for dir != "" {
			add(dir, ".cache", "onnxruntime", "*")
			up := filepath.Dir(dir)
			if up == dir {
				break
			}
			dir = up
		}
	}
	for _, dir := range system {
		add(dir)
	}
	for _, p := range patterns {
		found, err := filepath.Glob(p)
		if err != nil || len(found) == 0 {
			continue
		}
		sort.Slice(found, func(i, j int) bool { return versionLess(found[i], found[j]) })
		return found[len(found)-1], nil
	}
	return "", errs.New(errs.Unavailable, "ONNX Runtime's shared library was not found; %s. Looked for %s", fix, strings.Join(patterns, ", "))
}

// versionLess orders paths so that 1.9 comes before 1.27: runs of digits compare as numbers.
func versionLess(a, b string) bool {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na > 0 && nb > 0 {
			x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
			if len(x) != len(y) {
				return len(x) < len(y)
			}
			if x != y {
				return x < y
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return a[0] < b[0]
		}
		a, b = a[1:], b[1:]
	}
	return len(a) < len(b)
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

func systemFolders() []string {
	dirs := filepath.SplitList(os.Getenv("LD_LIBRARY_PATH"))
	dirs = append(dirs, "/usr/local/lib", "/usr/lib")
	switch runtime.GOARCH {
	case "amd64":
		dirs = append(dirs, "/usr/lib/x86_64-linux-gnu", "/usr/lib64")
	case "arm64":
		dirs = append(dirs, "/usr/lib/aarch64-linux-gnu", "/usr/lib64")
	}
	return dirs
}

// environment is the process's one ONNX Runtime environment. The wrapper keeps the library handle and the environment in
// package variables, so this count has to be one too: every Runtime and every Session in use holds a reference, and the last
// one out closes the library.
var environment struct {
	sync.Mutex
	refs int
	path string
}

// acquire opens the library at path, or adds a reference to it when it is open.
func acquire(path string) error {
	environment.Lock()
	defer environment.Unlock()
	if environment.refs > 0 {
		if environment.path != path {
			return errs.New(errs.Conflict, "this process already runs ONNX Runtime from %s and cannot open %s as well", environment.path, path)
		}
		environment.refs++
		return nil
	}
	ort.SetSharedLibraryPath(path)
	// ONNX Runtime writes to stderr what it also returns as an error: a caller's mistake must not become a line there.
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		if strings.Contains(err.Error(), "setting ORT API base") {
			return errs.New(errs.Unavailable, "%s is too old an ONNX Runtime; %s", path, fix)
		}
		return errs.New(errs.Unavailable, "open ONNX Runtime %s: %w; %s", path, err, fix)
	}
	environment.path = path
	environment.refs = 1
	return nil
}

func release() {
	environment.Lock()
	defer environment.Unlock()
	if environment.refs--; environment.refs == 0 {
		// The only failure is dlclose's; the environment itself is gone by then.
		_ = ort.DestroyEnvironment()
	}
}
