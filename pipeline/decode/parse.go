package decode

import (
	"bytes"
	"math"
	"net/netip"
	"strconv"
	"unsafe"
)

// parseAddr reads an address without a zone and unmaps IPv4 in IPv6.
func parseAddr(b []byte) (netip.Addr, bool) {
	if a, ok := parseIPv4(b); ok {
		return a, true
	}
	if len(b) > 45 || bytes.IndexByte(b, ':') < 0 || bytes.IndexByte(b, '%') >= 0 {
		return netip.Addr{}, false
	}
	// The string never outlives the call: ParseAddr keeps its text in zones and
	// errors only.
	a, err := netip.ParseAddr(unsafe.String(unsafe.SliceData(b), len(b)))
	return a.Unmap(), err == nil
}

// parseIPv4 reads four decimal bytes, which may not start with a needless zero.
func parseIPv4(b []byte) (netip.Addr, bool) {
	var a [4]byte
	part, start, v := 0, 0, uint(0)
	for i, c := range b {
		if d := c - '0'; d < 10 {
			v = v*10 + uint(d)
			continue
		}
		if c != '.' || part == 3 || !isByte(b[start:i], v) {
			return netip.Addr{}, false
		}
		a[part] = byte(v)
		part, start, v = part+1, i+1, 0
	}
	if part != 3 || !isByte(b[start:], v) {
		return netip.Addr{}, false
	}
	a[3] = byte(v)
	return netip.AddrFrom4(a), true
}

// isByte reports whether digits, worth v, write a byte as addresses do.
func isByte(digits []byte, v uint) bool {
	return v <= 255 && len(digits) > 0 && len(digits) <= 3 && (len(digits) == 1 || digits[0] != '0')
}

// maxCount is the most packets or bytes that one record is believed to count:
// 256 TiB, so that no sum of a window overflows by one bad line.
const maxCount = 1 << 48

// parseUint reads decimal digits up to limit.
func parseUint(b []byte, limit uint64) (uint64, bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	var v uint64
	for _, c := range b {
		d := c - '0'
		if d > 9 {
			return 0, false
		}
		v = v*10 + uint64(d)
	}
	return v, v <= limit
}

// parseCount reads a count as JSON may write it, 67 or 67.0 or 6.7e1.
func parseCount(b []byte, limit uint64) (uint64, bool) {
	if v, ok := parseUint(b, limit); ok {
		return v, true
	}
	if len(b) == 0 || len(b) > 64 {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(f >= 0 && f <= float64(limit)) || f != math.Trunc(f) {
		return 0, false
	}
	return uint64(f), true
}

// parseSeconds reads decimal seconds, such as 1588205199.82437, as nanoseconds.
// Digits below a nanosecond are dropped. Plain decimals are read digit by digit:
// a float64 of today's date has steps of 240 ns.
func parseSeconds(b []byte) (int64, bool) {
	whole, frac, point := b, []byte(nil), bytes.IndexByte(b, '.')
	if point >= 0 {
		whole, frac = b[:point], b[point+1:]
	}
	s, ok := parseUint(whole, math.MaxInt64/1_000_000_000-1)
	if !ok {
		return parseFloatSeconds(b)
	}
	ns, scale := int64(0), int64(100_000_000)
	for _, c := range frac {
		if c-'0' > 9 {
			return parseFloatSeconds(b)
		}
		ns += int64(c-'0') * scale
		scale /= 10
	}
	return int64(s)*1_000_000_000 + ns, true
}

// parseFloatSeconds reads what parseSeconds cannot: exponents, signs.
func parseFloatSeconds(b []byte) (int64, bool) {
	if len(b) > 64 {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(math.Abs(f) < math.MaxInt64/1e9-1) {
		return 0, false
	}
	return int64(f * 1e9), true
}

// hasPorts reports whether a protocol has ports: TCP, UDP, DCCP, SCTP, UDP-Lite.
func hasPorts(proto uint8) bool {
	switch proto {
	case 6, 17, 33, 132, 136:
		return true
	}
	return false
}
