package decode

import (
	"bytes"
	"math"
	"net/netip"
	"slices"
	"strings"

	"picket"
)

// zeekField is what one field of a conn log says.
type zeekField uint8

const (
	zeekOther zeekField = iota
	zeekTS
	zeekOrigH
	zeekOrigP
	zeekRespH
	zeekRespP
	zeekProto
	zeekDuration
	zeekOrigBytes
	zeekRespBytes
	zeekState
	zeekHistory
	zeekOrigPkts
	zeekOrigIPBytes
	zeekRespPkts
	zeekRespIPBytes
	zeekIPProto
	zeekPath   // which log a JSON line is of
	zeekMissed // these three are in no log but conn
	zeekLocalOrig
	zeekLocalResp
	zeekAuthSuccess // of ssh
	zeekAuthAttempts
	zeekClient
	zeekCookie // these two of rdp
	zeekResult
	zeekQuery // of dns
	zeekQType
	zeekRCode
	zeekRCodeName
	zeekAnswers
	zeekHost // of http
	zeekURI
	zeekServerName // of ssl
	zeekIssuer
	zeekCertSubject // of x509
	zeekCertIssuer
	zeekNotBefore
	zeekNotAfter
	zeekCertNames
	zeekFields
)

// zeekFieldOf names the fields of base/protocols/conn/main.zeek, in Zeek's own
// spelling and in that of shippers that cannot have dots in a name.
func zeekFieldOf(name []byte) zeekField {
	switch string(name) {
	case "ts":
		return zeekTS
	case "id.orig_h", "id_orig_h":
		return zeekOrigH
	case "id.orig_p", "id_orig_p":
		return zeekOrigP
	case "id.resp_h", "id_resp_h":
		return zeekRespH
	case "id.resp_p", "id_resp_p":
		return zeekRespP
	case "proto":
		return zeekProto
	case "duration":
		return zeekDuration
	case "orig_bytes":
		return zeekOrigBytes
	case "resp_bytes":
		return zeekRespBytes
	case "conn_state":
		return zeekState
	case "history":
		return zeekHistory
	case "orig_pkts":
		return zeekOrigPkts
	case "orig_ip_bytes":
		return zeekOrigIPBytes
	case "resp_pkts":
		return zeekRespPkts
	case "resp_ip_bytes":
		return zeekRespIPBytes
	case "ip_proto":
		return zeekIPProto
	case "_path", "@stream", "@path":
		return zeekPath
	case "missed_bytes":
		return zeekMissed
	case "local_orig":
		return zeekLocalOrig
	case "local_resp":
		return zeekLocalResp
	case "auth_success":
		return zeekAuthSuccess
	case "auth_attempts":
		return zeekAuthAttempts
	case "client":
		return zeekClient
	case "cookie":
		return zeekCookie
	case "result":
		return zeekResult
	case "query":
		return zeekQuery
	case "qtype_name":
		return zeekQType
	case "rcode":
		return zeekRCode
	case "rcode_name":
		return zeekRCodeName
	case "answers":
		return zeekAnswers
	case "host":
		return zeekHost
	case "uri":
		return zeekURI
	case "server_name":
		return zeekServerName
	case "issuer":
		return zeekIssuer
	case "certificate.subject", "certificate_subject":
		return zeekCertSubject
	case "certificate.issuer", "certificate_issuer":
		return zeekCertIssuer
	case "certificate.not_valid_before", "certificate_not_valid_before":
		return zeekNotBefore
	case "certificate.not_valid_after", "certificate_not_valid_after":
		return zeekNotAfter
	case "san.dns", "san_dns":
		return zeekCertNames
	}
	return zeekOther
}

// zeekRow is one line of a Zeek log: the text of each field, nil where unset.
type zeekRow [zeekFields][]byte

// zeekLog is a Zeek log that is read: its name, and what makes a record of a row.
type zeekLog struct {
	name   string
	record func(row *zeekRow, r *picket.Record) (reason string)
}

