package gbdt

import (
	"math"
	"slices"
)

// scale turns gradients into integers.
type scale struct{ g, h float64 }

// segment is a span of rows: the rows of each node among them, in order.
type segment struct {
	entries  []entry
	from, to []int32 // by node
}

// of returns the entries of a node.
func (s *segment) of(id int32) []entry { return s.entries[s.from[id]:s.to[id]] }

// segmentRows bounds a segment, and with it the room that parting rows needs.
const segmentRows = 1 << 16

// leaf is a node that may be split.
type leaf struct {
	id     int32
	depth  int
	rows   int
	total  cell
	limits limits
	hist   *histogram // nil if it can not be split further
	best   split
}

// grower grows trees over binned data. It is made once and used for each tree.
type grower struct {
	p        *Params
	b        *binned
	threads  int
	values   valuer
	columns  sampler
	segments []segment
	grad     gradients
	kept     []gradient     // of the round, by row; nil if there are more than keptRows
	exact    []wideGradient // with FullPrecision
	scale    scale
	tree     *tree
	limits   []limits // by node
	free     []*histogram
	// by worker
	tiles       []*tile
	sparseTiles []*sparseTile
	spare       [][]entry
	gradients   [][]gradient // of a segment, where none are kept
}

// keptRows is how many rows' gradients are kept for the round, 8 MiB of them; of more
// rows they are computed each time they are wanted.
const keptRows = 1 << 20

func newGrower(p *Params, b *binned, d *TrainData) *grower {
	g := &grower{p: p, b: b, threads: p.threads(), values: newValuer(p)}
	g.grad = gradients{loss: lossOf(p.Objective), classes: p.classes(), labels: d.Labels, weights: d.Weights, posWeight: float32(p.ScalePosWeight)}
	for lo := 0; lo < b.rows; lo += segmentRows {
		g.segments = append(g.segments, segment{entries: make([]entry, min(segmentRows, b.rows-lo))})
	}
	for range g.threads {
		g.tiles = append(g.tiles, new(tile))
		g.sparseTiles = append(g.sparseTiles, new(sparseTile))
		g.spare = append(g.spare, make([]entry, min(segmentRows, b.rows)))
		if b.rows > keptRows {
			g.gradients = append(g.gradients, make([]gradient, segmentRows))
		}
	}
	if b.rows <= keptRows {
		g.kept = make([]gradient, b.rows)
	}
	if p.FullPrecision {
		g.exact = make([]wideGradient, b.rows)
	}
	return g
}

// grow returns the tree of one class in one round, whose gradients follow from
// the predictions.
func (g *grower) grow(round, class int, predictions []float32) *tree {
	g.grad.class, g.grad.predictions = class, predictions
	g.columns = newSampler(g.p, g.b.cols, round, class)
	g.tree = &tree{class: class, nodes: []node{{left: -1, right: -1}}}
	g.limits = append(g.limits[:0], unlimited)
	key := mix(g.p.Seed ^ mix(uint64(round)<<16|uint64(class)))
	g.setScale()
	root := g.load(key)
	queue := &leafQueue{byGain: g.p.GrowPolicy == LossGuide}
	g.admit([]*leaf{root}, nil, queue)
	leaves := 1
	for queue.Len() > 0 {
		var batch []*leaf
		for _, l := range queue.next() {
			if g.p.MaxLeaves == 0 || leaves < g.p.MaxLeaves {
				batch = append(batch, l)
				leaves++
			} else {
				g.release(l)
			}
		}
		g.split(batch, queue)
	}
	g.setLeaves()
	return g.tree
}

// batchRows is how many gradients are computed at a time: they stay in the
// first-level cache.
const batchRows = 1 << 10

// batches calls f with the gradients of segment k, a batch at a time, and their
// first row.
func (g *grower) batches(worker, k int, f func(row int, gradients []gradient)) {
	lo, hi := g.span(k)
	if g.kept != nil {
		f(lo, g.kept[lo:hi])
		return
	}
	for ; lo < hi; lo += batchRows {
		batch := g.gradients[worker][:min(batchRows, hi-lo)]
		g.grad.fill(lo, batch)
		f(lo, batch)
	}
}

// span returns the rows of segment k.
func (g *grower) span(k int) (lo, hi int) {
	return k * segmentRows, k*segmentRows + cap(g.segments[k].entries)
}

