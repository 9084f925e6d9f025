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
	f, err := crossFit(ctx, d, o)
	g := grown{calibration: f.held, validation: f.held, held: heldRows(f.held, o.Folds)}
	if err != nil {
		return g, err
	}
	if o.Threshold.Method == ThresholdLeaveOut {
		g.sets = folded(f.set, o, leaveOutFolds)
	}
	g.model, g.params, err = grow(ctx, f.set, f.all)
	return g, err
}

// folds is what cross-fitting leaves: the scores of rows that their trees had not
// seen, and the dataset with all rows but the test's in its train split.
type folds struct {
	set  *picket.Dataset
	part []int
	held []Scored
	all  Options // that the trees which count grow with
}

func crossFit(ctx context.Context, d *picket.Dataset, o Options) (folds, error) {
	f := folds{set: untested(d), all: o}
	f.part = dealFolds(f.set, o)
	rounds := 0
	for fold := range o.Folds {
		hold(f.set, f.part, fold)
		if err := checkSplits(f.set, picket.SplitTrain, picket.SplitValidation); err != nil {
			return f, fmt.Errorf("fold %d of %d: %w", fold+1, o.Folds, err)
		}
		model, _, err := grow(ctx, f.set, o)
		if err != nil {
			return f, err
		}
		rounds += model.Rounds()
		scored, err := Score(bare(d), model, In(f.set, picket.SplitValidation))
		if err != nil {
			return f, err
		}
		f.held = append(f.held, scored...)
	}
	f.all.Params = maps.Clone(o.Params)
	if f.all.Params == nil {
		f.all.Params = map[string]string{}
	}
	f.all.Params["num_round"] = strconv.Itoa((rounds + o.Folds/2) / o.Folds)
	hold(f.set, f.part, -1)
	return f, nil
}

// dealFolds returns the fold of each row.
func dealFolds(d *picket.Dataset, o Options) []int {
	return assign(d, slices.Repeat([]float64{1 / float64(o.Folds)}, o.Folds), o.Seed)
}

func heldRows(held []Scored, folds int) string {
	return fmt.Sprintf("%d rows, each scored by trees that grew on the other %d of %d folds", len(held), folds-1, folds)
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
