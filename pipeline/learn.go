package pipeline

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"picket"
	"picket/pipeline/train"
)

// Learning steers Learn.
type Learning struct {
	Name     string         // of the package
	Data     string         // what it was trained and tested on, in words, for the card
	Training map[string]any // facts for the manifest: data hashes, scripts, seeds
	Options  train.Options
	Seed     uint64
	Done     func(id picket.BoosterID, fitted *train.Fitted, e *train.Evaluation) // after each booster; may be nil

	// Fit makes a booster of a dataset; nil is train.Fit. Trees that were grown
	// elsewhere come in here.
	Fit func(context.Context, *picket.Dataset, train.Options) (*train.Fitted, error)
}

// Learn fits one booster for each dataset, whose examples are split already, and
// evaluates each on its test split: datasets → a model package. A dataset that
// cannot be learned from (a class is missing in a split) is left out and named in
// the manifest.
func Learn(ctx context.Context, sets []*picket.Dataset, l Learning) (*train.Package, error) {
	lessons := make([]lesson, len(sets))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	var mu sync.Mutex
	for i, set := range sets {
		group.Go(func() error {
			one, err := learnOne(ctx, set, l)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				one.skipped = err.Error()
			}
			lessons[i] = one
			if l.Done != nil && err == nil {
				mu.Lock()
				defer mu.Unlock()
				l.Done(set.Booster, one.fitted, one.evaluation)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return assemble(lessons, sets, l)
}

// lesson is what came of one dataset.
type lesson struct {
	fitted     *train.Fitted
	evaluation *train.Evaluation // nil where the test split has one class only
	snapshot   *train.Snapshot
	skipped    string // why there is no booster
}

func learnOne(ctx context.Context, set *picket.Dataset, l Learning) (lesson, error) {
	fit := l.Fit
	if fit == nil {
		fit = train.Fit
	}
	fitted, err := fit(ctx, set, l.optionsFor(set))
	if err != nil {
		return lesson{}, err
	}
	one := lesson{fitted: fitted}
	rows := train.In(set, picket.SplitTrain)
	scored, err := train.Score(&fitted.Booster, fitted.Model, rows)
	if err != nil {
		return one, err
	}
	one.snapshot = train.NewSnapshot(set.Schema, rows, scored)
	fitted.Booster.Usual = usual(set.Schema, rows)
	test := train.In(set, picket.SplitTest)
	if !twoClasses(test) {
		return one, nil // nothing to measure is no reason to have no booster
	}
	scored, err = train.Score(&fitted.Booster, fitted.Model, test)
	if err != nil {
		return one, err
	}
	one.evaluation, err = train.Evaluate(&fitted.Booster, scored, l.Data, l.Seed)
	return one, err
}

// optionsFor returns what a dataset's booster is fitted with.
func (l *Learning) optionsFor(set *picket.Dataset) train.Options {
	options := l.Options
	options.Seed = l.Seed
	if options.Folds == 0 {
		options.Folds = foldsFor(set)
	}
	return options
}

// usual returns the median of each column over the normal rows that have it. Of an
// even number it is the lower one of the two, which is a value that occurred.
func usual(schema picket.Schema, rows []picket.Example) map[string]float64 {
	medians := map[string]float64{}
	for column, name := range schema.Names {
		var values []float64
		for i := range rows {
			if v := rows[i].Values[column]; rows[i].Class == picket.ClassNormal && !math.IsNaN(v) && !math.IsInf(v, 0) {
				values = append(values, v)
			}
		}
		if len(values) > 0 {
			slices.Sort(values)
			medians[name] = values[(len(values)-1)/2]
		}
	}
	return medians
}

// fewIncidents are too few for splits of their own to stop, calibrate and cut by.
const fewIncidents = 10

// foldsFor returns how many folds a dataset of few incidents is cross-fitted in; 0
// where there are enough for splits, or too few for anything.
func foldsFor(set *picket.Dataset) int {
	incidents, normal := map[string]bool{}, map[string]bool{}
	for i := range set.Examples {
		switch e := &set.Examples[i]; {
		case e.Split == "" || e.Split == picket.SplitTest:
		case e.Class == set.Classes[0]:
			normal[e.Group] = true
		default:
			incidents[e.Group] = true
		}
	}
	if n := min(len(incidents), len(normal), 5); n > 1 && len(incidents) < fewIncidents {
		return n
	}
	return 0
}

// twoClasses reports whether rows are both normal and malicious.
func twoClasses(rows []picket.Example) bool {
	var normal, malicious bool
	for i := range rows {
		normal = normal || rows[i].Class == picket.ClassNormal
		malicious = malicious || rows[i].Class != picket.ClassNormal
	}
	return normal && malicious
}

// assemble makes a package of the lessons.
func assemble(lessons []lesson, sets []*picket.Dataset, l Learning) (*train.Package, error) {
	pkg := &train.Package{
		Model:       picket.Model{Name: l.Name, Training: map[string]any{}},
		Evaluations: map[picket.BoosterID]*train.Evaluation{},
		Snapshots:   map[picket.BoosterID]*train.Snapshot{},
	}
	for k, v := range l.Training {
		pkg.Model.Training[k] = v
	}
	facts, skipped := map[string]train.Facts{}, map[string]string{}
	for i, one := range lessons {
		id := sets[i].Booster
		if one.fitted == nil {
			skipped[id.String()] = one.skipped
			continue
		}
		facts[id.String()] = one.fitted.Facts
		pkg.Model.Boosters = append(pkg.Model.Boosters, one.fitted.Booster)
		pkg.Snapshots[id] = one.snapshot
		if one.evaluation != nil {
			pkg.Evaluations[id] = one.evaluation
		}
	}
	if len(pkg.Model.Boosters) == 0 {
		return nil, fmt.Errorf("no booster could be trained: %v", skipped)
	}
	pkg.Model.Training["boosters"] = facts
	if len(skipped) > 0 {
		pkg.Model.Training["skipped"] = skipped
	}
	pkg.SortBoosters()
	return pkg, nil
}

// EvaluateOn measures a model's booster for a dataset on the dataset's test split.
func EvaluateOn(m *picket.Model, set *picket.Dataset, data string, seed uint64) (*train.Evaluation, error) {
	b := m.Booster(set.Booster)
	if b == nil {
		return nil, fmt.Errorf("model %s has no booster %s", m.Name, set.Booster)
	}
	if err := b.Schema.Match(set.Schema); err != nil {
		return nil, err
	}
	scored, err := train.ScoreBooster(b, train.In(set, picket.SplitTest))
	if err != nil {
		return nil, err
	}
	return train.Evaluate(b, scored, data, seed)
}
