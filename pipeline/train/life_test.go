package train

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"picket"
)

func TestDrift(t *testing.T) {
	d := drawn(3000, 1)
	scored := make([]Scored, len(d.Examples))
	for i := range scored {
		scored[i].Margin = d.Examples[i].Values[0]
	}
	s := NewSnapshot(d.Schema, d.Examples, scored)
	report := func(n int, change func(e *picket.Example)) DriftReport {
		drift := NewDrift(s)
		fresh := drawn(n, 2)
		for i := range fresh.Examples {
			change(&fresh.Examples[i])
			if err := drift.Add(fresh.Examples[i].Values, fresh.Examples[i].Values[0]); err != nil {
				t.Fatal(err)
			}
		}
		return drift.Report()
	}
	f := func(name, want, feature string, n int, change func(e *picket.Example)) {
		t.Helper()
		r := report(n, change)
		if r.Verdict != want || feature != "" && r.Features[0].Name != feature {
			t.Errorf("%s: %s (score %.3f, %s %.3f), want %s", name, r.Verdict, r.Score.PSI, r.Features[0].Name, r.Features[0].PSI, want)
		}
	}
	f("the same traffic", DriftStable, "", 3000, func(*picket.Example) {})
	f("few rows", DriftUnknown, "", 20, func(*picket.Example) {})
	f("more ports", DriftAct, "ports", 3000, func(e *picket.Example) { e.Values[0] += 10 })
	f("a column gone missing", DriftWatch, "bytes", 3000, func(e *picket.Example) { e.Values[1] = math.NaN() })
	f("another noise", DriftWatch, "noise", 3000, func(e *picket.Example) { e.Values[2] *= 5 })
	if err := NewDrift(s).Add([]float64{1}, 0); err == nil {
		t.Error("a row of another width was counted")
	}
}

// PSI against the definition, by hand: two bins, from halves to 90:10.
func TestPSI(t *testing.T) {
	got := psiTerm(0.5, 0.9) + psiTerm(0.5, 0.1)
	if want := 0.4*math.Log(1.8) - 0.4*math.Log(0.2); math.Abs(got-want) > 1e-12 {
		t.Errorf("PSI %v, want %v", got, want)
	}
	if got := psiTerm(0, 0); got != 0 {
		t.Errorf("an empty bin counts %v", got)
	}
}

func TestGate(t *testing.T) {
	good := Report{Data: "test", Rows: 1000, Malicious: 100, AUC: 0.98, PRAUC: 0.9, Recall: 0.9, RecallAt1: 0.8, FPR: 0.005, Calibration: CalibrationReport{ECE: 0.02}}
	f := func(want string, live bool, change func(r *Report)) {
		t.Helper()
		candidate := good
		change(&candidate)
		var against *Evaluation
		if live {
			against = &Evaluation{Picket: good}
		}
		v, err := Gate(&Evaluation{Picket: candidate}, against, GateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if v.Pass != (want == "") || want != "" && !strings.Contains(strings.Join(v.Reasons, "\n"), want) {
			t.Errorf("%v: %v, want %q", v.Pass, v.Reasons, want)
		}
	}
	f("", false, func(*Report) {})
	f("", true, func(r *Report) { r.AUC -= 0.005 })
	f("AUC against live", true, func(r *Report) { r.AUC -= 0.02 })
	f("recall against live", true, func(r *Report) { r.Recall -= 0.02 })
	f("false positive rate against live", true, func(r *Report) { r.FPR += 0.02 })
	f("AUC is 0.5000, below 0.9000", false, func(r *Report) { r.AUC = 0.5 })
	f("AUC", false, func(r *Report) { r.AUC = math.NaN() })
	f("calibration error", false, func(r *Report) { r.Calibration.ECE = 0.3 })
	other := good
	other.Rows++
	if _, err := Gate(&Evaluation{Picket: good}, &Evaluation{Picket: other}, GateOptions{}); err == nil {
		t.Error("figures of different data were compared")
	}
}

// A constant model and one that always says malicious, however they are scored.
func TestGateStopsConstantModels(t *testing.T) {
	for _, margin := range []float64{-5, 5} {
		rows := logistic(2000, 1, 0, 1)
		for i := range rows {
			rows[i].Class = picket.ClassNormal
			if rows[i].Malicious {
				rows[i].Class = picket.ClassScan
			}
			rows[i].Margin, rows[i].P, rows[i].Best = margin, 0.5, picket.ClassScan
		}
		b := &picket.Booster{Classes: []string{picket.ClassNormal, picket.ClassScan}}
		e, err := Evaluate(b, rows, "drawn", 1)
		if err != nil {
			t.Fatal(err)
		}
		if e.Picket.AUC != 0.5 {
			t.Errorf("AUC of a constant is %v", e.Picket.AUC)
		}
		if v, err := Gate(e, nil, GateOptions{}); err != nil || v.Pass {
			t.Errorf("a constant margin of %v passed: %v", margin, err)
		}
	}
}

func TestStages(t *testing.T) {
	var s Stages
	step := func(err error, want string) {
		t.Helper()
		got := s.Candidate + "," + s.Approved + "," + s.Live + "," + s.Previous
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s (%v), want %s", got, err, want)
		}
	}
	at := Transition{Time: 1, By: "test"}
	step(s.Deploy(at), "error")
	step(s.Rollback(at), "error")
	step(s.Approve("a", at), "error")
	step(s.Register("", at), "error")
	step(s.Register("a", at), "a,,,")
	step(s.Approve("b", at), "error")
	step(s.Approve("a", at), ",a,,")
	step(s.Deploy(at), ",,a,")
	step(s.Register("b", at), "b,,a,")
	step(s.Reject("a", at), "error")
	step(s.Reject("b", at), ",,a,")
	step(s.Register("c", at), "c,,a,")
	step(s.Approve("c", at), ",c,a,")
	step(s.Deploy(at), ",,c,a")
	step(s.Rollback(at), ",,a,c")
	step(s.Rollback(at), ",,c,a")
	if n := len(s.History); n != 10 || s.History[n-1] != (Transition{Time: 1, Step: "rollback", Model: "c", By: "test"}) {
		t.Errorf("history of %d steps: %+v", n, s.History)
	}
}

