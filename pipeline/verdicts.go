package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"picket"
	"picket/pipeline/train"
	"picket/pipeline/triage"
)

const verdictsPrefix = picket.LabelsPrefix + "verdicts/"

// expectedFor is how long what is expected is not told of, unless the verdict says.
const expectedFor = 30 * 24 * time.Hour

// ErrVerdicts is the error of a run that analysts' verdicts stop.
var ErrVerdicts = errors.New("stopped by verdicts")

// ErrVerdict is the error of a verdict that cannot be taken.
var ErrVerdict = errors.New("not a verdict")

// PutVerdict puts an analyst's word on the finding whose uid begins so: into labels/, and
// onto the finding. Of v it needs Says and Author; Reason is for who reads it later,
// Expires for what is expected.
func (p *Pipeline) PutVerdict(ctx context.Context, uid string, v picket.Verdict) (picket.Verdict, error) {
	if !slices.Contains([]string{picket.VerdictTrue, picket.VerdictFalse, picket.VerdictExpected}, v.Says) {
		return v, fmt.Errorf("%w: %q is not true, false or expected", ErrVerdict, v.Says)
	}
	if v.Author = strings.TrimSpace(v.Author); v.Author == "" {
		return v, fmt.Errorf("%w: it needs an author", ErrVerdict)
	}
	f, err := p.LatestFinding(ctx, uid)
	if err != nil {
		return v, err
	}
	v.UID, v.At = f.UID, p.deps.Now().Unix()
	v.Detector, v.Class, v.Type, v.Entity = f.Detector, f.Class, f.Type, f.Entity
	v.Start, v.End = timeOf(&f)
	switch {
	case v.Says != picket.VerdictExpected:
		v.Expires = 0
	case v.Expires == 0:
		v.Expires = p.deps.Now().Add(expectedFor).Unix()
	case v.Expires <= v.At:
		return v, fmt.Errorf("%w: what is expected until %s is over", ErrVerdict, time.Unix(v.Expires, 0).UTC().Format(time.RFC3339))
	}
	body, err := json.Marshal(v)
	if err != nil {
		return v, err
	}
	if err := putOnce(ctx, p.deps.Bucket, verdictsPrefix+digest(string(body))+".json", bytes.NewReader(body)); err != nil {
		return v, err
	}
	return v, p.tell(ctx, f)
}

// tell writes the event that a finding was judged.
func (p *Pipeline) tell(ctx context.Context, f picket.Finding) error {
	all, err := p.Verdicts(ctx)
	if err != nil {
		return err
	}
	before := f
	told := []picket.Finding{f}
	judge(told, all)
	if f = told[0]; f.Status != picket.StatusClosed {
		triage.Suppress(told, p.suppress(all), p.deps.Now())
		if f = told[0]; f.Status != picket.StatusSuppressed {
			f.Status = picket.StatusUpdated
		}
	}
	if triage.Same(before, f) && before.Status == f.Status {
		return nil
	}
	f.Count++
	day := f.At - f.At%picket.Day
	if _, err = p.putFinding(ctx, day, &f); err != nil {
		return err
	}
	return p.announce(ctx, day)
}

// timeOf is the time that a verdict on a finding is about: all of the windows that it
// rests on. Rows of an hour or a day count from their edge.
func timeOf(f *picket.Finding) (start, end int64) {
	width := max(f.Seconds, picket.Hour)
	start, end = min(f.FirstSeen, f.At), max(f.LastSeen, f.At+f.Seconds)
	return start - start%width, end + (width-end%width)%width
}

// Verdicts returns every verdict of the bucket, in the order in which they were said.
func (p *Pipeline) Verdicts(ctx context.Context) ([]picket.Verdict, error) {
	var all []picket.Verdict
	for info, err := range p.deps.Bucket.List(ctx, verdictsPrefix, "") {
		if err != nil {
			return nil, fmt.Errorf("verdicts: %w", err)
		}
		if path.Ext(info.Key) != ".json" {
			continue
		}
		var v picket.Verdict
		if err := readJSON(ctx, p.deps.Bucket, info.Key, &v); err != nil {
			return nil, fmt.Errorf("verdict %s: %w", info.Key, err)
		}
		all = append(all, v)
	}
	slices.SortStableFunc(all, func(a, b picket.Verdict) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.UID, b.UID), cmp.Compare(a.Author, b.Author), cmp.Compare(a.Says, b.Says))
	})
	return all, nil
}

// standing returns what each author said last of each finding.
func standing(verdicts []picket.Verdict) []picket.Verdict {
	last := map[[2]string]int{}
	for i, v := range verdicts {
		last[[2]string{v.UID, v.Author}] = i
	}
	var all []picket.Verdict
	for i, v := range verdicts {
		if last[[2]string{v.UID, v.Author}] == i {
			all = append(all, v)
		}
	}
	return all
}

// contradictions says in words which verdicts cannot all be right: two authors who
// say different things of one finding, or of findings of one class about the same
// entity at the same time; and what a label file says otherwise.
func contradictions(verdicts []picket.Verdict, labels []picket.Label) []string {
	all := standing(verdicts)
	var found []string
	for i := range all {
		a := &all[i]
		for j := i + 1; j < len(all); j++ {
			b := &all[j]
			same := a.UID == b.UID || a.Detector == b.Detector && a.Class == b.Class && a.Entity == b.Entity && a.Start < b.End && b.Start < a.End
			if same && a.Says != b.Says {
				found = append(found, fmt.Sprintf("%s; %s", a, b))
			}
		}
		for _, l := range labels {
			if a.Says == picket.VerdictFalse && l.Entity == a.Entity && l.Class == a.Class && l.Start < a.End && a.Start < l.End {
				found = append(found, fmt.Sprintf("%s; a label file has it as %s", a, l.Class))
			}
		}
	}
	return found
}

