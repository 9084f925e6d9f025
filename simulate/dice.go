package simulate

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// dice is one actor's source of randomness.
type dice struct{ *rand.Rand }

func newDice(seed, stream uint64) dice {
	return dice{rand.New(rand.NewPCG(mix(seed), mix(stream^0x9e3779b97f4a7c15)))}
}

// mix spreads the bits of x (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func mulDiv(a, b, c uint64) uint64 {
	if c == 0 {
		return 0
	}
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, c)
	return q
}

// span is a range that a value is drawn from, evenly in its logarithm.
type span struct{ lo, hi float64 }

func (d dice) in(s span) float64 {
	switch {
	case s.hi <= s.lo:
		return s.lo
	case s.lo <= 0:
		return s.lo + d.Float64()*(s.hi-s.lo)
	}
	return s.lo * math.Exp(d.Float64()*math.Log(s.hi/s.lo))
}

func (d dice) count(s span) int { return int(d.in(s) + d.Float64()) }

func (d dice) chance(p float64) bool { return p > 0 && d.Float64() < p }

// around draws from a log-normal distribution: half of the draws are below median.
func (d dice) around(median, sigma float64) float64 {
	return median * math.Exp(sigma*max(-4, min(4, d.NormFloat64())))
}

// pareto draws from a Pareto distribution with the given median and tail index.
func (d dice) pareto(median, alpha float64) float64 {
	u := max(d.Float64(), 1e-9)
	return median * math.Pow(2*u, -1/alpha)
}

// rank draws one of n, the first ones most often: the chance of rank r falls as 1/r.
func (d dice) rank(n int) int {
	return min(n-1, int(math.Exp(d.Float64()*math.Log(float64(n)+1)))-1)
}

// ephemeral is a client's port.
func (d dice) ephemeral() uint16 { return uint16(32768 + d.IntN(28232)) }

const second = int64(1e9)

// nanos turns seconds into nanoseconds.
func nanos(s float64) int64 { return int64(s * 1e9) }
