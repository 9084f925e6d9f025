package triage

import (
	"net/netip"
	"slices"
	"strings"

	"picket"
)

// attackVersion is the version of MITRE ATT&CK that the names below are from.
const attackVersion = "17.0"

// tactics of ATT&CK by id.
var tactics = map[string]string{
	"TA0001": "Initial Access",
	"TA0002": "Execution",
	"TA0003": "Persistence",
	"TA0004": "Privilege Escalation",
	"TA0005": "Defense Evasion",
	"TA0006": "Credential Access",
	"TA0007": "Discovery",
	"TA0008": "Lateral Movement",
	"TA0010": "Exfiltration",
	"TA0011": "Command and Control",
	"TA0040": "Impact",
	"TA0043": "Reconnaissance",
}

// techniques of ATT&CK by id, sub-techniques too.
var techniques = map[string]string{
	"T1037":     "Boot or Logon Initialization Scripts",
	"T1040":     "Network Sniffing",
	"T1046":     "Network Service Discovery",
	"T1048":     "Exfiltration Over Alternative Protocol",
	"T1048.003": "Exfiltration Over Unencrypted Non-C2 Protocol",
	"T1071":     "Application Layer Protocol",
	"T1071.004": "DNS",
	"T1078":     "Valid Accounts",
	"T1078.004": "Cloud Accounts",
	"T1087":     "Account Discovery",
	"T1087.004": "Cloud Account",
	"T1090":     "Proxy",
	"T1090.003": "Multi-hop Proxy",
	"T1098":     "Account Manipulation",
	"T1098.001": "Additional Cloud Credentials",
	"T1098.003": "Additional Cloud Roles",
	"T1110":     "Brute Force",
	"T1110.001": "Password Guessing",
	"T1110.003": "Password Spraying",
	"T1136":     "Create Account",
	"T1136.003": "Cloud Account",
	"T1189":     "Drive-by Compromise",
	"T1484":     "Domain or Tenant Policy Modification",
	"T1484.002": "Trust Modification",
	"T1485":     "Data Destruction",
	"T1496":     "Resource Hijacking",
	"T1496.001": "Compute Hijacking",
	"T1496.004": "Cloud Service Hijacking",
	"T1498":     "Network Denial of Service",
	"T1498.001": "Direct Network Flood",
	"T1498.002": "Reflection Amplification",
	"T1499":     "Endpoint Denial of Service",
	"T1499.001": "OS Exhaustion Flood",
	"T1499.002": "Service Exhaustion Flood",
	"T1525":     "Implant Internal Image",
	"T1526":     "Cloud Service Discovery",
	"T1531":     "Account Access Removal",
	"T1535":     "Unused/Unsupported Cloud Regions",
	"T1537":     "Transfer Data to Cloud Account",
	"T1548":     "Abuse Elevation Control Mechanism",
	"T1548.005": "Temporary Elevated Cloud Access",
	"T1550":     "Use Alternate Authentication Material",
	"T1550.001": "Application Access Token",
	"T1552":     "Unsecured Credentials",
	"T1552.005": "Cloud Instance Metadata API",
	"T1555":     "Credentials from Password Stores",
	"T1555.006": "Cloud Secrets Management Stores",
	"T1556":     "Modify Authentication Process",
	"T1556.006": "Multi-Factor Authentication",
	"T1562":     "Impair Defenses",
	"T1562.001": "Disable or Modify Tools",
	"T1562.007": "Disable or Modify Cloud Firewall",
	"T1562.008": "Disable or Modify Cloud Logs",
	"T1566":     "Phishing",
	"T1568":     "Dynamic Resolution",
	"T1568.002": "Domain Generation Algorithms",
	"T1572":     "Protocol Tunneling",
	"T1580":     "Cloud Infrastructure Discovery",
	"T1595":     "Active Scanning",
	"T1595.001": "Scanning IP Blocks",
	"T1651":     "Cloud Administration Command",
}

// technique is a tactic with the technique that serves it.
type technique struct{ tactic, id string }

