package train

import (
	"context"
	"fmt"

	"picket"
)

// Build fits a booster to each dataset, evaluates it on the dataset's test split
// and puts all into a package with their snapshots. The datasets are split
// already. facts go into the training manifest beside what Build knows itself;
// progress words are the caller's, through o.Progress.
func Build(ctx context.Context, name string, sets []*picket.Dataset, o Options, facts map[string]any) (*Package, error) {
	p := &Package{
		Model:       picket.Model{Name: name, Training: map[string]any{}},
		Evaluations: map[picket.BoosterID]*Evaluation{},
		Snapshots:   map[picket.BoosterID]*Snapshot{},
	}
	for key, value := range facts {
		p.Model.Training[key] = value
	}
	fits := map[string]Facts{}
	for _, d := range sets {
		f, err := Fit(ctx, d, o)
		if err != nil {
			return nil, err
		}
		p.Model.Boosters = append(p.Model.Boosters, f.Booster)
		fits[d.Booster.String()] = f.Facts
		if err := p.measure(d, f); err != nil {
			return nil, err
		}
	}
	p.Model.Training["boosters"] = fits
	p.SortBoosters()
	return p, nil
}

// measure evaluates a booster on its test split and takes the snapshot of what it
// was trained on.
func (p *Package) measure(d *picket.Dataset, f *Fitted) error {
	training := In(d, picket.SplitTrain)
	scored, err := Score(&f.Booster, f.Model, training)
	if err != nil {
		return err
	}
	p.Snapshots[d.Booster] = NewSnapshot(d.Schema, training, scored)
	test := In(d, picket.SplitTest)
	if len(test) == 0 {
		return nil // tested on rows from elsewhere
	}
	if scored, err = Score(&f.Booster, f.Model, test); err != nil {
		return err
	}
	e, err := Evaluate(&f.Booster, scored, fmt.Sprintf("test split of %s", d.Booster), f.Facts.Seed)
	if err != nil {
		return err
	}
	p.Evaluations[d.Booster] = e
	return nil
}
