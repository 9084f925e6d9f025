package decode

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"time"
)

// Bounds of what is kept of an object.
const (
	maxTemplates      = 4096
	maxTemplateFields = 1 << 16 // of all templates
	maxEarlyBytes     = 4 << 20
	maxSamplers       = 4096
)

// template says how the data records of a set are made up.
type template struct {
	fields  []templateField
	scopes  int  // fields in front that say what an options record is about
	options bool // it tells of the exporter, not of flows
	least   int  // bytes of the shortest record
}

type templateField struct {
	id     uint16
	vendor uint32 // 0 is IANA's own
	size   uint16 // math.MaxUint16: the record says
}

// vendorReverse marks what a field says as of the other direction (RFC 5103).
const vendorReverse = 29305

// early is a data set that came before its template.
type early struct {
	from  origin
	body  []byte
	place int // among those that came early
}

// sets reads the sets of a packet whose end is known.
func (n *netflow) sets(from origin, b []byte) error {
	for len(b) >= 4 {
		id, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if size < 4 || size > len(b) {
			break
		}
		if err := n.set(from, id, b[4:size]); err != nil {
			return err
		}
		b = b[size:]
	}
	if len(b) == 0 || allZero(b) {
		return nil
	}
	n.stats.Lines++
	return n.drop(reasonExport, "a set that is longer than its packet", b)
}

// set reads one set.
func (n *netflow) set(from origin, id uint16, b []byte) error {
	switch {
	case id == 0, id == 2:
		return n.readTemplates(from, b, id == 2, false)
	case id == 1, id == 3:
		return n.readTemplates(from, b, id == 3, true)
	case id < 256:
		return nil // reserved
	}
	key := templateKey{from.exporterKey, id}
	t := n.templates[key]
	if t == nil {
		return n.keep(key, from, b)
	}
	return n.data(from, t, b)
}

// keep puts a data set aside until its template comes.
func (n *netflow) keep(key templateKey, from origin, b []byte) error {
	if n.kept+len(b) > maxEarlyBytes {
		n.stats.Lines++
		return n.drop(reasonNoTemplate, "", b)
	}
	n.kept += len(b) + 64
	n.early[key] = append(n.early[key], early{from, append([]byte(nil), b...), n.came})
	n.came++
	return nil
}

// end drops what waits for a template that never came.
func (n *netflow) end() error {
	var left []early
	for _, sets := range n.early {
		left = append(left, sets...)
	}
	slices.SortFunc(left, func(a, b early) int { return cmp.Compare(a.place, b.place) })
	for _, set := range left {
		n.stats.Lines++
		if err := n.drop(reasonNoTemplate, "", set.body); err != nil {
			return err
		}
	}
	return nil
}

// readTemplates reads a set of templates: of version 9 or of IPFIX, of flows or of
// options.
func (n *netflow) readTemplates(from origin, b []byte, ipfix, options bool) error {
	for len(b) >= 4 && !allZero(b) {
		c := cursor{b: b}
		id, count, scopes := c.uint16(), int(c.uint16()), 0
		if ipfix && count == 0 { // withdrawn
			delete(n.templates, templateKey{from.exporterKey, id})
			b = c.b
			continue
		}
		if options && ipfix {
			scopes = int(c.uint16())
		} else if options {
			scopes = count / 4 // bytes so far, of four to a field
			count = scopes + int(c.uint16())/4
		}
		t := &template{scopes: scopes, options: options}
		for range count {
			if c.short {
				break
			}
			t.add(&c, ipfix)
		}
		if c.short || id < 256 {
			n.stats.Lines++
			return n.drop(reasonTemplate, "", b)
		}
		b = c.b
		if err := n.learn(templateKey{from.exporterKey, id}, t); err != nil {
			return err
		}
	}
	return nil
}

