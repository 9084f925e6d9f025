package simulate

import (
	"encoding/binary"
	"io"
	"time"
)

// exportWriter writes export packets one after the other, of up to 24 records, an
// object each hour.
type exportWriter struct {
	out      *objects
	version  uint16
	hour     int64
	file     io.WriteCloser
	batch    []line
	sequence uint32
	since    int // packets since the templates were sent
	buf      []byte
}

// exportDomain is the exporter's own number.
const exportDomain = 7

func exportFile(version uint16) func(*Script, *network, *objects) encoder {
	return func(_ *Script, _ *network, out *objects) encoder { return &exportWriter{out: out, version: version} }
}

func (e *exportWriter) write(l *line) error {
	hour := l.End / hourNanos
	if e.file == nil || hour > e.hour {
		if err := e.finish(); err != nil {
			return err
		}
		at := time.Unix(0, hour*hourNanos).UTC()
		var err error
		if e.file, err = e.out.create("export_" + at.Format("20060102T150405Z") + ".flows"); err != nil {
			return err
		}
		e.hour, e.since = hour, 0
	}
	e.batch = append(e.batch, *l)
	if len(e.batch) == 24 {
		return e.flush()
	}
	return nil
}

func (e *exportWriter) finish() error {
	if e.file == nil {
		return nil
	}
	err := e.flush()
	file := e.file
	e.file = nil
	return firstError(err, e.out.close(file))
}

// flush writes the records at hand as one packet, sent when the last of them ended.
func (e *exportWriter) flush() error {
	if len(e.batch) == 0 {
		return nil
	}
	sent := (e.batch[len(e.batch)-1].End/second + 1) * second
	switch e.version {
	case 5:
		e.buf = e.packet5(e.buf[:0], sent)
	case 9:
		e.buf = e.packet9(e.buf[:0], sent)
	default:
		e.buf = e.message(e.buf[:0], sent)
	}
	e.since++
	e.batch = e.batch[:0]
	_, err := e.file.Write(e.buf)
	return err
}

// bootedAt is when the exporter began, in Unix milliseconds: an hour and a bit
// before the packet.
func bootedAt(sent int64) int64 { return sent/1e6 - 2*3600_000 }

func be16(b []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(b, v) }
func be32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }
func be64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }

func (e *exportWriter) packet5(b []byte, sent int64) []byte {
	boot := bootedAt(sent)
	b = be16(be16(b, 5), uint16(len(e.batch)))
	b = be32(be32(be32(b, uint32(sent/1e6-boot)), uint32(sent/second)), uint32(sent%second))
	b = be32(b, e.sequence)
	b = be16(append(b, 0, exportDomain), 0)
	e.sequence += uint32(len(e.batch))
	for i := range e.batch {
		l := &e.batch[i]
		src, dst := l.Src.As4(), l.Dst.As4()
		b = append(append(b, src[:]...), dst[:]...)
		b = be16(be16(be32(b, 0), 1), 2) // next hop, interfaces
		b = be32(be32(b, uint32(l.SrcPackets)), uint32(l.SrcBytes))
		b = be32(be32(b, uint32(l.Start/1e6-boot)), uint32(l.End/1e6-boot))
		b = be16(be16(b, l.SrcPort), l.DstPort)
		b = append(b, 0, l.flags, l.Proto, 0)
		b = append(be16(be16(b, 0), 0), 0, 0, 0, 0) // autonomous systems, masks, padding
	}
	return b
}

// exportField is an information element and its bytes.
type exportField struct{ id, size uint16 }

// exportTemplates are those of IPv4 and IPv6: addresses, ports, protocol, flags,
// bytes, packets, times.
func exportTemplates(ipfix bool) [2][]exportField {
	times := []exportField{{22, 4}, {21, 4}}
	if ipfix {
		times = []exportField{{152, 8}, {153, 8}}
	}
	rest := append([]exportField{{7, 2}, {11, 2}, {4, 1}, {6, 1}, {1, 8}, {2, 8}}, times...)
	return [2][]exportField{append([]exportField{{8, 4}, {12, 4}}, rest...), append([]exportField{{27, 16}, {28, 16}}, rest...)}
}

// templateSet appends the templates, of which 256 is that of IPv4.
func templateSet(b []byte, ipfix bool) []byte {
	start := len(b)
	id := uint16(0)
	if ipfix {
		id = 2
	}
	b = be16(be16(b, id), 0)
	for i, fields := range exportTemplates(ipfix) {
		b = be16(be16(b, uint16(256+i)), uint16(len(fields)))
		for _, f := range fields {
			b = be16(be16(b, f.id), f.size)
		}
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b
}

// dataSets appends the records, those of each family in a set of their own.
func (e *exportWriter) dataSets(b []byte, boot int64) []byte {
	for family := range 2 {
		start := len(b)
		b = be16(be16(b, uint16(256+family)), 0)
		for i := range e.batch {
			if l := &e.batch[i]; l.Src.Is6() == (family == 1) {
				b = e.record(b, l, boot)
			}
		}
		if len(b) == start+4 {
			b = b[:start]
			continue
		}
		for (len(b)-start)%4 != 0 {
			b = append(b, 0)
		}
		binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	}
	return b
}

func (e *exportWriter) record(b []byte, l *line, boot int64) []byte {
	b = append(append(b, l.Src.AsSlice()...), l.Dst.AsSlice()...)
	b = be16(be16(b, l.SrcPort), l.DstPort)
	b = append(b, l.Proto, l.flags)
	b = be64(be64(b, l.SrcBytes), l.SrcPackets)
	if e.version == 9 {
		return be32(be32(b, uint32(l.Start/1e6-boot)), uint32(l.End/1e6-boot))
	}
	return be64(be64(b, uint64(l.Start/1e6)), uint64(l.End/1e6))
}

func (e *exportWriter) packet9(b []byte, sent int64) []byte {
	boot := bootedAt(sent)
	b = be16(be16(b, 9), uint16(len(e.batch)))
	b = be32(be32(b, uint32(sent/1e6-boot)), uint32(sent/second))
	b = be32(be32(b, e.sequence), exportDomain)
	e.sequence++
	if e.since%20 == 1 { // data comes before its template once an object
		b = templateSet(b, false)
	}
	return e.dataSets(b, boot)
}

func (e *exportWriter) message(b []byte, sent int64) []byte {
	b = be16(be16(b, 10), 0)
	b = be32(be32(be32(b, uint32(sent/second)), e.sequence), exportDomain)
	e.sequence += uint32(len(e.batch))
	if e.since%20 == 0 {
		b = templateSet(b, true)
	}
	b = e.dataSets(b, 0)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}
