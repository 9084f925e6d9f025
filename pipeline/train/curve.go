package train

import (
	"cmp"
	"math"
	"slices"
)

// Point is one cut of a curve with what passes it.
type Point struct {
	Cut       float64 // margin; a row passes at or above it
	Recall    float64 // part of malicious rows that pass; true positive rate
	FPR       float64 // part of normal rows that pass
	Precision float64 // part of passing rows that are malicious
}

// Curve is every cut that makes a difference, from the highest margin down. The
// first point lets nothing pass. Rows count by weight.
type Curve []Point

// NewCurve sorts rows by margin. Rows of equal margin pass together.
func NewCurve(rows []Scored) Curve {
	order := make([]*Scored, len(rows))
	var malicious, normal float64
	for i := range rows {
		order[i] = &rows[i]
		if rows[i].Malicious {
			malicious += rows[i].Weight
		} else {
			normal += rows[i].Weight
		}
	}
	slices.SortStableFunc(order, func(a, b *Scored) int { return cmp.Compare(b.Margin, a.Margin) })
	curve := Curve{{Cut: math.MaxFloat64, Precision: 1}}
	var caught, false_ float64
	for i, r := range order {
		if r.Malicious {
			caught += r.Weight
		} else {
			false_ += r.Weight
		}
		if i+1 < len(order) && order[i+1].Margin == r.Margin {
			continue
		}
		curve = append(curve, Point{Cut: r.Margin, Recall: ratio(caught, malicious), FPR: ratio(false_, normal), Precision: caught / (caught + false_)})
	}
	return curve
}

func ratio(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}

// AUC is the area under recall over false positive rate: the chance that a
// malicious row outranks a normal one, ties counting half.
func (c Curve) AUC() float64 {
	area := 0.0
	for i := 1; i < len(c); i++ {
		area += (c[i].FPR - c[i-1].FPR) * (c[i].Recall + c[i-1].Recall) / 2
	}
	return area
}

// AveragePrecision is the area under precision over recall by steps, which
// promises nothing between the points.
func (c Curve) AveragePrecision() float64 {
	area := 0.0
	for i := 1; i < len(c); i++ {
		area += (c[i].Recall - c[i-1].Recall) * c[i].Precision
	}
	return area
}

// RecallAt returns the greatest recall at no more than the given false positive rate.
func (c Curve) RecallAt(fpr float64) float64 {
	at := 0
	for at+1 < len(c) && c[at+1].FPR <= fpr {
		at++
	}
	return c[at].Recall
}

// Thin keeps at most n points, evenly over the way that the curve runs, with both
// ends: enough for a plot and for a file.
func (c Curve) Thin(n int) Curve {
	if len(c) <= n {
		return c
	}
	thin := Curve{c[0]}
	last := c[len(c)-1]
	length := last.Recall + last.FPR
	for i := 1; i < len(c)-1; i++ {
		if c[i].Recall+c[i].FPR >= length*float64(len(thin))/float64(n-1) && len(thin) < n-1 {
			thin = append(thin, c[i])
		}
	}
	return append(thin, last)
}
