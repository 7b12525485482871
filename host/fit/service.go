package fit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/weir-ml/weir/host/errs"
)

// Options are what a Service is made of. Data, Plugins and Store are needed.
type Options struct {
	Data    Data
	Plugins Plugins
	Store   Store
	// Users names what uses a document, for Delete: "Function scale" and the like. nil: nothing does.
	Users func(ctx context.Context, name string, version int, latest bool) ([]string, error)

	Now    func() time.Time
	Logger *slog.Logger
}

// Service is the room's front door. All its methods are safe for concurrent use. It starts no goroutine and needs no Close.
type Service struct {
	o   Options
	log *slog.Logger
}

// New checks the options and returns the service.
func New(o Options) (*Service, error) {
	if o.Data == nil || o.Plugins == nil || o.Store == nil {
		return nil, errs.New(errs.Internal, "fitting needs data, plugins and a store")
	}
	if o.Users == nil {
		o.Users = func(context.Context, string, int, bool) ([]string, error) { return nil, nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{o: o, log: o.Logger.With("room", "fit")}, nil
}

// Request asks for a fit.
type Request struct {
	Plugin  string          `json:"plugin"`            // a name, name@version or a digest, of a module that has a recipe
	Dataset string          `json:"dataset"`           // name, name@3 or name@latest
	Columns []string        `json:"columns,omitempty"` // those to learn from, in this order; none: every column that the recipe can take
	Options json.RawMessage `json:"options,omitempty"` // the recipe's, an object
}

// Fit learns the parameters of a plugin and stores them as the next version of the document name. A document that is
// identical to the latest version in content and lineage makes no new one: that version is returned. Errors: Invalid for
// a name, an option, a column of a wrong type or data that cannot be fitted (the column is named), NotFound for a dataset, a
// column or a plugin, Unimplemented for a plugin that has nothing to learn or no recipe.
func (s *Service) Fit(ctx context.Context, name string, r Request) (Document, error) {
	if err := CheckName(name); err != nil {
		return Document{}, err
	}
	d, err := s.learn(ctx, r)
	if err != nil {
		return Document{}, fmt.Errorf("fit %q: %w", name, err)
	}
	d.Name = name
	return s.add(ctx, d)
}

// Learn is Fit without storing anything.
func (s *Service) Learn(ctx context.Context, r Request) (Document, error) { return s.learn(ctx, r) }

func (s *Service) learn(ctx context.Context, r Request) (Document, error) {
	module, digest, err := s.o.Plugins.Identify(ctx, r.Plugin)
	if err != nil {
		return Document{}, err
	}
	rec, err := recipeOf(module)
	if err != nil {
		return Document{}, err
	}
	table, err := s.o.Data.Get(ctx, r.Dataset)
	if err != nil {
		return Document{}, err
	}
	f := &fitting{ctx: ctx, data: s.o.Data, table: table, queries: []string{}}
	if f.columns, err = rec.pick(table, r.Columns); err != nil {
		return Document{}, err
	}
	options := rec.options()
	if err := strict(r.Options, options); err != nil {
		return Document{}, errs.New(errs.Invalid, "options of the recipe %s: %w", rec.name, err)
	}
	parameters, err := rec.fit(f, options)
	if err != nil {
		return Document{}, err
	}
	raw, err := json.Marshal(parameters)
	if err != nil {
		return Document{}, errs.New(errs.Invalid, "the fitted parameters cannot be written as JSON: %w: a column holds nothing finite", err)
	}
	if err := s.o.Plugins.Accept(ctx, digest, raw); err != nil {
		return Document{}, fmt.Errorf("the plugin does not take what was fitted: %w", err)
	}
	sum := sha256.Sum256(raw)
	d := Document{
		Plugin: r.Plugin, PluginDigest: digest, Parameters: raw, Digest: "sha256:" + hex.EncodeToString(sum[:]),
		Lineage: Lineage{Dataset: table.Ref, DatasetDigest: table.Digest, Rows: table.Rows, Recipe: rec.id(), Queries: f.queries},
	}
	for _, c := range f.columns {
		d.Lineage.Columns = append(d.Lineage.Columns, c.Name)
	}
	if len(bytes.TrimSpace(r.Options)) > 0 {
		var b bytes.Buffer
		if err := json.Compact(&b, r.Options); err != nil {
			return Document{}, errs.New(errs.Internal, "options: %w", err)
		}
		d.Lineage.Options = b.Bytes()
	}
	return d, nil
}

// strict decodes an object into v; unknown keys are errors. Nothing at all is the empty object.
func strict(raw json.RawMessage, v any) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return errs.New(errs.Invalid, "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errs.New(errs.Invalid, "something follows the object")
	}
	return nil
}

// add gives d the next number, unless the latest version is the same. Every refusal means that another writer went ahead, so
// that trying again ends.
func (s *Service) add(ctx context.Context, d Document) (Document, error) {
	for {
		last, err := s.o.Store.Last(ctx, d.Name)
		if err != nil {
			return Document{}, fmt.Errorf("parameter document %q: %w", d.Name, err)
		}
		versions, err := s.o.Store.List(ctx, d.Name)
		if err != nil {
			return Document{}, fmt.Errorf("parameter document %q: %w", d.Name, err)
		}
		if n := len(versions); n > 0 && same(versions[n-1], d) {
			return versions[n-1], nil
		}
		d.Version, d.Created = last+1, s.o.Now().UTC().Truncate(time.Microsecond)
		err = s.o.Store.Add(ctx, d)
		if err == nil {
			s.log.Info("parameters fitted", "document", d.Ref(), "plugin", d.Plugin, "plugin_digest", d.PluginDigest, "dataset", d.Lineage.Dataset, "digest", d.Digest)
			return d, nil
		}
		if !errors.Is(err, ErrTaken) {
			return Document{}, fmt.Errorf("parameter document %q: %w", d.Name, err)
		}
		if ctx.Err() != nil {
			return Document{}, context.Cause(ctx)
		}
	}
}

func same(a, b Document) bool {
	b.Version, b.Created = a.Version, a.Created
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// Get returns a document by reference: "name" and "name@latest" are the latest version that is there, "name@3" is that one.
// Errors: Invalid for a reference that cannot be read, NotFound.
func (s *Service) Get(ctx context.Context, ref string) (Document, error) {
	name, version, err := ParseRef(ref)
	if err != nil {
		return Document{}, err
	}
	versions, err := s.Versions(ctx, name)
	if err != nil {
		return Document{}, err
	}
	if version == 0 {
		return versions[len(versions)-1], nil
	}
	for _, d := range versions {
		if d.Version == version {
			return d, nil
		}
	}
	return Document{}, errs.New(errs.NotFound, "parameter document %q has no version %d; its latest is %d", name, version, versions[len(versions)-1].Version)
}

// Versions returns all versions of a document, oldest first; NotFound when there is none.
func (s *Service) Versions(ctx context.Context, name string) ([]Document, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	versions, err := s.o.Store.List(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("parameter document %q: %w", name, err)
	}
	if len(versions) > 0 {
		return versions, nil
	}
	all, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(all))
	for i, d := range all {
		names[i] = d.Name
	}
	return nil, errs.Unknown("parameter document", name, names)
}

// List returns the latest version of every document, by name.
func (s *Service) List(ctx context.Context) ([]Document, error) {
	all, err := s.o.Store.List(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("list parameter documents: %w", err)
	}
	latest := all[:0:0]
	for i, d := range all {
		if i+1 == len(all) || all[i+1].Name != d.Name {
			latest = append(latest, d)
		}
	}
	return latest, nil
}

// Delete forgets one version ("name@3", "name@latest") or a whole document ("name"). It is refused with errs.Conflict while
// something uses what would go; the error names it. The numbers are not given again.
func (s *Service) Delete(ctx context.Context, ref string) error {
	name, version, err := ParseRef(ref)
	if err != nil {
		return err
	}
	versions, err := s.Versions(ctx, name)
	if err != nil {
		return err
	}
	latest := versions[len(versions)-1].Version
	doomed := versions
	if strings.Contains(ref, "@") {
		d, err := s.Get(ctx, ref)
		if err != nil {
			return err
		}
		version, doomed = d.Version, []Document{d}
	}
	for _, d := range doomed {
		// Who names no version means the latest: to delete that one would change what they get.
		users, err := s.o.Users(ctx, name, d.Version, version == 0 || d.Version == latest)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return errs.New(errs.Conflict, "parameter document %s is used by %s: delete that first, or let it name another version", d.Ref(), strings.Join(users, ", "))
		}
	}
	for _, d := range doomed {
		if err := s.o.Store.Delete(ctx, name, d.Version); err != nil && !(len(doomed) > 1 && errs.Is(err, errs.NotFound)) {
			return fmt.Errorf("delete parameter document %s: %w", d.Ref(), err)
		}
		s.log.Info("parameter document deleted", "document", d.Ref(), "digest", d.Digest)
	}
	return nil
}
