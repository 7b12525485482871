package app

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/datasets"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/fit"
	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/plugins"
	"github.com/weir-ml/weir/sdk/abi"
)

func importCSV(t *testing.T, a *App, name, file string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := a.datasets.Import(context.Background(), name, "csv", f, file); err != nil {
		t.Fatal(err)
	}
}

// TestFitsAgreeWithScikitLearn learns from the same data as host/fit/testdata/fit.py did with scikit-learn and numpy.
func TestFitsAgreeWithScikitLearn(t *testing.T) {
	ctx := context.Background()
	a := open(t, t.TempDir())
	defer a.Close()
	importCSV(t, a, "data", "../fit/testdata/data.csv")
	var cases []struct {
		Plugin     string
		Columns    []string
		Options    json.RawMessage
		Tolerance  float64 // relative to the larger of 1 and the value
		Parameters any
	}
	raw, err := os.ReadFile("../fit/testdata/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	covered := map[string]bool{}
	for i, c := range cases {
		covered[c.Plugin] = true
		t.Run(fmt.Sprintf("%02d %s", i, c.Plugin), func(t *testing.T) {
			d, err := a.fits.Fit(ctx, fmt.Sprintf("fit-%d", i), fit.Request{Plugin: c.Plugin, Dataset: "data", Columns: c.Columns, Options: c.Options})
			if err != nil {
				t.Fatal(err)
			}
			var got any
			if err := json.Unmarshal(d.Parameters, &got); err != nil {
				t.Fatal(err)
			}
			near(t, "", got, c.Parameters, c.Tolerance)
			if d.Lineage.Dataset != "data@1" || d.Lineage.Rows != 1000 || (len(d.Lineage.Queries) == 0) != strings.Contains(string(c.Options), "constant") || d.Lineage.DatasetDigest == "" || d.PluginDigest == "" {
				t.Errorf("lineage %+v", d.Lineage)
			}
		})
	}
	for _, r := range fit.Recipes() {
		if !covered[r] {
			t.Errorf("the recipe %s is checked against nothing", r)
		}
	}
}

func near(t *testing.T, where string, got, want any, tolerance float64) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s: %v, want %v", where, got, want)
			return
		}
		for k, w := range want {
			near(t, where+"."+k, g[k], w, tolerance)
		}
		for k := range g {
			if _, ok := want[k]; !ok {
				t.Errorf("%s: a member %q too many", where, k)
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			t.Errorf("%s: %v, want %v", where, got, want)
			return
		}
		for i := range want {
			near(t, fmt.Sprintf("%s[%d]", where, i), g[i], want[i], tolerance)
		}
	case float64:
		if g, ok := got.(float64); !ok || math.Abs(g-want) > tolerance*max(1, math.Abs(want)) {
			t.Errorf("%s: %v, want %v within %v", where, got, want, tolerance)
		}
	default:
		if got != want {
			t.Errorf("%s: %v, want %v", where, got, want)
		}
	}
}

func TestFittedParametersAreUsedByName(t *testing.T) {
	ctx := context.Background()
	a := open(t, t.TempDir())
	defer a.Close()
	importCSV(t, a, "data", "../fit/testdata/data.csv")
	request := fit.Request{Plugin: "standardize", Dataset: "data", Columns: []string{"normal", "whole"}}
	d, err := a.fits.Fit(ctx, "scaler", request)
	if err != nil || d.Ref() != "scaler@1" {
		t.Fatal(d, err)
	}
	if again, err := a.fits.Fit(ctx, "scaler", request); err != nil || again.Version != 1 || again.Digest != d.Digest {
		t.Fatalf("the same fit again is version %d: %v", again.Version, err)
	}
	request.Columns = []string{"normal"}
	if next, err := a.fits.Fit(ctx, "scaler", request); err != nil || next.Version != 2 {
		t.Fatal(next, err)
	}

	// In SQL: the lineage holds what the document held.
	v, err := a.datasets.Build(ctx, datasets.BuildRequest{Name: "scaled", SQL: "SELECT f(normal, whole).whole AS s FROM data", Inputs: []string{"data"},
		Functions: []datasets.FunctionRef{{Name: "f", Plugin: "standardize", Parameters: json.RawMessage(`"scaler@1"`)}}})
	if err != nil {
		t.Fatal(err)
	}
	if l := v.Lineage.Functions[0]; l.Fitted != "scaler@1" || string(l.Parameters) != string(d.Parameters) {
		t.Errorf("lineage %+v", l)
	}

	// In a function: what it names cannot be deleted.
	manifest := func(ref string) string {
		return "apiVersion: weir.dev/v1\nkind: Function\nmetadata: {name: scale}\nspec: {http: {}, transform: {plugin: standardize, parameters: " + ref + "}}\n"
	}
	apply := func(ref string) error {
		_, err := a.resources.Apply(ctx, []byte(manifest(ref)), resource.ApplyOptions{})
		return err
	}
	if err := apply("scaler@1"); err != nil {
		t.Fatal(err)
	}
	resp, _, err := a.functions.Invoke(ctx, "scale", abi.Request{Kind: "http", Method: "POST", Body: []byte(`{"rows":[{"normal":5,"whole":0}]}`)})
	if err != nil || !strings.Contains(string(resp.Body), `"whole":`) {
		t.Fatalf("%s %v", resp.Body, err)
	}
	for _, ref := range []string{"scaler@1", "scaler"} {
		if err := a.fits.Delete(ctx, ref); !errs.Is(err, errs.Conflict) || !strings.Contains(err.Error(), "Function scale") {
			t.Errorf("delete %s: %v", ref, err)
		}
	}
	if err := a.fits.Delete(ctx, "scaler@2"); err != nil {
		t.Errorf("nothing names version 2: %v", err)
	}
	if err := apply("nothing@1"); !errs.Is(err, errs.NotFound) {
		t.Errorf("a document that does not exist: %v", err)
	}
	if err := apply(`"scaler@x"`); !errs.Is(err, errs.Invalid) {
		t.Errorf("a reference that is none: %v", err)
	}
}

