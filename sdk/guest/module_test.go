package guest_test

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/sdk/abi"
)

// compile builds a guest of testdata as guest.go says plugins are built.
func compile(t *testing.T, name string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), name+".wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", out, "./testdata/"+name)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// services stand behind the host's functions.
type services map[string][]byte

func (s services) Get(_ context.Context, key string) ([]byte, error) {
	if v, ok := s[key]; ok {
		return v, nil
	}
	return nil, errs.New(errs.NotFound, "no key %q", key)
}

func (s services) Put(_ context.Context, key string, value []byte) error {
	s[key] = slices.Clone(value)
	return nil
}

func (s services) Delete(_ context.Context, key string) error {
	delete(s, key)
	return nil
}

// Read answers the request in a row, so that the test sees it.
func (services) Read(_ context.Context, view string, request []byte) ([]byte, error) {
	var q abi.FeaturesRequest
	if err := json.Unmarshal(request, &q); err != nil {
		return nil, err
	}
	return json.Marshal(abi.FeaturesResponse{Rows: []map[string]any{{"view": view, "of": q.Entities, "features": q.Features}, {"n": nil}}})
}

func (services) Infer(_ context.Context, model string, rows json.RawMessage) ([]byte, error) {
	return json.Marshal(abi.InferResponse{Predictions: []any{model, string(rows)}, ModelVersion: "3"})
}

func (services) Do(_ context.Context, r abi.HTTPRequest, _ int64, _ func(*url.URL) bool) (abi.Response, error) {
	return abi.Response{Status: 201, Headers: map[string][]string{"Was": append([]string{r.Method, r.URL}, r.Headers["Accept"]...)}, Body: append(r.Body, " pong"...)}, nil
}

func TestModule(t *testing.T) {
	s := services{}
	h, err := plugin.New(plugin.Options{Services: plugin.Services{KV: s, Features: s, Models: s, HTTP: s}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	wasm := compile(t, "everything")
	info, err := h.Inspect(context.Background(), wasm)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(info.Exports, "weir_row") {
		t.Fatal("a module that imports package row does not export weir_row")
	}
	t.Run("rows", func(t *testing.T) { rows(t, h, wasm) })
	t.Run("granted", func(t *testing.T) {
		list := []string{"log", "clock", "random", "kv.read:a/*", "kv.write:a/key", "features.read:clicks", "model.infer:iris", "http.out:example.org"}
		got := asked(t, h, wasm, list)
		want := []string{
			`log: null`, `clock: true`, `random: true`, `kv_put: null`, `kv_get: "a value"`, `kv_delete: null`, `kv_get again: absent `, `kv_get beyond the scope: refused `,
			`features_read: [{"features":["n"],"of":[{"user":"u1"},{"user":"u2"}],"view":"clicks"},{"n":null}]`,
			`model_infer: {"predictions":["iris","[{\"x\":1.5}]"],"version":"3"}`,
			`http_request: {"body":"ping pong","headers":{"Was":["POST","http://example.org/path","a","b"]},"status":201}`, `http_request beyond the scope: refused `,
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
	t.Run("refused", func(t *testing.T) {
		for _, reason := range asked(t, h, wasm, nil) {
			if !strings.HasSuffix(reason, ": refused ") {
				t.Errorf("without grants: %s", reason)
			}
		}
	})
}

// asked gives the module grants and answers its gate's reasons.
func asked(t *testing.T, h *plugin.Host, wasm []byte, list []string) []string {
	t.Helper()
	ceiling, err := plugin.ParseCeiling(list)
	if err != nil {
		t.Fatal(err)
	}
	grants, err := plugin.NewGrants(list, ceiling)
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Open(context.Background(), wasm, nil, plugin.Limits{}, plugin.WithGrants(grants))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	v, err := p.Gate(context.Background(), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	return v.Reasons
}

// rows sends rows of all types, with and without nulls, through weir_row.
func rows(t *testing.T, h *plugin.Host, wasm []byte) {
	p, err := h.Open(context.Background(), wasm, nil, plugin.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s, err := p.Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		in := &abi.Batch{Rows: 1}
		for _, f := range s.Inputs {
			c := value(r, f.Type)
			c.Field = f
			if r.IntN(4) == 0 {
				c = c.WithNulls(1, 0)
			}
			in.Columns = append(in.Columns, c)
		}
		err := p.Row(context.Background(), in, func(out *abi.Batch) error {
			if !out.Equal(in) {
				t.Fatalf("got %+v\nwant %+v", out, in)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	in := &abi.Batch{Rows: 1}
	for _, f := range s.Inputs {
		c := value(r, f.Type)
		if f.Type == abi.UTF8 {
			c = abi.UTF8Column("", []string{"fail"})
		}
		c.Field = f
		in.Columns = append(in.Columns, c)
	}
	err = p.Row(context.Background(), in, func(*abi.Batch) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "row: column 5 asked to fail") {
		t.Errorf("an error of a row function is told as %v", err)
	}
}

func value(r *rand.Rand, kind abi.Type) abi.Column {
	text := strings.Repeat("ż", r.IntN(4))
	switch kind {
	case abi.Bool:
		return abi.BoolColumn("", []bool{r.IntN(2) == 0})
	case abi.Int32:
		return abi.Int32Column("", []int32{int32(r.Uint32())})
	case abi.Int64:
		return abi.Int64Column("", []int64{int64(r.Uint64())})
	case abi.Timestamp:
		return abi.TimestampColumn("", []int64{int64(r.Uint64())})
	case abi.Float32:
		return abi.Float32Column("", []float32{math.Float32frombits(r.Uint32())})
	case abi.Float64:
		return abi.Float64Column("", []float64{math.Float64frombits(r.Uint64())})
	case abi.UTF8:
		return abi.UTF8Column("", []string{text})
	case abi.Binary:
		return abi.BinaryColumn("", [][]byte{[]byte(text)})
	}
	return abi.FloatVectorColumn("", 3, []float32{r.Float32(), -r.Float32(), float32(math.Inf(1))})
}
