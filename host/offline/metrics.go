package offline

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
)

// The operations, as metrics label them.
const (
	opImport    = "import"
	opQuery     = "query"
	opBatches   = "batches"
	opQuantiles = "quantiles"
)

type metrics struct {
	seconds *prometheus.HistogramVec // by operation and outcome: "ok" or the error's kind; waiting for a slot included
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "weir_offline_operation_seconds",
		Help:    "Duration of imports and queries, with the wait for a query slot.",
		Buckets: prometheus.ExponentialBuckets(0.01, 4, 9), // 10 ms to 11 min
	}, []string{"operation", "outcome"})}
	if r != nil {
		r.MustRegister(m.seconds)
	}
	return m
}

// observe is deferred: it reads the error when the operation has ended.
func (m *metrics) observe(op string, began time.Time, err *error) {
	outcome := "ok"
	if *err != nil {
		outcome = errs.KindOf(*err).String()
	}
	m.seconds.WithLabelValues(op, outcome).Observe(time.Since(began).Seconds())
}
