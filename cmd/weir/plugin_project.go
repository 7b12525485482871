package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/scaffold"
)

// projectFile makes a folder a plugin's project.
const projectFile = "weir-plugin.json"

// project is a plugin's source folder.
type project struct {
	dir string

	Name     string   `json:"name"`
	Language string   `json:"language"`
	Source   string   `json:"source"`          // the main file; for Go the package, "."
	Flags    []string `json:"flags,omitempty"` // to the compiler, after weir's own
}

var pluginName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// openProject reads dir's project file, strictly.
func openProject(dir string) (*project, error) {
	file := filepath.Join(dir, projectFile)
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errs.New(errs.NotFound, "%s is no plugin's folder: there is no %s. `weir plugin new` makes one", dir, projectFile)
	}
	if err != nil {
		return nil, err
	}
	p := &project{dir: dir}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, errs.New(errs.Invalid, "%s: %w", file, err)
	}
	switch {
	case !pluginName.MatchString(p.Name) || len(p.Name) > 64:
		return nil, errs.New(errs.Invalid, "%s: the name %q is not made of lower-case words and dashes, at most 64 bytes", file, p.Name)
	case !slices.Contains(scaffold.Languages(), p.Language):
		return nil, errs.New(errs.Invalid, "%s: unknown language %q: use %s", file, p.Language, strings.Join(scaffold.Languages(), ", "))
	case p.Source == "" || !filepath.IsLocal(p.Source):
		return nil, errs.New(errs.Invalid, "%s: the source %q is not a path within the folder", file, p.Source)
	}
	return p, nil
}

// wasm is where the built module lies.
func (p *project) wasm() string { return filepath.Join(p.dir, "dist", p.Name+".wasm") }

// passedOver are folders that hold no sources.
func passedOver(name string) bool {
	return name == "dist" || name == "node_modules" || strings.HasPrefix(name, ".") && name != "."
}

// changed is when a source was last written.
func (p *project) changed() (latest time.Time, err error) {
	err = filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != p.dir && passedOver(d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if vectorsFile(d.Name()) {
			return nil // tests are no sources
		}
		i, err := d.Info()
		if err == nil && i.ModTime().After(latest) {
			latest = i.ModTime()
		}
		return err
	})
	return latest, err
}

// fresh reports whether the module is newer than all sources.
func (p *project) fresh() (bool, error) {
	built, err := os.Stat(p.wasm())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	latest, err := p.changed()
	return err == nil && built.ModTime().After(latest), err
}
