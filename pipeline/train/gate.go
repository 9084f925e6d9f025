package train

import "fmt"

// GateOptions are the floors that a candidate must reach and how much worse than
// the live model it may be. The zero value is DefaultGate.
type GateOptions struct {
	AUC       float64 `json:"auc"`                 // least area under the ROC
	Recall    float64 `json:"recall"`              // least recall at the threshold
	FPR       float64 `json:"false_positive_rate"` // most false positives at the threshold
	ECE       float64 `json:"ece"`                 // most calibration error
	Tolerance float64 `json:"tolerance"`           // how far each may be behind the live model
}

// DefaultGate stops what is broken, as a constant model or one trained on shuffled
// labels; a site raises it to what it needs.
var DefaultGate = GateOptions{AUC: 0.9, Recall: 0.5, FPR: 0.05, ECE: 0.1, Tolerance: 0.01}

// GateVerdict is what a gate says, a line for each comparison.
type GateVerdict struct {
	Pass    bool     `json:"pass"`
	Reasons []string `json:"reasons"` // why not; empty if it passed
	Checks  []Check  `json:"checks"`
}

// Check is one comparison of a gate.
type Check struct {
	Name      string  `json:"name"`
	Candidate float64 `json:"candidate"`
	Bound     float64 `json:"bound"`
	AtLeast   bool    `json:"at_least"` // the candidate must not be below the bound; else not above
	Pass      bool    `json:"pass"`
}

// Gate holds a candidate's evaluation against the floors and, if live is not nil,
// against the live model's evaluation of the same rows. Other rows are refused:
// figures of different data do not compare.
func Gate(candidate, live *Evaluation, o GateOptions) (GateVerdict, error) {
	if o == (GateOptions{}) {
		o = DefaultGate
	}
	c := &candidate.Picket
	checks := []Check{
		atLeast("AUC", c.AUC, o.AUC), atLeast("recall", c.Recall, o.Recall),
		atMost("false positive rate", c.FPR, o.FPR), atMost("calibration error", c.Calibration.ECE, o.ECE),
	}
	if live != nil {
		l := &live.Picket
		if l.Data != c.Data || l.Rows != c.Rows || l.Malicious != c.Malicious {
			return GateVerdict{}, fmt.Errorf("gate: the candidate was evaluated on %q (%d rows, %d malicious) and the live model on %q (%d rows, %d malicious)",
				c.Data, c.Rows, c.Malicious, l.Data, l.Rows, l.Malicious)
		}
		checks = append(checks,
			atLeast("AUC against live", c.AUC, l.AUC-o.Tolerance), atLeast("PR AUC against live", c.PRAUC, l.PRAUC-o.Tolerance),
			atLeast("recall at 1 % false positives against live", c.RecallAt1, l.RecallAt1-o.Tolerance),
			atLeast("recall against live", c.Recall, l.Recall-o.Tolerance),
			atMost("false positive rate against live", c.FPR, l.FPR+o.Tolerance))
	}
	v := GateVerdict{Pass: true, Checks: checks, Reasons: []string{}}
	for _, check := range checks {
		if check.Pass {
			continue
		}
		v.Pass = false
		word := "below"
		if !check.AtLeast {
			word = "above"
		}
		v.Reasons = append(v.Reasons, fmt.Sprintf("%s: %s is %.4f, %s %.4f", c.Booster, check.Name, check.Candidate, word, check.Bound))
	}
	return v, nil
}

// NaN passes neither way.
func atLeast(name string, got, bound float64) Check {
	return Check{Name: name, Candidate: got, Bound: bound, AtLeast: true, Pass: got >= bound}
}

func atMost(name string, got, bound float64) Check {
	return Check{Name: name, Candidate: got, Bound: bound, Pass: got <= bound}
}
