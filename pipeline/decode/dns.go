package decode

import (
	"encoding/binary"
	"net/netip"

	"picket"
)

// readDNS reads a DNS message (RFC 1035, section 4) as far as it was captured: the
// first question, and of an answer its code and addresses. nil is no such message.
func readDNS(b []byte) *picket.Lookup {
	if len(b) < 12 {
		return nil
	}
	flags := binary.BigEndian.Uint16(b[2:])
	questions, answers := binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	if questions != 1 || flags>>11&15 != 0 || flags&0x40 != 0 { // a standard query, and the bit that must be zero
		return nil
	}
	name, at, ok := dnsName(b, 12)
	if !ok || name == "" || at+4 > len(b) {
		return nil
	}
	l := &picket.Lookup{Name: name, Via: viaDNS, Type: qtypeName(binary.BigEndian.Uint16(b[at:]))}
	if flags>>15 == 1 {
		l.Code = rcodeName(uint64(flags & 15))
		l.Answers = dnsAddresses(b, at+4, int(answers))
	}
	return l
}

// dnsName reads the name at an offset and returns where it ends. Compression may
// point backwards alone, so that it ends.
func dnsName(b []byte, at int) (name string, end int, ok bool) {
	var text []byte
	limit := at // a pointer must go before it
	for at < len(b) {
		n := int(b[at])
		switch {
		case n == 0:
			return nameText(text), max(end, at+1), true
		case n < 64:
			if at+1+n > len(b) || len(text)+n > 255 {
				return "", 0, false
			}
			if text != nil {
				text = append(text, '.')
			}
			text = append(text, b[at+1:at+1+n]...)
			at += 1 + n
		case n >= 0xc0 && at+2 <= len(b):
			to := int(binary.BigEndian.Uint16(b[at:]) & 0x3fff)
			if to >= limit {
				return "", 0, false
			}
			end = max(end, at+2)
			at, limit = to, to
		default:
			return "", 0, false
		}
	}
	return "", 0, false
}

// dnsAddresses returns the addresses among answer records.
func dnsAddresses(b []byte, at, answers int) []netip.Addr {
	var found []netip.Addr
	for range min(answers, 4*maxAnswers) {
		_, end, ok := dnsName(b, at)
		if !ok || end+10 > len(b) {
			break
		}
		kind, size := binary.BigEndian.Uint16(b[end:]), int(binary.BigEndian.Uint16(b[end+8:]))
		at = end + 10 + size
		if at > len(b) {
			break
		}
		if data := b[end+10 : at]; (kind == 1 && size == 4 || kind == 28 && size == 16) && len(found) < maxAnswers {
			a, _ := netip.AddrFromSlice(data)
			found = append(found, a.Unmap())
		}
	}
	return found
}
