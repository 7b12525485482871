package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weir-ml/weir/host/errs"
)

// Stored is a plugin's document with its revision in the store.
type Stored struct {
	Plugin   Plugin
	Revision uint64
}

// Store keeps one document a plugin name. Safe for concurrent use.
type Store interface {
	// List returns every document, in any order.
	List(ctx context.Context) ([]Stored, error)
	// Get reads one; errs.NotFound.
	Get(ctx context.Context, name string) (Stored, error)
	// Put stores a document if its revision is still the given one (0: there is none) and returns the new revision once
	// it is durable; errs.Conflict when somebody else was faster.
	Put(ctx context.Context, p Plugin, revision uint64) (uint64, error)
}

// Module is what the catalogue remembers of the bytes that were applied.
type Module struct {
	Digest        string
	ModuleVersion string // what the module calls its version
	Size          int64
	Worlds        []string
}

// Service is the catalogue. Its reads come from memory; its writes are durable when they return. Safe for concurrent use.
type Service struct {
	store Store
	now   func() time.Time

	write sync.Mutex // one change at a time

	mu   sync.RWMutex
	docs map[string]Stored
}

// New loads the catalogue. now nil is time.Now.
func New(ctx context.Context, store Store, now func() time.Time) (*Service, error) {
	if now == nil {
		now = time.Now
	}
	all, err := store.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the plugin catalogue: %w", err)
	}
	s := &Service{store: store, now: now, docs: map[string]Stored{}}
	for _, d := range all {
		s.docs[d.Plugin.Name] = d
	}
	return s, nil
}

// Plugin returns what is known of a name; ok is false when it never had a version.
func (s *Service) Plugin(name string) (p Plugin, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d, ok := s.docs[name]
	return d.Plugin, ok
}

