package gbdt

// admit computes the histograms of build and, where rest is not nil, of rest[i],
// which has its parent's and whose sibling is build[i]; it finds the best split of
// each and queues those that have one.
func (g *grower) admit(build, rest []*leaf, queue *leafQueue) {
	for _, l := range build {
		l.hist = g.newHistogram()
	}
	g.sum(build)
	blocks := len(g.b.blocks)
	found := make([][2]split, len(build)*blocks)
	masks := g.columns.masks(build, rest)
	parallel(len(found), g.threads, func(_, k int) {
		i, bl := k/blocks, &g.b.blocks[k%blocks]
		if bl.start != nil {
			build[i].hist.addMissing(g.b, bl, build[i].total)
		}
		if rest != nil {
			subtract(rest[i].hist, build[i].hist, bl)
			found[k][1] = g.search(rest[i], bl, masks[rest[i].id])
		}
		found[k][0] = g.search(build[i], bl, masks[build[i].id])
	})
	for i := range build {
		g.enqueue(build[i], found[i*blocks:(i+1)*blocks], 0, queue)
		if rest != nil {
			g.enqueue(rest[i], found[i*blocks:(i+1)*blocks], 1, queue)
		}
	}
}

// enqueue queues l if one of the splits found is worth it.
func (g *grower) enqueue(l *leaf, found [][2]split, side int, queue *leafQueue) {
	for _, f := range found {
		if f[side].gain > l.best.gain {
			l.best = f[side]
		}
	}
	const least = 1e-6 // XGBoost's
	if l.best.gain <= least || l.best.gain < g.p.Gamma {
		g.release(l)
		return
	}
	queue.push(l)
}

// search returns the best split of l among the columns of a block.
func (g *grower) search(l *leaf, bl *block, mask []bool) split {
	if !g.splittable(l) {
		return split{}
	}
	s := newScanner(&g.values, g.p, g.b, l.total, g.scale, l.limits)
	for k, f := range bl.columns {
		if mask == nil || mask[f] {
			s.column(f, (*[256]cell)(l.hist.column(bl, k)), l.hist.filledOf(bl, k))
		}
	}
	return s.best
}

// sum adds up the histograms of leaves, a job for each block and span of segments.
func (g *grower) sum(leaves []*leaf) {
	type job struct {
		leaf   *leaf
		block  *block
		lo, hi int // segments
	}
	var jobs []job
	for _, l := range leaves {
		span := len(g.segments)
		if g.threads > 1 {
			span = max(1, span*4*segmentRows/max(l.rows, 1))
		}
		for i := range g.b.blocks {
			for lo := 0; lo < len(g.segments); lo += span {
				jobs = append(jobs, job{l, &g.b.blocks[i], lo, min(lo+span, len(g.segments))})
			}
		}
	}
	parallel(len(jobs), g.threads, func(worker, i int) {
		j := &jobs[i]
		switch segments := g.segments[j.lo:j.hi]; {
		case g.exact != nil:
			g.sumExact(j.leaf, j.block, segments)
		case j.block.start == nil:
			sumTile(g.tiles[worker], g.b, j.leaf, j.block, segments)
		case j.leaf.rows < len(j.block.columns)*fewShare:
			sumFew(j.leaf, j.block, segments)
		default:
			sumTile(g.sparseTiles[worker], g.b, j.leaf, j.block, segments)
		}
	})
}

// fewShare is for how many rows a column of a sparse block the sums are added up
// without a tile: to drain its 256 cells takes as long.
const fewShare = 32

// sumTile sums the entries of a leaf in a tile, which it leaves empty.
func sumTile[T interface {
	add([]entry, *block)
	drain(*binned, *block, *histogram)
}](t T, b *binned, l *leaf, bl *block, segments []segment) {
	held := 0
	for i := range segments {
		entries := segments[i].of(l.id)
		if len(entries) == 0 {
			continue
		}
		if held += len(entries); held > tileRows {
			t.drain(b, bl, l.hist)
			held = len(entries)
		}
		t.add(entries, bl)
	}
	t.drain(b, bl, l.hist)
}

// sumFew sums the entries of a leaf in a sparse block without a tile.
func sumFew(l *leaf, bl *block, segments []segment) {
	l.hist.mu.Lock() // spans of one leaf and block may meet here
	defer l.hist.mu.Unlock()
	for i := range segments {
		l.hist.addFew(bl, segments[i].of(l.id))
	}
}

func (g *grower) sumExact(l *leaf, bl *block, segments []segment) {
	l.hist.mu.Lock()
	defer l.hist.mu.Unlock()
	for i := range segments {
		l.hist.addExact(bl, segments[i].of(l.id), g.exact)
	}
}

// subtract takes the cells of small from those of big.
func subtract(big, small *histogram, bl *block) {
	for k := range bl.columns {
		from, to := small.column(bl, k), big.column(bl, k)
		if bl.start == nil {
			for i := range to {
				to[i] = to[i].less(from[i])
			}
			continue
		}
		var room [256]uint8
		for _, i := range small.filled[bl.first+k].list(missingBin, &room) {
			to[i] = to[i].less(from[i])
		}
		to[missingBin] = to[missingBin].less(from[missingBin])
	}
}

// newHistogram returns an empty histogram.
func (g *grower) newHistogram() *histogram {
	n := len(g.free)
	if n == 0 {
		return &histogram{cells: make([]cell, g.b.cols*256), filled: make([]binSet, g.b.cols)}
	}
	h := g.free[n-1]
	g.free = g.free[:n-1]
	for i := range g.b.blocks {
		h.clear(&g.b.blocks[i])
	}
	return h
}
