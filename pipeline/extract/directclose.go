package extract

import (
	"cmp"
	"context"
	"math/bits"
	"runtime"
	"slices"
	"sync"

	"picket"
)

// place is where a talk stands.
type place struct {
	shard uint32
	talk  uint32
}

// settle settles every shard and says which talks each hour has.
func (f *family) settle(names []string) {
	all := f.spans()
	var wg sync.WaitGroup
	next := make(chan *shard, shards)
	for i := range f.shards {
		next <- &f.shards[i]
	}
	close(next)
	for range min(shards, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for s := range next {
				s.settle(names, all)
			}
		})
	}
	wg.Wait()
	f.hours = map[int32][]place{}
	for i := range f.shards {
		for j := range f.shards[i].talks.n {
			hour := f.shards[i].talks.at(uint32(j)).hour
			f.hours[hour] = append(f.hours[hour], place{uint32(i), uint32(j)})
		}
	}
	f.settled = true
}

// windows closes over the tables: the widths up to an hour together, then each
// longer one, span after span.
func (f *family) windows(ctx context.Context, o CloseOptions, emit func(*picket.Features) error) (CloseStats, error) {
	c, err := newCloser(ctx, o, emit)
	if err != nil {
		return CloseStats{}, err
	}
	for _, d := range c.duos {
		for start := d[0].start; start < o.To; start += d[0].span {
			places := f.between(max(start, o.From), min(start+d[0].span, o.To))
			if len(places) == 0 {
				continue
			}
			c.stats.Conversations += uint64(len(places))
			for _, p := range d {
				p.start, p.rows = start, &talkRows{f: f, kind: p.kind, places: places}
			}
			if err := d.flush(); err != nil {
				return c.stats, err
			}
		}
	}
	return c.stats, nil
}

// between returns the talks of the hours in [from, to) Unix seconds.
func (f *family) between(from, to int64) []place {
	if to-from == picket.Hour {
		return f.hours[int32(from/picket.Hour)]
	}
	var places []place
	for hour := from / picket.Hour; hour*picket.Hour < to; hour++ {
		places = append(places, f.hours[int32(hour)]...)
	}
	return places
}

// talkRows gives the rows of some talks in the order of byEntity, once somebody
// asks for them.
type talkRows struct {
	f      *family
	kind   picket.Kind
	places []place
	refs   []ref
	active []uint64 // by place: minutes of the hour with a row
}

// sort makes the refs.
func (t *talkRows) sort() {
	if t.refs != nil {
		return
	}
	t.refs, t.active = make([]ref, 0, len(t.places)), make([]uint64, len(t.places))
	for i, p := range t.places {
		s := &t.f.shards[p.shard]
		k := s.talks.at(p.talk)
		long, short := false, false
		for at := k.minutes; at != 0; {
			row := s.rows.at(at - 1)
			long, short = long || row.minute&longMinute != 0, short || row.minute&longMinute == 0
			t.active[i] |= 1 << (row.minute &^ longMinute)
			at = row.next
		}
		head := t.head(k)
		head.row = uint32(i)
		if short {
			t.refs = append(t.refs, head)
		}
		if long {
			head.first |= longRef
			t.refs = append(t.refs, head)
		}
	}
	sortRefs(t.refs, t.compare)
}

// longRef stands for an interval of ten minutes in the first word of a ref.
const longRef = 1 << 33

func (t *talkRows) head(k *talk) ref {
	o := k.opener
	e := o
	if t.kind == picket.KindVictim {
		e = 1 - o
	}
	return ref{
		first:  k.ends[e].word(),
		second: k.ends[1-e].wordWith(k.ports[1-o], k.ports[o]),
		third:  uint32(k.proto)<<8 | uint32(uint8(k.hour%24)),
	}
}

func (t *talkRows) compare(a, b ref) int {
	if c := a.compare(&b); c != 0 || a.first&lastWord == 0 && a.second != ^uint64(0) {
		return c
	}
	k, l := t.talk(&a), t.talk(&b)
	e, g := k.opener, l.opener
	if t.kind == picket.KindVictim {
		e, g = 1-e, 1-g
	}
	return cmp.Or(k.ends[e].compare(l.ends[g]), k.ends[1-e].compare(l.ends[1-g]),
		cmp.Compare(k.ports[1-k.opener], l.ports[1-l.opener]), cmp.Compare(k.ports[k.opener], l.ports[l.opener]),
		cmp.Compare(k.proto, l.proto), cmp.Compare(k.hour, l.hour))
}

