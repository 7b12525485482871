package plugins_test

import (
	"context"
	"os"
	"testing"

	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/plugin/plugintest"
	"github.com/weir-ml/weir/plugins"
)

// TestVectors runs the vectors and the properties of every built-in plugin; dropping a case into testdata/vectors.json adds a test.
func TestVectors(t *testing.T) {
	h, err := plugin.New(plugin.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	for _, a := range plugins.Builtin() {
		t.Run(a.Name, func(t *testing.T) {
			f, err := os.Open(a.Name + "/testdata/vectors.json")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			cases, err := plugintest.Read(f)
			if err != nil {
				t.Fatal(err)
			}
			if len(cases) < 3 {
				t.Fatalf("only %d vectors", len(cases))
			}
			run, err := plugintest.Run(ctx, h, a.Wasm, cases)
			if err != nil {
				t.Fatal(err)
			}
			properties, err := plugintest.Properties(ctx, h, a.Wasm, cases)
			if err != nil {
				t.Fatal(err)
			}
			if len(run.Results) != len(cases) || len(properties.Results) == 0 {
				t.Fatalf("%d results and %d properties of %d cases", len(run.Results), len(properties.Results), len(cases))
			}
			for _, r := range append(run.Failures(), properties.Failures()...) {
				t.Errorf("%s, %s: %s", r.Case, r.Check, r.Detail)
			}
		})
	}
}
