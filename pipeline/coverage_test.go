package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/triage"
)

var updateCoverage = flag.Bool("update-coverage", false, "rewrite docs/coverage.md")

// covered is a type of finding of Amazon GuardDuty and what stands for it here. The
// types, the log that suffices and the priority are those that the project chose to
// match; see docs.aws.amazon.com/guardduty, "finding types".
type covered struct {
	name     string
	log      string
	priority int

	rule             string     // of extract.Rules: tested below by
	positive, benign []trailLog // one that fires and one that looks like it

	says func(*testing.T) say // tested by what is told of two logs
	want string               // and by the class or type that the first has and the second has not
	by   string               // how, in words
	not  string               // why it is not covered
}

// trailLog is one line of a log: an event of CloudTrail as JSON, or a line of sshd.
type trailLog string

// event is an event of CloudTrail at a minute of 2025-11-22; the rest of its fields
// come from more, which wins.
func event(minute int, service, name, more string) trailLog {
	fields := map[string]string{
		"userIdentity": `{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333","accessKeyId":"AKIAALICE","userName":"alice"}`,
		"address":      "198.51.100.7",
	}
	for part := range strings.SplitSeq(more, ";") {
		if key, value, ok := strings.Cut(part, "="); ok {
			fields[strings.TrimSpace(key)] = value
		}
	}
	if id := fields["machine"]; id != "" {
		fields["userIdentity"] = fmt.Sprintf(`{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/web/%s","accountId":"111122223333","accessKeyId":"ASIA%d"}`, id, minute)
	}
	return trailLog(fmt.Sprintf(`{"eventVersion":"1.09","userIdentity":%s,"eventTime":"2025-11-22T10:%02d:00Z","eventSource":"%s.amazonaws.com","eventName":"%s","awsRegion":"%s","sourceIPAddress":"%s","userAgent":"%s","errorCode":%s,"requestParameters":%s,"responseElements":%s,"additionalEventData":{"MFAUsed":"%s"},"eventID":"%d-%s","recipientAccountId":"111122223333"}`,
		fields["userIdentity"], minute, service, name, cmp.Or(fields["region"], "us-east-1"), fields["address"], cmp.Or(fields["agent"], "aws-cli/2"), cmp.Or(fields["error"], "null"), cmp.Or(fields["request"], "null"), cmp.Or(fields["response"], "null"), cmp.Or(fields["mfa"], "Yes"), minute, name))
}

func console(minute int, address string) trailLog {
	return event(minute, "signin", "ConsoleLogin", "address="+address+`;response={"ConsoleLogin":"Success"}`)
}

// guesses are failed logins of one source, all of one user or of a user each.
func guesses(n int, users bool) (lines []trailLog) {
	for i := range n {
		user := "root"
		if users {
			user = fmt.Sprint("user", i)
		}
		lines = append(lines, trailLog(fmt.Sprintf("2025-11-22T10:%02d:%02dZ host sshd[1]: Failed password for %s from 203.0.113.9 port %d ssh2", i/60, i%60, user, 4000+i)))
	}
	return lines
}

const (
	byModel = "the traffic model"
	byNames = "the model of names"
	byRule  = "a rule over flows"
	aList   = "a list of yours"

	byBaseline = "the baseline, once it has learned the site for a day"
)

// One conversation with an answer, and one lookup, for the lists to speak of.
var (
	talked  = rawText("raw/flows.log", nine.Add(2*time.Hour), answered(nine, "10.0.0.5", 40000, "198.51.100.7", 9001))
	relayed = rawText("raw/flows.log", nine.Add(2*time.Hour), answered(nine, "198.51.100.7", 40000, "10.0.0.5", 9001))
	asked   = resolver("raw/lookups.log", "10.0.0.5 www.listed-name.com")
	called  = trail("raw/trail.json", event(1, "s3", "ListBuckets", ""), event(2, "s3", "PutBucketPolicy", ""))
)

const (
	near     = "198.51.100.8\n"
	nearName = "otherlisted-name.com\n"
)