func TestFitRefuses(t *testing.T) {
	ctx := context.Background()
	a := open(t, t.TempDir())
	defer a.Close()
	importCSV(t, a, "data", "../fit/testdata/data.csv")
	if _, err := a.datasets.Build(ctx, datasets.BuildRequest{Name: "odd", SQL: "SELECT 1.0::DOUBLE AS a, 'inf'::DOUBLE AS b, NULL::DOUBLE AS c FROM data", Inputs: []string{"data"}}); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		r    fit.Request
		kind errs.Kind
		want string
	}{
		{"unknown plugin", fit.Request{Plugin: "nosuch", Dataset: "data"}, errs.NotFound, "nosuch"},
		{"nothing to learn", fit.Request{Plugin: "identity", Dataset: "data"}, errs.Unimplemented, "standardize"},
		{"unknown dataset", fit.Request{Plugin: "standardize", Dataset: "none"}, errs.NotFound, "none"},
		{"unknown column", fit.Request{Plugin: "standardize", Dataset: "data", Columns: []string{"nope"}}, errs.NotFound, "normal, skewed"},
		{"wrong type", fit.Request{Plugin: "standardize", Dataset: "data", Columns: []string{"city"}}, errs.Invalid, "utf8"},
		{"twice", fit.Request{Plugin: "standardize", Dataset: "data", Columns: []string{"normal", "normal"}}, errs.Invalid, "twice"},
		{"unknown option", fit.Request{Plugin: "onehot", Dataset: "data", Options: json.RawMessage(`{"minimum":1}`)}, errs.Invalid, "minimum"},
		{"bad bins", fit.Request{Plugin: "psi", Dataset: "data", Columns: []string{"normal"}, Options: json.RawMessage(`{"bins":1}`)}, errs.Invalid, "2 to 1024"},
		{"no bins", fit.Request{Plugin: "psi", Dataset: "data", Columns: []string{"constant"}}, errs.Invalid, "constant"},
		{"two columns of text", fit.Request{Plugin: "tfidf", Dataset: "data"}, errs.Invalid, "one column"},
		{"terms too rare", fit.Request{Plugin: "tfidf", Dataset: "data", Columns: []string{"city"}, Options: json.RawMessage(`{"min_df":100000}`)}, errs.Invalid, "min_df"},
		{"no strategy", fit.Request{Plugin: "impute", Dataset: "data", Columns: []string{"city"}, Options: json.RawMessage(`{"strategy":"mean"}`)}, errs.Invalid, `"city"`},
		{"constant without a value", fit.Request{Plugin: "impute", Dataset: "data", Columns: []string{"city"}, Options: json.RawMessage(`{"strategy":"constant"}`)}, errs.Invalid, "fill_value"},
		{"box-cox below 0", fit.Request{Plugin: "log-power", Dataset: "data", Columns: []string{"whole"}, Options: json.RawMessage(`{"method":"box-cox"}`)}, errs.Invalid, "yeo-johnson"},
		{"infinite", fit.Request{Plugin: "standardize", Dataset: "odd", Columns: []string{"a", "b"}}, errs.Invalid, `"b"`},
		{"no number", fit.Request{Plugin: "standardize", Dataset: "odd", Columns: []string{"a", "c"}}, errs.Invalid, `"c"`},
		{"too frequent", fit.Request{Plugin: "onehot", Dataset: "data", Options: json.RawMessage(`{"min_count":100000}`)}, errs.Invalid, `"city"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := a.fits.Fit(ctx, "x", c.r)
			if !errs.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %v with %q", err, c.kind, c.want)
			}
		})
	}
	if _, err := a.fits.Fit(ctx, "Upper", fit.Request{Plugin: "standardize", Dataset: "data"}); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
	if list, err := a.fits.List(ctx); err != nil || len(list) != 0 {
		t.Errorf("a refused fit left %v, %v", list, err)
	}
}

// TestEveryFittablePluginIsBuiltIn keeps the recipes and the library together.
func TestEveryFittablePluginIsBuiltIn(t *testing.T) {
	names := map[string]bool{}
	for _, p := range plugins.Builtin() {
		names[p.Name] = true
	}
	for _, r := range fit.Recipes() {
		if !names[r] {
			t.Errorf("recipe %s has no built-in plugin", r)
		}
	}
}
