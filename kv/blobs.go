package kv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/weir-ml/weir/host/errs"
)

const digestPrefix = "sha256:"

// Blobs are files that are named by the SHA-256 of their content: blobs/sha256/<first two hex digits>/<64 hex digits>. A blob is
// whole or absent: it is written beside, fsynced, renamed, and its folder fsynced, before Put returns. Safe for concurrent use.
type Blobs struct {
	root    string
	tmp     string
	metrics *metrics
	shards  sync.Map // shard folder → struct{}: made and fsynced by this process
}

// Blobs returns the store's blobs.
func (s *Store) Blobs() *Blobs { return s.blobs }

// openBlobs makes the folders and removes the leftovers of puts that a crash cut off.
func openBlobs(dir string, m *metrics) (*Blobs, error) {
	b := &Blobs{root: filepath.Join(dir, "sha256"), tmp: filepath.Join(dir, "tmp"), metrics: m}
	for _, d := range []string{b.root, b.tmp} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, errs.New(errs.Invalid, "blob folder %s cannot be made: %w", d, err)
		}
	}
	left, err := os.ReadDir(b.tmp)
	if err != nil {
		return nil, errs.New(errs.Invalid, "blob folder %s cannot be read: %w", b.tmp, err)
	}
	for _, e := range left {
		if err := os.Remove(filepath.Join(b.tmp, e.Name())); err != nil {
			return nil, errs.New(errs.Invalid, "remove the leftover %s: %w", filepath.Join(b.tmp, e.Name()), err)
		}
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := syncDir(d); err != nil {
			return nil, errs.New(errs.Unavailable, "sync %s: %w", d, err)
		}
	}
	return b, nil
}

// Put stores what r gives and returns its digest ("sha256:" and 64 hex digits) and size in bytes. Putting the same content again
// is fine and mends a damaged file. An error of r comes back as it is and stores nothing.
func (b *Blobs) Put(ctx context.Context, r io.Reader) (digest string, size int64, err error) {
	f, err := os.CreateTemp(b.tmp, "put-*")
	if err != nil {
		return "", 0, diskError("make a temporary file in "+b.tmp, err)
	}
	defer func() {
		_ = f.Close()
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	h := sha256.New()
	src := &ctxReader{ctx: ctx, r: r}
	if size, err = io.Copy(&hashingWriter{f: f, h: h}, src); err != nil {
		if src.err != nil {
			return "", 0, src.err
		}
		return "", 0, diskError("write a blob", err)
	}
	if err = f.Sync(); err != nil {
		return "", 0, diskError("sync a blob", err)
	}
	if err = f.Chmod(0o444); err != nil {
		return "", 0, diskError("protect a blob", err)
	}
	if err = f.Close(); err != nil {
		return "", 0, diskError("close a blob", err)
	}
	name := hex.EncodeToString(h.Sum(nil))
	shard := filepath.Join(b.root, name[:2])
	if err = b.ensureShard(shard); err != nil {
		return "", 0, err
	}
	if err = os.Rename(f.Name(), filepath.Join(shard, name)); err != nil {
		return "", 0, diskError("name a blob", err)
	}
	// Also when the same content was there: whoever named it first may not have synced the folder yet.
	if err = syncDir(shard); err != nil {
		return "", 0, diskError("sync a blob's folder", err)
	}
	b.metrics.blobBytes.WithLabelValues("in").Add(float64(size))
	return digestPrefix + name, size, nil
}

func (b *Blobs) ensureShard(shard string) error {
	if _, ok := b.shards.Load(shard); ok {
		return nil
	}
	if err := os.MkdirAll(shard, 0o755); err != nil {
		return diskError("make a blob's folder", err)
	}
	if err := syncDir(b.root); err != nil {
		return diskError("sync the blobs' folder", err)
	}
	b.shards.Store(shard, struct{}{})
	return nil
}

// Path returns the file of a blob, for engines that read files themselves. The file must not be changed. errs.NotFound when it
// is not there, errs.Invalid when digest is not one.
func (b *Blobs) Path(digest string) (string, error) {
	path, _, err := b.stat(digest)
	return path, err
}

// Stat returns a blob's size in bytes, or errs.NotFound.
func (b *Blobs) Stat(digest string) (int64, error) {
	_, size, err := b.stat(digest)
	return size, err
}

func (b *Blobs) stat(digest string) (string, int64, error) {
	path, err := b.path(digest)
	if err != nil {
		return "", 0, err
	}
	st, err := os.Stat(path)
	if err != nil {
		return "", 0, blobError(digest, err)
	}
	return path, st.Size(), nil
}

// Open returns a blob's content and size in bytes; the caller closes it. It does not verify the content: ReadAll does.
func (b *Blobs) Open(ctx context.Context, digest string) (io.ReadSeekCloser, int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, kinded("open blob "+digest, err)
	}
	path, err := b.path(digest)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, blobError(digest, err)
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, 0, blobError(digest, err)
	}
	return f, st.Size(), nil
}

