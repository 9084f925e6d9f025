package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/train"
)

// NameFigure is how well names of some phishing sources are told from harmless
// names of some source, by the name alone.
type NameFigure struct {
	Phishing, Harmless      string // what was compared
	Positives, Negatives    int
	AUC, Recall1, Recall01  float64 // at 1 % and at 0.1 % false positives against these harmless names
	RecallAtCut, FalseAtCut float64 // at the threshold that ships
	Accuracy                float64 // of WithinSource alone
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

// WithinSource trains and tests on one list that has both classes, a host once and
// every registrable domain on one side. It says how much of a figure is the list's
// own habits: a booster that is used elsewhere has nothing of it.
func WithinSource(ctx context.Context, listed []train.ListedName, source string, r NameRecipe, o train.Options) (NameFigure, error) {
	var all []NameExample
	seen := map[string]bool{}
	for _, l := range listed {
		n, err := extract.ParseName(l.Text)
		if l.Source != source || err != nil || seen[n.Host] {
			continue
		}
		seen[n.Host] = true
		e := NameExample{Name: n, Source: source, Phishing: l.Phishing, Weight: 1, Split: picket.SplitTest}
		switch dice := hash01(n.Registrable, r.Seed); {
		case dice < 0.6:
			e.Split = picket.SplitTrain
		case dice < 0.7:
			e.Split = picket.SplitCalibration
		case dice < 0.8:
			e.Split = picket.SplitValidation
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		return NameFigure{}, fmt.Errorf("no names of %s", source)
	}
	set := NameDataset(all, LearnLexicon(TrainPart(all), r.Seed), r)
	o.Seed = r.Seed
	fitted, err := train.Fit(ctx, set, o)
	if err != nil {
		return NameFigure{}, err
	}
	tuned, err := ScoreNames(all, set, fitted, picket.SplitValidation)
	if err != nil {
		return NameFigure{}, err
	}
	tested, err := ScoreNames(all, set, fitted, picket.SplitTest)
	if err != nil {
		return NameFigure{}, err
	}
	every := func(*NameExample) bool { return true }
	f := tested.Figure(source, source, every, every)
	f.Accuracy = tested.accuracy(tuned.bestCut())
	return f, nil
}

// bestCut is the cut that most names are on the right side of.
func (s *NameScores) bestCut() float64 {
	order := slices.Sorted(slices.Values(s.Margins))
	best, cut := 0.0, 0.0
	for k := range 200 {
		at := order[k*(len(order)-1)/199]
		if a := s.accuracy(at); a > best {
			best, cut = a, at
		}
	}
	return cut
}

func (s *NameScores) accuracy(cut float64) float64 {
	right := 0
	for i := range s.Examples {
		if s.Examples[i].Phishing == (s.Margins[i] >= cut) {
			right++
		}
	}
	return float64(right) / float64(len(s.Examples))
}
