package extract

import (
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"picket"
)

// talk is one conversation in one hour, over all interfaces.
type talk struct {
	ends     [2]addr
	first    [2]int64  // Unix nanoseconds, earliest start of what each end sent; never where it sent nothing
	opened   [2]uint32 // as in side, of the hour
	answered [2]uint32
	ports    [2]uint16
	hour     int32
	minutes  uint32 // place of the newest row + 1; once settled, of the first one
	proto    uint8
	opener   uint8   // once settled
	sent     [2]bool // any packet
}

// minuteRow is a conversation in one minute at one interface.
type minuteRow struct {
	packets, bytes    [2]uint64
	records, rejected uint32
	answered          [2]uint32
	iface             uint32
	next              uint32 // place of another row of the conversation + 1
	detail            uint32 // place of what only some logs tell + 1
	minute            uint8  // of the hour
	has               picket.Has
	flags             [2]uint8
}

// detail is what flow logs of a cloud do not tell.
type detail struct {
	ticks    uint64
	payload  [2]uint64
	squares  [2]uint64
	patterns [2][patterns]uint32
}

// talkTable sums events by conversation, hour, minute and interface.
type talkTable struct {
	source  uint8
	held    *atomic.Int64
	index   []uint64 // open addressing: upper half of the hash, then place of a talk + 1; or 0
	talks   paged[talk]
	rows    paged[minuteRow]
	details paged[detail]
	spans   hourSpans
	fetched uint32
}

// paged is a list that grows without moving.
type paged[T any] struct {
	pages [][]T
	n     int
}

const pageItems = 1 << 10

func (p *paged[T]) at(i uint32) *T { return &p.pages[i/pageItems][i%pageItems] }

// grow adds a zero item and returns it with its place + 1, and what it cost.
func (p *paged[T]) grow(size int64) (item *T, place uint32, bytes int64) {
	if p.n == len(p.pages)*pageItems {
		p.pages = append(p.pages, make([]T, pageItems))
		bytes = pageItems * size
	}
	i := uint32(p.n)
	p.n++
	return p.at(i), i + 1, bytes
}

func (t *talkTable) empty() {
	*t = talkTable{source: t.source, held: t.held}
}

// add counts an arrival into the minutes that it touches, as split does.
func (t *talkTable) add(e *arrival) {
	first, last := floorDiv(e.start, minuteNanos), floorDiv(max(e.end-1, e.start), minuteNanos)
	packets, bytes, payload := e.packets, e.bytes, e.payload
	if first != last {
		t.spread(e, first, last, &packets, &bytes, &payload)
	}
	k := t.talk(e, first)
	row := t.row(k, e, first)
	row.records = add32(row.records, 1)
	if e.rejected {
		row.rejected = add32(row.rejected, 1)
	}
	for i := range 2 {
		row.packets[i] = add64(row.packets[i], packets[i])
		row.bytes[i] = add64(row.bytes[i], bytes[i])
		row.answered[i] = add32(row.answered[i], uint32(e.answered[i]))
		row.flags[i] |= e.flags[i]
		k.opened[i] = add32(k.opened[i], uint32(e.opened[i]))
		k.answered[i] = add32(k.answered[i], uint32(e.answered[i]))
		if e.packets[i] > 0 {
			k.first[i] = min(k.first[i], e.start)
		}
		k.sent[i] = k.sent[i] || packets[i] > 0
	}
	if row.detail != 0 || e.ticks || e.packet >= 0 || payload != [2]uint64{} {
		t.detail(row).add(e, &payload)
	}
}

// spread moves the shares of later minutes out of the sums.
func (t *talkTable) spread(e *arrival, first, last int64, packets, bytes, payload *[2]uint64) {
	end := e.end
	if last-first >= maxMinutes {
		last = first + maxMinutes - 1
		end = (last + 1) * minuteNanos
	}
	all := uint64(end - e.start)
	for m := first + 1; m <= last; m++ {
		overlap := uint64(min(end, (m+1)*minuteNanos) - m*minuteNanos)
		share := [2]uint64{scale(e.packets[0], overlap, all), scale(e.packets[1], overlap, all)}
		if share[0]|share[1] == 0 {
			continue
		}
		k := t.talk(e, m)
		row := t.row(k, e, m)
		for i := range 2 {
			if share[i] == 0 {
				continue
			}
			b, p := scale(e.bytes[i], share[i], e.packets[i]), scale(e.payload[i], share[i], e.packets[i])
			packets[i] -= share[i]
			bytes[i] -= b
			payload[i] -= p
			row.packets[i] = add64(row.packets[i], share[i])
			row.bytes[i] = add64(row.bytes[i], b)
			if p > 0 {
				d := t.detail(row)
				d.payload[i] = add64(d.payload[i], p)
			}
			k.first[i] = min(k.first[i], m*minuteNanos)
			k.sent[i] = true
		}
	}
}

