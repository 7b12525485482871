// Package catalogkv keeps the plugin catalogue in weir's key-value store: bucket "catalog", key plugin.<name>, the name's
// document as JSON, changed by compare-and-swap. docs/formats/catalog.md describes it.
package catalogkv

import (
	"context"
	"fmt"

	"github.com/weir-ml/weir/host/catalog"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv"
)

// Interface guard.
var _ catalog.Store = (*Store)(nil)

// Bucket is the name of the bucket.
const Bucket = "catalog"

// Store implements catalog.Store. Safe for concurrent use.
type Store struct{ docs kv.Typed[catalog.Plugin] }

// Open makes the bucket at the first call.
func Open(ctx context.Context, s *kv.Store) (*Store, error) {
	b, err := s.Bucket(ctx, kv.BucketConfig{Name: Bucket, History: 4})
	if err != nil {
		return nil, fmt.Errorf("plugin catalogue: %w", err)
	}
	return &Store{kv.NewTyped[catalog.Plugin](b, "plugin.")}, nil
}

// List implements catalog.Store.
func (s *Store) List(ctx context.Context) ([]catalog.Stored, error) {
	items, err := s.docs.List(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]catalog.Stored, len(items))
	for i, it := range items {
		out[i] = catalog.Stored{Plugin: it.Value, Revision: it.Revision}
	}
	return out, nil
}

// Get implements catalog.Store.
func (s *Store) Get(ctx context.Context, name string) (catalog.Stored, error) {
	if kv.CheckKey(name) != nil { // nothing was ever stored under such a name
		return catalog.Stored{}, errs.New(errs.NotFound, "plugin %q is not in the catalogue", name)
	}
	p, rev, err := s.docs.Get(ctx, name)
	if errs.Is(err, errs.NotFound) {
		return catalog.Stored{}, errs.New(errs.NotFound, "plugin %q is not in the catalogue", name)
	}
	return catalog.Stored{Plugin: p, Revision: rev}, err
}

// Put implements catalog.Store.
func (s *Store) Put(ctx context.Context, p catalog.Plugin, revision uint64) (uint64, error) {
	return s.docs.Update(ctx, p.Name, p, revision)
}
