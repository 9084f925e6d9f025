package telemetry

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// Sample is one counter or gauge with its labels at one moment. Of a histogram
// Value is the sum and Count the number of observations.
type Sample struct {
	Name   string
	Labels []Label
	Value  float64
	Count  uint64
}

// Label is a name with its value.
type Label struct{ Name, Value string }

// Label returns the value of a label, or "".
func (s Sample) Label(name string) string {
	for _, l := range s.Labels {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

// Samples returns Picket's own counters, sorted by name and labels: what a status
// page shows, and what another system of metrics is sent.
func (m *Metrics) Samples() []Sample {
	families, _ := m.registry.Gather() // what could not be gathered is left out
	var list []Sample
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "picket_") {
			continue
		}
		for _, one := range f.GetMetric() {
			list = append(list, sample(f.GetName(), one))
		}
	}
	return list
}

func sample(name string, one *dto.Metric) Sample {
	s := Sample{Name: name}
	for _, l := range one.GetLabel() {
		s.Labels = append(s.Labels, Label{l.GetName(), l.GetValue()})
	}
	switch {
	case one.Counter != nil:
		s.Value = one.GetCounter().GetValue()
	case one.Gauge != nil:
		s.Value = one.GetGauge().GetValue()
	case one.Histogram != nil:
		s.Value, s.Count = one.GetHistogram().GetSampleSum(), one.GetHistogram().GetSampleCount()
	}
	return s
}

// Sum adds the samples of a name that have all of the labels, given as name,
// value, name, value.
func Sum(samples []Sample, name string, labels ...string) float64 {
	total := 0.0
	for _, s := range samples {
		if s.Name == name && s.has(labels) {
			total += s.Value
		}
	}
	return total
}

func (s Sample) has(labels []string) bool {
	for pair := range slices.Chunk(labels, 2) {
		if len(pair) < 2 || s.Label(pair[0]) != pair[1] {
			return false
		}
	}
	return true
}
