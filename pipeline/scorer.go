package pipeline

import (
	"context"

	"picket"
	"picket/pipeline/infer"
	"picket/pipeline/train"
)

// Scorer scores rows: in this process, or at an endpoint.
type Scorer interface {
	// Score returns one score per row, in order. Where the model has no booster for
	// a row, its score has no classes. It keeps the rows' values.
	Score(ctx context.Context, rows []picket.Features, explain bool) ([]picket.Score, error)
}

// BoosterOf returns the booster that scores a row, by its detector, kind and width.
func BoosterOf(f *picket.Features) picket.BoosterID {
	return picket.BoosterOf(infer.Detector(f), f)
}

// Local scores in this process.
type Local struct{ *infer.Scorer }

// Score implements Scorer.
func (l Local) Score(ctx context.Context, rows []picket.Features, explain bool) ([]picket.Score, error) {
	scores := make([]picket.Score, len(rows))
	for i := range rows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := l.ScoreInto(&scores[i], infer.Detector(&rows[i]), &rows[i], explain); err != nil {
			return nil, err
		}
	}
	return scores, nil
}

// ServePackage is Serve of a package, which it keeps for what drift is held against.
func ServePackage(pkg *train.Package) (Serving, error) {
	s, err := Serve(&pkg.Model)
	s.Package = pkg
	return s, err
}

// Serve reads a model's trees and returns it ready to score in this process.
func Serve(m *picket.Model) (Serving, error) {
	scorer, err := infer.New(m)
	if err != nil {
		return Serving{}, err
	}
	return Serving{Model: m, Scorer: Local{scorer}}, nil
}
