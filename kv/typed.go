package kv

import (
	"context"
	"encoding/json"
	"time"

	"github.com/weir-ml/weir/host/errs"
)

// Typed is a view of the keys under one prefix of a bucket whose values are JSON of T. Keys are given and returned without the
// prefix. The zero value is not usable. Safe for concurrent use.
type Typed[T any] struct {
	bucket *Bucket
	prefix string
}

// Item is one decoded entry.
type Item[T any] struct {
	Key      string // without the prefix
	Value    T
	Revision uint64
	Created  time.Time
}

// NewTyped returns the view of prefix, which is "" or ends at a token ("model."); any other prefix makes every call errs.Invalid.
func NewTyped[T any](b *Bucket, prefix string) Typed[T] { return Typed[T]{bucket: b, prefix: prefix} }

func (t Typed[T]) key(key string) (string, error) {
	if err := checkPrefix(t.prefix); err != nil {
		return "", err
	}
	if err := CheckKey(key); err != nil {
		return "", err
	}
	return t.prefix + key, nil
}

func (t Typed[T]) encode(key string, v T) (string, []byte, error) {
	full, err := t.key(key)
	if err != nil {
		return "", nil, err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "", nil, errs.New(errs.Invalid, "bucket %s, key %q: the value is not JSON: %w", t.bucket.name, full, err)
	}
	return full, data, nil
}

// Decode turns an entry of the bucket, for instance a mirror's, into an Item. A value that is not T is errs.Internal.
func (t Typed[T]) Decode(e Entry) (Item[T], error) {
	it := Item[T]{Key: e.Key[min(len(t.prefix), len(e.Key)):], Revision: e.Revision, Created: e.Created}
	if err := json.Unmarshal(e.Value, &it.Value); err != nil {
		return it, errs.New(errs.Internal, "bucket %s, key %q, revision %d holds something else than %T: %w", t.bucket.name, e.Key, e.Revision, it.Value, err)
	}
	return it, nil
}

// Get returns a value and its revision, or errs.NotFound.
func (t Typed[T]) Get(ctx context.Context, key string) (T, uint64, error) {
	var zero T
	full, err := t.key(key)
	if err != nil {
		return zero, 0, err
	}
	e, err := t.bucket.Get(ctx, full)
	if err != nil {
		return zero, 0, err
	}
	it, err := t.Decode(e)
	if err != nil {
		return zero, 0, err
	}
	return it.Value, it.Revision, nil
}

// Put stores v whatever was there and returns its revision.
func (t Typed[T]) Put(ctx context.Context, key string, v T) (uint64, error) {
	full, data, err := t.encode(key, v)
	if err != nil {
		return 0, err
	}
	return t.bucket.Put(ctx, full, data)
}

// Create stores v under a key that has no value, or answers errs.Exists.
func (t Typed[T]) Create(ctx context.Context, key string, v T) (uint64, error) {
	full, data, err := t.encode(key, v)
	if err != nil {
		return 0, err
	}
	return t.bucket.Create(ctx, full, data)
}

// Update stores v if the key's last revision is rev (0 = no value), or answers ErrStale.
func (t Typed[T]) Update(ctx context.Context, key string, v T, rev uint64) (uint64, error) {
	full, data, err := t.encode(key, v)
	if err != nil {
		return 0, err
	}
	return t.bucket.Update(ctx, full, data, rev)
}

// Delete removes a key if its last revision is rev (0 = any), or answers ErrStale.
func (t Typed[T]) Delete(ctx context.Context, key string, rev uint64) error {
	full, err := t.key(key)
	if err != nil {
		return err
	}
	return t.bucket.Delete(ctx, full, rev)
}

// Op is the write of v for a Commit of several keys.
func (t Typed[T]) Op(key string, v T, expect Expect) (Op, error) {
	full, data, err := t.encode(key, v)
	if err != nil {
		return Op{}, err
	}
	return Op{Key: full, Value: data, Expect: expect}, nil
}

// List returns all values under the prefix, sorted by key.
func (t Typed[T]) List(ctx context.Context) ([]Item[T], error) {
	entries, err := t.bucket.List(ctx, t.prefix)
	if err != nil {
		return nil, err
	}
	out := make([]Item[T], 0, len(entries))
	for _, e := range entries {
		it, err := t.Decode(e)
		if err != nil {
			return nil, err
		}
		out = append(out, it)
	}
	return out, nil
}
