package datasets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Options are what a Service is made of. Engine, Blobs and Store are needed; without Plugins no build can call functions.
type Options struct {
	Engine  Engine
	Blobs   Blobs
	Store   Store
	Plugins Plugins

	TempDir  string // for uploads and results on their way to the blobs; "" = the system's
	MaxBytes int64  // of one import; 0 = no limit but the disk's
	Now      func() time.Time
	Logger   *slog.Logger
}

// Service is the room's front door. All its methods are safe for concurrent use. It starts no goroutine and needs no Close.
type Service struct {
	o   Options
	log *slog.Logger
}

// New checks the options and returns the service.
func New(o Options) (*Service, error) {
	if o.Engine == nil || o.Blobs == nil || o.Store == nil {
		return nil, errs.New(errs.Internal, "datasets need an engine, blobs and a store")
	}
	if o.TempDir == "" {
		o.TempDir = os.TempDir()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{o: o, log: o.Logger.With("room", "datasets")}, nil
}

// Import reads a whole CSV or Parquet file from r and makes it the dataset's next version. Content that is identical
// to the latest version's makes no new one: that version is returned. source says, in the caller's words, where the data came
// from. Errors: Invalid for a bad name, format or file (line and column are named), Exhausted beyond Options.MaxBytes.
func (s *Service) Import(ctx context.Context, name, format string, r io.Reader, source string) (Version, error) {
	if err := CheckName(name); err != nil {
		return Version{}, err
	}
	if format != "csv" && format != "parquet" {
		return Version{}, errs.New(errs.Invalid, "dataset %q: format %q: use csv or parquet", name, format)
	}
	return s.make(ctx, name, func(dir string) (Version, error) {
		in := filepath.Join(dir, "in."+format)
		if err := s.receive(ctx, name, in, r); err != nil {
			return Version{}, err
		}
		t, err := s.o.Engine.Import(ctx, Source{Name: name, Path: in, Format: format}, filepath.Join(dir, outName))
		return Version{Rows: t.Rows, Columns: t.Columns, Source: source}, err
	})
}

// receive writes an upload to a file.
func (s *Service) receive(ctx context.Context, name, path string, r io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("receive dataset %q: %w", name, err)
	}
	defer f.Close()
	limit := s.o.MaxBytes
	if limit > 0 {
		r = io.LimitReader(r, limit+1)
	}
	n, err := io.Copy(f, ctxReader{ctx, r})
	if err != nil {
		return fmt.Errorf("receive dataset %q: %w", name, err)
	}
	if limit > 0 && n > limit {
		return errs.New(errs.Exhausted, "dataset %q is larger than the limit of %d bytes for one import", name, limit)
	}
	return f.Close()
}

// outName is the Parquet file that make's callback leaves in its folder.
const outName = "out.parquet"

// make lets write produce a Parquet file in a fresh folder, stores it as a blob and then adds it as a version. The blob is
// on disk before any record names it.
func (s *Service) make(ctx context.Context, name string, write func(dir string) (Version, error)) (Version, error) {
	if err := os.MkdirAll(s.o.TempDir, 0o700); err != nil {
		return Version{}, fmt.Errorf("dataset %q: temporary folder: %w", name, err)
	}
	dir, err := os.MkdirTemp(s.o.TempDir, "dataset-")
	if err != nil {
		return Version{}, fmt.Errorf("dataset %q: temporary folder: %w", name, err)
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			s.log.Warn("temporary folder not removed", "folder", dir, "error", err)
		}
	}()
	v, err := write(dir)
	if err != nil {
		return Version{}, err
	}
	f, err := os.Open(filepath.Join(dir, outName))
	if err != nil {
		return Version{}, fmt.Errorf("dataset %q: %w", name, err)
	}
	defer f.Close()
	if v.Digest, v.Bytes, err = s.o.Blobs.Put(ctx, f); err != nil {
		return Version{}, fmt.Errorf("dataset %q: store %d rows: %w", name, v.Rows, err)
	}
	v.Name = name
	return s.add(ctx, v)
}

