package simulate

import (
	"cmp"

	"picket"
)

// sensorLog is how a sensor sees conversations that does not look into them: each
// once, when it is over, both directions, the first to speak being the client.
type sensorLog struct {
	going  heap[line]
	count  uint64
	record func(c *Conversation, l *line) bool // false for what it does not see
}

func sensorView(record func(c *Conversation, l *line) bool) func(*Script, *network) view {
	return func(*Script, *network) view {
		v := &sensorLog{record: record}
		v.going.less = func(a, b *line) bool { return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.count, b.count)) < 0 }
		return v
	}
}

func (v *sensorLog) take(c *Conversation, put func(*line) error) error {
	for len(v.going.items) > 0 && v.going.items[0].End < c.Start-c.Start%1e6 {
		l := v.going.pop()
		if err := put(&l); err != nil {
			return err
		}
	}
	v.count++
	l := line{conv: c, count: v.count}
	if v.record(c, &l) {
		v.going.push(l)
	}
	return nil
}

func (v *sensorLog) finish(put func(*line) error) error {
	for len(v.going.items) > 0 {
		l := v.going.pop()
		if err := put(&l); err != nil {
			return err
		}
	}
	return nil
}

// both fills in what any sensor knows, in ticks of its clock.
func both(c *Conversation, l *line, source string, tick int64) *picket.Record {
	l.Record = picket.Record{
		Source: source, Opener: picket.OpenerSrc, Has: picket.HasReverse, Src: c.Src, Dst: c.Dst, Proto: c.Proto,
		Start: c.Start / tick * tick, End: c.End / tick * tick,
		SrcPackets: c.Out.Packets, DstPackets: c.In.Packets, SrcBytes: c.Out.Bytes, DstBytes: c.In.Bytes,
	}
	if hasPorts(c.Proto) {
		l.SrcPort, l.DstPort = c.SrcPort, c.DstPort
	}
	return &l.Record
}

// eveRecord is a flow event of Suricata.
func eveRecord(c *Conversation, l *line) bool {
	r := both(c, l, picket.SourceEVE, 1000)
	r.Interface = "eth0"
	if c.Proto == picket.ProtoTCP {
		l.flags, l.back = c.Out.Flags, c.In.Flags
		r.Has |= picket.HasFlags
		r.SrcFlags, r.DstFlags = l.flags, l.back
		if synAck := picket.FlagSYN | picket.FlagACK; r.SrcPackets > 1 && l.flags&synAck == synAck {
			r.SrcFlags &^= picket.FlagACK
		}
	}
	return true
}

// ocsfRecord is Network Activity of a sensor that counts both directions.
func ocsfRecord(c *Conversation, l *line) bool {
	both(c, l, picket.SourceOCSF, 1e6)
	return true
}
