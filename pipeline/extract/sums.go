package extract

import (
	"math"
	"math/bits"

	"picket"
)

// sums are what adds up over rows and conversations, and over entities too.
type sums struct {
	out, in volume

	flows        uint64           // conversations
	group        [groups]uint64   // conversations by protocol
	groupPackets [groups]uint64   // packets by protocol
	meanSquares  uint128          // per row and direction bytes²/packets, in 1/65536
	externalOut  uint64           // bytes sent to peers outside
	decided      uint64           // records whose log says accepted or rejected
	rejected     uint64           // of them, rejected
	unanswered   uint64           // conversations in which the other end sent nothing
	established  uint64           // TCP conversations long enough to carry data
	flagged      uint64           // TCP conversations whose flags are known
	syn          uint64           // of them, with a SYN of the opener
	failed       uint64           // of these, without a SYN of the other end
	reset        uint64           // of the flagged, with a RST of either end
	unasked      uint64           // of the flagged, opened by an answer
	ported       uint64           // conversations of a protocol with ports
	class        [classes]uint64  // of them, by class of the service's port
	login        loginSums        // conversations with a login port
	dns          sizes            // bytes of the openers by conversation on port 53
	echoes       uint64           // ICMP packets of the openers
	echoBytes    uint64           // their bytes
	asked        uint64           // bytes of the openers
	amplified    uint64           // of them, UDP from a port known for amplification
	captured     packetSums       // where records are packets
	pattern      [patterns]uint64 // packets of the openers, where records are packets
	askedPackets uint64           // all packets of the openers, where records are packets
}

// volume is what one side sent.
type volume struct {
	packets, bytes uint64
	payload        uint64 // where the log has it
	payloadPackets uint64 // packets of those rows
}

// loginSums are over the conversations with a login port.
type loginSums struct {
	sizes   // bytes both ways by conversation
	packets uint64
}

// packetSums are over single packets of both sides.
type packetSums struct {
	count, bytes uint64
	squares      uint128 // size²
}

// Groups of protocols.
const (
	groupTCP = iota
	groupUDP
	groupICMP
	groupOther
	groups
)

func group(proto uint8) int {
	switch proto {
	case picket.ProtoTCP:
		return groupTCP
	case picket.ProtoUDP:
		return groupUDP
	case picket.ProtoICMP, picket.ProtoICMPv6:
		return groupICMP
	}
	return groupOther
}

// Classes of service ports.
const (
	classLogin = iota
	classWeb
	classDNS
	classLow // below 1024
	classes
)

// loginPort reports whether a TCP port is of a service that asks for a password:
// FTP, SSH, telnet, POP3, IMAP, SMB, submission, IMAPS, POP3S, SQL Server,
// MySQL, RDP, PostgreSQL, VNC, WinRM.
func loginPort(port uint16) bool {
	switch port {
	case 21, 22, 23, 110, 143, 445, 587, 993, 995, 1433, 3306, 3389, 5432, 5900, 5985:
		return true
	}
	return false
}

// webPort reports whether a port is of the web.
func webPort(port uint16) bool {
	switch port {
	case 80, 443, 8000, 8080, 8443:
		return true
	}
	return false
}

// amplifierPort reports whether a UDP port is of a service that answers with far
// more than it is asked: echo, QOTD, chargen, DNS, TFTP, portmap, NTP, NetBIOS,
// SNMP, LDAP, ISAKMP, RIP, SSDP, ARD, WS-Discovery, NAT-T, SIP, mDNS, CoAP,
// Memcached, game servers (US-CERT TA14-017A).
func amplifierPort(port uint16) bool {
	switch port {
	case 7, 17, 19, 53, 69, 111, 123, 137, 161, 389, 500, 520, 1900, 3283, 3702, 4500, 5060, 5353, 5683, 11211, 27015:
		return true
	}
	return false
}

// add counts what does not need whole conversations.
func (s *sums) add(v *view, n needs) {
	s.out.add(v.out, v.has)
	s.in.add(v.in, v.has)
	packets := &s.groupPackets[group(v.proto)]
	*packets = add64(*packets, add64(v.out.packets, v.in.packets))
	if n&needSizes != 0 {
		s.meanSquares.add(meanSquare(v.out))
		s.meanSquares.add(meanSquare(v.in))
	}
	if n&needExternal != 0 && v.out.bytes > 0 && v.peer.external() {
		s.externalOut = add64(s.externalOut, v.out.bytes)
	}
	if v.has&picket.HasAction != 0 {
		s.decided += uint64(v.records)
		s.rejected += uint64(v.rejected)
	}
	s.asked = add64(s.asked, v.asked.bytes)
	if v.proto == picket.ProtoUDP && amplifierPort(v.clientPort) {
		s.amplified = add64(s.amplified, v.asked.bytes)
	}
	if v.has&picket.HasPackets != 0 {
		s.addPackets(v)
	}
}

