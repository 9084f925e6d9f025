package template

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Kind is where a statement stands.
type Kind string

// Kinds of statements.
const (
	Identity Kind = "identity" // in a role's policy: what the role may do
	Trust    Kind = "trust"    // in a role's trust policy: who may be the role
	Attached Kind = "resource" // in the policy of a bucket, key, queue, topic or function: who may use it
	Network  Kind = "network"  // in the policy of a VPC endpoint: what may pass
)

// Statement is one statement of a policy.
type Statement struct {
	Sid        string
	Kind       Kind
	Owner      string // the role's name, or the logical id of the resource
	Allow      bool
	Principals []string // "Service:events.amazonaws.com", "AWS:arn…", "*"; none in an identity policy
	Actions    []string
	Resources  []string // none in a trust policy
	Conditions []Condition
	Why        string // the comment above it
}

// Condition is one test of a statement: any of the values holds.
type Condition struct {
	Operator, Key string
	Values        []string
}

// Statements returns every statement of the stack's policies, by owner and Sid.
// A Lambda permission is a statement, too.
func (s *Stack) Statements() ([]Statement, error) {
	var all []Statement
	managed := map[string]string{} // ARN -> logical id
	for name, res := range s.Resources {
		if res.Type == "AWS::IAM::ManagedPolicy" {
			managed["policy/"+text(res.Properties["ManagedPolicyName"])] = name
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Resources)) {
		more, err := s.statementsOf(name, managed)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, more...)
	}
	for i := range all {
		all[i].Why = s.reasons[all[i].Sid]
	}
	slices.SortStableFunc(all, func(a, b Statement) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Kind, b.Kind))
	})
	return all, nil
}

func (s *Stack) statementsOf(name string, managed map[string]string) ([]Statement, error) {
	p := s.Resources[name].Properties
	switch s.Resources[name].Type {
	case "AWS::IAM::Role":
		owner := text(p["RoleName"])
		all, err := document(p["AssumeRolePolicyDocument"], Trust, owner)
		if err != nil {
			return nil, err
		}
		for _, v := range anyList(p["Policies"]) {
			more, err := document(v.(map[string]any)["PolicyDocument"], Identity, owner)
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		}
		for _, v := range anyList(p["ManagedPolicyArns"]) {
			id, ok := managed["policy/"+text(v)[strings.LastIndex(text(v), "/")+1:]]
			if !ok {
				return nil, fmt.Errorf("managed policy %v is not of this stack", v)
			}
			more, err := document(s.Resources[id].Properties["PolicyDocument"], Identity, owner)
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		}
		return all, nil
	case "AWS::KMS::Key":
		return document(p["KeyPolicy"], Attached, name)
	case "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy":
		return document(p["PolicyDocument"], Attached, name)
	case "AWS::EC2::VPCEndpoint":
		return document(p["PolicyDocument"], Network, name)
	case "AWS::Lambda::Permission":
		return []Statement{{
			Sid: name, Kind: Attached, Owner: name, Allow: true,
			Principals: []string{"Service:" + text(p["Principal"])}, Actions: texts(p["Action"]),
			Resources: texts(p["FunctionName"]),
			Conditions: []Condition{
				{"ArnLike", "aws:SourceArn", texts(p["SourceArn"])},
				{"StringEquals", "aws:SourceAccount", texts(p["SourceAccount"])},
			},
		}}, nil
	}
	return nil, nil
}

func document(v any, kind Kind, owner string) ([]Statement, error) {
	doc, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("no policy document")
	}
	var all []Statement
	for _, v := range anyList(doc["Statement"]) {
		m := v.(map[string]any)
		st := Statement{
			Sid: text(m["Sid"]), Kind: kind, Owner: owner, Allow: m["Effect"] == "Allow",
			Actions: texts(m["Action"]), Resources: texts(m["Resource"]),
		}
		switch p := m["Principal"].(type) {
		case string:
			st.Principals = []string{p}
		case map[string]any:
			for _, class := range slices.Sorted(maps.Keys(p)) {
				for _, who := range texts(p[class]) {
					st.Principals = append(st.Principals, class+":"+who)
				}
			}
		}
		conditions, _ := m["Condition"].(map[string]any)
		for _, operator := range slices.Sorted(maps.Keys(conditions)) {
			tests := conditions[operator].(map[string]any)
			for _, key := range slices.Sorted(maps.Keys(tests)) {
				st.Conditions = append(st.Conditions, Condition{operator, key, texts(tests[key])})
			}
		}
		all = append(all, st)
	}
	return all, nil
}

func anyList(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func texts(v any) []string {
	var all []string
	for _, x := range anyList(v) {
		all = append(all, text(x))
	}
	return all
}

// sidLine is a statement's first line; permissionLine that of a Lambda permission.
var (
	sidLine        = regexp.MustCompile(`^\s*- Sid: (\w+)$`)
	permissionLine = regexp.MustCompile(`^  (\w+):$`)
	commentLine    = regexp.MustCompile(`^\s*# (.*)$`)
)

// comments returns the comment above each statement of a template, by its Sid,
// and above each resource, by its logical id.
func comments(yaml string) map[string]string {
	all := map[string]string{}
	var above []string
	for line := range strings.Lines(yaml) {
		line = strings.TrimRight(line, "\n")
		if m := commentLine.FindStringSubmatch(line); m != nil {
			above = append(above, m[1])
			continue
		}
		for _, form := range []*regexp.Regexp{sidLine, permissionLine} {
			if m := form.FindStringSubmatch(line); m != nil && len(above) > 0 {
				all[m[1]] = strings.Join(above, " ")
			}
		}
		above = nil
	}
	return all
}
