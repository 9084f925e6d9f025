package decode

import (
	"math"
	"net/netip"

	"picket"
)

// record fills r from the row; it returns why it cannot.
func (row *zeekRow) record(r *picket.Record) (reason string) {
	*r = picket.Record{Source: picket.SourceZeek, Opener: picket.OpenerSrc, Has: picket.HasReverse}
	if reason = row.times(r); reason != "" {
		return reason
	}
	if reason = row.sides(r); reason != "" {
		return reason
	}
	if r.Proto == picket.ProtoTCP {
		row.flags(r)
	}
	return row.counts(r)
}

func (row *zeekRow) times(r *picket.Record) (reason string) {
	var ok bool
	if r.Start, ok = parseZeekTime(row[zeekTS]); !ok {
		return reasonBadTime
	}
	r.End = r.Start
	if f := row[zeekDuration]; f != nil {
		lasted, ok := parseSeconds(f)
		if !ok || lasted > math.MaxInt64-max(r.Start, 0) {
			return reasonBadTime
		}
		r.End += max(lasted, 0)
	}
	return ""
}

func (row *zeekRow) sides(r *picket.Record) (reason string) {
	if reason := row.addresses(r); reason != "" {
		return reason
	}
	var ok bool
	if r.Proto, ok = row.proto(r.Src); !ok {
		return reasonProtocol
	}
	if !hasPorts(r.Proto) { // Zeek writes ICMP's type and code where ports are
		return ""
	}
	return row.ports(r)
}

func (row *zeekRow) addresses(r *picket.Record) (reason string) {
	var ok bool
	if r.Src, ok = parseAddr(row[zeekOrigH]); !ok {
		return reasonAddress
	}
	if r.Dst, ok = parseAddr(row[zeekRespH]); !ok {
		return reasonAddress
	}
	return ""
}

func (row *zeekRow) ports(r *picket.Record) (reason string) {
	var ok bool
	if r.SrcPort, ok = parseZeekPort(row[zeekOrigP]); !ok {
		return reasonPort
	}
	if r.DstPort, ok = parseZeekPort(row[zeekRespP]); !ok {
		return reasonPort
	}
	return ""
}

// proto reads the IANA number where the log has it, else Zeek's name.
func (row *zeekRow) proto(src netip.Addr) (uint8, bool) {
	if v, ok := parseCount(row[zeekIPProto], math.MaxUint8); ok {
		return uint8(v), true
	}
	switch name := row[zeekProto]; {
	case string(name) == "tcp":
		return picket.ProtoTCP, true
	case string(name) == "udp":
		return picket.ProtoUDP, true
	case string(name) == "icmp" && src.Is4():
		return picket.ProtoICMP, true
	case string(name) == "icmp", string(name) == "icmp6":
		return picket.ProtoICMPv6, true
	case string(name) == "sctp":
		return 132, true
	default:
		return 0, false
	}
}

// counts fills in packets and bytes.
func (row *zeekRow) counts(r *picket.Record) (reason string) {
	var v [6]uint64
	fields := [6][]byte{row[zeekOrigPkts], row[zeekRespPkts], row[zeekOrigIPBytes], row[zeekRespIPBytes], row[zeekOrigBytes], row[zeekRespBytes]}
	for i, f := range fields {
		if f == nil {
			continue
		}
		var ok bool
		if v[i], ok = parseCount(f, maxCount); !ok {
			return reasonNumber
		}
	}
	src := zeekSide{packets: v[0], bytes: v[2], payload: v[4], seen: r.SrcFlags != 0, hasPackets: fields[0] != nil, hasBytes: fields[2] != nil}
	dst := zeekSide{packets: v[1], bytes: v[3], payload: v[5], seen: r.DstFlags != 0, hasPackets: fields[1] != nil, hasBytes: fields[3] != nil}
	src.complete(headerBytes(r))
	dst.complete(headerBytes(r))
	r.SrcPackets, r.SrcBytes, r.SrcPayload = src.packets, src.bytes, src.payload
	r.DstPackets, r.DstBytes, r.DstPayload = dst.packets, dst.bytes, dst.payload
	if fields[4] != nil || fields[5] != nil {
		r.Has |= picket.HasPayload
	}
	return ""
}

// zeekSide is what one side sent.
type zeekSide struct {
	packets, bytes, payload uint64
	hasPackets, hasBytes    bool
	seen                    bool // the history has a letter of it
}

