package telemetry

import "slices"

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
