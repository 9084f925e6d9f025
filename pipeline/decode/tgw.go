package decode

import (
	"bytes"

	"picket"
)

// tgwColumns are the fields of Transit Gateway flow logs that Records take
// something from (Amazon VPC Transit Gateways guide, "Transit Gateway Flow Log
// records"). An attachment is to a gateway what an interface is to a machine: a
// flow is logged at the one where it comes in and at the one where it goes out.
var tgwColumns = map[string]column{
	"tgw-attachment-id":      colInterface,
	"srcaddr":                colSrc,
	"dstaddr":                colDst,
	"srcport":                colSrcPort,
	"dstport":                colDstPort,
	"protocol":               colProtocol,
	"packets":                colPackets,
	"bytes":                  colBytes,
	"start":                  colStart,
	"end":                    colEnd,
	"log-status":             colStatus,
	"tcp-flags":              colFlags,
	"packets-lost-no-route":  colNoRoute,
	"packets-lost-blackhole": colBlackhole,
}

// tgwDefault is the order of version 6, for logs without a header line.
var tgwDefault = []column{
	colOther, colOther, colOther, colOther, colInterface, colOther, colOther, colOther, colOther, colOther, colOther, colOther,
	colOther, colOther, colOther, colOther, colSrc, colDst, colSrcPort, colDstPort, colProtocol, colPackets, colBytes, colStart, colEnd,
	colStatus, colOther, colNoRoute, colBlackhole, colOther, colOther, colFlags, colOther, colOther, colOther, colOther,
}

// isTGWDefault reports whether line is a row of a Transit Gateway flow log in its
// default order.
func isTGWDefault(line []byte) bool {
	f := bytes.Fields(line)
	return len(f) == len(tgwDefault) && string(f[0]) == "6" && bytes.HasPrefix(f[1], []byte("TransitGateway"))
}

// readTGW reads a Transit Gateway flow log that begins without a header.
func readTGW(d *run) error {
	return readFlowLog(d, &vpcRow{plan: tgwDefault, ends: make([]int, len(tgwDefault))})
}

// unrouted says by the packets that the gateway lost whether it refused the flow: a
// Transit Gateway has no action, and what it has no route for, or a blackhole,
// goes nowhere. Packets lost to their size or their age are no refusal.
func (row *vpcRow) unrouted(r *picket.Record) (reason string) {
	lost := uint64(0)
	for _, f := range [][]byte{row.field[colNoRoute], row.field[colBlackhole]} {
		if !set(f) {
			continue
		}
		n, ok := parseUint(f, maxCount)
		if !ok {
			return reasonNumber
		}
		lost += n
	}
	r.Has |= picket.HasAction
	r.Rejected = lost > 0 && lost >= r.SrcPackets
	r.SrcPackets = min(max(r.SrcPackets, lost), maxCount) // where only those that went on are counted
	return ""
}
