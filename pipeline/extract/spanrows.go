package extract

import "picket"

// spanRows holds the conversations of a span, each settled as it comes, for the
// passes of both kinds: what a Direct's tables hold. What goes beyond max rows is
// spilled, as a sorted run for each kind.
type spanRows struct {
	max    int // rows in memory, about 370 bytes each at most
	talks  *family
	places []place
	kinds  []*kindRows
}

// kindRows is the rows of a span in the order of byEntity of one kind.
type kindRows struct {
	talkRows         // those in memory
	runs     *sorter // the others
}

func newSpanRows(source uint8, max int, dir string) *spanRows {
	s := &spanRows{max: max, talks: &family{source: source}}
	for _, kind := range []picket.Kind{picket.KindActor, picket.KindVictim} {
		s.kinds = append(s.kinds, &kindRows{talkRows{kind: kind, f: s.talks}, newSorter(byEntity(kind), 1, dir)})
	}
	s.empty()
	return s
}

// of returns the rows in the order of a kind.
func (s *spanRows) of(kind picket.Kind) entityRows {
	if kind == picket.KindActor {
		return s.kinds[0]
	}
	return s.kinds[1]
}

// empty forgets the rows, on disk too.
func (s *spanRows) empty() {
	s.forget()
	for _, k := range s.kinds {
		k.runs.reset()
	}
}

// forget lets go of what is in memory.
func (s *spanRows) forget() {
	s.talks.shards[0].talkTable = talkTable{source: s.talks.source}
	s.places = nil
	for _, k := range s.kinds {
		k.places = nil
		k.reset()
	}
}

// add takes the rows of one conversation of one hour, one a minute and in their order.
func (s *spanRows) add(rows []flow) error {
	table := &s.talks.shards[0].talkTable
	if table.rows.n > 0 && table.rows.n+len(rows) > s.max {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.places = append(s.places, place{talk: uint32(table.talks.n)})
	table.settled(rows)
	for _, k := range s.kinds {
		k.places = s.places
	}
	return nil
}

// spill writes what is in memory to a run of each kind.
func (s *spanRows) spill() error {
	for _, k := range s.kinds {
		in, err := k.talkRows.each()
		if err == nil {
			err = k.runs.addRun(in)
		}
		if err != nil {
			return err
		}
	}
	s.forget()
	return nil
}

// each streams all rows in order.
func (k *kindRows) each() (stream, error) {
	memory, err := k.talkRows.each()
	if err != nil || len(k.runs.runs) == 0 {
		return memory, err
	}
	return k.runs.eachWith(memory)
}

func (k *kindRows) few(n int, p *pass) bool { return len(k.runs.runs) == 0 && k.talkRows.few(n, p) }

// settled adds a conversation of which all is decided, with its rows of one hour.
func (t *talkTable) settled(rows []flow) {
	k, _, _ := t.talks.grow(0)
	f := &rows[0]
	*k = talk{ends: f.ends, ports: f.ports, proto: f.proto, hour: f.hour, opener: f.opener}
	to := &k.minutes
	for i := range rows {
		f := &rows[i]
		row, place, _ := t.rows.grow(0)
		row.records, row.rejected, row.minute, row.has = f.records, f.rejected, f.minute, f.has
		if f.interval == picket.TenMinutes {
			row.minute |= longMinute
		}
		for j := range f.sides {
			s := &f.sides[j]
			row.packets[j], row.bytes[j], row.answered[j], row.flags[j] = s.packets, s.bytes, s.answered, s.flags
		}
		if f.detailed() {
			d, place, _ := t.details.grow(0)
			row.detail, d.ticks = place, f.ticks
			for j := range f.sides {
				d.payload[j], d.squares[j], d.patterns[j] = f.sides[j].payload, f.sides[j].squares, f.sides[j].patterns
			}
		}
		*to, to = place, &row.next
	}
}

// detailed reports whether a row says more than a cloud's flow log does.
func (f *flow) detailed() bool {
	a, b := &f.sides[0], &f.sides[1]
	return f.ticks|a.payload|b.payload|a.squares|b.squares != 0 || a.patterns != [patterns]uint32{} || b.patterns != [patterns]uint32{}
}
