// Package train turns labelled rows into a model: Dataset -> Model.
//
//	labels + Features ──Collector──▶ Dataset ──Split──▶ Fit ──▶ Booster ──Package──▶ archive
//	                                                     │
//	                          calibrate and threshold, each on a split of its own
//
// Evaluate says how good a booster is on rows that it has not seen, Gate whether
// it may replace the one that is live, and Snapshot whether today's rows still
// look like the ones it was trained on.
package train

import (
	"bytes"
	"fmt"

	"picket"
	"picket/gbdt"
)

// Scored is one labelled row with what a booster said of it.
type Scored struct {
	Class     string  // the truth; a class that the booster does not know counts as malicious
	Scenario  string  // the example's group: rows of one incident share it
	Best      string  // the most probable class other than normal
	Malicious bool    // the truth is not normal
	Margin    float64 // uncalibrated, log-odds of malicious
	P         float64 // calibrated
	Weight    float64 // how many rows it stands for
}

func (s *Scored) passes(cut *picket.Threshold) bool { return s.Margin >= cut.Of(s.Best) }

// Verdict returns the class that the booster gives the row at a cut.
func (s *Scored) Verdict(cut *picket.Threshold) string {
	if s.passes(cut) {
		return s.Best
	}
	return picket.ClassNormal
}

// Score runs a booster over examples, in their order. It computes what
// infer.Scorer computes for the same rows.
func Score(b *picket.Booster, model *gbdt.Model, examples []picket.Example) ([]Scored, error) {
	if model.Features() != len(b.Schema.Names) || outputs(b) != model.Classes() {
		return nil, fmt.Errorf("score with booster %s: its trees read %d features and give %d margins, its manifest says %d and %d",
			b.ID, model.Features(), model.Classes(), len(b.Schema.Names), outputs(b))
	}
	scored := make([]Scored, len(examples))
	row := make([]float32, len(b.Schema.Names))
	margins := make([]float32, model.Classes())
	for i := range examples {
		e := &examples[i]
		if len(e.Values) != len(row) {
			return nil, fmt.Errorf("score with booster %s: row %d has %d values, its schema %s has %d", b.ID, i+1, len(e.Values), b.Schema.Hash, len(row))
		}
		picket.Narrow(e.Values, row)
		model.Margin(row, margins)
		margin := picket.LogOdds(margins)
		scored[i] = Scored{
			Class: e.Class, Scenario: scenario(b, e), Best: best(b.Classes, margins), Malicious: e.Class != b.Classes[0],
			Margin: margin, P: b.Calibration.Probability(margin), Weight: e.Weight,
		}
	}
	return scored, nil
}

// ScoreBooster is Score for a booster as a package holds it.
func ScoreBooster(b *picket.Booster, examples []picket.Example) ([]Scored, error) {
	model, err := gbdt.Read(bytes.NewReader(b.Trees))
	if err != nil {
		return nil, fmt.Errorf("score with booster %s: %w", b.ID, err)
	}
	return Score(b, model, examples)
}

// scenario is the incident of a row; the groups of a table are no incidents.
func scenario(b *picket.Booster, e *picket.Example) string {
	if b.ID.Detector == picket.DetectorTable {
		return ""
	}
	return e.Group
}

// outputs is how many margins a booster's trees give: one where there are two classes.
func outputs(b *picket.Booster) int {
	if len(b.Classes) == 2 {
		return 1
	}
	return len(b.Classes)
}

func best(classes []string, margins []float32) string {
	if len(margins) == 1 {
		return classes[1]
	}
	at := 1
	for i := 2; i < len(margins); i++ {
		if margins[i] > margins[at] {
			at = i
		}
	}
	return classes[at]
}
