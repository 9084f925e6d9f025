package train

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"picket"
)

func crossFitted(t *testing.T, d *picket.Dataset) *Fitted {
	t.Helper()
	f, err := Fit(context.Background(), d, Options{Params: quick, Seed: 1, Folds: 4, Threshold: ThresholdOptions{Method: ThresholdAccuracy}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestCrossFitLearnsFromEveryRowButTheTest(t *testing.T) {
	d := drawn(400, 1)
	SplitByGroup(d, Fractions{Train: 0.8, Test: 0.2}, 1)
	f := crossFitted(t, d)
	if want := len(d.Examples) - len(In(d, picket.SplitTest)); f.Booster.Calibration.Rows != want {
		t.Errorf("calibrated on %d rows, want %d", f.Booster.Calibration.Rows, want)
	}
	e := evaluated(t, f, d, picket.SplitTest)
	if e.Picket.AUC < 0.95 || e.Picket.Accuracy < 0.85 {
		t.Errorf("AUC %.3f, accuracy %.3f on the test split", e.Picket.AUC, e.Picket.Accuracy)
	}
	// What the test rows say changes nothing.
	for i := range d.Examples {
		if d.Examples[i].Split == picket.SplitTest {
			d.Examples[i].Class = d.Classes[0]
			d.Examples[i].Values = []float64{1, 2, 3}
		}
	}
	if again := crossFitted(t, d); !bytes.Equal(again.Booster.Trees, f.Booster.Trees) || again.Booster.Threshold.Margin != f.Booster.Threshold.Margin {
		t.Error("the test split was looked at")
	}
}

// On labels drawn by chance there is nothing to learn, and scores of unseen rows
// say so; scores of the rows that the trees grew on would not.
func TestCrossFitScoresUnseenRows(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	d := drawn(400, 1)
	d.Classes = d.Classes[:2]
	for i := range d.Examples {
		e := &d.Examples[i]
		e.Class, e.Split = d.Classes[random.IntN(2)], picket.SplitTrain
		e.Values = []float64{random.Float64(), random.Float64(), random.Float64()}
	}
	o := Options{Params: quick, Seed: 1, Folds: 4}
	g, err := growFolds(context.Background(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	if auc := NewCurve(g.validation).AUC(); len(g.validation) != len(d.Examples) || auc < 0.4 || auc > 0.6 {
		t.Errorf("%d rows, AUC %.3f on noise", len(g.validation), auc)
	}
	seen, err := Score(bare(d), g.model, d.Examples)
	if err != nil {
		t.Fatal(err)
	}
	if auc := NewCurve(seen).AUC(); auc < 0.6 {
		t.Errorf("AUC %.3f on the rows that the trees grew on: the test shows nothing", auc)
	}
}

func TestAccuracyCut(t *testing.T) {
	f := func(margins []float64, malicious []bool, want float64) {
		t.Helper()
		var rows []Scored
		for i, m := range margins {
			rows = append(rows, Scored{Margin: m, Malicious: malicious[i], Weight: 1})
		}
		if got := accuracyCut(rows); got != want {
			t.Errorf("%v: cut %g, want %g", margins, got, want)
		}
	}
	f([]float64{-2, -1, 1, 2}, []bool{false, false, true, true}, 0)
	f([]float64{-2, -1, 1, 2, 3}, []bool{false, true, false, true, true}, 1.5)
	f([]float64{-3, -1, 1, 2, 3, 4}, []bool{true, false, false, false, false, true}, 3.5)
}
