package simulate

import (
	"math"
	"net/netip"

	"picket"
)

const segment = 1448 // payload bytes of a full TCP segment with timestamps over Ethernet

// stack is how an address writes its TCP headers: bytes of options in each
// packet and in a SYN.
func stack(a netip.Addr) (options, syn uint8) {
	b := a.As16()
	switch mix(uint64(b[15])<<16|uint64(b[14])<<8|uint64(b[13])) % 8 {
	case 0, 1, 2:
		return 0, 12 // Windows
	case 3:
		return 0, 4 // small devices
	}
	return 12, 20 // Linux, macOS
}

// tcp is a connection that carries up and down payload bytes in rounds exchanges.
func tcp(src, dst netip.AddrPort, start, life int64, up, down uint64, rounds int) Conversation {
	c := Conversation{
		Src: src.Addr(), SrcPort: src.Port(), Dst: dst.Addr(), DstPort: dst.Port(), Proto: picket.ProtoTCP,
		Start: start, End: start + life, Rounds: uint32(max(1, rounds)), Busy: 0.3,
	}
	if rounds <= 1 {
		c.Busy = 1
	}
	c.Options, c.SynOptions = stack(src.Addr())
	c.Out.Data, c.In.Data = segments(up, rounds), segments(down, rounds)
	c.Out.Payload, c.In.Payload = up, down
	c.Out.Packets = 3 + c.Out.Data + acks(c.In.Data, c.Out.Data)
	c.In.Packets = 2 + c.In.Data + acks(c.Out.Data, c.In.Data)
	return c
}

// segments is how many packets carry the payload when it goes in that many writes.
func segments(payload uint64, rounds int) uint64 {
	if payload == 0 {
		return 0
	}
	return max((payload+segment-1)/segment, min(uint64(max(1, rounds)), payload))
}

// acks is how many packets of a side only acknowledge: every second packet that
// arrives, unless own data carries it.
func acks(arrived, own uint64) uint64 {
	if half := (arrived + 1) / 2; half > own {
		return half - own
	}
	return 0
}

// udp is an exchange of datagrams of at most size payload bytes.
func udp(src, dst netip.AddrPort, start, life int64, up, down uint64, size int, rounds int) Conversation {
	c := Conversation{
		Src: src.Addr(), SrcPort: src.Port(), Dst: dst.Addr(), DstPort: dst.Port(), Proto: picket.ProtoUDP,
		Start: start, End: start + life, Rounds: uint32(max(1, rounds)), Busy: 0.3,
	}
	fill := func(s *Side, payload uint64) {
		if payload > 0 {
			s.Payload, s.Packets = payload, max((payload+uint64(size)-1)/uint64(size), min(uint64(max(1, rounds)), payload))
			s.Data = s.Packets
		}
	}
	fill(&c.Out, up)
	fill(&c.In, down)
	if c.In.Packets == 0 {
		c.Outcome = Silent
	}
	return c
}

// ping is n echo requests of size payload bytes, and their replies.
func ping(src, dst netip.Addr, start, life int64, n, size uint64, answered bool) Conversation {
	c := Conversation{Src: src, Dst: dst, SrcPort: 8, Proto: picket.ProtoICMP, Start: start, End: start + life, Rounds: uint32(max(1, n))}
	if src.Is6() {
		c.Proto, c.SrcPort = picket.ProtoICMPv6, 128
	}
	c.Out = Side{Packets: n, Payload: n * size, Data: n}
	if answered {
		c.In = c.Out
	} else {
		c.Outcome = Silent
	}
	return c
}

// probe is a connection attempt that does not come to data: tries SYNs and what
// comes back under the outcome.
func probe(src, dst netip.AddrPort, start int64, tries int, o Outcome) Conversation {
	c := Conversation{
		Src: src.Addr(), SrcPort: src.Port(), Dst: dst.Addr(), DstPort: dst.Port(), Proto: picket.ProtoTCP,
		Start: start, Outcome: o, Rounds: 1,
	}
	c.Options, c.SynOptions = 0, 20
	n := uint64(max(1, tries))
	c.Out.Packets = n
	switch o {
	case Refused:
		c.In.Packets = n
		c.End = start + int64(n-1)*second/2
	case HalfOpen:
		c.In.Packets, c.Out.Packets = 1, 2
	default:
		c.End = start + int64(math.Pow(2, float64(n-1))-1)*second // 1 s, 2 s, 4 s between tries
	}
	return c
}

// raw is n packets of one size with the same flags and no handshake.
func raw(src, dst netip.AddrPort, start, life int64, n, size uint64, flags uint8) Conversation {
	c := Conversation{
		Src: src.Addr(), SrcPort: src.Port(), Dst: dst.Addr(), DstPort: dst.Port(), Proto: picket.ProtoTCP,
		Start: start, End: start + life, Outcome: Raw, Rounds: 1,
	}
	c.Out = Side{Packets: n, Payload: n * size, Flags: flags}
	if size > 0 {
		c.Out.Data = n
	}
	return c
}

// delay is the round trip in nanoseconds between two addresses as the network
// sees it: short inside, and outside a property of the far address.
func (w *world) delay(src, dst netip.Addr) int64 {
	for _, a := range []netip.Addr{src, dst} {
		if !w.net.inside(a) {
			b := a.As16()
			return nanos(0.004 + 0.18*float64(mix(uint64(b[12])<<16|uint64(b[13])<<8|uint64(b[14]))%1000)/1000)
		}
	}
	return 300_000
}

func port(a netip.Addr, p uint16) netip.AddrPort { return netip.AddrPortFrom(a, p) }
