package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"picket"
	"picket/pipeline/infer"
	"picket/pipeline/train"
)

// Drift holds the features of the slots that begin in [from, to), in Unix seconds,
// against the snapshot of the rows that a package was trained on, booster by
// booster, and sets the gauges.
func (p *Pipeline) Drift(ctx context.Context, pkg *train.Package, from, to int64) (map[picket.BoosterID]train.DriftReport, error) {
	scorer, err := infer.New(&pkg.Model)
	if err != nil {
		return nil, err
	}
	counts := map[picket.BoosterID]*train.Drift{}
	count := func(f *picket.Features) error {
		s, ok, err := scorer.Score(f, false)
		if err != nil || !ok || pkg.Snapshots[s.Booster] == nil {
			return err
		}
		if counts[s.Booster] == nil {
			counts[s.Booster] = train.NewDrift(pkg.Snapshots[s.Booster])
		}
		return counts[s.Booster].Add(f.Values, s.Margin)
	}
	newest, err := p.newestFeatures(ctx, from, to)
	if err != nil {
		return nil, fmt.Errorf("drift: %w", err)
	}
	for _, s := range slices.SortedFunc(maps.Keys(newest), compareSlots) {
		if err := p.readFeatures(ctx, newest[s], count); err != nil {
			return nil, fmt.Errorf("drift: %w", err)
		}
	}
	reports := map[picket.BoosterID]train.DriftReport{}
	for id, d := range counts {
		reports[id] = d.Report()
		for _, f := range append(reports[id].Features, reports[id].Score) {
			p.deps.Metrics.Drift(id.String(), f.Name, f.PSI)
		}
	}
	return reports, nil
}

// Retraining says when drift starts a retrain. The index of the scores decides: a
// feature may well move where nothing that the model says does.
type Retraining struct {
	PSI  float64       // of a booster's score, from which on it has drifted; 0 is never
	Rest time.Duration // between the last run and the next
}

// DueForRetrain says why drift calls for a retrain, "" where it does not: no score
// has drifted that far, there are no labels to learn from, or the last run is too
// near.
func (p *Pipeline) DueForRetrain(ctx context.Context, reports map[picket.BoosterID]train.DriftReport, r Retraining) (string, error) {
	why := ""
	worst := r.PSI
	for id, report := range reports {
		psi := report.Score.PSI
		if r.PSI <= 0 || report.Score.Verdict == train.DriftUnknown || psi < worst {
			continue
		}
		if text := fmt.Sprintf("score of %s: PSI %.3f, limit %g", id, psi, r.PSI); psi > worst || why == "" || text < why {
			worst, why = psi, text
		}
	}
	if why == "" {
		return "", nil
	}
	runs, err := p.Runs(ctx)
	if err != nil || len(runs) > 0 && p.deps.Now().Sub(runs[0].Started) < r.Rest {
		return "", err
	}
	labels, err := p.Labels(ctx)
	if err != nil || len(labels) == 0 {
		return "", err
	}
	return why, nil
}
