package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	breastcancer "github.com/weir-ml/weir/examples/breast-cancer"
	"github.com/weir-ml/weir/host/config"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/client"
)

// grantsGuest calls the functions of weir:host that a gate's context names; its source is beside it.
func grantsGuest(t testing.TB) []byte {
	t.Helper()
	wasm, err := os.ReadFile("../plugin/testdata/grants/grants.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// give stores the guest and applies it under the name with grants.
func give(t testing.TB, a *App, name string, grants ...string) (digest string, err error) {
	t.Helper()
	digest, _, err = a.kv.Blobs().Put(t.Context(), bytes.NewReader(grantsGuest(t)))
	if err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(grants)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.resources.Apply(t.Context(), fmt.Appendf(nil, "apiVersion: weir.dev/v1\nkind: Plugin\nmetadata: {name: %s}\nspec: {blob: %q, grants: %s}\n", name, digest, list), resource.ApplyOptions{})
	return digest, err
}

// calls runs lines ("function|argument|…") in the plugin's gate: "status reply" of each.
func calls(t testing.TB, a *App, ref string, lines ...string) []string {
	t.Helper()
	p, err := a.catalog.open(t.Context(), ref, nil, plugin.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	v, err := p.Gate(t.Context(), []byte(strings.ReplaceAll(strings.Join(lines, "\n"), "|", "\t")))
	if err != nil {
		t.Fatal(err)
	}
	return v.Reasons
}

func appWith(t testing.TB, dir string, change func(*config.Config)) *App {
	t.Helper()
	cfg := settings(dir)
	cfg.ONNXRuntimeLib = onnxRuntime(t)
	change(&cfg)
	a, err := New(context.Background(), cfg, Options{Version: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// onnxRuntime is the library that scripts/onnxruntime.sh installs.
func onnxRuntime(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob("../../.cache/onnxruntime/*/libonnxruntime.so.*")
	if err != nil || len(found) == 0 {
		t.Fatal("no ONNX Runtime below .cache/onnxruntime: run scripts/onnxruntime.sh")
	}
	return found[0]
}

func TestPluginGrants(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method, " ", r.URL.Path) }))
	defer web.Close()
	to, err := url.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	a := appWith(t, dir, func(c *config.Config) {
		c.PluginGrants = append(c.PluginGrants, "kv.write:team/*", "http.out:127.0.0.1:"+to.Port())
		c.PluginHTTPPrivate = true
	})
	stop := serve(t, a)
	digest, err := give(t, a, "asker", "kv.read:*", "kv.write:team/*", "model.infer:cancer", "features.read:clicks", "http.out:127.0.0.1:"+to.Port())
	if err != nil {
		t.Fatal(err)
	}
	model, _, err := a.kv.Blobs().Put(t.Context(), bytes.NewReader(breastcancer.Model))
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	row := map[string]float64{}
	for i := range 30 {
		columns = append(columns, fmt.Sprintf("c%d", i))
		row[columns[i]] = 0
	}
	names, rowDoc := mustJSON(t, columns), mustJSON(t, row)
	if _, err := a.resources.Apply(t.Context(), []byte("apiVersion: weir.dev/v1\nkind: Model\nmetadata: {name: cancer}\nspec: {blob: \""+model+"\", version: \"7\", preprocess: {columns: "+names+"}}\n"), resource.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	strange := `team/Größe *.> $KV "` + strings.Repeat("é", 200)
	script := []string{"kv_put|" + strange + "|one", "kv_get|" + strange, "kv_get|team/none", "kv_put|other|one", "kv_delete|team/none",
		`features_read|{"view":"clicks"}`, `model_infer|{"model":"cancer","rows":[` + rowDoc + `]}`, `model_infer|{"model":"cancer","rows":[{"x":1}]}`,
		`http_request|{"method":"PUT","url":"` + web.URL + `/here"}`, `http_request|{"url":"http://127.0.0.1:1/"}`}
	want := []string{"0", "0 one", `1 there is no key "team/none"`, "2 kv_put is refused", "0",
		"4 this host has no feature store", `0 {"predictions":[`, `4 `,
		`0 {"status":200,`, "2 http_request is refused"}
	got := calls(t, a, "asker", script...)
	for i := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%.60s: %.200s, want %s", script[i], got[min(i, len(got)-1)], want[i])
		}
	}
	if !strings.Contains(got[6], `"model_version":"7"`) || !strings.Contains(got[8], `"body":"UFVUIC9oZXJl"`) {
		t.Errorf("replies: %q, %q", got[6], got[8])
	}
	for _, line := range calls(t, a, digest, script...) {
		if !strings.HasPrefix(line, "2 ") {
			t.Errorf("by digest there are no grants, but: %s", line)
		}
	}

	c, err := client.New("http://"+a.HTTPAddr(), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Plugin(t.Context(), "asker")
	if err != nil {
		t.Fatal(err)
	}
	uses := map[string]client.PluginGrant{}
	for _, g := range p.Grants {
		uses[g.Grant] = g
	}
	if g := uses["kv.read:*"]; !g.Given || g.Asked || g.Uses != 2 {
		t.Errorf("%+v", g)
	}
	if g := uses["random"]; g.Given || !g.Asked || g.Uses != 0 {
		t.Errorf("%+v", g)
	}
	if g := uses["kv.write:team/*"]; !g.Given || !g.Asked || g.Uses != 2 || p.Refused["kv.write"] != 1 || p.Refused["http.out"] != 1 {
		t.Errorf("%+v, refused %v", g, p.Refused)
	}
	if _, err := give(t, a, "asker", "kv.read:*", "kv.write:team/*", "model.infer:cancer", "features.read:clicks", "http.out:127.0.0.1:"+to.Port()); err != nil {
		t.Fatal(err)
	}
	if again, err := c.Plugin(t.Context(), "asker"); err != nil || len(again.Grants) == 0 || again.Refused["http.out"] != 1 {
		t.Errorf("applied again, the counts are gone: %+v, %v", again, err)
	}
	stop()

	// The same folder under the default ceiling: what was applied stays, values too, and what is beyond is refused at the call.
	a = appWith(t, dir, func(*config.Config) {})
	defer serve(t, a)()
	got = calls(t, a, "asker", script...)
	for i, want := range map[int]string{0: "2 ", 1: "0 one", 4: "2 ", 8: "2 "} {
		if !strings.HasPrefix(got[i], want) {
			t.Errorf("under the default ceiling %.60s: %.200s, want %s", script[i], got[i], want)
		}
	}
}

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestGrantsOfAManifest: what a manifest may not give is refused before anything is stored.
func TestGrantsOfAManifest(t *testing.T) {
	a := open(t, t.TempDir())
	defer serve(t, a)()
	for grant, want := range map[string]string{
		"kv.write:a":    `spec.grants: grant "kv.write:a" is beyond the operator's ceiling`,
		"http.out:*":    "(plugin_grants)",
		"disk":          `spec.grants: grant "disk": unknown`,
		"kv.read":       "the scope is missing",
		"kv.read:a*b":   "a * can only end a scope",
		"features.read": "the scope is missing",
	} {
		if _, err := give(t, a, "asker", grant); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", grant, err, want)
		}
	}
	if a.catalog.isApplied("asker") {
		t.Error("a refused plugin is applied")
	}
	cfg := settings(t.TempDir())
	cfg.PluginGrants = []string{"log", "net"}
	if _, err := New(context.Background(), cfg, Options{Version: "test"}, slog.New(slog.DiscardHandler)); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), `plugin_grants: grant "net": unknown`) {
		t.Errorf("a wrong ceiling: %v", err)
	}
}

