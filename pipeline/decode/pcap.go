package decode

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"

	"picket"
)

// maxPacket is the longest packet that a capture may hold, as in libpcap.
const maxPacket = 262144

// readPcap reads a capture with the classic header, in either byte order, in
// micro- or nanoseconds.
func readPcap(d *run) error {
	head, err := d.take(24)
	if err != nil {
		return err
	}
	order, tick := pcapMagic(head)
	link := order.Uint32(head[20:]) & 0xffff // above are flags of the frame check sequence
	if !linkKnown(link) {
		return d.fail(reasonLinkType, fmt.Sprintf("link type %d", link), nil)
	}
	for {
		head, err := d.take(16)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		sec, frac := order.Uint32(head), order.Uint32(head[4:])
		size, wire := order.Uint32(head[8:]), order.Uint32(head[12:])
		if size > maxPacket {
			return d.fail(reasonCapture, fmt.Sprintf("packet %d of %d bytes", d.stats.Lines+1, size), nil)
		}
		start := d.offset
		b, err := d.take(int(size))
		if err == io.EOF {
			err = d.readError(err)
		}
		if err != nil {
			return err
		}
		d.offset = start
		when := int64(sec)*int64(time.Second) + int64(frac)*tick
		if err := d.packet(link, b, wire, when, ""); err != nil {
			return err
		}
	}
}

// pcapMagic returns the byte order of a pcap header and the nanoseconds of its
// clock's tick; a nil order if it is none.
func pcapMagic(b []byte) (order binary.ByteOrder, tick int64) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch order.Uint32(b) {
		case 0xa1b2c3d4:
			return order, 1000
		case 0xa1b23c4d:
			return order, 1
		}
	}
	return nil, 0
}

// packet emits the record of one captured packet.
func (d *run) packet(link uint32, b []byte, wire uint32, when int64, iface string) error {
	d.stats.Lines++
	d.rec = picket.Record{Source: picket.SourcePcap, Interface: iface, Start: when, End: when}
	switch transport, reason := readPacket(&d.rec, link, b, int(min(wire, math.MaxInt32))); reason {
	case "":
		d.readName(&d.rec, transport)
		return d.send(b)
	case reasonNotIP:
		d.stats.Dropped[reason]++
		return nil
	case reasonLinkType:
		return d.drop(reason, fmt.Sprintf("link type %d", link), b)
	default:
		return d.drop(reason, "", b)
	}
}

// take returns the next n bytes, at most bufferSize; they are valid until the
// next call. It returns io.EOF if there are none, and the object's end as an
// error if there are fewer.
func (d *run) take(n int) ([]byte, error) {
	d.offset = d.next
	if n == 0 {
		return nil, nil
	}
	b, err := d.in.Peek(n)
	if len(b) < n {
		if len(b) == 0 && err == io.EOF {
			return nil, io.EOF
		}
		return nil, d.readError(err)
	}
	d.in.Discard(n)
	d.next += int64(n)
	return b, nil
}

// skip passes over the next n bytes.
func (d *run) skip(n int64) error {
	for n > 0 {
		k, err := d.in.Discard(int(min(n, 1<<30)))
		d.next += int64(k)
		n -= int64(k)
		if err != nil {
			return d.readError(err)
		}
	}
	return nil
}
