package extract

import (
	"cmp"

	"picket"
)

// conversations turns the rows of one hour, summed and in the order of their
// keys, into rows of the conversation as such: one a minute, from the one
// interface that counts, with its opener and its log's interval.
type conversations struct {
	in    stream
	long  *longInterfaces
	ahead *flow
	rows  []flow  // of the conversation at hand: one a minute, at most 60
	sides [2]side // of its hour, over all interfaces
	lost  uint64  // minutes of an interface in which the log says that records are missing
}

// next returns the rows of the next conversation, valid until the call after,
// or none after the last one.
func (c *conversations) next() ([]flow, error) {
	c.rows = c.rows[:0]
	for {
		if c.ahead == nil {
			var err error
			if c.ahead, err = c.in.next(); err != nil {
				return nil, err
			}
		}
		f := c.ahead
		if f == nil || len(c.rows) > 0 && !c.rows[0].sameTalk(&f.key) {
			break
		}
		c.ahead = nil
		if f.lost > 0 {
			c.lost++
			continue
		}
		c.take(f)
	}
	c.decide()
	return c.rows, nil
}

// take keeps a row, unless another interface has more of the same minute: one
// flow that is seen at two interfaces is one flow. Of two with as many bytes the
// smaller name counts, which is the one that came first.
func (c *conversations) take(f *flow) {
	last := len(c.rows) - 1
	switch {
	case last < 0:
		c.sides = f.sides
		c.rows = append(c.rows, *f)
		return
	case c.rows[last].minute != f.minute:
		c.rows = append(c.rows, *f)
	case f.source == sourceNetFlow:
		c.rows[last].alsoSeen(f)
	case f.bytes() > c.rows[last].bytes():
		c.rows[last] = *f
	}
	c.sides[0].merge(&f.sides[0])
	c.sides[1].merge(&f.sides[1])
}

// alsoSeen takes in what another exporter says of the same minute. The two
// directions of a conversation may pass different ones, so that each counts from
// whichever saw more of it.
func (f *flow) alsoSeen(g *flow) {
	for i := range f.sides {
		if g.sides[i].bytes > f.sides[i].bytes {
			f.sides[i] = g.sides[i]
		}
	}
	f.has = mergeHas(f.has, g.has)
	f.records, f.rejected = max(f.records, g.records), max(f.rejected, g.rejected)
	f.span = max(f.span, g.span)
	f.ticks |= g.ticks
	f.lines = [2]uint64{min(f.lines[0], g.lines[0]), max(f.lines[1], g.lines[1])}
}

func (f *flow) bytes() uint64 { return add64(f.sides[0].bytes, f.sides[1].bytes) }

// decide sets what only the whole hour tells: who opened, and how long the
// intervals of the log are.
func (c *conversations) decide() {
	for i := range c.rows {
		f := &c.rows[i]
		f.opener = opener(f, &c.sides)
		if f.source == sourceVPC {
			f.interval = picket.Minute
			if c.long.has(f.iface) {
				f.interval = picket.TenMinutes
			}
		}
	}
}

// opener returns which end of a conversation opened it.
//
// Who is alone in sending opened, whatever it sent: the answers of a reflection
// were never asked for, and the host that they drown is their victim. Else the
// log's own word counts (Zeek's originator, SYN, the asker of a SYN-ACK, an echo
// request); else the lower port is opened to; else who sent first opened; else
// the smaller address.
func opener(f *flow, sides *[2]side) uint8 {
	a, b := &sides[0], &sides[1]
	if a.sent() != b.sent() {
		return end(b.sent())
	}
	byWord := cmp.Compare(uint64(a.opened)+uint64(b.answered), uint64(b.opened)+uint64(a.answered))
	byPort := cmp.Compare(f.ports[0], f.ports[1])
	byTime := cmp.Compare(b.first, a.first)
	return end(cmp.Or(byWord, byPort, byTime) < 0)
}

// end numbers the ends of a conversation: 1 is the second.
func end(second bool) uint8 {
	if second {
		return 1
	}
	return 0
}

// view is a conversation's row as one of its ends sees it.
type view struct {
	*flow
	entity, peer   addr
	servicePort    uint16 // opened to
	clientPort     uint16 // opened from
	out, in        *side  // sent by the entity, sent by the peer
	asked, replied *side  // sent by the opener, sent by the other end
}

// see returns the row as the entity of the given kind sees it.
func see(f *flow, kind picket.Kind) view {
	o := f.opener
	v := view{flow: f, servicePort: f.ports[1-o], clientPort: f.ports[o], asked: &f.sides[o], replied: &f.sides[1-o]}
	e := o
	if kind == picket.KindVictim {
		e = 1 - o
	}
	v.entity, v.peer, v.out, v.in = f.ends[e], f.ends[1-e], &f.sides[e], &f.sides[1-e]
	return v
}

// byEntity is the order in which windows of one kind are computed: the rows of
// an entity together, of these the rows of a peer, then of a port of the
// service, then of a conversation, minutes last. Whatever the width of a window,
// its rows come in this order.
func byEntity(kind picket.Kind) order {
	return order{
		compare: func(f, g *flow) int {
			v, w := see(f, kind), see(g, kind)
			return cmp.Or(cmp.Compare(f.interval, g.interval), v.entity.compare(w.entity), v.peer.compare(w.peer),
				cmp.Compare(v.servicePort, w.servicePort), cmp.Compare(v.clientPort, w.clientPort),
				cmp.Compare(f.proto, g.proto), cmp.Compare(f.hour, g.hour), cmp.Compare(f.minute, g.minute))
		},
	}
}
