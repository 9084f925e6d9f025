package train

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"picket"
)

// isotonicFrom is how many positive rows isotonic regression needs; below it the
// sigmoid's two parameters are all that the data can carry (Niculescu-Mizil &
// Caruana 2005).
const isotonicFrom = 1000

// Calibrate fits the probability of malicious to the margins of rows that neither
// the trees nor the threshold have seen.
func Calibrate(rows []Scored) (picket.Calibration, error) {
	positives, negatives := 0, 0
	var positiveWeight, weight float64
	for i := range rows {
		weight += rows[i].Weight
		if rows[i].Malicious {
			positives++
			positiveWeight += rows[i].Weight
		} else {
			negatives++
		}
	}
	if positives == 0 || negatives == 0 {
		return picket.Calibration{}, fmt.Errorf("calibrate: %d malicious and %d normal rows; both are needed", positives, negatives)
	}
	c := picket.Calibration{BaseRate: positiveWeight / weight, Rows: len(rows)}
	if positives < isotonicFrom {
		c.Method = "sigmoid"
		c.A, c.B = platt(rows)
	} else {
		c.Method = "isotonic"
		c.X, c.Y = isotonic(rows)
	}
	if math.IsNaN(c.A) || math.IsNaN(c.B) {
		return c, errors.New("calibrate: the sigmoid did not converge")
	}
	return c, nil
}

// platt fits p = 1/(1+exp(A·margin+B)) by Newton's method with backtracking, as in
// Lin, Lin & Weng 2007, "A note on Platt's probabilistic outputs". The targets are
// Platt's, drawn in from 0 and 1 by the number of rows. Margins that rank backwards
// are certain of nothing: p is then the base rate whatever the margin.
func platt(rows []Scored) (a, b float64) {
	if a, b = sigmoid(rows); a > 0 {
		_, _, positive, negative := plattTargets(rows)
		return 0, math.Log((negative + 1) / (positive + 1))
	}
	return a, b
}

func sigmoid(rows []Scored) (a, b float64) {
	const ridge, tolerance, smallestStep = 1e-12, 1e-5, 1e-10
	high, low, positive, negative := plattTargets(rows)
	b = math.Log((negative + 1) / (positive + 1))
	loss := plattLoss(rows, a, b, high, low)
	for range 100 {
		h11, h22, h21, g1, g2 := ridge, ridge, 0.0, 0.0, 0.0
		for i := range rows {
			r := &rows[i]
			p := picket.Sigmoid(-(a*r.Margin + b))
			curve := r.Weight * p * (1 - p)
			slope := r.Weight * (target(r, high, low) - p)
			h11 += r.Margin * r.Margin * curve
			h22 += curve
			h21 += r.Margin * curve
			g1 += r.Margin * slope
			g2 += slope
		}
		if math.Abs(g1) < tolerance && math.Abs(g2) < tolerance {
			return a, b
		}
		determinant := h11*h22 - h21*h21
		da, db := -(h22*g1-h21*g2)/determinant, -(h11*g2-h21*g1)/determinant
		descent := g1*da + g2*db
		step := 1.0
		for ; step >= smallestStep; step /= 2 {
			next := plattLoss(rows, a+step*da, b+step*db, high, low)
			if next < loss+1e-4*step*descent {
				a, b, loss = a+step*da, b+step*db, next
				break
			}
		}
		if step < smallestStep {
			return a, b // no descent left
		}
	}
	return a, b
}

func plattTargets(rows []Scored) (high, low, positive, negative float64) {
	for i := range rows {
		if rows[i].Malicious {
			positive += rows[i].Weight
		} else {
			negative += rows[i].Weight
		}
	}
	return (positive + 1) / (positive + 2), 1 / (negative + 2), positive, negative
}

func target(r *Scored, high, low float64) float64 {
	if r.Malicious {
		return high
	}
	return low
}

func plattLoss(rows []Scored, a, b, high, low float64) float64 {
	var sum float64
	for i := range rows {
		r := &rows[i]
		f := a*r.Margin + b
		t := target(r, high, low)
		if f >= 0 {
			sum += r.Weight * (t*f + math.Log1p(math.Exp(-f)))
		} else {
			sum += r.Weight * ((t-1)*f + math.Log1p(math.Exp(f)))
		}
	}
	return sum
}

// block is a run of rows with one pooled probability.
type block struct {
	low, high       float64 // margins of its ends
	weight, weight1 float64 // of all its rows, of the malicious ones
}

func (b *block) mean() float64 { return b.weight1 / b.weight }

// isotonic pools adjacent violators and returns the ends of each block with its
// probability, at most maxPoints. Probabilities are drawn in from 0 and 1 as
// Platt's targets are: no finite sample proves certainty.
func isotonic(rows []Scored) (xs, ys []float64) {
	high, low, _, _ := plattTargets(rows)
	for _, b := range pool(rows) {
		y := min(max(b.mean(), low), high)
		if n := len(ys); n > 0 && ys[n-1] == y && n > 1 && ys[n-2] == y {
			xs[n-1] = b.high
			continue
		}
		xs, ys = append(xs, b.low), append(ys, y)
		if b.high > b.low {
			xs, ys = append(xs, b.high), append(ys, y)
		}
	}
	return xs, ys
}

// minBlock rows at least share a probability, so that a lone row on an end does
// not make a step of its own.
const minBlock = 20

func pool(rows []Scored) []block {
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b Scored) int { return cmp.Compare(a.Margin, b.Margin) })
	var blocks []block
	for start := 0; start < len(sorted); {
		b := block{low: sorted[start].Margin}
		end := start
		for end < len(sorted) && (end-start < minBlock || sorted[end].Margin == sorted[end-1].Margin || len(sorted)-end < minBlock) {
			b.weight += sorted[end].Weight
			if sorted[end].Malicious {
				b.weight1 += sorted[end].Weight
			}
			end++
		}
		b.high = sorted[end-1].Margin
		start = end
		blocks = append(blocks, b)
		for n := len(blocks); n > 1 && blocks[n-2].mean() >= blocks[n-1].mean(); n = len(blocks) {
			last := blocks[n-1]
			blocks = blocks[:n-1]
			blocks[n-2].high = last.high
			blocks[n-2].weight += last.weight
			blocks[n-2].weight1 += last.weight1
		}
	}
	return blocks
}
