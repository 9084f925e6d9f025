package extract

import "picket"

// arrival is one record on its way into a table: its two ends in order.
type arrival struct {
	hash     uint64 // of the conversation
	ends     [2]addr
	start    int64 // Unix nanoseconds
	end      int64
	packets  [2]uint64
	bytes    [2]uint64
	payload  [2]uint64
	ports    [2]uint16
	iface    uint32
	span     uint32
	opened   [2]uint8
	answered [2]uint8
	flags    [2]uint8
	proto    uint8
	has      picket.Has
	rejected bool
	ticks    bool // the start is exact to the second
	packet   int8 // the end that sent a single packet, -1 where the record is no packet
	pattern  int8 // of the packet, -1 for none
	fragment bool
}

// take fills the arrival from a record of a known source that is not lost, all but its
// interface: what whole says of it, with less copying.
func (e *arrival) take(r *picket.Record, seed uint64) error {
	if min(r.Start, r.End) < -maxNanos || max(r.Start, r.End) > maxNanos || !r.Src.IsValid() || !r.Dst.IsValid() {
		return fits(r)
	}
	src, dst := toAddr(r.Src), toAddr(r.Dst)
	a, b := 0, 1
	if swapped(r, src, dst) {
		a, b = 1, 0
	}
	e.ends[a], e.ends[b] = src, dst
	e.ports[a], e.ports[b] = r.SrcPort, r.DstPort
	e.proto = r.Proto
	e.hash = e.hashOf(seed)
	e.start, e.end, e.has = r.Start, r.End, r.Has
	e.span = uint32(min((max(r.End-r.Start, 0)+secondNanos-1)/secondNanos, picket.Day))
	e.rejected, e.ticks, e.fragment = r.Rejected, r.Source != picket.SourceVPC, r.Fragment
	e.packets[a], e.packets[b] = r.SrcPackets, r.DstPackets
	e.bytes[a], e.bytes[b] = r.SrcBytes, r.DstBytes
	e.payload[a], e.payload[b] = r.SrcPayload, r.DstPayload
	e.flags[a], e.flags[b] = r.SrcFlags, r.DstFlags
	e.opened, e.answered = [2]uint8{}, [2]uint8{}
	if r.Opener != picket.OpenerUnknown || r.Has&picket.HasFlags != 0 {
		s := side{packets: r.SrcPackets, flags: r.SrcFlags}
		d := side{packets: r.DstPackets, flags: r.DstFlags}
		s.setOpening(&d, r)
		e.opened[a], e.opened[b] = uint8(s.opened), uint8(d.opened)
		e.answered[a], e.answered[b] = uint8(s.answered), uint8(d.answered)
	}
	e.packet, e.pattern = -1, -1
	if r.Has&picket.HasPackets != 0 {
		if p := pattern(r); p >= 0 || r.Fragment || r.SrcBytes > 0 {
			e.packet, e.pattern = int8(a), int8(p)
		}
	}
	return nil
}

// swapped reports whether the destination is the first end of a conversation.
func swapped(r *picket.Record, src, dst addr) bool {
	if src.hi == dst.hi && src.lo != dst.lo && src.hi == 0 && src.lo>>32 == dst.lo>>32 {
		return src.lo > dst.lo
	}
	c := src.compare(dst)
	return c > 0 || c == 0 && r.SrcPort > r.DstPort
}

// hashOf is of the conversation.
func (e *arrival) hashOf(seed uint64) uint64 {
	h := mix(e.ends[0].lo^seed, e.ends[1].lo^e.ends[0].hi)
	return mix(h^e.ends[1].hi, uint64(e.ports[0])<<48|uint64(e.ports[1])<<32|uint64(e.proto))
}
