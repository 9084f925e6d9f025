package decode

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"

	"picket"
)

// eveRow is one event of Suricata's EVE log: the text of what is read of it,
// strings without quotes, objects whole.
type eveRow struct {
	when, kind, flowID, host, iface        []byte
	srcIP, srcPort, dstIP, dstPort         []byte
	proto, direction, vlan                 []byte
	flow, netflow                          []byte
	dns, http, tls, ssh, alert             []byte
	firewall, zone, inner                  []byte // of AWS Network Firewall, which wraps an event
	pktsIn, pktsOut, bytesIn, bytesOut     []byte // of flow: to the server is out
	pkts, bytes, start, end                []byte // of flow or netflow
	flowSrcIP, flowDstIP, flowSrc, flowDst []byte // of an alert's flow, since Suricata 7
	flags, flagsOut, flagsIn               []byte // of tcp, in hexadecimal
}

// eve reads EVE logs and those of AWS Network Firewall.
type eve struct {
	*run
	row     eveRow
	waiting waitingAlerts
	asked   recentQuestions
	names   names
	label   []byte
}

// isEVE reports whether text is JSON that holds events of Suricata, bare or as AWS
// Network Firewall wraps them.
func isEVE(text []byte) bool {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return false
	}
	has := func(s string) bool { return bytes.Contains(text, []byte(s)) }
	return has(`"event_type"`) && has(`"timestamp"`)
}

// readEVE reads Suricata's EVE log: one event a line, an array of events, or one
// alone. An alert whose flow is told later is part of that flow; the flow of any
// other is emitted at the end, or as room runs out.
func readEVE(d *run) error {
	e := &eve{run: d}
	if err := d.eachEvent(e.read); err != nil {
		return err
	}
	return e.waiting.flush(0, d.give)
}

// read sends what one event says.
func (e *eve) read(b []byte) error {
	if !e.parse(b) {
		return e.drop(reasonJSON, "", b)
	}
	switch string(e.row.kind) {
	case "flow":
		e.waiting.forget(e.row.flowID)
		return e.finish(e.flowRecord(&e.rec), b)
	case "netflow":
		return e.finish(e.netflowRecord(&e.rec), b)
	case "alert":
		return e.readAlert(b)
	case "dns":
		return e.finish(e.dnsRecord(&e.rec), b)
	case "http":
		return e.finish(e.httpRecord(&e.rec), b)
	case "tls":
		return e.finish(e.tlsRecord(&e.rec), b)
	case "ssh":
		return e.finish(e.sshRecord(&e.rec), b)
	}
	e.stats.Dropped[eveSkipped(e.row.kind)]++
	return nil
}

// finish sends the record that was made of b, or says why there is none.
func (e *eve) finish(reason string, b []byte) error {
	switch reason {
	case "":
		return e.send(b)
	case reasonNoName, reasonNotIP, reasonNoLogin:
		e.stats.Dropped[reason]++
		return nil
	}
	return e.drop(reason, "", b)
}

// eveKinds are the events that are told by name when they are skipped.
var eveKinds = []string{
	"anomaly", "arp", "bittorrent-dht", "dcerpc", "dhcp", "dnp3", "drop", "enip", "email", "fileinfo", "frame", "ftp", "ftp_data", "ftp-data",
	"http2", "ike", "krb5", "ldap", "mdns", "metadata", "modbus", "mqtt", "nfs", "packetinfo", "pgsql", "pop3", "quic", "rdp", "rfb", "sip",
	"smb", "smtp", "snmp", "stats", "telnet", "template", "tftp", "vars", "websocket",
}

func eveSkipped(kind []byte) string {
	if i := slices.IndexFunc(eveKinds, func(k string) bool { return string(kind) == k }); i >= 0 {
		return "suricata " + eveKinds[i] + " event: not read"
	}
	return "suricata event of another kind: not read"
}

// parse fills the row from an event or from what wraps one. The key walker knows
// what Suricata writes; any other shape goes to encoding/json.
func (e *eve) parse(b []byte) bool {
	row := &e.row
	*row = eveRow{}
	if !row.scan(b) {
		*row = eveRow{}
		if !walkObject(b, row.set) && !row.parseSlow(b) {
			return false
		}
	}
	if row.kind != nil || len(row.inner) == 0 {
		return true
	}
	inner, firewall, zone := row.inner, row.firewall, row.zone
	*row = eveRow{firewall: firewall, zone: zone}
	return walkObject(inner, row.set) || row.parseSlow(inner)
}

// parseSlow does what the walker does, by encoding/json.
func (row *eveRow) parseSlow(b []byte) bool {
	var m map[string]json.RawMessage
	if json.Unmarshal(b, &m) != nil || m == nil {
		return false
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		row.set([]byte(key), m[key])
	}
	return true
}

func (row *eveRow) set(key, value []byte) bool {
	switch string(key) {
	case "flow":
		row.flow = value
		return walkObject(value, row.setFlow)
	case "netflow":
		row.netflow = value
		return walkObject(value, row.setFlow)
	case "tcp":
		return walkObject(value, row.setTCP)
	}
	return row.setTop(key, value)
}

