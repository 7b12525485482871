// Package fitkv keeps fitted parameter documents in a bucket of the embedded NATS: the truth about which there are.
// docs/formats/parameters.md describes the keys and values.
package fitkv

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/fit"
	"github.com/weir-ml/weir/kv"
)

// Bucket is the bucket's name.
const Bucket = "parameters"

// The two kinds of keys: "last.<name>" holds the last number given, "version.<name>.<number, ten digits>" a document.
const (
	lastPrefix    = "last."
	versionPrefix = "version."
)

// Store implements fit.Store. A document and the number that it takes are written together or not at all.
type Store struct {
	bucket   *kv.Bucket
	last     kv.Typed[last]
	versions kv.Typed[fit.Document]
}

var _ fit.Store = (*Store)(nil)

type last struct {
	Last int `json:"last"`
}

// Open opens the bucket, or makes it. The store stays usable until s is closed.
func Open(ctx context.Context, s *kv.Store) (*Store, error) {
	b, err := s.Bucket(ctx, kv.BucketConfig{Name: Bucket, History: 1})
	if err != nil {
		return nil, fmt.Errorf("open the parameter documents' bucket: %w", err)
	}
	return &Store{bucket: b, last: kv.NewTyped[last](b, lastPrefix), versions: kv.NewTyped[fit.Document](b, versionPrefix)}, nil
}

func versionKey(name string, n int) string { return fmt.Sprintf("%s.%010d", name, n) }

func (s *Store) head(ctx context.Context, name string) (n int, revision uint64, err error) {
	l, rev, err := s.last.Get(ctx, name)
	if errs.Is(err, errs.NotFound) {
		return 0, 0, nil
	}
	return l.Last, rev, err
}

// Add implements fit.Store.
func (s *Store) Add(ctx context.Context, v fit.Document) error {
	n, rev, err := s.head(ctx, v.Name)
	if err != nil {
		return err
	}
	if v.Version != n+1 {
		return fit.ErrTaken
	}
	record, err := json.Marshal(v)
	if err != nil {
		return errs.New(errs.Internal, "encode %s: %w", v.Ref(), err)
	}
	head, err := json.Marshal(last{v.Version})
	if err != nil {
		return errs.New(errs.Internal, "encode the last version of %q: %w", v.Name, err)
	}
	_, err = s.bucket.Commit(ctx,
		kv.Op{Key: lastPrefix + v.Name, Value: head, Expect: kv.Revision(rev)},
		kv.Op{Key: versionPrefix + versionKey(v.Name, v.Version), Value: record, Expect: kv.Absent})
	if errors.Is(err, kv.ErrStale) {
		return fit.ErrTaken
	}
	return err
}

// Last implements fit.Store.
func (s *Store) Last(ctx context.Context, name string) (int, error) {
	n, _, err := s.head(ctx, name)
	return n, err
}

// List implements fit.Store.
func (s *Store) List(ctx context.Context, name string) ([]fit.Document, error) {
	prefix := versionPrefix
	if name != "" {
		prefix += name + "."
	}
	entries, err := s.bucket.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	out := make([]fit.Document, 0, len(entries))
	for _, e := range entries {
		it, err := s.versions.Decode(e)
		if err != nil {
			return nil, err
		}
		out = append(out, it.Value)
	}
	// Keys sort "a-b." before "a.": names do not.
	slices.SortFunc(out, func(a, b fit.Document) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	return out, nil
}

// Delete implements fit.Store.
func (s *Store) Delete(ctx context.Context, name string, version int) error {
	key := versionKey(name, version)
	_, rev, err := s.versions.Get(ctx, key)
	if err == nil {
		err = s.bucket.Delete(ctx, versionPrefix+key, rev)
	}
	if errs.Is(err, errs.NotFound) || errors.Is(err, kv.ErrStale) {
		return errs.New(errs.NotFound, "parameter document %q has no version %d", name, version)
	}
	return err
}
