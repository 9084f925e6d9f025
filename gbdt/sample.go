package gbdt

// sampler picks the columns that a tree, a level and a node may split.
type sampler struct {
	p    *Params
	seed uint64
	cols int
	tree []int // the tree's columns; nil if no column is ever left out
}

func newSampler(p *Params, cols, round, class int) sampler {
	if p.ColsampleByTree == 1 && p.ColsampleByLevel == 1 && p.ColsampleByNode == 1 {
		return sampler{}
	}
	all := make([]int, cols)
	for i := range all {
		all[i] = i
	}
	seed := mix(mix(p.Seed+0x5bd1) ^ uint64(round)<<16 ^ uint64(class))
	return sampler{p, seed, cols, pick(all, p.ColsampleByTree, seed)}
}

// pick returns a part of columns: a shuffle's first elements, at least one.
func pick(columns []int, part float64, seed uint64) []int {
	if part == 1 {
		return columns
	}
	out := append([]int(nil), columns...)
	n := max(1, int(part*float64(len(out))))
	for i := range n {
		j := i + int(mix(seed+uint64(i))%uint64(len(out)-i))
		out[i], out[j] = out[j], out[i]
	}
	return out[:n]
}

// masks returns the columns of each leaf by its node; nil masks allow all.
func (s sampler) masks(groups ...[]*leaf) map[int32][]bool {
	if s.tree == nil {
		return nil
	}
	masks := make(map[int32][]bool)
	for _, leaves := range groups {
		for _, l := range leaves {
			level := pick(s.tree, s.p.ColsampleByLevel, mix(s.seed^uint64(l.depth+1)<<40))
			columns := pick(level, s.p.ColsampleByNode, mix(s.seed^uint64(l.id+1)<<8))
			masks[l.id] = s.mask(columns)
		}
	}
	return masks
}

func (s sampler) mask(columns []int) []bool {
	mask := make([]bool, s.cols)
	for _, f := range columns {
		mask[f] = true
	}
	return mask
}
