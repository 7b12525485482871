package serving

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sort"
	"strconv"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// AddFolder serves every model of a Triton-style folder, DIR/NAME/VERSION/model.onnx, with its highest numeric version and
// automatic settings. It returns the names that it found, sorted. A model that does not load is listed as failed and does not keep
// the others from loading; the error joins all of theirs. A config.pbtxt is not read: the log and the model's note say so.
// errs.NotFound when the folder does not exist, errs.Invalid when no model is in it.
func (s *Service) AddFolder(ctx context.Context, dir string) ([]string, error) {
	children, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errs.New(errs.NotFound, "model folder %s does not exist", dir)
	}
	if err != nil {
		return nil, errs.New(errs.Invalid, "read model folder: %w", err)
	}
	var names []string
	var failures []error
	for _, c := range children {
		version, file := newest(filepath.Join(dir, c.Name()))
		if file == "" {
			continue
		}
		names = append(names, c.Name())
		if err := s.addFile(ctx, c.Name(), version, file); err != nil {
			failures = append(failures, err)
		}
	}
	sort.Strings(names)
	if len(names) == 0 {
		return nil, errs.New(errs.Invalid, "model folder %s holds no NAME/VERSION/model.onnx", dir)
	}
	if len(failures) > 0 {
		return names, errs.With(errs.KindOf(failures[0]), errors.Join(failures...))
	}
	return names, nil
}

// newest finds the highest numeric version of a model's folder; file is "" when there is none.
func newest(dir string) (version, file string) {
	children, err := os.ReadDir(dir)
	if err != nil {
		return "", ""
	}
	best := uint64(0)
	for _, c := range children {
		n, err := strconv.ParseUint(c.Name(), 10, 63)
		if err != nil || n == 0 || c.Name()[0] == '0' {
			continue
		}
		path := filepath.Join(dir, c.Name(), "model.onnx")
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && n > best {
			best, version, file = n, c.Name(), path
		}
	}
	return version, file
}

func (s *Service) addFile(ctx context.Context, name, version, file string) error {
	blob, err := os.ReadFile(file)
	if err != nil {
		return errs.New(errs.Invalid, "model %q: %w", name, err)
	}
	note := ""
	config := filepath.Join(filepath.Dir(filepath.Dir(file)), "config.pbtxt")
	if _, err := os.Stat(config); err == nil {
		note = config + " is not read: the model is served with automatic settings"
		if s.warnOnce(name) {
			s.log.Warn("a model's config.pbtxt is not read; it is served with automatic settings", "model", name, "file", config)
		}
	}
	spec := ModelSpec{Blob: string(schema.DigestOf(blob)), Version: version}
	return s.apply(ctx, name, spec, func(context.Context, string) ([]byte, error) { return blob, nil }, note)
}

// warnOnce reports whether this is the first warning about the model.
func (s *Service) warnOnce(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.warned[name]
	s.warned[name] = true
	return first
}
