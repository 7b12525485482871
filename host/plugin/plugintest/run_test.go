package plugintest

import (
	"context"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func host(t *testing.T) (*plugin.Host, []byte) {
	t.Helper()
	wasm, err := os.ReadFile("../testdata/unsteady/unsteady.wasm")
	if err != nil {
		t.Fatal(err)
	}
	h, err := plugin.New(plugin.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h, wasm
}

const (
	numbers = `[{"name":"x","type":"float64","values":[1,2,3,4,5,6,7,8,0.1,0.2,0.3]}]`
	shape   = `"reference":` + numbers + `,"current":[{"name":"x","type":"float64","values":[1e16,1,-1e16,1]}]`
)

func read(t *testing.T, doc string) []Case {
	t.Helper()
	cases, err := Read(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// TestRunNotices: each wrong expectation is a failure that names the place, what was got and what was wanted.
func TestRunNotices(t *testing.T) {
	h, wasm := host(t)
	one := `"input":[{"name":"x","type":"float64","values":[1,null]}]`
	for _, tc := range []struct{ name, doc, want string }{
		{"good", one + `,"output":[{"name":"y","type":"float64","values":[2,null]}]`, ""},
		{"near", one + `,"output":[{"name":"y","type":"float64","values":[2.0000001,null]}],"tolerance":1e-6`, ""},
		{"near enough is not equal", one + `,"output":[{"name":"y","type":"float64","values":[2.0000001,null]}]`, `column "y", row 0: got 2, want 2.0000001`},
		{"null", one + `,"output":[{"name":"y","type":"float64","values":[2,2]}]`, `column "y", row 1: got null, want 2`},
		{"name", one + `,"output":[{"name":"z","type":"float64","values":[2,null]}]`, `column 0: got "y" float64, want "z" float64`},
		{"count", one + `,"output":[{"name":"y","type":"float64","values":[2,null]},{"name":"z","type":"float64","values":[2,null]}]`, "got 1 columns [y], want 2 [y z]"},
		{"refused", `"input":[{"name":"x","type":"float64","values":[1]},{"name":"y","type":"float64","values":[1]}],"error":"one column is"`, ""},
		{"refused otherwise", `"input":[{"name":"x","type":"float64","values":[1]},{"name":"y","type":"float64","values":[1]}],"error":"two columns"`, `want one that holds "two columns"`},
		{"not refused", one + `,"error":"no"`, `got an answer, want an error that holds "no"`},
		{"parameters", `"parameters":[],"error":"object"`, ""},
		{"parameters not refused", `"parameters":{},"error":"object"`, "got an answer"},
		{"a failure", `"input":[],"output":[]`, "one column is expected"},

		{"metric", shape + `,"scores":[{"name":"rows","value":11,"detail":{"current":4,"each":[1,{"a":true}]}},{"column":"x","name":"none","value":null,"note":"never"}]`, ""},
		{"value", shape + `,"scores":[{"name":"rows","value":12},{"column":"x","name":"none","value":null}]`, `score 0 ("rows" of column ""): got 11, want 12`},
		{"no value", shape + `,"scores":[{"name":"rows","value":11},{"column":"x","name":"none","value":0}]`, `score 1 ("none" of column "x"): got null, want 0`},
		{"note", shape + `,"scores":[{"name":"rows","value":11},{"column":"x","name":"none","value":null,"note":""}]`, `got the note "never", want ""`},
		{"column", shape + `,"scores":[{"name":"rows","column":"x","value":11},{"column":"x","name":"none","value":null}]`, `got "rows" of column ""`},
		{"detail", shape + `,"scores":[{"name":"rows","value":11,"detail":{"each":[1,{"a":false}]}},{"column":"x","name":"none","value":null}]`, `detail.each: got [1,{"a":true}], want [1,{"a":false}]`},
		{"detail missing", shape + `,"scores":[{"name":"rows","value":11,"detail":{"b":1}},{"column":"x","name":"none","value":null}]`, "detail.b is missing"},
		{"scores", shape + `,"scores":[]`, "got 2 scores, want 0"},

		{"gate", `"context":{"a":1},"outcome":"pass","reasons":["asked 1 time(s)"],"evidence":{"accuracy":0.5}`, ""},
		{"outcome", `"context":{"a":1},"outcome":"fail"`, "outcome: got pass"},
		{"reasons", `"context":{"a":1},"outcome":"pass","reasons":[]`, "reasons: got"},
		{"evidence", `"context":{"a":1},"outcome":"pass","evidence":{"accuracy":0.25}`, "evidence.accuracy: got 0.5, want 0.25"},
		{"gate refused", `"context":{},"error":"empty"`, ""},

		{"handler", `"request":{"kind":"http"},"response":{"status":201,"headers":{"X-Kind":["plain"]},"text":"hi"}`, ""},
		{"status", `"request":{"kind":"http"},"response":{}`, `status: got 201 with "hi", want 200`},
		{"header", `"request":{"kind":"http"},"response":{"status":201,"headers":{"X-Kind":["fancy"]}}`, `header X-Kind: got ["plain"]`},
		{"body", `"request":{"kind":"http"},"response":{"status":201,"body":""}`, `body: got "hi", want ""`},
	} {
		r, err := Run(context.Background(), h, wasm, read(t, `[{"name":"`+tc.name+`",`+tc.doc+`}]`))
		if err != nil || len(r.Results) != 1 {
			t.Fatalf("%s: %+v, %v", tc.name, r, err)
		}
		got := r.Results[0]
		if got.OK != (tc.want == "") || !strings.Contains(got.Detail, tc.want) || got.Case != tc.name || got.Check != "vectors" {
			t.Errorf("got %+v, want %q", got, tc.want)
		}
	}
	if _, err := Run(context.Background(), h, []byte("no wasm"), nil); !errs.Is(err, errs.Invalid) {
		t.Errorf("no module: %v", err)
	}
	if _, err := Properties(context.Background(), h, []byte("no wasm"), nil); !errs.Is(err, errs.Invalid) {
		t.Errorf("no module: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, h, wasm, read(t, `[{"name":"a","context":{"a":1},"outcome":"pass"}]`)); err == nil {
		t.Error("a cancelled run succeeded")
	}
}

// TestPropertiesNotice: every promise that the guest breaks is noticed by the check that is about it, and a good one breaks none.
func TestPropertiesNotice(t *testing.T) {
	h, wasm := host(t)
	transform := `"input":` + numbers + `,"output":[{"name":"y","type":"float64","values":[2,3,4,5,6,7,8,9,1.1,1.2,1.3]}]`
	metric := shape + `,"scores":[]`
	gate := `"context":{"a":1},"outcome":"pass"`
	for _, tc := range []struct{ fault, doc, check, want string }{
		{"", transform, "", ""},
		{"", metric, "", ""},
		{"", gate, "", ""},
		{"", `"request":{"kind":"http"},"response":{}`, "", ""},
		{"chunk", transform, "chunks", "chunks of 1 row(s): rows 0 to 0 differ from the same rows of one batch of 16387"},
		{"first", transform, "chunks", "chunks of 7 row(s)"},
		{"single", transform, "rows", `row 0 alone differs from the same row in a batch: column "y", row 0: got 3, want 2`},
		{"empty", transform, "chunks", "no rows: "},
		{"counter", transform, "determinism", "the same instance answers otherwise"},
		{"counter", gate, "determinism", "the same instance answers otherwise"},
		{"order", metric, "merges", "one summary of all rows answers otherwise: score 0"},
		{"split", metric, "merges", "the scores agree, the states do not"},
		{"look", metric, "merges", "one summary of all rows answers otherwise"},
		{"float", metric, "merges", "the states do not"},
		{"float", metric + `,"merge_tolerance":1e-9`, "", ""},
	} {
		doc := `[{"name":"fault ` + tc.fault + `","parameters":{"fault":"` + tc.fault + `"},` + tc.doc + `},{"name":"passed over","parameters":[],"error":"x"}]`
		r, err := Properties(context.Background(), h, wasm, read(t, doc))
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Results) == 0 {
			t.Fatalf("%s: no checks", tc.fault)
		}
		noticed := tc.check == ""
		for _, x := range r.Results {
			if x.Detail == "" {
				t.Errorf("%+v does not say what it covered", x)
			}
			if x.Check == tc.check && !x.OK && strings.Contains(x.Detail, tc.want) {
				noticed = true
			}
			if tc.check == "" && !x.OK {
				t.Errorf("a good guest fails %s: %s", x.Check, x.Detail)
			}
		}
		if !noticed {
			t.Errorf("%q breaks %s unnoticed: %+v", tc.fault, tc.check, r.Results)
		}
	}
}