func (s *sums) addPackets(v *view) {
	for _, side := range []*side{v.out, v.in} {
		s.captured.count = add64(s.captured.count, side.packets)
		s.captured.bytes = add64(s.captured.bytes, side.bytes)
		s.captured.squares.add(uint128{0, side.squares})
	}
	s.askedPackets = add64(s.askedPackets, v.asked.packets)
	for i, n := range &v.asked.patterns {
		s.pattern[i] += uint64(n)
	}
}

func (v *volume) add(s *side, has picket.Has) {
	v.packets = add64(v.packets, s.packets)
	v.bytes = add64(v.bytes, s.bytes)
	if has&picket.HasPayload != 0 {
		v.payload = add64(v.payload, s.payload)
		v.payloadPackets = add64(v.payloadPackets, s.packets)
	}
}

// count counts a whole conversation.
func (s *sums) count(c *conversation) {
	s.flows++
	s.group[group(c.proto)]++
	if c.replied[0] == 0 {
		s.unanswered++
	}
	if c.hasPorts() {
		s.ported++
		s.countPort(c)
	}
	if group(c.proto) == groupICMP {
		s.echoes = add64(s.echoes, c.asked[0])
		s.echoBytes = add64(s.echoBytes, c.asked[1])
	}
	if c.proto != picket.ProtoTCP {
		return
	}
	if c.asked[0] >= 3 && c.replied[0] >= 2 {
		s.established++
	}
	if c.has&picket.HasFlags != 0 {
		s.countFlags(c)
	}
}

func (s *sums) countFlags(c *conversation) {
	s.flagged++
	if c.flags[0]&picket.FlagSYN != 0 && !c.unasked {
		s.syn++
		if c.flags[1]&picket.FlagSYN == 0 {
			s.failed++
		}
	}
	if (c.flags[0]|c.flags[1])&picket.FlagRST != 0 {
		s.reset++
	}
	if c.unasked {
		s.unasked++
	}
}

func (s *sums) countPort(c *conversation) {
	port := c.servicePort
	if port < 1024 {
		s.class[classLow]++
	}
	if webPort(port) {
		s.class[classWeb]++
	}
	if port == 53 || port == 853 {
		s.class[classDNS]++
	}
	if port == 53 {
		s.dns.add(c.asked[1])
	}
	if c.proto == picket.ProtoTCP && loginPort(port) {
		s.class[classLogin]++
		s.login.add(add64(c.asked[0], c.replied[0]), add64(c.asked[1], c.replied[1]))
	}
}

func (l *loginSums) add(packets, bytes uint64) {
	l.sizes.add(bytes)
	l.packets = add64(l.packets, packets)
}

// meanSquare returns bytes²/packets in 1/65536: the squared mean packet size of
// what a side sent, once for each of its packets.
func meanSquare(s *side) uint128 {
	if s.packets == 0 {
		return uint128{}
	}
	bytes := min(s.bytes, 1<<48) // 256 TB in a minute: the square has 16 bits to spare
	hi, lo := bits.Mul64(bytes, bytes)
	hi, lo = hi<<16|lo>>48, lo<<16
	q, rest := bits.Div64(0, hi, s.packets)
	r, _ := bits.Div64(rest, lo, s.packets)
	return uint128{q, r}
}

// uint128 is an unsigned integer that stops at its largest value.
type uint128 struct{ hi, lo uint64 }

func (u *uint128) add(v uint128) {
	lo, carry := bits.Add64(u.lo, v.lo, 0)
	hi, over := bits.Add64(u.hi, v.hi, carry)
	*u = uint128{hi | -over, lo | -over}
}

func square(n uint64) uint128 {
	hi, lo := bits.Mul64(n, n)
	return uint128{hi, lo}
}

func (u uint128) float() float64 {
	return float64(float64(u.hi)*(1<<64)) + float64(u.lo)
}

// times returns u·n, and false where that needs more than 128 bits.
func (u uint128) times(n uint64) (uint128, bool) {
	over, hi1 := bits.Mul64(u.hi, n)
	hi2, lo := bits.Mul64(u.lo, n)
	hi, carry := bits.Add64(hi1, hi2, 0)
	return uint128{hi, lo}, over == 0 && carry == 0
}

// variance returns the variance of n values from their sum and the sum of their
// squares, which is in units of 1/2^shift: n·Σx² − (Σx)², divided by n². The
// numerator is exact wherever it fits into 128 bits; NaN where n is 0.
func variance(n, sum uint64, squares uint128, shift uint) float64 {
	if n == 0 {
		return math.NaN()
	}
	unit := float64(uint64(1) << shift)
	count := float64(n)
	a, fits := squares.times(n)
	hi, lo := bits.Mul64(sum, sum)
	if !fits || shift > 0 && hi>>(64-shift) != 0 {
		mean := float64(sum) / count
		return max(0, squares.float()/unit/count-float64(mean*mean))
	}
	hi, lo = hi<<shift|lo>>(64-shift), lo<<shift
	if a.hi < hi || a.hi == hi && a.lo <= lo {
		return 0
	}
	lo, borrow := bits.Sub64(a.lo, lo, 0)
	hi, _ = bits.Sub64(a.hi, hi, borrow)
	return uint128{hi, lo}.float() / unit / count / count
}