func (t *talkRows) talk(r *ref) *talk {
	p := t.places[r.row]
	return t.f.shards[p.shard].talks.at(p.talk)
}

// few reports whether surely no window of a pass has more than n entities.
func (t *talkRows) few(n int, p *pass) bool {
	t.sort()
	if fewFirsts(t.refs, n) {
		return true
	}
	if p.span > picket.Hour {
		return false
	}
	counts := make([]int, p.slots)
	var active uint64
	for i := range t.refs {
		r := &t.refs[i]
		active |= t.active[r.row]
		if i+1 < len(t.refs) && t.refs[i+1].first == r.first && r.first&lastWord == 0 {
			continue
		}
		for j := range p.frames {
			f := &p.frames[j]
			if f.interval != interval(t.f.source, r.first&longRef != 0) {
				continue
			}
			last := -1
			for m := active; m != 0; m &= m - 1 {
				if slot := f.slot + bits.TrailingZeros64(m)*picket.Minute/int(f.seconds); slot != last {
					last = slot
					counts[slot]++
				}
			}
		}
		active = 0
	}
	return slices.Max(counts) <= n
}

// fewFirsts reports whether sorted refs surely have no more than n first addresses.
func fewFirsts(refs []ref, n int) bool {
	count := 0
	for i := range refs {
		if i == 0 || refs[i].first&lastWord != 0 || refs[i].first != refs[i-1].first {
			count++
		}
	}
	return count <= n
}

func (t *talkRows) each() (stream, error) {
	t.sort()
	s := &talkStream{t: t}
	s.row.sides[0].first, s.row.sides[1].first = never, never
	return s, nil
}

func (t *talkRows) reset() { t.refs, t.active = nil, nil }

// talkStream gives the rows of talks, one after the other. They lie far apart: a
// batch is fetched at a time, so that the processor waits for many at once.
type talkStream struct {
	t     *talkRows
	i     int // of the next ref to fetch
	row   flow
	batch []fetched
	at    int    // in the batch
	more  uint32 // rows of the talk at hand that were not fetched
}

// fetched is a copy of a talk and of its first row.
type fetched struct {
	talk talk
	row  minuteRow
	tab  *talkTable
	long uint8
}

const fetchTalks = 64

func (s *talkStream) next() (*flow, error) {
	for {
		for s.more != 0 {
			f := &s.batch[s.at-1]
			row := f.tab.rows.at(s.more - 1)
			s.more = row.next
			if row.minute&longMinute == f.long {
				f.tab.fill(&s.row, &f.talk, row)
				return &s.row, nil
			}
		}
		if s.at == len(s.batch) {
			if s.i == len(s.t.refs) {
				return nil, nil
			}
			s.fetch()
		}
		f := &s.batch[s.at]
		s.at++
		s.more = f.row.next
		if f.row.minute&longMinute == f.long {
			s.row.interval = interval(f.tab.source, f.long != 0)
			f.tab.fill(&s.row, &f.talk, &f.row)
			return &s.row, nil
		}
		s.row.interval = interval(f.tab.source, f.long != 0)
	}
}

func interval(source uint8, long bool) uint16 {
	switch {
	case source != sourceVPC:
		return 0
	case long:
		return picket.TenMinutes
	}
	return picket.Minute
}

func (s *talkStream) fetch() {
	refs := s.t.refs[s.i:min(s.i+fetchTalks, len(s.t.refs))]
	if s.batch == nil {
		s.batch = make([]fetched, fetchTalks)
	}
	s.batch, s.at = s.batch[:len(refs)], 0
	for i := range refs {
		p := s.t.places[refs[i].row]
		f := &s.batch[i]
		f.tab, f.long = &s.t.f.shards[p.shard].talkTable, 0
		if refs[i].first&longRef != 0 {
			f.long = longMinute
		}
		f.talk = *f.tab.talks.at(p.talk)
	}
	for i := range s.batch {
		f := &s.batch[i]
		f.row = *f.tab.rows.at(f.talk.minutes - 1)
	}
	s.i += len(refs)
}