// setTop takes a value of the event itself.
func (row *eveRow) setTop(key, value []byte) bool {
	switch string(key) {
	case "timestamp":
		row.when = plain(value)
	case "event_type":
		row.kind = plain(value)
	case "flow_id":
		row.flowID = value
	case "host":
		row.host = plain(value)
	case "in_iface":
		row.iface = plain(value)
	case "src_ip":
		row.srcIP = plain(value)
	case "src_port":
		row.srcPort = value
	case "dest_ip":
		row.dstIP = plain(value)
	case "dest_port":
		row.dstPort = value
	case "proto":
		row.proto = plain(value)
	case "direction":
		row.direction = plain(value)
	case "vlan":
		row.vlan = value
	case "dns":
		row.dns = value
	case "http":
		row.http = value
	case "tls":
		row.tls = value
	case "ssh":
		row.ssh = value
	case "alert":
		row.alert = value
	case "firewall_name":
		row.firewall = plain(value)
	case "availability_zone":
		row.zone = plain(value)
	case "event":
		row.inner = value
	}
	return true
}

func (row *eveRow) setFlow(key, value []byte) bool {
	switch string(key) {
	case "pkts_toserver":
		row.pktsOut = value
	case "pkts_toclient":
		row.pktsIn = value
	case "bytes_toserver":
		row.bytesOut = value
	case "bytes_toclient":
		row.bytesIn = value
	case "pkts":
		row.pkts = value
	case "bytes":
		row.bytes = value
	case "start":
		row.start = plain(value)
	case "end":
		row.end = plain(value)
	case "src_ip":
		row.flowSrcIP = plain(value)
	case "dest_ip":
		row.flowDstIP = plain(value)
	case "src_port":
		row.flowSrc = value
	case "dest_port":
		row.flowDst = value
	}
	return true
}

func (row *eveRow) setTCP(key, value []byte) bool {
	switch string(key) {
	case "tcp_flags":
		row.flags = plain(value)
	case "tcp_flags_ts":
		row.flagsOut = plain(value)
	case "tcp_flags_tc":
		row.flagsIn = plain(value)
	}
	return true
}

// flowRecord fills r from a flow event, whose source is the client.
func (e *eve) flowRecord(r *picket.Record) (reason string) {
	*r = picket.Record{Source: picket.SourceEVE, Interface: e.place(), Opener: picket.OpenerSrc, Has: picket.HasReverse}
	if reason := e.times(r, e.row.start, e.row.end); reason != "" {
		return reason
	}
	if reason := e.sides(r); reason != "" {
		return reason
	}
	if reason := e.counts(r); reason != "" {
		return reason
	}
	if r.Proto == picket.ProtoTCP && (e.row.flagsOut != nil || e.row.flagsIn != nil) {
		out, ok1 := hexFlags(e.row.flagsOut)
		in, ok2 := hexFlags(e.row.flagsIn)
		if !ok1 || !ok2 {
			return reasonNumber
		}
		r.Has |= picket.HasFlags
		r.SrcFlags, r.DstFlags = gatheredFlags(out, r.SrcPackets, true), gatheredFlags(in, r.DstPackets, false)
	}
	return ""
}

// netflowRecord fills r from a netflow event, which is one direction of a flow.
// Who opened follows from ports, because flags are gathered over the flow.
func (e *eve) netflowRecord(r *picket.Record) (reason string) {
	*r = picket.Record{Source: picket.SourceNetFlow, Interface: e.place()}
	if reason := e.times(r, e.row.start, e.row.end); reason != "" {
		return reason
	}
	if reason := e.sides(r); reason != "" {
		return reason
	}
	var ok bool
	if r.SrcPackets, ok = parseCount(e.row.pkts, maxCount); !ok {
		return reasonNumber
	}
	if r.SrcBytes, ok = parseCount(e.row.bytes, maxCount); !ok {
		return reasonNumber
	}
	r.SrcBytes = e.ipBytes(r.SrcBytes, r.SrcPackets)
	if r.Proto == picket.ProtoTCP && e.row.flags != nil {
		flags, ok := hexFlags(e.row.flags)
		if !ok {
			return reasonNumber
		}
		oneWayFlags(r, flags)
	}
	return ""
}

// times reads when the flow began and ended; an event without either is of an
// instant.
func (e *eve) times(r *picket.Record, start, end []byte) (reason string) {
	at, ok := parseStamp(e.row.when)
	if !ok {
		return reasonBadTime
	}
	r.Start, r.End = at, at
	if len(start) > 0 {
		if r.Start, ok = parseStamp(start); !ok {
			return reasonBadTime
		}
		r.End = max(at, r.Start)
	}
	if len(end) > 0 {
		if r.End, ok = parseStamp(end); !ok {
			return reasonBadTime
		}
	}
	return ""
}

