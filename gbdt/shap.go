package gbdt

import (
	"math"
	"slices"
)

// Contributions writes how much each column of row moved each margin from its
// mean over the training rows: exact Shapley values of the trees (TreeSHAP), as
// XGBoost's pred_contribs. Out has Features+1 values per class, the last the mean
// itself; their sum is the margin.
//
// The Shapley value of a column is the integral over t from 0 to 1 of the margin's
// derivative by that column when every column takes part with probability t. For
// one leaf that is a polynomial in t with one factor for each column above it: z
// (the part of the training rows that pass its splits) with probability 1-t, and o
// (1 if the row passes, else 0) with probability t. Gauss and Legendre's rule of
// half as many points as there are columns integrates it exactly, so that one walk
// over the tree with a few products at each node is enough.
func (m *Model) Contributions(row, out []float32) {
	e := m.explainers.Get().(*explainer)
	defer m.explainers.Put(e)
	row = row[:m.features]
	e.explain(m, 1, func(int) []float32 { return row }, out[:m.classes*(m.features+1)])
}

// quad is a number for each of four points of the rule.
type quad struct{ a, b, c, d float64 }

func (x quad) plus(y quad) quad { return quad{x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d} }
func (x quad) times(y quad) quad {
	return quad{float64(x.a * y.a), float64(x.b * y.b), float64(x.c * y.c), float64(x.d * y.d)}
}
func (x quad) by(s float64) quad {
	return quad{float64(x.a * s), float64(x.b * s), float64(x.c * s), float64(x.d * s)}
}
func (x quad) inverse() quad { return quad{1 / x.a, 1 / x.b, 1 / x.c, 1 / x.d} }

// dot returns the sum of the products.
func (x quad) dot(y quad) float64 {
	return (float64(x.a*y.a) + float64(x.b*y.b)) + (float64(x.c*y.c) + float64(x.d*y.d))
}

// factor returns z(1-t)+t.
func (p *points) factor(z float64) quad {
	r, t := &p.rest, &p.t
	return quad{float64(z*r.a) + t.a, float64(z*r.b) + t.b, float64(z*r.c) + t.c, float64(z*r.d) + t.d}
}

// points are four points t of the rule: 1-t, 1/(1-t) and their weights.
type points struct{ t, rest, inverseRest, weight quad }

// way is what the walk over a tree multiplies by when it goes down the edge into a
// node, where no edge above of the same column was missed. All of it follows from
// the tree, so that no row divides: an edge that the row takes has the part z of the
// training rows that pass it and all edges above that split its column.
type way struct {
	part float64 // of the training rows at the node's parent
	// Taken: the column's factor over what it was above, and its slope, (1-z) over
	// the factor, less the slope above.
	take, takeSlope quad
	// Missed: the factor is z(1-t), the slope -1/(1-t), less the slope above.
	miss, missSlope quad
	leaf            quad // weight times value, if the node is a leaf
}

// weigher is what explanations of a model have in common. It is made for the first.
type weigher struct {
	rules int       // how often four points
	means []float64 // by class: base margin and means of all trees
	ways  [][]way   // by tree: of node id at point set k, ways[id*rules+k]
}

func newWeigher(m *Model) *weigher {
	w := &weigher{means: make([]float64, m.classes), ways: make([][]way, len(m.trees))}
	for k := range w.means {
		w.means[k] = float64(m.base[k])
	}
	most := 1
	for i := range m.trees {
		t := &m.trees[i]
		most = max(most, t.columns())
		w.means[t.class] += t.mean(0)
	}
	rule := gaussLegendre((most + 1) / 2)
	w.rules = len(rule)
	for i := range m.trees {
		w.ways[i] = newWays(&m.trees[i], rule)
	}
	return w
}

// wayfinder makes the ways of one tree for four points of the rule.
type wayfinder struct {
	points *points
	tree   *tree
	ways   []way // of the node with this id, every so many
	every  int
	above  map[int32]edge // by column: the last edge above that splits it
}

// edge is an edge that a row takes, and with it all above that split the same
// column.
type edge struct {
	z       float64
	inverse quad // of the column's factor, z(1-t)+t
	slope   quad // (1-z) over the factor
}

func newWays(t *tree, rule []points) []way {
	all := make([]way, len(t.nodes)*len(rule))
	for k := range rule {
		f := wayfinder{&rule[k], t, all[k:], len(rule), map[int32]edge{}}
		f.walk(0)
	}
	return all
}

// walk makes the ways below node id.
func (f *wayfinder) walk(id int32) {
	n := &f.tree.nodes[id]
	if n.leaf() {
		f.ways[int(id)*f.every].leaf = f.points.weight.by(float64(n.value))
		return
	}
	above, split := f.above[n.feature]
	if !split {
		above = edge{z: 1, inverse: quad{1, 1, 1, 1}}
	}
	for _, child := range [2]int32{n.left, n.right} {
		var part float64 // none if there were no training rows
		if n.cover > 0 {
			part = float64(f.tree.nodes[child].cover) / float64(n.cover)
		}
		z := float64(above.z * part)
		factor := f.points.factor(z)
		here := edge{z: z, inverse: factor.inverse()}
		here.slope = here.inverse.by(1 - z)
		w := &f.ways[int(child)*f.every]
		w.part = part
		w.take, w.takeSlope = factor.times(above.inverse), here.slope.plus(above.slope.by(-1))
		w.miss, w.missSlope = f.points.rest.times(above.inverse).by(z), f.points.inverseRest.plus(above.slope).by(-1)
		f.above[n.feature] = here
		f.walk(child)
	}
	if f.above[n.feature] = above; !split {
		delete(f.above, n.feature)
	}
}

