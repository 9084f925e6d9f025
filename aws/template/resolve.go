package template

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Account is where a template is resolved for.
type Account struct {
	Partition, Region, ID string
}

// Stack is a template with every intrinsic function answered, as far as that is
// possible before anything is made: names and ARNs follow from the names that
// the template gives.
type Stack struct {
	Resources map[string]Resource
	reasons   map[string]string // Sid -> comment
}

// Resource is one resource of a resolved stack.
type Resource struct {
	Type       string
	Properties map[string]any
	Deletion   string // its DeletionPolicy; "" is Delete
}

// Resolve answers the functions of a template (Base or ML) for an account and
// parameters by name; those not given have their default.
func Resolve(text string, account Account, parameters map[string]string) (*Stack, error) {
	r := &resolver{tree: parsed(text), account: account, parameters: map[string]any{}, conditions: map[string]bool{}}
	for name, v := range section(r.tree, "Parameters") {
		p := v.(map[string]any)
		given, ok := parameters[name]
		if !ok {
			def, ok := p["Default"]
			if !ok {
				return nil, fmt.Errorf("parameter %s has no default and was not given", name)
			}
			given = fmt.Sprint(def)
		}
		r.parameters[name] = given
		if p["Type"] == "CommaDelimitedList" {
			r.parameters[name] = list(given)
		}
	}
	s := &Stack{Resources: map[string]Resource{}, reasons: comments(text)}
	for name, v := range section(r.tree, "Resources") {
		res := v.(map[string]any)
		if c, ok := res["Condition"].(string); ok {
			holds, err := r.condition(c)
			if err != nil {
				return nil, err
			}
			if !holds {
				continue
			}
		}
		properties, err := r.resolve(res["Properties"])
		if err != nil {
			return nil, fmt.Errorf("resource %s: %w", name, err)
		}
		deletion, _ := res["DeletionPolicy"].(string)
		s.Resources[name] = Resource{Type: res["Type"].(string), Properties: properties.(map[string]any), Deletion: deletion}
	}
	return s, nil
}

func section(tree map[string]any, name string) map[string]any {
	m, _ := tree[name].(map[string]any)
	return m
}

// list is what CloudFormation makes of a CommaDelimitedList.
func list(s string) []any {
	parts := strings.Split(s, ",")
	all := make([]any, len(parts))
	for i, p := range parts {
		all[i] = strings.TrimSpace(p)
	}
	return all
}

type resolver struct {
	tree       map[string]any
	account    Account
	parameters map[string]any
	conditions map[string]bool
}

// absent is what AWS::NoValue gives: the list or map that holds it leaves it out.
type absent struct{}

func (r *resolver) resolve(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		all := make([]any, 0, len(v))
		for _, x := range v {
			y, err := r.resolve(x)
			if err != nil {
				return nil, err
			}
			if y != (any)(absent{}) {
				all = append(all, y)
			}
		}
		return all, nil
	case map[string]any:
		if len(v) == 1 {
			for k, x := range v {
				if k == "Ref" || strings.HasPrefix(k, "Fn::") {
					return r.function(k, x)
				}
			}
		}
		m := make(map[string]any, len(v))
		for k, x := range v {
			y, err := r.resolve(x)
			if err != nil {
				return nil, err
			}
			if y != (any)(absent{}) {
				m[k] = y
			}
		}
		return m, nil
	}
	return v, nil
}

func (r *resolver) function(name string, arg any) (any, error) {
	switch name {
	case "Ref":
		return r.ref(arg.(string))
	case "Fn::Sub":
		return r.sub(arg.(string))
	case "Fn::GetAtt":
		a := arg.([]any)
		return r.attribute(a[0].(string), a[1].(string))
	case "Fn::If":
		a := arg.([]any)
		holds, err := r.condition(a[0].(string))
		if err != nil {
			return nil, err
		}
		if holds {
			return r.resolve(a[1])
		}
		return r.resolve(a[2])
	case "Fn::Join":
		a := arg.([]any)
		parts, err := r.resolve(a[1])
		if err != nil {
			return nil, err
		}
		var texts []string
		for _, p := range parts.([]any) {
			texts = append(texts, fmt.Sprint(p))
		}
		return strings.Join(texts, a[0].(string)), nil
	case "Fn::FindInMap":
		a, err := r.resolve(arg)
		if err != nil {
			return nil, err
		}
		keys := a.([]any)
		found, ok := section(section(section(r.tree, "Mappings"), keys[0].(string)), keys[1].(string))[keys[2].(string)]
		if !ok {
			return nil, fmt.Errorf("no %v in the mappings", keys)
		}
		return found, nil
	}
	return nil, fmt.Errorf("function %s is not known here", name)
}

func (r *resolver) ref(name string) (any, error) {
	switch name {
	case "AWS::AccountId":
		return r.account.ID, nil
	case "AWS::Region":
		return r.account.Region, nil
	case "AWS::Partition":
		return r.account.Partition, nil
	case "AWS::URLSuffix":
		return "amazonaws.com", nil
	case "AWS::NoValue":
		return absent{}, nil
	}
	if v, ok := r.parameters[name]; ok {
		return v, nil
	}
	res, ok := section(r.tree, "Resources")[name].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is neither parameter nor resource", name)
	}
	return r.id(name, res)
}

