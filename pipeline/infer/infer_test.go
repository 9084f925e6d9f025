package infer

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"picket"
	"picket/gbdt"
)

var classes = []string{picket.ClassNormal, picket.ClassScan, picket.ClassDDoS}

// model trains a package of one actor booster on drawn rows: column 0 says scan,
// column 1 ddos, column 2 nothing.
func model(t testing.TB, classes []string) *picket.Model {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 0))
	const rows, cols = 1500, 3
	values, labels := make([]float32, rows*cols), make([]float32, rows)
	for i := range rows {
		class := i % len(classes)
		for j := range cols {
			values[i*cols+j] = float32(random.NormFloat64())
		}
		if class > 0 {
			values[i*cols+class-1] += 3
		}
		labels[i] = float32(class)
	}
	p := gbdt.DefaultParams()
	p.Rounds, p.MaxDepth = 20, 3
	if len(classes) > 2 {
		p.Objective, p.NumClass = gbdt.MultiSoftprob, len(classes)
	}
	m, err := gbdt.Train(context.Background(), p, gbdt.TrainData{X: gbdt.NewDense(values, rows, cols), Labels: labels})
	if err != nil {
		t.Fatal(err)
	}
	var trees bytes.Buffer
	if err := m.WriteUBJ(&trees); err != nil {
		t.Fatal(err)
	}
	return &picket.Model{ID: "m1", Boosters: []picket.Booster{{
		ID:          picket.BoosterID{Detector: picket.DetectorTraffic, Kind: picket.KindActor, Seconds: 60},
		Schema:      picket.NewSchema([]string{"ports", "bytes", "noise"}),
		Classes:     classes,
		Calibration: picket.Calibration{Method: "sigmoid", A: -0.9, B: 0.2},
		Threshold:   picket.Threshold{Margin: 0.5},
		Trees:       trees.Bytes(),
	}}}
}

