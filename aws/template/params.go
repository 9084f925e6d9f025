package template

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Params are the parameters of both stacks; each field has the name of the
// template's parameter. "on" and "off" are switches.
type Params struct {
	Prefix       string
	CodeKey      string // of the functions' zip in the data bucket: code/SHA256.zip
	PipelineKey  string // of the pipeline's definition in the data bucket: code/pipeline-SHA256.json
	ImageUri     string // of Picket's container image in the account's registry
	Architecture string // of the functions: arm64 or x86_64

	Scorer                  string // endpoint, serverless or lambda
	EndpointImage           string // picket or xgboost
	EndpointInstanceType    string
	EndpointInstances       int
	EndpointMaxInstances    int
	CapturePercent          int
	EndpointBooster         string // that the built-in image serves
	EndpointP99Milliseconds int
	XgboostRepositoryArn    string

	RawBucket    string // an existing one; empty is raw/ of the data bucket
	RawKmsKeyArn string
	KmsKeyArn    string // one's own; empty makes one

	RawRetentionDays  int
	DataRetentionDays int
	LogRetentionDays  int
	AccessLogBucket   string

	AlertEmail       string
	MonthlyBudgetUSD int
	SecurityHub      string
	EventBus         string
	Lateness         string // a Go duration
	NoDataMinutes    int
	LagSeconds       int
	AlertsPerDay     int

	FunctionMemoryMiB int
	FunctionDiskMiB   int

	RetrainSchedule string // rate(…) or cron(…)
	RetrainOnDrift  string
	RetrainOnLabels string

	PermissionsBoundaryArn string
	VpcId                  string
	SubnetIds              []string
	SecurityGroupIds       []string
	RouteTableIds          []string
	VpcEndpoints           string
}

// Defaults returns the parameters with every default of the templates. Scorer is
// the detect function itself: it needs neither SageMaker's quotas nor an image.
func Defaults() Params {
	var p Params
	for _, text := range []string{ml, base} { // where both have a parameter, base decides
		for name, v := range section(parsed(text), "Parameters") {
			if def, ok := v.(map[string]any)["Default"]; ok {
				p.set(name, fmt.Sprint(def))
			}
		}
	}
	return p
}

// set gives a field its value from text; the field must exist.
func (p *Params) set(name, text string) {
	f := reflect.ValueOf(p).Elem().FieldByName(name)
	switch f.Kind() {
	case reflect.String:
		f.SetString(text)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			panic(fmt.Sprintf("default of %s: %v", name, err)) // the templates' test fails first
		}
		f.SetInt(int64(n))
	case reflect.Slice:
		var all []string
		if text != "" {
			all = strings.Split(text, ",")
		}
		f.Set(reflect.ValueOf(all))
	default:
		panic("no field " + name)
	}
}

// Base returns the parameters of the base stack as CloudFormation takes them.
func (p Params) Base() map[string]string { return p.of(base) }

// Storage returns the parameters of the stack that Storage describes.
func (p Params) Storage() map[string]string { return p.of(Storage()) }

// ML returns the parameters of the ml stack; KmsKeyArn must be the base stack's
// output of that name.
func (p Params) ML() map[string]string { return p.of(ml) }

func (p Params) of(text string) map[string]string {
	m := map[string]string{}
	for name := range section(parsed(text), "Parameters") {
		switch f := reflect.ValueOf(p).FieldByName(name); f.Kind() {
		case reflect.Slice:
			m[name] = strings.Join(f.Interface().([]string), ",")
		default:
			m[name] = fmt.Sprint(f.Interface())
		}
	}
	return m
}

// Refusal is a combination of parameters that AWS, or Picket, refuses.
type Refusal struct {
	What string
	Try  string
}

func (r *Refusal) Error() string { return r.What }

// Check returns the first combination that would be refused while it is
// deployed, as a *Refusal, before anything is made.
func (p Params) Check() error {
	for _, c := range p.checks() {
		if c.wrong {
			return &Refusal{c.what, c.try}
		}
	}
	return p.allowed()
}

type check struct {
	wrong     bool
	what, try string
}

