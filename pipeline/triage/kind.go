package triage

import (
	"math"

	"picket"
)

// Finer types of findings. A finding that no rule fits has its class for a type.
const (
	typeSYNFlood   = "syn-flood"
	typeACKFlood   = "ack-flood"
	typeUDPFlood   = "udp-flood"
	typeICMPFlood  = "icmp-flood"
	typeReflection = "reflection"
	typeHTTPFlood  = "http-flood"

	typePortScan  = "port-scan"  // vertical: many ports of few hosts
	typeHostSweep = "host-sweep" // horizontal: few ports of many hosts
	typePingSweep = "ping-sweep"
	typeSlowScan  = "slow-scan"
	typeUDPScan   = "udp-scan"
	typeXmasScan  = "xmas-scan"
	typeNullScan  = "null-scan"
	typeFINScan   = "fin-scan"
	typeACKScan   = "ack-scan"

	typeSpraying = "password-spraying" // one actor, many targets, few guesses at each

	typeUpload     = "bulk-upload"
	typeDNSTunnel  = "dns-tunnel"
	typeICMPTunnel = "icmp-tunnel"
	typeBeacon     = "beacon"
)

// bruteforceTypes by the service port of most of the window's flows.
var bruteforceTypes = map[uint16]string{
	21: "ftp-bruteforce", 22: "ssh-bruteforce", 23: "telnet-bruteforce", 25: "smtp-bruteforce",
	80: "http-bruteforce", 110: "pop3-bruteforce", 143: "imap-bruteforce", 443: "http-bruteforce",
	445: "smb-bruteforce", 993: "imap-bruteforce", 1433: "mssql-bruteforce", 2222: "ssh-bruteforce",
	3306: "mysql-bruteforce", 3389: "rdp-bruteforce", 5432: "postgresql-bruteforce", 5900: "vnc-bruteforce",
	8080: "http-bruteforce",
}

// Features that more than the rules look at.
const (
	portsPerPeer = "ports_per_peer_max"
	peersCounted = "peers"
)

// row is a finding's features by name. A missing one is NaN, and no comparison
// with NaN holds: a rule over what a source lacks does not apply, and the
// negation of a comparison also holds where the feature is missing.
type row struct {
	values map[string]float64
	kind   picket.Kind
	port   uint16 // service port of most of the flows, 0 if unknown
}

func (r row) get(name string) float64 {
	if v, ok := r.values[name]; ok {
		return v
	}
	return math.NaN()
}

func (r row) most(share string) bool { return r.get(share) > 0.5 }

// slow is how many new targets a second a scan finds while it is active, at
// most, to be called slow: two a minute.
const slow = 2.0 / 60

func (r row) targetsPerSecond() float64 {
	return r.get("targets") / (r.get("active_tick_share") * r.get("elapsed_seconds"))
}

// attempts reports TCP connections that mostly stay attempts.
func (r row) attempts() bool { return r.most("tcp_packet_share") && r.get("established_share") < 0.5 }

// sprayed is the least number of targets of password spraying.
const sprayed = 10

// rule gives a type to the findings of a class whose row it holds for.
type rule struct {
	class string
	name  string
	holds func(row) bool
}

// rules in order: the first that holds names the type. The features are those
// of extract.Catalogue. None of these lines changes whether there is a finding.
var rules = []rule{
	{picket.ClassDDoS, typeReflection, func(r row) bool {
		return r.most("amplifier_byte_share") || r.most("unsolicited_answer_share") || r.cutUp()
	}},
	{picket.ClassDDoS, typeUDPFlood, func(r row) bool { return r.most("udp_packet_share") }},
	{picket.ClassDDoS, typeICMPFlood, func(r row) bool { return r.most("icmp_packet_share") }},
	{picket.ClassDDoS, typeSYNFlood, func(r row) bool { return r.attempts() && !(r.get("syn_share") < 0.5) }},
	{picket.ClassDDoS, typeACKFlood, func(r row) bool { return r.attempts() && !(r.get("ack_packet_share") < 0.5) }},
	{picket.ClassDDoS, typeHTTPFlood, func(r row) bool { return r.most("established_share") && r.most("web_port_share") }},

	{picket.ClassScan, typeXmasScan, func(r row) bool { return r.most("xmas_packet_share") }},
	{picket.ClassScan, typeNullScan, func(r row) bool { return r.most("null_packet_share") }},
	{picket.ClassScan, typeFINScan, func(r row) bool { return r.most("fin_packet_share") }},
	{picket.ClassScan, typeACKScan, func(r row) bool { return r.most("ack_packet_share") && !r.most("established_share") }},
	{picket.ClassScan, typeSlowScan, func(r row) bool { return r.targetsPerSecond() <= slow }},
	{picket.ClassScan, typePingSweep, func(r row) bool { return r.most("icmp_flow_share") }},
	{picket.ClassScan, typeUDPScan, func(r row) bool { return r.most("udp_flow_share") }},
	{picket.ClassScan, typePortScan, func(r row) bool { return r.get(portsPerPeer) >= r.get("peers_per_port_max") }},
	{picket.ClassScan, typeHostSweep, func(r row) bool { return r.get(portsPerPeer) < r.get("peers_per_port_max") }},

	{picket.ClassBruteforce, typeSpraying, func(r row) bool { return r.kind == picket.KindActor && r.get("targets") >= sprayed }},

	{picket.ClassExfiltration, typeDNSTunnel, row.mostlyDNS},
	{picket.ClassExfiltration, typeICMPTunnel, func(r row) bool { return r.most("icmp_packet_share") }},
	{picket.ClassExfiltration, typeUpload, func(r row) bool { return r.most("byte_ratio_out") }},

	{picket.ClassC2, typeBeacon, func(r row) bool { return r.beats() && r.get("dns_asked_bytes_mean") < questionBytes }},
	{picket.ClassC2, typeDNSTunnel, row.mostlyDNS},
	{picket.ClassC2, typeICMPTunnel, func(r row) bool { return r.most("icmp_packet_share") }},
	{picket.ClassC2, typeBeacon, row.beats},
}

// beats reports a pair that comes back at even gaps: any, or one with a peer that
// nobody else has.
func (r row) beats() bool {
	return r.get("beacon_gaps") >= 3 && r.get("beacon_gap_cv") < 0.5 || r.get("sole_pair_gap_cv") < 0.5
}

// questionBytes is an IP datagram that asks for a name and hides nothing in it. Who
// looks up its master at each beat calls home by what comes after.
const questionBytes = 100

// cutUp reports amplified answers too long for a packet: of their fragments only
// the first has a port, so that a fifth of the bytes stands for more.
func (r row) cutUp() bool {
	return r.get("fragment_packet_share") >= 0.2 && r.get("amplifier_byte_share") >= 0.2
}

// mostlyDNS asks for packets too: most flows of a quiet host are DNS anyway.
func (r row) mostlyDNS() bool { return r.most("dns_port_share") && r.most("udp_packet_share") }

// finerType returns the type of a class by the first rule that holds for its
// row; for a brute force else by the service; else the class.
func finerType(class string, r row) string {
	if t := accessTypeOf(r); t != nil {
		return t.name
	}
	for _, rule := range rules {
		if rule.class == class && rule.holds(r) {
			return rule.name
		}
	}
	if name, ok := bruteforceTypes[r.port]; ok && class == picket.ClassBruteforce {
		return name
	}
	return class
}

// peerCount is how many other sides the finding's row counts, 0 if it does not.
func peerCount(f *picket.Finding) int {
	n, ok := f.Features[peersCounted]
	if !ok || n < 0 || n >= 1e9 {
		return 0
	}
	return int(n)
}
