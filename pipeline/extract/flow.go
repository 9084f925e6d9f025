package extract

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"strings"

	"picket"
)

// key says which row of a part a row is: one conversation in one minute at one
// interface. The conversation is its two ends in order, so that both directions
// meet in one row whichever way a record names them.
type key struct {
	hour   int32 // Unix hour
	source uint8 // index into sources
	proto  uint8
	minute uint8  // of the hour
	origin uint32 // which part a row came from, from 1, while evidence is gathered; else 0
	ends   [2]addr
	ports  [2]uint16
	iface  string // interface, "" where the log does not say
}

// flow is one row of a part.
type flow struct {
	key
	opener uint8 // the end that opened; set when a window closes, 0 in a part
	// interval of the interface's log in seconds, 0 where records are instants
	// or connections; set when a window closes, 0 in a part.
	interval uint16
	has      picket.Has // what the records of the row carried; see mergeHas

	records  uint32 // that start in the minute
	rejected uint32 // of them, refused by the network
	lost     uint32 // of them, marks that records are missing; such rows have no ends
	span     uint32 // longest record that touches the minute, in seconds, rounded up
	ticks    uint64 // bit s: a record starts in second s of the minute; 0 where the log has no such times
	lines    [2]uint64
	sides    [2]side // sent by each end
}

// side is what one end of a conversation sent.
type side struct {
	packets  uint64
	bytes    uint64 // IP bytes, headers included
	payload  uint64 // transport payload bytes
	squares  uint64 // sum of squared packet sizes, where records are packets
	first    int64  // Unix nanoseconds, earliest start; never where the end sent nothing
	opened   uint32 // records that say that this end opened
	answered uint32 // records that are an answer from this end (SYN-ACK)
	flags    uint8  // TCP flags, OR-ed
	patterns [patterns]uint32
}

// never is the first start of a side that sent nothing.
const never = math.MaxInt64

// Patterns of single packets, counted where records are packets.
const (
	patternSYN      = iota // SYN without ACK
	patternSYNACK          //
	patternACK             // ACK alone without payload
	patternFIN             // FIN without ACK
	patternNULL            // TCP with no flag
	patternXMAS            // FIN, PSH and URG
	patternRST             //
	patternFragment        // IP fragments, of any protocol
	patterns
)

// compare orders rows as a part holds them. Rows that compare equal are the same
// row and are summed.
func (k *key) compare(o *key) int {
	if c := k.compareTalk(o); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(k.minute, o.minute), strings.Compare(k.iface, o.iface), cmp.Compare(k.origin, o.origin))
}

// compareTalk orders rows by hour, source and conversation.
func (k *key) compareTalk(o *key) int {
	if k.hour != o.hour {
		return cmp.Compare(k.hour, o.hour)
	}
	if k.source != o.source {
		return cmp.Compare(k.source, o.source)
	}
	for i := range k.ends {
		if c := k.ends[i].compare(o.ends[i]); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(k.ports[0], o.ports[0]), cmp.Compare(k.ports[1], o.ports[1]), cmp.Compare(k.proto, o.proto))
}

// sameTalk is compareTalk(o) == 0, quicker.
func (k *key) sameTalk(o *key) bool {
	return k.ends[0] == o.ends[0] && k.ends[1] == o.ends[1] && k.ports == o.ports &&
		k.proto == o.proto && k.hour == o.hour && k.source == o.source
}

// same is compare(o) == 0, quicker.
func (k *key) same(o *key) bool {
	return k.minute == o.minute && k.sameTalk(o) && k.origin == o.origin && k.iface == o.iface
}

// merge adds g to f. Both have the same key.
func (f *flow) merge(g *flow) {
	f.has = mergeHas(f.has, g.has)
	f.records = add32(f.records, g.records)
	f.rejected = add32(f.rejected, g.rejected)
	f.lost = add32(f.lost, g.lost)
	f.span = max(f.span, g.span)
	f.ticks |= g.ticks
	f.lines[0] = min(f.lines[0], g.lines[0])
	f.lines[1] = max(f.lines[1], g.lines[1])
	f.sides[0].merge(&g.sides[0])
	f.sides[1].merge(&g.sides[1])
}

