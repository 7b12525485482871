package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// server answers every request by f and remembers what was asked.
func server(t testing.TB, f func(w http.ResponseWriter, r *http.Request)) *Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(f))
	t.Cleanup(s.Close)
	c, err := New(s.URL+"/", s.Client())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewRefusesNonsense(t *testing.T) {
	for _, bad := range []string{"", "http://", "ftp://x", "http://a b", "://"} {
		if c, err := New(bad, nil); err == nil {
			t.Errorf("%q became %q", bad, c.Server())
		}
	}
	if c, err := New("127.0.0.1:8080", nil); err != nil || c.Server() != "http://127.0.0.1:8080" {
		t.Errorf("%v %v", c, err)
	}
}

func TestRequests(t *testing.T) {
	var got string
	c := server(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = fmt.Sprintf("%s %s %s%s %s", r.Method, r.RequestURI, r.Header.Get("Weir-Message-Id"), r.Header.Get("Weir-Header-K"), b)
		if r.Method == http.MethodDelete {
			w.WriteHeader(204)
			return
		}
		fmt.Fprint(w, `{"items":[]}`)
	})
	ctx := t.Context()
	cases := []struct {
		name string
		call func() error
		want string
	}{
		{"escaped segments", func() error { _, err := c.Get(ctx, "Model", "a/b c"); return err }, "GET /api/v1/resources/Model/a%2Fb%20c  "},
		{"list of a kind", func() error { _, err := c.List(ctx, "model"); return err }, "GET /api/v1/resources/model  "},
		{"list of all", func() error { _, err := c.List(ctx, ""); return err }, "GET /api/v1/resources  "},
		{"delete", func() error { return c.Delete(ctx, "Model", "m") }, "DELETE /api/v1/resources/Model/m  "},
		{"dry run", func() error { _, err := c.Apply(ctx, []byte("a: b"), true); return err }, "POST /api/v1/apply?dry_run=true  a: b"},
		{"push", func() error { _, err := c.PushPlugin(ctx, "n&m", strings.NewReader("wasm")); return err }, "POST /api/v1/plugins?name=n%26m  wasm"},
		{"plugin by alias", func() error { _, err := c.Plugin(ctx, "n@prod"); return err }, "GET /api/v1/plugins/n@prod  "},
		{"remove a version", func() error { _, err := c.RemovePlugin(ctx, "n@2"); return err }, "DELETE /api/v1/plugins/n@2  "},
		{"roll back", func() error { _, err := c.RollbackPlugin(ctx, "n", ""); return err }, "POST /api/v1/plugins/n/rollback  {}"},
		{"roll back to", func() error { _, err := c.RollbackPlugin(ctx, "n", "1"); return err }, `POST /api/v1/plugins/n/rollback  {"to":"1"}`},
		{"alias", func() error { _, err := c.SetPluginAlias(ctx, "n", "prod", "2"); return err }, `PUT /api/v1/plugins/n/aliases/prod  {"to":"2"}`},
		{"delete an alias", func() error { _, err := c.DeletePluginAlias(ctx, "n", "prod"); return err }, "DELETE /api/v1/plugins/n/aliases/prod  "},
		{"import", func() error { _, err := c.ImportDataset(ctx, "d", "csv", "f.csv", strings.NewReader("x")); return err }, "POST /api/v1/datasets/d?format=csv&source=f.csv  x"},
		{"data set ref", func() error { _, err := c.Dataset(ctx, "d@3"); return err }, "GET /api/v1/datasets/d@3  "},
		{"publish", func() error {
			_, err := c.Publish(ctx, "tx.in", []byte("1"), "id", map[string]string{"K": "v"})
			return err
		}, "POST /api/v1/events/tx.in idv 1"},
		{"lines", func() error { _, err := c.PublishLines(ctx, "tx", strings.NewReader("1\n2\n")); return err }, "POST /api/v1/events/tx?batch=ndjson  1\n2\n"},
		{"events", func() error { _, err := c.Events(ctx, "tx.>", 7, 0, 2*time.Second); return err }, "GET /api/v1/events/tx.%3E?after=7&wait=2s  "},
		{"replay", func() error { _, err := c.Replay(ctx, "f", 9); return err }, "POST /api/v1/functions/f/dead-letters/9/replay  "},
		{"monitor", func() error { _, err := c.RunMonitor(ctx, "m", "d"); return err }, `POST /api/v1/monitors/m/run  {"current":"d"}`},
		{"gate", func() error { _, err := c.Evaluate(ctx, "g", Evaluation{Candidate: Subject{Name: "c"}}); return err }, `POST /api/v1/gates/g/evaluate  {"candidate":{"name":"c"}}`},
		{"predict", func() error {
			_, err := c.Predict(ctx, "m", [][]float64{{0.1, math.NaN()}, {math.Inf(-1), 1e300}})
			return err
		},
			`POST /models/m/predict  {"features":[[0.1,"NaN"],["-Infinity",1e+300]]}`},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			if err := k.call(); err != nil || got != k.want {
				t.Errorf("sent %q, want %q (%v)", got, k.want, err)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	cases := []struct {
		name, body string
		status     int
		kind, want string
	}{
		{"weir's", `{"error":{"kind":"conflict","message":"taken"}}`, 409, "conflict", "taken"},
		{"internal", `{"error":{"kind":"internal","message":"id x","id":"x"}}`, 500, "internal", "id x"},
		{"a proxy's", "<html>bad</html>", 502, "unavailable", "502 Bad Gateway <html>bad</html>"},
		{"empty", "", 404, "not_found", "404 Not Found"},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			c := server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(k.status); fmt.Fprint(w, k.body) })
			_, err := c.Info(t.Context())
			var e *Error
			if !errors.As(err, &e) || e.Kind != k.kind || e.Message != k.want || e.Status != k.status || KindOf(err) != k.kind {
				t.Errorf("%+v", err)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		c, err := New("127.0.0.1:1", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Info(t.Context())
		var e *Error
		if !errors.As(err, &e) || e.Kind != "unavailable" || e.Status != 0 || e.Unwrap() == nil {
			t.Errorf("%+v", err)
		}
	})
	t.Run("too slow", func(t *testing.T) {
		c := server(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := c.Info(ctx); KindOf(err) != "timeout" || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
	t.Run("unreadable", func(t *testing.T) {
		c := server(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{") })
		if _, err := c.Info(t.Context()); KindOf(err) != "internal" {
			t.Errorf("%v", err)
		}
	})
	if KindOf(io.EOF) != "" {
		t.Error("a foreign error has a kind")
	}
}

func TestReadyAndBlobs(t *testing.T) {
	c := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/readyz":
			w.WriteHeader(503)
			fmt.Fprint(w, `{"ready":false,"reasons":[{"check":"store","reason":"starting"}]}`)
		case r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "b"):
			w.WriteHeader(404)
		default:
			fmt.Fprint(w, "bytes")
		}
	})
	ready, reasons, err := c.Ready(t.Context())
	if err != nil || ready || len(reasons) != 1 || reasons[0].Check != "store" {
		t.Errorf("%v %v %v", ready, reasons, err)
	}
	for digest, want := range map[string]bool{"a": true, "b": false} {
		if has, err := c.HasBlob(t.Context(), digest); err != nil || has != want {
			t.Errorf("%s: %v %v", digest, has, err)
		}
	}
	r, n, err := c.Blob(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); string(b) != "bytes" || n != 5 || err != nil {
		t.Errorf("%q %d %v", b, n, err)
	}
}

func TestInvokeReturnsTheFunctionsOwnFailure(t *testing.T) {
	c := server(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(418); fmt.Fprint(w, r.RequestURI) })
	res, err := c.Invoke(t.Context(), "f", "POST", "/a b", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); res.StatusCode != 418 || string(b) != "/fn/f/a%20b" {
		t.Errorf("%d %s", res.StatusCode, b)
	}
}

