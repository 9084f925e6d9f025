package train

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"picket"
)

// crossed returns rows that are malicious where one of two columns is above 0, but not
// both: no single split knows anything of it.
func crossed(n int) *picket.Dataset {
	r := rand.New(rand.NewPCG(7, 0))
	d := &picket.Dataset{Booster: picket.BoosterID{Detector: picket.DetectorTable}, Schema: picket.NewSchema([]string{"a", "b"}),
		Classes: []string{picket.ClassNormal, "worm"}}
	for range n {
		e := picket.Example{Class: picket.ClassNormal, Weight: 1}
		e.Values = []float64{r.NormFloat64(), r.NormFloat64()}
		if (e.Values[0] > 0) != (e.Values[1] > 0) {
			e.Class = "worm"
		}
		d.Examples = append(d.Examples, e)
	}
	GroupIdentical(d)
	SplitByGroup(d, Fractions{Train: 0.8, Test: 0.2}, 1)
	return d
}

func TestFitChoosesParameters(t *testing.T) {
	choose := func(d *picket.Dataset, params map[string]string) Facts {
		t.Helper()
		f, err := Fit(context.Background(), d, Options{Seed: 1, Folds: 3, Params: params, Threshold: ThresholdOptions{Method: ThresholdAccuracy},
			Choose: []map[string]string{{"max_depth": "1"}, {"max_depth": "3"}, {"max_depth": "3", "eta": "0.001"}}})
		if err != nil {
			t.Fatal(err)
		}
		return f.Facts
	}
	d := crossed(600)
	facts := choose(d, map[string]string{"num_round": "20", "colsample_bytree": "1"})
	if facts.Params["max_depth"] != "3" || facts.Params["eta"] != "0.1" {
		t.Errorf("chose %v of %v", facts.Params, facts.Tried)
	}
	if len(facts.Tried) != 3 || !(facts.Tried[1].Loss < facts.Tried[0].Loss && facts.Tried[1].Loss < facts.Tried[2].Loss) {
		t.Errorf("tried %v", facts.Tried)
	}
	if facts.Tried[0].Params["num_round"] != "20" {
		t.Errorf("the parameters that were given are not tried with: %v", facts.Tried)
	}
	for i := range d.Examples { // what the test rows say changes nothing
		if d.Examples[i].Split == picket.SplitTest {
			d.Examples[i].Class = picket.ClassNormal
		}
	}
	if again := choose(d, map[string]string{"num_round": "20", "colsample_bytree": "1"}); again.Tried[1].Loss != facts.Tried[1].Loss {
		t.Error("the test split was looked at")
	}
	if told := choose(d, map[string]string{"num_round": "20", "colsample_bytree": "1", "max_depth": "1"}); told.Params["max_depth"] != "1" {
		t.Errorf("max_depth is %s, but 1 was given", told.Params["max_depth"])
	}
}

// Of a table with several kinds, the choice is what ranks a kind best that was left out.
func TestFitChoosesForUnseenKinds(t *testing.T) {
	d := drawn(300, 3)
	SplitByGroup(d, Fractions{Train: 0.8, Test: 0.2}, 1)
	d.Classes = []string{picket.ClassNormal, ClassAttack}
	f, err := Fit(context.Background(), d, Options{Seed: 1, Folds: 3, Params: quick, Threshold: ThresholdOptions{Method: ThresholdLeaveOut},
		Choose: []map[string]string{{"colsample_bytree": "0.5"}, {"colsample_bytree": "1"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, try := range f.Facts.Tried {
		if !(try.Loss >= 0 && try.Loss < 0.5) {
			t.Errorf("%v ranks unseen kinds below normal rows: %v", try.Params, try.Loss)
		}
	}
	if !strings.HasSuffix(f.Booster.Threshold.Validation, "of 2 splits") {
		t.Errorf("the cut rests on %s", f.Booster.Threshold.Validation)
	}
}

func TestKindsOfOneClassAreBalanced(t *testing.T) {
	d := &picket.Dataset{Schema: picket.NewSchema([]string{"a"}), Classes: []string{picket.ClassNormal, ClassAttack}}
	add := func(class string, n int) {
		for range n {
			d.Examples = append(d.Examples, picket.Example{Features: picket.Features{Values: []float64{1}}, Class: class, Weight: 1, Split: picket.SplitTrain})
		}
	}
	add(picket.ClassNormal, 500)
	add("flood", 400)
	add("guess", 4)
	weights := func() (normal, flood, guess float64) {
		data, err := trainData(d, picket.SplitTrain)
		if err != nil {
			t.Fatal(err)
		}
		return float64(data.Weights[0]), float64(data.Weights[500]), float64(data.Weights[900])
	}
	normal, flood, guess := weights()
	if math.Abs(guess/flood-10) > 1e-4 {
		t.Errorf("a row of a kind a hundred times rarer weighs %.3f times as much, want 10", guess/flood)
	}
	if attack := 400*flood + 4*guess; math.Abs(attack/(500*normal)-math.Sqrt(404.0/500)) > 1e-4 {
		t.Errorf("the attacks weigh %.3f together, the normal rows %.3f", attack, 500*normal)
	}
	var csv bytes.Buffer
	if err := WriteCSV(&csv, d, picket.SplitTrain, true); err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(csv.String(), "\n")
	if rows[0] != "0,1,1" || rows[500] == "1,1,1" || rows[500] == rows[900] {
		t.Errorf("rows %s, %s and %s", rows[0], rows[500], rows[900])
	}
	d.Classes = []string{picket.ClassNormal, "flood", "guess"}
	if _, flood, guess = weights(); math.Abs(guess/flood-10) > 1e-4 {
		t.Errorf("as classes of their own: %.3f", guess/flood)
	}
}
