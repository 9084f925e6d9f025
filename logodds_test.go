package picket

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestLogOddsAgreesWithSoftmax(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		margins := rapid.SliceOfN(rapid.Float32Range(-15, 15), 2, 6).Draw(t, "margins")
		var others float64
		for _, m := range margins[1:] {
			others += math.Exp(float64(m))
		}
		want := math.Log(others) - float64(margins[0])
		if got := LogOdds(margins); math.Abs(got-want) > 1e-6*max(1, math.Abs(want)) {
			t.Fatalf("LogOdds(%v) = %v, want %v", margins, got, want)
		}
		shares := make([]float64, len(margins)-1)
		Share(margins, shares)
		sum := 0.0
		for i, s := range shares {
			sum += s
			if want := math.Exp(float64(margins[i+1])) / others; math.Abs(s-want) > 1e-9 {
				t.Fatalf("share %d of %v is %v, want %v", i, margins, s, want)
			}
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Fatalf("shares of %v sum to %v", margins, sum)
		}
	})
}

// The softmax itself would say log(1/0) here.
func TestLogOddsStaysFinite(t *testing.T) {
	f := func(margins []float32, want float64) {
		t.Helper()
		if got := LogOdds(margins); got != want {
			t.Errorf("LogOdds(%v) = %v, want %v", margins, got, want)
		}
	}
	f([]float32{0.5}, 0.5)
	f([]float32{0, 1000}, 1000)
	f([]float32{1000, 0}, -1000)
	f([]float32{0, 1000, -1000}, 1000)
}

func TestPortableExpAndLog(t *testing.T) {
	near := func(got, want float64) bool {
		return got == want || math.Abs(got-want) <= 1e-15*math.Abs(want)
	}
	for x := -745.0; x < 709; x += 0.37 {
		if got, want := exp(x), math.Exp(x); !near(got, want) && want > 1e-300 {
			t.Errorf("exp(%v) = %v, want %v", x, got, want)
		}
		if y := math.Exp(x); y > 1e-300 && math.Abs(x) > 0.3 && !near(logOf(y), math.Log(y)) {
			t.Errorf("logOf(%v) = %v, want %v", y, logOf(y), math.Log(y))
		}
	}
	if !math.IsNaN(exp(math.NaN())) {
		t.Error("exp(NaN) is a number")
	}
}

func TestProbabilityNeverFalls(t *testing.T) {
	f := func(c Calibration, margin, want float64) {
		t.Helper()
		if got := c.Probability(margin); math.Abs(got-want) > 1e-12 {
			t.Errorf("%s at %v = %v, want %v", c.Method, margin, got, want)
		}
		last := math.Inf(-1)
		for m := -20.0; m < 20; m += 0.01 {
			p := c.Probability(m)
			if p < last || p < 0 || p > 1 {
				t.Fatalf("%s at %v = %v after %v", c.Method, m, p, last)
			}
			last = p
		}
	}
	f(Calibration{Method: "none"}, 0, 0.5)
	f(Calibration{Method: "sigmoid", A: -2, B: 1}, 0.5, 0.5)
	steps := Calibration{Method: "isotonic", X: []float64{-1, 0, 0.1, 3}, Y: []float64{0.1, 0.1, 0.7, 0.9}}
	f(steps, -9, 0.1)
	f(steps, 9, 0.9)
	f(steps, 0.05, 0.4)
}

func TestNarrow(t *testing.T) {
	row := make([]float32, 4)
	Narrow([]float64{math.Inf(1), -1e300, math.NaN(), 0.1}, row)
	if row[0] != math.MaxFloat32 || row[1] != -math.MaxFloat32 || row[2] == row[2] || row[3] != 0.1 {
		t.Errorf("%v", row)
	}
}
