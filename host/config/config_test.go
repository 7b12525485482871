package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/internal/golden"
)

func file(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOrder(t *testing.T) {
	f := file(t, "http: 127.0.0.1:1\ngrpc: 127.0.0.1:2\nlog: warn\nmodels: [a]\ndrain_timeout: 3s\n")
	env := []string{"WEIR_GRPC=127.0.0.1:3", "WEIR_LOG=error", "WEIR_MODELS=b:c", "WEIR_DUCKDB_THREADS=7", "WEIR_SERVER=ignored", "PATH=x"}
	flags := map[string][]string{"log": {"debug"}, "strict_devices": {"true"}}
	c, from, err := Load(Sources{File: f, Env: env, Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.HTTP, want.GRPC, want.Log, want.Models = "127.0.0.1:1", "127.0.0.1:3", "debug", []string{"b", "c"}
	want.DrainTimeout, want.DuckDBThreads, want.StrictDevices = schema.Duration(3*time.Second), 7, true
	if d := cmp.Diff(want, c); d != "" {
		t.Error(d)
	}
	for k, o := range map[string]string{"data": "default", "http": "file", "grpc": "WEIR_GRPC", "log": "--log", "strict_devices": "--strict-devices"} {
		if from[k] != o {
			t.Errorf("%s comes from %q, want %q", k, from[k], o)
		}
	}
}

func TestErrorsSayWhere(t *testing.T) {
	cases := []struct {
		name, file string
		env        []string
		want       []string
	}{
		{"unknown key", "http: 127.0.0.1:1\nhtpp: x\n", nil, []string{"[2:1]", "htpp"}},
		{"wrong type", "log: info\nduckdb_threads: many\n", nil, []string{"[2:"}},
		{"duplicate", "log: info\nlog: debug\n", nil, []string{"[2:1]"}},
		{"two documents", "log: info\n---\nlog: debug\n", nil, []string{"more than one document"}},
		{"bad duration", "drain_timeout: 3\n", nil, []string{"duration"}},
		{"env number", "", []string{"WEIR_DUCKDB_THREADS=x"}, []string{"WEIR_DUCKDB_THREADS", "whole number"}},
		{"env bool", "", []string{"WEIR_STRICT_DEVICES=maybe"}, []string{"neither true nor false"}},
		{"address", "http: nowhere\n", nil, []string{"http:", "host:port"}},
		{"same port", "http: 127.0.0.1:9\ngrpc: 127.0.0.1:9\n", nil, []string{"grpc:"}},
		{"level", "log: loud\n", nil, []string{"log:", "debug, info"}},
		{"nats", "nats_listen: 0.0.0.0:4222\n", nil, []string{"loopback"}},
		{"range", "body_limit_bytes: 1\n", nil, []string{"body_limit_bytes", "1024"}},
		{"timeout range", "plugin_timeout: 0s\n", nil, []string{"plugin_timeout", "1ms"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := Load(Sources{File: file(t, c.file), Env: c.env})
			if !errs.Is(err, errs.Invalid) {
				t.Fatalf("got %v, want an invalid error", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q lacks %q", err, w)
				}
			}
		})
	}
	if _, _, err := Load(Sources{File: filepath.Join(t.TempDir(), "none")}); !errs.Is(err, errs.NotFound) {
		t.Errorf("missing file: %v", err)
	}
}

func TestShowReadsBack(t *testing.T) {
	c, from, err := Load(Sources{Env: []string{"WEIR_MODELS=/a:/b", "WEIR_LOG=debug"}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.YAML(from)
	if err != nil {
		t.Fatal(err)
	}
	var again Config
	if _, err := Parse(text, &again); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if d := cmp.Diff(c, again); d != "" {
		t.Error(d)
	}
	if !strings.Contains(string(text), "log: debug # WEIR_LOG") {
		t.Errorf("origins are missing:\n%s", text)
	}
}

func TestEveryKnobIsDocumented(t *testing.T) {
	for _, k := range Knobs() {
		if k.Key == "" || k.Doc == "" || k.Example == "" {
			t.Errorf("%q lacks a key, a text or an example", k.Key)
		}
		if k.Example == k.Default {
			t.Errorf("%s: the example is the default", k.Key)
		}
		if _, _, err := Load(Sources{Env: []string{k.Env + "=" + k.Example}}); err != nil {
			t.Errorf("%s: the example is not valid: %v", k.Key, err)
		}
	}
}

func TestReferenceIsCurrent(t *testing.T) {
	golden.Check(t, "../../docs/config.md", Reference())
	golden.Check(t, "../../docs/config.schema.json", Schema())
	if !json.Valid(Schema()) {
		t.Error("the schema is not JSON")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("http: 127.0.0.1:1\nmodels: [a, b]\nread_timeout: 2s\n"))
	f.Add([]byte(`{"log":"debug","duckdb_threads":3}`))
	f.Add([]byte("a: &x [*x]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := Default()
		if _, err := Parse(raw, &c); err != nil || c.Validate() != nil {
			return
		}
		text, err := c.YAML(nil)
		if err != nil {
			t.Fatal(err)
		}
		again := Default()
		if _, err := Parse(text, &again); err != nil {
			t.Fatalf("does not read back: %v\n%s", err, text)
		}
	})
}
