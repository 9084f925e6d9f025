package extract

import (
	"fmt"
	"math/bits"

	"picket"
)

const (
	minuteNanos = picket.Minute * 1e9
	secondNanos = 1e9

	// maxMinutes that one record is spread over. What a longer one carries (a
	// Zeek connection can last for weeks) falls into its first 24 hours.
	maxMinutes = picket.Day / picket.Minute

	// maxNanos bounds times, either way from 1970, so that no sum of two can
	// overflow: the year 2116. Decode refuses such dates long before.
	maxNanos = 1 << 62
)

// split gives emit one row for each minute that the record touches with a
// packet. Packets are shared out by time, the remainder to the first minute;
// bytes follow the packets; the record itself, its flags and what it says of
// the opener belong to the minute of its start.
func split(r *picket.Record, emit func(*flow) error) error {
	row, err := whole(r)
	if err != nil {
		return err
	}
	first, last := floorDiv(r.Start, minuteNanos), floorDiv(max(r.End-1, r.Start), minuteNanos)
	if first == last {
		return emit(&row)
	}
	end := r.End
	if last-first >= maxMinutes {
		last = first + maxMinutes - 1
		end = (last + 1) * minuteNanos
	}
	total := row.sides
	for m := first + 1; m <= last; m++ {
		overlap := min(end, (m+1)*minuteNanos) - m*minuteNanos
		share := row.share(m, &total, uint64(overlap), uint64(end-r.Start))
		if !share.sides[0].sent() && !share.sides[1].sent() {
			continue
		}
		if err := emit(&share); err != nil {
			return err
		}
	}
	return emit(&row)
}

// share moves the part of the total that falls into minute m, overlap of all
// nanoseconds, out of the row of the first minute into one of its own.
func (f *flow) share(m int64, total *[2]side, overlap, all uint64) flow {
	share := flow{key: f.key, has: f.has, span: f.span, lines: f.lines}
	share.setMinute(m)
	for i := range total {
		t, s, rest := &total[i], &share.sides[i], &f.sides[i]
		s.first = never
		s.packets = scale(t.packets, overlap, all)
		if s.packets == 0 {
			continue
		}
		s.first = m * minuteNanos
		s.bytes = scale(t.bytes, s.packets, t.packets)
		s.payload = scale(t.payload, s.packets, t.packets)
		rest.packets -= s.packets
		rest.bytes -= s.bytes
		rest.payload -= s.payload
	}
	return share
}

// scale returns n·part/whole, rounded down. part is at most whole.
func scale(n, part, whole uint64) uint64 {
	if part >= whole {
		return n
	}
	hi, lo := bits.Mul64(n, part)
	q, _ := bits.Div64(hi, lo, whole)
	return q
}

// fits returns what is wrong with a record.
func fits(r *picket.Record) error {
	if _, err := sourceNumber(r.Source); err != nil {
		return err
	}
	if min(r.Start, r.End) < -maxNanos || max(r.Start, r.End) > maxNanos {
		return fmt.Errorf("record on line %d has a time out of range", r.Line)
	}
	if !r.Lost && (!r.Src.IsValid() || !r.Dst.IsValid()) {
		return fmt.Errorf("record on line %d has no addresses", r.Line)
	}
	return nil
}

// whole returns the record as one row in the minute of its start.
func whole(r *picket.Record) (flow, error) {
	if err := fits(r); err != nil {
		return flow{}, err
	}
	source, _ := sourceNumber(r.Source)
	row := flow{has: r.Has, records: 1, lines: [2]uint64{r.Line, r.Line}}
	row.source, row.iface = source, r.Interface[:min(len(r.Interface), maxInterface)]
	row.setMinute(floorDiv(r.Start, minuteNanos))
	row.span = uint32(min((max(r.End-r.Start, 0)+secondNanos-1)/secondNanos, picket.Day))
	row.sides[0].first, row.sides[1].first = never, never
	if r.Lost {
		row.lost = 1
		return row, nil
	}
	if r.Rejected {
		row.rejected = 1
	}
	if r.Source != picket.SourceVPC {
		row.ticks = 1 << (floorDiv(r.Start, secondNanos) - floorDiv(r.Start, minuteNanos)*picket.Minute)
	}
	row.setEnds(r)
	return row, nil
}