// setScale finds the largest gradients and maps them near the end of the range.
func (g *grower) setScale() {
	const sign = 1 << 31
	type bits struct{ g, h uint32 } // floats from 0 on are ordered as their bits are
	top := make([]bits, len(g.segments))
	parallel(len(g.segments), g.threads, func(worker, k int) {
		if lo, hi := g.span(k); g.kept != nil {
			g.grad.fill(lo, g.kept[lo:hi])
		}
		g.batches(worker, k, func(_ int, gradients []gradient) {
			t := top[k]
			for _, x := range gradients {
				t.g, t.h = max(t.g, math.Float32bits(x.g)&^sign), max(t.h, math.Float32bits(x.h)&^sign)
			}
			top[k] = t
		})
	})
	var all bits
	for _, t := range top {
		all = bits{max(all.g, t.g), max(all.h, t.h)}
	}
	g.scale = scale{1, 1}
	rangeG, rangeH := 32766.0, 65534.0
	if g.p.FullPrecision {
		rangeG, rangeH = math.MaxInt32-1, math.MaxInt32-1
	}
	if all.g > 0 {
		g.scale.g = rangeG / float64(math.Float32frombits(all.g))
	}
	if all.h > 0 {
		g.scale.h = rangeH / float64(math.Float32frombits(all.h))
	}
	g.values.setScale(g.scale)
}

// load puts the sampled rows with their gradients in the root.
func (g *grower) load(key uint64) *leaf {
	totals := make([]cell, len(g.segments))
	keep := uint64(math.MaxUint64)
	if g.p.Subsample < 1 {
		keep = uint64(float64(g.p.Subsample*(1<<63))) << 1
	}
	parallel(len(g.segments), g.threads, func(worker, k int) {
		s := &g.segments[k]
		entries, total := s.entries[:cap(s.entries)], cell{}
		n := 0
		g.batches(worker, k, func(row int, gradients []gradient) {
			if keep == math.MaxUint64 && g.exact == nil {
				total = total.plus(g.scale.roundAll(entries[n:][:len(gradients)], row, gradients, key))
				n += len(gradients)
				return
			}
			for i, x := range gradients {
				random := mix(key ^ uint64(row+i))
				if random > keep {
					continue
				}
				var v cell
				if g.exact != nil {
					g.exact[row+i], v = g.scale.exact(x)
					entries[n] = newEntry(row+i, 0, 0)
				} else {
					v = g.scale.round(x, random)
					entries[n] = newEntry(row+i, int32(v.g), int32(v.h))
				}
				n++
				total = total.plus(v)
			}
		})
		s.entries, totals[k] = entries[:n], total
		s.from, s.to = append(s.from[:0], 0), append(s.to[:0], int32(n))
	})
	root := &leaf{limits: unlimited}
	for i, t := range totals {
		root.total.g += t.g
		root.total.h += t.h
		root.rows += len(g.segments[i].entries)
	}
	return root
}

// round returns x in integers, rounded up or down by the low bits of random.
func (s scale) round(x gradient, random uint64) cell {
	const one = 0x3ff << 52 // as a float64; below it are the bits of its fraction
	up := math.Float64frombits(one|random&0xffff<<36) - 1
	upH := math.Float64frombits(one|random>>16&0xffff<<36) - 1
	g := int64(float64(float64(x.g)*s.g)+up+65536) - 65536
	return cell{g, int64(float64(float64(x.h)*s.h) + upH)}
}

// roundAll makes entries of the gradients of the rows from row on and returns their sum.
func (s scale) roundAll(entries []entry, row int, gradients []gradient, key uint64) (total cell) {
	entries = entries[:len(gradients)]
	for i, x := range gradients {
		v := s.round(x, mix(key^uint64(row+i)))
		entries[i] = newEntry(row+i, int32(v.g), int32(v.h))
		total = total.plus(v)
	}
	return total
}

// exact returns x in integers of 32 bits.
func (s scale) exact(x gradient) (wideGradient, cell) {
	v := wideGradient{int32(math.RoundToEven(float64(float64(x.g) * s.g))), int32(math.RoundToEven(float64(float64(x.h) * s.h)))}
	return v, cell{int64(v.g), int64(v.h)}
}

// split splits each leaf of the batch as its best split says and admits the
// children to the queue.
func (g *grower) split(batch []*leaf, queue *leafQueue) {
	for _, l := range batch {
		g.addChildren(l)
	}
	lefts := g.part(batch)
	var build, rest []*leaf
	for i, l := range batch {
		left, right := g.children(l, lefts[i])
		if !g.splittable(left) && !g.splittable(right) {
			g.release(l)
			continue
		}
		// The smaller side is summed; the larger is the parent less the smaller.
		small, large := left, right
		if left.rows > right.rows {
			small, large = right, left
		}
		large.hist = l.hist
		build, rest = append(build, small), append(rest, large)
	}
	g.admit(build, rest, queue)
}

// splittable tells if a node may have children at all.
func (g *grower) splittable(l *leaf) bool {
	deeper := g.p.MaxDepth == 0 || l.depth < g.p.MaxDepth
	return deeper && l.rows > 1 && float64(l.total.h)/g.scale.h >= 2*g.p.MinChildWeight
}

