package gbdt

import (
	"math"
	"slices"
)

// node is one node of a tree. A leaf has left -1.
type node struct {
	left, right int32
	feature     int32
	value       float32 // threshold: what is below goes left; of a leaf, its value
	set         int32   // if above 0: categories in tree.sets[set-1] go right, the rest left
	defaultLeft bool    // where missing values go
	gain        float32 // loss reduction of the split
	cover       float32 // sum of hessians of the training rows that came here
	weight      float32 // the value it would have as a leaf, before eta
}

func (n *node) leaf() bool { return n.left < 0 }

// tree adds to the margin of one class.
type tree struct {
	class int
	nodes []node
	sets  [][]int32 // categories, ascending
}

// next returns where x goes from n.
func (t *tree) next(n *node, x float32) int32 {
	left := x < n.value
	switch {
	case x != x:
		left = n.defaultLeft
	case n.set > 0:
		left = !has(t.sets[n.set-1], x)
	}
	if left {
		return n.left
	}
	return n.right
}

// has tells if set has category x; what is no category is in no set.
func has(set []int32, x float32) bool {
	if !(x >= 0 && x < math.MaxInt32) {
		return false
	}
	_, found := slices.BinarySearch(set, int32(x))
	return found
}

// find returns the leaf that row falls in.
func (t *tree) find(row []float32) int32 {
	i := int32(0)
	for {
		n := &t.nodes[i]
		if n.leaf() {
			return i
		}
		i = t.next(n, row[n.feature])
	}
}

// findBinned is find of row i of a binned table. It looks at the columns on the way
// alone: unpacking all of them took six times as long as growing the tree.
func (t *tree) findBinned(b *binned, i int) int32 {
	at := int32(0)
	for {
		n := &t.nodes[at]
		if n.leaf() {
			return at
		}
		at = t.next(n, b.value(int(n.feature), i))
	}
}
