package train

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"picket"
)

// Ways to set a threshold.
const (
	ThresholdBudget   = "fpr-budget"         // at most this part of the validation split's normal rows passes
	ThresholdAccuracy = "accuracy"           // the most validation rows right, for a table whose new rows are like the old
	ThresholdLeaveOut = "leave-one-kind-out" // equal errors on attack kinds that the trees have not seen and on normal rows
)

// ThresholdOptions say how the cut is set. The zero value is a budget of 0.1 %.
type ThresholdOptions struct {
	Method string  // ThresholdBudget when empty
	Budget float64 // part of normal rows that may pass; 0.001 when 0
	// Kind names the attack kind of a row, for ThresholdLeaveOut; its class when nil.
	Kind func(*picket.Example) string
}

const defaultBudget = 0.001

func setThreshold(ctx context.Context, g grown, o Options) (picket.Threshold, error) {
	t := picket.Threshold{Method: cmp.Or(o.Threshold.Method, ThresholdBudget)}
	switch t.Method {
	case ThresholdBudget:
		t.Budget = cmp.Or(o.Threshold.Budget, defaultBudget)
		t.Margin = BudgetCut(g.validation, t.Budget)
		t.Validation = g.held
		return t, nil
	case ThresholdAccuracy:
		t.Margin = accuracyCut(g.validation)
		t.Validation = g.held
		return t, nil
	case ThresholdLeaveOut:
		return leaveOneKindOut(ctx, g.sets, g.unseen, o)
	}
	return t, fmt.Errorf("threshold method %q is not %s, %s or %s", t.Method, ThresholdBudget, ThresholdAccuracy, ThresholdLeaveOut)
}

// BudgetCut returns the cut at which a fresh normal row passes with a probability
// of at most budget: of n normal margins, sorted down, the k-th with
// k <= budget·(n+1) is passed by k/(n+1) of fresh rows in the mean. Where
// n is too small for that, the greatest normal margin counts.
//
// A budget need not be spent: the cut rises as far as no malicious row is lost,
// and stands half-way between that row and the normal row below it.
func BudgetCut(rows []Scored, budget float64) float64 {
	var normal, malicious []float64
	for i := range rows {
		if rows[i].Malicious {
			malicious = append(malicious, rows[i].Margin)
		} else {
			normal = append(normal, rows[i].Margin)
		}
	}
	if len(normal) == 0 {
		return math.MaxFloat32 // nothing is known of normal: nothing passes
	}
	slices.Sort(normal)
	slices.Sort(malicious)
	k := int(budget * float64(len(normal)+1))
	below := normal[max(0, len(normal)-max(k, 1))] // the greatest normal margin that must not pass
	at, _ := slices.BinarySearch(malicious, math.Nextafter(below, math.Inf(1)))
	if at == len(malicious) {
		return math.Nextafter(below, math.Inf(1))
	}
	lower, _ := slices.BinarySearch(normal, malicious[at])
	below = max(below, normal[lower-1]) // normal[lower] >= malicious[at] > below
	if middle := below + (malicious[at]-below)/2; middle > below {
		return middle
	}
	return malicious[at]
}

// accuracyCut returns the cut at which most of the weight is on the right side.
// Between two rows it stands in the middle.
func accuracyCut(rows []Scored) float64 {
	var malicious, normal float64
	for i := range rows {
		if rows[i].Malicious {
			malicious += rows[i].Weight
		} else {
			normal += rows[i].Weight
		}
	}
	curve := NewCurve(rows)
	at := 0
	for i, p := range curve {
		if p.Recall*malicious-p.FPR*normal > curve[at].Recall*malicious-curve[at].FPR*normal {
			at = i
		}
	}
	if at+1 == len(curve) || at == 0 {
		return curve[at].Cut
	}
	return curve[at+1].Cut + (curve[at].Cut-curve[at+1].Cut)/2
}
