package decode

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"
	"strconv"
	"time"
)

// Blocks of pcapng that are read (draft-ietf-opsawg-pcapng).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6
)

// maxInterfaces bounds the interfaces of one section.
const maxInterfaces = 65536

// pcapng is the state of a capture: its current section, and all its interfaces'
// names.
type pcapng struct {
	order      binary.ByteOrder
	interfaces []captureInterface
	names      map[string]bool
}

// captureInterface is where packets were captured.
type captureInterface struct {
	name   string // as written, else its number in the section
	link   uint32
	clock  clock
	offset int64 // seconds to add to its times
}

// clock is the resolution of an interface's times: 10^-n or 2^-n seconds.
type clock struct {
	n      uint8
	binary bool
}

// readPcapng reads a capture block by block. Sections may differ in byte order.
func readPcapng(d *run) error {
	p := &pcapng{names: map[string]bool{}}
	for {
		kind, body, err := p.block(d)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch kind {
		case blockInterface:
			err = p.describe(d, body)
		case blockEnhanced:
			err = p.enhanced(d, body)
		case blockPacket:
			err = p.obsolete(d, body)
		case blockSimple: // the only packets without a time
			d.stats.Lines++
			err = d.drop(reasonNoTime, "", body)
		}
		if err != nil {
			return err
		}
	}
}

// block returns the kind and body of the next block that is of use.
func (p *pcapng) block(d *run) (kind uint32, body []byte, err error) {
	for {
		head, err := d.in.Peek(12) // kind, length, and the byte order of a section
		if len(head) == 0 && err == io.EOF {
			return 0, nil, io.EOF
		}
		d.offset = d.next
		if len(head) < 12 {
			return 0, nil, d.readError(err)
		}
		kind, size, reason := p.head(head)
		if reason != "" {
			return 0, nil, d.fail(reasonCapture, reason, nil)
		}
		switch kind {
		case blockInterface, blockPacket, blockSimple, blockEnhanced:
			body, err = p.body(d, kind, size)
		default:
			body, err = nil, d.skip(size)
		}
		if body != nil || err != nil {
			return kind, body, err
		}
	}
}

// head reads the first 12 bytes of a block: its kind and its length with all
// its parts. It returns what is wrong with them.
func (p *pcapng) head(b []byte) (kind uint32, size int64, reason string) {
	if binary.BigEndian.Uint32(b) == blockSection { // the same in both orders
		if p.order = sectionOrder(b[8:]); p.order == nil {
			return 0, 0, "section without a byte order"
		}
		p.interfaces = p.interfaces[:0]
	}
	size = int64(p.order.Uint32(b[4:]))
	if size < 12 || size%4 != 0 {
		return 0, 0, fmt.Sprintf("block of %d bytes", size)
	}
	return p.order.Uint32(b), size, ""
}

func sectionOrder(b []byte) binary.ByteOrder {
	const magic = 0x1a2b3c4d
	switch {
	case binary.LittleEndian.Uint32(b) == magic:
		return binary.LittleEndian
	case binary.BigEndian.Uint32(b) == magic:
		return binary.BigEndian
	}
	return nil
}

// body takes a block and returns what is between its two lengths. A block that
// is too long is dropped: its body is nil.
func (p *pcapng) body(d *run, kind uint32, size int64) ([]byte, error) {
	if size > bufferSize {
		if kind == blockInterface {
			return nil, d.fail(reasonCapture, fmt.Sprintf("interface description of %d bytes", size), nil)
		}
		d.stats.Lines++
		if err := d.drop(reasonLongBlock, fmt.Sprintf("%d bytes", size), nil); err != nil {
			return nil, err
		}
		return nil, d.skip(size)
	}
	b, err := d.take(int(size))
	if err != nil {
		return nil, err
	}
	if int64(p.order.Uint32(b[size-4:])) != size {
		return nil, d.fail(reasonCapture, "a block's two lengths differ", nil)
	}
	return b[8 : size-4], nil
}

