package extract

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"picket"
)

// A part is
//
//	8 bytes  magic with the version of the form
//	varint   Unix hour
//	byte     source
//	uvarint  number of long interfaces + 1, or 0 for "too many to list"; then each: length, name
//	blocks of rows (codec.go)
//	uvarint  rows; uvarint records; varint first and last minute
//	4 bytes  CRC-32C of head and foot
//
// and ends there. The long interfaces are those with a record of more than a
// minute in the hour; they stand in front because a close needs them before the
// first row.
const partMagic = "PKTPART1"

// maxLong interfaces are listed as having long records. Where an hour's parts
// together name more, every interface of the hour counts as one.
const maxLong = 1 << 16

// longInterfaces says which interfaces of an hour have records longer than a
// minute, so that their log's interval must be ten minutes.
type longInterfaces struct {
	all   bool
	names map[string]bool
}

func (l *longInterfaces) add(name string) {
	if l.all || l.names[name] {
		return
	}
	if l.names == nil {
		l.names = map[string]bool{}
	}
	l.names[name] = true
	if len(l.names) > maxLong {
		l.all, l.names = true, nil
	}
}

func (l *longInterfaces) has(name string) bool { return l.all || l.names[name] }

func (l *longInterfaces) sorted() []string {
	names := make([]string, 0, len(l.names))
	for name := range l.names {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// partWriter writes a part.
type partWriter struct {
	w    io.Writer
	rows *rowWriter
	sum  uint32
	info PartInfo
}

func newPartWriter(w io.Writer, id PartID, long *longInterfaces) (*partWriter, error) {
	source, err := sourceNumber(id.Source)
	if err != nil {
		return nil, err
	}
	b := append([]byte(partMagic), binary.AppendVarint(nil, id.Hour/picket.Hour)...)
	b = append(b, source)
	if long.all {
		b = append(b, 0)
	} else {
		b = binary.AppendUvarint(b, uint64(len(long.names))+1)
		for _, name := range long.sorted() {
			b = append(b, uint8(len(name)))
			b = append(b, name...)
		}
	}
	p := &partWriter{w: w, rows: newRowWriter(w), sum: crc32.Checksum(b, castagnoli), info: PartInfo{ID: id}}
	_, err = w.Write(b)
	return p, err
}

func (p *partWriter) write(f *flow) error {
	at := f.time()
	if p.info.Rows == 0 {
		p.info.First, p.info.Last = at, at+picket.Minute
	}
	p.info.First = min(p.info.First, at)
	p.info.Last = max(p.info.Last, at+picket.Minute)
	p.info.Rows++
	p.info.Records += uint64(f.records)
	return p.rows.write(f)
}

func (p *partWriter) finish() error {
	if err := p.rows.finish(); err != nil {
		return err
	}
	_, err := p.w.Write(p.info.foot(p.sum))
	return err
}

// foot returns what ends a part of flows or of a ledger, whose head had the sum.
func (i *PartInfo) foot(sum uint32) []byte {
	b := binary.AppendUvarint(nil, i.Rows)
	b = binary.AppendUvarint(b, i.Records)
	b = binary.AppendVarint(b, i.First)
	b = binary.AppendVarint(b, i.Last)
	return binary.LittleEndian.AppendUint32(b, crc32.Update(sum, castagnoli, b))
}

// partReader reads the rows of a part and checks that it is whole.
type partReader struct {
	name   string
	closer io.Closer
	rows   *rowReader
	long   []string
	all    bool
	sum    uint32
	info   PartInfo
	prev   key
	done   bool
	origin uint32
}

// openPart opens a part and reads its head.
func openPart(p Part) (*partReader, error) {
	name := fmt.Sprintf("window part %d/%s of %s", p.ID.Hour, p.ID.Source, p.Object)
	in, err := p.Open()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	r := &partReader{name: name, closer: in, rows: newRowReader(in)}
	r.info.ID = p.ID
	if err := r.readHead(); err != nil {
		in.Close()
		return nil, fmt.Errorf("read %s: %w", name, unexpected(err))
	}
	return r, nil
}

func (r *partReader) close() error { return r.closer.Close() }

// readHead reads the head by way of a copy, whose checksum the foot confirms.
func (r *partReader) readHead() error {
	head := &copyReader{in: r.rows.r}
	magic := make([]byte, len(partMagic))
	if _, err := io.ReadFull(head, magic); err != nil {
		return err
	}
	if string(magic) != partMagic {
		return fmt.Errorf("%w: not a window part of this version", errCorrupt)
	}
	hour, err1 := binary.ReadVarint(head)
	source, err2 := head.ReadByte()
	long, err3 := binary.ReadUvarint(head)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	if hour*picket.Hour != r.info.ID.Hour || int(source) >= len(sources) || sources[source] != r.info.ID.Source || long > maxLong+1 {
		return fmt.Errorf("%w: head does not fit the part's name", errCorrupt)
	}
	r.all = long == 0
	for ; long > 1; long-- {
		name, err := head.name()
		if err != nil {
			return err
		}
		r.long = append(r.long, name)
	}
	r.sum = head.sum
	return nil
}

// next returns the next row, valid until the call after, or nil at the end.
func (r *partReader) next() (*flow, error) {
	if r.done {
		return nil, nil
	}
	row, err := r.rows.next()
	if err == nil && row == nil {
		r.done = true
		err = readFoot(r.rows.r, r.sum, r.info.Rows)
	}
	if err == nil && row != nil {
		err = r.check(row)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.name, unexpected(err))
	}
	return row, nil
}

// check counts the row and wants it in order and of this part.
func (r *partReader) check(row *flow) error {
	if int64(row.hour)*picket.Hour != r.info.ID.Hour || sources[row.source] != r.info.ID.Source ||
		row.origin != 0 || row.interval != 0 {
		return fmt.Errorf("%w: a row of another part", errCorrupt)
	}
	if r.info.Rows > 0 && r.prev.compare(&row.key) >= 0 {
		return fmt.Errorf("%w: rows out of order", errCorrupt)
	}
	r.info.Rows++
	r.prev = row.key
	row.origin = r.origin
	return nil
}

// byteReader is what heads and feet are read from.
type byteReader interface {
	io.Reader
	io.ByteReader
}

// readFoot reads a foot to the end of its part, and wants it to fit the checksum of
// the head and the number of rows in between.
func readFoot(in byteReader, sum uint32, rows uint64) error {
	foot := &copyReader{in: in, sum: sum}
	count, err1 := binary.ReadUvarint(foot)
	_, err2 := binary.ReadUvarint(foot)
	_, err3 := binary.ReadVarint(foot)
	_, err4 := binary.ReadVarint(foot)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	var want [4]byte
	if _, err := io.ReadFull(in, want[:]); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(want[:]) != foot.sum || count != rows {
		return fmt.Errorf("%w: foot does not fit head and rows", errCorrupt)
	}
	if n, _ := io.Copy(io.Discard, io.LimitReader(in, 1)); n > 0 {
		return fmt.Errorf("%w: bytes after the foot", errCorrupt)
	}
	return nil
}

// copyReader takes the checksum of what is read through it.
type copyReader struct {
	in  byteReader
	sum uint32
}

func (c *copyReader) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	c.sum = crc32.Update(c.sum, castagnoli, b[:n])
	return n, err
}

func (c *copyReader) ReadByte() (byte, error) {
	b, err := c.in.ReadByte()
	if err == nil {
		c.sum = crc32.Update(c.sum, castagnoli, []byte{b})
	}
	return b, err
}

func (c *copyReader) name() (string, error) {
	n, err := c.ReadByte()
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	_, err = io.CopyN(&b, c, int64(n))
	return b.String(), err
}
