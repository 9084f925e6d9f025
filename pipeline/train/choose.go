package train

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"picket"
	"picket/gbdt"
)

// TableParams are what Fit chooses among for a table, about which nothing is known
// beforehand: shallow trees, deeper ones, and many small steps of deep trees that
// nothing holds back.
func TableParams() []map[string]string {
	return []map[string]string{
		{"max_depth": "4"},
		{"max_depth": "6"},
		{"max_depth": "7", "num_round": "1500", "gamma": "0", "lambda": "1", "min_child_weight": "1", "colsample_bytree": "0.3"},
	}
}

// Choice is parameters that were tried and what they lost by.
type Choice struct {
	Params map[string]string `json:"params"`
	Loss   float64           `json:"loss"` // on rows that the trees had not seen
}

// chooseFolds is on how many of a table's folds each choice is tried by its logloss.
// Leaving kinds out takes a fit for each of them: there one fold is enough.
const chooseFolds = 2

// choose tries each of o.Choose on rows that are not for the test and returns o with
// the one that loses least on rows that its trees have not seen. It asks what the
// threshold asks: of ThresholdLeaveOut how badly an attack kind ranks above normal rows
// where it was left out, each kind counting the same; of the others the mean logloss
// of malicious against normal. The scores of left-out kinds are handed on, for the
// threshold wants them again.
func choose(ctx context.Context, d *picket.Dataset, o Options) (Options, []Choice, [][]Scored, error) {
	tried, unseen := make([]Choice, len(o.Choose)), make([][][]Scored, len(o.Choose))
	sets := folded(untested(d), o, chooseFolds)
	if o.Threshold.Method == ThresholdLeaveOut {
		sets = sets[:1]
	}
	for i, params := range o.Choose {
		try := o
		try.Progress, try.Params = nil, maps.Clone(params)
		maps.Copy(try.Params, o.Params)
		tried[i].Params = maps.Clone(try.Params)
		for _, set := range sets {
			loss, kinds, err := lossOf(ctx, set, try)
			if err != nil {
				return o, nil, nil, fmt.Errorf("try %v: %w", params, err)
			}
			unseen[i] = kinds
			tried[i].Loss += loss / float64(len(sets))
		}
	}
	best := 0
	for i := range tried {
		if cmp.Less(tried[i].Loss, tried[best].Loss) {
			best = i
		}
	}
	o.Params = tried[best].Params
	return o, tried, unseen[best], nil
}

// folded returns d with one fold after another as its validation split, n at most.
func folded(d *picket.Dataset, o Options, n int) []*picket.Dataset {
	part := dealFolds(d, o)
	sets := make([]*picket.Dataset, min(n, o.Folds))
	for fold := range sets {
		set := *d
		set.Examples = slices.Clone(d.Examples)
		hold(&set, part, fold)
		sets[fold] = &set
	}
	return sets
}

// lossOf grows trees on the train split and says what they lose on the others, and how
// kinds scored that were left out, where that is what is asked.
func lossOf(ctx context.Context, d *picket.Dataset, o Options) (float64, [][]Scored, error) {
	if o.Threshold.Method == ThresholdLeaveOut {
		kinds, err := unseenKinds(ctx, d, o)
		loss := 0.0
		for _, rows := range kinds {
			loss += (1 - rankOf(rows)) / float64(len(kinds))
		}
		return loss, kinds, err
	}
	if err := checkSplits(d, picket.SplitTrain, picket.SplitValidation); err != nil {
		return 0, nil, err
	}
	o.Params = hurried(o.Params)
	model, _, err := grow(ctx, d, o)
	if err != nil {
		return 0, nil, err
	}
	rows, err := Score(bare(d), model, In(d, picket.SplitValidation))
	loss, weight := 0.0, 0.0
	for i := range rows {
		margin := rows[i].Margin
		if rows[i].Malicious {
			margin = -margin
		}
		loss += rows[i].Weight * (max(margin, 0) + math.Log1p(math.Exp(-math.Abs(margin))))
		weight += rows[i].Weight
	}
	return loss / weight, nil, err
}

// rankOf returns the probability that a malicious row scores above a normal one.
func rankOf(rows []Scored) float64 {
	scores, labels, weights := make([]float32, len(rows)), make([]float32, len(rows)), make([]float32, len(rows))
	for i := range rows {
		scores[i], weights[i] = float32(rows[i].Margin), float32(rows[i].Weight)
		if rows[i].Malicious {
			labels[i] = 1
		}
	}
	return gbdt.AUC(scores, labels, weights)
}
