package gbdt

import (
	"fmt"
	"math"
	"runtime"
)

// Objectives that Train knows.
const (
	BinaryLogistic = "binary:logistic"  // labels 0 and 1, or in between; one output
	MultiSoftprob  = "multi:softprob"   // labels 0 to NumClass-1; NumClass outputs
	SquaredError   = "reg:squarederror" // any label; one output
)

// Growth policies.
const (
	DepthWise = "depthwise" // level by level
	LossGuide = "lossguide" // the leaf with the greatest gain next
)

// Params steer training. DefaultParams has XGBoost's defaults. The name of each
// as XGBoost and [ParseParams] know it stands first in its comment.
type Params struct {
	Objective string // objective
	NumClass  int    // num_class: classes of multi:softprob, else 0 or 1
	Rounds    int    // num_round: trees per class

	Eta            float64 // eta: what part of a leaf's value is kept, (0, 1]
	MaxDepth       int     // max_depth: 0 is no limit, which needs MaxLeaves
	MaxLeaves      int     // max_leaves: 0 is no limit
	GrowPolicy     string  // grow_policy
	MinChildWeight float64 // min_child_weight: least sum of hessians of a child
	Gamma          float64 // gamma: least gain of a split
	Alpha          float64 // alpha: L1 penalty on leaf values
	Lambda         float64 // lambda: L2 penalty on leaf values
	MaxDeltaStep   float64 // max_delta_step: greatest absolute leaf value before eta; 0 is no limit

	Subsample       float64 // subsample: part of the rows each tree sees, (0, 1]
	ColsampleByTree float64 // colsample_bytree: part of the columns each tree sees, (0, 1]
	// colsample_bylevel and colsample_bynode: parts of what is left, (0, 1]
	ColsampleByLevel float64
	ColsampleByNode  float64

	ScalePosWeight      float64 // scale_pos_weight: weight of rows with label 1, binary:logistic only
	MaxBin              int     // max_bin: bins per column, 2 to 256; a column with missing values gives up one
	BaseScore           float64 // base_score: what to predict before the first tree; NaN estimates it from the labels
	MaxCatToOneHot      int     // max_cat_to_onehot: a category column of fewer categories is split one against the rest
	MaxCatThreshold     int     // max_cat_threshold: how many categories are tried from either end of their order
	MonotoneConstraints []int   // monotone_constraints: per column 1 rising, -1 falling, 0 free

	EvalMetric          []string // eval_metric: for the watched data; empty is the objective's own
	EarlyStoppingRounds int      // early_stopping_rounds: stop after so many rounds with no gain in the last metric of the last watched data; 0 never
	Seed                uint64   // seed
	Threads             int      // nthread: goroutines, 0 is one per core; never changes the model
	FullPrecision       bool     // full_precision: sum gradients of 32 bits, not 16
}

// DefaultParams returns XGBoost's defaults, for 100 rounds of binary:logistic.
func DefaultParams() Params {
	return Params{
		Objective: BinaryLogistic, Rounds: 100,
		Eta: 0.3, MaxDepth: 6, GrowPolicy: DepthWise, MinChildWeight: 1, Lambda: 1,
		Subsample: 1, ColsampleByTree: 1, ColsampleByLevel: 1, ColsampleByNode: 1,
		ScalePosWeight: 1, MaxBin: 256, MaxCatToOneHot: 4, MaxCatThreshold: 64, BaseScore: math.NaN(),
	}
}

// classes returns the number of outputs.
func (p *Params) classes() int {
	if p.Objective == MultiSoftprob {
		return p.NumClass
	}
	return 1
}

// threads returns the number of goroutines to use.
func (p *Params) threads() int {
	if p.Threads > 0 {
		return p.Threads
	}
	return runtime.GOMAXPROCS(0)
}