// addChildren makes the nodes of a split.
func (g *grower) addChildren(l *leaf) {
	t, s := g.tree, &l.best
	id := int32(len(t.nodes))
	n := &t.nodes[l.id]
	n.left, n.right, n.feature, n.defaultLeft, n.gain = id, id+1, int32(s.column), s.defaultLeft, float32(s.gain)
	switch cuts := g.b.cuts[s.column]; {
	case s.right != nil:
		set := slices.Clone(s.right)
		slices.Sort(set)
		t.sets = append(t.sets, set)
		n.set = int32(len(t.sets))
	case s.bin == len(cuts):
		n.value = math.MaxFloat32 // parts what is there from what is missing
	default:
		n.value = cuts[s.bin]
	}
	t.nodes = append(t.nodes, node{left: -1, right: -1}, node{left: -1, right: -1})
	left, right := g.childLimits(l)
	g.limits = append(g.limits, left, right)
}

// childLimits halves the room of values between the sides of a monotone split.
func (g *grower) childLimits(l *leaf) (left, right limits) {
	left, right = l.limits, l.limits
	if l.best.column >= len(g.p.MonotoneConstraints) {
		return left, right
	}
	v := func(c cell) float64 {
		return g.values.value(float64(c.g)/g.scale.g, float64(c.h)/g.scale.h, l.limits)
	}
	mid := (v(l.best.left) + v(l.total.less(l.best.left))) / 2
	switch g.p.MonotoneConstraints[l.best.column] {
	case 1:
		left.high, right.low = mid, mid
	case -1:
		left.low, right.high = mid, mid
	}
	return left, right
}

// children returns the leaves under l, of which leftRows rows are on the left.
func (g *grower) children(l *leaf, leftRows int) (left, right *leaf) {
	n := &g.tree.nodes[l.id]
	left = &leaf{id: n.left, depth: l.depth + 1, rows: leftRows, total: l.best.left, limits: g.limits[n.left]}
	right = &leaf{id: n.right, depth: l.depth + 1, rows: l.rows - leftRows, limits: g.limits[n.right]}
	right.total = l.total.less(left.total)
	return left, right
}

// setLeaves computes the values of all nodes from the gradients as they are.
func (g *grower) setLeaves() {
	type sum struct{ g, h float64 }
	nodes := g.tree.nodes
	sums := make([]sum, len(g.segments)*len(nodes))
	parallel(len(g.segments), g.threads, func(worker, k int) {
		lo, hi := g.span(k)
		gradients := g.roundGradients(worker, lo, hi)
		for id := range nodes {
			if !nodes[id].leaf() {
				continue
			}
			var s sum
			for _, e := range g.segments[k].of(int32(id)) {
				x := gradients[int(e.row())-lo]
				s.g += float64(x.g)
				s.h += float64(x.h)
			}
			sums[k*len(nodes)+id] = s
		}
	})
	total := make([]sum, len(nodes))
	for i, s := range sums { // in the order of the segments
		t := &total[i%len(nodes)]
		t.g += s.g
		t.h += s.h
	}
	for id := len(nodes) - 1; id >= 0; id-- { // children come after their parents
		n, t := &nodes[id], &total[id]
		if !n.leaf() {
			a, b := total[n.left], total[n.right]
			*t = sum{a.g + b.g, a.h + b.h}
		}
		w := g.values.value(t.g, t.h, g.limits[id])
		n.weight, n.cover = float32(w), float32(t.h)
		if n.leaf() {
			n.value = float32(float64(w * g.p.Eta))
		}
	}
}

// roundGradients returns the gradients of the rows from lo to hi.
func (g *grower) roundGradients(worker, lo, hi int) []gradient {
	if g.kept != nil {
		return g.kept[lo:hi]
	}
	all := g.gradients[worker][:hi-lo]
	g.grad.fill(lo, all)
	return all
}

// update adds the tree's values to the margins of its class.
func (g *grower) update(margins []float32) {
	t, k := g.tree, g.grad.classes
	parallel(len(g.segments), g.threads, func(_, i int) {
		s := &g.segments[i]
		if len(s.entries) < cap(s.entries) { // rows that were not sampled
			for row, hi := g.span(i); row < hi; row++ {
				margins[row*k+t.class] += t.nodes[t.findBinned(g.b, row)].value
			}
			return
		}
		for id := range t.nodes {
			if n := &t.nodes[id]; n.leaf() {
				for _, e := range s.of(int32(id)) {
					margins[int(e.row())*k+t.class] += n.value
				}
			}
		}
	})
}

// release gives back the histogram of a leaf that stays one.
func (g *grower) release(l *leaf) {
	if l.hist != nil {
		g.free = append(g.free, l.hist)
		l.hist = nil
	}
}
