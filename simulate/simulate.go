// Package simulate makes labelled network traffic: Script -> Conversations ->
// real log files with their label file.
//
// A script (see [ParseScript] and scripts/) names a network, what its people and
// machines do all day, and attacks of a kind and strength. Actors, each with a
// random source of its own, are merged in time order into one stream of
// conversations, of which memory holds only those that are going on. The same
// script gives the same bytes. Writers turn the stream into VPC Flow Logs, Zeek
// conn logs or packets; [Records] gives what a decoder would read from them
// without the detour over text.
//
// # Labels
//
// The label file says "normal" of everything over the script's whole span, and
// then one row for each side of each attack that a booster should name:
//
//	class          actor row                            victim row
//	ddos           each source of 10 packets/s or more  targets of 1 packet/s or more (also as actor where
//	               (not spoofed ones)                   replies make it look like the opener)
//	scan           the scanner                          targets with many probes that are most of what reaches them
//	bruteforce     the guesser, each of them            the same rule
//	exfiltration   the inside host that sends           the outside address, if most of what it gets is this
//	c2             the inside host that calls home      the same rule
//
// A row spans the first to the last conversation of that side. A slow attack
// does not show in every short window inside its row: [Truth.Shows] says at which
// widths a row is fair to train and to test on. What an attack touched
// without any of these has a row of class excluded, unless the attack is lost in
// its other traffic. Background radiation (a stray probe or two from each of
// many addresses) has no rows: it reaches every public host all day, nobody can
// act on it, and a model that names it is useless.
package simulate

import (
	"net/netip"

	"picket"
)

// Outcome says how a conversation went.
type Outcome uint8

const (
	Closed   Outcome = iota // TCP: handshake, data, FIN. Others: both sides spoke, or Dst had nothing to say
	Open                    // TCP: handshake and data, no end seen
	Reset                   // TCP: handshake and data, RST from Dst or Src
	Refused                 // TCP: SYN answered by RST. UDP: no reply here, an ICMP error elsewhere
	Silent                  // nobody answers
	Blocked                 // the network refused it: REJECT in a flow log, silence elsewhere
	HalfOpen                // TCP: SYN, SYN-ACK, and RST or nothing
	Raw                     // TCP: packets with the flags of Side.Flags, no handshake
)

// Side is what one side of a conversation sent.
type Side struct {
	Packets uint64 // IP packets
	Payload uint64 // transport payload bytes
	Bytes   uint64 // IP bytes, headers included
	Data    uint64 // packets that carry payload
	Flags   uint8  // TCP flags, OR-ed
}

// Conversation is one connection, exchange or single packet between two
// addresses. Src opened it, or for Raw replies sent its only packets.
type Conversation struct {
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16 // ICMP: type and code
	Proto            uint8
	Start, End       int64 // Unix nanoseconds of the first and the last packet
	Delay            int64 // nanoseconds from Src's packet to Dst's answer, seen at Src
	Out, In          Side  // sent by Src, sent by Dst
	Outcome          Outcome
	Rounds           uint32  // exchanges, evenly over the span
	Busy             float32 // share of each round in which packets flow, (0, 1]
	Pieces           uint8   // IP fragments of each datagram, 1 or 0: not fragmented
	Options          uint8   // bytes of TCP options in each packet, a multiple of 4
	SynOptions       uint8   // the same for a SYN
	Hidden           bool    // flow logs of a cloud network leave it out: its own resolver, DHCP, multicast
	Headless         bool    // the capture began after the start: no handshake
	Reply            bool    // Src answers a packet that was not seen: reflection
	Attack           *Attack // nil: benign
	Habit            string  // what made it: "browse", "syn-flood"
}

// Attack is one attack line of a script as it was played.
type Attack struct {
	Index    int // of the line among the script's attacks, from 0
	Class    string
	Kind     string
	Strength float64
	from     int64 // Unix nanoseconds, as ordered
	until    int64
	victims  *ledger
	actors   *ledger
}

// lead is how many packets of a side come before its data, trail how many after.
func (c *Conversation) lead(in bool) uint64 {
	if c.Proto != picket.ProtoTCP || c.Headless || c.Outcome > Reset {
		return 0
	}
	if in {
		return min(1, c.In.Packets)
	}
	return min(2, c.Out.Packets)
}

