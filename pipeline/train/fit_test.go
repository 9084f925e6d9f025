package train

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"picket"
)

// drawn makes n rows a class in three classes: scans touch many ports, floods send
// much, and a third column is noise. Groups of eight rows stand for entities.
func drawn(n int, seed uint64) *picket.Dataset {
	random := rand.New(rand.NewPCG(seed, 0))
	d := &picket.Dataset{
		Booster: picket.BoosterID{Detector: picket.DetectorTraffic, Kind: picket.KindActor, Seconds: picket.Minute},
		Schema:  picket.NewSchema([]string{"ports", "bytes", "noise"}),
		Classes: []string{picket.ClassNormal, picket.ClassScan, picket.ClassDDoS},
	}
	for i := range n {
		for at, class := range d.Classes {
			e := picket.Example{Class: class, Group: fmt.Sprintf("%s-%d", class, i/8), Weight: 1}
			e.Window = picket.Window{Entity: picket.Entity{Kind: picket.KindActor, ID: e.Group}, Start: int64(i) * 60, Seconds: 60, Source: "zeek"}
			e.Values = []float64{math.Abs(random.NormFloat64()) * 3, random.ExpFloat64() * 100, random.NormFloat64()}
			if at > 0 {
				e.Values[at-1] = e.Values[at-1]*8 + 10*float64(at)*float64(at)*float64(at)
			}
			if i%10 == 0 {
				e.Values[2] = math.NaN()
			}
			d.Examples = append(d.Examples, e)
		}
	}
	return d
}

// quick are parameters that fit in milliseconds.
var quick = map[string]string{"num_round": "40", "eta": "0.3", "early_stopping_rounds": "5"}

