package prometheus

import (
	"strings"

	dto "github.com/prometheus/client_model/go"

	"picket/telemetry"
)

// Samples returns Picket's own counters, sorted by name and labels: what a status
// page shows.
func (m *Metrics) Samples() []telemetry.Sample {
	families, _ := m.registry.Gather() // what could not be gathered is left out
	var list []telemetry.Sample
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

func sample(name string, one *dto.Metric) telemetry.Sample {
	s := telemetry.Sample{Name: name}
	for _, l := range one.GetLabel() {
		s.Labels = append(s.Labels, telemetry.Label{Name: l.GetName(), Value: l.GetValue()})
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
