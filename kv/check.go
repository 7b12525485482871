package kv

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/minio/highwayhash"

	"github.com/weir-ml/weir/host/errs"
)

// Names under the store's folder; docs/formats/kv.md draws the tree.
const (
	lockFile    = "kv.lock"
	formatFile  = "kv.json"
	blobsDir    = "blobs"
	streamsPath = "jetstream/$G/streams"

	formatVersion = 1
)

type formatInfo struct {
	Format int `json:"format"`
}

// checkDir looks, without changing anything, whether dir can be a store's folder.
func checkDir(dir string) error {
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return errs.New(errs.Invalid, "folder %s cannot be read: %w", dir, err)
	case !st.IsDir():
		return errs.New(errs.Invalid, "%s is a file, a store needs a folder", dir)
	}
	return checkFormat(dir)
}

func checkFormat(dir string) error {
	if raw, err := os.ReadFile(filepath.Join(dir, formatFile)); err == nil {
		var f formatInfo
		if err := json.Unmarshal(raw, &f); err != nil || f.Format < 1 {
			return corrupt(filepath.Join(dir, formatFile), "it is not a format description")
		}
		if f.Format > formatVersion {
			return errs.New(errs.Invalid, "%s was written by a newer weir (format %d, this one reads %d): use that version", dir, f.Format, formatVersion)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return errs.New(errs.Invalid, "store in %s cannot be read: %w", dir, err)
	}
	return nil
}

// checkData verifies, without changing anything, what the server would skip or cut off with no more than a warning: each
// stream's description and its checksum, and the messages (see checkBlocks). It returns the names of the streams whose data must
// be there after the start. A folder that a crash left while a stream was being made (no whole description and no message) is
// nobody's data and passes.
func checkData(dir string) ([]string, error) {
	root := filepath.Join(dir, filepath.FromSlash(streamsPath))
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errs.New(errs.Invalid, "store in %s cannot be read: %w", dir, err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") { // half-deleted: the server finishes that
			continue
		}
		if !e.IsDir() {
			return nil, corrupt(filepath.Join(root, e.Name()), "a file stands where a stream's folder belongs")
		}
		ok, err := checkStream(filepath.Join(root, e.Name()), e.Name())
		if err != nil {
			return nil, err
		}
		if ok {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// checkStream verifies meta.inf against meta.sum as nats-server does (server/jetstream.go, doStream: HighwayHash-64 keyed with
// the SHA-256 of the stream's folder name). false means: never finished being made.
func checkStream(dir, name string) (bool, error) {
	used, err := checkBlocks(dir, name)
	if err != nil {
		return false, err
	}
	meta, err := os.ReadFile(filepath.Join(dir, "meta.inf"))
	if errors.Is(err, fs.ErrNotExist) && !used {
		return false, nil
	}
	if err != nil {
		return false, corrupt(filepath.Join(dir, "meta.inf"), err.Error())
	}
	sum, err := os.ReadFile(filepath.Join(dir, "meta.sum"))
	if errors.Is(err, fs.ErrNotExist) && !used {
		return false, nil
	}
	if err != nil {
		return false, corrupt(filepath.Join(dir, "meta.sum"), err.Error())
	}
	key := sha256.Sum256([]byte(name))
	h, err := highwayhash.New64(key[:])
	if err != nil {
		return false, errs.New(errs.Internal, "checksum of stream %q: %w", name, err)
	}
	_, _ = h.Write(meta)
	if hex.EncodeToString(h.Sum(nil)) != string(bytes.TrimSpace(sum)) {
		return false, corrupt(filepath.Join(dir, "meta.inf"), "its checksum in meta.sum does not match")
	}
	var described struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(meta, &described); err != nil || described.Name != name {
		return false, corrupt(filepath.Join(dir, "meta.inf"), "it does not describe stream "+name)
	}
	return true, nil
}

func corrupt(file, why string) error {
	return errs.New(errs.Invalid, "the store's data is damaged: %s: %s; nothing was changed: restore this folder from a backup", file, why)
}

// lockDir makes the folder and takes its lock, which the kernel drops when the process ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, errs.New(errs.Invalid, "folder %s cannot be made: %w", dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, errs.New(errs.Invalid, "folder %s cannot be written: %w", dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, errs.New(errs.Conflict, "folder %s is open in another process: stop it or choose another folder", dir)
	}
	return f, nil
}

func writeFormat(dir string) error {
	name := filepath.Join(dir, formatFile)
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	raw, err := json.Marshal(formatInfo{Format: formatVersion})
	if err != nil {
		return err
	}
	tmp := name + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return errs.New(errs.Invalid, "folder %s cannot be written: %w", dir, err)
	}
	_, err = f.Write(append(raw, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, name)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return errs.New(errs.Unavailable, "write %s: %w", name, err)
	}
	return nil
}

// syncDir makes renames in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}