func fitted(t *testing.T, d *picket.Dataset) *Fitted {
	t.Helper()
	f, err := Fit(context.Background(), d, Options{Params: quick, Seed: 1, Threshold: ThresholdOptions{Budget: 0.02}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func evaluated(t *testing.T, f *Fitted, d *picket.Dataset, split string) *Evaluation {
	t.Helper()
	rows, err := Score(&f.Booster, f.Model, In(d, split))
	if err != nil {
		t.Fatal(err)
	}
	e, err := Evaluate(&f.Booster, rows, split, 1)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestFitLearnsWhatThereIs(t *testing.T) {
	d := drawn(2000, 1)
	SplitByGroup(d, DefaultFractions, 1)
	r := evaluated(t, fitted(t, d), d, picket.SplitTest).Picket
	if r.AUC < 0.95 || r.Recall < 0.7 || r.FPR > 0.04 || r.Calibration.ECE > 0.05 {
		t.Errorf("AUC %.3f, recall %.3f, false positives %.3f, ECE %.3f", r.AUC, r.Recall, r.FPR, r.Calibration.ECE)
	}
	for _, class := range []string{picket.ClassScan, picket.ClassDDoS} {
		if c := r.Classes[class]; c.Recall < 0.6 || c.Rows == 0 {
			t.Errorf("%s: recall %.3f of %d rows", class, c.Recall, c.Rows)
		}
	}
}

// Labels that mean nothing must teach nothing: an AUC away from one half would be
// a leak between the splits.
func TestShuffledLabelsTeachNothing(t *testing.T) {
	d := drawn(2000, 1)
	random := rand.New(rand.NewPCG(2, 0))
	random.Shuffle(len(d.Examples), func(i, j int) {
		d.Examples[i].Class, d.Examples[j].Class = d.Examples[j].Class, d.Examples[i].Class
	})
	SplitByGroup(d, DefaultFractions, 1)
	e := evaluated(t, fitted(t, d), d, picket.SplitTest)
	if math.Abs(e.Picket.AUC-0.5) > 0.05 {
		t.Errorf("AUC of shuffled labels is %.3f", e.Picket.AUC)
	}
	if v, err := Gate(e, nil, GateOptions{}); err != nil || v.Pass {
		t.Errorf("the gate let shuffled labels pass: %v %v", v, err)
	}
}

// Weights that are not whole make every sum depend on its order.
func TestFitTwiceGivesTheSameBytes(t *testing.T) {
	var archives [2]bytes.Buffer
	for i := range archives {
		d := drawn(300, 1)
		for j := range d.Examples {
			d.Examples[j].Weight = 1 / float64(1+j%7)
		}
		SplitByGroup(d, DefaultFractions, 1)
		f := fitted(t, d)
		p := Package{
			Model:       picket.Model{Name: "drawn", Boosters: []picket.Booster{f.Booster}},
			Evaluations: map[picket.BoosterID]*Evaluation{d.Booster: evaluated(t, f, d, picket.SplitTest)},
		}
		if err := p.Write(&archives[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archives[0].Bytes(), archives[1].Bytes()) {
		t.Error("two fits of the same rows and seed differ")
	}
}

func TestFitRefuses(t *testing.T) {
	f := func(change func(d *picket.Dataset), want string) {
		t.Helper()
		d := drawn(100, 1)
		SplitByGroup(d, DefaultFractions, 1)
		change(d)
		_, err := Fit(context.Background(), d, Options{Params: quick})
		if err == nil || !bytes.Contains([]byte(err.Error()), []byte(want)) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	f(func(d *picket.Dataset) { d.Classes = d.Classes[:1] }, "at least one other")
	f(func(d *picket.Dataset) {
		for i := range d.Examples {
			d.Examples[i].Class = picket.ClassNormal
		}
	}, "it needs both")
	f(func(d *picket.Dataset) { d.Examples[0].Class, d.Examples[0].Split = "tunnel", picket.SplitTrain }, `"tunnel"`)
	f(func(d *picket.Dataset) { d.Examples[0].Values, d.Examples[0].Split = nil, picket.SplitTrain }, "0 values")
}

func TestLeaveOneKindOutFindsACutForUnseenKinds(t *testing.T) {
	d := drawn(600, 3)
	SplitByGroup(d, DefaultFractions, 1)
	o := Options{Params: quick, Seed: 1, Threshold: ThresholdOptions{Method: ThresholdLeaveOut}}
	f, err := Fit(context.Background(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	budget := fitted(t, d)
	if f.Booster.Threshold.Margin >= budget.Booster.Threshold.Margin {
		t.Errorf("the cut for unseen kinds is %.2f, not below %.2f for known ones", f.Booster.Threshold.Margin, budget.Booster.Threshold.Margin)
	}
	for i := range d.Examples {
		if d.Examples[i].Class == picket.ClassScan {
			d.Examples[i].Class = picket.ClassDDoS
		}
	}
	d.Classes = []string{picket.ClassNormal, picket.ClassDDoS}
	if _, err := Fit(context.Background(), d, o); err == nil {
		t.Error("one attack kind was left out of itself")
	}
}

func TestEqualErrorCut(t *testing.T) {
	f := func(normal, malicious []float64, want float64) {
		t.Helper()
		var rows []Scored
		for _, m := range normal {
			rows = append(rows, Scored{Margin: m, Weight: 1 / float64(len(normal))})
		}
		for _, m := range malicious {
			rows = append(rows, Scored{Margin: m, Malicious: true, Weight: 1 / float64(len(malicious))})
		}
		if got := equalErrorCut(rows); got != want {
			t.Errorf("normal %v, malicious %v: cut %v, want %v", normal, malicious, got, want)
		}
	}
	f([]float64{-2, -1}, []float64{1, 2, 3}, 0)               // nothing between: the middle
	f([]float64{-2, -1, 0, 3}, []float64{-1.5, 1, 2, 4}, 0.5) // a quarter of each is wrong
}

// With normal against all the rest, every attack class is learned as one, and each
// can still be left out to set the cut.
func TestFitNormalAgainstTheRest(t *testing.T) {
	d := drawn(400, 1)
	SplitByGroup(d, DefaultFractions, 1)
	d.Classes = []string{picket.ClassNormal, ClassAttack}
	f, err := Fit(context.Background(), d, Options{Params: quick, Seed: 1, Threshold: ThresholdOptions{Method: ThresholdLeaveOut}})
	if err != nil {
		t.Fatal(err)
	}
	if f.Model.Classes() != 1 || f.Booster.Threshold.Validation[:2] != "2 " {
		t.Errorf("%d margins, %s", f.Model.Classes(), f.Booster.Threshold.Validation)
	}
	r := evaluated(t, f, d, picket.SplitTest).Picket
	if r.AUC < 0.95 || r.Classes[picket.ClassScan].Rows == 0 || r.Classes[picket.ClassDDoS].Rows == 0 {
		t.Errorf("AUC %.3f, classes %v", r.AUC, r.Classes)
	}
	var csv bytes.Buffer
	if err := WriteCSV(&csv, d, picket.SplitTrain, false); err != nil || !bytes.Contains(csv.Bytes(), []byte("\n1,")) {
		t.Errorf("the rest is not written as class 1: %v", err)
	}
}
