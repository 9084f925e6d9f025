package decode

import (
	"bytes"
	"io"
	"math"
	"net/netip"
	"slices"
	"time"

	"picket"
)

// column is what one column of a flow log says.
type column uint8

const (
	colOther column = iota // of no use here, or unknown
	colInterface
	colSrc
	colDst
	colPktSrc
	colPktDst
	colSrcPort
	colDstPort
	colProtocol
	colPackets
	colBytes
	colStart
	colEnd
	colAction
	colStatus
	colFlags
	colNoRoute // of transit gateways
	colBlackhole
	columns
)

// vpcColumns are the fields of VPC Flow Logs that Records take something from
// (Amazon VPC User Guide, "Flow log records", versions 2 to 10).
var vpcColumns = map[string]column{
	"interface-id": colInterface,
	"srcaddr":      colSrc,
	"dstaddr":      colDst,
	"pkt-srcaddr":  colPktSrc,
	"pkt-dstaddr":  colPktDst,
	"srcport":      colSrcPort,
	"dstport":      colDstPort,
	"protocol":     colProtocol,
	"packets":      colPackets,
	"bytes":        colBytes,
	"start":        colStart,
	"end":          colEnd,
	"action":       colAction,
	"log-status":   colStatus,
	"tcp-flags":    colFlags,
}

// vpcDefault is the order of version 2, for logs without a header line.
var vpcDefault = []column{
	colOther, colOther, colInterface, colSrc, colDst, colSrcPort, colDstPort,
	colProtocol, colPackets, colBytes, colStart, colEnd, colAction, colStatus,
}

// vpcRow is one line, cut up.
type vpcRow struct {
	plan     []column
	field    [columns][]byte // nil where the log has no such column
	ends     []int           // of the current line's columns
	standard bool            // the order is that of version 2
	names    names
}

// readVPC reads a flow log line by line. A header may come again, with another
// order, where logs were joined.
func readVPC(d *run) error {
	return readFlowLog(d, &vpcRow{plan: vpcDefault, ends: make([]int, len(vpcDefault)), standard: true})
}

// readFlowLog reads rows by the plan of row until a header says otherwise.
func readFlowLog(d *run, row *vpcRow) error {
	for {
		line, err := d.line()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(line) == 0 {
			continue
		}
		if isVPCHeader(line) {
			err = row.header(d, line)
		} else {
			err = row.read(d, line)
		}
		if err != nil {
			return err
		}
	}
}

// isVPCHeader reports whether line names columns.
func isVPCHeader(line []byte) bool {
	return line[0] >= 'a' && line[0] <= 'z' && bytes.IndexByte(line, ' ') > 0 &&
		(bytes.Contains(line, []byte("srcaddr")) || bytes.Contains(line, []byte("dstaddr")))
}

// header takes the order of columns from line.
func (row *vpcRow) header(d *run, line []byte) error {
	fields := bytes.Fields(line)
	row.plan = make([]column, len(fields))
	row.ends = make([]int, len(fields))
	row.field = [columns][]byte{}
	var have [columns]bool
	known := vpcColumns
	if bytes.Contains(line, []byte("tgw-")) {
		known = tgwColumns
	}
	for i, f := range fields {
		row.plan[i] = known[string(f)]
		have[row.plan[i]] = true
	}
	row.standard = slices.Equal(row.plan, vpcDefault)
	have[colSrc] = have[colSrc] || have[colPktSrc]
	have[colDst] = have[colDst] || have[colPktDst]
	for _, name := range []string{"srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "start"} {
		if !have[vpcColumns[name]] {
			return d.fail(reasonHeader, "a flow log without "+name, nil)
		}
	}
	return nil
}

// read makes a Record of line.
func (row *vpcRow) read(d *run, line []byte) error {
	if row.quick(d, line) {
		return d.send(line)
	}
	if !row.split(line) {
		return d.drop(reasonColumns, "", line)
	}
	return row.take(d, line)
}

// take makes a Record of the row, which line holds.
func (row *vpcRow) take(d *run, line []byte) error {
	switch status := row.field[colStatus]; {
	case status == nil || string(status) == "OK":
	case string(status) == "NODATA":
		d.stats.Dropped[reasonNoData]++
		row.gap(d, false)
		return nil
	case string(status) == "SKIPDATA":
		return row.lost(d, line)
	default:
		return d.drop(reasonStatus, "", line)
	}
	if reason := row.record(&d.rec); reason == reasonNoAddress {
		d.stats.Dropped[reason]++
		return nil
	} else if reason != "" {
		return d.drop(reason, "", line)
	}
	return d.send(line)
}

// split cuts line at its spaces; it reports whether it has as many columns as
// the header.
func (row *vpcRow) split(line []byte) bool {
	last := len(row.plan) - 1
	if cut(line, ' ', row.ends[:last]) != last {
		return false
	}
	row.ends[last] = len(line)
	start := 0
	for i, c := range row.plan {
		if c != colOther {
			row.field[c] = line[start:row.ends[i]]
		}
		start = row.ends[i] + 1
	}
	return true
}

// lost makes the Record of a SKIPDATA line: something happened here that the
// log could not keep.
func (row *vpcRow) lost(d *run, line []byte) error {
	d.rec = picket.Record{Source: picket.SourceVPC, Lost: true}
	if reason := row.place(&d.rec); reason != "" {
		return d.drop(reason, "", line)
	}
	row.gap(d, true)
	return d.send(line)
}

// gap notes that the row's interval has no records, if its times can be true.
func (row *vpcRow) gap(d *run, lost bool) {
	var at picket.Record
	if row.place(&at) != "" || !d.inTime(at.Start, at.End) {
		return
	}
	if !d.gaps.add(at.Interface, lost, at.Start, at.End) {
		d.stats.GapsLeft++
	}
}

