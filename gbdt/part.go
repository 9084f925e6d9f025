package gbdt

// part parts the rows of each leaf of the batch and returns how many went left.
func (g *grower) part(batch []*leaf) []int {
	counts := make([]int, len(g.segments)*len(batch))
	tables := make([][256]uint8, len(batch))
	for i, l := range batch {
		tables[i] = rightBins(&l.best, g.b.missing[l.best.column])
	}
	parallel(len(g.segments), g.threads, func(worker, k int) {
		s := &g.segments[k]
		for len(s.from) < len(g.tree.nodes) {
			s.from, s.to = append(s.from, 0), append(s.to, 0)
		}
		for i, l := range batch {
			lo, hi := s.from[l.id], s.to[l.id]
			part := partEntries
			if l.best.lopsided(l.total) {
				part = partLopsided
			}
			left := int32(part(s.of(l.id), g.spare[worker], g.b.columns[l.best.column], &tables[i]))
			n := &g.tree.nodes[l.id]
			s.from[n.left], s.to[n.left] = lo, lo+left
			s.from[n.right], s.to[n.right] = lo+left, hi
			counts[k*len(batch)+i] = int(left)
		}
	})
	lefts := make([]int, len(batch))
	for i, n := range counts {
		lefts[i%len(batch)] += n
	}
	return lefts
}

// rightBins has 1 for the bins that go right.
func rightBins(s *split, missing bool) (table [256]uint8) {
	for _, category := range s.right {
		table[category] = 1
	}
	for i := s.bin + 1; i < len(table) && s.right == nil; i++ {
		table[i] = 1
	}
	if missing {
		table[missingBin] = 1
		if s.defaultLeft {
			table[missingBin] = 0
		}
	}
	return table
}

// partEntries moves the entries that go left to the front, keeping their order
// and that of the others, and returns how many there are. It does not branch on
// the data, which no predictor could guess.
func partEntries(entries, spare []entry, bins []uint8, right *[256]uint8) int {
	l, r := 0, 0
	for _, e := range entries {
		entries[l], spare[r] = e, e
		v := int(right[bins[e.row()]])
		r += v
		l += 1 - v
	}
	copy(entries[l:], spare[:r])
	return l
}

// lopsided tells if nearly all of a node with this total goes to one side.
func (s *split) lopsided(total cell) bool {
	return 16*min(s.left.h, total.h-s.left.h) < total.h
}

// partLopsided is partEntries for a split that a predictor guesses well.
func partLopsided(entries, spare []entry, bins []uint8, right *[256]uint8) int {
	l, r := 0, 0
	for _, e := range entries {
		if right[bins[e.row()]] == 0 {
			entries[l] = e
			l++
		} else {
			spare[r] = e
			r++
		}
	}
	copy(entries[l:], spare[:r])
	return l
}
