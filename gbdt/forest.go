package gbdt

import (
	"math"
	"unsafe"
)

// forest is the trees laid out for speed: every tree complete to the same depth,
// children of node i at 2i and 2i+1, so that a step is a comparison and an
// addition with nothing to predict. Each column has two slots with the sort key of
// its value. Of a missing value one is below every threshold and the other above; a
// node reads the one whose comparison goes the default way.
type forest struct {
	depth  int
	nodes  []slotNode // 1<<depth a tree, the first unused
	leaves []float32  // 1<<depth a tree
	class  []int32    // by tree
}

// slotNode sends a row left if the key in a slot is below that of the threshold,
// which is in bits 32 to 63; blockRows times the slot is in the others. (Comparing
// keys takes less time from load to next load than comparing floats.)
type slotNode uint64

func newSlotNode(threshold float32, slot uint32) slotNode {
	return slotNode(sortKey(threshold))<<32 | slotNode(slot*blockRows)
}

// Limits of a forest: complete trees of greater depth would be mostly padding.
const (
	forestDepth = 8
	forestNodes = 1 << 22
)

// newForest returns nil if the trees are too deep or split by category.
func newForest(trees []tree) *forest {
	depth := 0
	for i := range trees {
		t := &trees[i]
		if len(t.sets) > 0 {
			return nil
		}
		if depth = max(depth, t.depth(0, forestDepth)); depth > forestDepth {
			return nil
		}
	}
	if len(trees)<<depth > forestNodes {
		return nil
	}
	f := &forest{depth: depth, class: make([]int32, len(trees)),
		nodes: make([]slotNode, len(trees)<<depth), leaves: make([]float32, len(trees)<<depth)}
	for i := range trees {
		f.class[i] = int32(trees[i].class)
		f.place(&trees[i], 0, 1, i<<depth, 0)
	}
	return f
}

// depth returns how deep node id's subtree is, or more than limit if it is deeper.
func (t *tree) depth(id int32, limit int) int {
	n := &t.nodes[id]
	if n.leaf() {
		return 0
	}
	if limit == 0 {
		return 1
	}
	return 1 + max(t.depth(n.left, limit-1), t.depth(n.right, limit-1))
}

// place writes node id at place i of the tree that starts at base.
func (f *forest) place(t *tree, id int32, i, base, depth int) {
	n := &t.nodes[id]
	if depth == f.depth {
		f.leaves[base+i-1<<f.depth] = n.value
		return
	}
	left, right := n.left, n.right
	if n.leaf() {
		left, right = id, id // both ways lead to the same value
	} else {
		slot := uint32(n.feature) * 2
		if !n.defaultLeft {
			slot++
		}
		f.nodes[base+i] = newSlotNode(n.value, slot)
	}
	f.place(t, left, 2*i, base, depth+1)
	f.place(t, right, 2*i+1, base, depth+1)
}

// keys returns what the two slots of a column with the value x hold.
func keys(x float32) (low, high uint32) {
	if x != x {
		return 0, math.MaxUint32
	}
	k := sortKey(x)
	return k, k
}

// expand writes the two slots of each column.
func expand(row []float32, slots []uint32) {
	slots = slots[:2*len(row)]
	for i, x := range row {
		slots[2*i], slots[2*i+1] = keys(x)
	}
}

// step returns the child of node i that the slots lead to.
func step(nodes []slotNode, slots []uint32, i uint) uint {
	n := nodes[i]
	return n.child(i, slots[uint32(n)/blockRows])
}

// child returns 2i for a key below the threshold's, else 2i+1.
func (n slotNode) child(i uint, key uint32) uint {
	return 2*i + 1 - uint((uint64(key)-uint64(n>>32))>>63)
}

// add adds the trees to the margins of one row. Four trees are walked at once:
// they do not wait for each other's memory. The sums are in the order of the trees.
func (f *forest) add(slots []uint32, margins []float32) {
	size := uint(1) << f.depth
	nodes, leaves := f.nodes, f.leaves
	i := 0
	for ; i+4 <= len(f.class); i += 4 {
		n0 := nodes[:size]
		n1, n2, n3 := nodes[size:][:size], nodes[2*size:][:size], nodes[3*size:][:size]
		h0, h1, h2, h3 := uint(1), uint(1), uint(1), uint(1)
		for range f.depth {
			h0, h1, h2, h3 = step(n0, slots, h0), step(n1, slots, h1), step(n2, slots, h2), step(n3, slots, h3)
		}
		margins[f.class[i]] += leaves[h0-size]
		margins[f.class[i+1]] += leaves[h1]
		margins[f.class[i+2]] += leaves[h2+size]
		margins[f.class[i+3]] += leaves[h3+2*size]
		nodes, leaves = nodes[4*size:], leaves[4*size:]
	}
	for ; i < len(f.class); i++ {
		h := uint(1)
		for range f.depth {
			h = step(nodes, slots, h)
		}
		margins[f.class[i]] += leaves[h-size]
		nodes, leaves = nodes[size:], leaves[size:]
	}
}

// blockRows is how many rows pass through a tree before the next one is fetched.
const blockRows = 64

// expandAt is expand for row r of a block: its slots stand blockRows apart.
func expandAt(row []float32, slots []uint32, r int) {
	for i, x := range row {
		slots[2*i*blockRows+r], slots[(2*i+1)*blockRows+r] = keys(x)
	}
}

// stepAt is step for row r of a block. Bounds are not checked, which took a fifth of
// the time: i is below 1<<depth after fewer than depth steps from 1, and newForest
// gives no slot beyond those of the model's columns.
func stepAt(nodes *slotNode, slots *uint32, i uint, r uint) uint {
	n := *(*slotNode)(unsafe.Add(unsafe.Pointer(nodes), i*8))
	return n.child(i, *(*uint32)(unsafe.Add(unsafe.Pointer(slots), (uint(uint32(n))+r)*4)))
}

// addBlock adds the trees to the margins of up to blockRows rows.
func (f *forest) addBlock(slots []uint32, rows int, margins []float32, classes int) {
	size := uint(1) << f.depth
	for t, class := range f.class {
		nodes, leaves := unsafe.SliceData(f.nodes[uint(t)*size:][:size]), f.leaves[uint(t)*size:][:size]
		for r := 0; r < rows; r += 8 {
			a, b, c, d, e, g, h, i := walkEight(nodes, &slots[r], f.depth)
			m := margins[r*classes+int(class):]
			for k, end := range [8]uint{a, b, c, d, e, g, h, i} {
				if r+k < rows {
					m[k*classes] += leaves[end-size]
				}
			}
		}
	}
}

// walkEight walks down one tree with eight rows at once, so that the processor has
// as many steps to do while it waits for each. (Four took twice as long.)
func walkEight(nodes *slotNode, slots *uint32, depth int) (a, b, c, d, e, g, h, i uint) {
	a, b, c, d, e, g, h, i = 1, 1, 1, 1, 1, 1, 1, 1
	for range depth {
		a, b, c, d = stepAt(nodes, slots, a, 0), stepAt(nodes, slots, b, 1), stepAt(nodes, slots, c, 2), stepAt(nodes, slots, d, 3)
		e, g, h, i = stepAt(nodes, slots, e, 4), stepAt(nodes, slots, g, 5), stepAt(nodes, slots, h, 6), stepAt(nodes, slots, i, 7)
	}
	return a, b, c, d, e, g, h, i
}
