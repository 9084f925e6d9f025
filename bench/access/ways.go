package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"picket"
	"picket/pipeline"
	"picket/pipeline/extract"
	"picket/pipeline/train"
)

// way is one way to judge a row: a score by width, held against a cut.
type way struct {
	name  string
	score func(f *picket.Features) float64
	cuts  map[int64]float64
}

func (w *way) over(f *picket.Features) bool {
	cut, ok := w.cuts[f.Seconds]
	return ok && w.score(f) >= cut
}

// columns says which columns of a row belong to rules and to the history.
func columns() (rules, history []int) {
	for i, f := range extract.AccessCatalogue {
		switch f.State {
		case "rule":
			rules = append(rules, i)
		case "history":
			history = append(history, i)
		}
	}
	return rules, history
}

// alarming is the severity from which on a rule that hits is an alarm of its own.
const alarming = 3

// rulesAlone is what a list of rules would say: any hit of an alarming one.
func rulesAlone() way {
	columns, _ := columns()
	w := way{name: "rules alone", cuts: map[int64]float64{picket.Hour: 1, picket.Day: 1}}
	w.score = func(f *picket.Features) float64 {
		for i, c := range columns {
			if extract.Rules[i].Severity >= alarming && f.Values[c] > 0 {
				return 1
			}
		}
		return 0
	}
	return w
}

// baselineAlone scores by how much is new: dimensions in which something was never
// seen before, and how rare the rarest call is.
func baselineAlone() way {
	at := map[string]int{}
	for i, f := range extract.AccessCatalogue {
		at[f.Name] = i
	}
	return way{name: "baseline alone", score: func(f *picket.Features) float64 {
		sum := 0.0
		for name, i := range at {
			v := f.Values[i]
			switch {
			case math.IsNaN(v):
			case strings.HasPrefix(name, "rarest_"):
				sum += (1 - v) / 2
			case strings.HasPrefix(name, "account_new_") || strings.HasPrefix(name, "new_") && name != "new_action_share" && name != "new_key_calls_elsewhere":
				sum += min(v, 3) / 3
			}
		}
		return math.Round(sum*1e6) / 1e6 // the order of a map must not show
	}}
}

// simple sets the cuts of a way that learns nothing else, by the budget and on the
// rows that boosters have theirs set by.
func (w way) simple(sets []*picket.Dataset) way {
	w.cuts = map[int64]float64{}
	for _, set := range sets {
		if set.Booster.Kind != picket.KindPrincipal {
			continue
		}
		var rows []train.Scored
		for _, e := range slices.Concat(train.In(set, picket.SplitValidation), train.In(set, picket.SplitCalibration)) {
			rows = append(rows, train.Scored{Malicious: e.Class != picket.ClassNormal, Margin: w.score(&e.Features)})
		}
		w.cuts[set.Booster.Seconds] = train.BudgetCut(rows, budget)
	}
	return w
}

// budget is the part of normal rows that may pass at each width.
const budget = 0.0005

// learned trains boosters on rows in which the given columns are missing.
func learned(ctx context.Context, name string, examples []pipeline.AccessExample, without []int) (way, error) {
	hide := func(values []float64) []float64 {
		values = slices.Clone(values)
		for _, c := range without {
			values[c] = math.NaN()
		}
		return values
	}
	hidden := slices.DeleteFunc(slices.Clone(examples), func(e pipeline.AccessExample) bool { return e.Entity.Kind != picket.KindPrincipal })
	for i := range hidden {
		hidden[i].Values = hide(hidden[i].Values)
	}
	pkg, err := pipeline.LearnAccess(ctx, hidden, pipeline.Learning{Name: name, Data: "simulated accounts not trained on", Seed: 1})
	if err != nil {
		return way{}, fmt.Errorf("%s: %w", name, err)
	}
	return served(ctx, name, pkg, hide)
}

// shipped judges by the package in the binary.
func shipped(ctx context.Context) (way, error) {
	pkg, err := shippedPackage()
	if err != nil {
		return way{}, err
	}
	return served(ctx, "shipped", pkg, slices.Clone[[]float64])
}

func shippedPackage() (*train.Package, error) {
	const file = "cmd/picket/default/model.zip"
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pkg, err := train.ReadPackage(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return pkg, nil
}

// served judges by a package's boosters of principals, of rows as hide leaves them.
func served(ctx context.Context, name string, pkg *train.Package, hide func([]float64) []float64) (way, error) {
	serving, err := pipeline.Serve(&pkg.Model)
	if err != nil {
		return way{}, err
	}
	w := way{name: name, cuts: map[int64]float64{}}
	for i := range pkg.Model.Boosters {
		if b := &pkg.Model.Boosters[i]; b.ID.Kind == picket.KindPrincipal && b.ID.Detector == picket.DetectorAccess {
			w.cuts[b.ID.Seconds] = b.Threshold.Margin
		}
	}
	w.score = func(f *picket.Features) float64 {
		row := *f
		row.Values = hide(f.Values)
		s, err := serving.Scorer.Score(ctx, []picket.Features{row}, false)
		if err != nil || len(s) != 1 || s[0].Classes == nil {
			return math.Inf(-1)
		}
		return s[0].Margin
	}
	return w, nil
}

// leave returns the examples without the attacks of a tactic.
func leave(examples []pipeline.AccessExample, tactic string) []pipeline.AccessExample {
	return slices.DeleteFunc(slices.Clone(examples), func(e pipeline.AccessExample) bool { return e.Tactic == tactic })
}
