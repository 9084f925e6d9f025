package train

import (
	"math"
	"math/rand/v2"
)

// LinearRow is one row of a linear model: which of its features are set, in groups
// that each count for one however many they are, its label and its weight.
type LinearRow struct {
	Groups   [3][]uint32
	Positive bool
	Weight   float64
}

// LinearOptions steer FitLinear. The zero value is usable.
type LinearOptions struct {
	Epochs int     // 3 when 0
	Step   float64 // 0.3 when 0
	Decay  float64 // L2 on the weights of a row's features at each step; 1e-5 when 0
	Seed   uint64
}

// FitLinear fits a logistic regression over size features by stochastic gradient
// descent with steps that shrink for each feature by what it has moved (Duchi et
// al. 2011). It returns the weights and the bias, in log-odds. The same rows,
// options and seed give the same bits.
func FitLinear(rows []LinearRow, size int, o LinearOptions) (weights []float64, bias float64) {
	if o.Epochs == 0 {
		o.Epochs = 3
	}
	if o.Step == 0 {
		o.Step = 0.3
	}
	if o.Decay == 0 {
		o.Decay = 1e-5
	}
	weights, moved, biasMoved := make([]float64, size), make([]float64, size), 1e-8
	rng := rand.New(rand.NewPCG(o.Seed, 0x9e3779b97f4a7c15))
	for range o.Epochs {
		for _, i := range rng.Perm(len(rows)) {
			r := &rows[i]
			margin := bias
			for _, group := range r.Groups {
				margin += dotGroup(weights, group)
			}
			slope := 1 / (1 + math.Exp(-margin))
			if r.Positive {
				slope--
			}
			slope = float64(slope * r.Weight)
			for _, group := range r.Groups {
				g := slope / math.Sqrt(float64(max(1, len(group))))
				for _, f := range group {
					d := g + float64(o.Decay*weights[f])
					moved[f] += float64(d * d)
					weights[f] -= float64(o.Step*d) / math.Sqrt(moved[f]+1e-8)
				}
			}
			biasMoved += float64(slope * slope)
			bias -= float64(o.Step*slope) / math.Sqrt(biasMoved)
		}
	}
	return weights, bias
}

func dotGroup(weights []float64, group []uint32) float64 {
	var sum float64
	for _, f := range group {
		sum += weights[f]
	}
	return sum / math.Sqrt(float64(max(1, len(group))))
}
