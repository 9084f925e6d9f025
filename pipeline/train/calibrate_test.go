package train

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"picket"
)

// logistic draws rows that are malicious with probability 1/(1+exp(-(slope·margin+shift))).
func logistic(n int, slope, shift float64, seed uint64) []Scored {
	random := rand.New(rand.NewPCG(seed, 0))
	rows := make([]Scored, n)
	for i := range rows {
		margin := random.NormFloat64() * 3
		rows[i] = Scored{Margin: margin, Malicious: random.Float64() < 1/(1+math.Exp(-(slope*margin+shift))), Weight: 1}
	}
	return rows
}

func TestPlattFindsTheSigmoid(t *testing.T) {
	rows := logistic(20_000, 0.7, -1, 1)
	if a, b := platt(rows); math.Abs(a+0.7) > 0.05 || math.Abs(b-1) > 0.06 {
		t.Errorf("a %.3f and b %.3f, want -0.7 and 1", a, b)
	}
	for _, n := range []int{30, 300, 20_000} {
		rows := logistic(n, 0.7, -1, 1)
		malicious := 0.0
		for i := range rows {
			rows[i].Margin = -rows[i].Margin // a model that ranks backwards
			if rows[i].Malicious {
				malicious++
			}
		}
		a, b := platt(rows)
		if a != 0 || math.Abs(picket.Sigmoid(-b)-malicious/float64(n)) > 0.05 {
			t.Errorf("%d rows: a is %v, and the probability %.3f anywhere; %.3f are malicious", n, a, picket.Sigmoid(-b), malicious/float64(n))
		}
	}
}

func TestCalibrateByTheNumberOfPositives(t *testing.T) {
	f := func(n int, method string) {
		t.Helper()
		rows := logistic(n, 0.8, -1, 2)
		c, err := Calibrate(rows)
		if err != nil {
			t.Fatal(err)
		}
		if c.Method != method || c.Rows != n || c.BaseRate < 0.2 || c.BaseRate > 0.5 {
			t.Errorf("%d rows: %s of %d rows at base rate %.3f, want %s", n, c.Method, c.Rows, c.BaseRate, method)
		}
		fresh := logistic(50_000, 0.8, -1, 3)
		for i := range fresh {
			fresh[i].P = c.Probability(fresh[i].Margin)
		}
		if r := reliability(fresh, 1); r.ECE > 0.03 || r.Low > r.ECE || r.High < r.ECE {
			t.Errorf("%s on fresh rows: error %.4f in [%.4f, %.4f]", method, r.ECE, r.Low, r.High)
		}
	}
	f(2000, "sigmoid")
	f(20_000, "isotonic")
	if _, err := Calibrate([]Scored{{Malicious: true, Weight: 1}}); err == nil || !strings.Contains(err.Error(), "0 normal") {
		t.Errorf("calibrated without a normal row: %v", err)
	}
}

func TestIsotonicNeverFallsNorIsCertain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows []Scored
		for range rapid.IntRange(2, 400).Draw(t, "rows") {
			rows = append(rows, Scored{Margin: float64(rapid.IntRange(-40, 40).Draw(t, "margin")) / 4, Malicious: rapid.Bool().Draw(t, "malicious"), Weight: 1})
		}
		c := picket.Calibration{Method: "isotonic"}
		c.X, c.Y = isotonic(rows)
		if err := checkCalibration(&c); err != nil {
			t.Fatal(err)
		}
		for _, y := range c.Y {
			if y <= 0 || y >= 1 {
				t.Fatalf("probability %v of %d rows", y, len(rows))
			}
		}
	})
}

// Weights stand for rows: a row of weight 3 is three rows.
func TestWeightsAreRows(t *testing.T) {
	light := logistic(900, 0.7, -1, 4)
	var copies []Scored
	for i := range light {
		light[i].Weight = float64(1 + i%3)
		for range 1 + i%3 {
			r := light[i]
			r.Weight = 1
			copies = append(copies, r)
		}
	}
	a1, b1 := platt(light)
	a2, b2 := platt(copies)
	if math.Abs(a1-a2) > 1e-6 || math.Abs(b1-b2) > 1e-6 {
		t.Errorf("weighted %v %v, copied %v %v", a1, b1, a2, b2)
	}
	if w, c := NewCurve(light).AUC(), NewCurve(copies).AUC(); math.Abs(w-c) > 1e-9 {
		t.Errorf("AUC weighted %v, copied %v", w, c)
	}
}

// Drawn again and again, the cut lets no more than the budget pass in the mean,
// and not much less: the budget is meant to be used where attacks overlap.
func TestBudgetHoldsOnFreshRows(t *testing.T) {
	f := func(n int, budget, least float64) {
		t.Helper()
		times := min(300, 1_000_000/n)
		random := rand.New(rand.NewPCG(5, 0))
		passed := 0.0
		for range times {
			rows := []Scored{{Margin: -100, Malicious: true}, {Margin: 100, Malicious: true}}
			for range n {
				rows = append(rows, Scored{Margin: random.NormFloat64()})
			}
			for range 20 {
				rows = append(rows, Scored{Margin: random.NormFloat64() + 2, Malicious: true})
			}
			cut := BudgetCut(rows, budget)
			passed += 0.5 * math.Erfc(cut/math.Sqrt2) / float64(times)
		}
		if passed > budget*1.15 || passed < least {
			t.Errorf("%d rows: %.5f of fresh normal rows pass, the budget is %.5f", n, passed, budget)
		}
	}
	f(2000, 0.01, 0.006)
	f(20_000, 0.001, 0.0006)
	f(199, 0.005, 0.002)
}

func TestBudgetCut(t *testing.T) {
	rows := func(normal, malicious []float64) (rows []Scored) {
		for _, m := range normal {
			rows = append(rows, Scored{Margin: m})
		}
		for _, m := range malicious {
			rows = append(rows, Scored{Margin: m, Malicious: true})
		}
		return rows
	}
	f := func(normal, malicious []float64, budget, want float64) {
		t.Helper()
		if got := BudgetCut(rows(normal, malicious), budget); math.Abs(got-want) > 1e-9 {
			t.Errorf("cut %v, want %v", got, want)
		}
	}
	f([]float64{-3, -2, -1}, []float64{3, 4}, 0.001, 1) // half-way over the gap
	f([]float64{-3, -2, -1}, []float64{3, 4}, 0.5, 1)   // two of four may pass and need not
	f([]float64{-3, -2, 5}, []float64{3, 4}, 0.001, 5)  // nothing above the greatest
	f(nil, []float64{3}, 0.1, math.MaxFloat32)          // nothing known of normal
	f([]float64{0, 0, 0, 0}, []float64{0, 2}, 0.001, 1) // ties pass together or not at all
}
