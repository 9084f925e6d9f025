package telemetry

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// Namespace holds Picket's metrics in CloudWatch.
const Namespace = "Picket"

// EMF writes what moves in CloudWatch's embedded metric format: JSON lines among
// those of the log, from which CloudWatch makes metrics. Nothing is called for it.
//
// Each metric costs money for as long as it has values (0.30 USD a month), so what
// is worth a counter in a process is not always worth one here: of drift only the
// scores, and nothing by stage where a function has but one.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
type EMF struct {
	w        io.Writer
	function string
	stage    string // whose rows are the function's records
	now      func() time.Time

	mu     sync.Mutex
	series map[string]*series
}

var _ Metrics = (*EMF)(nil)

// series is one metric with the values of its dimensions.
type series struct {
	name, unit string
	sets       [][]string        // of dimensions, by each of which it is counted
	values     map[string]string // of the dimensions
	sum        float64
	all        []float64 // where each value counts, not their sum
}

// maxValues is the format's: of one metric in one line.
const maxValues = 100

// NewEMF returns metrics of a function, written to w at each Flush. The rows of
// stage are its records.
func NewEMF(w io.Writer, function, stage string, now func() time.Time) *EMF {
	return &EMF{w: w, function: function, stage: stage, now: now, series: map[string]*series{}}
}

// of returns the series of a name and the values of its dimensions, given as name,
// value. It is counted for the function, too, if all.
func (e *EMF) of(name, unit string, all bool, dimensions ...string) *series {
	key := name
	for _, d := range dimensions {
		key += "\x00" + d
	}
	if s := e.series[key]; s != nil {
		return s
	}
	s := &series{name: name, unit: unit, values: map[string]string{"Function": e.function}}
	if all {
		s.sets = append(s.sets, []string{"Function"})
	}
	if len(dimensions) > 0 {
		set := []string{"Function"}
		for pair := range slices.Chunk(dimensions, 2) {
			set = append(set, pair[0])
			s.values[pair[0]] = pair[1]
		}
		s.sets = append(s.sets, set)
	}
	e.series[key] = s
	return s
}

func (e *EMF) add(n float64, name, unit string, all bool, dimensions ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.of(name, unit, all, dimensions...).sum += n
}

func (e *EMF) value(v float64, name, unit string, all bool, dimensions ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.of(name, unit, all, dimensions...)
	s.all = append(s.all, v)
}

// In implements Metrics.
func (e *EMF) In(stage string, n uint64) {
	e.add(float64(n), "RecordsIn", "Count", stage == e.stage, "Stage", stage)
}

// Out implements Metrics.
func (e *EMF) Out(stage string, n uint64) {
	e.add(float64(n), "RecordsOut", "Count", stage == e.stage, "Stage", stage)
}

// Dropped implements Metrics.
func (e *EMF) Dropped(_, reason string, n uint64) {
	e.add(float64(n), "RecordsDropped", "Count", true, "Reason", reason)
}

// Bytes implements Metrics.
func (e *EMF) Bytes(_ string, n uint64) { e.add(float64(n), "BytesIn", "Bytes", true) }

// Invocation implements Metrics: of an endpoint, which counts for itself on AWS.
func (e *EMF) Invocation(int, time.Duration) {}

// Error implements Metrics.
func (e *EMF) Error(stage string) { e.add(1, "Errors", "Count", true, "Stage", stage) }

// Took implements Metrics.
func (e *EMF) Took(stage string, d time.Duration) {
	e.value(milliseconds(d), "Latency", "Milliseconds", false, "Stage", stage)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Finding implements Metrics.
func (e *EMF) Finding(class, _ string, confidence float64) {
	e.add(1, "Findings", "Count", true, "Class", class, "Band", Band(confidence))
}

// Lag implements Metrics.
func (e *EMF) Lag(source string, d time.Duration) {
	e.value(d.Seconds(), "LagSeconds", "Seconds", true, "Source", source)
}

// Drift implements Metrics: of the scores.
func (e *EMF) Drift(booster, feature string, psi float64) {
	if feature == "score" {
		e.value(psi, "DriftPSI", "None", true, "Booster", booster)
	}
}

// List implements Metrics: lists are files of a machine.
func (e *EMF) List(string, int) {}

// Live implements Metrics: the log says which model is live.
func (e *EMF) Live(string, string) {}

// Retrained implements Metrics: SageMaker counts its executions.
func (e *EMF) Retrained(time.Time, string) {}

// Rates are what Lambda costs, in USD: a GB-second and a request. On demand, first
// tier, us-east-1, as listed by aws.amazon.com/lambda/pricing on 2026-11-24.
type Rates struct{ GBSecond, Request float64 }

// RatesOf returns the rates of an architecture in Go's words.
func RatesOf(arch string) Rates {
	if arch == "arm64" {
		return Rates{0.0000133334, 0.0000002}
	}
	return Rates{0.0000166667, 0.0000002}
}

// Invoked counts one invocation of the function: how long it took and what it cost for a million of the records that it took in since the
// last Flush: (time × memory × price of a GB-second + price of a request) / records
// × 1,000,000. Requests to S3 and queues are not in it.
func (e *EMF) Invoked(took time.Duration, memoryMB int, rates Rates) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.of("Invocations", "Count", true).sum++
	latency := e.of("Latency", "Milliseconds", true)
	latency.all = append(latency.all, milliseconds(took))
	records := e.series["RecordsIn\x00Stage\x00"+e.stage]
	if records == nil || records.sum == 0 {
		return
	}
	cost := took.Seconds()*float64(memoryMB)/1024*rates.GBSecond + rates.Request
	s := e.of("CostPerMillionRecords", "None", true)
	s.all = append(s.all, cost/records.sum*1e6)
}

// Flush writes what was counted since the last Flush: one line for each set of
// dimensions' values, more where a metric has more values than a line takes.
func (e *EMF) Flush() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	groups := map[string][]*series{}
	for _, key := range slices.Sorted(maps.Keys(e.series)) {
		s := e.series[key]
		if s.all == nil {
			s.all = []float64{s.sum}
		}
		same := fmt.Sprint(s.sets, s.values)
		groups[same] = append(groups[same], s)
	}
	at := e.now().UnixMilli()
	for _, same := range slices.Sorted(maps.Keys(groups)) {
		for from := 0; ; from += maxValues {
			line := emfLine(at, groups[same], from)
			if line == nil {
				break
			}
			text, err := json.Marshal(line)
			if err != nil {
				return err
			}
			if _, err := e.w.Write(append(text, '\n')); err != nil {
				return err
			}
		}
	}
	clear(e.series)
	return nil
}

// emfLine writes the values from a place on of metrics that share their dimensions,
// nil where none has any.
func emfLine(at int64, group []*series, from int) map[string]any {
	line := map[string]any{}
	var metrics []any
	for _, s := range group {
		if from >= len(s.all) {
			continue
		}
		values := s.all[from:min(len(s.all), from+maxValues)]
		metrics = append(metrics, map[string]string{"Name": s.name, "Unit": s.unit})
		line[s.name] = values
		if len(values) == 1 {
			line[s.name] = values[0]
		}
	}
	if metrics == nil {
		return nil
	}
	for name, value := range group[0].values {
		line[name] = value
	}
	line["_aws"] = map[string]any{"Timestamp": at, "CloudWatchMetrics": []any{map[string]any{
		"Namespace": Namespace, "Dimensions": group[0].sets, "Metrics": metrics,
	}}}
	return line
}
