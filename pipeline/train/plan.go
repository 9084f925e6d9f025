package train

import (
	"bytes"
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

// Channels are the rows that trees grow on, and those that they are stopped by.
type Channels struct {
	Train, Validation gbdt.TrainData
}

// Channels returns the rows as Fit weighs them. Cross-fitted trees are stopped by
// nothing: the rows that they grow on stand in for others, because SageMaker's
// container refuses a channel without rows.
func (p *Plan) Channels(d *picket.Dataset) (c Channels, err error) {
	if p.Folds > 1 {
		all := untested(d)
		hold(all, make([]int, len(all.Examples)), -1)
		c.Train, err = trainData(all, picket.SplitTrain)
		c.Validation = c.Train
		return c, err
	}
	if c.Train, err = trainData(d, picket.SplitTrain); err != nil {
		return c, err
	}
	c.Validation, err = trainData(d, picket.SplitValidation)
	return c, err
}

// Placeholder is one row of zeros for each class of a dataset that cannot be trained
// on: a training job that ends well and teaches nothing.
func Placeholder(d *picket.Dataset) Channels {
	rows, cols := len(d.Classes), len(d.Schema.Names)
	data := gbdt.TrainData{X: gbdt.NewDense(make([]float32, rows*cols), rows, cols)}
	for class := range rows {
		data.Labels, data.Weights = append(data.Labels, float32(class)), append(data.Weights, 1)
	}
	return Channels{data, data}
}

// Finish makes a booster of trees that were grown by a plan, in XGBoost's JSON or UBJ:
// it calibrates them and sets the threshold. Trees that Fit would have grown give Fit's booster, to the byte.
func Finish(ctx context.Context, d *picket.Dataset, o Options, p *Plan, trees []byte) (*Fitted, error) {
	model, err := gbdt.Read(bytes.NewReader(trees))
	if err != nil {
		return nil, fmt.Errorf("finish %s: trees: %w", d.Booster, err)
	}
	model = model.Widen(len(d.Schema.Names))
	want := outputs(&picket.Booster{Classes: d.Classes})
	if model.Features() != len(d.Schema.Names) || model.Classes() != want {
		return nil, fmt.Errorf("finish %s: the trees read %d features and give %d margins, the dataset has %d features and needs %d",
			d.Booster, model.Features(), model.Classes(), len(d.Schema.Names), want)
	}
	g := grown{model: model, params: p.Params, sets: []*picket.Dataset{d}}
	if p.Folds > 1 {
		g.model = model.Unstopped()
		g.calibration, g.validation, g.held = p.Held, p.Held, heldRows(p.Held, p.Folds)
		o.Folds = p.Folds
	} else if err := g.hold(d); err != nil {
		return nil, fmt.Errorf("finish %s: %w", d.Booster, err)
	}
	return g.fitted(ctx, d, o)
}
