package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/train"
)

// Shape says which boosters are trained and which classes each tells, normal first.
// A pipeline that is written down before its labels are known, with a training job
// for each booster, needs to know both.
type Shape map[picket.BoosterID][]string

// ShapeOf returns the shape of a package's boosters but for those of names, which
// are learned from lists and not from a site's logs.
func ShapeOf(m *picket.Model) Shape {
	s := Shape{}
	for i := range m.Boosters {
		if b := &m.Boosters[i]; b.ID.Detector != picket.DetectorPhishing && b.ID.Detector != picket.DetectorTable {
			s[b.ID] = b.Classes
		}
	}
	return s
}

// IDs returns the boosters of a shape in the order in which they are trained.
func (s Shape) IDs() []picket.BoosterID {
	return slices.SortedFunc(maps.Keys(s), compareBoosters)
}

// schemaOf returns the schema of a detector's rows.
func schemaOf(detector string) picket.Schema {
	switch detector {
	case picket.DetectorPhishing:
		return extract.Schema(picket.KindName)
	case picket.DetectorAccess:
		return extract.AccessSchema()
	}
	return extract.Schema(picket.KindActor)
}

// datasets brings what was gathered into the shape: every booster of it, also one
// without rows, which the manifest then names as left out; and no class beyond its.
func (s Shape) datasets(g *Gathered) []*picket.Dataset {
	var sets []*picket.Dataset
	for _, id := range s.IDs() {
		set := &picket.Dataset{Booster: id, Schema: schemaOf(id.Detector), Classes: s[id]}
		if have := g.Sets[id]; have != nil {
			set.Examples = slices.DeleteFunc(slices.Clone(have.Examples), func(e picket.Example) bool { return !slices.Contains(s[id], e.Class) })
		}
		sets = append(sets, set)
	}
	return sets
}

// Prepared is the datasets of a run, split, and where they are kept.
type Prepared struct {
	Sets     []*picket.Dataset
	Snapshot Snapshot

	Verdicts []picket.Verdict  // that are learned from
	Judged   int               // rows that they are about
	Frozen   []*picket.Dataset // Sets without those rows; nil where there are none
}

// Prepare labels, splits and keeps the rows of the bucket: features/ and labels/ →
// datasets/.
func (p *Pipeline) Prepare(ctx context.Context, o RunOptions) (Prepared, error) {
	o.complete()
	var verdicts []picket.Verdict
	if o.Truths == nil {
		var err error
		if verdicts, err = p.Verdicts(ctx); err != nil {
			return Prepared{}, err
		}
	}
	labeller, err := p.labeller(ctx, &o, verdicts)
	if err != nil {
		return Prepared{}, err
	}
	gathered, err := p.Gather(ctx, o.MaxRows, labeller, aboutRows(verdicts))
	if err != nil {
		return Prepared{}, err
	}
	gathered.Keep(Tells)
	out := Prepared{Snapshot: Snapshot{Counts: gathered.Counts}, Verdicts: verdicts}
	if o.Shape != nil {
		out.Sets = o.Shape.datasets(&gathered)
	} else {
		out.Sets = gathered.Datasets()
	}
	if !slices.ContainsFunc(out.Sets, func(set *picket.Dataset) bool { return twoClasses(set.Examples) }) {
		return out, errors.New("no booster has labelled rows both normal and malicious")
	}
	for _, set := range out.Sets {
		if len(set.Examples) == 0 {
			continue
		}
		if err := o.split(set); err != nil {
			return out, err
		}
	}
	if len(verdicts) > 0 {
		out.Judged, out.Frozen = teach(out.Sets, verdicts)
	}
	out.Snapshot, err = p.PutDataset(ctx, out.Sets, gathered.Counts, o.splitRule())
	return out, err
}

// learn makes the package of a run. fit is nil, or makes boosters of trees that were
// grown elsewhere.
func (o *RunOptions) learn(ctx context.Context, in Prepared, fit func(context.Context, *picket.Dataset, train.Options) (*train.Fitted, error)) (*train.Package, error) {
	l := o.learning(in)
	l.Fit = fit
	pkg, err := o.Learn(ctx, in.Sets, l)
	if err != nil {
		return pkg, err
	}
	keep(pkg, o.before)
	if o.Truths != nil {
		return pkg, nil
	}
	pkg.Card, err = train.NewCard(pkg, train.CardFacts{
		Evidence:    train.RealToReal,
		Description: fmt.Sprintf("Boosted trees that find attacks in a site's own logs, trained on dataset %s.", in.Snapshot.ID),
		Datasets:    []string{"dataset " + in.Snapshot.ID + " of this site, split " + in.Snapshot.Split},
		Purpose:     "Scores windows of network traffic and of access; what passes the threshold becomes a finding for an analyst.",
		Caveats:     "It knows the kinds of attack that its labels name, on the networks that its logs come from.",
		Details:     map[string]string{"dataset": in.Snapshot.ID},
	})
	return pkg, err
}

func (o *RunOptions) learning(in Prepared) Learning {
	return Learning{
		Name: o.Name, Data: "test rows of dataset " + in.Snapshot.ID, Seed: o.Seed, Options: o.Train,
		Training: map[string]any{"dataset": in.Snapshot.ID, "rows": in.Snapshot.Counts},
	}
}

// Verdicts of the gate.
const (
	GatePassed   = "passed"
	GateFailed   = "failed"
	GateUnjudged = "unjudged" // too few malicious test rows: a person must decide
)

// Judgement is what the gate says of a candidate.
type Judgement struct {
	Verdict string
	Judged  int      // boosters with enough malicious test rows
	Reasons []string // why it failed
}

// gateRows is how many malicious test rows a booster needs to be judged: a recall
// of fewer rows says little.
const gateRows = 20

// Judge holds every booster that was evaluated against the floors, and against the
// live model's booster of the same name on the same rows.
func (p *Pipeline) Judge(ctx context.Context, sets []*picket.Dataset, pkg *train.Package, o RunOptions) (Judgement, error) {
	var j Judgement
	live, err := p.LiveModel(ctx)
	if err != nil && !errors.Is(err, ErrNoModel) {
		return j, err
	}
	for _, set := range sets {
		candidate := pkg.Evaluations[set.Booster]
		if candidate == nil || candidate.Picket.Malicious < gateRows {
			continue
		}
		j.Judged++
		var before *train.Evaluation
		if live != nil {
			before, _ = EvaluateOn(&live.Model, set, candidate.Picket.Data, o.Seed) // a model of another schema cannot be compared
		}
		verdict, err := train.Gate(candidate, before, o.Gate)
		if err != nil {
			return j, err
		}
		j.Reasons = append(j.Reasons, verdict.Reasons...)
	}
	switch {
	case len(j.Reasons) > 0:
		j.Verdict = GateFailed
	case j.Judged == 0:
		j.Verdict = GateUnjudged
	default:
		j.Verdict = GatePassed
	}
	return j, nil
}

// Weakest returns the evaluation with the least AUC, those first that the gate can
// judge; nil where there is none.
func Weakest(pkg *train.Package) *train.Evaluation {
	var weakest *train.Evaluation
	for i := range pkg.Model.Boosters {
		e := pkg.Evaluations[pkg.Model.Boosters[i].ID]
		if e == nil {
			continue
		}
		if weakest == nil || judged(e) && !judged(weakest) || judged(e) == judged(weakest) && e.Picket.AUC < weakest.Picket.AUC {
			weakest = e
		}
	}
	return weakest
}

func judged(e *train.Evaluation) bool { return e.Picket.Malicious >= gateRows }
