package lambda

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/securityhub/types"

	"picket"
)

// Limits of the AWS Security Finding Format, in characters.
// https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html
const (
	maxTitle       = 256
	maxDescription = 1024
	maxResourceID  = 512
	maxProductText = 2048 // a value of ProductFields
)

// findingTypes says of our classes what the format's taxonomy calls them.
var findingTypes = map[string]string{
	picket.ClassDDoS:         "TTPs/Impact/Denial of Service",
	picket.ClassScan:         "TTPs/Discovery/Network Scan",
	picket.ClassBruteforce:   "TTPs/Credential Access/Brute Force",
	picket.ClassExfiltration: "Effects/Data Exfiltration",
	picket.ClassC2:           "TTPs/Command and Control",
	picket.ClassAccess:       "TTPs/Initial Access/Valid Accounts",
	picket.ClassPhishing:     "TTPs/Initial Access/Phishing",
	picket.ClassAnomaly:      "Unusual Behaviors/Network Flow",
}

// asff writes a finding in the format of Security Hub, in the account's own default
// product. The Id stays the same for all events of a finding: a later one updates it.
func asff(f *picket.Finding, partition, region, account string, now time.Time) types.AwsSecurityFinding {
	stamp := func(t time.Time) *string { return aws.String(t.UTC().Format("2006-01-02T15:04:05.000Z")) }
	kind := findingTypes[f.Class]
	if kind == "" {
		kind = "TTPs"
	}
	resource := fmt.Sprintf("picket:%s:%s", f.Entity.Kind, f.Entity.ID)
	a := types.AwsSecurityFinding{
		SchemaVersion:   aws.String("2018-10-08"),
		Id:              aws.String("picket/" + f.UID),
		ProductArn:      aws.String(fmt.Sprintf("arn:%s:securityhub:%s:%s:product/%s/default", partition, region, account, account)),
		GeneratorId:     aws.String("picket/" + f.Detector + "/" + f.Class),
		AwsAccountId:    &account,
		CreatedAt:       stamp(time.Unix(f.FirstSeen, 0)),
		UpdatedAt:       stamp(now),
		FirstObservedAt: stamp(time.Unix(f.FirstSeen, 0)),
		LastObservedAt:  stamp(time.Unix(f.LastSeen, 0)),
		Title:           cut(f.Title, maxTitle),
		Description:     cut(f.Sentence, maxDescription),
		Types:           []string{kind},
		Severity:        &types.Severity{Label: severityLabel(f.Severity), Original: aws.String(f.Severity.String())},
		Confidence:      aws.Int32(int32(math.Round(100 * f.Confidence))),
		Resources:       []types.Resource{{Type: aws.String("Other"), Id: cut(resource, maxResourceID)}},
		RecordState:     types.RecordStateActive,
		Workflow:        &types.Workflow{Status: types.WorkflowStatusNew},
		ProductFields: map[string]string{
			"picket/class": f.Class, "picket/type": *cut(f.Type, maxProductText), "picket/model": f.Model, "picket/told": fmt.Sprint(f.Count),
		},
	}
	// What a provider may change later stands here, too.
	a.FindingProviderFields = &types.FindingProviderFields{
		Confidence: a.Confidence, Types: a.Types,
		Severity: &types.FindingProviderSeverity{Label: a.Severity.Label, Original: a.Severity.Original},
	}
	switch f.Status {
	case picket.StatusClosed:
		a.RecordState = types.RecordStateArchived
	case picket.StatusSuppressed:
		a.Workflow.Status = types.WorkflowStatusSuppressed
	}
	return a
}

// cut shortens a text to so many characters; the format takes no empty one.
func cut(text string, characters int) *string {
	if text == "" {
		text = "-"
	}
	if utf8.RuneCountInString(text) > characters {
		text = string([]rune(text)[:characters-1]) + "…"
	}
	return &text
}

func severityLabel(s picket.Severity) types.SeverityLabel {
	switch s {
	case picket.SeverityLow:
		return types.SeverityLabelLow
	case picket.SeverityMedium:
		return types.SeverityLabelMedium
	case picket.SeverityHigh:
		return types.SeverityLabelHigh
	case picket.SeverityCritical:
		return types.SeverityLabelCritical
	}
	return types.SeverityLabelInformational
}