func (t *template) add(c *cursor, ipfix bool) {
	f := templateField{id: c.uint16(), size: c.uint16()}
	if ipfix && f.id&0x8000 != 0 {
		f.id &^= 0x8000
		f.vendor = uint32(c.uint16())<<16 | uint32(c.uint16())
	}
	if f.size == math.MaxUint16 && ipfix {
		t.least++
	} else {
		t.least += int(f.size)
	}
	t.fields = append(t.fields, f)
}

// learn takes a template and reads the data that waited for it.
func (n *netflow) learn(key templateKey, t *template) error {
	old := n.templates[key]
	if t.least == 0 || old == nil && len(n.templates) >= maxTemplates || n.fields+len(t.fields) > maxTemplateFields {
		n.stats.Lines++
		return n.drop(reasonTemplate, "", nil)
	}
	if old != nil {
		n.fields -= len(old.fields)
	}
	n.fields += len(t.fields)
	n.templates[key] = t
	sets := n.early[key]
	delete(n.early, key)
	for _, set := range sets {
		n.kept -= len(set.body) + 64
		if err := n.data(set.from, t, set.body); err != nil {
			return err
		}
	}
	return nil
}

// data reads the records of a data set. What is left and shorter than a record is
// padding.
func (n *netflow) data(from origin, t *template, b []byte) error {
	for len(b) >= t.least {
		whole := b
		v := values{}
		o := optionsRecord{}
		c := cursor{b: b}
		for i := range t.fields {
			f := &t.fields[i]
			value := f.take(&c, from.version == netflowIP)
			if c.short {
				break
			}
			if t.options {
				o.set(f, value, i < t.scopes)
			} else {
				v.set(f, value)
			}
		}
		if c.short {
			n.stats.Lines++
			return n.drop(reasonExport, "a record that is longer than its set", whole)
		}
		b = c.b
		if t.options {
			n.option(from, &o)
			continue
		}
		if err := n.emitValues(&from, &v, whole[:len(whole)-len(b)]); err != nil {
			return err
		}
		if allZero(b) && len(b) < 8 {
			break
		}
	}
	return nil
}

// take returns the value of a field.
func (f *templateField) take(c *cursor, ipfix bool) []byte {
	size := int(f.size)
	if f.size == math.MaxUint16 && ipfix { // RFC 7011, section 7
		if size = int(c.uint8()); size == 255 {
			size = int(c.uint16())
		}
	}
	return c.take(size)
}

// set takes one field of a flow (IANA IPFIX information elements; those up to 127
// are the same in NetFlow 9).
func (v *values) set(f *templateField, b []byte) {
	if f.vendor == vendorReverse {
		v.setReverse(f.id, b)
		return
	}
	if f.vendor != 0 || len(b) == 0 {
		return
	}
	switch f.id {
	case 1, 85: // octetDeltaCount, octetTotalCount
		v.bytes = max(v.bytes, number(b))
	case 2, 86: // packetDeltaCount, packetTotalCount
		v.packets = max(v.packets, number(b))
	case 23: // postOctetDeltaCount, where it is the only one
		if v.bytes == 0 {
			v.bytes = number(b)
		}
	case 24:
		if v.packets == 0 {
			v.packets = number(b)
		}
	case 4:
		v.proto = number(b)
	case 6:
		v.flags, v.hasFlags = number(b)&0xff, true
	case 7, 180, 182: // sourceTransportPort, udpSourcePort, tcpSourcePort
		v.srcPort = number(b)
	case 11, 181, 183:
		v.dstPort = number(b)
	case 8, 27:
		v.src = address(v.src, b)
	case 12, 28:
		v.dst = address(v.dst, b)
	case 34, 305: // samplingInterval, samplingPacketInterval
		v.rate = number(b)
	case 48, 302:
		v.sampler = number(b)
	case 61:
		v.egress = number(b) == 1
	case 231: // initiatorOctets
		v.bytes = max(v.bytes, number(b))
	case 232:
		v.backBytes, v.hasBack = number(b), true
	case 298:
		v.packets = max(v.packets, number(b))
	case 299:
		v.backPackets, v.hasBack = number(b), true
	case 233: // firewallEvent: 3 is denied
		v.event, v.denied = true, number(b) == 3
	default:
		v.setTime(f.id, b)
	}
}

