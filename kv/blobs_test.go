package kv_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv/kvtest"
)

func TestBlobs(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	b := kvtest.OpenDir(t, dir).Blobs()
	data := bytes.Repeat([]byte("weir"), 100_000)
	digest, size, err := b.Put(ctx, bytes.NewReader(data))
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(data)); err != nil || digest != want || size != int64(len(data)) {
		t.Fatalf("%s %d %v", digest, size, err)
	}
	f, n, err := b.Open(ctx, digest)
	if err != nil || n != size {
		t.Fatal(n, err)
	}
	if _, err := f.Seek(-4, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if tail, err := io.ReadAll(f); err != nil || string(tail) != "weir" {
		t.Fatalf("%q %v", tail, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	empty, n, err := b.Put(ctx, strings.NewReader(""))
	if err != nil || n != 0 {
		t.Fatal(n, err)
	}
	if l, err := b.List(ctx); err != nil || len(l) != 2 {
		t.Fatalf("%v %v", l, err)
	}
	if got, err := b.ReadAll(ctx, digest); err != nil || !bytes.Equal(got, data) {
		t.Fatal(err)
	}
	if got, err := b.ReadAll(ctx, empty); err != nil || len(got) != 0 {
		t.Fatal(err)
	}

	// Damage is named, and putting the content again mends it.
	path, err := b.Path(digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(data)
	bad[5] ^= 1
	if err := os.WriteFile(path, bad, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = b.ReadAll(ctx, digest)
	wantKind(t, err, errs.Internal)
	if !strings.Contains(err.Error(), digest) || !strings.Contains(err.Error(), fmt.Sprintf("%x", sha256.Sum256(bad))) {
		t.Errorf("error %q does not name both digests", err)
	}
	if _, _, err := b.Put(ctx, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReadAll(ctx, digest); err != nil {
		t.Fatal(err)
	}

	if err := b.Delete(ctx, digest); err != nil {
		t.Fatal(err)
	}
	wantKind(t, b.Delete(ctx, digest), errs.NotFound)
	_, err = b.Stat(digest)
	wantKind(t, err, errs.NotFound)
	_, _, err = b.Open(ctx, digest)
	wantKind(t, err, errs.NotFound)
	_, err = b.Path(digest)
	wantKind(t, err, errs.NotFound)
	for _, bad := range []string{"", "sha256:", "md5:" + strings.Repeat("0", 64), "sha256:" + strings.Repeat("A", 64), "sha256:../" + strings.Repeat("0", 61)} {
		_, err := b.Stat(bad)
		wantKind(t, err, errs.Invalid)
	}
}

func TestBlobFailuresLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	s := kvtest.OpenDir(t, dir)
	b := s.Blobs()
	boom := errors.New("boom")
	if _, _, err := b.Put(t.Context(), io.MultiReader(strings.NewReader("half"), iotest.ErrReader(boom))); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := b.Put(gone, strings.NewReader("x"))
	wantKind(t, err, errs.Unavailable)
	tmp := filepath.Join(dir, "blobs", "tmp")
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Fatalf("%v %v", left, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tmp, "put-123"), []byte("a crash's leftover"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := kvtest.OpenDir(t, dir).Blobs().List(t.Context()); err != nil || len(l) != 0 {
		t.Fatalf("%v %v", l, err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Fatalf("%v %v", left, err)
	}
}

func TestBlobsConcurrently(t *testing.T) {
	b := kvtest.Open(t).Blobs()
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			data := bytes.Repeat([]byte{byte(i % 3)}, 10_000)
			for range 5 {
				digest, _, err := b.Put(t.Context(), bytes.NewReader(data))
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := b.ReadAll(t.Context(), digest); err != nil || !bytes.Equal(got, data) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if l, err := b.List(t.Context()); err != nil || len(l) != 3 {
		t.Fatalf("%v %v", l, err)
	}
}
