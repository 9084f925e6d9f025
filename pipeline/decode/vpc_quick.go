package decode

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"time"

	"picket"
)

// quick makes a Record of a line that is written as nearly all are: IPv4 addresses,
// plain numbers, ACCEPT or REJECT, OK. It parses each column as it comes, with no
// look back, and reports false on anything else: read then says what the line is.
func (row *vpcRow) quick(d *run, line []byte) bool {
	r := &d.rec
	*r = picket.Record{Source: picket.SourceVPC}
	i, last := 0, len(row.plan)-1
	var end, flags uint64
	var have uint32
	for n, c := range row.plan {
		from := i
		var v uint64
		switch c {
		case colOther:
			i = nextSpace(line, i)
		case colInterface:
			if i = nextSpace(line, i); i-from < 4 || i-from > 256 {
				return false
			}
			r.Interface = row.names.of(line[from:i])
		case colSrc, colDst, colPktSrc, colPktDst:
			var a netip.Addr
			if a, i = quickIPv4(line, i); i < 0 {
				return false
			}
			if c == colSrc && have&(1<<colPktSrc) == 0 || c == colPktSrc {
				r.Src = a
			} else if c == colDst && have&(1<<colPktDst) == 0 || c == colPktDst {
				r.Dst = a
			}
		case colAction:
			switch {
			case i+6 > len(line):
				return false
			case string(line[i:i+6]) == "REJECT":
				r.Rejected = true
			case string(line[i:i+6]) != "ACCEPT":
				return false
			}
			r.Has |= picket.HasAction
			i += 6
		case colStatus:
			if i+2 > len(line) || line[i] != 'O' || line[i+1] != 'K' {
				return false
			}
			i += 2
		default:
			for ; i < len(line); i++ {
				digit := line[i] - '0'
				if digit > 9 {
					break
				}
				v = v*10 + uint64(digit)
			}
			if i == from || i-from > 15 {
				return false
			}
			switch c {
			case colSrcPort:
				r.SrcPort = uint16(v)
			case colDstPort:
				r.DstPort = uint16(v)
			case colProtocol:
				r.Proto = uint8(v)
			case colPackets:
				r.SrcPackets = v
			case colBytes:
				r.SrcBytes = v
			case colStart:
				r.Start = int64(v)
			case colEnd:
				end = v
			case colFlags:
				flags = v
			}
			if v > vpcMost[c] {
				return false
			}
		}
		have |= 1 << c
		switch {
		case n == last && i == len(line):
		case n == last || i >= len(line) || line[i] != ' ':
			return false
		}
		i++
	}
	if have&(1<<colEnd) == 0 {
		end = uint64(r.Start)
	}
	r.Start, r.End = r.Start*int64(time.Second), int64(end)*int64(time.Second)
	if !hasPorts(r.Proto) {
		r.SrcPort, r.DstPort = 0, 0
	}
	if have&(1<<colFlags) != 0 && r.Proto == picket.ProtoTCP {
		r.Has |= picket.HasFlags
		r.SrcFlags = uint8(flags)
		r.Opener = opener(r.SrcFlags)
	}
	return true
}

// vpcMost is the greatest number that quick takes in a column.
var vpcMost = [columns]uint64{
	colSrcPort: math.MaxUint16, colDstPort: math.MaxUint16, colProtocol: math.MaxUint8, colPackets: maxCount, colBytes: maxCount,
	colStart: math.MaxInt64 / uint64(time.Second), colEnd: math.MaxInt64 / uint64(time.Second), colFlags: math.MaxUint16,
}

// nextSpace returns the index of the first space from i on, or the end.
func nextSpace(line []byte, i int) int {
	const ones, low = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f
	for ; i+8 <= len(line); i += 8 {
		x := binary.LittleEndian.Uint64(line[i:]) ^ ' '*ones
		if m := ^((x&low + low) | x | low); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(line) && line[i] != ' ' {
		i++
	}
	return i
}

// quickIPv4 reads four decimal bytes up to a space or the end. The place is -1
// where there is anything else.
func quickIPv4(b []byte, i int) (netip.Addr, int) {
	var ip [4]byte
	for part := range ip {
		from, v := i, uint(0)
		for ; i < len(b); i++ {
			digit := b[i] - '0'
			if digit > 9 {
				break
			}
			v = v*10 + uint(digit)
		}
		if n := i - from; n == 0 || n > 3 || v > 255 || n > 1 && b[from] == '0' {
			return netip.Addr{}, -1
		}
		ip[part] = byte(v)
		if part == 3 {
			break
		}
		if i >= len(b) || b[i] != '.' {
			return netip.Addr{}, -1
		}
		i++
	}
	return netip.AddrFrom4(ip), i
}
