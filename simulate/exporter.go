package simulate

import (
	"cmp"

	"picket"
)

// activeTimeout is after how long an exporter ends the record of a flow that goes on.
const activeTimeout = 60 * second

// exporterLog is how an exporter of NetFlow sees conversations: each direction by
// itself, a record for each stretch of activeTimeout in which it sent anything, in
// milliseconds.
type exporterLog struct {
	going heap[line]
	count uint64
	place string // as a decoder names the exporter
	four  bool   // IPv4 alone
}

func exporterView(place string, four bool) func(*Script, *network) view {
	return func(*Script, *network) view {
		v := &exporterLog{place: place, four: four}
		v.going.less = func(a, b *line) bool { return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.count, b.count)) < 0 }
		return v
	}
}

func (v *exporterLog) take(c *Conversation, put func(*line) error) error {
	for len(v.going.items) > 0 && v.going.items[0].End < c.Start-c.Start%1e6 {
		l := v.going.pop()
		if err := put(&l); err != nil {
			return err
		}
	}
	if v.four && !c.Src.Is4() {
		return nil
	}
	for _, in := range []bool{false, true} {
		v.add(c, in)
	}
	return nil
}

// add cuts what one side sent into records.
func (v *exporterLog) add(c *Conversation, in bool) {
	all := c.side(in).Packets
	for first := uint64(0); first < all; {
		last := all
		if until := c.at(in, first) + activeTimeout; until <= c.End {
			last = max(first+1, c.before(in, until))
		}
		v.count++
		l := line{conv: c, in: in, count: v.count, Record: picket.Record{Source: picket.SourceNetFlow, Interface: v.place, Src: c.Src, Dst: c.Dst, Proto: c.Proto,
			SrcPackets: last - first, SrcBytes: c.bytes(in, last) - c.bytes(in, first)}}
		r := &l.Record
		if hasPorts(c.Proto) {
			r.SrcPort, r.DstPort = c.SrcPort, c.DstPort
		}
		if in {
			r.Src, r.Dst, r.SrcPort, r.DstPort = r.Dst, r.Src, r.DstPort, r.SrcPort
		}
		r.Start, r.End = c.at(in, first)/1e6*1e6, c.at(in, last-1)/1e6*1e6
		if c.Proto == picket.ProtoTCP {
			for k := first; k < last; k++ { // all flags of a stretch show in its first packets, its last, and one in between
				if k == first+4 && last > first+6 {
					k = last - 3
				}
				l.flags |= c.flags(in, k)
			}
			tellFlags(r, l.flags)
		}
		v.going.push(l)
		first = last
	}
}

// tellFlags fills in what a decoder makes of the flags of all packets that Src sent.
func tellFlags(r *picket.Record, flags uint8) {
	const both = picket.FlagSYN | picket.FlagACK
	r.Has |= picket.HasFlags
	switch {
	case flags&both != both || r.SrcPackets == 1:
	case r.SrcPort == r.DstPort:
		r.SrcFlags = flags &^ picket.FlagACK
		return
	case r.SrcPort > r.DstPort:
		flags &^= picket.FlagACK
	}
	r.SrcFlags = flags
	r.Opener = openerOf(flags)
}

func (v *exporterLog) finish(put func(*line) error) error {
	for len(v.going.items) > 0 {
		l := v.going.pop()
		if err := put(&l); err != nil {
			return err
		}
	}
	return nil
}
