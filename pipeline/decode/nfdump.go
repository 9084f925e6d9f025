package decode

import (
	"bytes"
	"io"
	"math"
	"strings"

	"picket"
)

// nfdumpField is what one column of nfdump's CSV says.
type nfdumpField uint8

const (
	nfOther nfdumpField = iota
	nfStart
	nfEnd
	nfDuration
	nfSrc
	nfDst
	nfSrcPort
	nfDstPort
	nfProto
	nfFlags
	nfPackets
	nfBytes
	nfBackPackets
	nfBackBytes
	nfExporter
	nfFields
)

// nfdumpColumns names the columns of "nfdump -o csv", of versions 1.6 and 1.7.
var nfdumpColumns = map[string]nfdumpField{
	"ts": nfStart, "firstSeen": nfStart, "te": nfEnd, "lastSeen": nfEnd, "td": nfDuration, "duration": nfDuration,
	"sa": nfSrc, "srcAddr": nfSrc, "da": nfDst, "dstAddr": nfDst, "sp": nfSrcPort, "srcPort": nfSrcPort, "dp": nfDstPort, "dstPort": nfDstPort,
	"pr": nfProto, "proto": nfProto, "flg": nfFlags, "flags": nfFlags, "ipkt": nfPackets, "packets": nfPackets, "ibyt": nfBytes, "bytes": nfBytes,
	"opkt": nfBackPackets, "outPackets": nfBackPackets, "obyt": nfBackBytes, "outBytes": nfBackBytes, "ra": nfExporter, "router": nfExporter,
}

// isNfdump reports whether line is the header of nfdump's CSV.
func isNfdump(line []byte) bool {
	return bytes.HasPrefix(line, []byte("ts,te,td,sa,da,")) || bytes.HasPrefix(line, []byte("firstSeen,"))
}

// nfdump reads the CSV of nfdump, whose times are taken as UTC.
type nfdump struct {
	*run
	plan   []nfdumpField
	field  [nfFields][]byte
	places names
}

func readNfdump(d *run) error {
	n := &nfdump{run: d}
	for {
		line, err := d.line()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
		case isNfdump(line):
			n.plan = n.plan[:0]
			for name := range bytes.SplitSeq(line, []byte{','}) {
				n.plan = append(n.plan, nfdumpColumns[string(bytes.TrimSpace(name))])
			}
		case string(line) == "Summary":
			n.plan = nil // sums of all of it follow
		case n.plan == nil:
			d.stats.Dropped[reasonSummary]++
		default:
			err = n.read(line)
		}
		if err != nil {
			return err
		}
	}
}

func (n *nfdump) read(line []byte) error {
	if bytes.Count(line, []byte{','})+1 != len(n.plan) {
		return n.drop(reasonColumns, "", line)
	}
	n.field = [nfFields][]byte{}
	rest := line
	for _, f := range n.plan {
		var cell []byte
		cell, rest, _ = bytes.Cut(rest, []byte{','})
		if f != nfOther {
			n.field[f] = bytes.TrimSpace(cell)
		}
	}
	if reason := n.record(&n.rec); reason != "" {
		return n.drop(reason, "", line)
	}
	return n.send(line)
}

func (n *nfdump) record(r *picket.Record) (reason string) {
	*r = picket.Record{Source: picket.SourceNetFlow}
	var ok, ok2 bool
	if r.Start, ok = nfdumpTime(n.field[nfStart]); !ok {
		return reasonBadTime
	}
	r.End = r.Start
	if end := n.field[nfEnd]; len(end) > 0 {
		if r.End, ok = nfdumpTime(end); !ok {
			return reasonBadTime
		}
	} else if lasted, ok := parseSeconds(n.field[nfDuration]); ok && lasted < math.MaxInt64-r.Start {
		r.End += max(0, lasted)
	}
	if r.Src, ok = parseAddr(n.field[nfSrc]); !ok {
		return reasonAddress
	}
	if r.Dst, ok = parseAddr(n.field[nfDst]); !ok {
		return reasonAddress
	}
	if r.Proto, ok = protocolOf(n.field[nfProto]); !ok {
		return reasonProtocol
	}
	if hasPorts(r.Proto) {
		r.SrcPort, ok = parsePort(n.field[nfSrcPort])
		if r.DstPort, ok2 = parsePort(n.field[nfDstPort]); !ok || !ok2 {
			return reasonPort
		}
	}
	return n.counts(r)
}

// nfdumpTime reads a time as nfdump prints it, or Unix seconds.
func nfdumpTime(b []byte) (int64, bool) {
	if len(b) > 10 && b[4] == '-' {
		return parseStamp(b)
	}
	return parseSeconds(b)
}

func (n *nfdump) counts(r *picket.Record) (reason string) {
	var v [4]uint64
	for i, f := range [4]nfdumpField{nfPackets, nfBytes, nfBackPackets, nfBackBytes} {
		if len(n.field[f]) == 0 {
			continue
		}
		var ok bool
		if v[i], ok = parseUint(n.field[f], maxCount); !ok {
			return reasonNumber
		}
	}
	r.SrcPackets, r.SrcBytes, r.DstPackets, r.DstBytes = v[0], v[1], v[2], v[3]
	if v[2] > 0 {
		r.Has |= picket.HasReverse
		r.Opener = picket.OpenerSrc
	}
	if f := n.field[nfFlags]; len(f) > 0 && r.Proto == picket.ProtoTCP && v[2] == 0 {
		if flags, ok := letterSet(f); ok {
			oneWayFlags(r, flags)
		}
	}
	if place := n.field[nfExporter]; len(place) > 0 && len(place) <= 64 && strings.Trim(string(place), "0.:") != "" {
		r.Interface = n.places.of(place)
	}
	return ""
}

// letterSet reads flags as nfdump prints them: "...AP.SF", or a number.
func letterSet(b []byte) (flags uint8, ok bool) {
	if v, ok := parseUint(b, math.MaxUint8); ok {
		return uint8(v), true
	}
	for _, c := range b {
		switch c {
		case '.':
		case 'F':
			flags |= picket.FlagFIN
		case 'S':
			flags |= picket.FlagSYN
		case 'R':
			flags |= picket.FlagRST
		case 'P':
			flags |= picket.FlagPSH
		case 'A':
			flags |= picket.FlagACK
		case 'U':
			flags |= picket.FlagURG
		case 'E':
			flags |= picket.FlagECE
		case 'C', 'W':
			flags |= picket.FlagCWR
		case 'X': // all of them
			flags |= 0x3f
		default:
			return 0, false
		}
	}
	return flags, true
}
