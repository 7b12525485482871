package onnx

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	breastcancer "github.com/weir-ml/weir/examples/breast-cancer"
	"github.com/weir-ml/weir/host/errs"
)

func touch(t *testing.T, elem ...string) string {
	t.Helper()
	p := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte("not a library"), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFindLibraryOrder(t *testing.T) {
	root := t.TempDir()
	exe, cwd, sys := filepath.Join(root, "opt", "bin"), filepath.Join(root, "work", "deep"), filepath.Join(root, "sys")
	steps := []struct {
		name string
		make []string
	}{
		{"system", []string{sys, "libonnxruntime.so.1.24.0"}},
		{"cache above the executable", []string{root, "opt", ".cache", "onnxruntime", "1.9.0", "libonnxruntime.so.1.9.0"}},
		{"newer version", []string{root, "opt", ".cache", "onnxruntime", "1.27.0", "libonnxruntime.so.1.27.0"}},
		{"cache above the working folder", []string{root, "work", ".cache", "onnxruntime", "1.27.0", "libonnxruntime.so.1.27.0"}},
		{"../lib", []string{root, "opt", "lib", "libonnxruntime.so.1.27.0"}},
		{"beside the executable", []string{exe, "libonnxruntime.so.1.27.0"}},
	}
	_, err := findLibrary("", "", exe, cwd, []string{sys})
	if !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "scripts/onnxruntime.sh") || !strings.Contains(err.Error(), exe) || !strings.Contains(err.Error(), sys) {
		t.Fatalf("nothing there: %v; want the folders and the fix", err)
	}
	for _, s := range steps {
		want := touch(t, s.make...)
		got, err := findLibrary("", "", exe, cwd, []string{sys})
		if err != nil || got != want {
			t.Fatalf("%s: got %s, %v; want %s", s.name, got, err, want)
		}
	}
	env, explicit := touch(t, root, "env.so"), touch(t, root, "explicit.so")
	if got, err := findLibrary("", env, exe, cwd, nil); err != nil || got != env {
		t.Errorf("env: %s, %v", got, err)
	}
	if got, err := findLibrary(explicit, env, exe, cwd, nil); err != nil || got != explicit {
		t.Errorf("explicit: %s, %v", got, err)
	}
	if _, err := findLibrary("", filepath.Join(root, "gone.so"), exe, cwd, nil); !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), LibraryEnv) {
		t.Errorf("a named file that is not there: %v", err)
	}
}

func TestRuntimeLifeCycle(t *testing.T) {
	bad := New(Options{LibraryPath: touch(t, t.TempDir(), "libonnxruntime.so")})
	if _, err := bad.Load(context.Background(), breastcancer.Model, SessionOptions{Device: "cpu"}); !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "scripts/onnxruntime.sh") {
		t.Fatalf("a file that is no library: %v", err)
	}
	if err := bad.Close(); err != nil {
		t.Fatal(err)
	}
	// The library is opened and closed again; a session outlives its Runtime.
	for range 5 {
		r := open(t)
		s := load(t, r, breastcancer.Model)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Load(context.Background(), breastcancer.Model, SessionOptions{}); !errs.Is(err, errs.Unavailable) {
			t.Errorf("load after Close: %v", err)
		}
		if _, err := s.Run(context.Background(), nil, nil); !errs.Is(err, errs.Invalid) {
			t.Errorf("run after the runtime's Close: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Run(context.Background(), nil, nil); !errs.Is(err, errs.Unavailable) {
			t.Errorf("run after Close: %v", err)
		}
		environment.Lock()
		refs := environment.refs
		environment.Unlock()
		if refs != 0 {
			t.Fatalf("%d references are left", refs)
		}
	}
	r, other := open(t), New(Options{LibraryPath: touch(t, t.TempDir(), "libonnxruntime.so")})
	load(t, r, breastcancer.Model)
	if _, err := other.Load(context.Background(), breastcancer.Model, SessionOptions{Device: "cpu"}); !errs.Is(err, errs.Conflict) {
		t.Errorf("a second library: %v, want Conflict", err)
	}
}
