package extract

import (
	"cmp"
	"container/heap"
	"slices"
)

// ranking chooses the entities of one window that have a row of their own: those
// with the most records, of equal ones the smaller address. It is fed every
// entity once, with its exact total, and holds no more than max.
type ranking struct {
	max    int
	all    bool // nobody was left out
	kept   []ranked
	cursor int
}

type ranked struct {
	entity  addr
	records uint64
}

func (r *ranking) add(entity addr, records uint64) {
	heap.Push(r, ranked{entity, records})
	if len(r.kept) > r.max {
		heap.Pop(r)
		r.all = false
	}
}

// close ends the choice and makes ready for has.
func (r *ranking) close() {
	slices.SortFunc(r.kept, func(a, b ranked) int { return a.entity.compare(b.entity) })
}

// has reports whether an entity was chosen. It must be asked in ascending order.
func (r *ranking) has(entity addr) bool {
	if r.all {
		return true
	}
	for r.cursor < len(r.kept) && r.kept[r.cursor].entity.compare(entity) < 0 {
		r.cursor++
	}
	return r.cursor < len(r.kept) && r.kept[r.cursor].entity == entity
}

// The heap has the first to go on top.

func (r *ranking) Len() int { return len(r.kept) }
func (r *ranking) Less(i, j int) bool {
	a, b := &r.kept[i], &r.kept[j]
	return cmp.Or(cmp.Compare(a.records, b.records), b.entity.compare(a.entity)) < 0
}
func (r *ranking) Swap(i, j int) { r.kept[i], r.kept[j] = r.kept[j], r.kept[i] }
func (r *ranking) Push(x any)    { r.kept = append(r.kept, x.(ranked)) }
func (r *ranking) Pop() any {
	last := len(r.kept) - 1
	x := r.kept[last]
	r.kept = r.kept[:last]
	return x
}

// ranker adds up the records of each entity in each slot.
type ranker struct {
	*pass
	ranks   []*ranking
	records []uint64
	touched []int
	entity  addr
	at      uint16
}

func (r *ranker) add(f *flow) error {
	v := see(f, r.kind)
	if v.entity != r.entity || f.interval != r.at {
		r.end()
		r.entity, r.at = v.entity, f.interval
	}
	for i := range r.frames {
		frame := &r.frames[i]
		if frame.interval != f.interval {
			continue
		}
		slot := r.slot(frame, f.time())
		if !slices.Contains(r.touched, slot) {
			r.touched = append(r.touched, slot)
		}
		r.records[slot] = add64(r.records[slot], uint64(f.records))
	}
	return r.step()
}

// end ranks the entity at hand.
func (r *ranker) end() {
	for _, slot := range r.touched {
		r.ranks[slot].add(r.entity, r.records[slot])
		r.records[slot] = 0
	}
	r.touched = r.touched[:0]
}
