// Package gateskv keeps gate decisions in weir's key-value store: bucket "gates", key decision.<id>, the decision as JSON.
// Decisions are written once and never change or go.
package gateskv

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/gates"
	"github.com/weir-ml/weir/kv"
)

// Interface guard.
var _ gates.Store = (*Store)(nil)

// Store implements gates.Store. Safe for concurrent use.
type Store struct {
	bucket    *kv.Bucket
	decisions kv.Typed[gates.Decision]
}

const keyPrefix = "decision."

// Open makes the bucket at the first call.
func Open(ctx context.Context, s *kv.Store) (*Store, error) {
	b, err := s.Bucket(ctx, kv.BucketConfig{Name: "gates"})
	if err != nil {
		return nil, fmt.Errorf("gates: %w", err)
	}
	return &Store{bucket: b, decisions: kv.NewTyped[gates.Decision](b, keyPrefix)}, nil
}

// Put implements gates.Store.
func (s *Store) Put(ctx context.Context, d gates.Decision) error {
	_, err := s.decisions.Create(ctx, d.ID, d)
	return err
}

// Get implements gates.Store.
func (s *Store) Get(ctx context.Context, id string) (gates.Decision, error) {
	if kv.CheckKey(keyPrefix+id) != nil { // no decision was ever stored under such a name
		return gates.Decision{}, errs.New(errs.NotFound, "decision %q not found", id)
	}
	d, _, err := s.decisions.Get(ctx, id)
	if errs.Is(err, errs.NotFound) {
		return d, errs.New(errs.NotFound, "decision %q not found", id)
	}
	return d, err
}

// List implements gates.Store. Keys sort by time within a gate.
func (s *Store) List(ctx context.Context, gate string, limit int) ([]gates.Decision, error) {
	if strings.Contains(gate, ".") || kv.CheckKey(keyPrefix+gate) != nil {
		return nil, nil
	}
	items, err := kv.NewTyped[gates.Decision](s.bucket, keyPrefix+gate+".").List(ctx)
	if err != nil {
		return nil, err
	}
	if limit > 0 && len(items) > limit {
		items = items[len(items)-limit:]
	}
	out := make([]gates.Decision, len(items))
	for i, it := range items {
		out[i] = it.Value
	}
	slices.Reverse(out)
	return out, nil
}