// judge sets on each finding what was said of it last.
func judge(findings []picket.Finding, verdicts []picket.Verdict) {
	last := map[string]*picket.Verdict{}
	for i := range verdicts {
		last[verdicts[i].UID] = &verdicts[i]
	}
	for i := range findings {
		findings[i].Verdict = last[findings[i].UID]
	}
}

// suppress returns the rules of the configuration and those that keep quiet of what
// is expected.
func (p *Pipeline) suppress(verdicts []picket.Verdict) []triage.Rule {
	rules := slices.Clone(p.cfg.Suppress)
	for _, v := range standing(verdicts) {
		if v.Says == picket.VerdictExpected {
			rules = append(rules, triage.Rule{
				Entity: v.Entity.ID, Class: v.Class, Type: v.Type, Expires: time.Unix(v.Expires, 0),
				Author: v.Author, Reason: cmp.Or(v.Reason, "expected"),
			})
		}
	}
	return rules
}

// verdictLabels are the label rows that verdicts are worth. What is expected, and an
// anomaly that is one, leave their windows out of training.
func verdictLabels(verdicts []picket.Verdict) []picket.Label {
	var labels []picket.Label
	for _, v := range standing(verdicts) {
		if !slices.Contains(picket.ClassesOf(v.Detector), v.Class) && v.Class != picket.ClassAnomaly {
			continue // of a list: nothing to learn
		}
		l := picket.Label{Start: v.Start, End: v.End, Entity: v.Entity, Class: train.ClassExcluded, Note: "verdict " + v.UID}
		switch {
		case v.Says == picket.VerdictFalse:
			l.Class = picket.ClassNormal
		case v.Says == picket.VerdictTrue && v.Class != picket.ClassAnomaly:
			l.Class = v.Class
		}
		labels = append(labels, l)
	}
	return labels
}

// aboutRows reports of a row whether a verdict is about it; nil where there are none.
func aboutRows(verdicts []picket.Verdict) func(*picket.Features) bool {
	if len(verdicts) == 0 {
		return nil
	}
	by := map[picket.Entity][]picket.Verdict{}
	for _, v := range standing(verdicts) {
		by[v.Entity] = append(by[v.Entity], v)
	}
	return func(f *picket.Features) bool {
		return slices.ContainsFunc(by[f.Entity], func(v picket.Verdict) bool { return v.Start < f.End() && f.Start < v.End })
	}
}

// verdictWeight is how many rows that nobody looked at a judged one weighs.
const verdictWeight = 10

// teach moves the rows that verdicts are about into training, where they weigh more:
// what an analyst judged is learned from, and no part of what a model is judged by.
// It returns how many there are, and the sets without them, which are frozen: no
// verdict changes a row of theirs.
func teach(sets []*picket.Dataset, verdicts []picket.Verdict) (judged int, frozen []*picket.Dataset) {
	about := aboutRows(verdicts)
	for _, set := range sets {
		rest := *set
		rest.Examples = nil
		for i := range set.Examples {
			e := &set.Examples[i]
			if !about(&e.Features) {
				rest.Examples = append(rest.Examples, *e)
				continue
			}
			judged++
			e.Split = picket.SplitTrain
			e.Weight *= verdictWeight
		}
		frozen = append(frozen, &rest)
	}
	return judged, frozen
}

// moved returns, by booster, which part of the frozen validation rows passes the cut
// of one package and not of the other.
func moved(frozen []*picket.Dataset, with, without *train.Package) (map[picket.BoosterID]float64, error) {
	parts := map[picket.BoosterID]float64{}
	for _, set := range frozen {
		a, b := with.Model.Booster(set.Booster), without.Model.Booster(set.Booster)
		rows := train.In(set, picket.SplitValidation)
		if a == nil || b == nil || len(rows) == 0 {
			continue
		}
		over := make([][]bool, 2)
		for i, booster := range []*picket.Booster{a, b} {
			scored, err := train.ScoreBooster(booster, rows)
			if err != nil {
				return nil, err
			}
			for _, s := range scored {
				over[i] = append(over[i], s.Margin >= booster.Threshold.Margin)
			}
		}
		n := 0
		for i := range over[0] {
			if over[0][i] != over[1][i] {
				n++
			}
		}
		parts[set.Booster] = float64(n) / float64(len(over[0]))
	}
	return parts, nil
}

// bearing learns once more without what verdicts are about and returns the greatest
// part of a booster's frozen validation rows that they move over its cut. Too great a
// part is an error that lists them.
func (o *RunOptions) bearing(ctx context.Context, in Prepared, with *train.Package) (float64, error) {
	without, err := o.Learn(ctx, in.Frozen, o.learning(in))
	if err != nil {
		return 0, fmt.Errorf("without verdicts: %w", err)
	}
	parts, err := moved(in.Frozen, with, without)
	if err != nil {
		return 0, err
	}
	limit := cmp.Or(o.MaxMoved, 0.01)
	most, over := 0.0, []string{}
	for _, id := range slices.SortedFunc(maps.Keys(parts), compareBoosters) {
		if most = max(most, parts[id]); parts[id] > limit {
			over = append(over, fmt.Sprintf("%s %.2f %%", id, 100*parts[id]))
		}
	}
	if len(over) == 0 || o.Accept {
		return most, nil
	}
	var said []string
	for i := range in.Verdicts {
		said = append(said, in.Verdicts[i].String())
	}
	return most, fmt.Errorf("%w that move more than %.2f %% of the frozen validation rows over the cut (%s): %s", ErrVerdicts, 100*limit, strings.Join(over, ", "), strings.Join(said, " | "))
}
