package deploy

import (
	"fmt"
	"strings"
	"time"
)

// SmokeLogAt is a port scan of the three minutes before now, as a VPC flow log of
// version 2. Who scans and who is scanned are addresses that nobody has (RFC 5737). Both
// follow from the second: scans of one victim, or by one scanner, would be one incident,
// and the finding shall be no other run's.
func SmokeLogAt(now time.Time) SmokeLog {
	second := now.Unix()
	victim := fmt.Sprintf("192.0.2.%d", 1+second%251)
	scanner := fmt.Sprintf("198.51.100.%d", 1+second%254)
	if second/254%2 == 1 {
		scanner = fmt.Sprintf("203.0.113.%d", 1+second%254)
	}
	var b strings.Builder
	b.WriteString("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n")
	from := now.Truncate(time.Minute).Add(-smokeMinutes * time.Minute).Unix()
	for i := range smokeMinutes * smokePorts {
		at := from + int64(i/smokePorts*60+i%50)
		// A stride that is prime to 10,000 visits every port once.
		fmt.Fprintf(&b, "2 000000000000 eni-00000000000000000 %s %s %d %d 6 1 44 %d %d REJECT OK\n", scanner, victim, 40000+i%smokePorts, 1+i*7919%10000, at, at+5)
	}
	return SmokeLog{Name: fmt.Sprintf("vpc-%d.log", second), Body: []byte(b.String()), Entity: scanner}
}

// How much the scan asks: 400 ports a minute is far over every threshold of the
// shipped package (cmd/picket tests it).
const (
	smokeMinutes = 3
	smokePorts   = 400
)
