package gbdt

import "math"

// split is a way to part the rows of a node.
type split struct {
	gain        float64 // loss reduction; 0 is no split
	column, bin int     // bins up to bin go left
	right       []int32 // of a category column: the categories that go right
	defaultLeft bool
	left        cell // sums of the left side
}

// valuer computes leaf values and their scores from sums of gradients.
type valuer struct {
	alpha, lambda, maxDelta float64
	minChild                float64
	plain                   bool // no alpha, maxDelta or constraint: the score is G*G/(H+lambda)
	// in units of the round's sums: the least hessian of a side, lambda, and what a
	// score is there, less what rounding may be off by
	leastH       int64
	lambdaH, bar float64
}

func newValuer(p *Params) valuer {
	v := valuer{alpha: p.Alpha, lambda: p.Lambda, maxDelta: p.MaxDeltaStep, minChild: p.MinChildWeight}
	v.plain = v.alpha == 0 && v.maxDelta == 0
	for _, c := range p.MonotoneConstraints {
		v.plain = v.plain && c == 0
	}
	return v
}

// setScale computes what is in units of the round's sums.
func (v *valuer) setScale(s scale) {
	least, unit := max(v.minChild, math.SmallestNonzeroFloat64), 1/s.h
	low, high := int64(0), int64(math.MaxInt64)
	for low < high {
		if middle := low + (high-low)/2; float64(float64(middle)*unit) < least {
			low = middle + 1
		} else {
			high = middle
		}
	}
	const slack = 1 - 1e-9
	v.leastH, v.lambdaH, v.bar = low, float64(v.lambda*s.h), float64(s.g*s.g)/s.h*slack
}

// limits bound the values of leaves under a node, for monotone constraints.
type limits struct{ low, high float64 }

var unlimited = limits{math.Inf(-1), math.Inf(1)}

// value returns the best leaf value for sums g and h within l.
func (v *valuer) value(g, h float64, l limits) float64 {
	if h <= 0 {
		return 0
	}
	switch {
	case g > v.alpha:
		g -= v.alpha
	case g < -v.alpha:
		g += v.alpha
	default:
		g = 0
	}
	w := -g / (h + v.lambda)
	if v.maxDelta > 0 {
		w = min(max(w, -v.maxDelta), v.maxDelta)
	}
	return min(max(w, l.low), l.high)
}

// score returns how much the value w lowers the loss of sums g and h, twice.
func (v *valuer) score(g, h, w float64) float64 {
	return -(float64(float64(2*g)*w) + float64(float64((h+v.lambda)*w)*w) + float64(float64(2*v.alpha)*math.Abs(w)))
}

// scanner looks for the best split of one node.
type scanner struct {
	*valuer
	p            *Params
	b            *binned
	limits       limits
	total        cell
	unitG, unitH float64 // what one unit of the sums is
	parent       float64 // score of the node as a leaf
	best         split
}

// newScanner returns a scanner for a node with these sums.
func newScanner(v *valuer, p *Params, b *binned, total cell, scale scale, l limits) scanner {
	s := scanner{valuer: v, p: p, b: b, limits: l, total: total, unitG: 1 / scale.g, unitH: 1 / scale.h}
	g, h := s.floats(total)
	s.parent = s.score(g, h, s.value(g, h, l))
	return s
}

func (s *scanner) floats(c cell) (g, h float64) {
	return float64(float64(c.g) * s.unitG), float64(float64(c.h) * s.unitH)
}

var allBins = func() (all [256]uint8) {
	for i := range all {
		all[i] = uint8(i)
	}
	return all
}()

// column looks through the splits of column f, whose cells are given. A split after
// an empty cell is the one before it: if filled is known, no others are looked at.
func (s *scanner) column(f int, cells *[256]cell, filled *binSet) {
	bins := s.b.bins(f)
	var missing cell
	if s.b.missing[f] {
		missing = cells[missingBin]
	} else {
		bins-- // nothing is right of the last bin
	}
	if s.b.categorical[f] {
		s.categories(f, cells, missing)
		return
	}
	worth := allBins[:bins]
	if filled != nil {
		var room [256]uint8
		worth = filled.list(bins, &room)
	}
	s.sweep(cells, worth, split{column: f})
	if missing.h > 0 {
		s.sweep(cells, worth, split{column: f, defaultLeft: true, left: missing})
	}
}

// sweep moves bin after bin of a column to the left side of x and notes the best
// split. It is gain, written out, for all but the rare parameters.
func (s *scanner) sweep(cells *[256]cell, bins []uint8, x split) {
	if !s.plain {
		for _, i := range bins {
			x.bin, x.left = int(i), x.left.plus(cells[i])
			s.consider(x)
		}
		return
	}
	left, total := x.left, s.total
	found, best := -1, s.best.gain+s.parent
	bar := best * s.bar
	for _, i := range bins {
		left.g += cells[i].g
		left.h += cells[i].h
		if left.h < s.leastH {
			continue
		}
		right := total.less(left)
		if right.h < s.leastH {
			break
		}
		// Whether the score may be above best is asked in units of the sums, where it
		// takes no division: most splits are told by it to be no better.
		gl, gr, hl, hr := float64(left.g), float64(right.g), float64(left.h)+s.lambdaH, float64(right.h)+s.lambdaH
		if float64(float64(gl*gl)*hr)+float64(float64(gr*gr)*hl) < float64(float64(hl*hr)*bar) {
			continue
		}
		gl, hl = s.floats(left)
		gr, hr = s.floats(right)
		if score := float64(gl*gl)/(hl+s.lambda) + float64(gr*gr)/(hr+s.lambda); score > best {
			found, best, x.left = int(i), score, left
			bar = best * s.bar
		}
	}
	if found >= 0 {
		x.bin, x.gain = found, best-s.parent
		s.best = x
	}
}

// gain returns by how much a split of column f with these sums on the left lowers
// the loss; 0 if it is not allowed.
func (s *scanner) gain(f int, left cell) float64 {
	gl, hl := s.floats(left)
	gr, hr := s.floats(s.total.less(left))
	if hl < s.minChild || hr < s.minChild || hl <= 0 || hr <= 0 {
		return 0
	}
	if s.plain {
		return float64(gl*gl)/(hl+s.lambda) + float64(gr*gr)/(hr+s.lambda) - s.parent
	}
	wl, wr := s.value(gl, hl, s.limits), s.value(gr, hr, s.limits)
	if c := s.constraint(f); c > 0 && wl > wr || c < 0 && wl < wr {
		return 0
	}
	return s.score(gl, hl, wl) + s.score(gr, hr, wr) - s.parent
}

func (s *scanner) constraint(f int) int {
	if f < len(s.p.MonotoneConstraints) {
		return s.p.MonotoneConstraints[f]
	}
	return 0
}