// sides reads addresses, protocol and ports. Suricata writes ICMP's type and code
// apart, and nothing of IP for what is not IP.
func (e *eve) sides(r *picket.Record) (reason string) {
	row := &e.row
	if len(row.srcIP) == 0 && len(row.dstIP) == 0 {
		return reasonNotIP
	}
	var ok bool
	if r.Src, ok = parseAddr(row.srcIP); !ok {
		return reasonAddress
	}
	if r.Dst, ok = parseAddr(row.dstIP); !ok {
		return reasonAddress
	}
	if r.Proto, ok = eveProtocol(row.proto, r.Src); !ok {
		return reasonProtocol
	}
	if !hasPorts(r.Proto) {
		return ""
	}
	if r.SrcPort, ok = jsonPort(row.srcPort); !ok {
		return reasonPort
	}
	if r.DstPort, ok = jsonPort(row.dstPort); !ok {
		return reasonPort
	}
	return ""
}

// jsonPort reads a port that may be missing.
func jsonPort(b []byte) (uint16, bool) {
	if len(b) == 0 {
		return 0, true
	}
	v, ok := parseCount(plain(b), math.MaxUint16)
	return uint16(v), ok
}

// eveProtocol reads a protocol by Suricata's name for it, or by its number, which
// Suricata writes with zeros in front.
func eveProtocol(name []byte, src netip.Addr) (uint8, bool) {
	switch string(name) {
	case "TCP":
		return picket.ProtoTCP, true
	case "UDP":
		return picket.ProtoUDP, true
	case "ICMP":
		if src.Is6() {
			return picket.ProtoICMPv6, true
		}
		return picket.ProtoICMP, true
	}
	if v, ok := parseUint(name, math.MaxUint8); ok {
		return uint8(v), true
	}
	v, ok := protocolNumbers[strings.ToLower(string(name[:min(len(name), 16)]))]
	return v, ok
}

// protocolNumbers are protocols by the names that logs write (IANA protocol
// numbers, /etc/protocols).
var protocolNumbers = map[string]uint8{
	"icmp": 1, "igmp": 2, "ipencap": 4, "ipip": 4, "tcp": 6, "egp": 8, "igp": 9, "udp": 17, "dccp": 33, "ipv6": 41, "rsvp": 46, "gre": 47,
	"esp": 50, "ipsec-esp": 50, "ah": 51, "ipsec-ah": 51, "icmp6": 58, "icmpv6": 58, "ipv6-icmp": 58, "eigrp": 88, "ospf": 89, "pim": 103,
	"vrrp": 112, "l2tp": 115, "sctp": 132, "udplite": 136,
}

// counts reads packets and bytes of both directions.
func (e *eve) counts(r *picket.Record) (reason string) {
	var v [4]uint64
	for i, f := range [4][]byte{e.row.pktsOut, e.row.pktsIn, e.row.bytesOut, e.row.bytesIn} {
		if f == nil {
			continue
		}
		var ok bool
		if v[i], ok = parseCount(f, maxCount); !ok {
			return reasonNumber
		}
	}
	r.SrcPackets, r.DstPackets = v[0], v[1]
	r.SrcBytes, r.DstBytes = e.ipBytes(v[2], v[0]), e.ipBytes(v[3], v[1])
	return ""
}

// frameBytes are those of the frame around an IP packet.
const frameBytes = 14

// ipBytes takes the frames off bytes of packets: Suricata counts what it captured
// (GET_PKT_LEN), which is Ethernet nearly everywhere, with four bytes more for each
// VLAN tag. Network Firewall sees packets of IP alone.
func (e *eve) ipBytes(bytes, packets uint64) uint64 {
	frame := uint64(frameBytes)
	if e.row.firewall != nil {
		return bytes
	}
	for _, c := range e.row.vlan {
		if c == '[' || c == ',' {
			frame += 4
		}
	}
	if bytes < packets*(frame+20) { // too few for a header of IP: there were no frames
		return bytes
	}
	return bytes - packets*frame
}

// hexFlags reads TCP flags in hexadecimal; none is none.
func hexFlags(b []byte) (uint8, bool) {
	v := uint8(0)
	if len(b) > 2 {
		return 0, false
	}
	for _, c := range b {
		switch {
		case c-'0' < 10:
			v = v<<4 | (c - '0')
		case c|0x20-'a' < 6:
			v = v<<4 | (c | 0x20 - 'a' + 10)
		default:
			return 0, false
		}
	}
	return v, true
}

// place names where the event was seen: the firewall's endpoint, or the sensor and
// its interface.
func (e *eve) place() string {
	first, second := e.row.host, e.row.iface
	if e.row.firewall != nil {
		first, second = e.row.firewall, e.row.zone
	}
	if len(first)+len(second) == 0 || len(first)+len(second) > 200 {
		return ""
	}
	e.label = append(e.label[:0], first...)
	if len(first) > 0 && len(second) > 0 {
		e.label = append(e.label, '/')
	}
	e.label = append(e.label, second...)
	return e.names.of(e.label)
}