func scorer(t testing.TB, classes []string) *Scorer {
	t.Helper()
	s, err := New(model(t, classes))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func row(values ...float64) *picket.Features {
	w := picket.Window{Entity: picket.Entity{Kind: picket.KindActor, ID: "10.0.0.1"}, Seconds: 60, Source: "zeek"}
	return &picket.Features{Window: w, Values: values}
}

func TestScore(t *testing.T) {
	s := scorer(t, classes)
	f := func(want string, values ...float64) {
		t.Helper()
		score, ok, err := s.Score(row(values...), true)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		got := picket.ClassNormal
		if score.Over() {
			got, _ = score.Class()
		}
		if got != want {
			t.Errorf("%v is %s with margin %.2f, want %s", values, got, score.Margin, want)
		}
		sum := 0.0
		for _, p := range score.Probabilities {
			sum += p
		}
		if math.Abs(sum-1) > 1e-12 || math.Abs(score.Probabilities[0]-(1-score.Malicious)) > 1e-15 {
			t.Errorf("%v: probabilities %v for p_malicious %v", values, score.Probabilities, score.Malicious)
		}
	}
	f(picket.ClassScan, 4, 0, 0)
	f(picket.ClassDDoS, 0, 4, 0)
	f(picket.ClassNormal, -1, -1, 0)
	f(picket.ClassScan, math.Inf(1), 0, math.NaN()) // what a float32 cannot hold is the largest it can
}

// The contributions sum to the margin of the best class less that of normal; the
// bias is what all rows share, so two rows' margins differ by their sums.
func TestContributionsExplainTheMargin(t *testing.T) {
	for _, classes := range [][]string{classes[:2], classes} {
		s := scorer(t, classes)
		difference := func(values ...float64) (margin, shap float64) {
			score, _, err := s.Score(row(values...), true)
			if err != nil {
				t.Fatal(err)
			}
			last := math.Inf(1)
			for _, c := range score.Contributions {
				shap += c.Shap
				if math.Abs(c.Shap) > last {
					t.Errorf("contributions are not sorted: %v", score.Contributions)
				}
				last = math.Abs(c.Shap)
			}
			if score.Contributions[0].Feature != "ports" {
				t.Errorf("%v was moved most by %s", values, score.Contributions[0].Feature)
			}
			share := 1.0
			for i, class := range score.Classes[1:] {
				if best, _ := score.Class(); best == class {
					share = score.Probabilities[i+1] / score.Malicious
				}
			}
			return score.Margin + math.Log(share), shap // log-odds of the best class against normal
		}
		m1, s1 := difference(4, 0, 0)
		m2, s2 := difference(2.5, -1, 1)
		if math.Abs((m1-m2)-(s1-s2)) > 1e-4 {
			t.Errorf("%v: margins differ by %v, contributions by %v", classes, m1-m2, s1-s2)
		}
	}
}

func TestSameRowSameBits(t *testing.T) {
	s, again := scorer(t, classes), scorer(t, classes)
	random := rand.New(rand.NewPCG(7, 0))
	for range 200 {
		r := row(random.NormFloat64()*3, random.NormFloat64()*3, random.NormFloat64())
		a, _, err := s.Score(r, true)
		if err != nil {
			t.Fatal(err)
		}
		b, _, err := again.Score(r, true)
		if err != nil {
			t.Fatal(err)
		}
		if math.Float64bits(a.Malicious) != math.Float64bits(b.Malicious) || math.Float64bits(a.Margin) != math.Float64bits(b.Margin) {
			t.Fatalf("%v scored %v and %v", r.Values, a.Malicious, b.Malicious)
		}
		for i := range a.Contributions {
			if a.Contributions[i] != b.Contributions[i] {
				t.Fatalf("%v is explained by %v and %v", r.Values, a.Contributions[i], b.Contributions[i])
			}
		}
	}
}

func TestScoreRefuses(t *testing.T) {
	s := scorer(t, classes)
	if _, _, err := s.Score(row(1, 2), false); err == nil || !strings.Contains(err.Error(), "2 values") {
		t.Errorf("a row of two values: %v", err)
	}
	victim := row(1, 2, 3)
	victim.Entity.Kind = picket.KindVictim
	if score, ok, err := s.Score(victim, false); ok || err != nil || score.Classes != nil {
		t.Errorf("a kind without a booster: %v %v", ok, err)
	}
	other := picket.NewSchema([]string{"ports", "octets", "noise"})
	err := s.Check(picket.DetectorTraffic, picket.KindActor, other)
	for _, want := range []string{other.Hash, s.model.Boosters[0].Schema.Hash, `"bytes"`, `"octets"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("schema error %v does not name %s", err, want)
		}
	}
	if err := s.Check(picket.DetectorTraffic, picket.KindActor, s.model.Boosters[0].Schema); err != nil {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	f := func(name string, change func(b *picket.Booster)) {
		t.Helper()
		m := model(t, classes)
		change(&m.Boosters[0])
		if _, err := New(m); err == nil {
			t.Errorf("a booster with %s was loaded", name)
		}
	}
	f("noise for trees", func(b *picket.Booster) { b.Trees = []byte("no trees") })
	f("one class too few", func(b *picket.Booster) { b.Classes = b.Classes[:2] })
	f("one feature too few", func(b *picket.Booster) { b.Schema = picket.NewSchema([]string{"ports", "bytes"}) })
}

func TestScoringDoesNotAllocate(t *testing.T) {
	s, r := scorer(t, classes), row(4, 0, 0)
	var score picket.Score
	n := testing.AllocsPerRun(100, func() {
		if err := s.ScoreInto(&score, picket.DetectorTraffic, r, false); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 && !raced {
		t.Errorf("%v allocations a row", n)
	}
}

func BenchmarkScore(b *testing.B) {
	s, r := scorer(b, classes), row(4, 0, 0)
	var score picket.Score
	for b.Loop() {
		if err := s.ScoreInto(&score, picket.DetectorTraffic, r, false); err != nil {
			b.Fatal(err)
		}
	}
}
