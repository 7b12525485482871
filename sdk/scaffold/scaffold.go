// Package scaffold writes the folder of a new plugin: a source with a small real example, its parameters, test vectors, a README,
// and the SDK of the language, so that it builds with nothing but the compiler. `weir plugin new` is its one user.
//
// It does not compile: `weir plugin build` does. The templates lie in templates/, a folder for each language, and vectors/ for
// what the examples of a world must answer in every language. Languages are rows of the table in this file.
package scaffold

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/weir-ml/weir/sdk"
	"github.com/weir-ml/weir/sdk/abi"
)

//go:embed all:templates
var templates embed.FS

// language is how the folder of one looks.
type language struct {
	title     string
	source    string            // name of the main source in the new folder
	main      string            // what weir-plugin.json calls the source; "": source
	extension string            // of the templates, templates/<language>/<world><extension>
	vendored  map[string]string // folder of sdk.Files → folder in the new one
	extra     map[string]string // template → file in the new folder
}

var languages = map[string]language{
	"assemblyscript": {title: "AssemblyScript", source: "plugin.ts", extension: ".ts", vendored: map[string]string{
		"assemblyscript/assembly": "sdk/assembly", "assemblyscript/asconfig.json": "sdk/asconfig.json", "assemblyscript/tsconfig.json": "tsconfig.json"}},
	"zig":  {title: "Zig", source: "plugin.zig", extension: ".zig", vendored: map[string]string{"zig/src": "sdk/src"}},
	"rust": {title: "Rust", source: "plugin.rs", extension: ".rs", vendored: map[string]string{"rust/src": "sdk/src", "rust/Cargo.toml": "sdk/Cargo.toml"}},
	"c":    {title: "C", source: "plugin.c", extension: ".c", vendored: map[string]string{"c": "sdk"}},
	"go": {title: "Go", source: "main.go", main: ".", extension: ".go.txt",
		vendored: map[string]string{"abi": "sdk/abi", "guest": "sdk/guest", "internal": "sdk/internal"},
		extra:    map[string]string{"go.mod.txt": "go.mod", "sdk.mod.txt": "sdk/go.mod"}},
}

// world is what the examples of a world have in common.
type world struct {
	summary, parameters, use string
}

var worlds = map[abi.World]world{
	abi.WorldTransform: {"it multiplies a column by a factor.", `{"column": "x", "factor": 2}`,
		"Once pushed, it prepares batches before a model, makes columns in SQL, and can be tried at `/api/v1`: `weir describe plugin PLUGIN_NAME`."},
	abi.WorldMetric: {"it compares the share of values above a threshold between two samples.", `{"column": "x", "threshold": 0.5}`,
		"Once pushed, a Monitor can name it. Its rows may be split over instances and merged in any order: keep whole counts, and `weir plugin test` proves it."},
	abi.WorldGate: {"it passes a candidate whose metric is high enough.", `{"metric": "accuracy", "min": 0.9}`,
		"Once pushed, a Gate can name it, and `weir gate` asks it."},
	abi.WorldHandler: {"it greets whoever the path names.", `{"greeting": "hello"}`,
		"Once pushed, a Function can name it and serves it at `/fn/<function>/…`, or runs it on events."},
}

// Languages are the languages that there are templates for, sorted.
func Languages() []string { return slices.Sorted(maps.Keys(languages)) }

// Worlds are the worlds, in the order of the documentation.
func Worlds() []string { return []string{"transform", "metric", "gate", "handler"} }

// Options say what to write.
type Options struct {
	Name     string // lower-case words joined by dashes, at most 64 bytes
	Language string // of Languages
	World    string // of Worlds
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// Write writes a new plugin to dir, which must not exist or be empty, and answers the files' paths within it, without the SDK's.
// Wrong options and a folder in use are errors that say so.
func Write(dir string, o Options) ([]string, error) {
	l, known := languages[o.Language]
	w := worlds[abi.World(o.World)]
	switch {
	case !nameForm.MatchString(o.Name) || len(o.Name) > 64:
		return nil, fmt.Errorf("the name %q is not made of lower-case words joined by dashes, beginning with a letter, at most 64 bytes", o.Name)
	case !known:
		return nil, fmt.Errorf("unknown language %q: use %s", o.Language, strings.Join(Languages(), ", "))
	case w == world{}:
		return nil, fmt.Errorf("unknown world %q: use %s", o.World, strings.Join(Worlds(), ", "))
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty: name another folder with --dir, or remove it", dir)
	}
	files, err := o.files(l, w)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, files[name], 0o644); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, "sdk/") }), nil
}

// files are all files of a new plugin by their path.
func (o Options) files(l language, w world) (map[string][]byte, error) {
	out := map[string][]byte{}
	main := l.main
	if main == "" {
		main = l.source
	}
	fill := strings.NewReplacer("PLUGIN_NAME", o.Name, "PLUGIN_WORLD", o.World, "PLUGIN_LANGUAGE", l.title, "PLUGIN_SOURCE", l.source,
		"PLUGIN_SUMMARY", w.summary, "PLUGIN_PARAMETERS", w.parameters, "PLUGIN_USE", strings.ReplaceAll(w.use, "PLUGIN_NAME", o.Name))
	from := map[string]string{
		o.Language + "/" + o.World + l.extension: l.source,
		"vectors/" + o.World + ".json":           "vectors.json",
		"README.md.txt":                          "README.md",
		"gitignore.txt":                          ".gitignore",
	}
	maps.Copy(from, l.extra)
	for template, name := range from {
		raw, err := templates.ReadFile("templates/" + template)
		if err != nil {
			return nil, err
		}
		out[name] = []byte(fill.Replace(string(raw)))
	}
	project, err := json.MarshalIndent(struct {
		Name     string   `json:"name"`
		Language string   `json:"language"`
		Source   string   `json:"source"`
		Flags    []string `json:"flags"`
	}{o.Name, o.Language, main, []string{}}, "", "  ")
	if err != nil {
		return nil, err
	}
	out["weir-plugin.json"] = append(project, '\n')
	for from, to := range l.vendored {
		err := fs.WalkDir(sdk.Files, from, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && d.Name() == "testdata" {
				return fs.SkipDir
			}
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			raw, err := fs.ReadFile(sdk.Files, path)
			out[to+strings.TrimPrefix(path, from)] = raw
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
