package decode

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"picket"
)

// Versions of export packets.
const (
	netflow5  = 5
	netflow9  = 9
	netflowIP = 10 // IPFIX, RFC 7011
)

// Lengths of headers and of the one record of version 5.
const (
	netflow5Head = 24
	netflow5Size = 48
	netflow9Head = 20
	ipfixHead    = 16
)

// isNetFlow reports whether b begins with an export packet: a version, and a header
// and first set or record that can be true. Two bytes alone would be a coin's toss.
func isNetFlow(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	count := int(binary.BigEndian.Uint16(b[2:]))
	switch binary.BigEndian.Uint16(b) {
	case netflow5:
		return count >= 1 && count <= 30 && len(b) >= netflow5Head+netflow5Size && plausibleSeconds(b[8:])
	case netflow9:
		return count >= 1 && len(b) >= netflow9Head+4 && plausibleSeconds(b[8:]) && isSet(b[netflow9Head:])
	case netflowIP:
		return count >= ipfixHead && len(b) >= ipfixHead && plausibleSeconds(b[4:]) &&
			(count == ipfixHead || len(b) >= ipfixHead+4 && isSet(b[ipfixHead:]))
	}
	return false
}

// plausibleSeconds reports whether b begins with Unix seconds of 1990 to 2100.
func plausibleSeconds(b []byte) bool {
	s := int64(binary.BigEndian.Uint32(b))
	return s*int64(time.Second) >= earliest && s < 4102444800
}

// isSet reports whether b begins with the header of a set.
func isSet(b []byte) bool {
	id, size := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	return (id <= 3 || id >= 256) && size >= 4
}

// netflow reads export packets, one after the other as an exporter sent them.
type netflow struct {
	*run
	templates  map[templateKey]*template
	fields     int                     // of all templates
	early      map[templateKey][]early // data sets before their template
	kept, came int                     // bytes of them, and how many ever came
	sampling   map[samplerKey]uint64   // packets for one that was sampled
	boots      map[exporterKey]int64   // when the exporter began, Unix milliseconds
	exporter   string                  // address, where the packets came in a capture
	names      names
}

// exporterKey is a source of export packets: its address where known, and the
// domain that it numbers its templates in.
type exporterKey struct {
	address string
	version uint16
	domain  uint32
}

type templateKey struct {
	exporterKey
	id uint16
}

type samplerKey struct {
	exporterKey
	id uint64 // 0 is the exporter's only one
}

// readNetFlow reads a file of NetFlow 5, 9 and IPFIX packets in any order.
func readNetFlow(d *run) error {
	n := newNetFlow(d)
	for {
		head, err := d.in.Peek(2)
		if len(head) == 0 && err == io.EOF {
			return n.end()
		}
		if len(head) < 2 {
			return d.readError(err)
		}
		if err := n.packet(binary.BigEndian.Uint16(head)); err != nil {
			return err
		}
	}
}

func newNetFlow(d *run) *netflow {
	return &netflow{run: d, templates: map[templateKey]*template{}, early: map[templateKey][]early{},
		sampling: map[samplerKey]uint64{}, boots: map[exporterKey]int64{}}
}

// packet reads one packet of the file.
func (n *netflow) packet(version uint16) error {
	switch version {
	case netflow5:
		head, err := n.whole(netflow5Head)
		if err != nil {
			return err
		}
		h := [netflow5Head]byte(head)
		body, err := n.whole(int(binary.BigEndian.Uint16(h[2:])) * netflow5Size)
		if err != nil {
			return err
		}
		return n.version5(h[:], body)
	case netflow9:
		return n.packet9()
	case netflowIP:
		head, err := n.whole(ipfixHead)
		if err != nil {
			return err
		}
		size := int(binary.BigEndian.Uint16(head[2:]))
		from := n.fromIPFIX(head)
		if size < ipfixHead {
			return n.fail(reasonExport, "an IPFIX message of less than its header", nil)
		}
		body, err := n.whole(size - ipfixHead)
		if err != nil {
			return err
		}
		return n.sets(from, body)
	}
	return n.fail(reasonExport, "neither NetFlow 5 or 9 nor IPFIX follows", nil)
}

// whole takes n bytes; the object's end before them is a cut.
func (n *netflow) whole(size int) ([]byte, error) {
	b, err := n.take(size)
	if err == io.EOF {
		err = n.readError(err)
	}
	return b, err
}

