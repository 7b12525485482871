package kv

import (
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
	changesDir  = "changing" // one file per stream whose description is being changed

	metaFile = "meta.inf"
	metaSum  = "meta.sum"

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
// nobody's data and passes. mend lists the folders of streams whose checksum a crash left behind while their description was being
// changed: the server writes the two files one after the other, and would drop the stream.
func checkData(dir string) (names, mend []string, err error) {
	root := filepath.Join(dir, filepath.FromSlash(streamsPath))
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, errs.New(errs.Invalid, "store in %s cannot be read: %w", dir, err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") { // half-deleted: the server finishes that
			continue
		}
		folder := filepath.Join(root, e.Name())
		if !e.IsDir() {
			return nil, nil, corrupt(folder, "a file stands where a stream's folder belongs")
		}
		_, changing := os.Stat(filepath.Join(dir, changesDir, e.Name()))
		found, err := checkStream(folder, e.Name(), changing == nil)
		if err != nil {
			return nil, nil, err
		}
		if found == streamWhole || found == streamChanging {
			names = append(names, e.Name())
		}
		if found == streamChanging {
			mend = append(mend, folder)
		}
	}
	return names, mend, nil
}

type streamState int

const (
	streamWhole    streamState = iota
	streamUnmade               // a crash came while it was being made
	streamChanging             // a crash came while its description was being changed
)

// checkStream verifies the messages, and meta.inf against meta.sum as nats-server does (server/jetstream.go, doStream).
func checkStream(dir, name string, changing bool) (streamState, error) {
	used, err := checkBlocks(dir, name)
	if err != nil {
		return 0, err
	}
	meta, err := os.ReadFile(filepath.Join(dir, metaFile))
	if errors.Is(err, fs.ErrNotExist) && !used {
		return streamUnmade, nil
	}
	if err != nil {
		return 0, corrupt(filepath.Join(dir, metaFile), err.Error())
	}
	sum, err := os.ReadFile(filepath.Join(dir, metaSum))
	if errors.Is(err, fs.ErrNotExist) && !used {
		// The server would make the stream again without writing the checksum, and drop it with all it holds at the next start.
		changing, err = true, nil
	}
	if err != nil {
		return 0, corrupt(filepath.Join(dir, metaSum), err.Error())
	}
	want, err := sumOf(meta, name)
	if err != nil {
		return 0, err
	}
	var described struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(meta, &described); err != nil || described.Name != name {
		return 0, corrupt(filepath.Join(dir, metaFile), "it does not describe stream "+name)
	}
	switch {
	case want == string(sum):
		return streamWhole, nil
	case changing:
		return streamChanging, nil
	}
	return 0, corrupt(filepath.Join(dir, metaFile), "its checksum in "+metaSum+" does not match")
}

// sumOf is the content of meta.sum: HighwayHash-64 in hexadecimal, keyed with the SHA-256 of the stream's folder name.
func sumOf(meta []byte, name string) (string, error) {
	key := sha256.Sum256([]byte(name))
	h, err := highwayhash.New64(key[:])
	if err != nil {
		return "", errs.New(errs.Internal, "checksum of stream %q: %w", name, err)
	}
	_, _ = h.Write(meta)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// mendStreams finishes changes of descriptions that a crash cut off.
func mendStreams(dir string, mend []string) error {
	for _, folder := range mend {
		meta, err := os.ReadFile(filepath.Join(folder, metaFile))
		if err != nil {
			return corrupt(filepath.Join(folder, metaFile), err.Error())
		}
		sum, err := sumOf(meta, filepath.Base(folder))
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(folder, metaSum), []byte(sum)); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, changesDir)); err != nil {
		return diskError("tidy up "+dir, err)
	}
	return nil
}

// markChange notes durably that a stream's description is about to be changed; done takes the note back.
func markChange(dir, stream string) (done func(), err error) {
	folder := filepath.Join(dir, changesDir)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, diskError("note a change of stream "+stream, err)
	}
	if err := syncDir(dir); err != nil {
		return nil, diskError("note a change of stream "+stream, err)
	}
	note := filepath.Join(folder, stream)
	if err := writeFile(note, nil); err != nil {
		return nil, err
	}
	return func() { _ = os.Remove(note) }, nil
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
	return writeFile(name, append(raw, '\n'))
}

// writeFile replaces a file durably: whole or not at all.
func writeFile(name string, data []byte) error {
	tmp := name + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return diskError("write "+name, err)
	}
	_, err = f.Write(data)
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
		err = syncDir(filepath.Dir(name))
	}
	if err != nil {
		return diskError("write "+name, err)
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