func (c *Conversation) trail(in bool) uint64 {
	if c.Proto != picket.ProtoTCP || c.side(in).Packets <= c.lead(in) {
		return 0
	}
	switch {
	case c.Outcome == Closed:
		return 1
	case c.Outcome == Reset && in:
		return 1
	}
	return 0
}

func (c *Conversation) side(in bool) *Side {
	if in {
		return &c.In
	}
	return &c.Out
}

// at is when packet k of a side passes, k from 0. It never falls with k.
func (c *Conversation) at(in bool, k uint64) int64 {
	s, n := c.Start, c.side(in).Packets
	if in {
		s = min(c.Start+c.Delay, c.End)
	}
	lead := c.lead(in)
	switch {
	case k < lead:
		return min(s+int64(k)*c.Delay, c.End)
	case lead > 0:
		s = min(c.Start+c.Delay+c.Delay/8, c.End)
	}
	left := n - lead
	if left <= 1 {
		if lead > 0 {
			return c.End
		}
		return s
	}
	x := float64(k-lead) / float64(left-1) * float64(c.Rounds)
	round := float64(int64(x))
	return min(c.End, s+int64(float64(c.End-s)*((round+float64(c.Busy)*(x-round))/float64(c.Rounds))))
}

// before counts the packets of a side that pass before t.
func (c *Conversation) before(in bool, t int64) uint64 {
	lo, hi := uint64(0), c.side(in).Packets
	if t > c.End {
		return hi
	}
	for lo < hi {
		mid := lo + (hi-lo)/2
		if c.at(in, mid) < t {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// payload is how many payload bytes the first k packets of a side carry.
func (c *Conversation) payload(in bool, k uint64) uint64 {
	s := c.side(in)
	if s.Payload == 0 || k <= c.lead(in) {
		return 0
	}
	body := s.Packets - c.lead(in) - c.trail(in)
	b := min(k-c.lead(in), body)
	if b == body {
		return s.Payload
	}
	return mulDiv(s.Payload, mulDiv(b, s.Data, body), s.Data)
}

// bytes is how many IP bytes the first k packets of a side hold.
func (c *Conversation) bytes(in bool, k uint64) uint64 {
	return c.payload(in, k) + k*c.header() + c.extra(in, k)
}

// header is the bytes of the headers that every packet has.
func (c *Conversation) header() uint64 {
	ip := uint64(20)
	if c.Src.Is6() {
		ip = 40
	}
	switch {
	case c.Proto == picket.ProtoTCP:
		return ip + 20 + uint64(c.Options)
	case c.Pieces > 1, c.Proto != picket.ProtoUDP && c.Proto != picket.ProtoICMP && c.Proto != picket.ProtoICMPv6:
		return ip
	}
	return ip + 8
}

// extra is the bytes of headers beyond header() in the first k packets: SYN
// options, and the one UDP header of each fragmented datagram.
func (c *Conversation) extra(in bool, k uint64) uint64 {
	if c.Pieces > 1 {
		pieces := uint64(c.Pieces)
		return (k + pieces - 1) / pieces * 8
	}
	if c.SynOptions <= c.Options {
		return 0
	}
	return c.syns(in, k) * uint64(c.SynOptions-c.Options)
}

// syns is how many of the first k packets of a side have the SYN flag.
func (c *Conversation) syns(in bool, k uint64) uint64 {
	if c.Proto != picket.ProtoTCP || c.Headless {
		return 0
	}
	switch c.Outcome {
	case Closed, Open, Reset:
		return min(1, k)
	case Refused, Silent, Blocked:
		if !in {
			return k
		}
	case HalfOpen:
		if !in {
			return min(1, k)
		}
		return k
	}
	return 0
}

// flags of packet k of a side.
func (c *Conversation) flags(in bool, k uint64) uint8 {
	const syn, ack = picket.FlagSYN, picket.FlagACK
	s := c.side(in)
	switch {
	case c.Proto != picket.ProtoTCP:
		return 0
	case c.Outcome == Raw || s.Packets == 0:
		return s.Flags
	case c.syns(in, k+1) > c.syns(in, k):
		if in {
			return syn | ack
		}
		return syn
	case c.Outcome == Refused:
		return picket.FlagRST | ack
	case c.Outcome == HalfOpen:
		return picket.FlagRST
	case k+c.trail(in) >= s.Packets && c.Outcome == Reset:
		return picket.FlagRST | ack
	case k+c.trail(in) >= s.Packets && c.trail(in) > 0:
		return picket.FlagFIN | ack
	case c.payload(in, k+1) > c.payload(in, k):
		return picket.FlagPSH | ack
	}
	return ack
}

// seal fills in what follows from the rest: bytes and flags.
func (c *Conversation) seal() {
	c.End = max(c.End, c.Start)
	c.Rounds = max(c.Rounds, 1)
	if c.Busy <= 0 || c.Busy > 1 {
		c.Busy = 1
	}
	for _, in := range []bool{false, true} {
		s := c.side(in)
		s.Bytes = c.bytes(in, s.Packets)
		if c.Proto != picket.ProtoTCP || c.Outcome == Raw || s.Packets == 0 {
			continue
		}
		s.Flags = c.flags(in, 0) | c.flags(in, s.Packets-1) | c.flags(in, s.Packets/2)
		if s.Data > 0 {
			s.Flags |= picket.FlagPSH | picket.FlagACK
		}
		if l := c.lead(in); l > 0 && l < s.Packets || l > 1 {
			s.Flags |= picket.FlagACK
		}
	}
}

// slim is the payload of a conversation that a volume does not cut.
const slim = 100_000

// shrink cuts the payload beyond the first slim bytes, and the packets that
// carry it, to the given share.
func (c *Conversation) shrink(volume float64) {
	all := c.Out.Payload + c.In.Payload
	if volume <= 0 || volume >= 1 || all <= slim {
		return
	}
	share := (slim + float64(all-slim)*volume) / float64(all)
	for _, in := range []bool{false, true} {
		s, fixed := c.side(in), c.lead(in)+c.trail(in)
		if s.Packets <= fixed {
			continue
		}
		pieces := max(1, uint64(c.Pieces))
		s.Packets = fixed + (uint64(float64(s.Packets-fixed)*share)/pieces+1)*pieces
		s.Payload = uint64(float64(s.Payload) * share)
		s.Data = min(uint64(float64(s.Data)*share)+1, s.Packets-fixed, s.Payload)
	}
	c.Rounds = max(1, uint32(float64(c.Rounds)*share))
}

// clip cuts c to what a capture of [from, to) sees, and reports whether it sees
// any of it.
func (c *Conversation) clip(from, to int64) bool {
	if c.Start >= from && c.End < to {
		return true
	}
	if c.End < from || c.Start >= to {
		return false
	}
	cut := *c
	for _, in := range []bool{false, true} {
		a, b := c.before(in, from), c.before(in, to)
		s := cut.side(in)
		s.Packets, s.Payload = b-a, c.payload(in, b)-c.payload(in, a)
		s.Data = min(s.Packets, c.side(in).Data)
		if s.Payload == 0 {
			s.Data = 0
		}
	}
	if c.Outcome <= Reset {
		cut.Headless = c.Headless || c.Start < from
		if c.End >= to {
			cut.Outcome = Open
		}
	}
	cut.Start, cut.End = max(c.Start, from), min(c.End, to-1)
	cut.Rounds = uint32(max(1, float64(c.Rounds)*float64(cut.End-cut.Start)/float64(max(1, c.End-c.Start))))
	cut.fit()
	cut.seal()
	*c = cut
	return c.Out.Packets+c.In.Packets > 0
}

// fit makes room for the payload between the packets that carry none.
func (c *Conversation) fit() {
	for _, in := range []bool{false, true} {
		s := c.side(in)
		if room := s.Packets - c.lead(in) - c.trail(in); s.Data > room || s.Payload == 0 {
			s.Data = min(s.Data, room)
		}
		if s.Data == 0 {
			s.Payload = 0
		}
	}
}
