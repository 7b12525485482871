package plugin

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the room's figures; a nil *metrics counts nothing.
type metrics struct {
	reg       prometheus.Registerer
	all       []prometheus.Collector
	calls     *prometheus.CounterVec
	traps     *prometheus.CounterVec
	fuel      *prometheus.CounterVec
	hostCalls *prometheus.CounterVec
	recycles  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	coldStart prometheus.Histogram
}

// worldStart is the label of what is burned outside any world: start functions, weir_init and what else makes an instance ready.
const worldStart = "start"

// Why an instance was closed, the label of the counter.
const (
	recycledCalls  = "calls"  // it has served as many as one may
	recycledGrowth = "growth" // its memory drifts towards the limit
	recycledError  = "error"  // by cause: the traps
	recycledIdle   = "idle"
)

// count reports live and idle instances and waiting calls when scraped.
func newMetrics(reg prometheus.Registerer, count func() (live, idle, waiting int)) (*metrics, error) {
	if reg == nil {
		return nil, nil
	}
	m := &metrics{
		reg:   reg,
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_plugin_calls_total", Help: "Calls into plugins."}, []string{"world"}),
		traps: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_plugin_traps_total", Help: "Plugin instances thrown away, by cause."}, []string{"cause"}),
		fuel: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_plugin_fuel_units_total", Help: "Fuel burned by plugins (docs/formats/fuel.md), in calls of a world and in starting instances."}, []string{"world"}),
		hostCalls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_plugin_host_calls_total", Help: "What plugins asked of the host, by function and outcome."}, []string{"function", "outcome"}),
		recycles: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_plugin_recycled_total", Help: "Plugin instances closed, by reason: calls served, growth of memory, error, idleness."}, []string{"reason"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_plugin_call_seconds", Help: "Duration of one call into a guest.", Buckets: prometheus.ExponentialBuckets(250e-9, 4, 12)}, []string{"world"}),
		coldStart: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_plugin_cold_start_seconds", Help: "Making an instance ready, loading its code included.", Buckets: prometheus.ExponentialBuckets(50e-6, 3, 12)}),
	}
	m.all = []prometheus.Collector{m.calls, m.traps, m.fuel, m.hostCalls, m.recycles, m.duration, m.coldStart}
	for _, g := range []struct {
		name, help string
		labels     prometheus.Labels
		value      func(live, idle, waiting int) int
	}{
		{"weir_plugin_instances_count", "Plugin instances.", prometheus.Labels{"state": "live"}, func(live, _, _ int) int { return live }},
		{"weir_plugin_instances_count", "Plugin instances.", prometheus.Labels{"state": "idle"}, func(_, idle, _ int) int { return idle }},
		{"weir_plugin_waiting_calls_count", "Calls that wait for a plugin instance.", nil, func(_, _, waiting int) int { return waiting }},
	} {
		m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help, ConstLabels: g.labels},
			func() float64 { return float64(g.value(count())) }))
	}
	for i, c := range m.all {
		if err := reg.Register(c); err != nil {
			for _, done := range m.all[:i] {
				reg.Unregister(done)
			}
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) close() {
	if m == nil {
		return
	}
	for _, c := range m.all {
		m.reg.Unregister(c)
	}
}

func (m *metrics) called(world string, d time.Duration) {
	if m != nil {
		m.calls.WithLabelValues(world).Inc()
		m.duration.WithLabelValues(world).Observe(d.Seconds())
	}
}

func (m *metrics) trapped(c cause) {
	if m != nil {
		m.traps.WithLabelValues(string(c)).Inc()
	}
}

func (m *metrics) asked(function, outcome string) {
	if m != nil {
		m.hostCalls.WithLabelValues(function, outcome).Inc()
	}
}

func (m *metrics) recycled(reason string, n int) {
	if m != nil && n > 0 {
		m.recycles.WithLabelValues(reason).Add(float64(n))
	}
}

func (m *metrics) burned(what string, units int64) {
	if m != nil {
		m.fuel.WithLabelValues(what).Add(float64(units))
	}
}

func (m *metrics) started(d time.Duration) {
	if m != nil {
		m.coldStart.Observe(d.Seconds())
	}
}
