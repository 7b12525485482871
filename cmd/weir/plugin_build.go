package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	// library, if there is one, compiles the SDK's copy first, to a file that is kept for all plugins with the same copy.
	library *sdkLibrary
	// environment is set beside the user's own; caches is a folder for the compiler's caches.
	environment func(caches string) []string
}

// sdkLibrary is a part of a plugin that is compiled apart.
type sdkLibrary struct {
	name      string // of the file
	sources   string // folder within the project
	arguments func(out string) []string
	// use are the arguments that make a plugin use it.
	use func(file string) []string
}

// recipes are the languages; sdk/scaffold has the folder that each builds in.
var recipes = map[string]recipe{
	"assemblyscript": {
		toolchain: "assemblyscript",
		arguments: func(p *project, out string) []string {
			return append([]string{p.Source, "--baseDir", ".", "--config", "sdk/asconfig.json", "--outFile", out}, p.Flags...)
		},
	},
	"rust": {
		toolchain: "rust",
		library: &sdkLibrary{name: "libweir.rlib", sources: "sdk",
			arguments: func(out string) []string {
				return append([]string{"--crate-name=weir", "--crate-type=rlib", "-o", out, "sdk/src/lib.rs"}, rustFlags...)
			},
			use: func(file string) []string { return []string{"--extern", "weir=" + file} },
		},
		arguments: func(p *project, out string) []string {
			args := append([]string{"--crate-name=plugin", "--crate-type=cdylib", "-Clto=fat", "-Cstrip=symbols", "-Clink-arg=-zstack-size=65536"}, rustFlags...)
			return append(append(args, p.Flags...), "-o", out, p.Source)
		},
	},
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
	"zig": {
		toolchain: "zig",
		arguments: func(p *project, out string) []string {
			args := []string{"build-exe", "-fno-entry", "-rdynamic", "-target", "wasm32-freestanding", "-OReleaseFast", "-fstrip", "--stack", "65536",
				"-mcpu=generic+simd128+bulk_memory+sign_ext+nontrapping_fptoint+multivalue+mutable_globals", "--name", "plugin"}
			return append(append(args, p.Flags...), "--dep", "weir", "-Mroot="+p.Source, "-Mweir=sdk/src/weir.zig", "-femit-bin="+out)
		},
		environment: zigCaches,
	},
}

var rustFlags = []string{"--edition=2021", "--target=wasm32-unknown-unknown", "-Copt-level=3", "-Cpanic=abort", "-Ccodegen-units=1",
	"-Cembed-bitcode=yes", "-Ctarget-feature=+simd128,+bulk-memory,+nontrapping-fptoint,+mutable-globals"}

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
	environment := os.Environ()
	if r.environment != nil {
		environment = append(environment, r.environment(caches)...)
	}
	args := r.arguments(p, out)
	if r.library != nil {
		file, err := r.library.make(ctx, p, program, caches, environment, messages)
		if err != nil {
			return b, err
		}
		args = append(args, r.library.use(file)...)
	}
	if err := compile(ctx, p, program, args, environment, messages); err != nil {
		return b, err
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

// make compiles the library unless it is there, and answers its file, whose folder is named by what it is made of.
func (l *sdkLibrary) make(ctx context.Context, p *project, program, caches string, environment []string, messages io.Writer) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %q\n", program, l.arguments(""))
	sources := os.DirFS(filepath.Join(p.dir, l.sources))
	err := fs.WalkDir(sources, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(sources, path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(raw), raw)
		return err
	})
	if err != nil {
		return "", errs.New(errs.NotFound, "the SDK of %s: %w", p.Name, err)
	}
	dir := filepath.Join(caches, "libraries", hex.EncodeToString(sum.Sum(nil)[:16]))
	file := filepath.Join(dir, l.name)
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(dir, ".new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	out, err := filepath.Abs(filepath.Join(tmp, l.name))
	if err != nil {
		return "", err
	}
	if err := compile(ctx, p, program, l.arguments(out), environment, messages); err != nil {
		return "", err
	}
	return file, os.Rename(out, file)
}

func compile(ctx context.Context, p *project, program string, args, environment []string, messages io.Writer) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = p.dir, messages, messages, environment
	cmd.WaitDelay = 5 * time.Second // after an interrupt, for whatever the compiler started
	err := cmd.Run()
	var failed *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &failed):
		return errs.New(errs.Invalid, "%s does not compile: the compiler ended with %s", p.Name, failed)
	}
	return errs.New(errs.Unavailable, "the compiler does not run: %w", err)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
