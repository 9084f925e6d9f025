package pipeline

import (
	"cmp"
	"slices"

	"picket"
	"picket/pipeline/train"
)

// NameFigure is how well names of some phishing sources are told from harmless
// names of some source, by the name alone.
type NameFigure struct {
	Phishing, Harmless      string // what was compared
	Positives, Negatives    int
	AUC, Recall1, Recall01  float64 // at 1 % and at 0.1 % false positives against these harmless names
	RecallAtCut, FalseAtCut float64 // at the threshold that ships
}

// NameScores are the test names with their margins.
type NameScores struct {
	Examples []NameExample
	Margins  []float64
	Cut      float64
}

// ScoreNames scores the examples of a split with a fitted booster.
func ScoreNames(all []NameExample, d *picket.Dataset, f *train.Fitted, split string) (*NameScores, error) {
	s := &NameScores{Cut: f.Booster.Threshold.Margin}
	scored, err := train.Score(&f.Booster, f.Model, d.Examples)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Split == split {
			s.Examples = append(s.Examples, all[i])
			s.Margins = append(s.Margins, scored[i].Margin)
		}
	}
	return s, nil
}

// Figure compares the names that two conditions choose.
func (s *NameScores) Figure(phishing, harmless string, positive, negative func(*NameExample) bool) NameFigure {
	f := NameFigure{Phishing: phishing, Harmless: harmless}
	var up, down []float64
	for i := range s.Examples {
		switch e := &s.Examples[i]; {
		case e.Phishing && positive(e):
			up = append(up, s.Margins[i])
		case !e.Phishing && negative(e):
			down = append(down, s.Margins[i])
		}
	}
	f.Positives, f.Negatives = len(up), len(down)
	if len(up) == 0 || len(down) == 0 {
		return f
	}
	f.AUC = auc(up, down)
	slices.SortFunc(down, func(a, b float64) int { return cmp.Compare(b, a) })
	f.Recall1, f.Recall01 = recallAt(up, down, 0.01), recallAt(up, down, 0.001)
	f.RecallAtCut, f.FalseAtCut = passing(up, s.Cut), passing(down, s.Cut)
	return f
}

// auc is the chance that a phishing name scores above a harmless one, ties half.
func auc(up, down []float64) float64 {
	sorted := slices.Sorted(slices.Values(down))
	var sum float64
	for _, v := range up {
		below, _ := slices.BinarySearch(sorted, v)
		above := below
		for above < len(sorted) && sorted[above] == v {
			above++
		}
		sum += float64(below) + float64(above-below)/2
	}
	return sum / float64(len(up)) / float64(len(down))
}

// recallAt is the share of up above the cut that lets at most budget of down pass.
// down is sorted, the greatest first.
func recallAt(up, down []float64, budget float64) float64 {
	cut := down[min(len(down)-1, int(budget*float64(len(down))))]
	n := 0
	for _, v := range up {
		if v > cut {
			n++
		}
	}
	return float64(n) / float64(len(up))
}

func passing(values []float64, cut float64) float64 {
	n := 0
	for _, v := range values {
		if v >= cut {
			n++
		}
	}
	return float64(n) / float64(len(values))
}
