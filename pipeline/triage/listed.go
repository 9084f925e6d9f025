package triage

import (
	"maps"
	"slices"

	"picket"
)

// Tags of the user's own lists. Those of ListTags are of what is bad; the other two
// say what is one's own and what is no finding.
const (
	TagThreat    = "threat"
	TagMalicious = "malicious"
	TagTor       = "tor"
	TagC2        = "c2"
	TagMining    = "mining"
	TagPhishing  = "phishing"
	TagDriveBy   = "driveby"
	TagDrop      = "drop"
	TagBlackhole = "blackhole"
	TagAbused    = "abused"
	TagDoH       = "doh"

	TagOwn   = "own"
	TagAllow = "allow"
)

// listed is what a hit on a list of some tag is told as.
type listed struct {
	class     string
	severity  picket.Severity
	caption   string
	guardDuty [3]string // of an address in flows, of a name, of a caller of the API; "" where there is none
	technique
}

// listTags by tag. GuardDuty's own names are in docs/coverage.md.
var listTags = map[string]listed{
	TagThreat:    {picket.ClassC2, picket.SeverityMedium, "Listed by you", [3]string{"UnauthorizedAccess:EC2/MaliciousIPCaller.Custom", "Impact:EC2/MaliciousDomainRequest.Custom", "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom"}, technique{"TA0011", "T1071"}},
	TagMalicious: {picket.ClassC2, picket.SeverityHigh, "Known to be malicious", [3]string{"", "Impact:EC2/MaliciousDomainRequest.Reputation", "UnauthorizedAccess:IAMUser/MaliciousIPCaller"}, technique{"TA0011", "T1071"}},
	TagTor:       {picket.ClassC2, picket.SeverityHigh, "Tor", [3]string{"UnauthorizedAccess:EC2/TorClient", "", "UnauthorizedAccess:IAMUser/TorIPCaller"}, technique{"TA0011", "T1090.003"}},
	TagC2:        {picket.ClassC2, picket.SeverityHigh, "Known command and control", [3]string{"Backdoor:EC2/C&CActivity.B", "Backdoor:EC2/C&CActivity.B!DNS", ""}, technique{"TA0011", "T1071"}},
	TagMining:    {picket.ClassC2, picket.SeverityHigh, "Mining of cryptocurrency", [3]string{"CryptoCurrency:EC2/BitcoinTool.B", "CryptoCurrency:EC2/BitcoinTool.B!DNS", ""}, technique{"TA0040", "T1496.001"}},
	TagPhishing:  {picket.ClassPhishing, picket.SeverityHigh, "Known phishing", [3]string{"", "Trojan:EC2/PhishingDomainRequest!DNS", ""}, technique{"TA0001", "T1566"}},
	TagDriveBy:   {picket.ClassPhishing, picket.SeverityHigh, "Known drive-by source", [3]string{"", "Trojan:EC2/DriveBySourceTraffic!DNS", ""}, technique{"TA0001", "T1189"}},
	TagDrop:      {picket.ClassExfiltration, picket.SeverityMedium, "Known drop point", [3]string{"Trojan:EC2/DropPoint", "Trojan:EC2/DropPoint!DNS", ""}, technique{"TA0010", "T1048"}},
	TagBlackhole: {picket.ClassC2, picket.SeverityMedium, "Blackholed", [3]string{"Trojan:EC2/BlackholeTraffic", "Trojan:EC2/BlackholeTraffic!DNS", ""}, technique{"TA0011", "T1071"}},
	TagAbused:    {picket.ClassC2, picket.SeverityMedium, "Known to be abused", [3]string{"", "Impact:EC2/AbusedDomainRequest.Reputation", ""}, technique{"TA0011", "T1071"}},
	TagDoH:       {picket.ClassAnomaly, picket.SeverityMedium, "DNS over HTTPS", [3]string{"DefenseEvasion:EC2/UnusualDoHActivity", "", ""}, technique{"TA0011", "T1071.004"}},
}

// torRelay is what is told of a host of one's own that Tor's relays connect to.
const torRelay = "listed-tor-relay"

// ListTags returns the tags that a list can have, sorted.
func ListTags() []string {
	return slices.Sorted(maps.Keys(func() map[string]bool {
		all := map[string]bool{TagOwn: true, TagAllow: true}
		for tag := range listTags {
			all[tag] = true
		}
		return all
	}()))
}

