package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"picket"
)

// rareKind gathers the attack kinds with fewer rows than minKindRows: they are
// left out together.
const (
	rareKind    = "rare kinds"
	minKindRows = 20
	maxKinds    = 24 // trained for; of more the smallest join the rare ones
)

// leaveOneKindOut sets the cut for attacks that nobody has labelled yet. For each
// attack kind it trains a booster that has never seen that kind and asks what
// margins the kind gets from it, and what margins unseen normal rows get. The cut
// is the one that serves best when every kind counts the same: it maximises mean
// recall of unseen kinds plus the part of normal rows below.
//
// A model knows the kinds it was trained on far better than the next one: on
// random splits of NSL-KDD's training set everything from -6 to 6 looks like a
// perfect cut, and on its Test+ (a third of whose attacks are of new kinds) 0.5 is
// a bad one. Leaving kinds out is the training set's own answer to that.
func leaveOneKindOut(ctx context.Context, d *picket.Dataset, f *Fitted, o Options) (picket.Threshold, error) {
	t := picket.Threshold{Method: ThresholdLeaveOut}
	kinds, err := attackKinds(d, o.Threshold.Kind)
	if err != nil {
		return t, err
	}
	var pooled []Scored
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		rows, err := scoreUnseen(ctx, d, kinds[kind], o)
		if err != nil {
			return t, fmt.Errorf("leave %q out: %w", kind, err)
		}
		pooled = append(pooled, rows...)
	}
	t.Margin = balancedCut(pooled)
	t.Validation = fmt.Sprintf("%d attack kinds of the train and validation splits, each scored by a booster that has not seen it, against the normal rows of the validation split", len(kinds))
	return t, nil
}

// attackKinds returns the rows of each attack kind outside the test and
// calibration splits.
func attackKinds(d *picket.Dataset, kind func(*picket.Example) string) (map[string][]int, error) {
	if kind == nil {
		kind = func(e *picket.Example) string { return e.Class }
	}
	kinds := map[string][]int{}
	for i := range d.Examples {
		e := &d.Examples[i]
		if e.Class != d.Classes[0] && (e.Split == picket.SplitTrain || e.Split == picket.SplitValidation) {
			kinds[kind(e)] = append(kinds[kind(e)], i)
		}
	}
	names := slices.SortedFunc(maps.Keys(kinds), func(a, b string) int {
		if len(kinds[a]) != len(kinds[b]) {
			return len(kinds[b]) - len(kinds[a])
		}
		return slices.Compare([]byte(a), []byte(b))
	})
	for i, name := range names {
		if len(kinds[name]) < minKindRows || i >= maxKinds {
			rows := kinds[name]
			delete(kinds, name)
			kinds[rareKind] = append(kinds[rareKind], rows...)
		}
	}
	if len(kinds) < 2 {
		return nil, errors.New("there is only one attack kind: nothing is left to learn from when it is left out")
	}
	return kinds, nil
}

// scoreUnseen trains without some rows and scores them, together with the normal
// rows of the validation split. Both sides weigh 1 in total.
func scoreUnseen(ctx context.Context, d *picket.Dataset, unseen []int, o Options) ([]Scored, error) {
	without := *d
	without.Examples = slices.Clone(d.Examples)
	out := make([]picket.Example, len(unseen))
	for i, row := range unseen {
		out[i] = without.Examples[row]
		without.Examples[row].Split = ""
	}
	var seen []string
	for i := range without.Examples {
		if e := &without.Examples[i]; e.Split == picket.SplitTrain {
			seen = append(seen, e.Class)
		}
	}
	without.Classes = classesOf(seen)
	for i := range without.Examples {
		if e := &without.Examples[i]; !slices.Contains(without.Classes, e.Class) {
			e.Split = "" // a class of which train has nothing cannot be watched either
		}
	}
	o.Progress = nil
	model, _, err := grow(ctx, &without, o)
	if err != nil {
		return nil, err
	}
	b := picket.Booster{ID: d.Booster, Schema: d.Schema, Classes: without.Classes, Calibration: picket.Calibration{Method: "none"}}
	for i := range d.Examples {
		if e := &d.Examples[i]; e.Class == d.Classes[0] && e.Split == picket.SplitValidation {
			out = append(out, *e)
		}
	}
	rows, err := Score(&b, model, out)
	for i := range rows {
		if i < len(unseen) {
			rows[i].Weight = 1 / float64(len(unseen))
		} else {
			rows[i].Weight = 1 / float64(len(rows)-len(unseen))
		}
	}
	return rows, err
}

// balancedCut returns the cut with the greatest recall less false positive rate;
// it stands half-way to the next margin below.
func balancedCut(rows []Scored) float64 {
	curve := NewCurve(rows)
	best := 0
	for i, p := range curve {
		if p.Recall-p.FPR > curve[best].Recall-curve[best].FPR {
			best = i
		}
	}
	if best+1 == len(curve) {
		return curve[best].Cut
	}
	return curve[best+1].Cut + (curve[best].Cut-curve[best+1].Cut)/2
}
