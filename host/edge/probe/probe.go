// Package probe answers the paths that orchestrators, scrapers and scalers read: /health, /livez, /readyz, /metrics, /jsz.
//
// It decides nothing: what ready means is told by the checks it is handed. Read this one file.
package probe

import (
	"net/http"

	"github.com/weir-ml/weir/host/edge/httpd"
)

// Check is one condition of readiness. Reason says why not, in a sentence; it is called often and must be quick.
type Check struct {
	Name   string
	Failed func() (reason string) // "" = fine
}

// Deps are what the room needs. Jsz may be nil.
type Deps struct {
	ModelLoaded func() bool // at least one model answers
	Checks      []Check
	Metrics     http.Handler
	Jsz         http.Handler // JetStream's monitoring page, which KEDA's scaler reads
}

type readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []reason `json:"reasons"`
}

type reason struct {
	Check  string `json:"check"`
	Reason string `json:"reason"`
}

type liveness struct {
	Status string `json:"status"`
}

// Register adds the probes; they are answered while the server drains, too, and /readyz says that it does.
func Register(s *httpd.Server, d Deps) {
	get := func(path string, h func(*httpd.Call) error) {
		s.Add(httpd.Route{Method: "GET", Path: path, Protocol: "probe", Always: true, Handle: h})
	}
	get("/health", func(c *httpd.Call) error {
		body := `{"status":"healthy","model_loaded":false}`
		if d.ModelLoaded() {
			body = `{"status":"healthy","model_loaded":true}`
		}
		return c.Bytes(200, "application/json", []byte(body))
	})
	get("/livez", func(c *httpd.Call) error { return c.JSON(200, liveness{"alive"}) })
	get("/readyz", func(c *httpd.Call) error {
		r := readiness{Ready: true, Reasons: []reason{}}
		if s.Draining() {
			r.Reasons = append(r.Reasons, reason{"process", "weir is shutting down"})
		}
		for _, k := range d.Checks {
			if why := k.Failed(); why != "" {
				r.Reasons = append(r.Reasons, reason{k.Name, why})
			}
		}
		if r.Ready = len(r.Reasons) == 0; r.Ready {
			return c.JSON(200, r)
		}
		return c.JSON(503, r)
	})
	s.AddHandler("/metrics", "probe", d.Metrics)
	if d.Jsz != nil {
		s.AddHandler("/jsz", "probe", d.Jsz)
	}
}
