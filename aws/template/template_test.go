package template

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// account is where the tests resolve the templates for.
var account = Account{Partition: "aws", Region: "us-east-1", ID: "111122223333"}

// full are parameters that turn on everything that can be on at once.
func full() Params {
	p := Defaults()
	p.CodeKey = "code/" + strings.Repeat("0", 64) + ".zip"
	p.PipelineKey = "code/pipeline-" + strings.Repeat("0", 64) + ".json"
	p.ImageUri = "111122223333.dkr.ecr.us-east-1.amazonaws.com/picket:1"
	p.XgboostRepositoryArn = "arn:aws:ecr:us-east-1:683313688378:repository/sagemaker-xgboost"
	p.Scorer, p.SecurityHub, p.MonthlyBudgetUSD, p.AlertEmail = "endpoint", "on", 50, "a@example.com"
	p.RetrainSchedule, p.RetrainOnLabels = "rate(7 days)", "on"
	p.RawBucket, p.RawKmsKeyArn = "logs-of-others", "arn:aws:kms:us-east-1:111122223333:key/11111111-1111-4111-8111-111111111111"
	p.VpcId, p.SubnetIds, p.SecurityGroupIds, p.RouteTableIds, p.VpcEndpoints = "vpc-1", []string{"subnet-1", "subnet-2"}, []string{"sg-1"}, []string{"rtb-1"}, "on"
	p.PermissionsBoundaryArn = "arn:aws:iam::111122223333:policy/boundary"
	return p
}

// least are parameters that turn on as little as can be.
func least() Params {
	p := full()
	d := Defaults()
	d.CodeKey, d.PipelineKey, d.XgboostRepositoryArn = p.CodeKey, p.PipelineKey, p.XgboostRepositoryArn
	d.RetrainOnDrift = "off"
	return d
}

// resolved are both stacks of an account; the ml stack is left out where the
// detect function scores and nothing is trained on SageMaker.
func resolved(t testing.TB, p Params) (baseStack, mlStack *Stack) {
	t.Helper()
	baseStack, err := Resolve(Base(), account, p.Base())
	if err != nil {
		t.Fatal(err)
	}
	m := p.ML()
	if m["KmsKeyArn"] == "" {
		m["KmsKeyArn"] = "arn:aws:kms:us-east-1:111122223333:key/" + keyID
	}
	mlStack, err = Resolve(ML(), account, m)
	if err != nil {
		t.Fatal(err)
	}
	return baseStack, mlStack
}

func statements(t testing.TB, p Params) []Statement {
	t.Helper()
	b, m := resolved(t, p)
	all, err := b.Statements()
	if err != nil {
		t.Fatal(err)
	}
	more, err := m.Statements()
	if err != nil {
		t.Fatal(err)
	}
	return append(all, more...)
}

// Params and the templates' parameters are the same.
func TestParams(t *testing.T) {
	fields := map[string]bool{}
	for i := range reflect.TypeFor[Params]().NumField() {
		fields[reflect.TypeFor[Params]().Field(i).Name] = false
	}
	for _, text := range []string{base, ml} {
		for name := range section(parsed(text), "Parameters") {
			if _, ok := fields[name]; !ok {
				t.Errorf("parameter %s has no field", name)
			}
			fields[name] = true
		}
	}
	for name, used := range fields {
		if !used {
			t.Errorf("field %s is no parameter", name)
		}
	}
	if err := Defaults().Check(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	if err := full().Check(); err != nil {
		t.Errorf("full: %v", err)
	}
}

// The storage template stands by itself and is short enough for a body.
func TestStorage(t *testing.T) {
	s := Storage()
	if len(s) > 51200 {
		t.Errorf("%d bytes", len(s))
	}
	stack, err := Resolve(s, account, Defaults().Storage())
	if err != nil {
		t.Fatal(err)
	}
	if len(stack.Resources) != len(storage) {
		t.Errorf("%d resources", len(stack.Resources))
	}
	whole, _ := resolved(t, least())
	for name, res := range stack.Resources {
		if !reflect.DeepEqual(res, whole.Resources[name]) {
			t.Errorf("%s is not what it is in the whole", name)
		}
	}
	own := Defaults()
	own.KmsKeyArn = "arn:aws:kms:us-east-1:111122223333:key/11111111-1111-4111-8111-111111111111"
	if stack, err = Resolve(s, account, own.Storage()); err != nil || len(stack.Resources) != len(storage)-2 {
		t.Errorf("with a key of one's own: %v, %v", err, slices.Sorted(maps.Keys(stack.Resources)))
	}
}

// The templates stay below CloudFormation's limits.
func TestSizes(t *testing.T) {
	for name, text := range map[string]string{"base": base, "ml": ml} {
		if len(text) > 1<<20 {
			t.Errorf("%s: %d bytes", name, len(text))
		}
	}
	if len(ml) > 51200 {
		t.Errorf("ml: %d bytes are too many for a body", len(ml))
	}
}

var sid = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// Every statement has a Sid of its own and a reason, no Allow has a wildcard for
// an action, and a wildcard for a resource says why AWS allows no narrower.
func TestReadable(t *testing.T) {
	seen := map[string]string{}
	for _, st := range statements(t, full()) {
		if !sid.MatchString(st.Sid) {
			t.Errorf("%s of %s: a Sid is letters and digits", st.Sid, st.Owner)
		}
		if at, twice := seen[st.Sid]; twice && !strings.HasPrefix(st.Sid, "Vpc") {
			t.Errorf("%s stands in %s and in %s", st.Sid, at, st.Owner)
		}
		seen[st.Sid] = st.Owner
		if len(st.Why) < 20 || !strings.HasSuffix(st.Why, ".") {
			t.Errorf("%s of %s: no reason above it: %q", st.Sid, st.Owner, st.Why)
		}
		for _, action := range st.Actions {
			if st.Allow && strings.ContainsAny(action, "*?") {
				t.Errorf("%s of %s allows %s", st.Sid, st.Owner, action)
			}
		}
		for _, res := range st.Resources {
			if st.Allow && st.Kind == Identity && res == "*" && !strings.Contains(st.Why, "AWS allows no narrower") {
				t.Errorf("%s of %s: resource * and no reason", st.Sid, st.Owner)
			}
		}
	}
	if len(seen) < 70 {
		t.Errorf("%d statements: the walk is broken", len(seen))
	}
}
