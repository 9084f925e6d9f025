package triage

import (
	"math"

	"picket"
)

// Finer types of findings. A finding that none fits has its class for a type.
const (
	typeSYNFlood   = "syn-flood"
	typeACKFlood   = "ack-flood"
	typeUDPFlood   = "udp-flood"
	typeICMPFlood  = "icmp-flood"
	typeReflection = "reflection"
	typeHTTPFlood  = "http-flood"

	typePortScan  = "port-scan"  // many ports of few hosts
	typeHostSweep = "host-sweep" // few ports of many hosts
	typeSlowScan  = "slow-scan"
	typeUDPScan   = "udp-scan"
	typeXmasScan  = "xmas-scan"
	typeNullScan  = "null-scan"
	typeFINScan   = "fin-scan"
	typeACKScan   = "ack-scan"

	typeSSH       = "ssh-bruteforce"
	typeRDP       = "rdp-bruteforce"
	typeFTP       = "ftp-bruteforce"
	typeSMB       = "smb-bruteforce"
	typeHTTPLogin = "http-bruteforce"
	typeSpraying  = "password-spraying"

	typeUpload     = "bulk-upload"
	typeDNSExfil   = "dns-exfiltration"
	typeICMPExfil  = "icmp-exfiltration"
	typeDNSTunnel  = "dns-tunnel"
	typeICMPTunnel = "icmp-tunnel"
	typeHTTPBeacon = "http-beacon"
	typeBeacon     = "beacon"
)

// Features that more than the rules below look at.
const (
	portsPerPeer = "ports_per_peer_max"
	peersCounted = "peers"
)

// row is a finding's features by name. A missing one is NaN, and no comparison
// with NaN holds, so a rule over features that a source lacks does not apply.
type row struct {
	values  map[string]float64
	seconds int64
}

func (r row) get(name string) float64 {
	if v, ok := r.values[name]; ok {
		return v
	}
	return math.NaN()
}

// rule gives a type to the findings of a class whose row it holds for.
type rule struct {
	class string
	name  string
	holds func(row) bool
}

// rules in order: the first that holds names the type. Shares are of the
// window's conversations or packets; see extract.Catalogue for each feature.
var rules = []rule{
	{picket.ClassDDoS, typeReflection, func(r row) bool { return r.get("udp_share") > 0.5 && r.get("reflector_share") > 0.5 }},
	{picket.ClassDDoS, typeUDPFlood, func(r row) bool { return r.get("udp_share") > 0.5 }},
	{picket.ClassDDoS, typeICMPFlood, func(r row) bool { return r.get("icmp_share") > 0.5 }},
	{picket.ClassDDoS, typeSYNFlood, func(r row) bool { return r.get("tcp_share") > 0.5 && r.get("failed_share") > 0.5 }},
	{picket.ClassScan, typePortScan, func(r row) bool { return r.get("service_ports") > r.get("peers") }},
	{picket.ClassScan, typeHostSweep, func(r row) bool { return r.get("service_ports") <= r.get("peers") }},
}

// finerType returns the type of a finding: the first rule of its class that
// holds for its row, else its class.
func finerType(f *picket.Finding) string {
	r := row{f.Features, f.Seconds}
	for _, rule := range rules {
		if rule.class == f.Class && rule.holds(r) {
			return rule.name
		}
	}
	return f.Class
}

// peerCount is how many other sides the finding's row counts, if it does.
func peerCount(f *picket.Finding) (int, bool) {
	n, ok := f.Features[peersCounted]
	return int(n), ok && n >= 0 && n < 1e9
}
