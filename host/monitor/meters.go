package monitor

import "github.com/prometheus/client_golang/prometheus"

type meters struct {
	runs    *prometheus.CounterVec // verdict: drift, stable, insufficient_data, error
	seconds prometheus.Histogram
	cache   *prometheus.CounterVec // result: hit, miss
}

func label(v Verdict) string {
	if v == Insufficient {
		return "insufficient_data"
	}
	return string(v)
}

// newMeters registers the room's metrics; with a nil registerer they are counted and seen by nobody.
func newMeters(r prometheus.Registerer) (*meters, error) {
	m := &meters{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_monitor_runs_total", Help: "Runs by the data set's verdict; error means that there is no report.",
		}, []string{"verdict"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_monitor_run_seconds", Help: "Duration of a run that left a report.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 10),
		}),
		cache: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_monitor_reference_states_total", Help: "Uses of a reference's metric state: hit when it was kept from an earlier run.",
		}, []string{"result"}),
	}
	for _, v := range []string{"drift", "stable", "insufficient_data", "error"} {
		m.runs.WithLabelValues(v)
	}
	for _, v := range []string{"hit", "miss"} {
		m.cache.WithLabelValues(v)
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.runs, m.seconds, m.cache} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
