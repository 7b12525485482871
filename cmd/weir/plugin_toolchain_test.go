package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-ml/weir/sdk/scaffold"
)

// TestMissingToolchain: what is not there is named, with what to do.
func TestMissingToolchain(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for language, want := range map[string]string{
		"go": "there is no go in PATH: install Go 1.26 or later",
		"c":  "there is no bash in PATH: installing the toolchain for zig needs it",
	} {
		dir := filepath.Join(t.TempDir(), "p")
		if _, err := scaffold.Write(dir, scaffold.Options{Name: "p", Language: language, World: "gate"}); err != nil {
			t.Fatal(err)
		}
		t.Run(language, func(t *testing.T) {
			t.Setenv("PATH", t.TempDir())
			var out, messages bytes.Buffer
			code := run(context.Background(), []string{"plugin", "build", dir}, strings.NewReader(""), &out, &messages)
			if code != 1 || !strings.Contains(messages.String(), want) || out.Len() > 0 {
				t.Errorf("exit %d, %s%s", code, out.String(), messages.String())
			}
		})
	}
	t.Run("not installed", func(t *testing.T) {
		inTheWay := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(inTheWay, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Setenv("WEIR_TOOLCHAINS", inTheWay)
		dir := filepath.Join(t.TempDir(), "p")
		if _, err := scaffold.Write(dir, scaffold.Options{Name: "p", Language: "zig", World: "gate"}); err != nil {
			t.Fatal(err)
		}
		var out, messages bytes.Buffer
		code := run(context.Background(), []string{"plugin", "build", dir}, strings.NewReader(""), &out, &messages)
		if code != 1 || !strings.Contains(messages.String(), "the toolchain for zig is not there and could not be installed in "+inTheWay) {
			t.Errorf("exit %d, %s%s", code, out.String(), messages.String())
		}
	})
}

// TestUnpackedToolchain: the installing script comes out as it is in the repository, with all that it reads, and a damaged copy
// is mended.
func TestUnpackedToolchain(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	script, err := unpackToolchain()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, []byte("exit 1"), 0o644); err != nil {
		t.Fatal(err)
	}
	if again, err := unpackToolchain(); err != nil || again != script {
		t.Fatalf("%s, then %s, %v", script, again, err)
	}
	root := filepath.Dir(filepath.Dir(script))
	for _, name := range []string{"scripts/toolchain.sh", "scripts/rust.txt", "scripts/node.txt", "plugins/requirements.txt",
		"sdk/assemblyscript/package.json", "sdk/assemblyscript/package-lock.json", "sdk/assemblyscript/.npmrc"} {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from the repository's", name)
		}
	}
}
