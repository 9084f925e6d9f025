package template

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Each combination that AWS would refuse in the middle of a deployment is refused first.
func TestCheck(t *testing.T) {
	f := func(change func(*Params), want string) {
		t.Helper()
		p := Defaults()
		p.ImageUri = "111122223333.dkr.ecr.us-east-1.amazonaws.com/picket:1"
		change(&p)
		err := p.Check()
		var refusal *Refusal
		switch {
		case want == "" && err != nil:
			t.Errorf("refused: %v", err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%v, want %q", err, want)
		case want != "" && (!errors.As(err, &refusal) || refusal.Try == ""):
			t.Errorf("%v says not what to try", err)
		}
	}
	inVPC := func(p *Params) {
		p.VpcId, p.SubnetIds, p.SecurityGroupIds = "vpc-1", []string{"subnet-1"}, []string{"sg-1"}
	}
	f(func(p *Params) {}, "")
	f(func(p *Params) { p.Scorer = "endpoint"; inVPC(p) }, "")
	f(func(p *Params) { p.Scorer = "serverless" }, "")
	f(func(p *Params) { p.Scorer = "lambda"; inVPC(p) }, "")
	f(func(p *Params) { p.Scorer = "serverless"; inVPC(p) }, "a serverless endpoint cannot be in a VPC")
	f(func(p *Params) { p.Scorer = "endpoint"; p.ImageUri = "" }, "needs a container image")
	f(func(p *Params) { p.Scorer = "endpoint"; p.EndpointInstanceType = "t2.medium" }, "no instance of an endpoint")
	f(func(p *Params) { p.EndpointImage = "xgboost" }, "scorer lambda has no image to choose")
	f(func(p *Params) { p.EndpointInstances = 5 }, "cannot be less")
	f(func(p *Params) { p.CapturePercent = 10 }, "only an endpoint on instances captures")
	f(func(p *Params) {
		p.Scorer, p.EndpointImage, p.XgboostRepositoryArn = "endpoint", "xgboost", "arn:aws:ecr:us-east-1:683313688378:repository/sagemaker-xgboost"
	}, "serves one booster")
	f(func(p *Params) { p.Scorer = "magic" }, `Scorer cannot be "magic"`)
	f(func(p *Params) { p.VpcId = "vpc-1" }, "needs subnets")
	f(func(p *Params) { p.SubnetIds = []string{"subnet-1"} }, "need their VPC")
	f(func(p *Params) { p.VpcEndpoints = "on" }, "need a VPC")
	f(func(p *Params) { inVPC(p); p.VpcEndpoints = "on" }, "needs route tables")
	f(func(p *Params) { p.RawKmsKeyArn = "arn:aws:kms:us-east-1:111122223333:key/1" }, "needs the raw bucket")
	f(func(p *Params) { p.RawBucket = "picket-data-111122223333-us-east-1" }, "cannot be the existing raw bucket")
	f(func(p *Params) { p.KmsKeyArn = "arn:aws:kms:us-east-1:111122223333:alias/picket" }, "no key's ARN")
	f(func(p *Params) { p.RetrainSchedule = "weekly" }, "no schedule")
	f(func(p *Params) { p.Prefix = "Picket" }, `Prefix cannot be "Picket"`)
	f(func(p *Params) { p.Prefix = "aws-logs" }, "reserved")
	f(func(p *Params) { p.Lateness = "soon" }, "no time")
	f(func(p *Params) { p.DataRetentionDays = 30 }, "64 days")
	f(func(p *Params) { p.LogRetentionDays = 31 }, `LogRetentionDays cannot be "31"`)
	f(func(p *Params) { p.FunctionMemoryMiB = 20000 }, "FunctionMemoryMiB")
}

// The table of scorers and what Check refuses do not contradict each other.
func TestScorers(t *testing.T) {
	for _, limit := range Scorers() {
		if len(limit.Scorer) != 3 || limit.Why == "" || !strings.HasPrefix(limit.Page, "https://docs.aws.amazon.com/") {
			t.Errorf("%+v", limit)
		}
	}
	can := func(what, scorer string) bool {
		for _, limit := range Scorers() {
			if limit.What == what {
				return limit.Scorer[scorer]
			}
		}
		t.Fatalf("no row %q", what)
		return false
	}
	for _, scorer := range []string{"endpoint", "serverless", "lambda"} {
		p := full()
		p.Scorer = scorer
		if got := p.Check() == nil; got != can("in a VPC", scorer) {
			t.Errorf("%s in a VPC: the table says %v, Check %v", scorer, !got, got)
		}
		p = Defaults()
		p.Scorer, p.ImageUri, p.EndpointImage, p.EndpointBooster = scorer, "i", "xgboost", "traffic/actor/60"
		p.XgboostRepositoryArn = full().XgboostRepositoryArn
		if got := p.Check() == nil; got != can("AWS's built-in XGBoost image", scorer) {
			t.Errorf("%s with the built-in image: %v", scorer, fmt.Sprint(p.Check()))
		}
		all := statements(t, func() Params { p := least(); p.Scorer = scorer; return p }())
		for row, s := range map[string]string{"data capture": "EndpointCapture", "KMS key of the volume": "DeployModelKeyOfVolumes", "several variants, canary with rollback": "DeployModelRollback"} {
			has := false
			for _, st := range all {
				has = has || st.Sid == s
			}
			if has != can(row, scorer) {
				t.Errorf("%s, %s: the table says %v, the templates %v", scorer, row, !has, has)
			}
		}
	}
}
