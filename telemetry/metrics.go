// Package telemetry tells operators what happens: events of the stages -> JSON
// log lines and counters.
package telemetry

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics counts what moves. The zero value is not usable; see New. Methods may
// be called from many goroutines. Stages, reasons and classes are words from the
// code, never from input: each new one takes memory for good.
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
	m.findings = m.counter("picket_findings_total", "New findings, that is incidents.", "class", "severity")
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

// In counts what a stage took in.
func (m *Metrics) In(stage string, n uint64) {
	m.records.WithLabelValues(stage, "in", "").Add(float64(n))
}

// Out counts what a stage gave out.
func (m *Metrics) Out(stage string, n uint64) {
	m.records.WithLabelValues(stage, "out", "").Add(float64(n))
}

// Dropped counts what a stage let fall, by reason.
func (m *Metrics) Dropped(stage, reason string, n uint64) {
	m.records.WithLabelValues(stage, "dropped", reason).Add(float64(n))
}

// Bytes counts bytes that a stage read.
func (m *Metrics) Bytes(stage string, n uint64) {
	m.bytes.WithLabelValues(stage).Add(float64(n))
}

// Invocation counts one request to the endpoint, its HTTP status and its time. A
// status of 500 and above is an error of stage serve too.
func (m *Metrics) Invocation(status int, took time.Duration) {
	m.invocations.WithLabelValues(strconv.Itoa(status)).Inc()
	m.Took("serve", took)
	if status >= http.StatusInternalServerError {
		m.Error("serve")
	}
}

// Error counts one failure of a stage.
func (m *Metrics) Error(stage string) { m.errors.WithLabelValues(stage).Inc() }

// Took records how long a stage took for one object or request.
func (m *Metrics) Took(stage string, d time.Duration) {
	m.latency.WithLabelValues(stage).Observe(d.Seconds())
}

// Finding counts one new incident.
func (m *Metrics) Finding(class, severity string) {
	m.findings.WithLabelValues(class, severity).Inc()
}

// Lag sets how far scoring is behind the records of a source.
func (m *Metrics) Lag(source string, d time.Duration) {
	m.lag.WithLabelValues(source).Set(d.Seconds())
}

// Drift sets the PSI of one feature of a booster, or of its score.
func (m *Metrics) Drift(booster, feature string, psi float64) {
	m.drift.WithLabelValues(booster, feature).Set(psi)
}

// List sets how many entries a list of the organisation's own has.
func (m *Metrics) List(kind string, entries int) {
	m.lists.WithLabelValues(kind).Set(float64(entries))
}

// Live names the model that is live from now on.
func (m *Metrics) Live(id, name string) {
	m.model.Reset()
	m.model.WithLabelValues(id, name).Set(1)
}

// Retrained records that a retrain ended: outcome is "candidate" or "failed".
func (m *Metrics) Retrained(at time.Time, outcome string) {
	m.retrain.WithLabelValues(outcome).Set(float64(at.Unix()))
}

// Handler serves the counters to Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, MaxRequestsInFlight: 4})
}
