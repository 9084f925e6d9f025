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
	size, i := quickUint(line, i)
	start, i := quickTime(line, i)
	end, i := quickTime(line, i)
	if i < 0 || len(line)-i != len("ACCEPT OK") || string(line[i+6:]) != " OK" {
		return false
	}
	if srcPort|dstPort > math.MaxUint16 || proto > math.MaxUint8 || packets > maxCount || size > maxCount || start > vpcMost[colStart] || end > vpcMost[colEnd] {
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
	*r = picket.Record{} // what it is made of afterwards is not copied
	r.Source, r.Interface = picket.SourceVPC, row.names.of(iface)
	r.Start, r.End = int64(start)*int64(time.Second), int64(end)*int64(time.Second)
	r.Src, r.Dst, r.Proto = src, dst, uint8(proto)
	if hasPorts(r.Proto) {
		r.SrcPort, r.DstPort = uint16(srcPort), uint16(dstPort)
	}
	r.SrcPackets, r.SrcBytes = packets, size
	r.Rejected, r.Has = rejected, picket.HasAction
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

// quickTime is quickUint for Unix seconds, which have ten digits since 2001: eight of
// them are read at once.
func quickTime(b []byte, i int) (v uint64, next int) {
	const ones = 0x0101010101010101
	if i < 0 || i+10 >= len(b) || b[i+10] != ' ' {
		return quickUint(b, i)
	}
	x := binary.LittleEndian.Uint64(b[i:]) ^ '0'*ones
	tens, units := b[i+8]-'0', b[i+9]-'0'
	if (x+(0x80-10)*ones|x)&(0x80*ones) != 0 || tens > 9 || units > 9 {
		return 0, -1
	}
	x = x*10 + x>>8 // pairs of digits, in every other byte
	const pairs = 0x000000ff000000ff
	x = (x&pairs*(100+1000000<<32) + x>>16&pairs*(1+10000<<32)) >> 32
	return x*100 + uint64(tens)*10 + uint64(units), i + 11
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
	var ip, part, wrong uint32
	from, dots := i, 0
	for ; i < len(b); i++ {
		c := b[i]
		if d := uint32(c - '0'); d <= 9 {
			part = part*10 + d
			continue
		}
		if c != '.' || dots == 3 || uint(i-from-1) > 2 {
			break
		}
		wrong |= (255 - part) | (part - leastOf[i-from])
		ip = ip<<8 | part
		dots++
		part, from = 0, i+1
	}
	if dots != 3 || uint(i-from-1) > 2 || i < len(b) && b[i] != ' ' {
		return netip.Addr{}, -1
	}
	if wrong |= (255 - part) | (part - leastOf[i-from]); wrong>>31 != 0 { // one of them wrapped
		return netip.Addr{}, -1
	}
	ip = ip<<8 | part
	return netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)}), i
}

// leastOf so many digits in an address, which may not start with a needless zero.
var leastOf = [4]uint32{1: 0, 2: 10, 3: 100}
