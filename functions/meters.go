package functions

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
)

type meters struct {
	invocations *prometheus.CounterVec // outcome: ok or an error kind
	seconds     prometheus.Histogram
	coldStarts  prometheus.Counter
	events      *prometheus.CounterVec // outcome: done, dead, retried, duplicate
	batches     prometheus.Histogram
	batchTime   prometheus.Histogram
	functions   prometheus.Gauge
}

var eventOutcomes = []string{"done", "dead", "retried", "duplicate"}

// newMeters registers the room's metrics; with a nil registerer they are counted and seen by nobody.
func newMeters(r prometheus.Registerer) (*meters, error) {
	m := &meters{
		invocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_functions_invocations_total", Help: "Requests to HTTP functions by outcome (ok or the error's kind).",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_functions_invocation_seconds", Help: "Duration of a request to an HTTP function.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 4, 10),
		}),
		coldStarts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_functions_cold_invocations_total", Help: "Requests during which an instance had to be started.",
		}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_functions_events_total", Help: "Events by what became of them; duplicate is a redelivery of a processed one.",
		}, []string{"outcome"}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_functions_batch_events", Help: "Events of one fetched batch.", Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
		batchTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_functions_batch_seconds", Help: "Time from fetching a batch to its acknowledgement.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 10),
		}),
		functions: prometheus.NewGauge(prometheus.GaugeOpts{Name: "weir_functions_applied_count", Help: "Functions applied now."}),
	}
	m.invocations.WithLabelValues("ok")
	for _, k := range errs.Kinds {
		m.invocations.WithLabelValues(k.String())
	}
	for _, o := range eventOutcomes {
		m.events.WithLabelValues(o)
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.invocations, m.seconds, m.coldStarts, m.events, m.batches, m.batchTime, m.functions} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *meters) invoked(err error, took time.Duration, cold bool) {
	outcome := "ok"
	if err != nil {
		outcome = errs.KindOf(err).String()
	}
	m.invocations.WithLabelValues(outcome).Inc()
	m.seconds.Observe(took.Seconds())
	if cold {
		m.coldStarts.Inc()
	}
}
