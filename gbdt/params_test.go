package gbdt

import (
	"strings"
	"testing"
)

func TestParseParams(t *testing.T) {
	p, err := ParseParams(map[string]string{"objective": "multi:softprob", "num_class": "3", "num_round": "12", "learning_rate": "0.2",
		"tree_method": "hist", "monotone_constraints": "(1,-1, 0)", "eval_metric": "merror,mlogloss", "nthread": "-1"})
	if err != nil || p.NumClass != 3 || p.Rounds != 12 || p.Eta != 0.2 || len(p.MonotoneConstraints) != 3 || len(p.EvalMetric) != 2 {
		t.Errorf("%+v %v", p, err)
	}
	f := func(name, value, want string) {
		t.Helper()
		if _, err := ParseParams(map[string]string{name: value}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s=%s: %v; want %q", name, value, err, want)
		}
	}
	f("max_dept", "3", `nearest is "max_depth"`)
	f("lamda", "3", `nearest is "lambda"`)
	f("eta", "0", "more than 0")
	f("eta", "NaN", "not a number")
	f("max_bin", "512", "at most 256")
	f("num_round", "1.5", "whole number")
	f("booster", "dart", "not supported")
	f("objective", "rank:ndcg", "objective")
	f("eval_metric", "mlogloss", "eval_metric")
	f("num_class", "3", "one output")
	if _, err := ParseParams(map[string]string{"eta": "0.1", "learning_rate": "0.2"}); err == nil {
		t.Error("eta twice was accepted")
	}
}