// Validate returns an error that names the first parameter out of its range.
func (p *Params) Validate() error {
	if err := p.validateObjective(); err != nil {
		return err
	}
	if p.GrowPolicy != DepthWise && p.GrowPolicy != LossGuide {
		return fmt.Errorf("grow_policy %q: want %s or %s", p.GrowPolicy, DepthWise, LossGuide)
	}
	if p.MaxDepth == 0 && p.MaxLeaves == 0 {
		return fmt.Errorf("max_depth and max_leaves are both 0: the trees would have no bound")
	}
	for _, r := range p.ranges() {
		if !(r.value >= r.low && r.value <= r.high) || r.open && r.value == r.low {
			return fmt.Errorf("%s is %v: want %s", r.name, r.value, r)
		}
	}
	for i, c := range p.MonotoneConstraints {
		if c < -1 || c > 1 {
			return fmt.Errorf("monotone_constraints: column %d has %d: want -1, 0 or 1", i, c)
		}
	}
	for _, name := range p.EvalMetric {
		if _, err := metricByName(name, p.classes()); err != nil {
			return err
		}
	}
	return nil
}

func (p *Params) validateObjective() error {
	switch p.Objective {
	case BinaryLogistic, SquaredError:
		if p.NumClass > 1 {
			return fmt.Errorf("num_class is %d but objective %s has one output: want 0 or 1", p.NumClass, p.Objective)
		}
	case MultiSoftprob:
		if p.NumClass < 2 || p.NumClass > maxClasses {
			return fmt.Errorf("num_class is %d: %s wants 2 to %d", p.NumClass, p.Objective, maxClasses)
		}
	default:
		return fmt.Errorf("objective %q: want %s, %s or %s", p.Objective, BinaryLogistic, MultiSoftprob, SquaredError)
	}
	if p.Objective == BinaryLogistic && !math.IsNaN(p.BaseScore) && !(p.BaseScore > 0 && p.BaseScore < 1) {
		return fmt.Errorf("base_score is %v: %s wants a probability between 0 and 1", p.BaseScore, p.Objective)
	}
	if math.IsInf(p.BaseScore, 0) {
		return fmt.Errorf("base_score is %v: want a finite number", p.BaseScore)
	}
	return nil
}

// bound is a parameter's value and the range it must lie in.
type bound struct {
	name             string
	value, low, high float64
	open             bool // low itself is out
}

func (b bound) String() string {
	left := "at least"
	if b.open {
		left = "more than"
	}
	if math.IsInf(b.high, 1) {
		return fmt.Sprintf("%s %v", left, b.low)
	}
	return fmt.Sprintf("%s %v, at most %v", left, b.low, b.high)
}

func (p *Params) ranges() []bound {
	const big = math.MaxFloat32
	return []bound{
		{"num_round", float64(p.Rounds), 0, 1 << 20, false},
		{"eta", p.Eta, 0, 1, true},
		{"max_depth", float64(p.MaxDepth), 0, maxDepth, false},
		{"max_leaves", float64(p.MaxLeaves), 0, 1 << 20, false},
		{"min_child_weight", p.MinChildWeight, 0, big, false},
		{"gamma", p.Gamma, 0, big, false},
		{"alpha", p.Alpha, 0, big, false},
		{"lambda", p.Lambda, 0, big, false},
		{"max_delta_step", p.MaxDeltaStep, 0, big, false},
		{"subsample", p.Subsample, 0, 1, true},
		{"colsample_bytree", p.ColsampleByTree, 0, 1, true},
		{"colsample_bylevel", p.ColsampleByLevel, 0, 1, true},
		{"colsample_bynode", p.ColsampleByNode, 0, 1, true},
		{"scale_pos_weight", p.ScalePosWeight, 0, big, true},
		{"max_bin", float64(p.MaxBin), 2, 256, false},
		{"max_cat_to_onehot", float64(p.MaxCatToOneHot), 1, 1 << 30, false},
		{"max_cat_threshold", float64(p.MaxCatThreshold), 1, 1 << 30, false},
		{"early_stopping_rounds", float64(p.EarlyStoppingRounds), 0, 1 << 30, false},
		{"nthread", float64(p.Threads), 0, 1 << 16, false},
	}
}

// Limits that keep sizes computable; far beyond what is useful.
const (
	maxClasses = 1 << 12
	maxDepth   = 1 << 10
	maxColumns = 1 << 22
)
