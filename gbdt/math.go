package gbdt

import "math"

// The functions here give the same bits on every processor: each product is
// converted before it is added, which forbids the compiler to fuse the two, and
// nothing depends on a library's assembly.

// exp returns e to the x within 1.0 units in the last place of a float32; it is
// 0 or +Inf where a float32 would underflow to zero or overflow.
func exp(x float32) float32 {
	if x != x {
		return x
	}
	if x > 88.8 {
		return float32(math.Inf(1))
	}
	if x < -104 {
		return 0
	}
	const log2e, ln2 = 1.4426950408889634, 0.6931471805599453
	n := int(float64(float64(x)*log2e)+1024.5) - 1024 // nearest integer
	r := float64(x) - float64(float64(n)*ln2)
	// Taylor to r^8: the remainder is below 3e-10 for |r| <= ln2/2.
	r2 := float64(r * r)
	low := (1 + r) + float64(r2*(1.0/2+float64(r*(1.0/6))))
	high := (1.0/24 + float64(r*(1.0/120))) + float64(r2*((1.0/720+float64(r*(1.0/5040)))+float64(r2*(1.0/40320))))
	e := low + float64(float64(r2*r2)*high)
	return float32(float64(e * math.Float64frombits(uint64(n+1023)<<52)))
}

// logOf returns the natural logarithm of x within 2 units in the last place of a
// float64.
func logOf(x float64) float64 {
	if !(x > 0) || math.IsInf(x, 1) {
		return math.Log(x) // NaN or an infinity: no rounding in it
	}
	m, e := math.Frexp(x) // m in [1/2, 1)
	if m < math.Sqrt2/2 {
		m *= 2
		e--
	}
	// ln m = 2 atanh(s), s = (m-1)/(m+1), |s| < .1716: the series to s^21 leaves 1e-18.
	s := (m - 1) / (m + 1)
	s2 := float64(s * s)
	sum := 1.0 / 21
	for k := 19.0; k >= 3; k -= 2 {
		sum = 1/k + float64(s2*sum)
	}
	tail := float64(float64(2*s) * float64(s2*sum))
	const ln2High, ln2Low = 6.93147180369123816490e-01, 1.90821492927058770002e-10
	k := float64(e)
	return float64(k*ln2High) + (float64(2*s) + (tail + float64(k*ln2Low)))
}

// sigmoid returns 1/(1+exp(-x)).
func sigmoid(x float32) float32 {
	return 1 / (1 + exp(-x))
}

// logit returns the margin of probability p, as XGBoost computes it.
func logit(p float32) float32 {
	return -float32(logOf(float64(1/p - 1)))
}

// expEach replaces each element of x by exp of it.
func expEach(x []float32) {
	for len(x) > 0 {
		x = x[exp4(x):]
		few := x[:min(4, len(x))]
		for i := range few {
			few[i] = exp(few[i])
		}
		x = x[len(few):]
	}
}

// sigmoids replaces each element of m by sigmoid of it.
func sigmoids(m []float32) {
	for i := range m {
		m[i] = -m[i]
	}
	expEach(m)
	for i := range m {
		m[i] = 1 / (1 + m[i])
	}
}

// softmax turns the margins of rows of k classes into probabilities, in place.
func softmax(m []float32, k int) {
	for row := m; len(row) > 0; row = row[k:] {
		top := row[0]
		for _, x := range row[1:k] {
			top = max(top, x)
		}
		for i := range row[:k] {
			row[i] -= top
		}
	}
	expEach(m)
	for row := m; len(row) > 0; row = row[k:] {
		var sum float64
		for _, x := range row[:k] {
			sum += float64(x)
		}
		for i := range row[:k] {
			row[i] /= float32(sum)
		}
	}
}
