package decode

import (
	"math"
	"net/netip"
	"testing"
)

func TestParseAddr(t *testing.T) {
	for _, s := range addrSeeds {
		if msg := addrDiffers(s); msg != "" {
			t.Error(msg)
		}
	}
	if a, ok := parseAddr([]byte("::ffff:192.0.2.1")); !ok || a != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("mapped: %v %v", a, ok)
	}
	if a, ok := parseAddr([]byte("fe80::1%eth0")); ok {
		t.Errorf("zone: %v", a)
	}
}

var addrSeeds = []string{
	"0.0.0.0", "255.255.255.255", "10.0.0.1", "01.2.3.4", "1.2.3.04", "1.2.3.00", "256.1.1.1", "1.2.3", "1.2.3.4.5",
	"1..2.3", ".1.2.3", "1.2.3.", "", "-", "1.2.3.4 ", "999999999999999999999.1.1.1", "::", "::1", "1:2:3:4:5:6:7:8",
	"1:2:3:4:5:6:7:8:9", "2001:DB8::1", "::ffff:1.2.3.4", "1::2::3", "gggg::", "12345::", "1:2:3:4:5:6:1.2.3.4", ":", "1:",
}

// addrDiffers compares parseAddr with netip.ParseAddr, which differ on zones only.
func addrDiffers(s string) string {
	got, ok := parseAddr([]byte(s))
	want, err := netip.ParseAddr(s)
	if err == nil && want.Zone() != "" {
		return ""
	}
	if ok != (err == nil) || ok && got != want.Unmap() {
		return s + ": " + got.String() + ", want " + want.String()
	}
	return ""
}

func TestParseSeconds(t *testing.T) {
	f := func(s string, want int64, ok bool) {
		t.Helper()
		if got, o := parseSeconds([]byte(s)); got != want || o != ok {
			t.Errorf("%s: %d %v, want %d %v", s, got, o, want, ok)
		}
	}
	f("1588205199.82437", 1588205199824370000, true)
	f("1588205199", 1588205199000000000, true)
	f("1588205199.", 1588205199000000000, true)
	f("0.0000000019", 1, true)
	f("1.5e3", 1500000000000, true)
	f("-1.5", -1500000000, true)
	f("9999999999999", 0, false)
	f("NaN", 0, false)
	f("Inf", 0, false)
	f("", 0, false)
	f("1.2.3", 0, false)
	f("1588205199.8x", 0, false)
}

func TestParseCount(t *testing.T) {
	f := func(s string, limit, want uint64, ok bool) {
		t.Helper()
		if got, o := parseCount([]byte(s), limit); o != ok || ok && got != want {
			t.Errorf("%s: %d %v, want %d %v", s, got, o, want, ok)
		}
	}
	f("67", 100, 67, true)
	f("67.0", 100, 67, true)
	f("6.7e1", 100, 67, true)
	f("101", 100, 0, false)
	f("67.5", 100, 0, false)
	f("-1", 100, 0, false)
	f("NaN", 100, 0, false)
	f("1e999", math.MaxUint64, 0, false)
	f("18446744073709551616", maxCount, 0, false)
	f("", 100, 0, false)
}

func TestCut(t *testing.T) {
	for _, line := range []string{"", "a", " ", "a b", "12345678 ", "1234567 9", " 1234567  abc!! def\x20", "!!!!!!!! !!!!!!!"} {
		var want []int
		for i := range len(line) {
			if line[i] == ' ' {
				want = append(want, i)
			}
		}
		ends := make([]int, 20)
		n := cut([]byte(line), ' ', ends)
		if n != len(want) {
			t.Errorf("%q: %d separators, want %d", line, n, len(want))
			continue
		}
		for i := range want {
			if ends[i] != want[i] {
				t.Errorf("%q: %v, want %v", line, ends[:n], want)
			}
		}
		if len(want) > 0 && cut([]byte(line), ' ', ends[:len(want)-1]) != len(want) {
			t.Errorf("%q: too many separators not told", line)
		}
	}
}
