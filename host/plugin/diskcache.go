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

	"github.com/weir-ml/weir/host/plugin/fuel"
)

// diskCache guards wazero's directory of machine code. wazero trusts what it finds there (its own checksum leaves out the
// function table), and a flipped bit in code that runs natively would take the host down. So for each module a seal
// remembers which file holds its code and that file's checksum; a file that does not match is deleted before wazero sees it,
// and files without a seal are deleted when the cache is opened. Beside the machine code lies the rewritten module, which a
// cold start would otherwise spend half its time on.
type diskCache struct {
	dir string
	mu  sync.Mutex // one compilation at a time, so that the file a compilation adds is known
}

const sealSuffix = ".seal"

// rewrittenSuffix ends the names of rewritten modules. Its number is the rewriting's: code of another version is not loaded.
var rewrittenSuffix = fmt.Sprintf(".fuel-v%d.wasm", fuel.Version)

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
		if seal, ok := readSeal(s); ok {
			sealed[seal.code], sealed[seal.module] = true, true
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

func (d *diskCache) sealPath(digest string) string {
	return filepath.Join(d.dir, strings.TrimPrefix(digest, "sha256:")+sealSuffix)
}

// seal names a module's two files and their checksums.
type seal struct {
	code, module       string // relative to the directory
	codeSum, moduleSum uint32
}

// readSeal reads one; ok is false when it is absent or damaged.
func readSeal(path string) (s seal, ok bool) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return s, false
	}
	n, err := fmt.Sscanf(string(raw), "%s %08x %s %08x\n", &s.code, &s.codeSum, &s.module, &s.moduleSum)
	return s, err == nil && n == 4 && filepath.IsLocal(s.code) && filepath.IsLocal(s.module) && strings.HasSuffix(s.module, rewrittenSuffix)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// read reads a file and its checksum.
func (d *diskCache) read(file string) ([]byte, uint32, error) {
	raw, err := os.ReadFile(filepath.Join(d.dir, file))
	return raw, crc32.Checksum(raw, castagnoli), err
}

// compile compiles the module that rewrite answers, or loads it when its sealed files are intact; rewrite is not called then.
func (d *diskCache) compile(rt wazero.Runtime, digest string, rewrite func() ([]byte, error)) (wazero.CompiledModule, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	path := d.sealPath(digest)
	if s, ok := readSeal(path); ok {
		_, codeSum, err1 := d.read(s.code)
		module, moduleSum, err2 := d.read(s.module)
		if err1 == nil && err2 == nil && codeSum == s.codeSum && moduleSum == s.moduleSum {
			return compileModule(compileTime, rt, module)
		}
		_ = os.Remove(filepath.Join(d.dir, s.code))
		_ = os.Remove(filepath.Join(d.dir, s.module))
	}
	_ = os.Remove(path)
	module, err := rewrite()
	if err != nil {
		return nil, err
	}
	before := d.files()
	m, err := compileModule(compileTime, rt, module)
	if err != nil {
		return nil, err
	}
	s := seal{module: strings.TrimPrefix(digest, "sha256:") + rewrittenSuffix, moduleSum: crc32.Checksum(module, castagnoli)}
	for file := range d.files() {
		if _, old := before[file]; !old {
			s.code = file
		}
	}
	if s.code == "" {
		return m, nil // the code was there, unsealed: another process wrote it
	}
	// Losing the seal costs a compilation later, so a failure from here on is no failure of the caller.
	if _, s.codeSum, err = d.read(s.code); err != nil {
		return m, nil
	}
	if os.WriteFile(filepath.Join(d.dir, s.module), module, 0o600) != nil {
		return m, nil
	}
	if os.WriteFile(path+".new", fmt.Appendf(nil, "%s %08x %s %08x\n", s.code, s.codeSum, s.module, s.moduleSum), 0o600) == nil {
		_ = os.Rename(path+".new", path)
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
