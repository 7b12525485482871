package telemetry

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
)

func TestLoggerFormats(t *testing.T) {
	for _, format := range []string{"auto", "json"} { // a buffer is no terminal
		var b bytes.Buffer
		l, err := Logger(&b, slog.LevelWarn, format)
		if err != nil {
			t.Fatal(err)
		}
		l.Info("quiet")
		l.Warn("loud", "wait_ms", 3)
		var line map[string]any
		if err := json.Unmarshal(b.Bytes(), &line); err != nil || line["msg"] != "loud" || line["wait_ms"] != 3.0 {
			t.Errorf("%s: %q (%v)", format, b.String(), err)
		}
	}
	var b bytes.Buffer
	l, err := Logger(&b, slog.LevelInfo, "text")
	if err != nil {
		t.Fatal(err)
	}
	if l.Info("hello"); !strings.Contains(b.String(), "msg=hello") {
		t.Errorf("text: %q", b.String())
	}
	if _, err := Logger(&b, 0, "xml"); !errs.Is(err, errs.Invalid) {
		t.Errorf("unknown format: %v", err)
	}
}

func TestHandlerServesOwnMetrics(t *testing.T) {
	m, other := NewMetrics("1.2.3"), NewMetrics("1.2.3") // two in one process do not clash
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "weir_test_things_total", Help: "x"})
	m.Registerer().MustRegister(c)
	c.Add(4)
	body := func(m *Metrics) string {
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Body.String()
	}
	for _, want := range []string{"weir_test_things_total 4", "go_goroutines", "process_", `weir_build_info{go_version="`, `version="1.2.3"} 1`} {
		if !strings.Contains(body(m), want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if strings.Contains(body(other), "weir_test_things_total") {
		t.Error("registries share metrics")
	}
}
