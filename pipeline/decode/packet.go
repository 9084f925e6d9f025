package decode

import (
	"encoding/binary"
	"math"
	"net/netip"

	"picket"
)

// Link types that are read (https://www.tcpdump.org/linktypes.html).
const (
	linkNull     = 0
	linkEthernet = 1
	linkRawBSD   = 12
	linkRawBSD2  = 14
	linkRaw      = 101
	linkLoop     = 108
	linkSLL      = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276
)

func linkKnown(link uint32) bool {
	switch link {
	case linkNull, linkEthernet, linkRawBSD, linkRawBSD2, linkRaw, linkLoop, linkSLL, linkIPv4, linkIPv6, linkSLL2:
		return true
	}
	return false
}

const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
)

// readPacket fills r from the captured bytes b of a packet that had wire bytes.
// It reads headers alone, so a snap length does not change sizes. transport is what
// was captured from the transport header on, nil in a later fragment.
func readPacket(r *picket.Record, link uint32, b []byte, wire int) (transport []byte, reason string) {
	if !linkKnown(link) {
		return nil, reasonLinkType
	}
	ether, ip, ok := stripLink(link, b)
	if !ok {
		return nil, reasonShort
	}
	wire -= len(b) - len(ip)
	switch ether {
	case etherIPv4:
		return readIPv4(r, ip, wire)
	case etherIPv6:
		return readIPv6(r, ip, wire)
	}
	return nil, reasonNotIP
}

