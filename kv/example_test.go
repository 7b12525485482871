package kv_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/weir-ml/weir/kv"
)

// Two keys that belong together move together, or not at all.
func ExampleBucket_Commit() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "weir")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	s, err := kv.Open(ctx, kv.Options{Dir: dir})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	b, err := s.Bucket(ctx, kv.BucketConfig{Name: "models"})
	if err != nil {
		panic(err)
	}
	rev, err := b.Commit(ctx,
		kv.Op{Key: "iris.version.1", Value: []byte("sha256:…"), Expect: kv.Absent},
		kv.Op{Key: "iris.champion", Value: []byte("1")})
	fmt.Println(rev, err)

	_, err = b.Update(ctx, "iris.champion", []byte("2"), rev-1)
	fmt.Println(errors.Is(err, kv.ErrStale))
	// Output:
	// 2 <nil>
	// true
}