// packet9 reads a packet of version 9, whose header has no length: sets follow it
// until the next header, whose version is no number of a set.
func (n *netflow) packet9() error {
	head, err := n.whole(netflow9Head)
	if err != nil {
		return err
	}
	from := n.from9(head)
	for {
		head, err := n.in.Peek(4)
		if len(head) < 4 && err == io.EOF && len(head) == 0 {
			return nil
		}
		if len(head) < 4 {
			return n.readError(err)
		}
		if !isSet(head) {
			return nil
		}
		set, err := n.whole(int(binary.BigEndian.Uint16(head[2:])))
		if err != nil {
			return err
		}
		if err := n.set(from, binary.BigEndian.Uint16(set), set[4:]); err != nil {
			return err
		}
	}
}

// origin is what the header of a packet says of its records.
type origin struct {
	exporterKey
	sent int64 // Unix milliseconds
	boot int64 // Unix milliseconds when the exporter began; 0 where unknown
}

func (n *netflow) from9(head []byte) origin {
	sent := int64(binary.BigEndian.Uint32(head[8:])) * 1000
	return origin{
		exporterKey: exporterKey{n.exporter, netflow9, binary.BigEndian.Uint32(head[16:])},
		sent:        sent, boot: sent - int64(binary.BigEndian.Uint32(head[4:])),
	}
}

func (n *netflow) fromIPFIX(head []byte) origin {
	key := exporterKey{n.exporter, netflowIP, binary.BigEndian.Uint32(head[12:])}
	return origin{exporterKey: key, sent: int64(binary.BigEndian.Uint32(head[4:])) * 1000, boot: n.boots[key]}
}

// version5 reads the records of a packet of version 5.
func (n *netflow) version5(head, body []byte) error {
	sent := int64(binary.BigEndian.Uint32(head[8:]))*1000 + int64(binary.BigEndian.Uint32(head[12:]))/1e6
	rate := uint64(binary.BigEndian.Uint16(head[22:]) & 0x3fff) // above are two bits of how it samples
	from := origin{
		exporterKey: exporterKey{n.exporter, netflow5, uint32(binary.BigEndian.Uint16(head[20:]))},
		sent:        sent, boot: sent - int64(binary.BigEndian.Uint32(head[4:])),
	}
	for len(body) >= netflow5Size {
		v := values{
			src: body[0:4], dst: body[4:8], packets: number(body[16:20]), bytes: number(body[20:24]),
			srcPort: number(body[32:34]), dstPort: number(body[34:36]), flags: number(body[37:38]), proto: number(body[38:39]),
			hasFlags: true, upStart: number(body[24:28]), upEnd: number(body[28:32]), hasUptime: true, rate: max(rate, 1),
		}
		if err := n.emitValues(&from, &v, body[:netflow5Size]); err != nil {
			return err
		}
		body = body[netflow5Size:]
	}
	if len(body) > 0 {
		n.stats.Lines++
		return n.drop(reasonExport, "a packet that ends within a record", body)
	}
	return nil
}

// number reads an unsigned number of up to eight bytes, as exporters shorten them
// (RFC 7011, section 6.2).
func number(b []byte) uint64 {
	v := uint64(0)
	for _, c := range b[max(0, len(b)-8):] {
		v = v<<8 | uint64(c)
	}
	return v
}

// values are what one data record says.
type values struct {
	src, dst                        []byte
	srcPort, dstPort, proto         uint64
	packets, bytes, flags           uint64
	backPackets, backBytes, backTCP uint64 // of the other direction (RFC 5103)
	rate, sampler                   uint64 // 0 where the record does not say
	egress                          bool   // seen where it left the exporter
	hasFlags, hasBack, hasUptime    bool
	denied, event                   bool
	upStart, upEnd                  uint64 // milliseconds since the exporter began
	start, end                      int64  // Unix nanoseconds; 0 where unknown
	deltaStart, deltaEnd            uint64 // microseconds before the packet was sent
	hasDelta                        bool
	duration                        uint64 // milliseconds
}

// emitValues sends the record that values make; b is what they were read from.
func (n *netflow) emitValues(from *origin, v *values, b []byte) error {
	n.stats.Lines++
	reason := n.record(from, v, &n.rec)
	switch reason {
	case "":
		return n.send(b)
	case reasonNotIP, reasonNoTraffic:
		n.stats.Dropped[reason]++
		return nil
	}
	return n.drop(reason, "", b)
}

func (n *netflow) record(from *origin, v *values, r *picket.Record) (reason string) {
	*r = picket.Record{Source: picket.SourceNetFlow}
	if len(v.src) == 0 && len(v.dst) == 0 {
		return reasonNotIP // of layer 2
	}
	var ok1, ok2 bool
	r.Src, ok1 = addrFrom(v.src)
	r.Dst, ok2 = addrFrom(v.dst)
	if !ok1 || !ok2 {
		return reasonAddress
	}
	if v.proto > 255 || v.srcPort > 65535 || v.dstPort > 65535 {
		return reasonNumber
	}
	if v.packets == 0 && v.backPackets == 0 && v.bytes == 0 && v.backBytes == 0 {
		return reasonNoTraffic // what a firewall tells when a flow begins
	}
	r.Proto = uint8(v.proto)
	if hasPorts(r.Proto) {
		r.SrcPort, r.DstPort = uint16(v.srcPort), uint16(v.dstPort)
	}
	v.times(from, r)
	if reason = n.scaled(from, v, r); reason != "" {
		return reason
	}
	n.flags(v, r)
	r.Interface = n.place(from, v)
	return ""
}

