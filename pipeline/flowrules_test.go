package pipeline

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/pipeline/triage"
)

// mails is a log in which a host sends mail to n servers outside.
func mails(host string, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(answered(nine.Add(time.Duration(i)*time.Minute), host, 40000+i, fmt.Sprintf("198.51.100.%d", 1+i), 25))
	}
	return b.String()
}

// asksOf is a log in which hosts ask a server n times each.
func asksOf(server string, port, n int, hosts ...string) string {
	var b strings.Builder
	for _, host := range hosts {
		for i := range n {
			b.WriteString(answered(nine.Add(time.Duration(i)*time.Second), host, 40000+i, server, port))
		}
	}
	return b.String()
}

var threeHosts = []string{"10.0.0.11", "10.0.0.12", "10.0.0.13"}

// The rules over flows tell a host that does what no other of its network does, and
// not the servers and habits of the network.
func TestFlowRules(t *testing.T) {
	f := func(name, log string, want ...string) {
		t.Helper()
		var got []string
		for _, f := range listedIn(t, nil, rawText("raw/flows.log", nine.Add(2*time.Hour), log)) {
			got = append(got, f.Entity.ID+" "+f.Type)
			if f.Cut != picket.CutRule || f.Class != picket.ClassAnomaly {
				t.Errorf("%s: %s by %s", name, f.Class, f.Cut)
			}
		}
		if strings.Join(got, ", ") != strings.Join(want, ", ") {
			t.Errorf("%s: found %v, want %v", name, got, want)
		}
	}
	f("a spambot", mails("10.0.0.5", 25), "10.0.0.5 "+triage.TypeSpambot)
	f("mail now and then", mails("10.0.0.5", 10))
	f("a mail server", mails("10.0.0.5", 25)+answered(nine, "198.51.100.200", 50000, "10.0.0.5", 25))

	office := asksOf("10.0.0.2", 53, 12, threeHosts...)
	f("a resolver of one's own", office+asksOf("203.0.113.53", 53, 12, "10.0.0.5"), "10.0.0.5 "+triage.TypeResolver)
	f("asked once", office+asksOf("203.0.113.53", 53, 2, "10.0.0.5"))
	f("the network's resolver", office+asksOf("203.0.113.53", 53, 12, threeHosts...))
	f("the resolver that forwards", office+asksOf("203.0.113.53", 53, 12, "10.0.0.2"))

	f("DNS over TLS of one host", asksOf("203.0.113.53", 853, 4, "10.0.0.5"), "10.0.0.5 "+triage.TypeDoT)
	f("DNS over TLS of the network", asksOf("203.0.113.53", 853, 4, threeHosts...))
}