// fullPayload is the payload of a full TCP segment on Ethernet.
const fullPayload = 1448

// complete fills in what the log left out, header being the bytes of headers on
// each packet. Zeek takes TCP payload from sequence numbers, which after a stray
// reset can claim gigabytes: no more is believed than fits into the IP bytes.
// Logs without packets and IP bytes (ConnSize off) get the fewest packets that
// could have carried the payload, and a header on each.
func (s *zeekSide) complete(header uint64) {
	if !s.hasPackets {
		s.packets = (s.payload + fullPayload - 1) / fullPayload
		if s.packets == 0 && (s.seen || s.bytes > 0) {
			s.packets = 1
		}
	}
	if !s.hasBytes {
		s.bytes = s.payload + s.packets*header
	}
	s.payload = min(s.payload, s.bytes-min(s.bytes, s.packets*header))
}

// headerBytes returns the bytes of IP and transport headers without options.
func headerBytes(r *picket.Record) uint64 {
	n := uint64(8)
	if r.Proto == picket.ProtoTCP {
		n = 20
	}
	if r.Src.Is4() {
		return n + 20
	}
	return n + 40
}

// flags fills in the TCP flags of both sides, from the history where there is
// one, else from the state that Zeek made of it.
func (row *zeekRow) flags(r *picket.Record) {
	if h := row[zeekHistory]; len(h) > 0 {
		r.SrcFlags, r.DstFlags = historyFlags(h)
		r.Has |= picket.HasFlags
		return
	}
	if f, ok := stateFlags(row[zeekState]); ok {
		r.SrcFlags, r.DstFlags = f[0], f[1]
		r.Has |= picket.HasFlags
	}
}

// historyFlags returns the flags behind a history: upper case letters are the
// originator's, lower case the responder's. A '^' says that Zeek turned the
// connection around here, columns and all, so that letters before it are of the
// other side.
func historyFlags(history []byte) (orig, resp uint8) {
	for _, c := range history {
		switch {
		case c == '^':
			orig, resp = resp, orig
		case c >= 'A' && c <= 'Z':
			orig |= letterFlags(c)
		case c >= 'a' && c <= 'z':
			resp |= letterFlags(c - 'a' + 'A')
		}
	}
	return orig, resp
}

// letterFlags returns the flags that one letter of a history stands for. FIN and
// RST come without ACK: a lone F is a FIN scan. Bad checksums, gaps and zero
// windows (C, G, W) say nothing of flags.
func letterFlags(c byte) uint8 {
	switch c {
	case 'S':
		return picket.FlagSYN
	case 'H':
		return picket.FlagSYN | picket.FlagACK
	case 'A', 'D', 'T': // a pure ACK, data, data again
		return picket.FlagACK
	case 'F':
		return picket.FlagFIN
	case 'R':
		return picket.FlagRST
	case 'I': // FIN and RST in one packet
		return picket.FlagFIN | picket.FlagRST
	case 'Q': // SYN and FIN, or SYN and RST, in one packet
		return picket.FlagSYN | picket.FlagFIN
	}
	return 0
}

// stateFlags returns the flags of originator and responder that a conn_state
// implies. OTH implies none.
func stateFlags(state []byte) (flags [2]uint8, ok bool) {
	const fin, syn, rst, ack = picket.FlagFIN, picket.FlagSYN, picket.FlagRST, picket.FlagACK
	switch string(state) {
	case "S0":
		return [2]uint8{syn, 0}, true
	case "S1":
		return [2]uint8{syn | ack, syn | ack}, true
	case "SF":
		return [2]uint8{syn | ack | fin, syn | ack | fin}, true
	case "REJ":
		return [2]uint8{syn, rst}, true
	case "S2":
		return [2]uint8{syn | ack | fin, syn | ack}, true
	case "S3":
		return [2]uint8{syn | ack, syn | ack | fin}, true
	case "RSTO":
		return [2]uint8{syn | ack | rst, syn | ack}, true
	case "RSTR":
		return [2]uint8{syn | ack, syn | ack | rst}, true
	case "RSTOS0":
		return [2]uint8{syn | rst, 0}, true
	case "RSTRH":
		return [2]uint8{0, syn | ack | rst}, true
	case "SH":
		return [2]uint8{syn | fin, 0}, true
	case "SHR":
		return [2]uint8{0, syn | ack | fin}, true
	}
	return flags, false
}
