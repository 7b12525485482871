package kv

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
)

// metrics are the room's figures; a nil Registerer leaves them uncollected, never nil.
type metrics struct {
	commits   *prometheus.CounterVec // outcome: ok, stale, refused, unknown
	duration  prometheus.Histogram
	messages  prometheus.Histogram
	queued    prometheus.Gauge
	retries   prometheus.Counter
	blobBytes *prometheus.CounterVec // direction: in, out
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		commits: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_kv_writes_total",
			Help: "Writes by outcome: ok, stale (an expectation failed), refused (limits, bad requests), unknown (no acknowledgement)."}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "weir_kv_commit_duration_seconds",
			Help: "Time of one durable commit to a stream, a lone write or a group.", Buckets: prometheus.ExponentialBuckets(50e-6, 2, 16)}),
		messages: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "weir_kv_commit_size_messages",
			Help: "Messages in one durable commit.", Buckets: prometheus.ExponentialBuckets(1, 2, 11)}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{Name: "weir_kv_queue_size_writes", Help: "Writes that wait for their committer."}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{Name: "weir_kv_group_retries_total",
			Help: "Groups that were refused as a whole and went on write by write."}),
		blobBytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_kv_blob_transfer_bytes",
			Help: "Bytes stored into and read whole from blobs."}, []string{"direction"}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.commits, m.duration, m.messages, m.queued, m.retries, m.blobBytes} {
		if err := r.Register(c); err != nil {
			var dup prometheus.AlreadyRegisteredError
			if errors.As(err, &dup) {
				return nil, errs.New(errs.Invalid, "the metrics of a store are registered already: give each store a registry of its own")
			}
			return nil, errs.New(errs.Internal, "register the store's metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) committed(since time.Time, messages int) {
	m.duration.Observe(time.Since(since).Seconds())
	m.messages.Observe(float64(messages))
}
