package extract

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"picket"
)

// A row in a block (blocks.go) is written as its difference from the one before
// it, and each block starts anew, with an interface table of its own.

// maxInterface is how many bytes of an interface's name are kept.
const maxInterface = 255

// Head bits of a row.
const (
	headSame     = 1 << iota // same conversation as the row before
	headOpener               // the opener is end 1
	headTicks                // ticks follow
	headPatterns             // packet patterns follow
	headPackets              // squares follow
	headLost                 // lost follows
	headRest                 // origin and interval follow
)

// rowWriter writes rows in blocks.
type rowWriter struct {
	w      io.Writer
	rows   uint64 // of the block
	raw    []byte // the block so far
	packed []byte
	prev   key
	line   uint64 // first one of the row before
	names  map[string]uint64
}

func newRowWriter(w io.Writer) *rowWriter {
	return &rowWriter{w: w, names: map[string]uint64{}}
}

func (w *rowWriter) write(f *flow) error {
	w.append(f)
	w.rows++
	w.prev, w.line = f.key, f.lines[0]
	if len(w.raw) < blockBytes {
		return nil
	}
	return w.flush()
}

// finish writes what is left and the empty block that ends the stream.
func (w *rowWriter) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	_, err := w.w.Write([]byte{0})
	return err
}

func (w *rowWriter) flush() error {
	if w.rows == 0 {
		return nil
	}
	packed, err := writeBlock(w.w, w.rows, w.raw, w.packed)
	w.packed, w.raw, w.rows, w.prev, w.line = packed, w.raw[:0], 0, key{}, 0
	clear(w.names)
	return err
}

func (w *rowWriter) append(f *flow) {
	p, head := &w.prev, headOf(f)
	if w.rows > 0 && f.ends[0] == p.ends[0] && f.ends[1] == p.ends[1] && f.ports == p.ports && f.proto == p.proto {
		head |= headSame
	}
	b := append(w.raw, head, f.source, f.minute, uint8(f.has))
	b = binary.AppendVarint(b, int64(f.hour)-int64(p.hour))
	if head&headSame == 0 {
		b = appendAddr(b, f.ends[0])
		b = appendAddr(b, f.ends[1])
		b = binary.LittleEndian.AppendUint16(b, f.ports[0])
		b = binary.LittleEndian.AppendUint16(b, f.ports[1])
		b = append(b, f.proto)
	}
	b = w.appendName(b, f.iface)
	b = binary.AppendUvarint(b, uint64(f.records))
	b = binary.AppendUvarint(b, uint64(f.rejected))
	b = binary.AppendUvarint(b, uint64(f.span))
	b = binary.AppendVarint(b, int64(f.lines[0]-w.line))
	b = binary.AppendUvarint(b, f.lines[1]-f.lines[0])
	if head&headTicks != 0 {
		b = binary.LittleEndian.AppendUint64(b, f.ticks)
	}
	if head&headLost != 0 {
		b = binary.AppendUvarint(b, uint64(f.lost))
	}
	if head&headRest != 0 {
		b = binary.AppendUvarint(b, uint64(f.origin))
		b = binary.AppendUvarint(b, uint64(f.interval))
	}
	minute := f.time() * secondNanos
	b = f.sides[0].append(b, head, minute)
	w.raw = f.sides[1].append(b, head, minute)
}

func headOf(f *flow) uint8 {
	var head uint8
	set := func(bit uint8, is bool) {
		if is {
			head |= bit
		}
	}
	set(headOpener, f.opener == 1)
	set(headTicks, f.ticks != 0)
	set(headPatterns, f.sides[0].patterns != [patterns]uint32{} || f.sides[1].patterns != [patterns]uint32{})
	set(headPackets, f.sides[0].squares|f.sides[1].squares != 0)
	set(headLost, f.lost != 0)
	set(headRest, f.origin != 0 || f.interval != 0)
	return head
}

