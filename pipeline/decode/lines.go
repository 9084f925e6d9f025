package decode

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"math/bits"
)

// line returns the next line without its ending; it is valid until the next
// call. It returns io.EOF after the last one. A line longer than bufferSize is
// dropped. A last line that the object's damage cut short is dropped too, since
// a number may be missing its end.
func (d *run) line() ([]byte, error) {
	for {
		b, err := d.in.ReadSlice('\n')
		d.offset = d.next
		d.next += int64(len(b))
		switch {
		case err == nil:
			b = b[:len(b)-1]
		case err == bufio.ErrBufferFull:
			if err := d.skipLong(b); err != nil {
				return nil, err
			}
			continue
		case err != io.EOF:
			return nil, d.readError(err)
		case len(b) == 0:
			return nil, io.EOF
		}
		d.stats.Lines++
		if n := len(b); n > 0 && b[n-1] == '\r' {
			b = b[:n-1]
		}
		if d.offset == 0 {
			b = trimBOM(b)
		}
		return b, nil
	}
}

// skipLong drops the line that starts with b and fills the buffer.
func (d *run) skipLong(b []byte) error {
	d.stats.Lines++
	if err := d.drop(reasonLongLine, "", b); err != nil {
		return err
	}
	for {
		b, err := d.in.ReadSlice('\n')
		d.next += int64(len(b))
		switch {
		case err == bufio.ErrBufferFull:
		case err == nil || err == io.EOF:
			return nil
		default:
			return d.readError(err)
		}
	}
}

func trimBOM(b []byte) []byte { return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) }

// cut finds the separators of line, eight bytes at a time. It writes the index
// of each to ends, and returns their number; past the end of ends it stops, and
// the number is one more than ends has room for.
func cut(line []byte, separator byte, ends []int) int {
	const ones, low = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f
	pattern, n, i := uint64(separator)*ones, 0, 0
	for ; i+8 <= len(line); i += 8 {
		x := binary.LittleEndian.Uint64(line[i:]) ^ pattern
		// The top bit of each byte of x that is zero (Hacker's Delight, 6-1).
		for m := ^((x&low + low) | x | low); m != 0; m &= m - 1 {
			if n == len(ends) {
				return n + 1
			}
			ends[n] = i + bits.TrailingZeros64(m)/8
			n++
		}
	}
	for ; i < len(line); i++ {
		if line[i] != separator {
			continue
		}
		if n == len(ends) {
			return n + 1
		}
		ends[n] = i
		n++
	}
	return n
}
