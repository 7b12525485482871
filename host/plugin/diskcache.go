package plugin

import (
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/tetratelabs/wazero"
)

// diskCache guards wazero's directory of machine code. wazero trusts what it finds there (its own checksum leaves out the
// function table), and a flipped bit in code that runs natively would take the host down. So for each module a seal
// remembers which file holds its code and that file's checksum; a file that does not match is deleted before wazero sees it,
// and files without a seal are deleted when the cache is opened.
type diskCache struct {
	dir string
	mu  sync.Mutex // one compilation at a time, so that the file a compilation adds is known
}

const sealSuffix = ".seal"

func openDiskCache(dir string) (*diskCache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the plugin code cache: %w", err)
	}
	d := &diskCache{dir: dir}
	seals, err := filepath.Glob(filepath.Join(dir, "*"+sealSuffix))
	if err != nil {
		return nil, err
	}
	sealed := map[string]bool{}
	for _, s := range seals {
		if file, _, ok := readSeal(s); ok {
			sealed[file] = true
		} else {
			_ = os.Remove(s)
		}
	}
	for file := range d.files() {
		if !sealed[file] {
			_ = os.Remove(filepath.Join(dir, file))
		}
	}
	return d, nil
}

// files lists the code files, relative to the directory, with their sizes.
func (d *diskCache) files() map[string]int64 {
	out := map[string]int64{}
	_ = filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(path, sealSuffix) {
			return nil
		}
		if info, err := e.Info(); err == nil {
			rel, _ := filepath.Rel(d.dir, path)
			out[rel] = info.Size()
		}
		return nil
	})
	return out
}

func (d *diskCache) seal(digest string) string {
	return filepath.Join(d.dir, strings.TrimPrefix(digest, "sha256:")+sealSuffix)
}

// readSeal reads "file checksum".
func readSeal(path string) (file string, sum uint32, ok bool) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", 0, false
	}
	n, err := fmt.Sscanf(string(raw), "%s %08x\n", &file, &sum)
	return file, sum, err == nil && n == 2 && filepath.IsLocal(file)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (d *diskCache) checksum(file string) (uint32, error) {
	raw, err := os.ReadFile(filepath.Join(d.dir, file))
	return crc32.Checksum(raw, castagnoli), err
}

// compile compiles a module, or loads it when its sealed code is intact.
func (d *diskCache) compile(rt wazero.Runtime, digest string, wasm []byte) (wazero.CompiledModule, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	seal := d.seal(digest)
	if file, want, ok := readSeal(seal); ok {
		if got, err := d.checksum(file); err == nil && got == want {
			return compileModule(rt, wasm)
		}
		_ = os.Remove(filepath.Join(d.dir, file))
	}
	_ = os.Remove(seal)
	before := d.files()
	m, err := compileModule(rt, wasm)
	if err != nil {
		return nil, err
	}
	for file := range d.files() {
		if _, old := before[file]; old {
			continue
		}
		sum, err := d.checksum(file)
		if err != nil {
			break
		}
		// Losing the seal costs a compilation later, so a failure here is no failure of the caller.
		tmp := seal + ".new"
		if os.WriteFile(tmp, fmt.Appendf(nil, "%s %08x\n", file, sum), 0o600) == nil {
			_ = os.Rename(tmp, seal)
		}
	}
	return m, nil
}

// clear deletes every file.
func (d *diskCache) clear() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for file := range d.files() {
		if err := os.Remove(filepath.Join(d.dir, file)); err != nil {
			return fmt.Errorf("empty the plugin code cache: %w", err)
		}
	}
	seals, _ := filepath.Glob(filepath.Join(d.dir, "*"+sealSuffix))
	for _, s := range seals {
		_ = os.Remove(s)
	}
	return nil
}
