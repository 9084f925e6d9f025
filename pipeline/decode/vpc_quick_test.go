package decode

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"picket"
)

// TestQuickIsRead changes lines of flow logs at random and wants of each that quick
// takes what read makes of it.
func TestQuickIsRead(t *testing.T) {
	const header2 = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
	const header5 = "protocol srcaddr pkt-srcaddr vpc-id dstaddr pkt-dstaddr srcport dstport tcp-flags packets bytes interface-id start end action type log-status"
	const header0 = "srcaddr dstaddr srcport dstport protocol packets bytes start"
	lines := map[string][]string{
		header2: {"2 123456789012 eni-0123456789abcdef0 10.0.0.1 198.51.100.7 443 50123 6 12 3400 1772528400 1772528459 ACCEPT OK",
			"2 123456789012 eni-1 10.0.0.1 10.0.0.2 0 0 1 1 84 1772528400 1772528400 REJECT OK",
			"2 123456789012 eni-1 - - - - - - - 1772528400 1772528459 - NODATA"},
		header5: {"6 10.0.0.1 10.9.9.9 vpc-1 10.0.0.2 - 443 50123 18 12 3400 eni-1 1772528400 1772528459 ACCEPT IPv4 OK",
			"17 10.0.0.1 10.9.9.9 vpc-1 10.0.0.2 192.0.2.1 53 50123 0 12 3400 eni-2 1772528400 1772528459 REJECT IPv4 OK"},
		header0: {"10.0.0.1 198.51.100.7 443 50123 6 12 3400 1772528400", "2001:db8::1 198.51.100.7 443 50123 6 12 3400 1772528400"},
	}
	rng := rand.New(rand.NewPCG(11, 12))
	taken := 0
	for header, originals := range lines {
		d := &run{stats: Stats{Dropped: map[string]uint64{}}, latest: 1 << 62}
		d.emit = func(*picket.Record) error { return nil }
		row := &vpcRow{}
		if err := row.header(d, []byte(header)); err != nil {
			t.Fatal(err)
		}
		for range 30_000 {
			line := []byte(originals[rng.IntN(len(originals))])
			for range rng.IntN(3) {
				i := rng.IntN(len(line))
				switch rng.IntN(3) {
				case 0:
					line[i] = "0123456789 .-:AROK"[rng.IntN(18)]
				case 1:
					line = bytes.Replace(line, line[i:i+1], []byte(strings.Repeat("9", rng.IntN(20))), 1)
				case 2:
					line = append(line[:i], line[i+1:]...)
				}
			}
			if !row.quick(d, line) {
				continue
			}
			taken++
			got := d.rec
			reason := "columns"
			if row.split(line) {
				reason = row.record(&d.rec)
			}
			if status := row.field[colStatus]; reason != "" || status != nil && string(status) != "OK" || d.rec != got {
				t.Fatalf("%q: quick makes %+v, read %+v %s", line, got, d.rec, reason)
			}
		}
	}
	if taken < 10_000 {
		t.Errorf("quick took only %d lines", taken)
	}
}
