// Package resourcekv keeps applied resources in one key-value bucket, so that a manifest of several objects is one atomic
// commit. The format is described in docs/formats/resources.md.
package resourcekv

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/kv"
)

// Bucket is the name of the bucket.
const Bucket = "resources"

// Store implements resource.Store. It is safe for concurrent use.
type Store struct{ bucket *kv.Bucket }

var _ resource.Store = (*Store)(nil)

// New opens the bucket, making it when it is not there.
func New(ctx context.Context, s *kv.Store) (*Store, error) {
	b, err := s.Bucket(ctx, kv.BucketConfig{Name: Bucket, History: 16})
	if err != nil {
		return nil, fmt.Errorf("open resources: %w", err)
	}
	return &Store{b}, nil
}

func key(o resource.Object) string { return strings.ToLower(o.Kind) + "." + o.Metadata.Name }

// List returns every object.
func (s *Store) List(ctx context.Context) ([]resource.Object, error) {
	entries, err := s.bucket.List(ctx, "")
	if err != nil {
		return nil, err
	}
	out := make([]resource.Object, len(entries))
	for i, e := range entries {
		if err := json.Unmarshal(e.Value, &out[i]); err != nil {
			return nil, errs.New(errs.Internal, "resource %q at revision %d does not parse: %w", e.Key, e.Revision, err)
		}
		out[i].Revision = e.Revision
	}
	return out, nil
}

// Commit makes all changes or none.
func (s *Store) Commit(ctx context.Context, changes []resource.Change) ([]uint64, error) {
	ops := make([]kv.Op, len(changes))
	for i, c := range changes {
		op := kv.Op{Key: key(c.Object), Delete: c.Remove, Expect: kv.Absent}
		if c.Revision > 0 {
			op.Expect = kv.Revision(c.Revision)
		}
		if !c.Remove {
			o := c.Object
			o.Revision, o.Status = 0, nil
			v, err := json.Marshal(o)
			if err != nil {
				return nil, fmt.Errorf("write %s: %w", op.Key, err)
			}
			op.Value = v
		}
		ops[i] = op
	}
	last, err := s.bucket.Commit(ctx, ops...)
	if err != nil {
		return nil, err
	}
	// The members of an atomic batch take consecutive sequences, the last of which Commit returns.
	revs := make([]uint64, len(ops))
	for i := range revs {
		revs[i] = last - uint64(len(ops)-1-i)
	}
	return revs, nil
}
