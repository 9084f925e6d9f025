package simulate

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"picket"
)

// packetLog is how a tap sees conversations: each packet when it passes.
type packetLog struct {
	going heap[*flight]
	count uint64
}

// flight is a conversation of which packets are still to come.
type flight struct {
	c         *Conversation
	id        uint64
	out, in   uint64 // packets gone
	at        int64  // of the next one, Unix nanoseconds
	answering bool   // the next one is from Dst
}

func packetView(*Script, *network) view {
	v := &packetLog{}
	v.going.less = func(a, b **flight) bool {
		return cmp.Or(cmp.Compare((*a).at, (*b).at), cmp.Compare((*a).id, (*b).id)) < 0
	}
	return v
}

func (v *packetLog) take(c *Conversation, put func(*line) error) error {
	if err := v.advance(c.Start, put); err != nil {
		return err
	}
	v.count++
	f := &flight{c: c, id: v.count}
	if f.next() {
		v.going.push(f)
	}
	return nil
}

// next finds which packet comes next, if any does.
func (f *flight) next() bool {
	out, in := f.out < f.c.Out.Packets, f.in < f.c.In.Packets
	switch {
	case !out && !in:
		return false
	case !in:
		f.answering, f.at = false, f.c.at(false, f.out)
	case !out:
		f.answering, f.at = true, f.c.at(true, f.in)
	default:
		a, b := f.c.at(false, f.out), f.c.at(true, f.in)
		f.answering, f.at = b < a, min(a, b)
	}
	return true
}

// advance plays the packets that pass before t.
func (v *packetLog) advance(t int64, put func(*line) error) error {
	for len(v.going.items) > 0 && v.going.items[0].at < t {
		f := v.going.items[0]
		l := f.line()
		if err := put(&l); err != nil {
			return err
		}
		if f.answering {
			f.in++
		} else {
			f.out++
		}
		if f.next() {
			v.going.down(0)
		} else {
			v.going.pop()
		}
	}
	return nil
}

func (v *packetLog) finish(put func(*line) error) error { return v.advance(1<<63-1, put) }

// line is the next packet as a decoder reads it.
func (f *flight) line() line {
	c, k, other := f.c, f.out, f.in
	src, dst, sport, dport := c.Src, c.Dst, c.SrcPort, c.DstPort
	if f.answering {
		k, other = f.in, f.out
		src, dst, sport, dport = dst, src, dport, sport
	}
	r := picket.Record{
		Source: picket.SourcePcap, Start: f.at / 1000 * 1000, Src: src, Dst: dst, Proto: c.Proto,
		SrcPackets: 1, SrcBytes: c.bytes(f.answering, k+1) - c.bytes(f.answering, k),
		SrcPayload: c.payload(f.answering, k+1) - c.payload(f.answering, k), Has: picket.HasPackets | picket.HasPayload,
	}
	r.End = r.Start
	first := true
	if c.Pieces > 1 {
		r.Fragment, first = true, k%uint64(c.Pieces) == 0
	}
	if hasPorts(c.Proto) && first {
		r.SrcPort, r.DstPort = sport, dport
	}
	switch {
	case c.Proto == picket.ProtoTCP:
		r.SrcFlags = c.flags(f.answering, k)
		r.Has |= picket.HasFlags
		r.Opener = openerOf(r.SrcFlags)
	case !hasPorts(c.Proto) && (c.Proto == picket.ProtoICMP || c.Proto == picket.ProtoICMPv6):
		r.Opener = picket.OpenerSrc
		if f.answering {
			r.Opener = picket.OpenerDst
		}
	}
	return line{Record: r, conv: c, in: f.answering, count: k, ack: other}
}

// snap is how many bytes of a packet a capture keeps: headers and a little.
const snap = 128

// packetWriter writes captures, a new one each hour or captureBytes.
type packetWriter struct {
	out   *objects
	ng    bool
	hour  int64
	size  int
	file  io.WriteCloser
	w     *bufio.Writer
	buf   []byte
	ident uint16
}

