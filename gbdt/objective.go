package gbdt

import (
	"fmt"
	"math"
)

// TrainData is rows with their labels. Weights and BaseMargin may be nil; a base
// margin has one value per row and class and takes the place of the base score.
type TrainData struct {
	X          *Matrix
	Labels     []float32
	Weights    []float32
	BaseMargin []float32
}

// check returns an error if the lengths or values do not suit p.
func (d *TrainData) check(p *Params) error {
	if d.X == nil {
		return fmt.Errorf("no matrix")
	}
	if err := d.X.check(); err != nil {
		return err
	}
	if len(d.Labels) != d.X.rows {
		return fmt.Errorf("%d labels for %d rows", len(d.Labels), d.X.rows)
	}
	if d.Weights != nil && len(d.Weights) != d.X.rows {
		return fmt.Errorf("%d weights for %d rows", len(d.Weights), d.X.rows)
	}
	if d.BaseMargin != nil && len(d.BaseMargin) != d.X.rows*p.classes() {
		return fmt.Errorf("%d base margins for %d rows of %d outputs", len(d.BaseMargin), d.X.rows, p.classes())
	}
	for i, m := range d.BaseMargin {
		if !finite(m) {
			return fmt.Errorf("base margin %d is %v: want a finite number", i, m)
		}
	}
	for i, w := range d.Weights {
		if !(w >= 0) || !finite(w) {
			return fmt.Errorf("row %d has weight %v: want a finite number from 0", i, w)
		}
	}
	for i, y := range d.Labels {
		if err := p.checkLabel(y); err != nil {
			return fmt.Errorf("row %d has label %v: %w", i, y, err)
		}
	}
	return nil
}

func finite(x float32) bool { return x-x == 0 }

func (p *Params) checkLabel(y float32) error {
	switch p.Objective {
	case BinaryLogistic:
		if !(y >= 0 && y <= 1) {
			return fmt.Errorf("%s wants 0 to 1", p.Objective)
		}
	case MultiSoftprob:
		if !(y >= 0 && int(y) < p.NumClass && y == float32(int(y))) {
			return fmt.Errorf("%s wants 0 to %d", p.Objective, p.NumClass-1)
		}
	default:
		if !finite(y) {
			return fmt.Errorf("want a finite number")
		}
	}
	return nil
}

func (d *TrainData) weight(i int) float32 {
	if d.Weights == nil {
		return 1
	}
	return d.Weights[i]
}

// baseScore returns the base score to start from: the weighted mean of the labels
// or, of softprob, one half, and how much each class starts above that.
func baseScore(p *Params, d *TrainData) (score float32, above []float32) {
	above = make([]float32, p.classes())
	if !math.IsNaN(p.BaseScore) {
		return float32(p.BaseScore), above
	}
	sums, total := make([]float64, p.classes()), 0.0
	for i, y := range d.Labels {
		w := float64(d.weight(i))
		total += w
		if p.Objective == MultiSoftprob {
			sums[int(y)] += w
		} else {
			sums[0] += float64(w * float64(y))
		}
	}
	if p.Objective == MultiSoftprob {
		return 0.5, classPriors(sums, total)
	}
	if total == 0 {
		return 0.5, above
	}
	mean := sums[0] / total
	if p.Objective == BinaryLogistic {
		mean = binaryScore(mean, p.ScalePosWeight)
	}
	return float32(mean), above
}

// binaryScore is the probability to start from when a part mean of the rows has
// label 1: mean, or with a weight on them where one step of Newton's from even odds
// leads, as XGBoost has it. It is kept from 0 and 1, which have no margin.
func binaryScore(mean, posWeight float64) float64 {
	if posWeight != 1 {
		g := float64(posWeight*mean*-0.5) + float64((1-mean)*0.5)
		h := float64(posWeight*mean*0.25) + float64((1-mean)*0.25)
		mean = float64(sigmoid(float32(-g / h)))
	}
	return min(max(mean, 1e-6), 1-1e-6)
}

// classPriors returns the logarithms of the parts sums/total, with a mean of 0.
func classPriors(sums []float64, total float64) []float32 {
	logs, mean := make([]float64, len(sums)), 0.0
	for k, s := range sums {
		logs[k] = logOf(max(s, 1e-6*total, 1e-16))
		mean += logs[k] / float64(len(sums))
	}
	above := make([]float32, len(sums))
	for k := range logs {
		above[k] = float32(logs[k] - mean)
	}
	return above
}

// predict turns the margins of rows lo to hi into predictions.
func (p *Params) predict(margins, out []float32, lo, hi int) {
	k := p.classes()
	margins, out = margins[lo*k:hi*k], out[lo*k:hi*k]
	batch := max(1, 1024/k) * k // stays in the first-level cache
	for ; len(out) > 0; margins, out = margins[batch:], out[batch:] {
		batch = min(batch, len(out))
		copy(out[:batch], margins)
		switch p.Objective {
		case BinaryLogistic:
			sigmoids(out[:batch])
		case MultiSoftprob:
			softmax(out[:batch], k)
		}
	}
}

// gradient is the first and second derivative of the loss by the margin.
type gradient struct{ g, h float32 }

// loss is the shape of an objective's gradients. (The name of the objective was
// compared for each row once: a tenth of training.)
type loss uint8

const (
	squared loss = iota
	logistic
	softprob
)

func lossOf(objective string) loss {
	switch objective {
	case BinaryLogistic:
		return logistic
	case MultiSoftprob:
		return softprob
	}
	return squared
}

// gradients is what they are computed from: predictions of one class among
// classes, labels and weights.
type gradients struct {
	loss           loss
	classes, class int
	predictions    []float32
	labels         []float32
	weights        []float32
	posWeight      float32
}

// leastHessian keeps leaves from growing without bound.
const leastHessian = 1e-16

// fill writes the gradients of the rows from lo on to out.
func (s *gradients) fill(lo int, out []gradient) {
	labels := s.labels[lo:][:len(out)]
	switch {
	case s.weights == nil && s.loss == logistic && s.posWeight == 1:
		for i, p := range s.predictions[lo:][:len(out)] {
			h := p * (1 - p)
			if h < leastHessian {
				h = leastHessian
			}
			out[i] = gradient{p - labels[i], h}
		}
	case s.weights == nil && s.loss == softprob:
		class, predictions := float32(s.class), s.predictions[lo*s.classes+s.class:]
		for i, y := range labels {
			p := predictions[i*s.classes]
			h := 2 * p * (1 - p)
			if h < leastHessian {
				h = leastHessian
			}
			out[i] = gradient{p - [2]float32{0, 1}[bit(y == class)], h}
		}
	default:
		for i := range out {
			out[i] = s.at(lo + i)
		}
	}
}

// at returns the gradient of row i.
func (s *gradients) at(i int) gradient {
	p, y, w := s.predictions[i*s.classes+s.class], s.labels[i], float32(1)
	if s.weights != nil {
		w = s.weights[i]
	}
	switch s.loss {
	case logistic:
		if y == 1 {
			w *= s.posWeight
		}
		return gradient{(p - y) * w, max(p*(1-p), leastHessian) * w}
	case softprob:
		if int(y) == s.class {
			return gradient{(p - 1) * w, max(2*p*(1-p), leastHessian) * w}
		}
		return gradient{p * w, max(2*p*(1-p), leastHessian) * w}
	}
	return gradient{(p - y) * w, w}
}

// bit is 1 if b is; in this form the compiler does not branch.
func bit(b bool) uint {
	if b {
		return 1
	}
	return 0
}
