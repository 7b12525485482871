package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	extism "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"
)

// deadline is far away, and must be looked at all the same.
func (r *raw) deadline() time.Time { return time.Now().Add(time.Hour) }

// extismPlugin is one instance of the bench's guest in Extism's own SDK.
type extismPlugin struct {
	p     *extism.Plugin
	entry string
}

func newExtism(ctx context.Context, s settings, entry string) (*extismPlugin, error) {
	wasm, err := s.guest("extism")
	if err != nil {
		return nil, err
	}
	p, err := extism.NewPlugin(ctx, extism.Manifest{Wasm: []extism.Wasm{extism.WasmData{Data: wasm}}},
		extism.PluginConfig{EnableWasi: true, RuntimeConfig: wazero.NewRuntimeConfigCompiler()}, nil)
	if err != nil {
		return nil, err
	}
	return &extismPlugin{p, entry}, nil
}

func (e *extismPlugin) call(in []byte) ([]byte, error) {
	code, out, err := e.p.Call(e.entry, in)
	if err == nil && code != 0 {
		err = fmt.Errorf("the guest answered %d", code)
	}
	return out, err
}

// pythonTimes are what peers.py measured, in nanoseconds.
type pythonTimes struct {
	Numpy    time.Duration `json:"numpy"`
	Wasmtime time.Duration `json:"wasmtime"`
}

func (s settings) python(ctx context.Context, rows, cols int) (t pythonTimes, err error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.root, ".cache", "venv-bench-plugins", "bin", "python"), filepath.Join(s.root, "bench", "plugins", "peers.py"),
		filepath.Join(s.root, ".cache", "examples", "c", "standardise.wasm"), strconv.Itoa(rows), strconv.Itoa(cols), strconv.Itoa(s.rounds))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return t, fmt.Errorf("peers.py: %w", err)
	}
	return t, json.Unmarshal(out, &t)
}
