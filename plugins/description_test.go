package plugins_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/sdk/abi"
)

var update = flag.Bool("update", false, "write descriptions and exports to the manifests")

// TestDescriptions runs every committed module and compares what it says with its plugin.json. With -update it writes that file.
func TestDescriptions(t *testing.T) {
	files, err := filepath.Glob("*/plugin.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d manifests, %v", len(files), err)
	}
	h, err := plugin.New(plugin.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, file := range files {
		name := filepath.Dir(file)
		wasm, err := os.ReadFile(filepath.Join(name, name+".wasm"))
		if err != nil {
			t.Fatal(err)
		}
		info, err := h.Inspect(context.Background(), wasm)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if *update {
			rewrite(t, file, info)
		}
		var m struct {
			Description abi.Description
			Exports     []string
		}
		raw, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(raw, &m)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if d := cmp.Diff(info.Description, m.Description) + cmp.Diff(info.Exports, m.Exports); d != "" {
			t.Errorf("%s is stale, run plugins/build.sh (-module +manifest):\n%s", file, d)
		}
	}
}

// rewrite sets two members of a manifest and leaves the others, and their order, alone.
func rewrite(t *testing.T, file string, info plugin.Info) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]any{"description": info.Description, "exports": info.Exports}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	out := []byte("{")
	add := func(name string, value any) {
		b, err := json.Marshal(value)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, '"'), name...), '"', ':')
		out = append(out, b...)
	}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if _, ours := set[name.(string)]; !ours {
			add(name.(string), value)
		}
	}
	add("description", info.Description)
	add("exports", info.Exports)
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, append(out, '}'), "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	if err := os.WriteFile(file, pretty.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
