package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/plugins"
	"github.com/weir-ml/weir/scripts"
	"github.com/weir-ml/weir/sdk"
)

// cacheFolder is a folder of weir's in the user's cache.
func cacheFolder(name string) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", errs.New(errs.Unavailable, "there is no cache folder (%w): set XDG_CACHE_HOME or HOME", err)
	}
	dir := filepath.Join(base, "weir", name)
	return dir, os.MkdirAll(dir, 0o700)
}

// toolchainFolder is where compilers are installed: WEIR_TOOLCHAINS, else a folder in the user's cache.
func toolchainFolder() (string, error) {
	if dir := os.Getenv("WEIR_TOOLCHAINS"); dir != "" {
		return filepath.Abs(dir)
	}
	return cacheFolder("toolchains")
}

// toolchain answers the compiler's program. The first call installs it, which may take minutes: progress and failures of the
// package client go to the terminal.
func (s *session) toolchain(ctx context.Context, name string) (program, folder string, err error) {
	folder, err = toolchainFolder()
	if err != nil {
		return "", "", err
	}
	if name == "go" {
		program, err = exec.LookPath("go")
		if err != nil {
			return "", "", errs.New(errs.Unavailable, "there is no go in PATH: install Go 1.26 or later, then run the command again")
		}
		return program, folder, nil
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		return "", "", errs.New(errs.Unavailable, "there is no bash in PATH: installing the toolchain for %s needs it", name)
	}
	script, err := unpackToolchain()
	if err != nil {
		return "", "", err
	}
	cmd := exec.CommandContext(ctx, bash, script, name)
	cmd.Env = append(os.Environ(), "WEIR_TOOLCHAINS="+folder)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, s.err
	if err := cmd.Run(); err != nil {
		return "", "", errs.New(errs.Unavailable, "the toolchain for %s is not there and could not be installed in %s (%w): what is missing is said above", name, folder, err)
	}
	return strings.TrimSpace(out.String()), folder, nil
}

// unpackToolchain writes the installing script and the lists that it reads, laid out as in the repository, to a folder named
// by their digest, and answers the script.
func unpackToolchain() (string, error) {
	files := map[string][]byte{"plugins/requirements.txt": plugins.Requirements}
	for _, source := range []struct {
		files  fs.FS
		prefix string
		only   string
	}{{scripts.Toolchain, "scripts", "."}, {sdk.Files, "sdk", "assemblyscript"}} {
		err := fs.WalkDir(source.files, source.only, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || d.IsDir() {
				return err
			}
			raw, err := fs.ReadFile(source.files, path)
			files[source.prefix+"/"+path] = raw
			return err
		})
		if err != nil {
			return "", err
		}
	}
	sum := sha256.New()
	for _, name := range sortedKeys(files) {
		sum.Write([]byte(name + "\x00"))
		sum.Write(files[name])
	}
	dir, err := cacheFolder("toolchain-" + hex.EncodeToString(sum.Sum(nil)[:6]))
	if err != nil {
		return "", err
	}
	for _, name := range sortedKeys(files) {
		if err := writeWhole(filepath.Join(dir, filepath.FromSlash(name)), files[name]); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "scripts", "toolchain.sh"), nil
}

// writeWhole writes a file unless it is there with the same bytes; others see the old bytes or the new, never a part.
func writeWhole(file string, data []byte) error {
	if have, err := os.ReadFile(file); err == nil && bytes.Equal(have, data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone when it was renamed
	_, err = tmp.Write(data)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chmod(tmp.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	return err
}
