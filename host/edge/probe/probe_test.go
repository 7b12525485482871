package probe

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/edge/httpd/httpdtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, httpdtest.Leaks()...) }

func TestProbes(t *testing.T) {
	loaded, why := false, "store is starting"
	page := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, text, r.URL.RawQuery) })
	}
	s, url := httpdtest.Start(t, httpd.Options{}, func(s *httpd.Server) {
		Register(s, Deps{ModelLoaded: func() bool { return loaded }, Metrics: page("m"), Jsz: page("j?"),
			Checks: []Check{{"store", func() string { return why }}}})
	})
	check := func(path string, status int, want string) {
		t.Helper()
		res, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		if res.StatusCode != status || string(b) != want {
			t.Errorf("%s: %d %q, want %d %q", path, res.StatusCode, b, status, want)
		}
	}
	check("/health", 200, `{"status":"healthy","model_loaded":false}`)
	check("/livez", 200, "{\"status\":\"alive\"}\n")
	check("/readyz", 503, "{\"ready\":false,\"reasons\":[{\"check\":\"store\",\"reason\":\"store is starting\"}]}\n")
	check("/metrics", 200, "m")
	check("/jsz?acc=A&consumers=true", 200, "j?acc=A&consumers=true")
	loaded, why = true, ""
	check("/health", 200, `{"status":"healthy","model_loaded":true}`)
	check("/readyz", 200, "{\"ready\":true,\"reasons\":[]}\n")
	s.Drain()
	check("/livez", 200, "{\"status\":\"alive\"}\n")
	check("/readyz", 503, "{\"ready\":false,\"reasons\":[{\"check\":\"process\",\"reason\":\"weir is shutting down\"}]}\n")
}