// explainer has the room that explanations need.
type explainer struct {
	*weigher
	sums   []float64 // contributions by row, class and column, as they grow
	missed []bool    // by column: an edge above was missed, so that the leaves below say nothing more of it

	// at hand
	tree *tree
	ways []way
	row  []float32
	phi  []float64 // of the row and the tree's class
}

func newExplainer(m *Model, w *weigher) *explainer {
	return &explainer{weigher: w, missed: make([]bool, m.features)}
}

// explain explains n rows, each tree for all of them in turn: its ways stay in the
// cache.
func (e *explainer) explain(m *Model, n int, row func(i int) []float32, out []float32) {
	width := m.classes * m.features
	e.sums = slices.Grow(e.sums[:0], n*width)[:n*width]
	clear(e.sums)
	for t := range m.trees {
		e.tree = &m.trees[t]
		for i := range n {
			e.row, e.phi = row(i), e.sums[i*width+e.tree.class*m.features:][:m.features]
			for k := range e.rules {
				e.ways = e.weigher.ways[t][k:]
				e.walk(0, &quad{1, 1, 1, 1})
			}
		}
	}
	for k := range n * m.classes {
		to := out[k*(m.features+1):]
		for f, x := range e.sums[k*m.features : (k+1)*m.features] {
			to[f] = float32(x)
		}
		to[m.features] = float32(e.means[k%m.classes])
	}
}

// walk adds the contributions below node id, where the product of the factors above
// is given, and returns the sum over the leaves below of product, weight and value.
func (e *explainer) walk(id int32, product *quad) quad {
	n := &e.tree.nodes[id]
	if n.leaf() {
		return e.way(id).leaf.times(*product)
	}
	f := n.feature
	if e.missed[f] {
		left, right := product.by(e.way(n.left).part), product.by(e.way(n.right).part)
		sum := e.walk(n.left, &left)
		return sum.plus(e.walk(n.right, &right))
	}
	taken := e.tree.next(n, e.row[f])
	way := e.way(taken)
	down := product.times(way.take)
	sum := e.walk(taken, &down)
	moved := sum.dot(way.takeSlope)

	missed := n.left + n.right - taken
	way = e.way(missed)
	down = product.times(way.miss)
	e.missed[f] = true
	rest := e.walk(missed, &down)
	e.missed[f] = false
	e.phi[f] += moved + rest.dot(way.missSlope)
	return sum.plus(rest)
}

// way returns the way into node id.
func (e *explainer) way(id int32) *way { return &e.ways[int(id)*e.rules] }

// columns returns the most distinct columns above any leaf.
func (t *tree) columns() int {
	most, above := 0, map[int32]int{}
	var walk func(id int32)
	walk = func(id int32) {
		most = max(most, len(above))
		n := &t.nodes[id]
		if n.leaf() {
			return
		}
		above[n.feature]++
		walk(n.left)
		walk(n.right)
		if above[n.feature]--; above[n.feature] == 0 {
			delete(above, n.feature)
		}
	}
	walk(0)
	return most
}

// mean returns the mean of the leaves below node id, weighted by cover.
func (t *tree) mean(id int32) float64 {
	n := &t.nodes[id]
	if n.leaf() {
		return float64(n.value)
	}
	l, r := &t.nodes[n.left], &t.nodes[n.right]
	if n.cover == 0 {
		return 0
	}
	return (float64(t.mean(n.left)*float64(l.cover)) + float64(t.mean(n.right)*float64(r.cover))) / float64(n.cover)
}

// gaussLegendre returns the rule of n points on [0, 1], four by four; what is left
// of the last four has no weight.
func gaussLegendre(n int) []points {
	rule := make([]points, (n+3)/4)
	for i := range 4 * len(rule) {
		t, weight := 0.5, 0.0
		if i < n {
			t, weight = legendreRoot(i, n)
		}
		p := &rule[i/4]
		p.t.set(i%4, t)
		p.rest.set(i%4, 1-t)
		p.inverseRest.set(i%4, 1/(1-t))
		p.weight.set(i%4, weight)
	}
	return rule
}

func (x *quad) set(i int, v float64) {
	*[...]*float64{&x.a, &x.b, &x.c, &x.d}[i] = v
}

// legendreRoot returns root i of Legendre's polynomial of degree n, moved from
// [-1, 1] to [0, 1], and its weight.
func legendreRoot(i, n int) (t, weight float64) {
	x := math.Cos(math.Pi * (float64(i) + 0.75) / (float64(n) + 0.5))
	var slope float64
	for range 8 { // Newton's steps double the digits
		p, last := 1.0, 0.0
		for k := 1; k <= n; k++ {
			p, last = (float64(float64(float64(2*k-1)*x)*p)-float64(float64(k-1)*last))/float64(k), p
		}
		slope = float64(n) * (float64(x*p) - last) / (float64(x*x) - 1)
		x -= p / slope
	}
	return (1 + x) / 2, 1 / ((1 - float64(x*x)) * slope * slope)
}
