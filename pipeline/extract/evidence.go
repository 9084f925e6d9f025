package extract

import (
	"cmp"
	"net/netip"
	"slices"

	"picket"
)

// ConversationRow is one conversation in one minute, as a window counted it.
type ConversationRow struct {
	Minute                     int64 // Unix seconds, start of the minute
	Actor, Victim              netip.Addr
	ActorPort, VictimPort      uint16
	Proto                      uint8
	ActorPackets, ActorBytes   uint64 // sent by the actor; bytes are IP bytes
	VictimPackets, VictimBytes uint64
	ActorFlags, VictimFlags    uint8 // TCP flags, OR-ed
	Rejected                   bool
	Object, Version            string // raw object that told of it; the first of several
	FirstLine, LastLine        uint64 // of that object
}

// evidence gathers what one window rests on.
type evidence struct {
	window  picket.Window
	limit   int // of rows
	objects map[[2]string]*picket.Evidence
	rows    []ConversationRow
	peers   map[addr]*peerSum
	ports   map[uint16]uint64 // conversations on each service port
}

// take notes a conversation of the entity, and reports whether any of it lies in
// the window.
func (e *evidence) take(rows []flow, told mentions, parts []Part) (any bool) {
	seen := map[uint32]bool{}
	for i := range rows {
		f := &rows[i]
		if !e.holds(f) {
			continue
		}
		any = true
		row := conversationRow(f)
		for origin, lines := range told.at(f.minute) {
			p := parts[origin-1]
			e.note(p, lines, !seen[origin])
			seen[origin] = true
			if row.Object == "" || compareObject(&row, p) > 0 {
				row.Object, row.Version, row.FirstLine, row.LastLine = p.Object, p.Version, lines[0], lines[1]
			}
		}
		e.keep(row)
	}
	return any
}

// holds reports whether a row lies in the window.
func (e *evidence) holds(f *flow) bool {
	return f.time() >= e.window.Start && f.time() < e.window.End() && sourceName(f.source, f.interval) == e.window.Source
}

func compareObject(row *ConversationRow, p Part) int {
	return cmp.Or(cmp.Compare(row.Object, p.Object), cmp.Compare(row.Version, p.Version))
}

// note adds lines of a part's object, and counts the conversation if it is new.
func (e *evidence) note(p Part, lines [2]uint64, flow bool) {
	key := [2]string{p.Object, p.Version}
	o := e.objects[key]
	if o == nil {
		o = &picket.Evidence{Object: p.Object, Version: p.Version, FirstLine: lines[0]}
		e.objects[key] = o
	}
	o.FirstLine, o.LastLine = min(o.FirstLine, lines[0]), max(o.LastLine, lines[1])
	if flow {
		o.Flows++
	}
}

// keep holds on to the largest rows.
func (e *evidence) keep(row ConversationRow) {
	at, _ := slices.BinarySearchFunc(e.rows, row, compareRows)
	if at >= e.limit {
		return
	}
	if len(e.rows) == e.limit {
		e.rows = e.rows[:e.limit-1]
	}
	e.rows = slices.Insert(e.rows, at, row)
}

func compareRows(a, b ConversationRow) int {
	return cmp.Or(
		cmp.Compare(add64(b.ActorBytes, b.VictimBytes), add64(a.ActorBytes, a.VictimBytes)),
		cmp.Compare(add64(b.ActorPackets, b.VictimPackets), add64(a.ActorPackets, a.VictimPackets)),
		cmp.Compare(a.Minute, b.Minute), a.Actor.Compare(b.Actor), a.Victim.Compare(b.Victim),
		cmp.Compare(a.VictimPort, b.VictimPort), cmp.Compare(a.ActorPort, b.ActorPort), cmp.Compare(a.Proto, b.Proto))
}

func (e *evidence) list() []picket.Evidence {
	list := make([]picket.Evidence, 0, len(e.objects))
	for _, o := range e.objects {
		list = append(list, *o)
	}
	slices.SortFunc(list, func(a, b picket.Evidence) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Version, b.Version))
	})
	return list
}

func conversationRow(f *flow) ConversationRow {
	v := see(f, picket.KindActor)
	return ConversationRow{
		Minute: f.time(), Actor: v.entity.netip(), Victim: v.peer.netip(), ActorPort: v.clientPort, VictimPort: v.servicePort,
		Proto: f.proto, ActorPackets: v.out.packets, ActorBytes: v.out.bytes, VictimPackets: v.in.packets, VictimBytes: v.in.bytes,
		ActorFlags: v.out.flags, VictimFlags: v.in.flags, Rejected: f.rejected > 0,
	}
}

// witness passes rows on without their origin, after it has noted which parts
// told of which minutes of a conversation.
type witness struct {
	in       stream
	from, to int64
	row      flow
	heard    []account // of conversations not yet asked for: at most two
}

type account struct {
	talk key // of any row of it
	told mentions
}

// mentions are the lines in which a part tells of a minute.
type mentions map[mention][2]uint64

type mention struct {
	minute uint8
	origin uint32
}

func (w *witness) next() (*flow, error) {
	f, err := w.in.next()
	if f == nil || err != nil {
		return nil, err
	}
	w.row = *f
	w.row.origin = 0
	if f.lost == 0 {
		w.hear(f)
	}
	return &w.row, nil
}

func (w *witness) hear(f *flow) {
	last := len(w.heard) - 1
	if last < 0 || !w.heard[last].talk.sameTalk(&f.key) {
		w.heard = append(w.heard, account{f.key, mentions{}})
		last++
	}
	if f.time() < w.from || f.time() >= w.to {
		return
	}
	key := mention{f.minute, f.origin}
	lines, ok := w.heard[last].told[key]
	if !ok {
		lines = f.lines
	}
	w.heard[last].told[key] = [2]uint64{min(lines[0], f.lines[0]), max(lines[1], f.lines[1])}
}

// told returns and forgets what was heard of a conversation. They are asked for
// in order.
func (w *witness) told(f *flow) mentions {
	for len(w.heard) > 0 {
		first := w.heard[0]
		w.heard = w.heard[1:]
		if first.talk.sameTalk(&f.key) {
			return first.told
		}
	}
	return nil
}

// at yields the parts that tell of a minute, in no order.
func (m mentions) at(minute uint8) func(func(uint32, [2]uint64) bool) {
	return func(yield func(uint32, [2]uint64) bool) {
		for key, lines := range m {
			if key.minute == minute && !yield(key.origin, lines) {
				return
			}
		}
	}
}
