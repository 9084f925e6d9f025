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
	if row.standard {
		return row.quickStandard(r, line)
	}
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
		case colNoRoute, colBlackhole:
			return false
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

// quickStandard is quick for the order of version 2, column after column.
func (row *vpcRow) quickStandard(r *picket.Record, line []byte) bool {
	i := nextSpace(line, 0) + 1
	i = nextSpace(line, i) + 1
	from := i
	i = nextSpace(line, i)
	if i-from < 4 || i-from > 256 {
		return false
	}
	iface := line[from:i]
	src, i := quickIPv4(line, i+1)
	if i < 0 || i >= len(line) || line[i] != ' ' {
		return false
	}
	dst, i := quickIPv4(line, i+1)
	if i < 0 || i >= len(line) || line[i] != ' ' {
		return false
	}
	srcPort, i := quickUint(line, i+1)
	dstPort, i := quickUint(line, i)
	proto, i := quickUint(line, i)
	packets, i := quickUint(line, i)
	bytes, i := quickUint(line, i)
	start, i := quickUint(line, i)
	end, i := quickUint(line, i)
	if i < 0 || len(line)-i != len("ACCEPT OK") || string(line[i+6:]) != " OK" {
		return false
	}
	const seconds = math.MaxInt64 / uint64(time.Second)
	if srcPort > math.MaxUint16 || dstPort > math.MaxUint16 || proto > math.MaxUint8 || packets > maxCount || bytes > maxCount || start > seconds || end > seconds {
		return false
	}
	rejected := false
	switch string(line[i : i+6]) {
	case "ACCEPT":
	case "REJECT":
		rejected = true
	default:
		return false
	}
	*r = picket.Record{
		Source: picket.SourceVPC, Interface: row.names.of(iface), Start: int64(start) * int64(time.Second), End: int64(end) * int64(time.Second),
		Src: src, Dst: dst, SrcPort: uint16(srcPort), DstPort: uint16(dstPort), Proto: uint8(proto), SrcPackets: packets, SrcBytes: bytes,
		Rejected: rejected, Has: picket.HasAction,
	}
	if !hasPorts(r.Proto) {
		r.SrcPort, r.DstPort = 0, 0
	}
	return true
}

// quickUint reads digits up to a space and returns the place after it, -1 where
// there is anything else. From -1 on it stays there.
func quickUint(b []byte, i int) (v uint64, next int) {
	if i < 0 {
		return 0, -1
	}
	from := i
	for ; i < len(b); i++ {
		digit := b[i] - '0'
		if digit > 9 {
			break
		}
		v = v*10 + uint64(digit)
	}
	if n := i - from; n == 0 || n > 15 || i >= len(b) || b[i] != ' ' {
		return 0, -1
	}
	return v, i + 1
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
