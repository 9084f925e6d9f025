package pipeline

import (
	"fmt"
	"math/bits"
	"net/netip"
	"slices"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/triage"
)

// What the rules over the flows of an hour look for. Each compares a host with the
// others of its network, so none needs a history.
const (
	mailServers   = 20 // servers outside to which a host sends mail, and is no mail server itself
	resolverAsks  = 10 // conversations with a resolver of one's own
	resolverUsers = 3  // hosts that share a resolver make it the network's
	tlsAsks       = 3  // conversations of DNS over TLS with a resolver that less hosts share

	floodOut    = 60_000 // packets a minute, in the minutes with any, that a host sends to one address outside
	floodAnswer = 0.01   // and which part of them is answered at most
)

// flowRules counts an hour of conversations for the rules.
type flowRules struct {
	lists     *byTag
	mail      map[netip.Addr]map[netip.Addr]bool   // servers outside by host inside
	receives  map[netip.Addr]bool                  // mail, or questions
	asks, tls map[netip.Addr]map[netip.Addr]uint64 // conversations by resolver and host inside
	sent      map[outbound]*stream
}

// outbound is what one host inside sends to one address outside, by the kind of flood
// that it would be.
type outbound struct {
	from, to netip.Addr
	kind     string
}

// stream is the packets of an hour.
type stream struct {
	out, in uint64
	minutes uint64 // bit i: in minute i
}

func newFlowRules(lists *byTag) *flowRules {
	return &flowRules{lists: lists, mail: map[netip.Addr]map[netip.Addr]bool{}, receives: map[netip.Addr]bool{},
		asks: map[netip.Addr]map[netip.Addr]uint64{}, tls: map[netip.Addr]map[netip.Addr]uint64{}, sent: map[outbound]*stream{}}
}

// maxRuled bounds the hosts and resolvers that are counted, of which a flood of
// spoofed addresses could make many.
const maxRuled = 1 << 16

func (r *flowRules) take(c *extract.Opening) {
	r.flood(c)
	switch c.Port {
	case 25, 465, 587, 53, 853:
	default:
		return
	}
	if !c.Answered {
		return
	}
	if len(r.receives) < maxRuled {
		r.receives[c.Victim] = true
	}
	if !r.lists.inside(c.Actor) {
		return
	}
	switch {
	case c.Port == 25 && c.Proto == picket.ProtoTCP && !r.lists.inside(c.Victim):
		if r.mail[c.Actor] == nil && len(r.mail) < maxRuled {
			r.mail[c.Actor] = map[netip.Addr]bool{}
		}
		if servers := r.mail[c.Actor]; servers != nil && len(servers) < maxRuled {
			servers[c.Victim] = true
		}
	case c.Port == 53:
		count(r.asks, c.Victim, c.Actor)
	case c.Port == 853:
		count(r.tls, c.Victim, c.Actor)
	}
}

func count(by map[netip.Addr]map[netip.Addr]uint64, server, host netip.Addr) {
	if by[server] == nil {
		if len(by) >= maxRuled {
			return
		}
		by[server] = map[netip.Addr]uint64{}
	}
	if _, known := by[server][host]; known || len(by[server]) < maxRuled {
		by[server][host]++
	}
}

// tell adds what the rules say of the hour.
func (r *flowRules) tell(all meetings) {
	rule := func(kind string) *triage.Ruling {
		return &triage.Ruling{Cut: picket.CutRule, Type: kind, Severity: picket.SeverityMedium}
	}
	for host, servers := range r.mail {
		if len(servers) < mailServers || r.receives[host] {
			continue
		}
		for server := range servers {
			all.add(picket.Entity{Kind: picket.KindActor, ID: host.String()}, rule(triage.TypeSpambot), picket.ClassAnomaly, server.String(), 1,
				picket.Fact{Name: "mail", Value: fmt.Sprintf("to %d servers outside, and none comes in", len(servers))})
		}
	}
	for k, s := range r.sent {
		if float64(s.out) < floodOut*float64(bits.OnesCount64(s.minutes)) || float64(s.in) > floodAnswer*float64(s.out) {
			continue
		}
		flood := rule(k.kind)
		flood.Severity = picket.SeverityHigh
		all.add(picket.Entity{Kind: picket.KindActor, ID: k.from.String()}, flood, picket.ClassDDoS, k.to.String(), 1,
			picket.Fact{Name: "sent", Value: fmt.Sprintf("%d packets in %d minutes, %d came back", s.out, bits.OnesCount64(s.minutes), s.in)})
	}
	shared := 0
	for _, hosts := range r.asks {
		if len(hosts) >= resolverUsers {
			shared++
		}
	}
	for _, one := range []struct {
		by    map[netip.Addr]map[netip.Addr]uint64
		kind  string
		least uint64
		holds bool // the network has resolvers that it shares, or needs none for the rule
		words string
	}{
		{r.asks, triage.TypeResolver, resolverAsks, shared > 0, "questions to a resolver outside that few others of the network ask"},
		{r.tls, triage.TypeDoT, tlsAsks, true, "DNS over TLS with a server outside that few others of the network use"},
	} {
		for server, hosts := range one.by {
			if !one.holds || len(hosts) >= resolverUsers || r.lists.inside(server) {
				continue
			}
			for host, n := range hosts {
				if n >= one.least && !r.receives[host] {
					all.add(picket.Entity{Kind: picket.KindActor, ID: host.String()}, rule(one.kind), picket.ClassAnomaly, server.String(), n, picket.Fact{Name: "unusual", Value: one.words})
				}
			}
		}
	}
}

// portsOfTCP are ports at which hardly anything speaks UDP.
var portsOfTCP = []uint16{20, 21, 22, 23, 25, 80, 110, 143, 445, 993, 995, 1433, 3306, 5432, 8080}

// flood counts what goes out, by the kind of flood that it would be.
func (r *flowRules) flood(c *extract.Opening) {
	if c.Out <= c.In || r.lists.inside(c.Victim) || !c.Victim.IsGlobalUnicast() || !r.lists.inside(c.Actor) {
		return
	}
	kind := triage.TypeFlood
	switch {
	case c.Proto == picket.ProtoICMP || c.Proto == picket.ProtoICMPv6:
		kind = triage.TypeFloodUDP
	case c.Proto == picket.ProtoUDP && c.Port == 53:
		kind = triage.TypeFloodDNS
	case c.Proto == picket.ProtoUDP && slices.Contains(portsOfTCP, c.Port):
		kind = triage.TypeFloodOddPorts
	case c.Proto == picket.ProtoUDP:
		kind = triage.TypeFloodUDP
	case c.Proto != picket.ProtoTCP:
		kind = triage.TypeFloodOdd
	}
	k := outbound{c.Actor, c.Victim, kind}
	s := r.sent[k]
	if s == nil {
		if len(r.sent) >= 4*maxRuled {
			return
		}
		s = &stream{}
		r.sent[k] = s
	}
	s.out, s.in, s.minutes = s.out+c.Out, s.in+c.In, s.minutes|c.Minutes
}
