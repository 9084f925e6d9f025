package extract

import "math"

// log2 returns the binary logarithm of a finite x above 0, the same bits on
// every platform: math.Log2 is assembly on some and may be fused on others. It
// is off by less than 4e-16 of the result, or 4e-16 where that is smaller.
func log2(x float64) float64 {
	m, e := math.Frexp(x) // x = m·2^e, m in [0.5, 1)
	if m < math.Sqrt2/2 {
		m *= 2
		e--
	}
	if m == 1 {
		return float64(e)
	}
	// ln m = 2·artanh(s) = 2s·(1 + s²/3 + s⁴/5 + …) with |s| < 0.172.
	s := (m - 1) / (m + 1)
	z := float64(s * s)
	sum := 0.0
	for k := 23.0; k > 1; k -= 2 {
		sum = float64(z * (1/k + sum))
	}
	return float64(e) + float64(float64(2/math.Ln2*s)*(1+sum))
}

// spread of counts: Shannon's entropy in bits of a set of keys, from the counts
// of the keys taken in a fixed order.
type entropy struct {
	keys  uint64
	total uint64
	most  uint64
	sum   float64 // of c·log2(c)
}

func (e *entropy) add(count uint64) {
	e.keys++
	e.total += count
	e.most = max(e.most, count)
	switch {
	case count < uint64(len(smallLog2)):
		e.sum += smallLog2[count].times
	default:
		e.sum += float64(float64(count) * log2(float64(count)))
	}
}

// smallLog2 are the logarithms of small numbers, and the numbers times these.
var smallLog2 = func() (of [1 << 10]struct{ log2, times float64 }) {
	for n := range of[2:] {
		v := float64(n + 2)
		of[n+2].log2, of[n+2].times = log2(v), float64(v*log2(v))
	}
	return of
}()

// log2Of is log2 of a whole number above 0.
func log2Of(n uint64) float64 {
	if n < uint64(len(smallLog2)) {
		return smallLog2[n].log2
	}
	return log2(float64(n))
}

// bits returns the entropy, NaN where there is no key.
func (e *entropy) bits() float64 {
	switch e.keys {
	case 0:
		return math.NaN()
	case 1:
		return 0
	}
	n := float64(e.total)
	return max(0, log2Of(e.total)-e.sum/n)
}

// evenness returns the entropy as a share of what it could be with as many
// keys, NaN where there are fewer than two.
func (e *entropy) evenness() float64 {
	if e.keys < 2 {
		return math.NaN()
	}
	return min(1, e.bits()/log2Of(e.keys))
}

func (e *entropy) topShare() float64 { return ratio(float64(e.most), float64(e.total)) }

// ratio returns a/b, NaN where b is 0.
func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}
