package gbdt

import (
	"cmp"
	"slices"
)

// categories looks through the splits of category column f: of few categories those
// that send one right, of many those that cut them in two when they stand in the
// order of the values they would have as leaves.
func (s *scanner) categories(f int, cells *[256]cell, missing cell) {
	if s.b.bins(f) < s.p.MaxCatToOneHot {
		s.oneHot(f, cells, missing)
		return
	}
	order := make([]int32, s.b.bins(f))
	var values [256]float64
	for i := range order {
		order[i] = int32(i)
		values[i] = s.categoryValue(cells[i])
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(values[a], values[b]) })
	s.cut(f, cells, order, missing)
}

// oneHot looks through the splits that send one category right.
func (s *scanner) oneHot(f int, cells *[256]cell, missing cell) {
	for i := range s.b.bins(f) {
		c := cells[i]
		if c.h == 0 {
			continue
		}
		right := []int32{int32(i)}
		s.consider(split{column: f, right: right, left: s.total.less(c), defaultLeft: true})
		if missing.h > 0 {
			s.consider(split{column: f, right: right, left: s.total.less(c).less(missing)})
		}
	}
}

// cut looks through the splits that send right the first of the ordered categories,
// missing values with the rest, and those that send left the last, missing values
// with the rest. At most max_cat_threshold categories are tried from either end.
func (s *scanner) cut(f int, cells *[256]cell, order []int32, missing cell) {
	tries := min(s.p.MaxCatThreshold, len(order)) - 1
	var first, last cell
	for i := range tries {
		first = first.plus(cells[order[i]])
		s.consider(split{column: f, right: order[:i+1], left: s.total.less(first), defaultLeft: true})
	}
	for i := range tries {
		at := len(order) - 1 - i
		last = last.plus(cells[order[at]])
		s.consider(split{column: f, right: order[:at], left: last})
	}
}

// categoryValue is the value that orders a category: 0 of one too light to be a leaf.
func (s *scanner) categoryValue(c cell) float64 {
	g, h := s.floats(c)
	if h < s.minChild {
		return 0
	}
	return s.value(g, h, unlimited)
}

// consider notes x if it is the best split so far.
func (s *scanner) consider(x split) {
	if x.gain = s.gain(x.column, x.left); x.gain > s.best.gain {
		s.best = x
	}
}
