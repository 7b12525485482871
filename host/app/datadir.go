package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/weir-ml/weir/host/errs"
)

// Files of a data folder, described in docs/formats/data-folder.md.
const (
	formatVersion = 1
	formatFile    = "format.json" // which layout the folder has
	lockFile      = "lock"        // held (flock) by the process that uses the folder; holds its pid
	readyFile     = "weir.json"   // the addresses of the running process; gone when it stopped in order
)

type format struct {
	Format int `json:"format"`
}

// dataDir is a data folder that this process holds.
type dataDir struct {
	path string
	lock *os.File
}

// openDataDir takes the folder, making it when it is not there. A folder that another process uses (errs.Conflict), that a
// newer weir wrote, that is not weir's or that does not read (errs.Unavailable) is left exactly as it is.
func openDataDir(path string) (*dataDir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	fresh, err := checkFormat(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, errs.New(errs.Unavailable, "make data folder: %w", err)
	}
	d := &dataDir{path: path}
	if err := d.take(); err != nil {
		return nil, err
	}
	if fresh {
		// Under the lock now: the same folder may have been set up by another process since the first look.
		if fresh, err = checkFormat(path); err == nil && fresh {
			err = d.writeDurably(formatFile, format{formatVersion})
		}
		if err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	for _, sub := range []string{"tmp", "cache"} {
		if err := os.MkdirAll(d.join(sub), 0o700); err != nil {
			return nil, errors.Join(errs.New(errs.Unavailable, "make data folder: %w", err), d.Close())
		}
	}
	return d, nil
}

// checkFormat looks without touching; fresh: the folder is absent or empty.
func checkFormat(path string) (fresh bool, err error) {
	raw, err := os.ReadFile(filepath.Join(path, formatFile))
	if errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(path)
		if errors.Is(err, fs.ErrNotExist) {
			return true, nil
		}
		if err != nil {
			return false, errs.New(errs.Unavailable, "read data folder: %w", err)
		}
		for _, e := range entries {
			if n := e.Name(); n != lockFile && !strings.HasPrefix(n, "."+formatFile+".") { // a start that died before the format was there leaves these
				return false, errs.New(errs.Unavailable, "data folder %s is not empty and has no %s: it is not a weir data folder, or a damaged one; nothing was touched. Choose another --data", path, formatFile)
			}
		}
		return true, nil
	}
	if err != nil {
		return false, errs.New(errs.Unavailable, "read data folder: %w", err)
	}
	var f format
	if err := json.Unmarshal(raw, &f); err != nil || f.Format < 1 {
		return false, errs.New(errs.Unavailable, "data folder %s is damaged: %s does not read (%.40q); nothing was touched. Restore it from a backup", path, formatFile, raw)
	}
	if f.Format > formatVersion {
		return false, errs.New(errs.Unavailable, "data folder %s has format %d, this weir knows up to %d: it was written by a newer weir; nothing was touched. Use that version", path, f.Format, formatVersion)
	}
	return false, nil
}

func (d *dataDir) join(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// take locks the folder for this process; the lock goes with the process, however it ends.
func (d *dataDir) take() error {
	f, err := os.OpenFile(d.join(lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return errs.New(errs.Unavailable, "lock data folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		pid, _ := io.ReadAll(io.LimitReader(f, 32))
		_ = f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return errs.New(errs.Unavailable, "lock data folder %s: %w", d.path, err)
		}
		return errs.New(errs.Conflict, "data folder %s is in use by weir process %s: stop it first, or choose another --data", d.path, orUnknown(strings.TrimSpace(string(pid))))
	}
	if err := f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		if err != nil {
			_ = f.Close()
			return errs.New(errs.Unavailable, "lock data folder %s: %w", d.path, err)
		}
	}
	d.lock = f
	return nil
}

func orUnknown(s string) string {
	if s == "" {
		return "(pid unknown)"
	}
	return s
}

// writeDurably writes v as JSON under name: complete and on disk, or not there.
func (d *dataDir) writeDurably(name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(d.path, "."+name+".*")
	if err != nil {
		return errs.New(errs.Unavailable, "write %s: %w", name, err)
	}
	_, err = tmp.Write(append(raw, '\n'))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), d.join(name))
	}
	if err == nil {
		err = syncDir(d.path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return errs.New(errs.Unavailable, "write %s: %w", name, err)
	}
	return nil
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer f.Close()
	return f.Sync()
}

// Close lets the folder go.
func (d *dataDir) Close() error {
	if d.lock == nil {
		return nil
	}
	_ = os.Remove(d.join(readyFile))
	err := d.lock.Close()
	d.lock = nil
	return err
}