// mergeHas returns what the sum of two rows has. Flags are worth knowing from
// some of the records: fragments have none. All else must be from all of them.
func mergeHas(a, b picket.Has) picket.Has {
	const some = picket.HasFlags | picket.HasReverse
	return a&b | (a|b)&some
}

func (s *side) merge(t *side) {
	s.packets = add64(s.packets, t.packets)
	s.bytes = add64(s.bytes, t.bytes)
	s.payload = add64(s.payload, t.payload)
	s.squares = add64(s.squares, t.squares)
	s.first = min(s.first, t.first)
	s.opened = add32(s.opened, t.opened)
	s.answered = add32(s.answered, t.answered)
	s.flags |= t.flags
	for i, n := range &t.patterns {
		s.patterns[i] = add32(s.patterns[i], n)
	}
}

// sent reports whether the side sent anything.
func (s *side) sent() bool { return s.packets > 0 }

// time returns the start of the row's minute in Unix seconds.
func (f *flow) time() int64 { return int64(f.hour)*picket.Hour + int64(f.minute)*picket.Minute }

// add64 and add32 stop at the largest value. Such a sum, like a plain one, does
// not depend on the order of its terms.
func add64(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	return sum | -carry
}

func add32(a, b uint32) uint32 {
	sum, carry := bits.Add32(a, b, 0)
	return sum | -carry
}

// addr is an address as two words, IPv4 as IPv4-mapped IPv6. Records hold no
// mapped addresses, so that nothing is lost but an IPv6 zone.
type addr struct{ hi, lo uint64 }

func toAddr(a netip.Addr) addr {
	if a.Is4() {
		b := a.As4()
		return addr{0, 0xffff<<32 | uint64(binary.BigEndian.Uint32(b[:]))}
	}
	b := a.As16()
	return addr{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (a addr) netip() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], a.hi)
	binary.BigEndian.PutUint64(b[8:], a.lo)
	return netip.AddrFrom16(b).Unmap()
}

func (a addr) String() string { return a.netip().String() }

func (a addr) is4() bool { return a.hi == 0 && a.lo>>32 == 0xffff }

// compare orders IPv4 before IPv6, as netip does.
func (a addr) compare(b addr) int {
	if a == b {
		return 0
	}
	if four := a.is4(); four != b.is4() {
		if four {
			return -1
		}
		return 1
	}
	if a.hi != b.hi {
		return cmp.Compare(a.hi, b.hi)
	}
	return cmp.Compare(a.lo, b.lo)
}

// word returns the address as 33 bits that order addresses as far as they go:
// those of IPv4 are exact, all of IPv6 are the last word.
func (a addr) word() uint64 {
	if a.is4() {
		return a.lo & 0xffff_ffff
	}
	return lastWord
}

const lastWord = 1 << 32

// wordWith returns the address as a word with two ports behind it. All of IPv6
// are the largest one.
func (a addr) wordWith(first, second uint16) uint64 {
	if a.is4() {
		return a.lo<<32 | uint64(first)<<16 | uint64(second)
	}
	return math.MaxUint64
}

// subnet returns the /24 of an IPv4 address and the /48 of an IPv6 address.
func (a addr) subnet() addr {
	if a.is4() {
		return addr{0, a.lo &^ 0xff}
	}
	return addr{a.hi &^ 0xffff, 0}
}

// external reports whether the address is neither private, shared, local nor
// multicast: the far side of an exfiltration.
func (a addr) external() bool {
	if a.is4() {
		return external4(uint32(a.lo))
	}
	ip := a.netip()
	return ip.IsGlobalUnicast() && !ip.IsPrivate()
}

// external4 tells what netip tells of IPv4, quicker.
func external4(ip uint32) bool {
	switch a, b := ip>>24, ip>>16&0xff; {
	case a == 10, a == 127, a >= 224 && a < 240: // private, loopback, multicast
		return false
	case a == 172:
		return b>>4 != 1
	case a == 192:
		return b != 168
	case a == 169:
		return b != 254 // link-local
	case a == 100:
		return b>>6 != 1 // shared, RFC 6598
	}
	return ip != 0 && ip != 0xffffffff
}