// zeekLogs are the logs that are read, by their paths.
var zeekLogs = []zeekLog{
	{"conn", (*zeekRow).record},
	{"ssh", (*zeekRow).sshRecord},
	{"rdp", (*zeekRow).rdpRecord},
	{"dns", (*zeekRow).dnsRecord},
	{"http", (*zeekRow).httpRecord},
	{"ssl", (*zeekRow).sslRecord},
	{"x509", (*zeekRow).x509Record},
}

// log returns which log the row is of: by its path, and by its fields where the
// path is missing or renamed. It is nil for a log that is not read.
func (row *zeekRow) log() *zeekLog {
	for i := range zeekLogs {
		if bytes.EqualFold(row[zeekPath], []byte(zeekLogs[i].name)) {
			return &zeekLogs[i]
		}
	}
	switch {
	case row.isConn():
		return &zeekLogs[0]
	case zeekKnown(row[zeekPath]) || row[zeekTS] == nil:
	case row[zeekNotAfter] != nil:
		return &zeekLogs[6]
	case row[zeekOrigH] == nil:
	case row[zeekQuery] != nil && (row[zeekQType] != nil || row[zeekRCode] != nil || row[zeekRCodeName] != nil):
		return &zeekLogs[3]
	case row[zeekHost] != nil && row[zeekURI] != nil:
		return &zeekLogs[4]
	case row[zeekServerName] != nil:
		return &zeekLogs[5]
	case row[zeekAuthAttempts] != nil:
		return &zeekLogs[1]
	case row[zeekCookie] != nil:
		return &zeekLogs[2]
	}
	return nil
}

// isConn reports whether the row is of a conn log, by its fields where the path
// does not say: paths are renamed or missing.
func (row *zeekRow) isConn() bool {
	if bytes.EqualFold(row[zeekPath], []byte("conn")) {
		return true
	}
	if row[zeekTS] == nil || row[zeekOrigH] == nil || row[zeekRespH] == nil {
		return false
	}
	return row[zeekState] != nil || row[zeekHistory] != nil || row[zeekOrigPkts] != nil ||
		row[zeekOrigIPBytes] != nil || row[zeekMissed] != nil || row[zeekLocalOrig] != nil
}

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

// parseZeekTime reads epoch seconds, or ISO 8601 as LogAscii::json_timestamps
// can make it.
func parseZeekTime(b []byte) (int64, bool) {
	if len(b) > 10 && b[4] == '-' {
		return parseISO(b)
	}
	return parseSeconds(b)
}

// parseZeekPort reads a port, which JSON may write as a float.
func parseZeekPort(b []byte) (uint16, bool) {
	v, ok := parseCount(b, math.MaxUint16)
	return uint16(v), ok
}

// zeekKinds are the logs that are told by name when they are skipped; the name
// in a file is anybody's text.
var zeekKinds = []string{
	"analyzer", "broker", "capture_loss", "cluster", "conn", "dce_rpc", "dhcp", "dnp3", "dns", "dpd",
	"files", "ftp", "http", "intel", "irc", "kerberos", "known_certs", "known_hosts", "known_services",
	"ldap", "loaded_scripts", "modbus", "mqtt_connect", "mysql", "notice", "ntlm", "ntp", "ocsp",
	"packet_filter", "pe", "quic", "radius", "rdp", "reporter", "rfb", "sip", "smb_cmd", "smb_files",
	"smb_mapping", "smtp", "snmp", "socks", "software", "ssh", "ssl", "stats", "stderr", "stdout",
	"syslog", "telemetry", "traceroute", "tunnel", "weird", "websocket", "x509",
}

// zeekKnown reports whether path is one of zeekKinds.
func zeekKnown(path []byte) bool {
	return slices.ContainsFunc(zeekKinds, func(k string) bool { return bytes.EqualFold(path, []byte(k)) })
}

// zeekSkipped is the reason for a line of a log that is not read.
func zeekSkipped(path []byte) string {
	if zeekKnown(path) && !bytes.EqualFold(path, []byte("conn")) {
		return "zeek " + strings.ToLower(string(path)) + " log: not read yet"
	}
	return "zeek log of another kind: not read yet"
}