// describe adds the interface of a description block.
func (p *pcapng) describe(d *run, b []byte) error {
	if len(b) < 8 || len(p.interfaces) == maxInterfaces {
		return d.fail(reasonCapture, fmt.Sprintf("interface description %d", len(p.interfaces)), nil)
	}
	in := captureInterface{
		name:  strconv.Itoa(len(p.interfaces)),
		link:  uint32(p.order.Uint16(b)),
		clock: clock{n: 6},
	}
	p.options(b[8:], func(code uint16, value []byte) {
		switch {
		case code == 2 && len(value) > 0 && len(value) <= 256:
			in.name = string(value)
		case code == 9 && len(value) == 1:
			in.clock = clock{n: value[0] & 0x7f, binary: value[0]&0x80 != 0}
		case code == 14 && len(value) == 8:
			in.offset = int64(p.order.Uint64(value))
		}
	})
	p.interfaces = append(p.interfaces, in)
	if len(p.names) < 2 {
		p.names[in.name] = true
	}
	return nil
}

// options calls f with each option of a block.
func (p *pcapng) options(b []byte, f func(code uint16, value []byte)) {
	for len(b) >= 4 {
		code, size := p.order.Uint16(b), int(p.order.Uint16(b[2:]))
		if code == 0 || 4+size > len(b) {
			return
		}
		f(code, b[4:4+size])
		b = b[min(4+(size+3)&^3, len(b)):]
	}
}

// enhanced emits the packet of an enhanced packet block.
func (p *pcapng) enhanced(d *run, b []byte) error {
	if len(b) < 20 {
		return p.malformed(d, b)
	}
	return p.packet(d, p.order.Uint32(b), b)
}

// obsolete emits the packet of an obsolete packet block, whose first half-word
// alone is the interface.
func (p *pcapng) obsolete(d *run, b []byte) error {
	if len(b) < 20 {
		return p.malformed(d, b)
	}
	return p.packet(d, uint32(p.order.Uint16(b)), b)
}

func (p *pcapng) malformed(d *run, b []byte) error {
	d.stats.Lines++
	return d.drop(reasonPacket, "short block", b)
}

// packet emits the packet of b: interface, time in two halves, captured and wire
// length, bytes.
func (p *pcapng) packet(d *run, number uint32, b []byte) error {
	size, wire := p.order.Uint32(b[12:]), p.order.Uint32(b[16:])
	data := b[20:]
	if int64(size) > int64(len(data)) {
		return p.malformed(d, b)
	}
	if uint64(number) >= uint64(len(p.interfaces)) {
		d.stats.Lines++
		return d.drop(reasonUndefined, fmt.Sprintf("interface %d", number), b)
	}
	in := &p.interfaces[number]
	ticks := uint64(p.order.Uint32(b[4:]))<<32 | uint64(p.order.Uint32(b[8:]))
	when := in.clock.nanoseconds(ticks, in.offset)
	return d.packet(in.link, data[:size], wire, when, p.nameOf(in))
}

// nameOf returns what Record.Interface says: nothing where the capture has one
// interface. The descriptions may come one by one, so "one" is of those before
// the packet; capture programs write all of them first.
func (p *pcapng) nameOf(in *captureInterface) string {
	if len(p.names) < 2 {
		return ""
	}
	return in.name
}

// nanoseconds converts ticks since 1970, offset by seconds. A time that does not
// fit is as late as can be, which no object's time reaches.
func (c clock) nanoseconds(ticks uint64, offset int64) int64 {
	var sec, ns uint64
	switch {
	case c.binary:
		sec = ticks >> c.n
		hi, lo := bits.Mul64(ticks&(1<<c.n-1), 1_000_000_000)
		ns = lo>>c.n | hi<<(64-c.n)
	case c.n <= 19:
		unit := powersOf10[c.n]
		sec = ticks / unit
		hi, lo := bits.Mul64(ticks%unit, 1_000_000_000)
		ns, _ = bits.Div64(hi, lo, unit)
	}
	const limit = math.MaxInt64/int64(time.Second) - 1
	if sec > uint64(limit) || offset > limit-int64(sec) || offset < -limit {
		return math.MaxInt64
	}
	return (int64(sec)+offset)*int64(time.Second) + int64(ns)
}

var powersOf10 = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()
