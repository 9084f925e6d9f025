package pipeline

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/pipeline/extract"
	"picket/store"
)

// trailDay is the day of the events that event makes.
var trailDay = time.Date(2025, 11, 22, 0, 0, 0, 0, time.UTC)

// trail is a raw object of CloudTrail.
func trail(key string, events ...trailLog) Raw {
	var b strings.Builder
	for _, e := range events {
		b.WriteString(string(e) + "\n")
	}
	text := b.String()
	return Raw{Key: key, Modified: trailDay.Add(30 * time.Hour), Size: int64(len(text)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}
}

// findingsOf returns what is told of a lone CloudTrail log by a model that knows
// nothing of access.
func findingsOf(t *testing.T, events []trailLog) []picket.Finding {
	t.Helper()
	p := pipelineOver(t, store.NewMemory(nil))
	take(t, p, trail("raw/trail.json", events...))
	if err := p.Close(context.Background(), true, func([]Closed) error { return nil }); err != nil {
		t.Fatal(err)
	}
	d, err := p.Detect(context.Background(), &picket.Model{ID: strings.Repeat("a", 64)}, newWalker(), trailDay.Unix())
	if err != nil {
		t.Fatal(err)
	}
	return d.Events
}

// work is so many kinds of calls that everybody makes.
func work(n int, more string) (events []trailLog) {
	for i := range n {
		events = append(events, event(i, "ec2", fmt.Sprint("DescribeThing", i), more))
	}
	return events
}

// In an account that nothing is known of, rules tell what an analyst expects to be
// told of a lone file, and not what stands amid a day's work or is a tool's job.
func TestFirstSight(t *testing.T) {
	role := func(name, agent string) string {
		return fmt.Sprintf(`userIdentity={"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/%s/s","accountId":"111122223333","accessKeyId":"ASIAONE"};agent=%s`, name, agent)
	}
	f := func(name string, events []trailLog, kind string, severity picket.Severity) {
		t.Helper()
		found := findingsOf(t, events)
		switch {
		case kind == "" && len(found) > 0:
			t.Errorf("%s: found %s", name, found[0].Sentence)
		case kind == "":
		case len(found) != 1:
			t.Errorf("%s: %d findings", name, len(found))
		case found[0].Type != kind || found[0].Severity != severity || found[0].Cut != picket.CutRule:
			t.Errorf("%s: type %s, severity %s by %s", name, found[0].Type, found[0].Severity, found[0].Cut)
		}
	}
	stop := event(40, "cloudtrail", "StopLogging", `request={"name":"main"}`)
	f("a log stopped", []trailLog{stop}, "logging-disabled", picket.SeverityMedium)
	f("a log stopped amid work", append(work(30, ""), stop), "logging-disabled", picket.SeverityInformational)
	f("a log stopped after a look around", append(work(3, ""), stop), "logging-disabled", picket.SeverityMedium)
	f("a stop refused", []trailLog{event(1, "cloudtrail", "StopLogging", `error="AccessDenied"`)}, "denied", picket.SeverityInformational)

	shell := event(41, "ssm", "StartSession", `request={"target":"i-1"}`)
	f("a shell", []trailLog{shell, event(42, "sts", "GetCallerIdentity", "")}, "remote-control", picket.SeverityLow)
	f("a shell amid work", append(work(30, ""), shell), "", 0)

	f("a shell amid a person's work", append(work(8, ""), shell, event(50, "iam", "ListUsers", ""), event(51, "iam", "ListRoles", ""),
		event(52, "s3", "ListBuckets", ""), event(53, "sts", "GetCallerIdentity", "")), "", 0)

	remove := func(i int) trailLog {
		return event(i, "ec2", "DeleteSnapshot", fmt.Sprintf(`request={"snapshotId":"snap-%d"};agent=Boto3/1.35`, i))
	}
	boto := "agent=Boto3/1.35"
	f("a backup and the old one's end", []trailLog{event(1, "ec2", "DescribeVolumes", boto), event(2, "ec2", "CreateSnapshot", boto), remove(3)}, "", 0)
	f("many backups' end", []trailLog{event(1, "ec2", "DescribeSnapshots", boto), remove(3), remove(4), remove(5)}, "destroyed", picket.SeverityLow)

	login := func(minute int, who, mfa, address string) trailLog {
		return event(minute, "signin", "ConsoleLogin", fmt.Sprintf(`agent=Mozilla/5.0;response={"ConsoleLogin":"Success"};mfa=%s;address=%s;%s`, mfa, address, who))
	}
	f("a login without a second factor amid work", append(work(12, ""), login(30, "", "No", "198.51.100.7")), "console-without-mfa", picket.SeverityInformational)
	f("a login with one", append(work(12, ""), login(30, "", "Yes", "198.51.100.7")), "", 0)
	f("people who share a role", []trailLog{login(30, role("admin", "Mozilla/5.0"), "No", "198.51.100.7"), login(31, role("admin", "Mozilla/5.0"), "No", "203.0.113.7")}, "", 0)

	var mine []trailLog
	for i, region := range []string{"us-west-2", "sa-east-1", "ap-south-1"} {
		mine = append(mine, event(i, "ec2", "RunInstances", "region="+region), event(i, "ec2", "CreateKeyPair", "region="+region), event(i, "ec2", "DescribeInstanceTypes", "region="+region))
	}
	f("machines all over the world", mine, "compute-launched", picket.SeverityLow)
	f("machines in one region", mine[:3], "", 0)

	code := func(more string) trailLog {
		return event(1, "lambda", "UpdateFunctionCode20150331v2", `request={"functionName":"f"};`+more)
	}
	f("code changed by a person", []trailLog{code("")}, "code-changed", picket.SeverityInformational)
	f("code changed by a build", []trailLog{code(role("ci-deploy", "aws-sdk-nodejs/2"))}, "", 0)
	grant := `request={"roleName":"app","policyName":"p","policyDocument":"{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"*\"}]}"};`
	f("rights granted by Terraform", []trailLog{event(1, "iam", "PutRolePolicy", grant+role("tf", "APN/1.0 HashiCorp/1.0 Terraform/1.7.4"))}, "", 0)
	f("rotation of one's own key", append(work(3, ""), event(4, "iam", "CreateAccessKey", `request={"userName":"alice"}`)), "", 0)
}

// Once the account is known, rules are the booster's and tell nothing themselves.
func TestFirstSightEnds(t *testing.T) {
	at := map[string]int{}
	for i, f := range extract.AccessCatalogue {
		at[f.Name] = i
	}
	row := make([]float64, len(extract.AccessCatalogue))
	row[at["rule_logging_off"]], row[at["severity_max"]], row[at["account_new_actions"]] = 1, 4, 1
	if got := extract.FirstSight(row); got != 0 {
		t.Errorf("an account with a history: severity %d", got)
	}
	row[at["account_new_actions"]] = math.NaN()
	if got := extract.FirstSight(row); got != 4 {
		t.Errorf("without: severity %d", got)
	}
}