func TestPublicAddress(t *testing.T) {
	for addr, want := range map[string]bool{
		"93.184.215.14": true, "2606:2800:21f:cb07:6820:80da:af6b:8b2c": true, "1.1.1.1": true,
		"127.0.0.1": false, "127.8.8.8": false, "10.1.2.3": false, "172.16.0.1": false, "172.32.0.1": true, "192.168.1.1": false, "169.254.169.254": false,
		"0.0.0.0": false, "0.1.2.3": false, "100.64.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fd00::1": false, "ff02::1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false,
		"::ffff:1.1.1.1": true, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001:db8::1": false, "fec0::1": false,
	} {
		if got := publicAddress(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is public: %v", addr, got)
		}
	}
}

func TestPluginHTTP(t *testing.T) {
	var target string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/to":
			http.Redirect(w, r, target, http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/big":
			w.Write(make([]byte, 2000))
		case "/slow":
			<-r.Context().Done()
		default:
			w.Header().Set("Seen", r.Header.Get("X-Asked")+" "+r.UserAgent())
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprint(w, r.Method)
		}
	}))
	defer web.Close()
	here := func(u *url.URL) bool { return strings.HasPrefix(web.URL, "http://"+u.Host) }
	open := newPluginHTTP(true)
	defer open.client.CloseIdleConnections()
	do := func(h pluginHTTP, q abi.HTTPRequest) (int, string, error) {
		q.URL = web.URL + q.URL
		r, err := h.Do(t.Context(), q, 1000, here)
		return r.Status, string(r.Body), err
	}
	target = "/end"
	for _, q := range []abi.HTTPRequest{{URL: "/"}, {URL: "/to", Method: "GET"}} {
		if status, body, err := do(open, q); err != nil || status != http.StatusTeapot || body != "GET" {
			t.Errorf("%+v: %d %q %v", q, status, body, err)
		}
	}
	r, err := open.Do(t.Context(), abi.HTTPRequest{Method: "POST", URL: web.URL, Headers: map[string][]string{"X-Asked": {"yes"}}, Body: []byte("x")}, 1000, here)
	if err != nil || string(r.Body) != "POST" || r.Headers["Seen"][0] != "yes weir-plugin" {
		t.Errorf("%+v, %v", r, err)
	}
	target = "http://localhost:1/"
	for _, tc := range []struct {
		h    pluginHTTP
		q    abi.HTTPRequest
		kind errs.Kind
		want string
	}{
		{open, abi.HTTPRequest{URL: "/to"}, errs.Forbidden, "the redirect to http://localhost:1/ leaves what the plugin was granted"},
		{open, abi.HTTPRequest{URL: "/loop"}, errs.Exhausted, "more than 5 redirects"},
		{open, abi.HTTPRequest{URL: "/big"}, errs.Exhausted, "larger than 1000 bytes"},
		{open, abi.HTTPRequest{URL: "/", Method: "CONNECT"}, errs.Invalid, "not \"CONNECT\""},
		{open, abi.HTTPRequest{URL: "/", Headers: map[string][]string{"host": {"evil.net"}}}, errs.Invalid, `the header "host" is the host's to set`},
		{open, abi.HTTPRequest{URL: "/", Headers: map[string][]string{"X": {"a\r\nEvil: 1"}}}, errs.Unavailable, "invalid header"},
		{open, abi.HTTPRequest{URL: "/", Headers: map[string][]string{"X": {strings.Repeat("x", 70_000)}}}, errs.Exhausted, "the headers have"},
		{newPluginHTTP(false), abi.HTTPRequest{URL: "/"}, errs.Forbidden, "is not a public one: the operator may allow it (plugin_http_private)"},
	} {
		if _, _, err := do(tc.h, tc.q); !errs.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s %s: %v %v, want %v %q", tc.q.Method, tc.q.URL, errs.KindOf(err), err, tc.kind, tc.want)
		}
	}
	// A name that resolves to a private address is refused as the address is.
	u := strings.Replace(web.URL, "127.0.0.1", "localhost", 1)
	if _, err := newPluginHTTP(false).Do(t.Context(), abi.HTTPRequest{URL: u}, 1000, here); !errs.Is(err, errs.Forbidden) {
		t.Errorf("a private name: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open.Do(ctx, abi.HTTPRequest{URL: web.URL + "/slow"}, 1000, here); !errs.Is(err, errs.Unavailable) {
		t.Errorf("a caller that gave up: %v", err)
	}
}
