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
	by               string     // what else covers it
	not              string     // why it is not covered
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
	return trailLog(fmt.Sprintf(`{"eventVersion":"1.09","userIdentity":%s,"eventTime":"2025-11-22T10:%02d:00Z","eventSource":"%s.amazonaws.com","eventName":"%s","awsRegion":"us-east-1","sourceIPAddress":"%s","userAgent":"%s","errorCode":%s,"requestParameters":%s,"responseElements":%s,"additionalEventData":{"MFAUsed":"Yes"},"eventID":"%d-%s","recipientAccountId":"111122223333"}`,
		fields["userIdentity"], minute, service, name, fields["address"], cmp.Or(fields["agent"], "aws-cli/2"), cmp.Or(fields["error"], "null"), cmp.Or(fields["request"], "null"), cmp.Or(fields["response"], "null"), minute, name))
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
	byFlows = "the traffic detector: "
	byNames = "the phishing detector: "
	noList  = "reads a list of addresses or names that the user must give; there is no such list in Picket yet"
)

// coverage is every type of priority 1, those of priority 2 that CloudTrail tells,
// and the rest of the list.
var coverage = []covered{
	{name: "Stealth:IAMUser/CloudTrailLoggingDisabled", log: "CloudTrail", priority: 2, rule: "logging_off",
		positive: []trailLog{event(1, "cloudtrail", "StopLogging", `request={"name":"main"}`)},
		benign:   []trailLog{event(1, "cloudtrail", "StopLogging", `request={"name":"main"};error="AccessDenied"`), event(2, "cloudtrail", "StartLogging", `request={"name":"main"}`), event(3, "cloudtrail", "DescribeTrails", "")}},
	{name: "Stealth:IAMUser/CloudTrailLoggingDisabled (event selectors)", log: "CloudTrail", priority: 2, rule: "logging_narrowed",
		positive: []trailLog{event(1, "cloudtrail", "PutEventSelectors", `request={"trailName":"main","eventSelectors":[{"readWriteType":"WriteOnly","includeManagementEvents":false}]}`)},
		benign:   []trailLog{event(1, "cloudtrail", "PutEventSelectors", `request={"trailName":"main","eventSelectors":[{"readWriteType":"All","includeManagementEvents":true}]}`)}},
	{name: "DefenseImpairment:EC2/DisableOrModifyTools", log: "CloudTrail", priority: 2, rule: "logging_off",
		positive: []trailLog{event(1, "ec2", "DeleteFlowLogs", `request={"DeleteFlowLogsRequest":{"FlowLogId":{"tag":1,"content":"fl-1"}}}`)},
		benign:   []trailLog{event(1, "ec2", "CreateFlowLogs", `request={"CreateFlowLogsRequest":{"ResourceId":"vpc-1"}}`), event(2, "ec2", "DescribeFlowLogs", "")}},
	{name: "DefenseImpairment:EC2/DisableOrModifyTools (guards)", log: "CloudTrail", priority: 2, rule: "guard_off",
		positive: []trailLog{event(1, "guardduty", "DeleteDetector", `request={"detectorId":"1"}`)},
		benign:   []trailLog{event(1, "guardduty", "UpdateDetector", `request={"detectorId":"1","enable":true}`), event(2, "guardduty", "GetDetector", "")}},
	{name: "UnauthorizedAccess:IAMUser/ConsoleLoginSuccess.B", log: "CloudTrail", priority: 2, rule: "console_from_afar",
		positive: []trailLog{console(1, "198.51.100.7"), console(30, "203.0.113.9")},
		benign:   []trailLog{console(1, "198.51.100.7"), console(30, "198.51.7.200")}},
	{name: "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS", log: "CloudTrail", priority: 2, rule: "instance_credentials_elsewhere",
		positive: []trailLog{event(1, "s3", "ListBuckets", "machine=i-0123456789abcdef0"), event(2, "s3", "ListBuckets", "machine=i-0123456789abcdef0;address=203.0.113.9")},
		benign:   []trailLog{event(1, "s3", "ListBuckets", "machine=i-0123456789abcdef0"), event(2, "s3", "ListBuckets", "machine=i-0123456789abcdef0;address=10.0.0.7"), event(3, "s3", "ListBuckets", "machine=i-0fedcba9876543210;address=203.0.113.9")}},
	{name: "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.InsideAWS", log: "CloudTrail", priority: 2, rule: "instance_credentials_elsewhere",
		positive: []trailLog{event(1, "sts", "GetCallerIdentity", "machine=i-0123456789abcdef0"), event(2, "ec2", "DescribeInstances", "machine=i-0123456789abcdef0;address=18.184.7.9")},
		benign:   []trailLog{event(1, "sts", "GetCallerIdentity", "machine=i-0123456789abcdef0"), event(2, "ec2", "DescribeInstances", "machine=i-0123456789abcdef0;address=198.51.100.9")}},
	{name: "UnauthorizedAccess:IAMUser/ResourceCredentialExfiltration.OutsideAWS", log: "CloudTrail", priority: 3, rule: "session_elsewhere",
		positive: []trailLog{event(1, "s3", "ListBuckets", `userIdentity={"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/fn/s","accountId":"111122223333","accessKeyId":"ASIAONE"}`),
			event(2, "s3", "ListBuckets", `userIdentity={"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/fn/s","accountId":"111122223333","accessKeyId":"ASIAONE"};address=203.0.113.9`)},
		benign: []trailLog{event(1, "s3", "ListBuckets", `userIdentity={"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/fn/s","accountId":"111122223333","accessKeyId":"ASIAONE"}`),
			event(2, "s3", "ListBuckets", `userIdentity={"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/fn/s","accountId":"111122223333","accessKeyId":"ASIATWO"};address=203.0.113.9`)}},
	{name: "Policy:IAMUser/RootCredentialUsage", log: "CloudTrail", priority: 3, rule: "root_used",
		positive: []trailLog{event(1, "iam", "ListUsers", `userIdentity={"type":"Root","arn":"arn:aws:iam::111122223333:root","accountId":"111122223333"}`)},
		benign:   []trailLog{event(1, "iam", "ListUsers", "")}},
	{name: "CredentialAccess:IAMUser/AnomalousBehavior", log: "CloudTrail", priority: 3, rule: "secrets_swept",
		positive: sweep(9), benign: sweep(3)},
	{name: "Discovery:IAMUser/AnomalousBehavior", log: "CloudTrail", priority: 3, rule: "denied_burst",
		positive: refused(12, 0), benign: refused(12, 4)},
	{name: "InitialAccess:IAMUser/AnomalousBehavior", log: "CloudTrail", priority: 3, rule: "console_without_mfa",
		positive: []trailLog{trailLog(strings.Replace(string(console(1, "198.51.100.7")), `"Yes"`, `"No"`, 1))},
		benign:   []trailLog{console(1, "198.51.100.7")}},
	{name: "UnauthorizedAccess:EC2/SSHBruteForce", log: "VPC flow logs", priority: 1, rule: "password_guessing",
		positive: guesses(20, false), benign: guesses(4, false), by: byFlows + "class bruteforce"},
	{name: "UnauthorizedAccess:EC2/SSHBruteForce (spraying)", log: "sshd", priority: 1, rule: "password_spraying",
		positive: guesses(12, true), benign: guesses(5, true)},
	{name: "UnauthorizedAccess:EC2/RDPBruteForce", log: "VPC flow logs", priority: 1, by: byFlows + "class bruteforce; Zeek rdp feeds the access detector, which cannot tell how a login ended"},
	{name: "Impact:EC2/WinRMBruteForce", log: "VPC flow logs", priority: 1, by: byFlows + "class bruteforce"},
	{name: "Backdoor:EC2/DenialOfService.Tcp", log: "VPC flow logs", priority: 1, by: byFlows + "class ddos"},
	{name: "Backdoor:EC2/DenialOfService.Udp", log: "VPC flow logs", priority: 1, by: byFlows + "class ddos"},
	{name: "Backdoor:EC2/DenialOfService.Dns", log: "VPC flow logs", priority: 1, by: byFlows + "class ddos"},
	{name: "Backdoor:EC2/DenialOfService.UdpOnTcpPorts", log: "VPC flow logs", priority: 1, by: byFlows + "class ddos"},
	{name: "Backdoor:EC2/DenialOfService.UnusualProtocol", log: "VPC flow logs", priority: 1, by: byFlows + "class ddos"},
	{name: "Recon:EC2/PortProbeUnprotectedPort", log: "VPC flow logs", priority: 1, by: byFlows + "class scan"},
	{name: "Recon:EC2/Portscan", log: "VPC flow logs", priority: 1, by: byFlows + "class scan"},
	{name: "Impact:EC2/PortSweep", log: "VPC flow logs", priority: 1, by: byFlows + "class scan"},
	{name: "Backdoor:EC2/Spambot", log: "VPC flow logs", priority: 1, not: "no class or rule speaks of mail that is sent in bulk"},
	{name: "Trojan:EC2/DNSDataExfiltration", log: "resolver logs", priority: 1, by: byFlows + "class exfiltration (tunnels), in flows and packets"},
	{name: "Behavior:EC2/NetworkPortUnusual", log: "VPC flow logs", priority: 1, by: "the baseline: class anomaly, where it has learned the site"},
	{name: "Behavior:EC2/TrafficVolumeUnusual", log: "VPC flow logs", priority: 1, by: "the baseline: class anomaly, where it has learned the site"},
	{name: "DefenseEvasion:EC2/UnusualDNSResolver", log: "VPC flow logs", priority: 1, not: "no feature tells one resolver from another"},
	{name: "DefenseEvasion:EC2/UnusualDoHActivity", log: "VPC flow logs", priority: 1, not: "needs a list of DNS-over-HTTPS servers"},
	{name: "DefenseEvasion:EC2/UnusualDoTActivity", log: "VPC flow logs", priority: 1, not: "no feature tells port 853 from port 53"},
	{name: "Impact:EC2/SuspiciousDomainRequest.Reputation", log: "resolver logs", priority: 1, by: byNames + "class phishing, by the name alone; there is no reputation behind it"},
	{name: "Trojan:EC2/DGADomainRequest.B", log: "resolver logs", priority: 1, by: byNames + "class phishing, features of random names"},
	{name: "Trojan:EC2/DGADomainRequest.C!DNS", log: "resolver logs", priority: 1, by: byNames + "class phishing, features of random names"},
	{name: "Impact:EC2/MaliciousDomainRequest.Reputation", log: "resolver logs", priority: 1, not: noList},
	{name: "Impact:EC2/AbusedDomainRequest.Reputation", log: "resolver logs", priority: 1, not: noList},
	{name: "Impact:EC2/MaliciousDomainRequest.Custom", log: "resolver logs and a list", priority: 1, not: noList},
	{name: "Trojan:EC2/PhishingDomainRequest!DNS", log: "resolver logs and a list", priority: 1, by: byNames + "class phishing, by the name alone", not: ""},
	{name: "UnauthorizedAccess:EC2/MaliciousIPCaller.Custom", log: "VPC flow logs and a list", priority: 1, not: noList},
	{name: "UnauthorizedAccess:EC2/TorClient", log: "VPC flow logs and a list", priority: 1, not: noList},
	{name: "UnauthorizedAccess:EC2/TorRelay", log: "VPC flow logs and a list", priority: 1, not: noList},
	{name: "Backdoor:EC2/C&CActivity.B", log: "VPC flow logs and a list", priority: 1, by: byFlows + "class c2 (beacons), without a list"},
	{name: "Backdoor:EC2/C&CActivity.B!DNS", log: "resolver logs and a list", priority: 1, not: noList},
	{name: "Recon:IAMUser/MaliciousIPCaller", log: "CloudTrail and a list", priority: 2, not: noList},
	{name: "Recon:IAMUser/MaliciousIPCaller.Custom", log: "CloudTrail and a list", priority: 2, not: noList},
	{name: "Recon:IAMUser/TorIPCaller", log: "CloudTrail and a list", priority: 2, not: noList},
	{name: "UnauthorizedAccess:IAMUser/MaliciousIPCaller", log: "CloudTrail and a list", priority: 2, not: noList},
	{name: "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom", log: "CloudTrail and a list", priority: 2, not: noList},
	{name: "UnauthorizedAccess:IAMUser/TorIPCaller", log: "CloudTrail and a list", priority: 2, not: noList},
}

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
	page.WriteString("# Coverage of GuardDuty's finding types\n\nMade by `go test ./pipeline -run TestCoverage -update-coverage`, which fails where a type's rule stays silent on its positive test or speaks on its benign look-alike. " +
		"A rule's hits are features of the access detector; a finding is made by its boosters. The types are the project's choice from the list in the user guide of Amazon GuardDuty: all of priority 1 (what flow logs and names tell), and those of priority 2 and 3 that CloudTrail tells.\n\n" +
		"| type | log | priority | rule, tested with a positive and a look-alike | ATT&CK | also by | not covered, and why |\n|---|---|---|---|---|---|---|\n")
	tested := 0
	for _, c := range coverage {
		technique := ""
		if c.rule != "" {
			tested++
			if !hits(t, c.rule, c.positive) {
				t.Errorf("%s: rule %s is silent on the positive test", c.name, c.rule)
			}
			if hits(t, c.rule, c.benign) {
				t.Errorf("%s: rule %s hits the look-alike", c.name, c.rule)
			}
			technique = extract.Rules[slices.IndexFunc(extract.Rules, func(r extract.Rule) bool { return r.Name == c.rule })].Technique
		}
		if c.rule == "" && c.by == "" && c.not == "" {
			t.Errorf("%s: nothing is said of it", c.name)
		}
		fmt.Fprintf(&page, "| %s | %s | %d | %s | %s | %s | %s |\n", c.name, c.log, c.priority, c.rule, technique, c.by, c.not)
	}
	fmt.Fprintf(&page, "\n%d types by %d rows here have tests of their own; what \"also by\" says is measured in docs/evaluation.md and is not tested type by type.\n\n## Rules\n\n| rule | holds for | ATT&CK | GuardDuty | severity |\n|---|---|---|---|---|\n", tested, tested)
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