// place fills in interface and times.
func (row *vpcRow) place(r *picket.Record) (reason string) {
	if id := row.field[colInterface]; len(id) > 256 {
		return reasonInterface
	} else if set(id) {
		r.Interface = row.names.of(id)
	}
	const limit = math.MaxInt64 / uint64(time.Second)
	start, ok := parseUint(row.field[colStart], limit)
	if !ok {
		return reasonBadTime
	}
	end := start
	if f := row.field[colEnd]; set(f) {
		if end, ok = parseUint(f, limit); !ok {
			return reasonBadTime
		}
	}
	r.Start, r.End = int64(start)*int64(time.Second), int64(end)*int64(time.Second)
	return ""
}

// record fills r from the row; it returns why it cannot.
func (row *vpcRow) record(r *picket.Record) (reason string) {
	*r = picket.Record{Source: picket.SourceVPC}
	if reason = row.place(r); reason != "" {
		return reason
	}
	if reason = row.sides(r); reason != "" {
		return reason
	}
	var ok, ok2 bool
	if r.SrcPackets, ok = parseUint(row.field[colPackets], maxCount); !ok {
		return reasonNumber
	}
	if r.SrcBytes, ok2 = parseUint(row.field[colBytes], maxCount); !ok2 {
		return reasonNumber
	}
	switch a := row.field[colAction]; {
	case !set(a):
	case string(a) == "ACCEPT":
		r.Has |= picket.HasAction
	case string(a) == "REJECT":
		r.Has |= picket.HasAction
		r.Rejected = true
	default:
		return reasonAction
	}
	if row.field[colNoRoute] != nil || row.field[colBlackhole] != nil {
		if reason = row.unrouted(r); reason != "" {
			return reason
		}
	}
	return row.flags(r)
}

// sides fills in addresses, protocol and ports. The packet's own addresses stand
// before the interface's: behind a gateway those name the gateway.
func (row *vpcRow) sides(r *picket.Record) (reason string) {
	var ok bool
	if r.Src, ok = pick(row.field[colPktSrc], row.field[colSrc]); !ok {
		return row.noAddress()
	}
	if r.Dst, ok = pick(row.field[colPktDst], row.field[colDst]); !ok {
		return row.noAddress()
	}
	proto, ok := parseUint(row.field[colProtocol], math.MaxUint8)
	if !ok {
		return reasonProtocol
	}
	r.Proto = uint8(proto)
	if !hasPorts(r.Proto) {
		return ""
	}
	if r.SrcPort, ok = parsePort(row.field[colSrcPort]); !ok {
		return reasonPort
	}
	if r.DstPort, ok = parsePort(row.field[colDstPort]); !ok {
		return reasonPort
	}
	return ""
}

// noAddress says why there is none: in a log without log-status, a line without
// traffic can only be told by its unset addresses.
func (row *vpcRow) noAddress() (reason string) {
	if row.field[colStatus] == nil && !set(row.field[colSrc]) && !set(row.field[colPktSrc]) {
		return reasonNoAddress
	}
	return reasonAddress
}

// flags fills in TCP flags and who opened. The log gathers the flags of an
// interval and notes ACK only together with SYN, so that SYN alone is the
// opener and SYN-ACK the side that answered.
func (row *vpcRow) flags(r *picket.Record) (reason string) {
	f := row.field[colFlags]
	if !set(f) || r.Proto != picket.ProtoTCP {
		return ""
	}
	v, ok := parseUint(f, math.MaxUint16)
	if !ok {
		return reasonNumber
	}
	r.Has |= picket.HasFlags
	r.SrcFlags = uint8(v)
	r.Opener = opener(r.SrcFlags)
	return ""
}

// opener says who opened, by the flags of what Src sent.
func opener(flags uint8) picket.Opener {
	switch flags & (picket.FlagSYN | picket.FlagACK) {
	case picket.FlagSYN:
		return picket.OpenerSrc
	case picket.FlagSYN | picket.FlagACK:
		return picket.OpenerDst
	}
	return picket.OpenerUnknown
}

// set reports whether a column is there and has a value.
func set(f []byte) bool { return len(f) > 0 && !(len(f) == 1 && f[0] == '-') }

// pick reads the first address, or the second where the first is unset.
func pick(first, second []byte) (netip.Addr, bool) {
	if set(first) {
		return parseAddr(first)
	}
	return parseAddr(second)
}

// parsePort reads a port; unset is 0.
func parsePort(f []byte) (uint16, bool) {
	if !set(f) {
		return 0, true
	}
	v, ok := parseUint(f, math.MaxUint16)
	return uint16(v), ok
}

// names keeps one string per interface name.
type names struct {
	recent [1 << 12]string // where a name's last bytes point; spares the map
	all    map[string]string
}

// maxNames bounds names; past it a name is a string of its own each time.
const maxNames = 65536

// of returns b as a string.
func (n *names) of(b []byte) string {
	at := &n.recent[0]
	if k := len(b); k >= 4 {
		tail := uint32(b[k-4])<<24 | uint32(b[k-3])<<16 | uint32(b[k-2])<<8 | uint32(b[k-1])
		at = &n.recent[tail*0x9e3779b1>>20]
	}
	if string(b) == *at {
		return *at
	}
	s, ok := n.all[string(b)]
	if !ok {
		s = string(b)
		if n.all == nil {
			n.all = map[string]string{}
		}
		if len(n.all) < maxNames {
			n.all[s] = s
		}
	}
	*at = s
	return s
}