// Margins by hand: the two malicious rows outrank three and two of three normal ones.
func TestCurveByHand(t *testing.T) {
	rows := []Scored{{Margin: 3, Malicious: true, Weight: 1}, {Margin: 1, Malicious: true, Weight: 1}, {Margin: 2, Weight: 1}, {Margin: 0, Weight: 1}, {Margin: -1, Weight: 1}}
	c := NewCurve(rows)
	if got, want := c.AUC(), 5.0/6; math.Abs(got-want) > 1e-12 {
		t.Errorf("AUC %v, want %v", got, want)
	}
	if got, want := c.AveragePrecision(), 0.5*1+0.5*2/3; math.Abs(got-want) > 1e-12 {
		t.Errorf("average precision %v, want %v", got, want)
	}
	if got := c.RecallAt(0.1); got != 0.5 {
		t.Errorf("recall at 10 %% is %v", got)
	}
	many := NewCurve(logistic(5000, 1, 0, 1))
	thin := many.Thin(20)
	if len(thin) > 20 || thin[0] != many[0] || thin[len(thin)-1] != many[len(many)-1] || math.Abs(thin.AUC()-many.AUC()) > 0.01 {
		t.Errorf("%d points, AUC %v for %v", len(thin), thin.AUC(), many.AUC())
	}
}

func TestEvaluationHasSageMakersShape(t *testing.T) {
	e := packed(t).Evaluations[picket.BoosterID{Detector: picket.DetectorTraffic, Kind: picket.KindActor, Seconds: picket.Minute}]
	binary := e.Binary["confusion_matrix"].(map[string]map[string]float64)
	r := e.Picket
	total := binary["0"]["0"] + binary["0"]["1"] + binary["1"]["0"] + binary["1"]["1"]
	if got := (binary["0"]["0"] + binary["1"]["1"]) / total; got != r.Accuracy {
		t.Errorf("accuracy of the matrix is %v, of the report %v", got, r.Accuracy)
	}
	data, err := e.WriteJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"standard_deviation": "NaN"`, `"precision_best_constant_classifier"`, `"receiver_operating_characteristic_curve"`, `"weighted_f0_5"`, `"false_positive_rates"`} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("no %s in the evaluation", want)
		}
	}
	if m := e.Binary["auc"].(metric); m.Value != r.AUC || m.Deviation.(float64) <= 0 || m.Deviation.(float64) > 0.05 {
		t.Errorf("AUC %+v", m)
	}
}

func TestPageStandsAlone(t *testing.T) {
	p := packed(t)
	var page bytes.Buffer
	for _, e := range p.Evaluations {
		e.Picket.Scenarios = map[string]ScenarioReport{"<script>alert(1)</script>": {Class: "scan", Rows: 1}}
		if err := WritePage(&page, "drawn & tested", e); err != nil {
			t.Fatal(err)
		}
	}
	html := page.String()
	for _, never := range []string{"<script", "http:", "https:", "url(", "NaN", "ZgotmplZ", "Inf"} {
		if strings.Contains(html, never) {
			t.Errorf("the page contains %s", never)
		}
	}
	for _, want := range []string{"drawn &amp; tested", "ROC", "Reliability", "<svg", "circle"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// A margin drawn from what it says must come out calibrated, and a wrong one not.
func TestReliability(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 0))
	rows := make([]Scored, 20_000)
	for i := range rows {
		p := random.Float64()
		rows[i] = Scored{P: p, Malicious: random.Float64() < p, Weight: 1}
	}
	if r := reliability(rows, 1); r.ECE > 0.02 || math.Abs(r.Brier-1.0/6) > 0.01 || len(r.Reliability) != 10 {
		t.Errorf("%+v", r)
	}
	for i := range rows {
		rows[i].P = 0.9
	}
	if r := reliability(rows, 1); math.Abs(r.ECE-0.4) > 0.02 || r.Low > 0.4 || r.High < 0.39 {
		t.Errorf("confident without reason: %+v", r)
	}
}
