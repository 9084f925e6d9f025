package pipeline

import (
	"context"
	"errors"

	"picket"
	"picket/pipeline/train"
)

// keptFact is the manifest's entry that says which boosters a training run has not
// made, and which package each is from.
const keptFact = "kept"

// scoring is the package whose boosters stay where a run has no labels for them: the
// live one, else the shipped one, else nil.
func (p *Pipeline) scoring(ctx context.Context) (*train.Package, error) {
	live, err := p.LiveModel(ctx)
	switch {
	case !errors.Is(err, ErrNoModel):
		return live, err
	case p.deps.Shipped == nil:
		return nil, nil
	}
	return p.deps.Shipped()
}

// keep adds to a candidate the boosters of another package that it lacks, so that a
// run whose labels speak of scans does not end the search for phishing. They come with
// the rows that drift is measured by. Their evaluations stay behind: the candidate is
// judged by what it learned, and the manifest names where the figures of the rest are.
// A booster whose rows are no longer made that way is left out.
func keep(pkg, before *train.Package) {
	if before == nil {
		return
	}
	from := map[string]string{}
	earlier, _ := before.Model.Training[keptFact].(map[string]any)
	for _, b := range before.Model.Boosters {
		if b.ID.Detector == picket.DetectorTable || pkg.Model.Booster(b.ID) != nil || b.Schema.Match(schemaOf(b.ID.Detector)) != nil {
			continue
		}
		pkg.Model.Boosters = append(pkg.Model.Boosters, b)
		if s := before.Snapshots[b.ID]; s != nil {
			pkg.Snapshots[b.ID] = s
		}
		from[b.ID.String()] = before.Model.ID
		if id, ok := earlier[b.ID.String()].(string); ok {
			from[b.ID.String()] = id
		}
	}
	if len(from) > 0 {
		pkg.Model.Training[keptFact] = from
		pkg.SortBoosters()
	}
}