// stripLink takes off the link header and VLAN tags and returns the EtherType.
// It is not ok where the capture ends before that.
func stripLink(link uint32, b []byte) (ether uint16, ip []byte, ok bool) {
	at, size := 0, 0 // of the EtherType, of the header
	switch link {
	case linkEthernet:
		at, size = 12, 14
	case linkSLL:
		at, size = 14, 16
	case linkSLL2:
		at, size = 0, 20
	case linkNull, linkLoop: // four bytes of address family
		if len(b) < 4 {
			return 0, nil, false
		}
		return rawEther(b[4:])
	default:
		return rawEther(b)
	}
	if len(b) < size {
		return 0, nil, false
	}
	ether, b = binary.BigEndian.Uint16(b[at:]), b[size:]
	for ether == 0x8100 || ether == 0x88a8 || ether == 0x9100 || ether == 0x9200 {
		if len(b) < 4 {
			return 0, nil, false
		}
		ether, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	return ether, b, true
}

// rawEther tells the IP version by its first four bits: families differ from
// system to system.
func rawEther(b []byte) (ether uint16, ip []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	switch b[0] >> 4 {
	case 4:
		ether = etherIPv4
	case 6:
		ether = etherIPv6
	}
	return ether, b, true
}

func readIPv4(r *picket.Record, b []byte, wire int) (transport []byte, reason string) {
	if len(b) < 20 {
		return nil, reasonShort
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 { // left to the network card (segmentation offload)
		total = wire
	}
	if b[0]>>4 != 4 || header < 20 || total < header {
		return nil, reasonPacket
	}
	r.Src = netip.AddrFrom4([4]byte(b[12:16]))
	r.Dst = netip.AddrFrom4([4]byte(b[16:20]))
	r.Proto = b[9]
	fragment := binary.BigEndian.Uint16(b[6:])
	r.Fragment = fragment&0x3fff != 0 // more to come, or not the first
	r.SrcBytes = uint64(total)
	b = b[min(header, len(b)):min(total, len(b))]
	return readTransport(r, b, total-header, fragment&0x1fff == 0), ""
}

// readIPv6 follows the chain of extension headers (RFC 8200, section 4) to the
// transport header, as far as the capture goes.
func readIPv6(r *picket.Record, b []byte, wire int) (transport []byte, reason string) {
	if len(b) < 40 {
		return nil, reasonShort
	}
	if b[0]>>4 != 6 {
		return nil, reasonPacket
	}
	rest := int(binary.BigEndian.Uint16(b[4:]))
	if rest == 0 && wire > 40 { // a jumbogram, or left to the network card
		rest = wire - 40
	}
	r.Src = netip.AddrFrom16([16]byte(b[8:24])).Unmap()
	r.Dst = netip.AddrFrom16([16]byte(b[24:40])).Unmap()
	r.SrcBytes = uint64(40 + rest)
	next, b, first := b[6], b[40:], true
	for first && isExtension(next) && len(b) >= 8 {
		size := int(b[1])*8 + 8
		switch next {
		case 44:
			size = 8
			offset := binary.BigEndian.Uint16(b[2:])
			r.Fragment = offset&0xfff9 != 0
			first = offset&0xfff8 == 0
		case 51:
			size = int(b[1])*4 + 8
		}
		if size > rest {
			return nil, reasonPacket
		}
		next, b, rest = b[0], b[min(size, len(b)):], rest-size
	}
	r.Proto = next
	return readTransport(r, b[:min(rest, len(b))], rest, first), ""
}

// isExtension reports whether a next-header value is of an extension header that
// can be stepped over: hop-by-hop, routing, fragment, authentication,
// destination, mobility, HIP, shim6.
func isExtension(next uint8) bool {
	switch next {
	case 0, 43, 44, 51, 60, 135, 139, 140:
		return true
	}
	return false
}

// readTransport fills in what follows the IP headers: size bytes on the wire, of
// which b were captured. Only a first fragment has a transport header.
func readTransport(r *picket.Record, b []byte, size int, first bool) []byte {
	r.SrcPackets = 1
	r.Has = picket.HasPackets | picket.HasPayload
	if !first {
		r.SrcPayload = uint64(max(size, 0))
		return nil
	}
	r.SrcPayload = uint64(max(size-readHeader(r, b), 0))
	return b
}

// readName gives a packet the name that its payload asks for: DNS on its port, the
// others on any.
func (d *run) readName(r *picket.Record, b []byte) {
	switch r.Proto {
	case picket.ProtoUDP:
		if len(b) > 8 && (r.SrcPort == dnsPort || r.DstPort == dnsPort) {
			r.Lookup = readDNS(b[8:])
		}
	case picket.ProtoTCP:
		if len(b) < 20 {
			return
		}
		header := int(b[12]>>4) * 4
		if header < 20 || header >= len(b) {
			return
		}
		payload := b[header:]
		switch {
		case r.SrcPort == dnsPort || r.DstPort == dnsPort:
			if len(payload) > 2 { // its length comes first
				r.Lookup = readDNS(payload[2:])
			}
		case isHTTPRequest(payload):
			r.Lookup = readHTTP(payload)
		case payload[0] == 22 || len(d.hellos.begun) > 0:
			r.Lookup = d.hellos.read(r, binary.BigEndian.Uint32(b[4:]), payload)
		}
		if r.Lookup != nil && r.Lookup.Via != viaDNS {
			r.Lookup.Answers = []netip.Addr{r.Dst}
		}
	}
}

const dnsPort = 53

// readHeader reads a transport header as far as it was captured, and returns its
// length.
func readHeader(r *picket.Record, b []byte) int {
	if hasPorts(r.Proto) && len(b) >= 4 {
		r.SrcPort, r.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	}
	switch r.Proto {
	case picket.ProtoTCP:
		if len(b) < 14 { // how long the header is was not captured
			r.Has &^= picket.HasPayload
			return math.MaxInt
		}
		r.SrcFlags = b[13]
		r.Has |= picket.HasFlags
		r.Opener = opener(r.SrcFlags)
		return max(int(b[12]>>4)*4, 20)
	case picket.ProtoICMP, picket.ProtoICMPv6:
		if len(b) > 0 {
			r.Opener = echoOpener(r.Proto, b[0])
		}
		return 8
	case picket.ProtoUDP, 136: // UDP-Lite
		return 8
	case 33, 132: // DCCP, SCTP
		return 12
	}
	return 0
}

// echoOpener says who opened, by the type of an ICMP message.
func echoOpener(proto, kind uint8) picket.Opener {
	switch {
	case proto == picket.ProtoICMP && kind == 8, proto == picket.ProtoICMPv6 && kind == 128:
		return picket.OpenerSrc
	case proto == picket.ProtoICMP && kind == 0, proto == picket.ProtoICMPv6 && kind == 129:
		return picket.OpenerDst
	}
	return picket.OpenerUnknown
}