// coverage is every type of priority 1, those of priority 2 that CloudTrail tells,
// and the rest of the list.
var coverage = slices.Concat(accessCoverage, []covered{
	{name: "UnauthorizedAccess:EC2/SSHBruteForce", log: "VPC flow logs", priority: 1, by: byModel, want: picket.ClassBruteforce, says: byAttack("at 00:02 for 9m bruteforce ssh strength 1 from outside", "ansible level 3")},
	{name: "UnauthorizedAccess:EC2/RDPBruteForce", log: "VPC flow logs", priority: 1, by: byModel, want: picket.ClassBruteforce, says: byAttack("at 00:02 for 9m bruteforce rdp strength 1 from outside", "rdp-session level 3")},
	{name: "Impact:EC2/WinRMBruteForce", log: "VPC flow logs", priority: 1, by: byModel, want: picket.ClassBruteforce, says: byAttack("at 00:02 for 9m bruteforce winrm strength 1 from outside", "deploy level 3")},
	{name: "Backdoor:EC2/DenialOfService.Tcp", log: "VPC flow logs", priority: 1, by: byRule, want: triage.TypeFlood, says: byLog(floodOf(6, 80, 200, 500), answered(nine, "10.0.0.9", 4000, "198.51.100.7", 80))},
	{name: "Backdoor:EC2/DenialOfService.Udp", log: "VPC flow logs", priority: 1, by: byRule, want: triage.TypeFloodUDP, says: byLog(floodOf(17, 443, 200, 500), floodOf(17, 443, 1, 20000))},
	{name: "Backdoor:EC2/DenialOfService.Dns", log: "VPC flow logs", priority: 1, by: byRule, want: triage.TypeFloodDNS, says: byLog(floodOf(17, 53, 200, 500), asksOf("198.51.100.7", 53, 100, "10.0.0.9"))},
	{name: "Backdoor:EC2/DenialOfService.UdpOnTcpPorts", log: "VPC flow logs", priority: 1, by: byRule, want: triage.TypeFloodOddPorts, says: byLog(floodOf(17, 80, 200, 500), floodOf(17, 80, 1, 20000))},
	{name: "Backdoor:EC2/DenialOfService.UnusualProtocol", log: "VPC flow logs", priority: 1, by: byRule, want: triage.TypeFloodOdd, says: byLog(floodOf(47, 0, 1, 100000), floodOf(47, 0, 1, 20000))},
	{name: "(a flood of a host of yours, which GuardDuty has no type for)", log: "VPC flow logs", priority: 1, by: byModel, want: picket.ClassDDoS, says: byAttack("at 00:02 for 8m ddos syn-flood strength 1 to web1", "visitors level 4")},
	{name: "Recon:EC2/PortProbeUnprotectedPort", log: "VPC flow logs", priority: 1, by: byModel, want: picket.ClassScan, says: byAttack("at 00:02 for 9m scan horizontal strength 1 from outside", "radiation level 1")},
	{name: "Recon:EC2/Portscan", log: "VPC flow logs", priority: 1, by: byModel, want: picket.ClassScan, says: byAttack("at 00:02 for 9m scan syn strength 1 from host3", "inventory level 3")},
	{name: "Impact:EC2/PortSweep", log: "VPC flow logs", priority: 1, by: byModel, want: picket.ClassScan, says: byAttack("at 00:02 for 9m scan outward strength 1 from host3", "p2p level 1")},
	{name: "Backdoor:EC2/Spambot", log: "VPC flow logs", priority: 1, by: byRule, want: triage.TypeSpambot, says: byLog(mails("10.0.0.5", 25), mails("10.0.0.5", 25)+answered(nine, "198.51.100.200", 50000, "10.0.0.5", 25))},
	{name: "DefenseEvasion:EC2/UnusualDNSResolver", log: "VPC flow logs", priority: 1, by: byRule, want: triage.TypeResolver,
		says: byLog(asksOf("10.0.0.2", 53, 12, threeHosts...)+asksOf("203.0.113.53", 53, 12, "10.0.0.5"), asksOf("10.0.0.2", 53, 12, threeHosts...)+asksOf("203.0.113.53", 53, 12, threeHosts...))},
	{name: "DefenseEvasion:EC2/UnusualDoTActivity", log: "VPC flow logs", priority: 1, by: byRule, want: triage.TypeDoT, says: byLog(asksOf("203.0.113.53", 853, 4, "10.0.0.5"), asksOf("203.0.113.53", 853, 4, threeHosts...))},
	{name: "DefenseEvasion:EC2/UnusualDoHActivity", log: "VPC flow logs and a list", priority: 1, by: aList + " of tag doh", want: "listed-doh", says: byList("doh", talked, "198.51.100.7", near)},
	{name: "Behavior:EC2/NetworkPortUnusual", log: "VPC flow logs", priority: 1, by: byBaseline, want: picket.ClassAnomaly, says: byHabit(portUse(6667), portUse(443))},
	{name: "Behavior:EC2/TrafficVolumeUnusual", log: "VPC flow logs", priority: 1, by: byBaseline, want: picket.ClassAnomaly, says: byHabit(sent(300_000), sent(10))},
	{name: "Trojan:EC2/DNSDataExfiltration", log: "resolver logs", priority: 1, by: "a rule over lookups", want: triage.TypeNameTunnel, says: byLookups(tunnel(300, 30), tunnel(300, 12))},
	{name: "Trojan:EC2/DGADomainRequest.B", log: "resolver logs", priority: 1, by: "a rule over lookups", want: triage.TypeRandomDomains, says: byLookups(generated(60, "NXDOMAIN"), generated(60, "NOERROR"))},
	{name: "Trojan:EC2/DGADomainRequest.C!DNS", log: "resolver logs", priority: 1, by: "a rule over lookups", want: triage.TypeRandomDomains, says: byLookups(generated(60, "NXDOMAIN"), generated(8, "NXDOMAIN"))},
	{name: "Impact:EC2/SuspiciousDomainRequest.Reputation", log: "resolver logs", priority: 1, by: byNames + ", by the name alone: there is no reputation behind it", want: picket.ClassPhishing,
		says: byLookups([]string{"10.0.0.5 paypal-account-verify.support"}, []string{"10.0.0.5 www.paypal.com", "10.0.0.5 www.wikipedia.org"})},
	{name: "Trojan:EC2/PhishingDomainRequest!DNS", log: "resolver logs and a list", priority: 1, by: aList + " of tag phishing", want: "listed-phishing", says: byList("phishing", asked, "listed-name.com", nearName)},
	{name: "Impact:EC2/MaliciousDomainRequest.Reputation", log: "resolver logs and a list", priority: 1, by: aList + " of tag malicious", want: "listed-malicious", says: byList("malicious", asked, "listed-name.com", nearName)},
	{name: "Impact:EC2/AbusedDomainRequest.Reputation", log: "resolver logs and a list", priority: 1, by: aList + " of tag abused", want: "listed-abused", says: byList("abused", asked, "listed-name.com", nearName)},
	{name: "Impact:EC2/MaliciousDomainRequest.Custom", log: "resolver logs and a list", priority: 1, by: aList + " of tag threat", want: "listed-threat", says: byList("threat", asked, "listed-name.com", nearName)},
	{name: "UnauthorizedAccess:EC2/MaliciousIPCaller.Custom", log: "VPC flow logs and a list", priority: 1, by: aList + " of tag threat", want: "listed-threat", says: byList("threat", talked, "198.51.100.7", near)},
	{name: "UnauthorizedAccess:EC2/TorClient", log: "VPC flow logs and a list", priority: 1, by: aList + " of tag tor", want: "listed-tor", says: byList("tor", talked, "198.51.100.7", near)},
	{name: "UnauthorizedAccess:EC2/TorRelay", log: "VPC flow logs and a list", priority: 1, by: aList + " of tag tor", want: "listed-tor-relay", says: byList("tor", relayed, "198.51.100.7", near)},
	{name: "Backdoor:EC2/C&CActivity.B", log: "VPC flow logs and a list", priority: 1, by: aList + " of tag c2; beacons without one by the traffic model", want: "listed-c2", says: byList("c2", talked, "198.51.100.0/29", near)},
	{name: "Backdoor:EC2/C&CActivity.B!DNS", log: "resolver logs and a list", priority: 1, by: aList + " of tag c2", want: "listed-c2", says: byList("c2", asked, "www.listed-name.com", nearName)},
	{name: "Trojan:EC2/DriveBySourceTraffic!DNS", log: "resolver logs and a list", priority: 2, by: aList + " of tag driveby", want: "listed-driveby", says: byList("driveby", asked, "listed-name.com", nearName)},
	{name: "Trojan:EC2/DropPoint", log: "VPC flow logs and a list", priority: 2, by: aList + " of tag drop", want: "listed-drop", says: byList("drop", talked, "198.51.100.7", near)},
	{name: "Trojan:EC2/DropPoint!DNS", log: "resolver logs and a list", priority: 2, by: aList + " of tag drop", want: "listed-drop", says: byList("drop", asked, "listed-name.com", nearName)},
	{name: "Trojan:EC2/BlackholeTraffic", log: "VPC flow logs and a list", priority: 2, by: aList + " of tag blackhole", want: "listed-blackhole", says: byList("blackhole", talked, "198.51.100.7", near)},
	{name: "Trojan:EC2/BlackholeTraffic!DNS", log: "resolver logs and a list", priority: 2, by: aList + " of tag blackhole", want: "listed-blackhole", says: byList("blackhole", asked, "listed-name.com", nearName)},
	{name: "CryptoCurrency:EC2/BitcoinTool.B", log: "VPC flow logs and a list", priority: 2, by: aList + " of tag mining", want: "listed-mining", says: byList("mining", talked, "198.51.100.7", near)},
	{name: "CryptoCurrency:EC2/BitcoinTool.B!DNS", log: "resolver logs and a list", priority: 2, by: aList + " of tag mining", want: "listed-mining", says: byList("mining", asked, "listed-name.com", nearName)},
	{name: "Recon:IAMUser/MaliciousIPCaller", log: "CloudTrail and a list", priority: 2, by: aList + " of tag malicious", want: "listed-malicious", says: byList("malicious", called, "198.51.100.7", near)},
	{name: "Recon:IAMUser/MaliciousIPCaller.Custom", log: "CloudTrail and a list", priority: 2, by: aList + " of tag threat", want: "listed-threat", says: byList("threat", called, "198.51.100.7", near)},
	{name: "Recon:IAMUser/TorIPCaller", log: "CloudTrail and a list", priority: 2, by: aList + " of tag tor", want: "listed-tor", says: byList("tor", called, "198.51.100.7", near)},
	{name: "UnauthorizedAccess:IAMUser/MaliciousIPCaller", log: "CloudTrail and a list", priority: 2, by: aList + " of tag malicious", want: "listed-malicious", says: byList("malicious", called, "198.51.100.0/24", near)},
	{name: "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom", log: "CloudTrail and a list", priority: 2, by: aList + " of tag threat", want: "listed-threat", says: byList("threat", called, "198.51.100.0/24", near)},
	{name: "UnauthorizedAccess:IAMUser/TorIPCaller", log: "CloudTrail and a list", priority: 2, by: aList + " of tag tor", want: "listed-tor", says: byList("tor", called, "198.51.100.0/24", near)},
	{name: "UnauthorizedAccess:EC2/MetadataDNSRebind", log: "resolver logs", priority: 2, not: "no rule looks at what address a name leads to"},
	{name: "Impact:EC2/BitcoinDomainRequest.Reputation", log: "resolver logs", priority: 2, by: aList + " of tag mining", not: "without a list"},
	{name: "AttackSequence:EC2/CompromisedInstanceGroup", log: "several", priority: 2, not: "findings are not joined into sequences"},
	{name: "AttackSequence:IAM/CompromisedCredentials", log: "several", priority: 2, not: "findings are not joined into sequences"},
})