// address prefers an address that says something: exporters of both families fill
// the one that is not with zeros.
func address(old, b []byte) []byte {
	if len(old) > 0 && allZero(b) {
		return old
	}
	return b
}

func (v *values) setTime(id uint16, b []byte) {
	switch id {
	case 22:
		v.upStart, v.hasUptime = number(b), true
	case 21:
		v.upEnd, v.hasUptime = number(b), true
	case 150, 152, 154, 156: // flowStartSeconds, -Milliseconds, -Microseconds, -Nanoseconds
		v.start = fieldTime(id-150, b)
	case 151, 153, 155, 157:
		v.end = fieldTime(id-151, b)
	case 158:
		v.deltaStart, v.hasDelta = number(b), true
	case 159:
		v.deltaEnd, v.hasDelta = number(b), true
	case 161:
		v.duration = number(b)
	case 162: // flowDurationMicroseconds
		v.duration = number(b) / 1000
	}
}

// fieldTime reads a time in seconds (unit 0), milliseconds (2), or as NTP has it (4
// and 6): seconds since 1900 and a fraction.
func fieldTime(unit uint16, b []byte) int64 {
	t := number(b)
	switch unit {
	case 0:
		return int64(t&math.MaxUint32) * int64(time.Second)
	case 2:
		return int64(min(t, math.MaxInt64/uint64(time.Millisecond))) * int64(time.Millisecond)
	}
	const ntp = 2208988800 // seconds from 1900 to 1970
	return (int64(t>>32)-ntp)*int64(time.Second) + int64((t&math.MaxUint32)*uint64(time.Second)>>32)
}

// setReverse takes one field of the other direction.
func (v *values) setReverse(id uint16, b []byte) {
	switch id {
	case 1, 85:
		v.backBytes, v.hasBack = max(v.backBytes, number(b)), true
	case 2, 86:
		v.backPackets, v.hasBack = max(v.backPackets, number(b)), true
	case 6:
		v.backTCP = number(b) & 0xff
	}
}

// optionsRecord is what an exporter tells of itself.
type optionsRecord struct {
	interval, space    uint64 // one packet of interval, or interval packets before space others
	size, population   uint64
	sampler            uint64
	boot               uint64 // Unix milliseconds
	random, hasSampler bool
}

func (o *optionsRecord) set(f *templateField, b []byte, scope bool) {
	if f.vendor != 0 || len(b) == 0 {
		return
	}
	switch f.id {
	case 34, 50: // samplingInterval, samplerRandomInterval
		if !scope {
			o.interval, o.random = number(b), true
		}
	case 48, 302: // samplerId, selectorId
		o.sampler, o.hasSampler = number(b), true
	case 305:
		o.interval = number(b)
	case 306:
		o.space = number(b)
	case 309:
		o.size = number(b)
	case 310:
		o.population = number(b)
	case 160:
		o.boot = number(b)
	}
}

// rate returns how many packets one stands for, 0 where the record does not say.
func (o *optionsRecord) rate() uint64 {
	switch {
	case o.size > 0 && o.population >= o.size:
		return o.population / o.size
	case o.random:
		return o.interval
	case o.interval > 0 && o.space < math.MaxUint32:
		return (o.interval + o.space) / o.interval
	}
	return 0
}

// option takes what an options record says.
func (n *netflow) option(from origin, o *optionsRecord) {
	n.stats.Lines++
	n.stats.Dropped[reasonOptions]++
	if o.boot > 0 && o.boot < math.MaxInt64/uint64(time.Millisecond) && len(n.boots) < maxSamplers {
		n.boots[from.exporterKey] = int64(o.boot)
	}
	rate := o.rate()
	if rate == 0 || len(n.sampling) >= maxSamplers {
		return
	}
	n.sampling[samplerKey{from.exporterKey, o.sampler}] = rate
	n.sampling[samplerKey{from.exporterKey, 0}] = rate
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
