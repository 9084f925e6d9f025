package simulate

import (
	"fmt"
	"strconv"
	"time"

	"picket"
)

// sampler is the exporter's address where a log has it.
const sampler = "192.0.2.1"

func hourlyText(folder, name string, head string, add func(b []byte, l *line) []byte) func(*Script, *network, *objects) encoder {
	return func(_ *Script, _ *network, out *objects) encoder {
		h := &hourly{out: out, append: add, name: func(hour time.Time) string {
			return folder + hour.Format("2006-01-02") + "/" + name + "." + hour.Format("15") + ".log.gz"
		}}
		if head != "" {
			h.head = func(time.Time) []byte { return []byte(head) }
		}
		return h
	}
}

// protocolName is how logs name a protocol; a number where they do not.
func protocolName(l *line) string {
	switch l.Proto {
	case picket.ProtoTCP:
		return "TCP"
	case picket.ProtoUDP:
		return "UDP"
	case picket.ProtoICMP:
		return "ICMP"
	case picket.ProtoICMPv6:
		return "IPv6-ICMP"
	}
	return fmt.Sprintf("%03d", l.Proto)
}

// appendGoFlow writes a flow as goflow2 does.
func appendGoFlow(b []byte, l *line) []byte {
	etype := "IPv4"
	if l.Src.Is6() {
		etype = "IPv6"
	}
	return fmt.Appendf(b, `{"type":"NETFLOW_V9","time_received_ns":%d,"sequence_num":%d,"sampling_rate":0,"sampler_address":"%s","time_flow_start_ns":%d,"time_flow_end_ns":%d,`+
		`"bytes":%d,"packets":%d,"src_addr":"%s","dst_addr":"%s","etype":"%s","proto":"%s","src_port":%d,"dst_port":%d,"in_if":1,"out_if":2,"tcp_flags":%d}`+"\n",
		l.End, l.count, sampler, l.Start, l.End, l.SrcBytes, l.SrcPackets, l.Src, l.Dst, etype, protocolName(l), l.SrcPort, l.DstPort, l.flags)
}

const nfdumpHead = "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt,in,out,ra\n"

// appendNfdump writes a flow as "nfdump -o csv" does.
func appendNfdump(b []byte, l *line) []byte {
	stamp := func(t int64) string { return time.Unix(0, t).UTC().Format("2006-01-02 15:04:05.000") }
	return fmt.Appendf(b, "%s,%s,%d.%03d,%s,%s,%d,%d,%s,%s,0,0,%d,%d,0,0,1,2,%s\n", stamp(l.Start), stamp(l.End), (l.End-l.Start)/second, (l.End-l.Start)/1e6%1000,
		l.Src, l.Dst, l.SrcPort, l.DstPort, protocolName(l), flagLetters(l.flags), l.SrcPackets, l.SrcBytes, sampler)
}

// flagLetters writes flags as nfdump does.
func flagLetters(flags uint8) string {
	b := []byte("........")
	for i, c := range "CEUAPRSF" {
		if flags&(0x80>>i) != 0 {
			b[i] = byte(c)
		}
	}
	return string(b)
}

// eveStamp is a time as Suricata writes it.
func eveStamp(t int64) string { return time.Unix(0, t).UTC().Format("2006-01-02T15:04:05.000000-0700") }

// firewallPlace is the endpoint of the firewall as a decoder names it.
const firewallPlace = "edge/euw1-az1"

// appendFirewall writes a flow as AWS Network Firewall does: a netflow event of
// Suricata, of which each direction has one.
func appendFirewall(b []byte, l *line) []byte {
	b = fmt.Appendf(b, `{"firewall_name":"edge","availability_zone":"euw1-az1","event_timestamp":"%d","event":{"timestamp":"%s","flow_id":%d,"event_type":"netflow",`+
		`"src_ip":"%s","src_port":%d,"dest_ip":"%s","dest_port":%d,"proto":"%s","netflow":{"pkts":%d,"bytes":%d,"start":"%s","end":"%s","age":%d,"min_ttl":60,"max_ttl":64}`,
		l.End/second, eveStamp(l.End), mix(l.count)>>2, l.Src, l.SrcPort, l.Dst, l.DstPort, protocolName(l), l.SrcPackets, l.SrcBytes, eveStamp(l.Start), eveStamp(l.End), (l.End-l.Start)/second)
	if l.Proto == picket.ProtoTCP {
		b = fmt.Appendf(b, `,"tcp":{"tcp_flags":"%02x"}`, l.flags)
	}
	return append(b, "}}\n"...)
}

// appendEVE writes a flow event of Suricata, which counts frames of Ethernet.
func appendEVE(b []byte, l *line) []byte {
	b = append(append(b, `{"timestamp":"`...), eveStamp(l.End+60*second)...)
	b = strconv.AppendUint(append(b, `","flow_id":`...), mix(l.count)>>2, 10)
	b = fmt.Appendf(b, `,"in_iface":"eth0","event_type":"flow","src_ip":"%s"`, l.Src)
	if hasPorts(l.Proto) {
		b = fmt.Appendf(b, `,"src_port":%d,"dest_ip":"%s","dest_port":%d`, l.SrcPort, l.Dst, l.DstPort)
	} else {
		b = fmt.Appendf(b, `,"dest_ip":"%s"`, l.Dst)
	}
	b = fmt.Appendf(b, `,"proto":"%s"`, protocolName(l))
	if l.Proto == picket.ProtoICMP || l.Proto == picket.ProtoICMPv6 {
		b = fmt.Appendf(b, `,"icmp_type":%d,"icmp_code":%d`, l.conv.SrcPort, l.conv.DstPort)
	}
	b = fmt.Appendf(b, `,"flow":{"pkts_toserver":%d,"pkts_toclient":%d,"bytes_toserver":%d,"bytes_toclient":%d,"start":"%s","end":"%s","age":%d,"state":"closed","reason":"timeout","alerted":false}`,
		l.SrcPackets, l.DstPackets, l.SrcBytes+14*l.SrcPackets, l.DstBytes+14*l.DstPackets, eveStamp(l.Start), eveStamp(l.End), (l.End-l.Start)/second)
	if l.Proto == picket.ProtoTCP {
		b = fmt.Appendf(b, `,"tcp":{"tcp_flags":"%02x","tcp_flags_ts":"%02x","tcp_flags_tc":"%02x"}`, l.flags|l.back, l.flags, l.back)
	}
	return append(b, "}\n"...)
}

// appendOCSF writes a connection as OCSF Network Activity.
func appendOCSF(b []byte, l *line) []byte {
	return fmt.Appendf(b, `{"metadata":{"product":{"name":"Sensor","vendor_name":"Example"},"version":"1.3.0"},"class_uid":4001,"category_uid":4,"activity_id":6,"type_uid":400106,"severity_id":1,`+
		`"time":%d,"start_time":%d,"end_time":%d,"src_endpoint":{"ip":"%s","port":%d},"dst_endpoint":{"ip":"%s","port":%d},"connection_info":{"protocol_num":%d,"direction_id":0},`+
		`"traffic":{"packets_out":%d,"packets_in":%d,"bytes_out":%d,"bytes_in":%d}}`+"\n",
		l.End/1e6, l.Start/1e6, l.End/1e6, l.Src, l.SrcPort, l.Dst, l.DstPort, l.Proto, l.SrcPackets, l.DstPackets, l.SrcBytes, l.DstBytes)
}