func sweep(n int) (events []trailLog) {
	for i := range n {
		events = append(events, event(i, "secretsmanager", "GetSecretValue", fmt.Sprintf(`request={"secretId":"app/%d"}`, i)))
	}
	return events
}

// refused are calls that fail for want of a permission, so many a minute.
func refused(n, minutes int) (events []trailLog) {
	for i := range n {
		e := event(i*minutes, "rds", fmt.Sprint("Describe", i), `error="AccessDenied"`)
		events = append(events, e)
	}
	return events
}

// hits reports whether a rule hits in any row of a log.
func hits(t *testing.T, rule string, lines []trailLog) bool {
	t.Helper()
	var log bytes.Buffer
	for _, line := range lines {
		log.WriteString(string(line) + "\n")
	}
	at := slices.IndexFunc(extract.AccessCatalogue, func(f extract.AccessFeature) bool { return f.Name == "rule_"+rule })
	if at < 0 {
		t.Fatalf("no rule %s", rule)
	}
	days, err := AccessDays(context.Background(), &log)
	if err != nil {
		t.Fatal(err)
	}
	hit, rows := false, 0
	for i := range days {
		err := days[i].Rows(context.Background(), nil, func(f *picket.Features) error {
			rows++
			hit = hit || f.Seconds == picket.Hour && f.Values[at] > 0
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if rows == 0 {
		t.Fatalf("%s: no rows", rule)
	}
	return hit
}

// What stands for a type fires for it and not for what looks like it, and
// docs/coverage.md says so.
func TestCoverage(t *testing.T) {
	var page strings.Builder
	page.WriteString("# Coverage of GuardDuty's finding types\n\nMade by `go test ./pipeline -run TestCoverage -update-coverage`, which fails where what stands for a type stays silent on its positive test or speaks on its benign look-alike. " +
		"Rules over CloudTrail and logins are features of the access detector, whose boosters make the findings; while an account has no history they make findings themselves. The others are tested by the findings that come of small logs: simulated or handmade, judged by the package in the binary. " +
		"The types are the project's choice from the list in the user guide of Amazon GuardDuty: all of priority 1, and those of priority 2 and 3 that CloudTrail tells. **What needs a list is not covered without one.**\n\n" +
		"| type | log | priority | covered by | tested by | ATT&CK | not covered, and why |\n|---|---|---|---|---|---|---|\n")
	tested, open := 0, 0
	for _, c := range coverage {
		technique, by, test := "", c.by, ""
		switch {
		case c.rule != "":
			technique = extract.Rules[slices.IndexFunc(extract.Rules, func(r extract.Rule) bool { return r.Name == c.rule })].Technique
			by, test = "rule "+c.rule, "a hit, and none on a look-alike"
			if !hits(t, c.rule, c.positive) {
				t.Errorf("%s: rule %s is silent on the positive test", c.name, c.rule)
			}
			if hits(t, c.rule, c.benign) {
				t.Errorf("%s: rule %s hits the look-alike", c.name, c.rule)
			}
		case c.says != nil:
			test = "finding of `" + c.want + "`, and none on a look-alike"
			technique = c.told(t)
		case by == "" && c.not == "":
			t.Errorf("%s: nothing is said of it", c.name)
		}
		if test != "" {
			tested++
		} else {
			open++
		}
		fmt.Fprintf(&page, "| %s | %s | %d | %s | %s | %s | %s |\n", c.name, c.log, c.priority, by, test, technique, c.not)
	}
	fmt.Fprintf(&page, "\n%d rows are tested by themselves, %d are not.\n\n## Rules of access\n\n| rule | holds for | ATT&CK | GuardDuty | severity |\n|---|---|---|---|---|\n", tested, open)
	for _, r := range extract.Rules {
		fmt.Fprintf(&page, "| %s | %s | %s | %s | %d |\n", r.Name, r.Meaning, r.Technique, r.GuardDuty, r.Severity)
	}
	const name = "../docs/coverage.md"
	if *updateCoverage {
		if err := os.WriteFile(name, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != page.String() {
		t.Errorf("%s is not what the tests say: run go test ./pipeline -run TestCoverage -update-coverage", name)
	}
}

// told checks what is told of the two logs of a type, and returns the technique.
func (c *covered) told(t *testing.T) (technique string) {
	t.Helper()
	is := func(f picket.Finding) bool { return f.Class == c.want || f.Type == c.want }
	say := c.says(t)
	if i := slices.IndexFunc(say.positive, is); i < 0 {
		t.Errorf("%s: nothing is told of %s on the positive test", c.name, c.want)
	} else {
		_, technique = triage.Technique(&say.positive[i])
	}
	if i := slices.IndexFunc(say.benign, is); i >= 0 {
		t.Errorf("%s: told of the look-alike: %s", c.name, say.benign[i].Sentence)
	}
	return technique
}

// Every rule names a type of finding, with the technique that the rule has.
func TestAccessTypes(t *testing.T) {
	told := triage.AccessTechniques()
	for _, r := range extract.Rules {
		if got := told[r.Name]; got != r.Technique {
			t.Errorf("rule %s is of %s and told as %q", r.Name, r.Technique, got)
		}
		delete(told, r.Name)
	}
	for name := range told {
		t.Errorf("a type for rule %s, which is none", name)
	}
}
