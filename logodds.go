package picket

import "math"

// Narrow writes a row's values as the float32 that trees compare. What is too large
// for one becomes the largest, since XGBoost refuses infinity; NaN stays missing.
func Narrow(values []float64, row []float32) {
	for i, v := range values {
		row[i] = float32(max(min(v, math.MaxFloat32), -math.MaxFloat32))
	}
}

// LogOdds turns a booster's raw margins into its malicious margin, the log-odds
// of not being of class 0: log((1-p0)/p0). A binary booster has one margin, and
// it is that. Of softmax margins it is log(Σ exp(m[1:])) - m[0], with the largest
// taken out first, so that nothing overflows.
func LogOdds(margins []float32) float64 {
	if len(margins) == 1 {
		return float64(margins[0])
	}
	largest := float64(margins[1])
	for _, m := range margins[2:] {
		largest = max(largest, float64(m))
	}
	var sum float64
	for _, m := range margins[1:] {
		sum += exp(float64(m) - largest)
	}
	return largest + logOf(sum) - float64(margins[0])
}

// Share returns how the malicious probability parts over the classes after the
// first, written to out: out[i] is the share of class i+1. They sum to 1.
func Share(margins []float32, out []float64) {
	if len(margins) == 1 {
		out[0] = 1
		return
	}
	largest := float64(margins[1])
	for _, m := range margins[2:] {
		largest = max(largest, float64(m))
	}
	var sum float64
	for i, m := range margins[1:] {
		out[i] = exp(float64(m) - largest)
		sum += out[i]
	}
	for i := range out[:len(margins)-1] {
		out[i] /= sum
	}
}

// Probability returns the calibrated probability of a malicious margin. It never
// falls as the margin rises. Isotonic points are joined by straight lines and
// held flat beyond the ends.
func (c *Calibration) Probability(margin float64) float64 {
	switch c.Method {
	case "sigmoid":
		return Sigmoid(-(float64(c.A*margin) + c.B))
	case "isotonic":
		return interpolate(c.X, c.Y, margin)
	}
	return Sigmoid(margin)
}

func interpolate(xs, ys []float64, x float64) float64 {
	low, high := 0, len(xs) // the first point beyond x is in [low, high]
	for low < high {
		if middle := (low + high) / 2; xs[middle] > x {
			high = middle
		} else {
			low = middle + 1
		}
	}
	switch {
	case len(xs) == 0:
		return math.NaN()
	case low == 0:
		return ys[0]
	case low == len(xs):
		return ys[low-1]
	}
	t := (x - xs[low-1]) / (xs[low] - xs[low-1])
	y := ys[low-1] + float64(t*(ys[low]-ys[low-1]))
	return min(max(y, ys[low-1]), ys[low]) // rounding must not break the order
}

// Sigmoid returns 1 / (1 + exp(-x)), the same bits on every platform.
func Sigmoid(x float64) float64 {
	if x < 0 {
		e := exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + exp(-x))
}

// exp is e to the x, within 2 units in the last place. math.Exp is assembly on
// some platforms and not on others, and products may fuse with sums on arm64:
// here every product is converted, so that all platforms give the same bits.
func exp(x float64) float64 {
	const high, low = 6.93147180369123816490e-01, 1.90821492927058770002e-10 // ln 2 in two parts
	switch {
	case x != x:
		return x
	case x > 709.7:
		return math.Inf(1)
	case x < -745:
		return 0
	}
	k := math.Floor(float64(x/math.Ln2) + 0.5)
	r := x - float64(k*high) - float64(k*low) // |r| <= ln(2)/2: 14 terms leave less than 1e-17
	sum := 1.0
	for n := 14.0; n > 0; n-- {
		sum = 1 + float64(sum*r)/n
	}
	return math.Ldexp(sum, int(k))
}

// logOf is the natural logarithm of a positive, finite x, within 2 units in the
// last place away from 1; portable as exp is.
func logOf(x float64) float64 {
	fraction, exponent := math.Frexp(x)
	if fraction < math.Sqrt2/2 {
		fraction, exponent = fraction*2, exponent-1
	}
	s := (fraction - 1) / (fraction + 1) // |s| < 0.172: 11 terms leave less than 1e-18
	square := float64(s * s)
	sum := 0.0
	for n := 21.0; n > 0; n -= 2 {
		sum = 1/n + float64(sum*square)
	}
	return float64(float64(exponent)*math.Ln2) + float64(2*float64(s*sum))
}
