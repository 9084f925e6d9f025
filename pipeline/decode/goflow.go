package decode

import (
	"bytes"
	"math"
	"strings"

	"picket"
)

// isGoFlow reports whether text is JSON as goflow2 writes it, in the spelling of its
// first or its second version.
func isGoFlow(text []byte) bool {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return false
	}
	has := func(s string) bool { return bytes.Contains(text, []byte(s)) }
	return has(`"sampler_address"`) && has(`"src_addr"`) || has(`"SamplerAddress"`) && has(`"SrcAddr"`)
}

// goflowRow is one line of goflow2.
type goflowRow struct {
	kind, sampler, rate, src, dst, srcPort, dstPort, proto, flags []byte
	packets, bytes, received, start, end                          []byte
}

func (row *goflowRow) set(key, value []byte) bool {
	switch string(key) {
	case "type", "Type":
		row.kind = plain(value)
	case "sampler_address", "SamplerAddress":
		row.sampler = plain(value)
	case "sampling_rate", "SamplingRate":
		row.rate = plain(value)
	case "src_addr", "SrcAddr":
		row.src = plain(value)
	case "dst_addr", "DstAddr":
		row.dst = plain(value)
	case "src_port", "SrcPort":
		row.srcPort = plain(value)
	case "dst_port", "DstPort":
		row.dstPort = plain(value)
	case "proto", "Proto":
		row.proto = plain(value)
	case "tcp_flags", "TCPFlags":
		row.flags = plain(value)
	case "packets", "Packets":
		row.packets = plain(value)
	case "bytes", "Bytes":
		row.bytes = plain(value)
	case "time_received_ns", "time_received", "TimeReceived":
		row.received = plain(value)
	case "time_flow_start_ns", "time_flow_start", "TimeFlowStart", "TimeFlowStartMs":
		row.start = plain(value)
	case "time_flow_end_ns", "time_flow_end", "TimeFlowEnd", "TimeFlowEndMs":
		row.end = plain(value)
	}
	return true
}

// readGoFlow reads flows that goflow2 collected, one JSON object a line.
func readGoFlow(d *run) error {
	var places names
	return d.eachEvent(func(b []byte) error {
		var row goflowRow
		if !walkObject(b, row.set) {
			return d.drop(reasonJSON, "", b)
		}
		switch reason := row.record(&d.rec, &places); reason {
		case "":
			return d.send(b)
		case reasonNotIP:
			d.stats.Dropped[reason]++
			return nil
		default:
			return d.drop(reason, "", b)
		}
	})
}

func (row *goflowRow) record(r *picket.Record, places *names) (reason string) {
	*r = picket.Record{Source: picket.SourceNetFlow}
	if len(row.src) == 0 && len(row.dst) == 0 {
		return reasonNotIP
	}
	var ok, ok2 bool
	if r.Src, ok = parseAddr(row.src); !ok {
		return reasonAddress
	}
	if r.Dst, ok = parseAddr(row.dst); !ok {
		return reasonAddress
	}
	if r.Proto, ok = protocolOf(row.proto); !ok {
		return reasonProtocol
	}
	if hasPorts(r.Proto) {
		r.SrcPort, ok = parsePort(row.srcPort)
		if r.DstPort, ok2 = parsePort(row.dstPort); !ok || !ok2 {
			return reasonPort
		}
	}
	if reason = row.times(r); reason != "" {
		return reason
	}
	if reason = row.counts(r); reason != "" {
		return reason
	}
	if v, ok := parseCount(row.flags, math.MaxUint16); ok && r.Proto == picket.ProtoTCP {
		oneWayFlags(r, uint8(v))
	}
	if n := len(row.sampler); n > 0 && n <= 64 {
		r.Interface = places.of(row.sampler)
	}
	return ""
}

// protocolOf reads a protocol by number or by name.
func protocolOf(b []byte) (uint8, bool) {
	if v, ok := parseCount(b, math.MaxUint8); ok {
		return uint8(v), true
	}
	v, ok := protocolNumbers[strings.ToLower(string(b[:min(len(b), 16)]))]
	return v, ok
}

// times reads when the flow began and ended; a sampled packet has the time of its
// receipt alone.
func (row *goflowRow) times(r *picket.Record) (reason string) {
	start, end := first(row.start, row.received), first(row.end, row.start, row.received)
	if string(start) == "0" {
		start, end = row.received, row.received
	}
	var ok1, ok2 bool
	r.Start, ok1 = unixTime(start)
	if r.End, ok2 = unixTime(end); !ok1 || !ok2 {
		return reasonBadTime
	}
	return ""
}

// counts reads packets and bytes, which goflow2 leaves as they were sampled. sFlow
// counts frames.
func (row *goflowRow) counts(r *picket.Record) (reason string) {
	rate := uint64(1)
	if v, ok := parseCount(row.rate, maxRate); ok && v > 0 {
		rate = v
	}
	packets, ok1 := parseCount(row.packets, maxCount/rate)
	size, ok2 := parseCount(row.bytes, maxCount/rate)
	if !ok1 || !ok2 {
		return reasonNumber
	}
	if bytes.HasPrefix(row.kind, []byte("SFLOW")) && size >= packets*(frameBytes+20) {
		size -= packets * frameBytes
	}
	r.SrcPackets, r.SrcBytes = packets*rate, size*rate
	return ""
}
