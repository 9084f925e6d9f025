// Package telemetry tells operators what happens: events of the stages -> JSON log
// lines, and counters in the form that CloudWatch reads out of a log.
package telemetry

import "time"

// Metrics counts what moves: for Prometheus on one machine, in the embedded metric
// format on AWS. Methods may be called from many goroutines. Stages, reasons and
// classes are words from the code, never from input: each new one takes memory, and
// on AWS money, for good.
type Metrics interface {
	// In counts what a stage took in, Out what it gave out, Dropped what it let fall
	// and why.
	In(stage string, n uint64)
	Out(stage string, n uint64)
	Dropped(stage, reason string, n uint64)
	// Bytes counts bytes that a stage read.
	Bytes(stage string, n uint64)
	// Invocation counts one request to the endpoint, its HTTP status and its time. A
	// status of 500 and above is an error of stage serve too.
	Invocation(status int, took time.Duration)
	// Error counts one failure of a stage.
	Error(stage string)
	// Took records how long a stage took for one object or request.
	Took(stage string, d time.Duration)
	// Finding counts one new incident; confidence is from 0 to 1.
	Finding(class, severity string, confidence float64)
	// Lag sets how far scoring is behind the records of a source.
	Lag(source string, d time.Duration)
	// Drift sets the PSI of one feature of a booster, or of its score.
	Drift(booster, feature string, psi float64)
	// List sets how many entries a list of the organisation's own has.
	List(kind string, entries int)
	// Live names the model that is live from now on.
	Live(id, name string)
	// Retrained records that a retrain ended: outcome is "candidate" or "failed".
	Retrained(at time.Time, outcome string)
}

// Nothing counts nothing.
type Nothing struct{}

var _ Metrics = Nothing{}

func (Nothing) In(string, uint64)               {}
func (Nothing) Out(string, uint64)              {}
func (Nothing) Dropped(string, string, uint64)  {}
func (Nothing) Bytes(string, uint64)            {}
func (Nothing) Invocation(int, time.Duration)   {}
func (Nothing) Error(string)                    {}
func (Nothing) Took(string, time.Duration)      {}
func (Nothing) Finding(string, string, float64) {}
func (Nothing) Lag(string, time.Duration)       {}
func (Nothing) Drift(string, string, float64)   {}
func (Nothing) List(string, int)                {}
func (Nothing) Live(string, string)             {}
func (Nothing) Retrained(time.Time, string)     {}

// Band puts a confidence from 0 to 1 into a third of our own, as the findings do:
// below an even chance low, from 0.9 on high.
func Band(confidence float64) string {
	switch {
	case confidence >= 0.9:
		return "high"
	case confidence >= 0.5:
		return "medium"
	}
	return "low"
}
