package serving

import (
	"math/bits"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
)

// metrics are the room's Prometheus families; the label model has the names that an operator applied.
type metrics struct {
	requests                  *prometheus.CounterVec
	batchRows, queue, compute *prometheus.HistogramVec
	loaded                    *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	seconds := prometheus.ExponentialBuckets(10e-6, 4, 10) // 10 µs to 2.6 s
	m := &metrics{
		requests:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_serving_requests_total", Help: "Requests answered, by outcome: ok or the error's kind."}, []string{"model", "outcome"}),
		batchRows: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "weir_serving_batch_rows", Help: "Rows of each run of a model.", Buckets: prometheus.ExponentialBuckets(1, 2, 12)}, []string{"model"}),
		queue:     prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "weir_serving_queue_seconds", Help: "Time that a request waited for a run.", Buckets: seconds}, []string{"model"}),
		compute:   prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "weir_serving_compute_seconds", Help: "Time of each run of a model.", Buckets: seconds}, []string{"model"}),
		loaded:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "weir_serving_model_loaded", Help: "1 while the model serves, 0 while it failed to load."}, []string{"model"}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.batchRows, m.queue, m.compute, m.loaded} {
		if err := r.Register(c); err != nil {
			return nil, errs.New(errs.Internal, "register serving metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) forget(model string) {
	l := prometheus.Labels{"model": model}
	m.requests.DeletePartialMatch(l)
	m.batchRows.Delete(l)
	m.queue.Delete(l)
	m.compute.Delete(l)
	m.loaded.Delete(l)
}

// Stats count one version's work since it was loaded.
type Stats struct {
	Requests uint64 `json:"requests"` // answered, failures included
	Failures uint64 `json:"failures"`
	Runs     uint64 `json:"runs"` // of the model: batches and lone requests
	Rows     uint64 `json:"rows"` // in these runs
	// Queue and Compute are sums: over requests, and over runs.
	Queue   time.Duration `json:"queue_ns"`
	Compute time.Duration `json:"compute_ns"`
	// BatchRows counts runs by their rows: entry i counts runs of more than 2^(i-1) and at most 2^i rows.
	BatchRows []uint64 `json:"batch_rows"`
	Queued    int      `json:"queued"` // requests waiting now
}

// meters counts one version's work, for its status and for Prometheus.
type meters struct {
	m    *metrics
	name string
	ok   prometheus.Counter

	batchRows, queue, compute prometheus.Observer

	mu    sync.Mutex
	stats Stats
}

func newMeters(m *metrics, name string) *meters {
	return &meters{
		m: m, name: name, ok: m.requests.WithLabelValues(name, "ok"), batchRows: m.batchRows.WithLabelValues(name),
		queue: m.queue.WithLabelValues(name), compute: m.compute.WithLabelValues(name),
	}
}

// ran counts one run of the model.
func (t *meters) ran(rows int, compute time.Duration) {
	t.batchRows.Observe(float64(rows))
	t.compute.Observe(compute.Seconds())
	bucket := 0
	if rows > 1 {
		bucket = bits.Len(uint(rows - 1))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.stats.BatchRows) <= bucket {
		t.stats.BatchRows = append(t.stats.BatchRows, 0)
	}
	t.stats.BatchRows[bucket]++
	t.stats.Runs++
	t.stats.Rows += uint64(rows)
	t.stats.Compute += compute
}

// answered counts one request.
func (t *meters) answered(queue time.Duration, err error) {
	if err == nil {
		t.ok.Inc()
		t.queue.Observe(queue.Seconds())
	} else {
		t.m.requests.WithLabelValues(t.name, errs.KindOf(err).String()).Inc()
	}
	t.mu.Lock()
	t.stats.Requests++
	t.stats.Queue += queue
	if err != nil {
		t.stats.Failures++
	}
	t.mu.Unlock()
}

func (t *meters) snapshot() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.BatchRows = append([]uint64{}, s.BatchRows...)
	return s
}

// noMetrics are families that nobody reads, for a dry load.
func noMetrics() *metrics {
	m, _ := newMetrics(nil) // fails only while registering
	return m
}
