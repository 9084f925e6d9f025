package train

import (
	"cmp"
	"slices"

	"picket"
)

// Labeller gives windows their class by the rows of label files:
//
//   - a window is normal only where it lies wholly inside rows of class normal for
//     its entity, or for "*"; elsewhere it is unlabelled and teaches nothing
//   - an attack row wins over a normal row
//   - a window that attack rows cover by less than half is left out. So an attack
//     of five minutes teaches the one-minute booster and not the one-hour booster:
//     the hour is neither an attack nor normal. Wide boosters learn from attacks
//     that last, and from partial cuts of the wide window (see Features.Elapsed)
//     of which the attack fills half or more
//   - under "*", an address that talked with a labelled entity during its attack
//     row is unlabelled for as long as that row lasts; the caller tells who talked
//     with whom through Talked
//
// A row of class excluded leaves out whatever it touches.
type Labeller struct {
	spans   map[picket.Entity][]span  // sorted by start
	attacks map[string][]int          // by address, attack rows of class index into labels
	peers   map[string]map[int32]bool // by address, the attack rows whose entity it talked with
	labels  []picket.Label
}

// span is one label row, or several normal ones that touch.
type span struct {
	start, end int64
	last       int64 // greatest end of this and all earlier spans: where a search may stop
	row        int32 // in labels
}

// NewLabeller sorts labels by entity. It keeps the slice.
func NewLabeller(labels []picket.Label) *Labeller {
	l := &Labeller{
		spans: map[picket.Entity][]span{}, attacks: map[string][]int{}, peers: map[string]map[int32]bool{}, labels: labels,
	}
	for i, label := range labels {
		l.spans[label.Entity] = append(l.spans[label.Entity], span{start: label.Start, end: label.End, row: int32(i)})
		if label.Class != picket.ClassNormal && label.Entity.ID != picket.Rest {
			l.attacks[label.Entity.ID] = append(l.attacks[label.Entity.ID], i)
		}
	}
	for _, spans := range l.spans {
		slices.SortStableFunc(spans, func(a, b span) int { return cmp.Compare(a.start, b.start) })
		for i := range spans {
			spans[i].last = spans[i].end
			if i > 0 {
				spans[i].last = max(spans[i].last, spans[i-1].last)
			}
		}
	}
	return l
}

// Talked tells that two addresses exchanged traffic in [start, end) Unix seconds.
// Call it for every conversation before the first call of Label; conversations
// outside attack rows cost a map look-up each and leave nothing behind.
func (l *Labeller) Talked(a, b string, start, end int64) {
	l.talkedTo(a, b, start, end)
	l.talkedTo(b, a, start, end)
}

func (l *Labeller) talkedTo(attacker, peer string, start, end int64) {
	for _, row := range l.attacks[attacker] {
		if label := &l.labels[row]; overlap(label.Start, label.End, start, max(end, start+1)) == 0 {
			continue
		}
		if l.peers[peer] == nil {
			l.peers[peer] = map[int32]bool{}
		}
		l.peers[peer][int32(row)] = true
	}
}

// Label returns the class of a row, and the attack row that gave it: nil for a
// normal row. ok is false where the row is unlabelled or left out. Of a partial
// window only the part that has elapsed counts.
func (l *Labeller) Label(f *picket.Features) (class string, by *picket.Label, ok bool) {
	if f.Entity.ID == picket.Rest {
		return "", nil, false
	}
	start, end := f.Covered()
	attacks := l.attackRows(f.Entity, start, end)
	if len(attacks) > 0 {
		return l.attackClass(attacks, start, end)
	}
	exact, any := names(f.Entity)
	if l.normal(exact, start, end) {
		return picket.ClassNormal, nil, true
	}
	if l.normal(append(exact, any...), start, end) && !l.isPeer(f.Entity.ID, start, end) {
		return picket.ClassNormal, nil, true
	}
	return "", nil, false
}

// names returns the label entities that mean e itself and those that mean it
// among all others.
func names(e picket.Entity) (exact, any []picket.Entity) {
	return []picket.Entity{e, {Kind: "*", ID: e.ID}}, []picket.Entity{{Kind: e.Kind, ID: picket.Rest}, {Kind: "*", ID: picket.Rest}}
}

// attackRows returns the spans of class other than normal that touch [start, end).
func (l *Labeller) attackRows(e picket.Entity, start, end int64) []span {
	exact, any := names(e)
	return l.touching(append(exact, any...), start, end, func(class string) bool { return class != picket.ClassNormal })
}

func (l *Labeller) touching(entities []picket.Entity, start, end int64, want func(class string) bool) []span {
	var found []span
	for _, e := range entities {
		spans := l.spans[e]
		after, _ := slices.BinarySearchFunc(spans, end, func(s span, end int64) int { return cmp.Compare(s.start, end) })
		for i := after - 1; i >= 0 && spans[i].last > start; i-- {
			if spans[i].end > start && want(l.labels[spans[i].row].Class) {
				found = append(found, spans[i])
			}
		}
	}
	return found
}

// attackClass returns the class that covers most of [start, end); ties go to the
// row that stands first in the file.
func (l *Labeller) attackClass(rows []span, start, end int64) (string, *picket.Label, bool) {
	slices.SortFunc(rows, func(a, b span) int { return cmp.Compare(a.row, b.row) })
	if 2*covered(rows, start, end) < end-start {
		return "", nil, false
	}
	byClass := map[string][]span{}
	for _, r := range rows {
		class := l.labels[r.row].Class
		if class == ClassExcluded {
			return "", nil, false
		}
		byClass[class] = append(byClass[class], r)
	}
	var most int64
	var first span
	for _, r := range rows {
		if n := covered(byClass[l.labels[r.row].Class], start, end); n > most {
			most, first = n, r
		}
	}
	label := &l.labels[first.row]
	return label.Class, label, true
}

// normal reports whether rows of class normal cover all of [start, end).
func (l *Labeller) normal(entities []picket.Entity, start, end int64) bool {
	rows := l.touching(entities, start, end, func(class string) bool { return class == picket.ClassNormal })
	return covered(rows, start, end) == end-start
}

// isPeer reports whether an address talked with a labelled entity during an
// attack row that touches [start, end).
func (l *Labeller) isPeer(address string, start, end int64) bool {
	for row := range l.peers[address] {
		if label := &l.labels[row]; overlap(label.Start, label.End, start, end) > 0 {
			return true
		}
	}
	return false
}

// covered returns how many seconds of [start, end) the spans cover together.
func covered(spans []span, start, end int64) int64 {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	var seconds int64
	for _, s := range spans {
		seconds += overlap(s.start, s.end, start, end)
		start = max(start, s.end)
	}
	return seconds
}

func overlap(a, b, c, d int64) int64 { return max(0, min(b, d)-max(a, c)) }