// Listed returns the ruling on an entity that has to do with what stands on a list,
// and the class of its finding. opened says of flows that the listed side opened.
func Listed(tag string, opened bool) (*Ruling, string) {
	l := listTags[tag]
	r := &Ruling{Cut: picket.CutList, Type: "listed-" + tag, Severity: l.severity}
	if tag == TagTor && opened {
		r.Type = torRelay
	}
	return r, l.class
}

// listOf returns what a finding of a list is told as, nil for another finding.
func listOf(f *picket.Finding) *listed {
	if f.Cut != picket.CutList {
		return nil
	}
	for tag, l := range listTags {
		if f.Type == "listed-"+tag {
			return &l
		}
	}
	if f.Type == torRelay {
		l := listTags[TagTor]
		l.caption, l.guardDuty[0] = "Tor relay", "UnauthorizedAccess:EC2/TorRelay"
		return &l
	}
	return nil
}

// ruleType is a finer type that a rule over flows tells.
type ruleType struct {
	caption   string
	guardDuty string
	technique
}

// Finer types of rules over flows.
const (
	TypeSpambot  = "spambot"
	TypeResolver = "unusual-resolver"
	TypeDoT      = "dns-over-tls"

	TypeFlood         = "outbound-flood"          // TCP
	TypeFloodUDP      = "outbound-udp-flood"      // to a port of UDP
	TypeFloodDNS      = "outbound-dns-flood"      // to port 53
	TypeFloodOddPorts = "outbound-odd-port-flood" // UDP to a port of TCP
	TypeFloodOdd      = "outbound-protocol-flood" // neither TCP nor UDP nor ICMP

	TypeNameTunnel    = "dns-name-tunnel"
	TypeRandomDomains = "random-domains"

	TypeTwoCountries = "two-countries"
)

var ruleTypes = map[string]ruleType{
	TypeSpambot:  {"Mail in bulk", "Backdoor:EC2/Spambot", technique{"TA0040", "T1496"}},
	TypeResolver: {"Unusual resolver", "DefenseEvasion:EC2/UnusualDNSResolver", technique{"TA0011", "T1071.004"}},
	TypeDoT:      {"DNS over TLS", "DefenseEvasion:EC2/UnusualDoTActivity", technique{"TA0011", "T1071.004"}},

	TypeFlood:         {"Outbound flood", "Backdoor:EC2/DenialOfService.Tcp", technique{"TA0040", "T1498.001"}},
	TypeFloodUDP:      {"Outbound UDP flood", "Backdoor:EC2/DenialOfService.Udp", technique{"TA0040", "T1498.001"}},
	TypeFloodDNS:      {"Outbound DNS flood", "Backdoor:EC2/DenialOfService.Dns", technique{"TA0040", "T1498.001"}},
	TypeFloodOddPorts: {"Outbound UDP flood of a TCP port", "Backdoor:EC2/DenialOfService.UdpOnTcpPorts", technique{"TA0040", "T1498.001"}},
	TypeFloodOdd:      {"Outbound flood of an unusual protocol", "Backdoor:EC2/DenialOfService.UnusualProtocol", technique{"TA0040", "T1498.001"}},

	TypeTwoCountries: {"Calls from two countries", "UnauthorizedAccess:IAMUser/ConsoleLoginSuccess.B", technique{"TA0001", "T1078.004"}},

	TypeNameTunnel:    {"DNS tunnel", "Trojan:EC2/DNSDataExfiltration", technique{"TA0010", "T1048.003"}},
	TypeRandomDomains: {"Domains of random letters", "Trojan:EC2/DGADomainRequest.B", technique{"TA0011", "T1568.002"}},
}

// GuardDutyType returns the finding type of Amazon GuardDuty that a finding of a list
// or of a rule over flows matches, "" where none does.
func GuardDutyType(f *picket.Finding) string {
	if t, ok := ruleTypes[f.Type]; ok && f.Cut == picket.CutRule {
		return t.guardDuty
	}
	l := listOf(f)
	if l == nil {
		return ""
	}
	switch f.Entity.Kind {
	case picket.KindName:
		return l.guardDuty[1]
	case picket.KindPrincipal:
		return l.guardDuty[2]
	}
	return l.guardDuty[0]
}