// byType is the technique of a class's finer type, byClass of all its others.
var (
	byType = map[[2]string]technique{
		{picket.ClassDDoS, typeSYNFlood}:           {"TA0040", "T1499.001"},
		{picket.ClassDDoS, typeACKFlood}:           {"TA0040", "T1499.001"},
		{picket.ClassDDoS, typeHTTPFlood}:          {"TA0040", "T1499.002"},
		{picket.ClassDDoS, typeUDPFlood}:           {"TA0040", "T1498.001"},
		{picket.ClassDDoS, typeICMPFlood}:          {"TA0040", "T1498.001"},
		{picket.ClassDDoS, typeReflection}:         {"TA0040", "T1498.002"},
		{picket.ClassScan, typeHostSweep}:          {"TA0043", "T1595.001"},
		{picket.ClassScan, typePingSweep}:          {"TA0043", "T1595.001"},
		{picket.ClassBruteforce, typeSpraying}:     {"TA0006", "T1110.003"},
		{picket.ClassExfiltration, typeDNSTunnel}:  {"TA0010", "T1048.003"},
		{picket.ClassExfiltration, typeICMPTunnel}: {"TA0010", "T1048.003"},
		{picket.ClassC2, typeDNSTunnel}:            {"TA0011", "T1071.004"},
		{picket.ClassC2, typeICMPTunnel}:           {"TA0011", "T1572"},
	}
	byClass = map[string]technique{
		picket.ClassDDoS:         {"TA0040", "T1498"},
		picket.ClassScan:         {"TA0043", "T1595"},
		picket.ClassBruteforce:   {"TA0006", "T1110.001"},
		picket.ClassExfiltration: {"TA0010", "T1048"},
		picket.ClassC2:           {"TA0011", "T1071"},
		picket.ClassAccess:       {"TA0001", "T1078"},
		picket.ClassPhishing:     {"TA0001", "T1566"},
	}
)

// Technique returns the ids of the ATT&CK tactic and technique of a finding, ""
// for an anomaly. A scan from within is Discovery, one from outside is
// Reconnaissance.
func Technique(f *picket.Finding) (tactic, id string) {
	if f.Class == picket.ClassScan && fromWithin(f) {
		return "TA0007", "T1046"
	}
	if t := accessTypeNamed(f); t != nil {
		return t.tactic, t.id
	}
	if l := listOf(f); l != nil {
		return l.tactic, l.id
	}
	if t, ok := ruleTypes[f.Type]; ok && f.Cut == picket.CutRule {
		return t.tactic, t.id
	}
	t, ok := byType[[2]string{f.Class, f.Type}]
	if !ok {
		t = byClass[f.Class]
	}
	return t.tactic, t.id
}

// fromWithin reports whether one of the actors has a private address.
func fromWithin(f *picket.Finding) bool {
	if f.Entity.Kind == picket.KindActor {
		return private(f.Entity.ID)
	}
	return slices.ContainsFunc(f.Peers, private)
}

func private(id string) bool {
	a, err := netip.ParseAddr(id)
	return err == nil && (a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast())
}

func attacksOf(f *picket.Finding) []attack {
	tactic, id := Technique(f)
	if id == "" {
		return nil
	}
	parent, _, sub := strings.Cut(id, ".")
	a := attack{
		Version:   attackVersion,
		Tactic:    attackID{tactic, tactics[tactic]},
		Technique: attackID{parent, techniques[parent]},
	}
	if sub {
		a.SubTechnique = &attackID{id, techniques[id]}
	}
	return []attack{a}
}

// baseSeverity is how bad a class is at an even chance or better.
var baseSeverity = map[string]picket.Severity{
	picket.ClassDDoS:         picket.SeverityHigh,
	picket.ClassScan:         picket.SeverityLow,
	picket.ClassBruteforce:   picket.SeverityMedium,
	picket.ClassExfiltration: picket.SeverityHigh,
	picket.ClassC2:           picket.SeverityHigh,
	picket.ClassAccess:       picket.SeverityHigh,
	picket.ClassPhishing:     picket.SeverityMedium,
	picket.ClassAnomaly:      picket.SeverityLow,
}

// strong is how far over its threshold, in log-odds, a score is beyond doubt:
// the odds are e^4, 55 times those of the threshold.
const strong = 4

// severity is the class's, one step up if the score is far over its threshold
// and likely, or if a scan comes from within, and one step down below an even
// chance.
func severity(f *picket.Finding) picket.Severity {
	s, ok := baseSeverity[f.Class]
	if f.Class == picket.ClassAccess && (f.Type == "password-guessing" || f.Type == "password-spraying") {
		s = picket.SeverityLow // of whom is guessed at: nobody got in
	}
	if !ok {
		s = picket.SeverityMedium
	}
	switch {
	case f.Confidence < 0.5:
		s--
	case f.Confidence >= 0.9 && f.Margin-f.Threshold >= strong && f.Class != picket.ClassAnomaly:
		s++
	}
	if f.Class == picket.ClassScan && fromWithin(f) {
		s++
	}
	return min(max(s, picket.SeverityInformational), picket.SeverityCritical)
}
