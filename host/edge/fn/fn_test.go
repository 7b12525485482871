package fn

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/edge/httpd/httpdtest"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, httpdtest.Leaks()...) }

// table answers by function name.
type table map[string]func(abi.Request) (abi.Response, error)

func (f table) Invoke(_ context.Context, name string, r abi.Request) (abi.Response, functions.InvokeInfo, error) {
	fn, ok := f[name]
	if !ok {
		return abi.Response{}, functions.InvokeInfo{}, errs.New(errs.NotFound, "function %q not found", name)
	}
	resp, err := fn(r)
	return resp, functions.InvokeInfo{ColdStart: 1500 * time.Microsecond, PluginDigest: "sha256:x"}, err
}

func TestInvoke(t *testing.T) {
	f := table{
		"echo": func(r abi.Request) (abi.Response, error) {
			return abi.Response{Status: 201, Headers: map[string][]string{"X-Two": {"a", "b"}, "content-type": {"text/x"}, "Connection": {"close"}},
				Body: fmt.Appendf(nil, "%s|%s|%s|%s|%s|%s", r.Kind, r.Method, r.Path, r.Query, r.Headers["X-In"], r.Body)}, nil
		},
		"empty":  func(abi.Request) (abi.Response, error) { return abi.Response{}, nil },
		"status": func(abi.Request) (abi.Response, error) { return abi.Response{Status: 99}, nil },
		"split": func(abi.Request) (abi.Response, error) {
			return abi.Response{Headers: map[string][]string{"X": {"a\r\nSet-Cookie: b"}}}, nil
		},
		"name": func(abi.Request) (abi.Response, error) {
			return abi.Response{Headers: map[string][]string{"X Y": {"a"}}}, nil
		},
		"post": func(abi.Request) (abi.Response, error) {
			return abi.Response{}, errs.New(errs.Invalid, "%w: GET", functions.ErrMethodNotAllowed)
		},
		"large": func(abi.Request) (abi.Response, error) {
			return abi.Response{}, errs.New(errs.Invalid, "%w: 9", functions.ErrBodyTooLarge)
		},
		"trap": func(abi.Request) (abi.Response, error) {
			return abi.Response{}, errs.New(errs.Exhausted, "plugin ran out of memory")
		},
	}
	_, url := httpdtest.Start(t, httpd.Options{}, func(s *httpd.Server) { Register(s, Deps{Functions: f}) })
	cases := []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"whole request", "PUT", "/fn/echo/a%20b/c?x=%31&y", "hi", 201, "http|PUT|/a b/c|x=%31&y|[v]|hi"},
		{"no path", "GET", "/fn/echo", "", 201, "http|GET||||"},
		{"slash", "POST", "/fn/echo/", "", 201, "http|POST|/||"},
		{"through the API", "POST", "/api/v1/functions/echo/invoke?q", "b", 201, "http|POST||q||b"},
		{"zero status", "GET", "/fn/empty", "", 200, ""},
		{"unknown", "GET", "/fn/none", "", 404, `function \"none\" not found`},
		{"bad status", "GET", "/fn/status", "", 502, "status 99"},
		{"response splitting", "GET", "/fn/split", "", 502, "line break"},
		{"bad header", "GET", "/fn/name", "", 502, "no header name"},
		{"method", "GET", "/fn/post", "", 405, `"kind":"invalid"`},
		{"size", "GET", "/fn/large", "", 413, `"kind":"invalid"`},
		{"plugin failed", "GET", "/fn/trap", "", 429, "out of memory"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequest(c.method, url+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(c.want, "[v]") {
				req.Header.Set("X-In", "v")
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b, _ := io.ReadAll(res.Body)
			got := strings.ReplaceAll(string(b), "|[]|", "||")
			if res.StatusCode != c.status || !strings.Contains(got, c.want) {
				t.Errorf("%d %s, want %d %s", res.StatusCode, got, c.status, c.want)
			}
			if c.status == 201 && (fmt.Sprint(res.Header["X-Two"]) != "[a b]" || res.Header.Get("Content-Type") != "text/x" ||
				res.Header.Get("Weir-Cold-Start-Us") != "1500" || res.Header.Get("Weir-Plugin-Digest") != "sha256:x") {
				t.Errorf("headers: %v", res.Header)
			}
			if res.Header.Get("Set-Cookie") != "" {
				t.Error("the response was split")
			}
		})
	}
}

func FuzzBelow(f *testing.F) {
	f.Add("/fn/a/b%20c")
	f.Add("/fn/")
	f.Add("//")
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := below(raw, "/fn/", "")
		if err != nil && !errs.Is(err, errs.Invalid) {
			t.Fatal(err)
		}
		if p != "" && p[0] != '/' {
			t.Fatalf("%q became %q", raw, p)
		}
	})
}