// addrFrom makes an address of 4 or 16 bytes.
func addrFrom(b []byte) (a netip.Addr, ok bool) {
	if len(b) != 4 && len(b) != 16 {
		return a, false
	}
	a, ok = netip.AddrFromSlice(b)
	return a.Unmap(), ok
}

// scaled fills in packets and bytes: those of a sampled flow stand for as many more.
func (n *netflow) scaled(from *origin, v *values, r *picket.Record) (reason string) {
	rate := v.rate
	if rate == 0 {
		rate = n.sampling[samplerKey{from.exporterKey, v.sampler}]
		if rate == 0 && v.sampler != 0 {
			rate = n.sampling[samplerKey{from.exporterKey, 0}]
		}
	}
	rate = min(max(rate, 1), maxRate)
	if v.packets == 0 && v.bytes > 0 { // firewalls count bytes alone
		v.packets = (v.bytes + 1499) / 1500
	}
	if v.backPackets == 0 && v.backBytes > 0 {
		v.backPackets = (v.backBytes + 1499) / 1500
	}
	for _, count := range [...]uint64{v.packets, v.bytes, v.backPackets, v.backBytes} {
		if count > maxCount/rate {
			return reasonNumber
		}
	}
	r.SrcPackets, r.SrcBytes = v.packets*rate, v.bytes*rate
	r.DstPackets, r.DstBytes = v.backPackets*rate, v.backBytes*rate
	if v.hasBack {
		r.Has |= picket.HasReverse
		r.Opener = picket.OpenerSrc
	}
	if v.event {
		r.Has |= picket.HasAction
		r.Rejected = v.denied
	}
	return ""
}

// maxRate is the sparsest sampling that is believed.
const maxRate = 1 << 20

func (n *netflow) flags(v *values, r *picket.Record) {
	if r.Proto != picket.ProtoTCP || !v.hasFlags {
		return
	}
	if v.hasBack {
		r.Has |= picket.HasFlags
		r.SrcFlags, r.DstFlags = gatheredFlags(uint8(v.flags), r.SrcPackets, true), gatheredFlags(uint8(v.backTCP), r.DstPackets, false)
		return
	}
	oneWayFlags(r, uint8(v.flags))
}

// place names where a flow was seen, the same for both directions of a
// conversation: the exporter, and whether it counts what comes in or what goes
// out. An exporter that counts both has each flow twice.
func (n *netflow) place(from *origin, v *values) string {
	b := append([]byte(from.address), '/')
	for _, shift := range [...]int{28, 24, 20, 16, 12, 8, 4, 0} {
		b = append(b, "0123456789abcdef"[from.domain>>shift&15])
	}
	if v.egress {
		b = append(b, "/out"...)
	}
	return n.names.of(b)
}

// times fills in when the flow began and ended, by whatever clock the record tells:
// its own, that since the exporter began, or the packet's.
func (v *values) times(from *origin, r *picket.Record) {
	const ms = int64(time.Millisecond)
	r.Start, r.End = v.start, v.end
	switch {
	case v.start != 0 || v.end != 0:
	case v.hasUptime && from.boot != 0:
		r.Start, r.End = from.uptime(v.upStart)*ms, from.uptime(v.upEnd)*ms
	case v.hasUptime: // their distance is known at least
		r.End = from.sent * ms
		r.Start = r.End - int64(uint32(v.upEnd-v.upStart))*ms
	case v.hasDelta:
		r.Start, r.End = from.sent*ms-int64(v.deltaStart&0xffffffff)*1000, from.sent*ms-int64(v.deltaEnd&0xffffffff)*1000
	default:
		r.Start, r.End = from.sent*ms, from.sent*ms
	}
	lasted := int64(v.duration&0xffffffff) * ms
	if r.End == 0 {
		r.End = r.Start + lasted
	}
	if r.Start == 0 {
		r.Start = r.End - lasted
	}
}

// uptime turns milliseconds since the exporter began into Unix milliseconds. The
// exporter's clock has 32 bits and turns over every 49.7 days: a flow began within
// half of that of its packet.
func (o *origin) uptime(ms uint64) int64 {
	now := uint32(o.sent - o.boot)
	return o.sent - int64(int32(now-uint32(ms)))
}
