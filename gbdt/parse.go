package gbdt

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// setters of the parameters by XGBoost's name. A nil setter is a parameter that
// changes nothing here and is accepted so that a container's parameters parse.
var setters = map[string]func(p *Params, value string) error{
	"objective":               func(p *Params, v string) error { p.Objective = v; return nil },
	"num_class":               setInt(func(p *Params) *int { return &p.NumClass }),
	"num_round":               setInt(func(p *Params) *int { return &p.Rounds }),
	"eta":                     setFloat(func(p *Params) *float64 { return &p.Eta }),
	"max_depth":               setInt(func(p *Params) *int { return &p.MaxDepth }),
	"max_leaves":              setInt(func(p *Params) *int { return &p.MaxLeaves }),
	"grow_policy":             func(p *Params, v string) error { p.GrowPolicy = v; return nil },
	"min_child_weight":        setFloat(func(p *Params) *float64 { return &p.MinChildWeight }),
	"gamma":                   setFloat(func(p *Params) *float64 { return &p.Gamma }),
	"alpha":                   setFloat(func(p *Params) *float64 { return &p.Alpha }),
	"lambda":                  setFloat(func(p *Params) *float64 { return &p.Lambda }),
	"max_delta_step":          setFloat(func(p *Params) *float64 { return &p.MaxDeltaStep }),
	"subsample":               setFloat(func(p *Params) *float64 { return &p.Subsample }),
	"colsample_bytree":        setFloat(func(p *Params) *float64 { return &p.ColsampleByTree }),
	"colsample_bylevel":       setFloat(func(p *Params) *float64 { return &p.ColsampleByLevel }),
	"colsample_bynode":        setFloat(func(p *Params) *float64 { return &p.ColsampleByNode }),
	"scale_pos_weight":        setFloat(func(p *Params) *float64 { return &p.ScalePosWeight }),
	"max_bin":                 setInt(func(p *Params) *int { return &p.MaxBin }),
	"max_cat_to_onehot":       setInt(func(p *Params) *int { return &p.MaxCatToOneHot }),
	"max_cat_threshold":       setInt(func(p *Params) *int { return &p.MaxCatThreshold }),
	"base_score":              setFloat(func(p *Params) *float64 { return &p.BaseScore }),
	"monotone_constraints":    setMonotone,
	"eval_metric":             func(p *Params, v string) error { p.EvalMetric = splitList(v); return nil },
	"early_stopping_rounds":   setInt(func(p *Params) *int { return &p.EarlyStoppingRounds }),
	"seed":                    setSeed,
	"nthread":                 setThreads,
	"full_precision":          setBool(func(p *Params) *bool { return &p.FullPrecision }),
	"booster":                 only("gbtree"),
	"tree_method":             only("hist", "auto"),
	"process_type":            only("default"),
	"sampling_method":         only("uniform"),
	"device":                  only("cpu"),
	"verbosity":               only("0", "1", "2", "3"),
	"deterministic_histogram": only("true", "1"),
}

// aliases are the other names XGBoost knows.
var aliases = map[string]string{
	"learning_rate": "eta", "min_split_loss": "gamma", "reg_alpha": "alpha", "reg_lambda": "lambda",
	"num_boost_round": "num_round", "n_estimators": "num_round", "n_jobs": "nthread", "random_state": "seed",
}

// ParseParams returns DefaultParams changed by values, whose keys are XGBoost's
// parameter names and whose values are text, as SageMaker's hyperparameters are.
// A name it does not know is an error that tells the nearest one it does; so is a
// value out of range.
func ParseParams(values map[string]string) (Params, error) {
	p := DefaultParams()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		name := key
		if a, ok := aliases[key]; ok {
			name = a
		}
		if name != key {
			if _, twice := values[name]; twice {
				return Params{}, fmt.Errorf("%s and %s are the same parameter: give one", key, name)
			}
		}
		set, ok := setters[name]
		if !ok {
			return Params{}, fmt.Errorf("unknown parameter %q: the nearest is %q", key, nearest(key))
		}
		if err := set(&p, strings.TrimSpace(values[key])); err != nil {
			return Params{}, fmt.Errorf("%s: %w", key, err)
		}
	}
	return p, p.Validate()
}

func setInt(field func(*Params) *int) func(*Params, string) error {
	return func(p *Params, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", v)
		}
		*field(p) = n
		return nil
	}
}

func setFloat(field func(*Params) *float64) func(*Params, string) error {
	return func(p *Params, v string) error {
		x, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsNaN(x) {
			return fmt.Errorf("%q is not a number", v)
		}
		*field(p) = x
		return nil
	}
}

func setBool(field func(*Params) *bool) func(*Params, string) error {
	return func(p *Params, v string) error {
		b, err := strconv.ParseBool(v)
		if err != nil {
			return fmt.Errorf("%q is not true or false", v)
		}
		*field(p) = b
		return nil
	}
}

func setSeed(p *Params, v string) error {
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a whole number from 0", v)
	}
	p.Seed = n
	return nil
}

// setThreads takes XGBoost's -1 for all cores.
func setThreads(p *Params, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil {
		return fmt.Errorf("%q is not a whole number", v)
	}
	p.Threads = max(n, 0)
	return nil
}

// setMonotone reads "(1,0,-1)" or "1,0,-1".
func setMonotone(p *Params, v string) error {
	p.MonotoneConstraints = nil
	for _, s := range splitList(strings.Trim(v, "()[]")) {
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("%q is not -1, 0 or 1", s)
		}
		p.MonotoneConstraints = append(p.MonotoneConstraints, n)
	}
	return nil
}

// only accepts the values that Train follows anyway.
func only(values ...string) func(*Params, string) error {
	return func(_ *Params, v string) error {
		if slices.Contains(values, strings.ToLower(v)) {
			return nil
		}
		return fmt.Errorf("%q is not supported: want %s", v, strings.Join(values, " or "))
	}
}

// splitList splits at commas and spaces; "[a, b]" may be in brackets.
func splitList(v string) []string {
	return strings.FieldsFunc(strings.Trim(v, "[]"), func(r rune) bool {
		return r == ',' || r == ' ' || r == '"' || r == '\''
	})
}

// nearest returns the known parameter with the fewest edits from name.
func nearest(name string) string {
	best, least := "", math.MaxInt
	for _, known := range slices.Sorted(maps.Keys(setters)) {
		if d := edits(name, known); d < least {
			best, least = known, d
		}
	}
	return best
}

// edits is the Levenshtein distance of a and b in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