const captureBytes = 256 << 20

func packetFile(ng bool) func(*Script, *network, *objects) encoder {
	return func(s *Script, net *network, out *objects) encoder { return &packetWriter{out: out, ng: ng} }
}

func (p *packetWriter) write(l *line) error {
	if hour := l.Start / hourNanos; p.file == nil || hour > p.hour || p.size > captureBytes {
		if err := p.finish(); err != nil {
			return err
		}
		if err := p.create(l.Start, hour); err != nil {
			return err
		}
	}
	p.ident++
	frame := p.frame(l)
	wire := 14 + int(l.SrcBytes)
	kept := min(len(frame), snap)
	b := p.buf[:0]
	micros := uint64(l.Start / 1000)
	if p.ng {
		pad := (4 - kept%4) % 4
		total := uint32(32 + kept + pad)
		for _, v := range [...]uint32{6, total, 0, uint32(micros >> 32), uint32(micros), uint32(kept), uint32(wire)} {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		b = append(append(b, frame[:kept]...), make([]byte, pad)...)
		b = binary.LittleEndian.AppendUint32(b, total)
	} else {
		for _, v := range [...]uint32{uint32(micros / 1e6), uint32(micros % 1e6), uint32(kept), uint32(wire)} {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		b = append(b, frame[:kept]...)
	}
	p.buf = b
	p.size += len(b)
	_, err := p.w.Write(b)
	return err
}

func (p *packetWriter) create(at, hour int64) (err error) {
	name := "capture_" + time.Unix(0, at).UTC().Format("20060102T150405.000000Z") + ".pcap"
	if p.ng {
		name += "ng"
	}
	if p.file, err = p.out.create(name); err != nil {
		return err
	}
	p.hour, p.size, p.w = hour, 0, bufio.NewWriterSize(p.file, 1<<16)
	var head []byte
	words := []uint32{0xa1b2c3d4, 4<<16 | 2, 0, 0, snap, 1}
	if p.ng { // section header, and an interface of Ethernet
		words = []uint32{0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28, 1, 20, 1, snap, 20}
	}
	for _, v := range words {
		head = binary.LittleEndian.AppendUint32(head, v)
	}
	_, err = p.w.Write(head)
	return err
}

func (p *packetWriter) finish() error {
	if p.file == nil {
		return nil
	}
	file := p.file
	p.file = nil
	return firstError(p.w.Flush(), p.out.close(file))
}

// frame is the packet's bytes from Ethernet on, cut a little beyond snap.
// Payload is zeros, so that checksums follow from headers alone.
func (p *packetWriter) frame(l *line) []byte {
	b := make([]byte, 0, 256)
	b = append(append(b, mac(l.Dst)...), mac(l.Src)...)
	if l.Src.Is4() {
		b = append(b, 8, 0)
	} else {
		b = append(b, 0x86, 0xdd)
	}
	start := len(b)
	b = p.ip(b, l)
	at := len(b)
	length := int(l.SrcBytes) - (at - start)
	if !l.Fragment || l.count%uint64(l.conv.Pieces) == 0 {
		b = transport(b, l, length)
	}
	left := int(l.SrcBytes) - (len(b) - start)
	return append(b, make([]byte, max(0, min(left, snap+14)))...)
}

func mac(a netip.Addr) []byte {
	b := a.As16()
	return []byte{2, 0x42, b[12], b[13], b[14], b[15]}
}

// ip appends the IP header.
func (p *packetWriter) ip(b []byte, l *line) []byte {
	start := len(b)
	if l.Src.Is6() {
		b = append(b, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(l.SrcBytes-40))
		b = append(b, l.Proto, 64)
		s, d := l.Src.As16(), l.Dst.As16()
		return append(append(b, s[:]...), d[:]...)
	}
	fragment, ident := uint16(0x4000), p.ident // do not fragment
	if l.Fragment {
		piece := l.count % uint64(l.conv.Pieces)
		fragment = uint16(piece * 1480 / 8)
		if piece+1 < uint64(l.conv.Pieces) {
			fragment |= 0x2000
		}
		ident = uint16(mix(l.count/uint64(l.conv.Pieces) ^ uint64(l.conv.Start)))
	}
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(l.SrcBytes))
	b = binary.BigEndian.AppendUint16(b, ident)
	b = binary.BigEndian.AppendUint16(b, fragment)
	b = append(b, 64, l.Proto, 0, 0)
	s, d := l.Src.As4(), l.Dst.As4()
	b = append(append(b, s[:]...), d[:]...)
	binary.BigEndian.PutUint16(b[start+10:], ^fold(sum(0, b[start:])))
	return b
}

// transport appends the header behind IP, of a packet with length bytes there.
func transport(b []byte, l *line, length int) []byte {
	at, check := len(b), 0
	switch l.Proto {
	case picket.ProtoTCP:
		b, check = tcpHeader(b, l), 16
	case picket.ProtoUDP:
		b = binary.BigEndian.AppendUint16(b, l.SrcPort)
		b = binary.BigEndian.AppendUint16(b, l.DstPort)
		if l.Fragment {
			length = 8 + int(l.conv.payload(l.in, l.count+uint64(l.conv.Pieces))-l.conv.payload(l.in, l.count))
		}
		b = append(binary.BigEndian.AppendUint16(b, uint16(length)), 0, 0)
		check = 6
	case picket.ProtoICMP, picket.ProtoICMPv6:
		kind := byte(l.conv.SrcPort)
		if l.in && kind == 8 {
			kind = 0
		} else if l.in {
			kind++
		}
		b = append(b, kind, byte(l.conv.DstPort), 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(mix(uint64(l.conv.Start))))
		b = binary.BigEndian.AppendUint16(b, uint16(l.count))
		check = 2
	default:
		return b
	}
	pseudo := uint32(0)
	if l.Proto != picket.ProtoICMP {
		s, d := l.Src.AsSlice(), l.Dst.AsSlice()
		pseudo = sum(sum(uint32(l.Proto)+uint32(length), s), d)
	}
	binary.BigEndian.PutUint16(b[at+check:], ^fold(sum(pseudo, b[at:])))
	return b
}

func tcpHeader(b []byte, l *line) []byte {
	c := l.conv
	isn := func(in bool) uint32 {
		x := mix(uint64(c.Start)^uint64(c.SrcPort)<<32) >> 8
		if in {
			x = mix(x)
		}
		return uint32(x)
	}
	sent := func(in bool, k uint64) uint32 {
		n := isn(in) + uint32(c.payload(in, k))
		if k > 0 && !c.Headless {
			n++ // the SYN
		}
		return n
	}
	seq := sent(l.in, l.count)
	if c.Outcome > Reset && c.Outcome != HalfOpen {
		seq = isn(l.in)
	}
	ack := uint32(0)
	if l.SrcFlags&picket.FlagACK != 0 {
		ack = sent(!l.in, l.ack)
	}
	options := int(c.Options)
	if l.SrcFlags&picket.FlagSYN != 0 {
		options = int(max(c.Options, c.SynOptions))
	}
	b = binary.BigEndian.AppendUint16(b, l.SrcPort)
	b = binary.BigEndian.AppendUint16(b, l.DstPort)
	b = binary.BigEndian.AppendUint32(b, seq)
	b = binary.BigEndian.AppendUint32(b, ack)
	b = append(b, byte(20+options)/4<<4, l.SrcFlags, 0xfa, 0xf0, 0, 0, 0, 0)
	for range options {
		b = append(b, 1) // no operation
	}
	if options >= 4 && l.SrcFlags&picket.FlagSYN != 0 {
		copy(b[len(b)-options:], []byte{2, 4, 5, 180}) // greatest segment: 1460
	}
	return b
}

// sum adds up b in 16-bit words, as the internet checksum does (RFC 1071).
func sum(s uint32, b []byte) uint32 {
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
