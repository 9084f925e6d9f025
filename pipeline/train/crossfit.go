package train

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"picket"
)

// growFolds grows trees on every row that is not for the test, and still has scores
// of unseen rows to calibrate and cut by: the rows are dealt to o.Folds parts by
// group, and each part is scored by trees that grew on the others and were stopped
// by it. The trees that count grow on all of them, for as many rounds as the folds
// took on average. Splits of their own for stopping and calibrating cost a third of
// the rows that could be learned from.
func growFolds(ctx context.Context, d *picket.Dataset, o Options) (grown, error) {
	g := grown{set: untested(d)}
	part := assign(g.set, slices.Repeat([]float64{1 / float64(o.Folds)}, o.Folds), o.Seed)
	rounds := 0
	for fold := range o.Folds {
		hold(g.set, part, fold)
		if err := checkSplits(g.set, picket.SplitTrain, picket.SplitValidation); err != nil {
			return g, fmt.Errorf("fold %d of %d: %w", fold+1, o.Folds, err)
		}
		model, _, err := grow(ctx, g.set, o)
		if err != nil {
			return g, err
		}
		rounds += model.Rounds()
		scored, err := Score(bare(d), model, In(g.set, picket.SplitValidation))
		if err != nil {
			return g, err
		}
		g.validation = append(g.validation, scored...)
	}
	g.calibration = g.validation
	g.held = fmt.Sprintf("%d rows, each scored by trees that grew on the other %d of %d folds", len(g.validation), o.Folds-1, o.Folds)

	all := o
	all.Params = maps.Clone(o.Params)
	if all.Params == nil {
		all.Params = map[string]string{}
	}
	all.Params["num_round"] = strconv.Itoa((rounds + o.Folds/2) / o.Folds)
	hold(g.set, part, -1)
	var err error
	g.model, g.params, err = grow(ctx, g.set, all)
	hold(g.set, part, 0) // for leaving kinds out
	return g, err
}

// untested returns the dataset without its test split, with examples of its own.
func untested(d *picket.Dataset) *picket.Dataset {
	rest := *d
	rest.Examples = slices.DeleteFunc(slices.Clone(d.Examples), func(e picket.Example) bool {
		return e.Split == "" || e.Split == picket.SplitTest
	})
	return &rest
}

// hold makes one part the validation split, and the others the train split.
func hold(d *picket.Dataset, part []int, held int) {
	for i := range d.Examples {
		d.Examples[i].Split = picket.SplitTrain
		if part[i] == held {
			d.Examples[i].Split = picket.SplitValidation
		}
	}
}
