package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

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
// margins the kind gets from it, and what margins unseen normal rows get. Every
// kind counts the same. The cut is where the two errors are equal, the part of
// unseen kinds that is missed and the part of normal rows that passes: the minimax
// choice, since neither how often new kinds come nor what an error costs is known.
//
// A model knows the kinds it was trained on far better than the next one: on
// random splits of NSL-KDD's training set everything from -2 to 2 looks like a
// good cut, and on its Test+, a third of whose attacks are of new kinds, 0 is a
// bad one. Cuts that were tried and lost there: the greatest difference of recall
// and false positives (its place jumps by 2 from seed to seed, on a flat top), the
// mean or median of the kinds' own best cuts (easy kinds outvote hard ones), the
// best for the hardest kind (a quarter of normal rows pass).
//
// Each of the sets has other rows in its validation split; their scores count together.
// Those of the first are known where first is not nil.
func leaveOneKindOut(ctx context.Context, sets []*picket.Dataset, first [][]Scored, o Options) (picket.Threshold, error) {
	t := picket.Threshold{Method: ThresholdLeaveOut}
	var pooled []Scored
	kinds := 0
	for i, d := range sets {
		unseen := first
		if i > 0 || first == nil {
			var err error
			if unseen, err = unseenKinds(ctx, d, o); err != nil {
				return t, err
			}
		}
		kinds = len(unseen)
		pooled = slices.Concat(append(unseen, pooled)...)
	}
	t.Margin = equalErrorCut(pooled)
	t.Validation = fmt.Sprintf("%d attack kinds of the train and validation splits, each scored by a booster that has not seen it, against the normal rows of the validation split", kinds)
	if len(sets) > 1 {
		t.Validation += fmt.Sprintf(", of %d splits", len(sets))
	}
	return t, nil
}

// leaveOutFolds is on how many folds kinds are left out: the cut of one of them moves
// with the normal rows that happen to be in it.
const leaveOutFolds = 2

// unseenKinds returns the scores of each attack kind by a booster that has not seen it,
// with those of the normal rows of the validation split.
func unseenKinds(ctx context.Context, d *picket.Dataset, o Options) ([][]Scored, error) {
	kinds, err := attackKinds(d, o.Threshold.Kind)
	if err != nil {
		return nil, err
	}
	var unseen [][]Scored
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		rows, err := scoreUnseen(ctx, d, kinds[kind], o)
		if err != nil {
			return nil, fmt.Errorf("leave %q out: %w", kind, err)
		}
		unseen = append(unseen, rows)
	}
	return unseen, nil
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
	if numberOf(d.Classes, "") < 0 { // each class has trees of its own
		without.Classes = classesOf(seen)
	}
	for i := range without.Examples {
		if e := &without.Examples[i]; numberOf(without.Classes, e.Class) < 0 {
			e.Split = "" // a class of which train has nothing cannot be watched either
		}
	}
	o.Progress, o.Params = nil, hurried(o.Params)
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

// hurried doubles the learning rate up to 0.3: a fold is thrown away once it has
// said where its margins lie, and early stopping takes it to the same loss sooner.
func hurried(params map[string]string) map[string]string {
	fast := map[string]string{"eta": Defaults()["eta"]}
	maps.Copy(fast, params)
	if eta, err := strconv.ParseFloat(fast["eta"], 64); err == nil && eta < 0.3 {
		fast["eta"] = strconv.FormatFloat(min(0.3, 2*eta), 'g', -1, 64)
	}
	return fast
}

// equalErrorCut returns the cut where as much of the malicious rows is missed as
// of the normal rows passes, by weight. Between two rows it stands in the middle.
func equalErrorCut(rows []Scored) float64 {
	curve := NewCurve(rows)
	at := 0
	for at+1 < len(curve) && curve[at].Recall < 1-curve[at].FPR {
		at++
	}
	if at+1 == len(curve) {
		return curve[at].Cut
	}
	return curve[at+1].Cut + (curve[at].Cut-curve[at+1].Cut)/2
}