// talk returns the conversation of an arrival in the hour of a minute.
func (t *talkTable) talk(e *arrival, minute int64) *talk {
	if 2*t.talks.n >= len(t.index) {
		t.rehash()
	}
	hour, h := int32(floorDiv(minute, 60)), e.in(minute)
	mask := uint64(len(t.index) - 1)
	tag := h &^ math.MaxUint32
	for i := h >> 32 & mask; ; i = (i + 1) & mask {
		at := t.index[i]
		if at == 0 {
			k, place, bytes := t.talks.grow(talkBytes)
			t.held.Add(bytes)
			*k = talk{ends: e.ends, ports: e.ports, proto: e.proto, hour: hour, first: [2]int64{never, never}}
			t.index[i] = tag | uint64(place)
			return k
		}
		if at&^math.MaxUint32 != tag {
			continue
		}
		k := t.talks.at(uint32(at) - 1)
		if k.ends == e.ends && k.ports == e.ports && k.proto == e.proto && k.hour == hour {
			return k
		}
	}
}

// in returns the hash of the conversation in the hour of a minute.
func (e *arrival) in(minute int64) uint64 {
	return e.hash + uint64(floorDiv(minute, 60))*0x9e3779b97f4a7c15
}

// Bytes that an item takes with its share of the index.
const (
	talkBytes   = 96 + 4*8
	rowBytes    = 64
	detailBytes = 104
)

// rehash doubles the index. A talk's place in it is told from its tag.
func (t *talkTable) rehash() {
	old := t.index
	t.index = make([]uint64, max(1<<8, 2*len(old)))
	mask := uint64(len(t.index) - 1)
	for _, at := range old {
		if at == 0 {
			continue
		}
		i := at >> 32 & mask
		for t.index[i] != 0 {
			i = (i + 1) & mask
		}
		t.index[i] = at
	}
}

// row returns the row of a conversation in a minute at the arrival's interface.
func (t *talkTable) row(k *talk, e *arrival, minute int64) *minuteRow {
	m := uint8(minute - int64(k.hour)*60)
	for at := k.minutes; at != 0; {
		row := t.rows.at(at - 1)
		if row.minute == m && row.iface == e.iface {
			row.has = mergeHas(row.has, e.has)
			return row
		}
		at = row.next
	}
	if t.spans == nil {
		t.spans = hourSpans{}
	}
	t.spans.add(minute, e.iface, e.span, t.source)
	row, place, bytes := t.rows.grow(rowBytes)
	t.held.Add(bytes)
	row.minute, row.iface, row.has = m, e.iface, e.has
	row.next, k.minutes = k.minutes, place
	return row
}

func (t *talkTable) detail(row *minuteRow) *detail {
	if row.detail == 0 {
		_, place, bytes := t.details.grow(detailBytes)
		t.held.Add(bytes)
		row.detail = place
	}
	return t.details.at(row.detail - 1)
}

func (d *detail) add(e *arrival, payload *[2]uint64) {
	for i := range 2 {
		d.payload[i] = add64(d.payload[i], payload[i])
	}
	if e.ticks {
		second := floorDiv(e.start, secondNanos) - floorDiv(e.start, minuteNanos)*picket.Minute
		d.ticks |= 1 << second
	}
	if e.packet < 0 {
		return
	}
	size := min(e.bytes[e.packet], 1<<31)
	d.squares[e.packet] = add64(d.squares[e.packet], size*size)
	seen := &d.patterns[e.packet]
	if e.fragment {
		seen[patternFragment] = add32(seen[patternFragment], 1)
	}
	if e.pattern >= 0 {
		seen[e.pattern] = add32(seen[e.pattern], 1)
	}
}

