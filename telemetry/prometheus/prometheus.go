// Package prometheus counts what moves for those who scrape it: events of the
// stages -> the counters of /metrics.
package prometheus

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"picket/telemetry"
)

// Metrics are counters in this process. The zero value is not usable; see New.
type Metrics struct {
	registry    *prometheus.Registry
	records     *prometheus.CounterVec
	bytes       *prometheus.CounterVec
	invocations *prometheus.CounterVec
	errors      *prometheus.CounterVec
	latency     *prometheus.HistogramVec
	findings    *prometheus.CounterVec
	lag         *prometheus.GaugeVec
	drift       *prometheus.GaugeVec
	model       *prometheus.GaugeVec
	retrain     *prometheus.GaugeVec
	lists       *prometheus.GaugeVec
}

var _ telemetry.Metrics = (*Metrics)(nil)

// latencyBounds are in seconds: an answer of the endpoint takes a fraction of a
// millisecond, a large object many seconds.
var latencyBounds = []float64{
	.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60, 300,
}

// New returns counters at zero. The Go runtime and the process are measured too.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.records = m.counter("picket_records_total", "What a stage took in, gave out, or dropped and why.", "stage", "result", "reason")
	m.bytes = m.counter("picket_bytes_total", "Bytes of raw logs read, after decompression.", "stage")
	m.invocations = m.counter("picket_invocations_total", "Requests to the endpoint by HTTP status.", "code")
	m.errors = m.counter("picket_errors_total", "What failed as a whole: objects, steps, requests.", "stage")
	m.findings = m.counter("picket_findings_total", "New findings, that is incidents.", "class", "severity", "confidence")
	m.lag = m.gauge("picket_lag_seconds", "Age of the newest record that has been scored.", "source")
	m.drift = m.gauge("picket_drift_psi", "Population stability index against the training snapshot; from 0.25 on it calls for a retrain.", "booster", "feature")
	m.model = m.gauge("picket_model_info", "1 for the model that is live.", "id", "name")
	m.retrain = m.gauge("picket_last_retrain_timestamp_seconds", "When a retrain last ended, in Unix seconds.", "outcome")
	m.lists = m.gauge("picket_list_entries", "Entries of the organisation's own lists, as last read.", "list")
	m.latency = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "picket_latency_seconds", Help: "How long a stage took for one object or request.", Buckets: latencyBounds,
	}, []string{"stage"})
	m.registry.MustRegister(m.latency, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(g)
	return g
}

// In implements telemetry.Metrics.
func (m *Metrics) In(stage string, n uint64) {
	m.records.WithLabelValues(stage, "in", "").Add(float64(n))
}

// Out implements telemetry.Metrics.
func (m *Metrics) Out(stage string, n uint64) {
	m.records.WithLabelValues(stage, "out", "").Add(float64(n))
}

// Dropped implements telemetry.Metrics.
func (m *Metrics) Dropped(stage, reason string, n uint64) {
	m.records.WithLabelValues(stage, "dropped", reason).Add(float64(n))
}

// Bytes implements telemetry.Metrics.
func (m *Metrics) Bytes(stage string, n uint64) {
	m.bytes.WithLabelValues(stage).Add(float64(n))
}

// Invocation implements telemetry.Metrics.
func (m *Metrics) Invocation(status int, took time.Duration) {
	m.invocations.WithLabelValues(strconv.Itoa(status)).Inc()
	m.Took("serve", took)
	if status >= http.StatusInternalServerError {
		m.Error("serve")
	}
}

// Error implements telemetry.Metrics.
func (m *Metrics) Error(stage string) { m.errors.WithLabelValues(stage).Inc() }

// Took implements telemetry.Metrics.
func (m *Metrics) Took(stage string, d time.Duration) {
	m.latency.WithLabelValues(stage).Observe(d.Seconds())
}

// Finding implements telemetry.Metrics.
func (m *Metrics) Finding(class, severity string, confidence float64) {
	m.findings.WithLabelValues(class, severity, telemetry.Band(confidence)).Inc()
}

// Lag implements telemetry.Metrics.
func (m *Metrics) Lag(source string, d time.Duration) {
	m.lag.WithLabelValues(source).Set(d.Seconds())
}

// Drift implements telemetry.Metrics.
func (m *Metrics) Drift(booster, feature string, psi float64) {
	m.drift.WithLabelValues(booster, feature).Set(psi)
}

// List implements telemetry.Metrics.
func (m *Metrics) List(kind string, entries int) {
	m.lists.WithLabelValues(kind).Set(float64(entries))
}

// Live implements telemetry.Metrics.
func (m *Metrics) Live(id, name string) {
	m.model.Reset()
	m.model.WithLabelValues(id, name).Set(1)
}

// Retrained implements telemetry.Metrics.
func (m *Metrics) Retrained(at time.Time, outcome string) {
	m.retrain.WithLabelValues(outcome).Set(float64(at.Unix()))
}

// Handler serves the counters to Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, MaxRequestsInFlight: 4})
}
