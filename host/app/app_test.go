package app

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-ml/weir/host/config"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/resource"
)

func settings(dir string) config.Config {
	c := config.Default()
	c.Data, c.HTTP, c.GRPC = dir, "127.0.0.1:0", "127.0.0.1:0"
	return c
}

func open(t testing.TB, dir string) *App {
	t.Helper()
	a, err := New(context.Background(), settings(dir), Options{Version: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// serve runs the app until the returned function is called, which waits for the drain and closes it.
func serve(t testing.TB, a *App) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan Ready, 1), make(chan error, 1)
	go func() { done <- a.Run(ctx, func(r Ready) { ready <- r }) }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatalf("Run ended: %v", err)
	}
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("the second Close: %v", err)
		}
	}
}

func get(t testing.TB, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestAnEmptyFolderServes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	a := open(t, dir)
	stop := serve(t, a)
	base := "http://" + a.HTTPAddr()
	for path, want := range map[string]string{
		"/livez":            "alive",
		"/readyz":           `"ready":true`,
		"/health":           `{"status":"healthy","model_loaded":false}`,
		"/metrics":          "weir_build_info",
		"/openapi.json":     `"openapi": "3.1`,
		"/jsz":              "memory",
		"/api/v1/kinds":     "Gate",
		"/api/v1/plugins":   "beats-baseline",
		"/api/v1/resources": "[]",
	} {
		if status, body := get(t, base+path); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.200s, want %q", path, status, body, want)
		}
	}
	var r Ready
	raw, err := os.ReadFile(filepath.Join(dir, "weir.json"))
	if err != nil || json.Unmarshal(raw, &r) != nil || r.HTTP != a.HTTPAddr() || r.GRPC != a.GRPCAddr() || r.PID != os.Getpid() {
		t.Errorf("weir.json: %s %v", raw, err)
	}
	if _, err := New(context.Background(), settings(dir), Options{Version: "test"}, slog.New(slog.DiscardHandler)); !errs.Is(err, errs.Conflict) {
		t.Errorf("a second start got %v, want a conflict", err)
	}
	stop()
	if _, err := os.Stat(filepath.Join(dir, "weir.json")); !os.IsNotExist(err) {
		t.Errorf("weir.json is there after an orderly stop: %v", err)
	}
}

const gateManifest = `apiVersion: weir.dev/v1
kind: Gate
metadata: {name: promotion}
spec:
  plugin: {plugin: beats-baseline, parameters: {metrics: [{name: accuracy, direction: higher}]}}
---
apiVersion: weir.dev/v1
kind: Function
metadata: {name: encode}
spec:
  http: {}
  transform: {plugin: onehot, parameters: {columns: [{name: color, categories: [red, blue]}]}}
`

func TestWhatIsAppliedComesBack(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	stop := serve(t, a)
	if _, err := a.resources.Apply(t.Context(), []byte(gateManifest), resource.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	stop()
	a = open(t, dir)
	defer serve(t, a)()
	res, err := http.Post("http://"+a.HTTPAddr()+"/fn/encode", "application/json", strings.NewReader(`{"rows":[{"color":"blue"},{"color":"green"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var out struct{ Rows []map[string]float64 }
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || len(out.Rows) != 2 || out.Rows[0]["color=blue"] != 1 || out.Rows[1]["color=blue"] != 0 {
		t.Errorf("%d %+v %v", res.StatusCode, out, err)
	}
	o, err := a.resources.Get(t.Context(), "gate", "promotion")
	if err != nil || o.Metadata.Name != "promotion" {
		t.Errorf("%+v %v", o, err)
	}
}

func TestDamagedStoreIsRefusedUntouched(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	stop := serve(t, a)
	if _, err := a.resources.Apply(t.Context(), []byte(gateManifest), resource.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	stop()
	var damaged string
	err := filepath.Walk(filepath.Join(dir, "store"), func(p string, i os.FileInfo, err error) error {
		if err == nil && filepath.Base(p) == "meta.inf" && strings.Contains(p, "KV_resources") {
			damaged = p
		}
		return err
	})
	if err != nil || damaged == "" {
		t.Fatalf("no stream to damage: %v", err)
	}
	if err := os.WriteFile(damaged, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = New(context.Background(), settings(dir), Options{Version: "test"}, slog.New(slog.DiscardHandler))
	if !strings.Contains(err.Error(), "nothing was changed") || !strings.Contains(err.Error(), "KV_resources") {
		t.Errorf("got %v, want an error naming the stream", err)
	}
	if b, err := os.ReadFile(damaged); err != nil || string(b) != "garbage" {
		t.Errorf("the damaged file was touched: %q %v", b, err)
	}
}

// BenchmarkReady measures New on an empty folder: what `weir up` spends before it is ready.
func BenchmarkReady(b *testing.B) {
	for b.Loop() {
		a := open(b, filepath.Join(b.TempDir(), "data"))
		b.StopTimer()
		if err := a.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func TestDrainEndsInTime(t *testing.T) {
	a := open(t, t.TempDir())
	stop := serve(t, a)
	began := time.Now()
	stop()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("an idle host took %s to stop", took)
	}
}