// fill makes f the row of a conversation, all but its lines.
func (t *talkTable) fill(f *flow, k *talk, row *minuteRow) {
	f.hour, f.source, f.proto, f.minute, f.ends, f.ports = k.hour, t.source, k.proto, row.minute&^longMinute, k.ends, k.ports
	f.opener, f.has, f.records, f.rejected = k.opener, row.has, row.records, row.rejected
	for i := range f.sides {
		s := &f.sides[i]
		s.packets, s.bytes, s.answered, s.flags = row.packets[i], row.bytes[i], row.answered[i], row.flags[i]
	}
	if t.details.n == 0 {
		return
	}
	d := &detail{}
	if row.detail != 0 {
		d = t.details.at(row.detail - 1)
	}
	f.ticks = d.ticks
	for i := range f.sides {
		f.sides[i].payload, f.sides[i].squares, f.sides[i].patterns = d.payload[i], d.squares[i], d.patterns[i]
	}
}

// each visits every row as a Builder holds it. What a conversation says of its
// opener stands in its first row visited.
func (t *talkTable) each(names []string, visit func(*flow) error) error {
	for i := range t.talks.n {
		k := t.talks.at(uint32(i))
		opened, first := k.opened, k.first
		for at := k.minutes; at != 0; {
			row := t.rows.at(at - 1)
			var f flow
			t.fill(&f, k, row)
			f.iface = names[row.iface]
			if long := t.spans[k.hour].long; long[row.iface] {
				f.span = 2 * picket.Minute
			}
			for side := range f.sides {
				f.sides[side].opened, f.sides[side].first = opened[side], first[side]
			}
			opened, first = [2]uint32{}, [2]int64{never, never}
			if err := visit(&f); err != nil {
				return err
			}
			at = row.next
		}
	}
	return nil
}

// settle decides what only a whole hour tells: who opened each conversation, and
// which interface counts in each minute. The rows left are linked in the order of
// their minutes.
func (t *talkTable) settle(names []string, spans hourSpans) {
	var places []uint32
	for i := range t.talks.n {
		k := t.talks.at(uint32(i))
		k.opener = k.decide()
		long := spans[k.hour].long
		if t.rows.at(k.minutes-1).next == 0 {
			t.rows.at(k.minutes - 1).lengthen(long)
			continue
		}
		places = places[:0]
		for at := k.minutes; at != 0; at = t.rows.at(at - 1).next {
			places = append(places, at)
		}
		slices.SortFunc(places, func(a, b uint32) int {
			r, s := t.rows.at(a-1), t.rows.at(b-1)
			if r.minute != s.minute {
				return int(r.minute) - int(s.minute)
			}
			return strings.Compare(names[r.iface], names[s.iface])
		})
		t.link(k, places)
		if len(long) == 0 {
			continue
		}
		for at := k.minutes; at != 0; at = t.rows.at(at - 1).next {
			t.rows.at(at - 1).lengthen(long)
		}
	}
}

// longMinute marks a settled row of an interface whose log has ten minutes.
const longMinute = 0x80

func (r *minuteRow) lengthen(long map[uint32]bool) {
	if len(long) > maxLong || len(long) > 0 && long[r.iface] {
		r.minute |= longMinute
	}
}

// link keeps of each minute the row with most bytes, of equal ones the first.
func (t *talkTable) link(k *talk, places []uint32) {
	last := &minuteRow{minute: math.MaxUint8}
	to := &k.minutes
	for _, place := range places {
		row := t.rows.at(place - 1)
		switch {
		case row.minute != last.minute:
			if last.minute != math.MaxUint8 {
				to = &last.next
			}
		case t.source == sourceNetFlow:
			t.alsoSeen(last, row)
			continue
		case add64(row.bytes[0], row.bytes[1]) <= add64(last.bytes[0], last.bytes[1]):
			continue
		}
		*to, last = place, row
	}
	last.next = 0
}

// alsoSeen is flow.alsoSeen: two exporters tell of one minute.
func (t *talkTable) alsoSeen(row, other *minuteRow) {
	for i := range 2 {
		if other.bytes[i] > row.bytes[i] {
			row.bytes[i], row.packets[i], row.answered[i], row.flags[i] = other.bytes[i], other.packets[i], other.answered[i], other.flags[i]
		}
	}
	row.has = mergeHas(row.has, other.has)
	row.records, row.rejected = max(row.records, other.records), max(row.rejected, other.rejected)
	if other.detail != 0 {
		t.detail(row).ticks |= t.detail(other).ticks
	}
}

// decide returns the end that opened.
func (k *talk) decide() uint8 {
	var sides [2]side
	for i := range sides {
		sides[i] = side{first: k.first[i], opened: k.opened[i], answered: k.answered[i]}
		if k.sent[i] {
			sides[i].packets = 1
		}
	}
	return opener(&flow{key: key{ports: k.ports}}, &sides)
}
