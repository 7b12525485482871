package plugin

import (
	"context"
	"errors"
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
// and files without a seal are deleted when the cache is opened.
//
// wazero decodes and validates a module, body by body, even when its machine code is there, and that is most of the time that
// it takes. So beside the machine code lies not the module but a hollow one (fuel.Hollow), and the code lies where wazero looks
// for the hollow one's. Should wazero not find it there, it compiles the hollow module, of which every function traps;
// that is noticed by the file that it adds.
type diskCache struct {
	dir     string
	mu      sync.Mutex // one compilation at a time, so that the file a compilation adds is known
	folders []string   // wazero's, for this version of it and others; known at the first compilation
}

const sealSuffix = ".seal"

// hollowSuffix ends the names of hollow modules. Its number is the rewriting's: code of another version is not loaded.
var hollowSuffix = fmt.Sprintf(".hollow-v%d.wasm", fuel.Version)

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
	return s, err == nil && n == 4 && filepath.IsLocal(s.code) && filepath.IsLocal(s.module) && strings.HasSuffix(s.module, hollowSuffix)
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
		if m := d.load(rt, s); m != nil {
			return m, nil
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
	for file := range d.files() {
		if _, old := before[file]; !old {
			// Losing the seal costs a compilation later, so a failure from here on is no failure of the caller.
			_ = d.keep(path, digest, module, file)
			break
		}
	}
	return m, nil
}

// load loads what a seal names; nil: something is damaged or gone.
func (d *diskCache) load(rt wazero.Runtime, s seal) wazero.CompiledModule {
	_, codeSum, err1 := d.read(s.code)
	hollow, moduleSum, err2 := d.read(s.module)
	if err1 != nil || err2 != nil || codeSum != s.codeSum || moduleSum != s.moduleSum {
		return nil
	}
	before := d.codeFiles()
	m, err := compileModule(compileTime, rt, hollow)
	if err != nil {
		return nil
	}
	if d.codeFiles() != before { // wazero looked elsewhere, and has compiled the hollow module
		_ = m.Close(context.Background())
		return nil
	}
	return m
}

// codeFiles counts the files in wazero's folders.
func (d *diskCache) codeFiles() (n int) {
	if d.folders == nil {
		d.folders, _ = filepath.Glob(filepath.Join(d.dir, "wazero-*"))
	}
	for _, folder := range d.folders {
		if f, err := os.Open(folder); err == nil {
			names, _ := f.Readdirnames(-1)
			n += len(names)
			_ = f.Close()
		}
	}
	return n
}

// keep moves a module's code file to where wazero looks for the hollow module's, and seals both.
func (d *diskCache) keep(path, digest string, module []byte, code string) error {
	hollow, err := fuel.Hollow(module)
	if err != nil {
		return err
	}
	s := seal{module: strings.TrimPrefix(digest, "sha256:") + hollowSuffix, moduleSum: crc32.Checksum(hollow, castagnoli)}
	if s.code, err = codeName(hollow); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(d.dir, code), filepath.Join(d.dir, s.code)); err != nil {
		return err
	}
	if _, s.codeSum, err = d.read(s.code); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.dir, s.module), hollow, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", fmt.Appendf(nil, "%s %08x %s %08x\n", s.code, s.codeSum, s.module, s.moduleSum), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// codeName is the name that wazero gives the machine code of a module, relative to the cache's directory: found by letting it
// compile the module into a directory of its own. Hollow modules take it no time.
func codeName(hollow []byte) (string, error) {
	dir, err := os.MkdirTemp("", "weir-code-name")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return "", err
	}
	ctx := context.Background()
	defer func() { _ = cache.Close(ctx) }() // its folder goes, too
	rt := wazero.NewRuntimeWithConfig(ctx, runtimeConfig().WithCompilationCache(cache))
	defer rt.Close(ctx)
	if _, err := compileModule(compileTime, rt, hollow); err != nil {
		return "", err
	}
	for file := range (&diskCache{dir: dir}).files() {
		return file, nil
	}
	return "", errors.New("wazero has kept no code")
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