// subName matches what Sub replaces.
var subName = regexp.MustCompile(`\$\{([A-Za-z0-9:.]+)\}`)

func (r *resolver) sub(text string) (any, error) {
	var failed error
	return subName.ReplaceAllStringFunc(text, func(m string) string {
		name := m[2 : len(m)-1]
		var v any
		var err error
		if resource, attribute, ok := strings.Cut(name, "."); ok {
			v, err = r.attribute(resource, attribute)
		} else {
			v, err = r.ref(name)
		}
		if err != nil && failed == nil {
			failed = err
		}
		return fmt.Sprint(v)
	}), failed
}

// naming says which property names a resource of a type, and how its ARN is
// made of that name; Ref gives the ARN itself where refIsARN.
var naming = map[string]struct {
	property, arn string
	refIsARN      bool
}{
	"AWS::CloudWatch::Alarm":            {"AlarmName", "cloudwatch:R:A:alarm:NAME", false},
	"AWS::ECR::Repository":              {"RepositoryName", "ecr:R:A:repository/NAME", false},
	"AWS::Events::Rule":                 {"Name", "events:R:A:rule/NAME", false},
	"AWS::IAM::ManagedPolicy":           {"ManagedPolicyName", "iam::A:policy/NAME", true},
	"AWS::IAM::Role":                    {"RoleName", "iam::A:role/NAME", false},
	"AWS::KMS::Alias":                   {"AliasName", "kms:R:A:NAME", false},
	"AWS::Lambda::Function":             {"FunctionName", "lambda:R:A:function:NAME", false},
	"AWS::Logs::LogGroup":               {"LogGroupName", "logs:R:A:log-group:NAME:*", false},
	"AWS::S3::Bucket":                   {"BucketName", "s3:::NAME", false},
	"AWS::SageMaker::ModelPackageGroup": {"ModelPackageGroupName", "sagemaker:R:A:model-package-group/NAME", false},
	"AWS::SageMaker::Pipeline":          {"PipelineName", "sagemaker:R:A:pipeline/NAME", false},
	"AWS::SNS::Topic":                   {"TopicName", "sns:R:A:NAME", true},
	"AWS::SQS::Queue":                   {"QueueName", "sqs:R:A:NAME", false},
}

// keyID stands for the id of a key that is not made yet.
const keyID = "00000000-0000-4000-8000-000000000000"

// id is what Ref gives of a resource.
func (r *resolver) id(name string, res map[string]any) (any, error) {
	if res["Type"] == "AWS::KMS::Key" {
		return keyID, nil
	}
	n, ok := naming[res["Type"].(string)]
	if !ok {
		return nil, fmt.Errorf("no Ref of %s, a %v", name, res["Type"])
	}
	if n.refIsARN {
		return r.attribute(name, "Arn")
	}
	return r.resolve(section(res, "Properties")[n.property])
}

func (r *resolver) attribute(name, attribute string) (any, error) {
	res, ok := section(r.tree, "Resources")[name].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("no resource %s", name)
	}
	n, known := naming[res["Type"].(string)]
	switch {
	case res["Type"] == "AWS::KMS::Key" && attribute == "Arn":
		return r.arn("kms:R:A:key/NAME", keyID), nil
	case known && (attribute == "Arn" || attribute == n.property):
		own, err := r.resolve(section(res, "Properties")[n.property])
		if err != nil || attribute != "Arn" {
			return own, err
		}
		return r.arn(n.arn, own.(string)), nil
	}
	return nil, fmt.Errorf("no attribute %s of %s, a %v", attribute, name, res["Type"])
}

func (r *resolver) arn(form, name string) string {
	parts := strings.SplitN(form, ":", 4) // service:region:account:resource
	for i, p := range parts[1:3] {
		parts[i+1] = strings.NewReplacer("R", r.account.Region, "A", r.account.ID).Replace(p)
	}
	return "arn:" + r.account.Partition + ":" + strings.Replace(strings.Join(parts, ":"), "NAME", name, 1)
}

// condition evaluates a condition by name.
func (r *resolver) condition(name string) (bool, error) {
	if holds, ok := r.conditions[name]; ok {
		return holds, nil
	}
	c, ok := section(r.tree, "Conditions")[name]
	if !ok {
		return false, fmt.Errorf("no condition %s", name)
	}
	holds, err := r.holds(c)
	r.conditions[name] = holds
	return holds, err
}

func (r *resolver) holds(v any) (bool, error) {
	for k, arg := range v.(map[string]any) {
		if k == "Condition" {
			return r.condition(arg.(string))
		}
		args := arg.([]any)
		if k == "Fn::Equals" {
			both, err := r.resolve(args)
			if err != nil {
				return false, err
			}
			pair := both.([]any)
			return fmt.Sprint(pair[0]) == fmt.Sprint(pair[1]), nil
		}
		var all []bool
		for _, a := range args {
			holds, err := r.holds(a)
			if err != nil {
				return false, err
			}
			all = append(all, holds)
		}
		switch k {
		case "Fn::Not":
			return !all[0], nil
		case "Fn::And":
			return !slices.Contains(all, false), nil
		case "Fn::Or":
			return slices.Contains(all, true), nil
		}
	}
	return false, fmt.Errorf("%v is no condition", v)
}
