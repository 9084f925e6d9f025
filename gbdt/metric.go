package gbdt

import (
	"fmt"
	"slices"
)

// metric measures predictions against labels.
type metric struct {
	name    string
	larger  bool // larger is better
	multi   bool // of several classes
	compute func(predictions []float32, d *TrainData, classes int) float64
}

var metrics = []metric{
	{"auc", true, false, func(p []float32, d *TrainData, _ int) float64 { return AUC(p, d.Labels, d.Weights) }},
	{"aucpr", true, false, func(p []float32, d *TrainData, _ int) float64 { return AUCPR(p, d.Labels, d.Weights) }},
	{"logloss", false, false, func(p []float32, d *TrainData, _ int) float64 { return LogLoss(p, d.Labels, d.Weights) }},
	{"error", false, false, func(p []float32, d *TrainData, _ int) float64 {
		return d.mean(func(i int) float64 { return one(p[i] > 0.5 != (d.Labels[i] == 1)) })
	}},
	{"rmse", false, false, func(p []float32, d *TrainData, _ int) float64 {
		return sqrt(d.mean(func(i int) float64 {
			e := float64(p[i]) - float64(d.Labels[i])
			return float64(e * e)
		}))
	}},
	{"mlogloss", false, true, func(p []float32, d *TrainData, classes int) float64 {
		return d.mean(func(i int) float64 { return -logClamped(float64(p[i*classes+int(d.Labels[i])])) })
	}},
	{"merror", false, true, func(p []float32, d *TrainData, classes int) float64 {
		return d.mean(func(i int) float64 { return one(argmax(p[i*classes:(i+1)*classes]) != int(d.Labels[i])) })
	}},
}

// metricByName returns the metric if it suits the number of classes.
func metricByName(name string, classes int) (metric, error) {
	var names []string
	for _, m := range metrics {
		if m.multi != (classes > 1) {
			continue
		}
		if m.name == name {
			return m, nil
		}
		names = append(names, m.name)
	}
	return metric{}, fmt.Errorf("eval_metric %q: for %d classes there are %v", name, max(classes, 2), names)
}

func defaultMetric(objective string) string {
	switch objective {
	case BinaryLogistic:
		return "logloss"
	case MultiSoftprob:
		return "mlogloss"
	}
	return "rmse"
}

// mean returns the weighted mean of f over the rows.
func (d *TrainData) mean(f func(i int) float64) float64 {
	var sum, weight float64
	for i := range d.Labels {
		w := float64(d.weight(i))
		sum += float64(w * f(i))
		weight += w
	}
	return sum / weight
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// logClamped is the logarithm of p, which is kept from 0 as XGBoost does.
func logClamped(p float64) float64 { return logOf(max(p, 1e-16)) }

// argmax returns the first of the largest values.
func argmax(p []float32) int {
	best := 0
	for i, x := range p {
		if x > p[best] {
			best = i
		}
	}
	return best
}

// LogLoss returns the mean of -ln of the probability given to what was true.
// Weights may be nil.
func LogLoss(probabilities, labels, weights []float32) float64 {
	d := TrainData{Labels: labels, Weights: weights}
	return d.mean(func(i int) float64 {
		p, y := float64(probabilities[i]), float64(labels[i])
		return -(float64(y*logClamped(p)) + float64((1-y)*logClamped(1-p)))
	})
}

// curve calls f with the cumulative weights of false and true positives at each
// distinct score from the highest on.
func curve(scores, labels, weights []float32, f func(falsePos, truePos float64)) {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return a - b
	})
	d := TrainData{Weights: weights}
	var fp, tp float64
	for k, i := range order {
		w, y := float64(d.weight(i)), float64(labels[i])
		tp += float64(w * y)
		fp += float64(w * (1 - y))
		if k+1 == len(order) || scores[order[k+1]] != scores[i] {
			f(fp, tp)
		}
	}
}

// AUC returns the area under the ROC curve: the probability that a row of label 1
// scores above one of label 0, ties counting half. It is 0.5 if either is missing.
// Weights may be nil.
func AUC(scores, labels, weights []float32) float64 {
	var area, lastF, lastT float64
	curve(scores, labels, weights, func(f, t float64) {
		area += float64((f - lastF) * (t + lastT) / 2)
		lastF, lastT = f, t
	})
	if lastF == 0 || lastT == 0 {
		return 0.5
	}
	return area / float64(lastF*lastT)
}

// AUCPR returns the area under the precision-recall curve, interpolated between
// its points as XGBoost does (Davis and Goadrich). It is 0 with no row of label 1.
// Weights may be nil.
func AUCPR(scores, labels, weights []float32) float64 {
	var area, lastF, lastT, total float64
	for i, y := range labels {
		d := TrainData{Weights: weights}
		total += float64(float64(d.weight(i)) * float64(y))
	}
	if total == 0 {
		return 0
	}
	curve(scores, labels, weights, func(f, t float64) {
		area += prArea(lastF, lastT, f, t, total)
		lastF, lastT = f, t
	})
	return area
}

// prArea integrates precision over recall between two points, false positives
// growing in proportion to true ones.
func prArea(f0, t0, f1, t1, total float64) float64 {
	if t1 == t0 {
		return 0
	}
	h := (f1 - f0) / (t1 - t0)
	a, b := 1+h, (f0-float64(h*t0))/total
	r0, r1 := t0/total, t1/total
	if b == 0 {
		return (r1 - r0) / a
	}
	x := float64(a*r1) + b
	y := float64(a*r0) + b
	if y <= 0 {
		return (r1 - r0) / a
	}
	return (r1 - r0 - float64(b/a*(logOf(x)-logOf(y)))) / a
}
