package gates

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type meters struct {
	evaluations *prometheus.CounterVec
	seconds     prometheus.Histogram
}

// newMeters registers the room's metrics; with a nil registerer they are counted and seen by nobody.
func newMeters(r prometheus.Registerer) (*meters, error) {
	m := &meters{
		evaluations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_gates_evaluations_total", Help: "Stored decisions by outcome; error means that the gate could not judge.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_gates_evaluation_seconds", Help: "Time from the question to the verdict, without storing it.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10),
		}),
	}
	for _, o := range []Outcome{Pass, Fail, Review, Error} {
		m.evaluations.WithLabelValues(string(o))
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.evaluations, m.seconds} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *meters) observe(o Outcome, took time.Duration) {
	m.evaluations.WithLabelValues(string(o)).Inc()
	m.seconds.Observe(took.Seconds())
}
