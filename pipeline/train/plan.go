package train

import (
	"context"
	"errors"
	"fmt"

	"picket"
	"picket/gbdt"
)

// Plan is what trees are to be grown with, for whoever grows them: this program,
// or XGBoost in a container of its own. What Fit does in one go is then three
// steps: NewPlan; the trees, from the plan's parameters and Channels; Finish.
type Plan struct {
	Params map[string]string `json:"params"` // XGBoost's names, in full
	Folds  int               `json:"folds,omitempty"`
	// Held are cross-fitted scores of every row that is trained on, where there are
	// too few incidents for splits of their own; see Options.Folds.
	Held []Scored `json:"held,omitempty"`
}

// NewPlan decides how the trees of a dataset are grown. Trees that grow elsewhere
// cannot be cut by Options.OneError or ThresholdLeaveOut, which need their losses.
func NewPlan(ctx context.Context, d *picket.Dataset, o Options) (*Plan, error) {
	plan, err := newPlan(ctx, d, o)
	if err != nil {
		return nil, fmt.Errorf("fit %s: %w", d.Booster, err)
	}
	return plan, nil
}

func newPlan(ctx context.Context, d *picket.Dataset, o Options) (*Plan, error) {
	if o.OneError || o.Threshold.Method == ThresholdLeaveOut {
		return nil, errors.New("trees that grow elsewhere cannot be cut by their losses")
	}
	if o.Folds <= 1 {
		if err := checkSplits(d, picket.SplitTrain, picket.SplitValidation, picket.SplitCalibration); err != nil {
			return nil, err
		}
		params, _, err := parameters(d, o)
		return &Plan{Params: params}, err
	}
	f, err := crossFit(ctx, d, o)
	if err != nil {
		return nil, err
	}
	params, _, err := parameters(f.set, f.all)
	if err != nil {
		return nil, err
	}
	params["early_stopping_rounds"] = "0"
	return &Plan{Params: params, Folds: o.Folds, Held: f.held}, nil
}

// Channels returns the rows that the trees grow on and those that they are stopped
// by, weighed as Fit weighs them. Cross-fitted trees are stopped by nothing.
func (p *Plan) Channels(d *picket.Dataset) (train, validation gbdt.TrainData, err error) {
	if p.Folds > 1 {
		all := untested(d)
		hold(all, make([]int, len(all.Examples)), -1)
		train, err = trainData(all, picket.SplitTrain)
		return train, validation, err
	}
	if train, err = trainData(d, picket.SplitTrain); err != nil {
		return train, validation, err
	}
	validation, err = trainData(d, picket.SplitValidation)
	return train, validation, err
}

// Finish makes a booster of trees that were grown by a plan: it calibrates them and
// sets the threshold. Trees that Fit would have grown give Fit's booster, to the byte.
func Finish(ctx context.Context, d *picket.Dataset, o Options, p *Plan, model *gbdt.Model) (*Fitted, error) {
	want := outputs(&picket.Booster{Classes: d.Classes})
	if model.Features() != len(d.Schema.Names) || model.Classes() != want {
		return nil, fmt.Errorf("finish %s: the trees read %d features and give %d margins, the dataset has %d features and needs %d",
			d.Booster, model.Features(), model.Classes(), len(d.Schema.Names), want)
	}
	g := grown{model: model, params: p.Params, set: d}
	if p.Folds > 1 {
		g.calibration, g.validation, g.held = p.Held, p.Held, heldRows(p.Held, p.Folds)
		o.Folds = p.Folds
	} else if err := g.hold(d); err != nil {
		return nil, fmt.Errorf("finish %s: %w", d.Booster, err)
	}
	return g.fitted(ctx, d, o)
}
