package gbdt

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestExpLog(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200_000 {
		x := float32(r.Float64()*180 - 92)
		want := math.Exp(float64(x))
		if want > math.MaxFloat32 || want < 0x1p-126 {
			continue
		}
		ulp := float64(math.Nextafter32(float32(want), 2*float32(want)) - float32(want))
		if e := math.Abs(float64(exp(x))-want) / ulp; e > 1 {
			t.Fatalf("exp(%v) is off by %v units in the last place", x, e)
		}
		v := math.Exp(r.Float64()*1400 - 700)
		if got, want := logOf(v), math.Log(v); math.Abs(got-want) > 5e-16*math.Abs(want) {
			t.Fatalf("log(%v) is %v, want %v", v, got, want)
		}
	}
	if exp(200) != float32(math.Inf(1)) || exp(-200) != 0 || exp(0) != 1 {
		t.Error("exp beyond its range")
	}
}

// TestExpFourAtATime compares expEach, to the bit, with exp, in and beyond its range.
func TestExpFourAtATime(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	x := make([]float32, 100_003)
	for i := range x {
		x[i] = float32(r.Float64()*194 - 105)
		if r.IntN(50) == 0 {
			x[i] = []float32{88.8, math.Nextafter32(88.8, 100), -104, -104.1, 0, -1e-40, 1e30, nan32, float32(math.Inf(1)), float32(math.Inf(-1))}[r.IntN(10)]
		}
	}
	got := slices.Clone(x)
	expEach(got)
	for i := range x {
		if want := exp(x[i]); math.Float32bits(got[i]) != math.Float32bits(want) {
			t.Fatalf("exp(%v) is %v, among four %v", x[i], want, got[i])
		}
	}
}

func TestMetrics(t *testing.T) {
	// From scikit-learn 1.9 (auc, logloss) and xgboost 3.2 on the same numbers.
	p := []float32{0.1, 0.4, 0.35, 0.8, 0.4, 0.9}
	y := []float32{0, 0, 1, 1, 1, 0}
	near(t, "auc", AUC(p, y, nil), 0.5, 1e-12)
	near(t, "aucpr", AUCPR(p, y, nil), 0.45352190, 1e-6)
	near(t, "logloss", LogLoss(p, y, nil), 0.85133789, 1e-6)
	w := []float32{1, 2, 1, 3, 1, 2}
	near(t, "weighted auc", AUC(p, y, w), 0.48, 1e-6)
	near(t, "weighted aucpr", AUCPR(p, y, w), 0.44770205, 1e-6)

	// By hand.
	f := func(name string, p, y, w []float32, classes int, want float64) {
		t.Helper()
		m, err := metricByName(name, classes)
		if err != nil {
			t.Fatal(err)
		}
		d := TrainData{X: NewDense(make([]float32, len(y)), len(y), 1), Labels: y, Weights: w}
		near(t, name, m.compute(p, &d, classes), want, 1e-6)
	}
	f("error", p, y, nil, 1, 3.0/6)
	f("error", p, y, w, 1, 4.0/10)
	f("rmse", p, y, nil, 1, math.Sqrt((0.01+0.16+0.4225+0.04+0.36+0.81)/6))
	three := []float32{0.7, 0.2, 0.1, 0.1, 0.3, 0.6, 0.3, 0.4, 0.3}
	f("merror", three, []float32{0, 2, 0}, nil, 3, 1.0/3)
	f("merror", three, []float32{0, 2, 0}, []float32{1, 1, 2}, 3, 2.0/4)
	f("mlogloss", three, []float32{0, 2, 0}, nil, 3, -(math.Log(0.7)+math.Log(0.6)+math.Log(0.3))/3)
}
