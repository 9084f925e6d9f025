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

// explainer has the room that an explanation needs.
type explainer struct {
	points, weights []float64 // of the rule
	means           []float64 // by class: base margin and means of all trees
	sums            []float64 // contributions by class and column, as they grow
	edges           []edge    // by column: the last edge above, on the way down
	products        []float64 // by depth and point
	row             []float32
	tree            *tree
	phi             []float64 // of the tree's class
}

// edge is a column's part in the path so far: z and o of Contributions.
type edge struct{ z, o float64 }

func newExplainer(m *Model) *explainer {
	columns, depth := 0, 0
	means := make([]float64, m.classes)
	for k := range means {
		means[k] = float64(m.base[k])
	}
	for i := range m.trees {
		t := &m.trees[i]
		c, d := t.extent()
		columns, depth = max(columns, c), max(depth, d)
		means[t.class] += t.mean(0)
	}
	e := &explainer{means: means, sums: make([]float64, m.classes*m.features), edges: make([]edge, m.features)}
	e.points, e.weights = gaussLegendre(max(1, (columns+1)/2))
	e.products = make([]float64, (2*depth+1)*len(e.points))
	for i := range e.edges {
		e.edges[i] = edge{1, 1}
	}
	return e
}

func (e *explainer) explain(m *Model, row, out []float32) {
	clear(e.sums)
	e.row = row
	q := len(e.points)
	for i := range m.trees {
		for i := range e.products[:q] {
			e.products[i] = 1
		}
		e.tree = &m.trees[i]
		e.phi = e.sums[e.tree.class*m.features:][:m.features]
		e.walk(0, e.products)
	}
	for k := range m.classes {
		to := out[k*(m.features+1):]
		for f, x := range e.sums[k*m.features : (k+1)*m.features] {
			to[f] = float32(x)
		}
		to[m.features] = float32(e.means[k])
	}
}

// walk adds the contributions below node id, whose products of factors, by point,
// stand first in room. It leaves in their place the sums over the leaves below of
// product, weight and value.
func (e *explainer) walk(id int32, room []float64) {
	n, q := &e.tree.nodes[id], len(e.points)
	here := room[:q]
	if n.leaf() {
		for i, w := range e.weights {
			here[i] *= float64(w * float64(n.value))
		}
		return
	}
	taken := e.tree.next(n, e.row[n.feature])
	total, below := room[q:2*q], room[2*q:]
	clear(total)
	old := e.edges[n.feature]
	for _, child := range [2]int32{n.left, n.right} {
		now := edge{z: old.z * float64(e.tree.nodes[child].cover) / float64(n.cover)}
		if child == taken {
			now.o = old.o
		}
		if now.z == 0 && now.o == 0 || now.z != now.z {
			continue
		}
		for i, t := range e.points {
			below[i] = here[i] * now.at(t) / old.at(t)
		}
		e.edges[n.feature] = now
		e.walk(child, below)
		var phi float64
		for i, t := range e.points {
			phi += float64(below[i] * ((now.o-now.z)/now.at(t) - (old.o-old.z)/old.at(t)))
			total[i] += below[i]
		}
		e.phi[n.feature] += phi
	}
	e.edges[n.feature] = old
	copy(here, total)
}

// at is the factor at t.
func (x edge) at(t float64) float64 { return float64(x.z*(1-t)) + float64(x.o*t) }

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

// gaussLegendre returns the points and weights of the rule of n points on [0, 1].
func gaussLegendre(n int) (points, weights []float64) {
	for i := range n {
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
		points = append(points, (1+x)/2)
		weights = append(weights, 1/((1-float64(x*x))*slope*slope))
	}
	return points, weights
}