func (f *flow) setMinute(m int64) {
	hour := floorDiv(m, 60)
	f.hour, f.minute = int32(hour), uint8(m-hour*60)
}

// setEnds puts the record's two sides in order into the row.
func (f *flow) setEnds(r *picket.Record) {
	src, dst := toAddr(r.Src), toAddr(r.Dst)
	a, b := 0, 1
	if c := src.compare(dst); c > 0 || c == 0 && r.SrcPort > r.DstPort {
		a, b = 1, 0
	}
	f.proto = r.Proto
	f.ends[a], f.ends[b] = src, dst
	f.ports[a], f.ports[b] = r.SrcPort, r.DstPort
	s, d := &f.sides[a], &f.sides[b]
	s.packets, s.bytes, s.payload, s.flags = r.SrcPackets, r.SrcBytes, r.SrcPayload, r.SrcFlags
	d.packets, d.bytes, d.payload, d.flags = r.DstPackets, r.DstBytes, r.DstPayload, r.DstFlags
	for i := range f.sides {
		if f.sides[i].sent() {
			f.sides[i].first = r.Start
		}
	}
	s.setOpening(d, r)
	if r.Has&picket.HasPackets != 0 {
		s.setPacket(r)
	}
}

// setOpening notes on the sides of source and destination what the record says
// of who opened. That a SYN-ACK answers is noted apart: an answer that nobody
// asked for opens a conversation of its own.
func (s *side) setOpening(d *side, r *picket.Record) {
	if r.Proto == picket.ProtoTCP && r.Has&picket.HasFlags != 0 && s.sent() != d.sent() {
		lone := s
		if d.sent() {
			lone = d
		}
		switch lone.flags & (picket.FlagSYN | picket.FlagACK) {
		case picket.FlagSYN | picket.FlagACK:
			lone.answered = 1
			return
		case picket.FlagSYN:
			lone.opened = 1
			return
		}
	}
	switch r.Opener {
	case picket.OpenerSrc:
		s.opened = 1
	case picket.OpenerDst:
		d.opened = 1
	}
}

// setPacket notes the size and the pattern of the record's one packet.
func (s *side) setPacket(r *picket.Record) {
	size := min(r.SrcBytes, 1<<31)
	s.squares = size * size
	if r.Fragment {
		s.patterns[patternFragment] = 1
	}
	if p := pattern(r); p >= 0 {
		s.patterns[p] = 1
	}
}

// pattern returns the TCP pattern of a packet, or -1. The flags of explicit
// congestion notification take no part.
func pattern(r *picket.Record) int {
	if r.Proto != picket.ProtoTCP || r.Has&picket.HasFlags == 0 {
		return -1
	}
	const xmas = picket.FlagFIN | picket.FlagPSH | picket.FlagURG
	flags := r.SrcFlags &^ (picket.FlagECE | picket.FlagCWR)
	switch {
	case flags&picket.FlagRST != 0:
		return patternRST
	case flags == 0 && !r.Fragment:
		return patternNULL
	case flags&xmas == xmas:
		return patternXMAS
	case flags&(picket.FlagSYN|picket.FlagACK) == picket.FlagSYN|picket.FlagACK:
		return patternSYNACK
	case flags&picket.FlagSYN != 0:
		return patternSYN
	case flags&(picket.FlagFIN|picket.FlagACK) == picket.FlagFIN:
		return patternFIN
	case flags == picket.FlagACK && r.SrcPayload == 0:
		return patternACK
	}
	return -1
}

// floorDiv divides towards minus infinity, for times before 1970.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
