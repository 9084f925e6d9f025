package picket

// Contribution is how far one feature moved one score: its exact TreeSHAP value
// on the malicious margin (Lundberg et al. 2018, arXiv:1802.03888).
type Contribution struct {
	Feature string  `json:"feature"`
	Value   float64 `json:"value"` // of the feature; NaN is missing
	Shap    float64 `json:"shap"`  // log-odds; above 0 towards malicious
}

// Score is what one booster says of one row.
type Score struct {
	Features
	Booster       BoosterID
	Classes       []string
	Probabilities []float64      // per class, calibrated: Probabilities[0] = 1 - Malicious
	Malicious     float64        // calibrated probability that the row is not normal
	Margin        float64        // uncalibrated, log-odds of not normal
	Threshold     float64        // the cut that Margin is held against
	Contributions []Contribution // most moving first; nil unless asked for
}

// Over reports whether the score passes its threshold.
func (s *Score) Over() bool { return s.Margin >= s.Threshold }

// Class returns the most probable class other than normal, with its probability.
func (s *Score) Class() (string, float64) {
	best := 1
	for i := 2; i < len(s.Probabilities); i++ {
		if s.Probabilities[i] > s.Probabilities[best] {
			best = i
		}
	}
	return s.Classes[best], s.Probabilities[best]
}