// add gives v the next number, unless the latest version is the same. Every refusal means that another writer went ahead,
// so that trying again ends.
func (s *Service) add(ctx context.Context, v Version) (Version, error) {
	for {
		last, err := s.o.Store.Last(ctx, v.Name)
		if err != nil {
			return Version{}, fmt.Errorf("dataset %q: %w", v.Name, err)
		}
		versions, err := s.o.Store.List(ctx, v.Name)
		if err != nil {
			return Version{}, fmt.Errorf("dataset %q: %w", v.Name, err)
		}
		if n := len(versions); n > 0 && same(versions[n-1], v) {
			return versions[n-1], nil
		}
		v.Version = last + 1
		v.Created = s.o.Now().UTC().Truncate(time.Microsecond)
		err = s.o.Store.Add(ctx, v)
		if err == nil {
			s.log.Info("dataset version added", "dataset", v.Name, "version", v.Version, "rows", v.Rows, "bytes", v.Bytes, "digest", v.Digest)
			return v, nil
		}
		if !errors.Is(err, ErrTaken) {
			return Version{}, fmt.Errorf("dataset %q: %w", v.Name, err)
		}
		if ctx.Err() != nil {
			return Version{}, context.Cause(ctx)
		}
	}
}

// same reports whether v would say nothing that the latest version does not: the same bytes and, for a build, the same
// lineage. An import of bytes that are there already is the same whatever made them.
func same(latest, v Version) bool {
	if latest.Digest != v.Digest {
		return false
	}
	if v.Lineage == nil {
		return true
	}
	a, errA := json.Marshal(latest.Lineage)
	b, errB := json.Marshal(v.Lineage)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// Get returns a version by reference: "name" and "name@latest" are the latest one that is there, "name@3" is that one.
// Errors: Invalid for a reference that cannot be read, NotFound.
func (s *Service) Get(ctx context.Context, ref string) (Version, error) {
	r, err := ParseRef(ref)
	if err != nil {
		return Version{}, err
	}
	versions, err := s.Versions(ctx, r.Name)
	if err != nil {
		return Version{}, err
	}
	if r.Version == 0 {
		return versions[len(versions)-1], nil
	}
	for _, v := range versions {
		if v.Version == r.Version {
			return v, nil
		}
	}
	return Version{}, errs.New(errs.NotFound, "dataset %q has no version %d; its latest is %d", r.Name, r.Version, versions[len(versions)-1].Version)
}

// List returns the latest version of every dataset, by name.
func (s *Service) List(ctx context.Context) ([]Version, error) {
	all, err := s.o.Store.List(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("list datasets: %w", err)
	}
	latest := all[:0:0]
	for i, v := range all {
		if i+1 == len(all) || all[i+1].Name != v.Name {
			latest = append(latest, v)
		}
	}
	return latest, nil
}

// Versions returns all versions of a dataset, oldest first; NotFound when there is none.
func (s *Service) Versions(ctx context.Context, name string) ([]Version, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	versions, err := s.o.Store.List(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("dataset %q: %w", name, err)
	}
	if len(versions) == 0 {
		return nil, errs.New(errs.NotFound, "dataset %q not found", name)
	}
	return versions, nil
}

// OpenData opens a version's Parquet file; the caller closes it.
func (s *Service) OpenData(ctx context.Context, ref string) (io.ReadSeekCloser, int64, error) {
	v, err := s.Get(ctx, ref)
	if err != nil {
		return nil, 0, err
	}
	r, n, err := s.o.Blobs.Open(ctx, v.Digest)
	if err != nil {
		return nil, 0, fmt.Errorf("dataset %s: %w", v.Ref(), err)
	}
	return r, n, nil
}

// Delete forgets a version ("name@3", "name@latest") or a whole dataset ("name"). The bytes stay until blobs are collected, since
// other versions may be the same bytes; lineage that names the version keeps its digest. The numbers are not given again.
func (s *Service) Delete(ctx context.Context, ref string) error {
	r, err := ParseRef(ref)
	if err != nil {
		return err
	}
	var doomed []Version
	if strings.Contains(ref, "@") {
		v, err := s.Get(ctx, ref)
		if err != nil {
			return err
		}
		doomed = []Version{v}
	} else if doomed, err = s.Versions(ctx, r.Name); err != nil {
		return err
	}
	for _, v := range doomed {
		if err := s.o.Store.Delete(ctx, v.Name, v.Version); err != nil && !(len(doomed) > 1 && errs.Is(err, errs.NotFound)) {
			return fmt.Errorf("delete dataset %s: %w", v.Ref(), err)
		}
		s.log.Info("dataset version deleted", "dataset", v.Name, "version", v.Version, "digest", v.Digest)
	}
	return nil
}

// Batches hands a version's rows to fn, in order, in batches that belong to fn. columns picks and orders columns; nil: all.
// NotFound names a column that is missing. fn must not read datasets itself: it may hold the engine's last slot.
func (s *Service) Batches(ctx context.Context, ref string, columns []string, fn func(*abi.Batch) error) error {
	v, src, err := s.data(ctx, ref, columns)
	if err != nil {
		return err
	}
	list := "*"
	if columns != nil {
		quoted := make([]string, len(columns))
		for i, c := range columns {
			quoted[i] = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
		}
		list = strings.Join(quoted, ", ")
	}
	src.Name = "data"
	if err := s.o.Engine.Batches(ctx, Query{SQL: "SELECT " + list + " FROM data", Sources: []Source{src}}, fn); err != nil {
		return fmt.Errorf("read dataset %s: %w", v.Ref(), err)
	}
	return nil
}

// Select runs one SELECT over a version, which is the view "data" in it, and hands the result to fn in batches that belong to
// it. The SQL is kept to that view as a build's is. fn must not read datasets itself: it may hold the engine's last slot.
func (s *Service) Select(ctx context.Context, ref, sql string, fn func(*abi.Batch) error) error {
	v, src, err := s.data(ctx, ref, nil)
	if err != nil {
		return err
	}
	src.Name = "data"
	if err := s.o.Engine.Batches(ctx, Query{SQL: sql, Sources: []Source{src}}, fn); err != nil {
		return fmt.Errorf("query dataset %s: %w", v.Ref(), err)
	}
	return nil
}

// Quantiles computes exact quantiles (linear interpolation) of columns over their numbers: nulls, NaN and infinities are
// left out. A column without numbers has a nil slice. NotFound names a column that is missing.
func (s *Service) Quantiles(ctx context.Context, ref string, columns []string, probs []float64) (map[string][]float64, error) {
	v, src, err := s.data(ctx, ref, columns)
	if err != nil {
		return nil, err
	}
	q, err := s.o.Engine.Quantiles(ctx, src, columns, probs)
	if err != nil {
		return nil, fmt.Errorf("quantiles of dataset %s: %w", v.Ref(), err)
	}
	return q, nil
}

// data resolves a reference and checks that the columns are there.
func (s *Service) data(ctx context.Context, ref string, columns []string) (Version, Source, error) {
	v, err := s.Get(ctx, ref)
	if err != nil {
		return v, Source{}, err
	}
	if columns != nil && len(columns) == 0 {
		return v, Source{}, errs.New(errs.Invalid, "dataset %s: no columns are asked for", v.Ref())
	}
	for _, c := range columns {
		if !slices.ContainsFunc(v.Columns, func(f abi.Field) bool { return f.Name == c }) {
			return v, Source{}, errs.New(errs.NotFound, "dataset %s has no column %q; its columns are %s", v.Ref(), c, columnNames(v))
		}
	}
	src, err := s.source(v)
	return v, src, err
}

func (s *Service) source(v Version) (Source, error) {
	p, err := s.o.Blobs.Path(v.Digest)
	if err != nil {
		return Source{}, fmt.Errorf("dataset %s: %w", v.Ref(), err)
	}
	return Source{Name: v.Name, Path: p, Format: "parquet"}, nil
}

func columnNames(v Version) string {
	names := make([]string, len(v.Columns))
	for i, c := range v.Columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// ctxReader stops a long upload when ctx ends.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