// Whatever the numbers, the body is JSON that reads back to the same bits.
func FuzzFeatures(f *testing.F) {
	f.Add(0.1, math.Copysign(0, -1), math.MaxFloat64)
	f.Add(math.Inf(1), math.NaN(), 5e-324)
	f.Fuzz(func(t *testing.T, a, b, c float64) {
		var doc struct{ Features [][]any }
		if err := json.Unmarshal(appendFeatures([][]float64{{a}, {b}, {c}}), &doc); err != nil {
			t.Fatal(err)
		}
		for i, v := range []float64{a, b, c} {
			if got, ok := doc.Features[i][0].(float64); ok && math.Float64bits(got) != math.Float64bits(v) {
				t.Errorf("%v became %v", v, got)
			} else if !ok && !math.IsNaN(v) && !math.IsInf(v, 0) {
				t.Errorf("%v became %v", v, doc.Features[i][0])
			}
		}
	})
}

func FuzzFailure(f *testing.F) {
	f.Add(500, []byte(`{"error":{"kind":"internal","message":"m","id":"i"}}`))
	f.Add(404, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		err := failure(&http.Response{StatusCode: status, Status: fmt.Sprint(status), Body: io.NopCloser(strings.NewReader(string(body)))})
		var e *Error
		if !errors.As(err, &e) || e.Message == "" {
			t.Fatalf("%v", err)
		}
	})
}

func ExampleClient_Predict() {
	weir := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"predictions":[0.97,0.02],"model_version":"3"}`)
	}))
	defer weir.Close()
	c, err := New(weir.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := c.Predict(context.Background(), "churn", [][]float64{{1, 2}, {3, 4}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s by version %s\n", p.Predictions, p.ModelVersion)
	// Output: [0.97,0.02] by version 3
}
