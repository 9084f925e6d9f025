package gbdt

import "container/heap"

// leafQueue orders the leaves that can be split: by depth and age, or by gain.
type leafQueue struct {
	byGain bool
	leaves []*leaf
}

func (q *leafQueue) Len() int      { return len(q.leaves) }
func (q *leafQueue) Swap(i, j int) { q.leaves[i], q.leaves[j] = q.leaves[j], q.leaves[i] }
func (q *leafQueue) Push(x any)    { q.leaves = append(q.leaves, x.(*leaf)) }

func (q *leafQueue) Less(i, j int) bool {
	a, b := q.leaves[i], q.leaves[j]
	if q.byGain && a.best.gain != b.best.gain {
		return a.best.gain > b.best.gain
	}
	return a.id < b.id
}

func (q *leafQueue) Pop() any {
	last := q.leaves[len(q.leaves)-1]
	q.leaves = q.leaves[:len(q.leaves)-1]
	return last
}

// push queues a leaf.
func (q *leafQueue) push(l *leaf) {
	if q.byGain {
		heap.Push(q, l)
	} else {
		q.leaves = append(q.leaves, l)
	}
}

// next takes the leaf with the greatest gain, or all leaves: one level.
func (q *leafQueue) next() []*leaf {
	if q.byGain {
		return []*leaf{heap.Pop(q).(*leaf)}
	}
	level := q.leaves
	q.leaves = nil
	return level
}