// ReadAll returns a blob's content after comparing it with its digest; a difference is an errs.Internal that names both.
func (b *Blobs) ReadAll(ctx context.Context, digest string) ([]byte, error) {
	f, size, err := b.Open(ctx, digest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, blobError(digest, err)
	}
	sum := sha256.Sum256(data)
	if got := digestPrefix + hex.EncodeToString(sum[:]); got != digest {
		return nil, errs.New(errs.Internal, "blob %s is damaged: its content has the digest %s; put the content again", digest, got)
	}
	b.metrics.blobBytes.WithLabelValues("out").Add(float64(size))
	return data, nil
}

// Delete removes a blob, or answers errs.NotFound. Readers that have it open go on reading.
func (b *Blobs) Delete(_ context.Context, digest string) error {
	path, err := b.path(digest)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return blobError(digest, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return diskError("sync a blob's folder", err)
	}
	return nil
}

// List returns the digests of all blobs, sorted.
func (b *Blobs) List(ctx context.Context) ([]string, error) {
	shards, err := os.ReadDir(b.root)
	if err != nil {
		return nil, diskError("list blobs", err)
	}
	var digests []string
	for _, shard := range shards {
		if err := ctx.Err(); err != nil {
			return nil, kinded("list blobs", err)
		}
		files, err := os.ReadDir(filepath.Join(b.root, shard.Name()))
		if err != nil {
			return nil, diskError("list blobs", err)
		}
		for _, f := range files {
			if digest := digestPrefix + f.Name(); checkDigest(digest) == nil {
				digests = append(digests, digest)
			}
		}
	}
	slices.Sort(digests)
	return digests, nil
}

func (b *Blobs) path(digest string) (string, error) {
	if err := checkDigest(digest); err != nil {
		return "", err
	}
	name := digest[len(digestPrefix):]
	return filepath.Join(b.root, name[:2], name), nil
}

func checkDigest(digest string) error {
	name, ok := strings.CutPrefix(digest, digestPrefix)
	if !ok || len(name) != 64 || strings.Trim(name, "0123456789abcdef") != "" {
		return errs.New(errs.Invalid, "digest %.80q must be %q and 64 lower-case hex digits", digest, digestPrefix)
	}
	return nil
}

func blobError(digest string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errs.New(errs.NotFound, "blob %s not found", digest)
	}
	return diskError("read blob "+digest, err)
}

// ctxReader ends a copy when ctx does and remembers whether an error came from the reader's side.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (c *ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		c.err = kinded("put a blob", err)
		return 0, c.err
	}
	n, err := c.r.Read(p)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

type hashingWriter struct {
	f *os.File
	h hash.Hash
}

func (w *hashingWriter) Write(p []byte) (int, error) {
	_, _ = w.h.Write(p) // never fails
	return w.f.Write(p)
}
