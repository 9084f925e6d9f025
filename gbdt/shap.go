package gbdt

import "math"

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
	e.explain(m, row[:m.features], out[:m.classes*(m.features+1)])
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

// weigher is what explanations of a model have in common. It is made for the first.
type weigher struct {
	rule  []points
	means []float64 // by class: base margin and means of all trees
	depth int       // of the deepest tree
}

func newWeigher(m *Model) *weigher {
	w := &weigher{means: make([]float64, m.classes)}
	for k := range w.means {
		w.means[k] = float64(m.base[k])
	}
	most := 1
	for i := range m.trees {
		t := &m.trees[i]
		columns, depth := t.extent()
		most, w.depth = max(most, columns), max(w.depth, depth)
		w.means[t.class] += t.mean(0)
	}
	w.rule = gaussLegendre((most + 1) / 2)
	return w
}

// edge is an edge that the row takes, and with it all above that split the same
// column.
type edge struct {
	z       float64
	inverse quad // of the column's factor, z(1-t)+t
	slope   quad // (1-z) over the factor
}

// explainer has the room that an explanation needs.
type explainer struct {
	*weigher
	sums  []float64 // contributions by class and column, as they grow
	edges []edge    // by depth; the first is of a column that is not above
	last  []int32   // by column: the last edge above, or stray

	// at hand
	points *points
	tree   *tree
	row    []float32
	phi    []float64 // of the tree's class
}

// stray says that the row has not taken an edge above of the column: the factor is
// z(1-t), and the leaves below say nothing more of the column.
const stray = -1

func newExplainer(m *Model, w *weigher) *explainer {
	e := &explainer{weigher: w, sums: make([]float64, m.classes*m.features),
		last: make([]int32, m.features), edges: make([]edge, w.depth+1)}
	e.edges[0] = edge{z: 1, inverse: quad{1, 1, 1, 1}}
	return e
}

func (e *explainer) explain(m *Model, row, out []float32) {
	clear(e.sums)
	e.row = row
	for i := range m.trees {
		e.tree = &m.trees[i]
		e.phi = e.sums[e.tree.class*m.features:][:m.features]
		for k := range e.rule {
			e.points = &e.rule[k]
			e.walk(&e.tree.nodes[0], 1, quad{1, 1, 1, 1})
		}
	}
	for k := range m.classes {
		to := out[k*(m.features+1):]
		for f, x := range e.sums[k*m.features : (k+1)*m.features] {
			to[f] = float32(x)
		}
		to[m.features] = float32(e.means[k])
	}
}

// walk adds the contributions below node n, where the product of the factors above
// is given, and returns the sum over the leaves below of product, weight and value.
// The children are at depth.
func (e *explainer) walk(n *node, depth int, product quad) quad {
	if n.leaf() {
		return e.points.weight.times(product).by(float64(n.value))
	}
	old := e.last[n.feature]
	left, right := &e.tree.nodes[n.left], &e.tree.nodes[n.right]
	var partLeft, partRight float64 // of the training rows; none if there were none
	if n.cover > 0 {
		partLeft, partRight = float64(left.cover)/float64(n.cover), float64(right.cover)/float64(n.cover)
	}
	if old == stray {
		sum := e.walk(left, depth+1, product.by(partLeft))
		return sum.plus(e.walk(right, depth+1, product.by(partRight)))
	}
	if e.tree.next(n, e.row[n.feature]) == n.right {
		left, right, partLeft, partRight = right, left, partRight, partLeft
	}
	sum := e.take(n, left, depth, old, partLeft, product).plus(e.miss(n, right, depth, old, partRight, product))
	e.last[n.feature] = old
	return sum
}

// take goes down the edge that the row takes. The sum of the leaves below times
// (1-z) over the factor is the column's contribution, less the same of the edge
// above of that column, whose sum has these leaves too.
func (e *explainer) take(n, child *node, depth int, old int32, part float64, product quad) quad {
	above, here := &e.edges[old], &e.edges[depth]
	z := float64(above.z * part)
	factor := e.points.factor(z)
	here.z, here.inverse = z, factor.inverse()
	here.slope = here.inverse.by(1 - z)
	e.last[n.feature] = int32(depth)
	sum := e.walk(child, depth+1, product.times(factor).times(above.inverse))
	e.phi[n.feature] += sum.dot(here.slope) - sum.dot(above.slope)
	return sum
}

// miss goes down the other edge: the factor is z(1-t), the slope -1/(1-t).
func (e *explainer) miss(n, child *node, depth int, old int32, part float64, product quad) quad {
	above := &e.edges[old]
	e.last[n.feature] = stray
	sum := e.walk(child, depth+1, product.times(e.points.rest).times(above.inverse).by(above.z*part))
	e.phi[n.feature] -= sum.dot(e.points.inverseRest) + sum.dot(above.slope)
	return sum
}

// extent returns the most distinct columns and the most nodes above any leaf.
func (t *tree) extent() (columns, depth int) {
	above := map[int32]int{}
	var walk func(id int32, d int)
	walk = func(id int32, d int) {
		columns, depth = max(columns, len(above)), max(depth, d)
		n := &t.nodes[id]
		if n.leaf() {
			return
		}
		above[n.feature]++
		walk(n.left, d+1)
		walk(n.right, d+1)
		if above[n.feature]--; above[n.feature] == 0 {
			delete(above, n.feature)
		}
	}
	walk(0, 0)
	return columns, depth
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