func (p Params) checks() []check {
	lateness, err := time.ParseDuration(p.Lateness)
	bucket := p.Prefix + "-data-000000000000-ap-southeast-1"
	return []check{
		{len(bucket) > 63, fmt.Sprintf("prefix %q is too long for a bucket's name", p.Prefix), "take one of at most 20 letters"},
		{strings.HasPrefix(p.Prefix, "aws") || strings.HasPrefix(p.Prefix, "xn--") || strings.Contains(p.Prefix, "--"), fmt.Sprintf("prefix %q is reserved", p.Prefix), "take another, such as picket"},
		{err != nil || lateness <= 0, fmt.Sprintf("lateness %q is no time", p.Lateness), "write it as 15m or 2h"},
		{p.Scorer != "lambda" && p.ImageUri == "", "scorer " + p.Scorer + " needs a container image", "push it first, or take --scorer lambda"},
		{p.Scorer == "serverless" && p.VpcId != "", "a serverless endpoint cannot be in a VPC", "take --scorer endpoint, or lambda, or no VPC"},
		{p.Scorer == "serverless" && p.EndpointImage == "xgboost" && p.XgboostRepositoryArn == "", "the built-in image needs its repository", "give XgboostRepositoryArn"},
		{p.Scorer == "lambda" && p.EndpointImage == "xgboost", "scorer lambda has no image to choose", "leave EndpointImage at picket"},
		{p.Scorer == "endpoint" && !instance.MatchString(p.EndpointInstanceType), fmt.Sprintf("%q is no instance of an endpoint", p.EndpointInstanceType), "take one that begins with ml., such as ml.t2.medium"},
		{p.EndpointMaxInstances < p.EndpointInstances, fmt.Sprintf("at most %d instances cannot be less than at least %d", p.EndpointMaxInstances, p.EndpointInstances), "raise EndpointMaxInstances"},
		{p.CapturePercent > 0 && p.Scorer != "endpoint", "only an endpoint on instances captures data", "leave CapturePercent at 0, or take --scorer endpoint"},
		{p.EndpointImage == "xgboost" && p.EndpointBooster == "", "the built-in image serves one booster", "name it in EndpointBooster, such as traffic/actor/60"},
		{p.VpcId != "" && (len(p.SubnetIds) == 0 || len(p.SecurityGroupIds) == 0), "a VPC needs subnets and security groups", "give SubnetIds and SecurityGroupIds"},
		{p.VpcId == "" && len(p.SubnetIds)+len(p.SecurityGroupIds)+len(p.RouteTableIds) > 0, "subnets, security groups and route tables need their VPC", "give VpcId"},
		{p.VpcEndpoints == "on" && p.VpcId == "", "VPC endpoints need a VPC", "give VpcId, or leave VpcEndpoints off"},
		{p.VpcEndpoints == "on" && len(p.RouteTableIds) == 0, "the gateway endpoint of S3 needs route tables", "give RouteTableIds of the subnets"},
		{p.RawKmsKeyArn != "" && p.RawBucket == "", "a key of the raw bucket needs the raw bucket", "give RawBucket, or KmsKeyArn for Picket's own key"},
		{p.RawBucket != "" && strings.HasPrefix(p.RawBucket, p.Prefix+"-data-"), "Picket's own bucket cannot be the existing raw bucket", "leave RawBucket empty: raw/ of it is read"},
		{p.KmsKeyArn != "" && !keyARN.MatchString(p.KmsKeyArn), fmt.Sprintf("%q is no key's ARN", p.KmsKeyArn), "an alias will not do: take the ARN with :key/"},
		{p.RetrainSchedule != "" && !schedule.MatchString(p.RetrainSchedule), fmt.Sprintf("%q is no schedule", p.RetrainSchedule), "write it as rate(7 days) or cron(0 3 ? * SUN *)"},
		{p.DataRetentionDays < 70, "first-seen features look 64 days back", "keep data for 70 days at least"},
	}
}

var (
	instance = regexp.MustCompile(`^ml\.[a-z0-9-]+\.[a-z0-9]+$`)
	keyARN   = regexp.MustCompile(`^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$`)
	schedule = regexp.MustCompile(`^(rate|cron)\(.+\)$`)
)

// allowed holds every parameter against what its template allows.
func (p Params) allowed() error {
	for _, text := range []string{base, ml} {
		given := p.of(text)
		for _, name := range sortedKeys(section(parsed(text), "Parameters")) {
			if unset[name] && given[name] == "" {
				continue
			}
			rule := section(parsed(text), "Parameters")[name].(map[string]any)
			if err := allows(rule, name, given[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

// unset parameters are known only while it is deployed.
var unset = map[string]bool{"CodeKey": true, "PipelineKey": true, "KmsKeyArn": true, "XgboostRepositoryArn": true}

func allows(rule map[string]any, name, given string) error {
	refuse := func(try string) error {
		return &Refusal{fmt.Sprintf("%s cannot be %q", name, given), try}
	}
	if values := texts(rule["AllowedValues"]); values != nil && !slices.Contains(values, given) {
		return refuse("one of " + strings.Join(values, ", "))
	}
	if pattern := text(rule["AllowedPattern"]); pattern != "" && !regexp.MustCompile("^(?:"+pattern+")$").MatchString(given) {
		return refuse("it must match " + pattern)
	}
	if rule["Type"] != "Number" {
		return nil
	}
	n, err := strconv.ParseFloat(given, 64)
	if err != nil {
		return refuse("a number")
	}
	for bound, below := range map[string]bool{"MinValue": true, "MaxValue": false} {
		if rule[bound] == nil {
			continue
		}
		limit, err := strconv.ParseFloat(text(rule[bound]), 64)
		if err != nil {
			return fmt.Errorf("%s of %s: %w", bound, name, err)
		}
		if below && n < limit || !below && n > limit {
			return refuse(fmt.Sprintf("%s is %g", bound, limit))
		}
	}
	return nil
}