// append writes a side. What is commonly zero or next to it takes a byte.
func (s *side) append(b []byte, head uint8, minute int64) []byte {
	b = binary.AppendUvarint(b, s.packets)
	b = binary.AppendUvarint(b, s.bytes)
	b = binary.AppendUvarint(b, s.payload)
	b = binary.AppendUvarint(b, uint64(s.opened))
	b = binary.AppendUvarint(b, uint64(s.answered))
	b = append(b, s.flags)
	if s.first == never {
		b = append(b, 0)
	} else {
		b = append(b, 1)
		b = binary.AppendVarint(b, s.first-minute)
	}
	if head&headPackets != 0 {
		b = binary.AppendUvarint(b, s.squares)
	}
	if head&headPatterns != 0 {
		for _, n := range &s.patterns {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	return b
}

func appendAddr(b []byte, a addr) []byte {
	if a.is4() {
		b = append(b, 4)
		return binary.BigEndian.AppendUint32(b, uint32(a.lo))
	}
	b = append(b, 6)
	b = binary.BigEndian.AppendUint64(b, a.hi)
	return binary.BigEndian.AppendUint64(b, a.lo)
}

// appendName writes an interface as its place in the block's table, and its
// name where it is new.
func (w *rowWriter) appendName(b []byte, name string) []byte {
	name = name[:min(len(name), maxInterface)]
	if i, ok := w.names[name]; ok {
		return binary.AppendUvarint(b, i)
	}
	i := uint64(len(w.names))
	w.names[name] = i
	b = binary.AppendUvarint(b, i)
	b = append(b, uint8(len(name)))
	return append(b, name...)
}

// rowReader reads rows in blocks.
type rowReader struct {
	blockReader
	left  uint64 // rows of the block
	raw   []byte // rest of the block
	row   flow
	names []string
	done  bool
}

func newRowReader(r io.Reader) *rowReader {
	return &rowReader{blockReader: blockReader{r: bufio.NewReaderSize(r, 8<<10)}}
}

// next returns the next row, which is valid until the call after, or nil after
// the last one.
func (r *rowReader) next() (*flow, error) {
	for r.left == 0 && !r.done {
		if err := r.fill(); err != nil {
			return nil, fmt.Errorf("read rows: %w", unexpected(err))
		}
	}
	if r.done {
		return nil, nil
	}
	r.left--
	d := fields{b: r.raw}
	r.read(&d)
	r.raw = d.b
	if d.bad || r.left == 0 && len(d.b) > 0 {
		return nil, fmt.Errorf("read rows: %w block", errCorrupt)
	}
	return &r.row, nil
}

// fill reads the next block.
func (r *rowReader) fill() error {
	rows, err := r.blockReader.next()
	if err != nil {
		return err
	}
	r.done = rows == 0
	r.left, r.raw, r.row, r.names = rows, r.block, flow{}, r.names[:0]
	return nil
}

// read decodes one row over the one before it.
func (r *rowReader) read(d *fields) {
	f := &r.row
	head := d.byte()
	f.source, f.minute, f.has = d.byte(), d.byte(), picket.Has(d.byte())
	f.hour += int32(d.varint())
	if head&headSame == 0 {
		f.ends = [2]addr{d.addr(), d.addr()}
		f.ports = [2]uint16{d.uint16(), d.uint16()}
		f.proto = d.byte()
	}
	f.opener = head & headOpener / headOpener
	f.iface = r.name(d)
	f.records, f.rejected, f.span = d.uint32(), d.uint32(), d.uint32()
	f.lines[0] += uint64(d.varint())
	f.lines[1] = f.lines[0] + d.uvarint()
	f.ticks, f.lost, f.origin, f.interval = 0, 0, 0, 0
	if head&headTicks != 0 {
		f.ticks = d.uint64()
	}
	if head&headLost != 0 {
		f.lost = d.uint32()
	}
	if head&headRest != 0 {
		f.origin = d.uint32()
		f.interval = uint16(d.uint32())
	}
	minute := f.time() * secondNanos
	f.sides[0].read(d, head, minute)
	f.sides[1].read(d, head, minute)
	d.bad = d.bad || int(f.source) >= len(sources) || f.minute >= 60 || f.ticks>>60 != 0 || f.lines[1] < f.lines[0]
}

func (s *side) read(d *fields, head uint8, minute int64) {
	s.packets, s.bytes, s.payload = d.uvarint(), d.uvarint(), d.uvarint()
	s.opened, s.answered = d.uint32(), d.uint32()
	s.flags = d.byte()
	s.first = never
	if d.byte() != 0 {
		s.first = minute + d.varint()
	}
	s.squares = 0
	if head&headPackets != 0 {
		s.squares = d.uvarint()
	}
	s.patterns = [patterns]uint32{}
	if head&headPatterns != 0 {
		for i := range s.patterns {
			s.patterns[i] = d.uint32()
		}
	}
}

// name reads an interface and, where it is new to the block, its name.
func (r *rowReader) name(d *fields) string {
	i := d.uvarint()
	switch {
	case i < uint64(len(r.names)):
		return r.names[i]
	case i > uint64(len(r.names)):
		d.bad = true
		return ""
	}
	name := string(d.take(int(d.byte())))
	r.names = append(r.names, name)
	return name
}

// fields takes values off the front of a block. After one that is not there it
// is bad and gives zeros.
type fields struct {
	b   []byte
	bad bool
}

var zeros [maxInterface]byte

func (d *fields) take(n int) []byte {
	if len(d.b) < n {
		d.bad, d.b = true, nil
		return zeros[:n]
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *fields) byte() uint8    { return d.take(1)[0] }
func (d *fields) uint16() uint16 { return binary.LittleEndian.Uint16(d.take(2)) }
func (d *fields) uint64() uint64 { return binary.LittleEndian.Uint64(d.take(8)) }

func (d *fields) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *fields) varint() int64 {
	v := d.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *fields) uint32() uint32 {
	v := d.uvarint()
	d.bad = d.bad || bits.Len64(v) > 32
	return uint32(v)
}

func (d *fields) addr() addr {
	switch d.byte() {
	case 4:
		return addr{0, 0xffff<<32 | uint64(binary.BigEndian.Uint32(d.take(4)))}
	case 6:
		b := d.take(16)
		return addr{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
	}
	d.bad = true
	return addr{}
}

// unexpected says that the end of input came too early.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
