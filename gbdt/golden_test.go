package gbdt

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// TestGolden trains on numbers that are the same everywhere and compares the bytes
// of the models with those of amd64. Run it on other processors: make e2e does so
// for arm64.
func TestGolden(t *testing.T) {
	const rows, cols = 3000, 7
	x, y := make([]float32, rows*cols), make([]float32, rows)
	for i := range x {
		x[i] = float32(int(mix(uint64(i))%4096)-2048) / 256
		if mix(uint64(i))>>60 == 0 {
			x[i] = nan32
		}
	}
	for i := range y {
		a, b := x[i*cols], x[i*cols+1]
		y[i] = float32(one(a > b)) + float32(one(x[i*cols+2] > 2))
	}
	f := func(want string, change func(p *Params)) {
		t.Helper()
		p, d := short(), TrainData{X: NewDense(x, rows, cols), Labels: y}
		p.Subsample, p.ColsampleByNode, p.Alpha = 0.8, 0.8, 0.1
		change(&p)
		if p.Objective == BinaryLogistic {
			d.Labels = make([]float32, rows)
			for i := range y {
				d.Labels[i] = min(y[i], 1)
			}
		}
		sum := sha256.Sum256(encoded(t, train(t, p, d)))
		if got := hex.EncodeToString(sum[:8]); got != want {
			t.Errorf("%s: the model's hash is %s, want %s", p.Objective, got, want)
		}
	}
	f("33ad18c04a6787bc", func(p *Params) {})
	f("12b54a929bb5080e", func(p *Params) { p.Objective, p.NumClass = MultiSoftprob, 3 })
	f("4ad042d5633d17ea", func(p *Params) { p.Objective, p.FullPrecision = SquaredError, true })
	f("00f6de53a7950cba", func(p *Params) { p.GrowPolicy, p.MaxLeaves, p.MonotoneConstraints = LossGuide, 20, []int{1, -1} })
}
