// Package telemetry sets up what every room is handed: a logger and a Prometheus registry.
//
// It is not for a room's own metrics: each registers its own on the Registerer it is given. Read this one file.
package telemetry

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/term"

	"github.com/weir-ml/weir/host/errs"
)

// Logger makes the process's logger on w. format is "json", "text" or "auto": text when w is a terminal.
func Logger(w io.Writer, level slog.Level, format string) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: level}
	if format == "auto" {
		format = "json"
		if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			format = "text"
		}
	}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	}
	return nil, errs.New(errs.Invalid, "log format %q: use auto, json or text", format)
}

// Metrics is one process's (or one test's) registry.
type Metrics struct{ registry *prometheus.Registry }

// NewMetrics makes a registry that knows the Go runtime, the process and the build (weir_build_info).
func NewMetrics(version string) *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	goVersion := "unknown"
	if b, ok := debug.ReadBuildInfo(); ok {
		goVersion = b.GoVersion
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "weir_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": goVersion},
	})
	info.Set(1)
	r.MustRegister(info)
	return &Metrics{r}
}

// Registerer is what rooms are handed.
func (m *Metrics) Registerer() prometheus.Registerer { return m.registry }

// Gatherer reads all metrics, for tests and for handlers of their own.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Handler serves the registry as GET /metrics. An error of one collector is part of the answer, not a 500 for all.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true})
}
