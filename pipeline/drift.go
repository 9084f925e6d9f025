package pipeline

import (
	"context"
	"fmt"

	"picket"
	"picket/pipeline/infer"
	"picket/pipeline/train"
)

// Drift holds the features of the bucket against the snapshot of the rows that a
// package was trained on, booster by booster.
func (p *Pipeline) Drift(ctx context.Context, pkg *train.Package) (map[picket.BoosterID]train.DriftReport, error) {
	scorer, err := infer.New(&pkg.Model)
	if err != nil {
		return nil, err
	}
	counts := map[picket.BoosterID]*train.Drift{}
	err = p.Rows(ctx, func(f *picket.Features) error {
		s, ok, err := scorer.Score(f, false)
		if err != nil || !ok || pkg.Snapshots[s.Booster] == nil {
			return err
		}
		if counts[s.Booster] == nil {
			counts[s.Booster] = train.NewDrift(pkg.Snapshots[s.Booster])
		}
		return counts[s.Booster].Add(f.Values, s.Margin)
	})
	if err != nil {
		return nil, fmt.Errorf("drift: %w", err)
	}
	reports := map[picket.BoosterID]train.DriftReport{}
	for id, d := range counts {
		reports[id] = d.Report()
		for _, f := range reports[id].Features {
			p.deps.Metrics.Drift(id.String(), f.Name, f.PSI)
		}
	}
	return reports, nil
}
