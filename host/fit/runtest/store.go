package runtest

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/fit"
)

// Store is a fit.Store in memory. It passes TestStore.
type Store struct {
	mu   sync.Mutex
	last map[string]int
	docs [][]byte // JSON, so that values are copied both ways as a real store copies them
}

var _ fit.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store { return &Store{last: map[string]int{}} }

// Add implements fit.Store.
func (s *Store) Add(_ context.Context, d fit.Document) error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.Version != s.last[d.Name]+1 {
		return fit.ErrTaken
	}
	s.last[d.Name] = d.Version
	s.docs = append(s.docs, b)
	return nil
}

// Last implements fit.Store.
func (s *Store) Last(_ context.Context, name string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[name], nil
}

// List implements fit.Store.
func (s *Store) List(_ context.Context, name string) ([]fit.Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []fit.Document
	for _, b := range s.docs {
		var d fit.Document
		if err := json.Unmarshal(b, &d); err != nil {
			return nil, err
		}
		if name == "" || d.Name == name {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b fit.Document) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	return out, nil
}

// Delete implements fit.Store.
func (s *Store) Delete(_ context.Context, name string, version int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, b := range s.docs {
		var d fit.Document
		if err := json.Unmarshal(b, &d); err != nil {
			return err
		}
		if d.Name == name && d.Version == version {
			s.docs = slices.Delete(s.docs, i, i+1)
			return nil
		}
	}
	return errs.New(errs.NotFound, "parameter document %q has no version %d", name, version)
}