// Names lists the names that have a current version, sorted.
func (s *Service) Names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []string
	for n, d := range s.docs {
		if d.Plugin.Current != 0 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// Holders lists the versions that hold a digest, as "name@3", sorted.
func (s *Service) Holders(digest string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []string
	for n, d := range s.docs {
		if v, ok := d.Plugin.ByDigest(digest); ok {
			out = append(out, fmt.Sprintf("%s@%d", n, v.Version))
		}
	}
	slices.Sort(out)
	return out
}

// Resolve finds what at means under a name that has versions; errs.NotFound lists what there is.
func (s *Service) Resolve(name, at string) (Version, error) {
	p, ok := s.Plugin(name)
	if !ok {
		return Version{}, errs.New(errs.NotFound, "plugin %q has no versions", name)
	}
	return p.At(at)
}

// Admit reports whether Record could take the digest: errs.Exhausted when the name has all the versions it may have.
func (s *Service) Admit(name, digest string) error {
	p, _ := s.Plugin(name)
	if p.index(digest) >= 0 {
		return nil
	}
	p = p.clone()
	if !p.makeRoom() {
		return full(name)
	}
	return nil
}

func full(name string) error {
	return errs.New(errs.Exhausted, "plugin %q has %d versions, the most there may be: remove old ones with `weir plugin rm %s@VERSION`", name, MaxVersions, name)
}

// Record makes a module the current version of a name: the version that has its digest already, else a new one. It is
// idempotent, which is how the catalogue catches up after a crash between the resource's commit and this one.
func (s *Service) Record(ctx context.Context, name string, m Module, why Why) (Version, error) {
	var v Version
	err := s.change(ctx, name, func(p *Plugin, now time.Time) error {
		i := p.index(m.Digest)
		if i < 0 {
			if !p.makeRoom() {
				return full(name)
			}
			p.Next = max(p.Next, 1)
			p.Versions = append(p.Versions, Version{Version: p.Next, Digest: m.Digest, Created: now})
			i = len(p.Versions) - 1
			p.Next++
		} else if p.Versions[i].Removed.IsZero() && p.Versions[i].Version == p.Current {
			v = p.Versions[i]
			return errSame
		}
		e := &p.Versions[i]
		e.ModuleVersion, e.Size, e.Worlds, e.Removed = m.ModuleVersion, m.Size, slices.Clone(m.Worlds), time.Time{}
		v = *e
		if p.Current != v.Version {
			p.moved(Move{now, Current, p.Current, v.Version, why})
			p.Current = v.Version
		}
		return nil
	})
	return v, err
}

// Retire says that a name stands for nothing any more: its versions and aliases go, their numbers stay taken.
func (s *Service) Retire(ctx context.Context, name string) error {
	return s.change(ctx, name, func(p *Plugin, now time.Time) error {
		if p.Current == 0 && len(p.Live()) == 0 && len(p.Aliases) == 0 {
			return errSame
		}
		for i := range p.Versions {
			if p.Versions[i].Removed.IsZero() {
				p.Versions[i].Removed = now
			}
		}
		for _, a := range slices.Sorted(maps.Keys(p.Aliases)) {
			p.moved(Move{now, a, p.Aliases[a], 0, Remove})
		}
		p.moved(Move{now, Current, p.Current, 0, Remove})
		p.Current, p.Aliases = 0, nil
		return nil
	})
}

// SetAlias points an alias to a version, which at names (a version or another alias). moved is false when it did so already.
func (s *Service) SetAlias(ctx context.Context, name, alias, at string) (v Version, moved bool, err error) {
	if err := CheckAlias(alias); err != nil {
		return v, false, err
	}
	err = s.change(ctx, name, func(p *Plugin, now time.Time) error {
		var err error
		if v, err = p.At(at); err != nil {
			return err
		}
		if p.Aliases[alias] == v.Version {
			return errSame
		}
		moved = true
		p.moved(Move{now, alias, p.Aliases[alias], v.Version, Alias})
		if p.Aliases == nil {
			p.Aliases = map[string]int{}
		}
		p.Aliases[alias] = v.Version
		return nil
	})
	return v, moved, err
}

// DeleteAlias takes an alias away; errs.NotFound lists what there is.
func (s *Service) DeleteAlias(ctx context.Context, name, alias string) error {
	if err := CheckAlias(alias); err != nil {
		return err
	}
	return s.change(ctx, name, func(p *Plugin, now time.Time) error {
		v, err := p.At(alias)
		if err != nil {
			return err
		}
		p.moved(Move{now, alias, v.Version, 0, Alias})
		delete(p.Aliases, alias)
		return nil
	})
}

// RemoveVersion takes a version away; errs.Conflict while it is current or an alias points to it.
func (s *Service) RemoveVersion(ctx context.Context, name string, version int) error {
	return s.change(ctx, name, func(p *Plugin, now time.Time) error {
		if _, err := p.At(fmt.Sprint(version)); err != nil {
			return err
		}
		if p.Current == version {
			return errs.New(errs.Conflict, "plugin %s@%d is the current version: push another or roll back first, or remove the whole plugin", name, version)
		}
		if a := p.AliasesOf(version); len(a) > 0 {
			return errs.New(errs.Conflict, "plugin %s@%d has the alias %s: point it elsewhere or delete it first", name, version, strings.Join(a, ", "))
		}
		i := slices.IndexFunc(p.Versions, func(v Version) bool { return v.Version == version })
		p.Versions[i].Removed = now
		return nil
	})
}

// errSame ends a change that changes nothing.
var errSame = errs.New(errs.Internal, "nothing changes")

// change reads, edits and writes one document. When another writer was faster it reads again.
func (s *Service) change(ctx context.Context, name string, edit func(*Plugin, time.Time) error) error {
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.RLock()
	d, ok := s.docs[name]
	s.mu.RUnlock()
	if !ok {
		d = Stored{Plugin: Plugin{Name: name, Next: 1}}
	}
	for try := 0; ; try++ {
		p := d.Plugin.clone()
		switch err := edit(&p, s.now().UTC().Truncate(time.Microsecond)); {
		case errors.Is(err, errSame):
			return nil
		case err != nil:
			return err
		}
		rev, err := s.store.Put(ctx, p, d.Revision)
		if err == nil {
			s.remember(Stored{p, rev})
			return nil
		}
		if !errs.Is(err, errs.Conflict) || try == 5 {
			return fmt.Errorf("plugin catalogue: %s: %w", name, err)
		}
		switch fresh, err := s.store.Get(ctx, name); {
		case err == nil:
			d = fresh
			s.remember(fresh)
		case errs.Is(err, errs.NotFound):
			d = Stored{Plugin: Plugin{Name: name, Next: 1}}
		default:
			return fmt.Errorf("plugin catalogue: %s: %w", name, err)
		}
	}
}

func (s *Service) remember(d Stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.docs[d.Plugin.Name] = d
}
