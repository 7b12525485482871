package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/host/errs"
)

// recipe is how a language is compiled.
type recipe struct {
	toolchain string // of scripts/toolchain.sh; "go" is the one in PATH
	// arguments compile the project's source, a path relative to its folder, to out.
	arguments func(p *project, out string) []string
	// environment is set beside the user's own; caches is a folder for the compiler's caches.
	environment func(caches string) []string
}

// recipes are the languages; sdk/scaffold has the folder that each builds in.
var recipes = map[string]recipe{
	"c": {
		toolchain: "zig",
		arguments: func(p *project, out string) []string {
			args := []string{"cc", "--target=wasm32-wasi", "-O3", "-s", "-mexec-model=reactor", "-Wl,-z,stack-size=65536", "-msimd128",
				"-Wall", "-Wno-unused-function", "-I", "sdk"}
			return append(append(args, p.Flags...), "-o", out, p.Source)
		},
		environment: zigCaches,
	},
	"go": {
		toolchain: "go",
		arguments: func(p *project, out string) []string {
			args := []string{"build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="}
			return append(append(args, p.Flags...), "-o", out, p.Source)
		},
		environment: func(string) []string { return []string{"GOOS=wasip1", "GOARCH=wasm", "GOWORK=off", "GOFLAGS="} },
	},
}

func zigCaches(caches string) []string {
	return []string{"ZIG_GLOBAL_CACHE_DIR=" + filepath.Join(caches, "zig"), "ZIG_LOCAL_CACHE_DIR=" + filepath.Join(caches, "zig")}
}

// built is what a build made.
type built struct {
	Name       string  `json:"name"`
	Language   string  `json:"language"`
	File       string  `json:"file"`
	Size       int     `json:"size_bytes"`
	Digest     string  `json:"digest"`
	DurationMS float64 `json:"duration_ms"`
	wasm       []byte
}

func (s *session) pluginBuild() *cobra.Command {
	return &cobra.Command{
		Use: "build [DIR]", Short: "Compile a plugin's folder to dist/NAME.wasm", Args: args(0, 1),
		Long: "Compile a plugin's folder, made by `weir plugin new`, to dist/NAME.wasm. For Go the go command in PATH is used. The other\n" +
			"compilers are installed on first use: pinned versions, checked by digest, from the ordinary package clients (pip, npm, apt)\n" +
			"into the user's cache folder, or into WEIR_TOOLCHAINS. The compiler's own messages are shown as they are.",
		RunE: func(cmd *cobra.Command, a []string) error {
			p, err := openProject(folder(a))
			if err != nil {
				return err
			}
			b, err := s.build(cmd.Context(), p, s.err)
			if err != nil {
				return err
			}
			return s.show(b, func(w io.Writer) {
				line(w, "file:", b.File)
				line(w, "size:", b.Size, "bytes")
				line(w, "digest:", b.Digest)
				line(w, "built in:", time.Duration(b.DurationMS*1e6).Round(time.Millisecond))
			})
		},
	}
}

// folder is the optional argument DIR.
func folder(a []string) string {
	if len(a) == 0 {
		return "."
	}
	return a[0]
}

// build compiles p; what the compiler says goes to messages. The old module stays when that fails.
func (s *session) build(ctx context.Context, p *project, messages io.Writer) (built, error) {
	b := built{Name: p.Name, Language: p.Language, File: p.wasm()}
	r, ok := recipes[p.Language]
	if !ok {
		return b, errs.New(errs.Unimplemented, "there is no recipe for %s", p.Language)
	}
	if _, err := os.Stat(filepath.Join(p.dir, p.Source)); err != nil {
		return b, errs.New(errs.NotFound, "the source of %s: %w", p.Name, err)
	}
	program, caches, err := s.toolchain(ctx, r.toolchain)
	if err != nil {
		return b, err
	}
	dist := filepath.Dir(p.wasm())
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return b, err
	}
	tmp, err := os.MkdirTemp(dist, ".build-")
	if err != nil {
		return b, err
	}
	defer os.RemoveAll(tmp)
	out, err := filepath.Abs(filepath.Join(tmp, p.Name+".wasm"))
	if err != nil {
		return b, err
	}
	began := time.Now()
	cmd := exec.CommandContext(ctx, program, r.arguments(p, out)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, messages, messages
	cmd.Env = append(os.Environ(), r.environment(caches)...)
	cmd.WaitDelay = 5 * time.Second // after an interrupt, whatever the compiler started
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return b, ctx.Err()
		}
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			return b, errs.New(errs.Invalid, "%s does not compile: the compiler ended with %s", p.Name, failed)
		}
		return b, errs.New(errs.Unavailable, "the compiler does not run: %w", err)
	}
	if b.wasm, err = os.ReadFile(out); err != nil {
		return b, fmt.Errorf("the compiler left no module: %w", err)
	}
	if err := os.Rename(out, p.wasm()); err != nil {
		return b, err
	}
	sum := sha256.Sum256(b.wasm)
	b.Size, b.Digest, b.DurationMS = len(b.wasm), "sha256:"+hex.EncodeToString(sum[:]), milliseconds(time.Since(began))
	return b, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
