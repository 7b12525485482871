package datasetstest

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/weir-ml/weir/host/datasets"
	"github.com/weir-ml/weir/host/errs"
)

// Store is a datasets.Store in memory, for the tests of other rooms. It passes TestStore.
type Store struct {
	mu       sync.Mutex
	last     map[string]int
	versions map[string][][]byte // JSON, so that values are copied both ways as a real store copies them
}

var _ datasets.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store { return &Store{last: map[string]int{}, versions: map[string][][]byte{}} }

// Add implements datasets.Store.
func (s *Store) Add(_ context.Context, v datasets.Version) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.Version != s.last[v.Name]+1 {
		return datasets.ErrTaken
	}
	s.last[v.Name] = v.Version
	s.versions[v.Name] = append(s.versions[v.Name], b)
	return nil
}

// Last implements datasets.Store.
func (s *Store) Last(_ context.Context, name string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[name], nil
}

// List implements datasets.Store.
func (s *Store) List(_ context.Context, name string) ([]datasets.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list(name)
}

func (s *Store) list(name string) (out []datasets.Version, err error) {
	for n, list := range s.versions {
		if name != "" && n != name {
			continue
		}
		for _, b := range list {
			var v datasets.Version
			if err := json.Unmarshal(b, &v); err != nil {
				return nil, err
			}
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b datasets.Version) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	return out, nil
}

// Delete implements datasets.Store.
func (s *Store) Delete(_ context.Context, name string, version int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.list(name)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(v datasets.Version) bool { return v.Version == version })
	if name == "" || i < 0 {
		return errs.New(errs.NotFound, "dataset %q has no version %d", name, version)
	}
	s.versions[name] = slices.Delete(s.versions[name], i, i+1)
	return nil
}
