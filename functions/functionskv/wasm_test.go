package functionskv_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/functions/functionskv"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/kv/kvtest"
	"github.com/weir-ml/weir/plugins"
	"github.com/weir-ml/weir/sdk/abi"
)

// engine opens built-in plugins for real.
type engine struct{ host *plugin.Host }

type wasm struct{ *plugin.Plugin }

func (e engine) Open(ctx context.Context, name string, params json.RawMessage, l functions.Limits) (functions.Plugin, error) {
	for _, a := range plugins.Builtin() {
		if a.Name == name {
			p, err := e.host.Open(ctx, a.Wasm, params, plugin.Limits{MemoryBytes: l.MemoryBytes, Timeout: l.Timeout, IdleAfter: l.IdleAfter})
			if err != nil {
				return nil, err
			}
			return wasm{p}, nil
		}
	}
	return nil, errs.New(errs.NotFound, "plugin %q not found", name)
}

func (engine) Identity(name string) string { return name }

func (w wasm) Stats() functions.PoolStats { return functions.PoolStats(w.Plugin.Stats()) }

// One plugin, one result: over HTTP and over a stream, with the same bytes in JSON; and the pool shrinks to nothing.
func TestWasmFunction(t *testing.T) {
	host, err := plugin.New(plugin.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	s := kvtest.Open(t)
	svc, err := functions.New(functions.Options{Plugins: engine{host}, Events: functionskv.New(functionskv.Options{KV: s})})
	if err != nil {
		t.Fatal(err)
	}
	defer svc.Close()
	var spec functions.Spec
	const doc = `{"http":{},"event":{"stream":"IN","subject":"in.>"},"idle_after":"300ms","output":{"subject":"out.f"},
		"transform":{"plugin":"standardize","parameters":{"columns":[{"name":"x","mean":3.3,"std":0.7}]}}}`
	if err := schema.Strict([]byte(doc), &spec); err != nil {
		t.Fatal(err)
	}
	if err := svc.Apply(t.Context(), "f", spec); err != nil {
		t.Fatal(err)
	}
	const n = 300
	inputs(t, s, n)
	waitDone(t, svc, n)
	var streamed []string
	for _, m := range results(t, s, "f", "out.f") {
		var row struct {
			ID int
			X  json.RawMessage
		}
		if err := json.Unmarshal(m.Data, &row); err != nil {
			t.Fatal(err)
		}
		if m.Header[functions.HeaderInputSequence] != fmt.Sprint(row.ID+1) {
			t.Errorf("result %s for input %s", m.Data, m.Header[functions.HeaderInputSequence])
		}
		streamed = append(streamed, fmt.Sprintf("%d %s", row.ID, row.X))
	}
	var called []string
	for i := range n {
		resp, info, err := svc.Invoke(t.Context(), "f", abi.Request{Method: "POST", Body: fmt.Appendf(nil, `{"rows":[{"x":%d}]}`, i)})
		if err != nil {
			t.Fatal(err)
		}
		var out struct{ Rows []struct{ X json.RawMessage } }
		if err := json.Unmarshal(resp.Body, &out); err != nil || info.Instances == 0 {
			t.Fatalf("%s: %v, %+v", resp.Body, err, info)
		}
		called = append(called, fmt.Sprintf("%d %s", i, out.Rows[0].X))
	}
	slices.Sort(streamed)
	slices.Sort(called)
	if !slices.Equal(streamed, called) {
		t.Errorf("the stream and the calls differ:\n%v\n%v", streamed, called)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		st, err := svc.Status(t.Context(), "f")
		if err != nil {
			t.Fatal(err)
		}
		if st.Pool.Live == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the idle pool still has %d instances", st.Pool.Live)
		}
	}
	if _, info, err := svc.Invoke(t.Context(), "f", abi.Request{Method: "POST", Body: []byte(`{"rows":[{"x":1}]}`)}); err != nil || info.ColdStart <= 0 {
		t.Errorf("the call after the pool was empty: %+v, %v; want a cold start", info, err)
	}
}
