package extract

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"

	"picket"
)

// A part of a ledger is
//
//	8 bytes  magic with the version of the form
//	varint   Unix hour
//	text     source
//	blocks of rows (ledger.go)
//	uvarint  rows; uvarint records; varint first and last minute
//	4 bytes  CRC-32C of head and foot
//
// and ends there.
const ledgerMagic = "PKTROWS1"

// ledgerBuilder sums states by hour and key and writes them as window parts.
type ledgerBuilder[T any, P state[T]] struct {
	source string
	rows   *ledger[T, P]
	hours  map[int64]*PartInfo
	err    error
}

func newLedgerBuilder[T any, P state[T]](source string, o Options) ledgerBuilder[T, P] {
	return ledgerBuilder[T, P]{source: source, rows: newLedger[T, P](o), hours: map[int64]*PartInfo{}}
}

// count adds a state under a key of the hour that holds nanos. After an error the
// builder is of no further use.
func (b *ledgerBuilder[T, P]) count(nanos int64, key string, s P) error {
	if b.err != nil {
		return b.err
	}
	minute := floorDiv(nanos, minuteNanos) * picket.Minute
	hour := floorDiv(minute, picket.Hour) * picket.Hour
	info := b.hours[hour]
	if info == nil {
		info = &PartInfo{ID: PartID{hour, b.source}, First: minute, Last: minute + picket.Minute}
		b.hours[hour] = info
	}
	info.Records++
	info.First, info.Last = min(info.First, minute), max(info.Last, minute+picket.Minute)
	b.err = b.rows.add(hourKey(hour)+key, s)
	return b.err
}

// hourKey is how the keys of an hour begin, so that hours sort by time.
func hourKey(hour int64) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(hour)^1<<63))
}

const hourKeyBytes = 8

func keyHour(key string) int64 {
	return int64(binary.BigEndian.Uint64([]byte(key[:hourKeyBytes])) ^ 1<<63)
}

// Finish writes one part for each hour seen, in order, and returns what they
// hold. A writer is closed only when its part is whole. Finish can be called once.
func (b *ledgerBuilder[T, P]) Finish(part func(PartID) (io.WriteCloser, error)) ([]PartInfo, error) {
	if b.err != nil {
		return nil, b.err
	}
	b.err = fmt.Errorf("window parts: already written")
	var out *ledgerPart[T, P]
	end := func() error {
		if out == nil {
			return nil
		}
		err := out.finish()
		b.hours[out.info.ID.Hour].Rows = out.info.Rows
		out = nil
		return err
	}
	err := b.rows.each(func(key string, s P) error {
		hour := keyHour(key)
		if out == nil || out.info.ID.Hour != hour {
			if err := end(); err != nil {
				return err
			}
			w, err := part(PartID{hour, b.source})
			if err == nil {
				out, err = newLedgerPart[T, P](w, *b.hours[hour])
			}
			if err != nil {
				return err
			}
		}
		out.info.Rows++
		return out.rows.write(key[hourKeyBytes:], s)
	})
	if err == nil {
		err = end()
	}
	if err != nil {
		return nil, fmt.Errorf("write window parts of %s: %w", b.source, err)
	}
	var infos []PartInfo
	for _, hour := range slices.Sorted(maps.Keys(b.hours)) {
		infos = append(infos, *b.hours[hour])
	}
	return infos, nil
}

// Close frees the memory and the disk that the builder holds.
func (b *ledgerBuilder[T, P]) Close() error {
	b.rows.reset()
	b.err = fmt.Errorf("window parts: builder is closed")
	return nil
}

// ledgerPart writes one part.
type ledgerPart[T any, P state[T]] struct {
	w    io.WriteCloser
	rows ledgerWriter[T, P]
	sum  uint32
	info PartInfo
}

func newLedgerPart[T any, P state[T]](w io.WriteCloser, info PartInfo) (*ledgerPart[T, P], error) {
	head := append([]byte(ledgerMagic), binary.AppendVarint(nil, info.ID.Hour/picket.Hour)...)
	head = appendText(head, info.ID.Source)
	info.Rows = 0
	_, err := w.Write(head)
	return &ledgerPart[T, P]{w: w, rows: ledgerWriter[T, P]{w: w}, sum: crc32.Checksum(head, castagnoli), info: info}, err
}

func (p *ledgerPart[T, P]) finish() error {
	if err := p.rows.finish(); err != nil {
		return err
	}
	if _, err := p.w.Write(p.info.foot(p.sum)); err != nil {
		return err
	}
	return p.w.Close()
}

// writeEmptyLedgerPart writes a part without rows.
func writeEmptyLedgerPart[T any, P state[T]](w io.Writer, id PartID) error {
	p, err := newLedgerPart[T, P](unclosed{w}, PartInfo{ID: id})
	if err != nil {
		return err
	}
	return p.finish()
}

type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// readLedgerPart visits the rows of a part in order and checks that it is whole.
// The state is the visitor's to keep.
func readLedgerPart[T any, P state[T]](p Part, visit func(key string, s P) error) error {
	name := fmt.Sprintf("window part %d/%s of %s", p.ID.Hour, p.ID.Source, p.Object)
	in, err := p.Open()
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	defer in.Close()
	r := newLedgerReader[T, P](bufio.NewReaderSize(in, 8<<10))
	sum, err := readLedgerHead(r.r, p.ID)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, unexpected(err))
	}
	var count uint64
	err = drain(r.next, func(key string, s P) error {
		count++
		return visit(key, s)
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if err := readFoot(r.r, sum, count); err != nil {
		return fmt.Errorf("read %s: %w", name, unexpected(err))
	}
	return nil
}

func readLedgerHead(in *bufio.Reader, id PartID) (uint32, error) {
	head := &copyReader{in: in}
	magic := make([]byte, len(ledgerMagic))
	if _, err := io.ReadFull(head, magic); err != nil {
		return 0, err
	}
	if string(magic) != ledgerMagic {
		return 0, fmt.Errorf("%w: not a window part of this version", errCorrupt)
	}
	hour, err1 := binary.ReadVarint(head)
	source, err2 := head.name() // its length fits a byte
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	if hour*picket.Hour != id.Hour || source != id.Source {
		return 0, fmt.Errorf("%w: head does not fit the part's name", errCorrupt)
	}
	return head.sum, nil
}
