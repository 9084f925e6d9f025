package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"picket/aws/deploy"
	"picket/aws/deploy/accounttest"
	"picket/aws/s3"
	"picket/aws/sagemaker"
	"picket/pipeline"
)

// nothing is a program that deploy takes for picket: static, for Linux on amd64, built
// from packages of that name. It does nothing, and is linked in a second.
var nothing = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "picket-nothing-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{"go.mod": "module picket\n\ngo 1.26\n", "cmd/picket/main.go": "package main\n\nfunc main() {}\n"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	build := exec.Command("go", "build", "-trimpath", "-o", "nothing", "./cmd/picket")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "nothing"))
})

// account is an account on this machine whose function deploy-model is the real one,
// with the variables that the template gives it.
type account struct {
	*accounttest.Account
	t *testing.T
}

func newAccount(t *testing.T) *account {
	t.Helper()
	server, stop := accounttest.Start("eu-west-1")
	a := &account{server, t}
	t.Cleanup(func() {
		stop()
		for _, what := range a.SageMaker.Odd() {
			t.Error(what)
		}
	})
	for name, value := range a.Environ() {
		t.Setenv(name, value)
	}
	a.Quotas["sagemaker"] = map[string]float64{"ml.t2.medium for endpoint usage": 4}
	a.Function = a.run
	return a
}

// run is AWS Lambda, and SageMaker, whose endpoints are ready at once and say so.
func (a *account) run(name string, payload []byte) ([]byte, error) {
	env := a.Environment(name)
	if name != "picket-deploy-model" || env == nil {
		return nil, fmt.Errorf("no function %s", name)
	}
	out, err := a.deployModel(env, payload)
	if err != nil {
		return nil, err
	}
	if out.State == sagemaker.StateDeploying {
		a.SageMaker.Finish("")
		if _, err := a.deployModel(env, []byte(`{"detail":{"EndpointName":"picket"}}`)); err != nil {
			return nil, err
		}
	}
	return json.Marshal(out)
}

func (a *account) deployModel(env map[string]string, payload []byte) (sagemaker.Outcome, error) {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return sagemaker.Outcome{}, err
	}
	e, err := sagemaker.EndpointFromEnv(func(name string) string { return env[name] })
	if err != nil {
		return sagemaker.Outcome{}, err
	}
	d, err := sagemaker.NewDeployer(e, a.pipeline(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return sagemaker.Outcome{}, err
	}
	return d.Handle(ctx, payload)
}

func (a *account) pipeline() *pipeline.Pipeline {
	a.t.Helper()
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		a.t.Fatal(err)
	}
	return pipeline.New(pipeline.Default(), pipeline.Deps{Bucket: s3.New(s3.NewClient(cfg, ""), s3.Options{Name: a.bucket()}), Now: time.Now})
}

func (a *account) bucket() string { return "picket-data-" + a.ID + "-" + a.Region }

// picket runs a command line and returns what it said.
func (a *account) picket(args ...string) (string, int) {
	a.t.Helper()
	if args[0] == "deploy" && len(args) > 1 && strings.HasPrefix(args[1], "-") {
		binary := filepath.Join(a.t.TempDir(), "nothing")
		body, err := nothing()
		if err == nil {
			err = os.WriteFile(binary, body, 0o755)
		}
		if err != nil {
			a.t.Fatal(err)
		}
		args = append(args, "--binary", binary, "--arch", "x86_64", "--no-smoke-test")
	}
	var out, words bytes.Buffer
	code := run(a.t.Context(), args, os.Getenv, strings.NewReader(""), &out, &words)
	return out.String() + words.String(), code
}

// must wants a command to succeed and to say so.
func (a *account) must(want string, args ...string) {
	a.t.Helper()
	if out, code := a.picket(args...); code != exitOK || !strings.Contains(out, want) {
		a.t.Fatalf("picket %s: exit %d, want %q:\n%s", strings.Join(args, " "), code, want, out)
	}
}

// live returns the id of the package that is live.
func (a *account) live() string {
	a.t.Helper()
	s, err := a.pipeline().Stages(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	return s.Live
}

// second registers another package, as the training pipeline does, and returns its id.
func (a *account) second() string {
	a.t.Helper()
	pkg, err := defaultPackage()
	if err != nil {
		a.t.Fatal(err)
	}
	pkg.Model.Name = "version 2"
	var file, artifact bytes.Buffer
	if err := pkg.Write(&file); err != nil {
		a.t.Fatal(err)
	}
	if err := sagemaker.WriteArtifact(&artifact, sagemaker.PackageName, file.Bytes()); err != nil {
		a.t.Fatal(err)
	}
	key := "models/candidates/run-2/model.tar.gz"
	a.S3.Add(a.bucket(), key, artifact.Bytes())
	a.SageMaker.AddPackage("2", "picket", sagemaker.Pending, "s3://"+a.bucket()+"/"+key, map[string]any{sagemaker.MetaModel: pkg.Model.ID})
	return pkg.Model.ID
}

// TestDeployTwice deploys both stacks into an empty account, approves version 2, and
// deploys again unchanged: version 2 is still live.
func TestDeployTwice(t *testing.T) {
	a := newAccount(t)
	a.must("becomes the first live one", "deploy", "--yes", "--scorer", "endpoint")
	first, err := defaultPackage()
	if err != nil {
		t.Fatal(err)
	}
	if got := a.live(); got != first.Model.ID {
		t.Fatalf("live is %.12s, want the package in the binary", got)
	}
	for _, stack := range []string{"picket", "picket-ml"} {
		if got := a.Status(stack); !strings.HasSuffix(got, "E_COMPLETE") {
			t.Errorf("stack %s is %s", stack, got)
		}
	}
	if len(a.S3.Keys(a.bucket(), "code/pipeline-")) != 1 || !strings.HasPrefix(a.Parameters("picket-ml")["PipelineKey"], "code/pipeline-") {
		t.Errorf("the ml stack has the definition %q", a.Parameters("picket-ml")["PipelineKey"])
	}
	two := a.second()
	a.must("", "model", "approve", "--data", "s3://"+a.bucket())
	a.must("", "model", "deploy", "--data", "s3://"+a.bucket()) // the event of the approval does this
	if got := a.live(); got != two {
		t.Fatalf("live is %.12s, want version 2, %.12s", got, two)
	}
	a.must("nothing changes", "deploy", "--yes")
	if got := a.live(); got != two || a.SageMaker.Count("CreateModelPackage") != 1 || a.SageMaker.Count("UpdateEndpoint") != 1 {
		t.Errorf("after a deployment that changes nothing live is %.12s, want version 2; calls %v", got, a.SageMaker.Calls())
	}
	a.must("Modify", "deploy", "--yes", "--set", "RawRetentionDays=30")
	if got := a.live(); got != two {
		t.Errorf("after an upgrade live is %.12s, want version 2", got)
	}
}

// TestDeployChangesOneParameter: an upgrade that is told one thing changes what depends
// on it, keeps what was told before, and shows it first.
func TestDeployChangesOneParameter(t *testing.T) {
	a := newAccount(t)
	a.must("becomes the first live one", "deploy", "--yes", "--set", "AlertsPerDay=7", "--email", "a@example.org")
	before := a.Parameters("picket")
	out, code := a.picket("deploy", "--dry-run", "--set", "RawRetentionDays=30")
	if code != exitOK || !strings.Contains(out, "DataBucket") || !strings.Contains(out, "LifecycleConfiguration") || strings.Contains(out, "IngestFunction") {
		t.Errorf("exit %d, the change set is shown as\n%s", code, out)
	}
	if got := a.Parameters("picket")["RawRetentionDays"]; got == "30" {
		t.Error("a dry run changed something")
	}
	a.must("", "deploy", "--yes", "--set", "RawRetentionDays=30")
	after := a.Parameters("picket")
	for name, was := range before {
		want := was
		if name == "RawRetentionDays" {
			want = "30"
		}
		if after[name] != want {
			t.Errorf("%s is %q, want %q", name, after[name], want)
		}
	}
	a.must("nothing changes", "deploy", "--yes")
}

// TestDeployRollsBack: a change that fails leaves what was there, names the first
// resource that failed and what to try, and the next deployment goes through.
func TestDeployRollsBack(t *testing.T) {
	a := newAccount(t)
	a.must("", "deploy", "--yes", "--no-training")
	before := a.Parameters("picket")
	a.Fail["DataBucket"] = "Resource handler returned message: \"You have exceeded a limit\" (HandlerErrorCode: LimitExceeded)"
	out, code := a.picket("deploy", "--yes", "--no-training", "--set", "RawRetentionDays=30")
	if code == exitOK || !strings.Contains(out, "DataBucket") || !strings.Contains(out, "everything is as it was before") || !strings.Contains(out, "hint: ask for a higher quota") {
		t.Errorf("exit %d: %s", code, out)
	}
	if got := a.Parameters("picket"); got["RawRetentionDays"] != before["RawRetentionDays"] || a.Status("picket") != "UPDATE_ROLLBACK_COMPLETE" {
		t.Errorf("after the rollback %s, raw logs are kept %s days", a.Status("picket"), got["RawRetentionDays"])
	}
	delete(a.Fail, "DataBucket")
	a.must("", "deploy", "--yes", "--no-training", "--set", "RawRetentionDays=30")
	if got := a.Parameters("picket")["RawRetentionDays"]; got != "30" {
		t.Errorf("raw logs are kept %s days", got)
	}

	// The ml stack fails: the base stack stays, and deploying again goes on from there.
	a.Fail["Pipeline"] = "Invalid request"
	if out, code := a.picket("deploy", "--yes"); code == exitOK || !strings.Contains(out, "stack picket-ml: Pipeline") {
		t.Errorf("exit %d: %s", code, out)
	}
	delete(a.Fail, "Pipeline")
	if out, code := a.picket("deploy", "--yes"); code == exitOK || !strings.Contains(out, "can only be deleted") || !strings.Contains(out, "picket deploy destroy") {
		t.Errorf("over ROLLBACK_COMPLETE: exit %d: %s", code, out)
	}
}

// TestDeployQuotas: a quota that is too small stops a deployment before anything is
// made, and says which; one that cannot be asked for is only told.
func TestDeployQuotas(t *testing.T) {
	a := newAccount(t)
	a.Concurrency = 5
	a.Quotas["sagemaker"] = map[string]float64{"ml.t2.medium for endpoint usage": 1}
	out, code := a.picket("deploy", "--yes", "--scorer", "endpoint")
	if code == exitOK || !strings.Contains(out, "ml.t2.medium for endpoint usage") || !strings.Contains(out, "Concurrent executions") || !strings.Contains(out, "Service Quotas console") {
		t.Errorf("exit %d: %s", code, out)
	}
	if a.Status("picket") != "" || a.S3.Has(a.bucket()) {
		t.Error("something was made")
	}
	a.Concurrency = 1000
	delete(a.Quotas, "sagemaker")
	out, code = a.picket("deploy", "--dry-run", "--scorer", "endpoint")
	if code != exitOK || !strings.Contains(out, `could not ask for the quota "ml.t2.medium for endpoint usage"`) {
		t.Errorf("exit %d: %s", code, out)
	}
	a.Concurrency = 5
	a.must("becomes the first live one", "deploy", "--yes", "--no-training", "--ignore-quotas")
}

// TestDeployPrices: the estimate has today's prices of the region where the Price List
// tells them, the table's where it does not or tells those of something else, and says so.
func TestDeployPrices(t *testing.T) {
	a := newAccount(t)
	a.must("the Price List could not be asked", "deploy", "--dry-run", "--no-training")
	a.Prices = map[string]string{
		"AWSLambda group=AWS-Lambda-Requests":            "0.0000004", // dearer than in the table
		"AmazonS3 group=S3-API-Tier1":                    "0.1",       // cannot be the price of a put
		"AmazonCloudWatch productFamily=Dashboard":       "4",
		"AmazonCloudWatch productFamily=of nothing here": "5",
	}
	out, code := a.picket("deploy", "--dry-run", "--no-training", "-o", "json")
	var plan struct {
		Plan struct {
			Stale string `json:"prices_stale"`
			Costs struct {
				Prices struct {
					Region string
					Prices map[string]struct {
						USD  float64
						Read string
					}
				}
			}
		}
	}
	body, _, _ := strings.Cut(out, "\n}\n")
	if err := json.Unmarshal([]byte(body+"\n}"), &plan); err != nil || code != exitOK {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	prices := plan.Plan.Costs.Prices
	for name, want := range map[string]float64{"lambda.request": 0.0000004, "cloudwatch.dashboard_month": 4, "s3.put": 0.000005, "ecr.gb_month": 0.1} {
		got := prices.Prices[name]
		if got.USD != want || (got.Read == "api") != (name == "lambda.request" || name == "cloudwatch.dashboard_month") {
			t.Errorf("%s is %v (%s), want %v", name, got.USD, got.Read, want)
		}
	}
	if prices.Region != "eu-west-1" || !strings.Contains(plan.Plan.Stale, "23 of 25 prices are of us-east-1") {
		t.Errorf("prices of %s; %s", prices.Region, plan.Plan.Stale)
	}
}

// TestDeployAnotherScorer: who changes from scoring in the function to an endpoint has
// one after the deployment, with the model that was live; and so after a removal that
// kept the data.
func TestDeployAnotherScorer(t *testing.T) {
	a := newAccount(t)
	a.must("becomes the first live one", "deploy", "--yes")
	live := a.live()
	if a.SageMaker.Endpoint != nil {
		t.Fatal("an endpoint that nobody asked for")
	}
	a.must("the endpoint serves the live one", "deploy", "--yes", "--scorer", "endpoint")
	if a.SageMaker.Endpoint["EndpointStatus"] != "InService" || a.live() != live {
		t.Errorf("endpoint %v, live %.12s", a.SageMaker.Endpoint, a.live())
	}
	a.must("kept bucket", "deploy", "destroy", "--yes")
	a.must("is adopted with its data", "deploy", "--yes", "--scorer", "endpoint")
	if a.SageMaker.Endpoint["EndpointStatus"] != "InService" || a.live() != live {
		t.Errorf("after a removal that kept the data: endpoint %v, live %.12s", a.SageMaker.Endpoint, a.live())
	}
}

// TestDeployBuiltInImage: the endpoint serves one booster with AWS's own image where one
// parameter says so; detect then scores by itself, and the pipeline runs Picket's image.
func TestDeployBuiltInImage(t *testing.T) {
	a := newAccount(t)
	a.must("", "deploy", "--yes", "--scorer", "endpoint", "--set", "EndpointImage=xgboost", "--set", "EndpointBooster=traffic/actor/60")
	for _, m := range a.SageMaker.Models {
		container := m["PrimaryContainer"].(map[string]any)
		if image, _ := container["Image"].(string); !strings.HasPrefix(image, "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0") {
			t.Errorf("the endpoint runs %s", image)
		}
		key := strings.TrimPrefix(container["ModelDataUrl"].(string), "s3://"+a.bucket()+"/")
		trees, err := sagemaker.ReadArtifact(bytes.NewReader(a.S3.Content(a.bucket(), key)[key]), sagemaker.TreesName)
		if err != nil || trees[0] != '{' {
			t.Errorf("%s: %v", key, err)
		}
	}
	if len(a.SageMaker.Models) != 1 {
		t.Errorf("%d models", len(a.SageMaker.Models))
	}
	if got := a.Environment("picket-detect")["PICKET_SCORER"]; got != sagemaker.ScorerLambda {
		t.Errorf("detect asks %q, which gives neither reasons nor the other boosters", got)
	}
	key := a.Parameters("picket-ml")["PipelineKey"]
	if definition := string(a.S3.Content(a.bucket(), key)[key]); !strings.Contains(definition, `"ImageUri": "`+a.ID+`.dkr.ecr.eu-west-1.amazonaws.com/picket:`) {
		t.Error("the processing steps do not run Picket's image")
	}
}

// TestDestroy removes what carries the tag, and nothing else; what is removed with its
// data leaves no name behind that a new deployment would find taken.
func TestDestroy(t *testing.T) {
	a := newAccount(t)
	a.must("", "deploy", "--yes", "--scorer", "endpoint")
	a.second()
	for name, tag := range map[string]string{"picket-of-somebody": "", "picket-other-1": "picket-other"} {
		a.SageMaker.Models[name] = map[string]any{}
		a.SageMaker.Configs[name] = map[string]any{}
		a.SageMaker.Tag("model/"+name, "picket", tag)
	}
	a.must("removed endpoint picket", "deploy", "destroy", "--yes", "--delete-data")
	if a.SageMaker.Endpoint != nil || len(a.SageMaker.Packages) != 0 || len(a.SageMaker.Models) != 2 || len(a.SageMaker.Configs) != 2 {
		t.Errorf("left: endpoint %v, packages %v, models %v, configurations %v", a.SageMaker.Endpoint, a.SageMaker.Packages, a.SageMaker.Models, a.SageMaker.Configs)
	}
	if a.Status("picket") != "" || a.Status("picket-ml") != "" || a.S3.Has(a.bucket()) {
		t.Error("a stack or the bucket is left")
	}
	a.must("becomes the first live one", "deploy", "--yes")

	// An endpoint of that name which is not ours stops the removal.
	a.SageMaker.Endpoint = map[string]any{"EndpointName": "picket", "EndpointArn": "arn:aws:sagemaker:eu-west-1:1:endpoint/theirs", "EndpointStatus": "InService"}
	if out, code := a.picket("deploy", "destroy", "--yes"); code == exitOK || !strings.Contains(out, "has no tag picket=picket") || a.Status("picket") == "" {
		t.Errorf("exit %d: %s", code, out)
	}
}

// TestDeployLogsFollows: each line comes once, in the order of time, also one that
// CloudWatch takes late; following ends with who follows.
func TestDeployLogsFollows(t *testing.T) {
	a := newAccount(t)
	now := time.Now().UTC().Truncate(time.Millisecond)
	line := func(function, id string, ago time.Duration) {
		a.Write("/aws/lambda/picket-"+function, accounttest.LogEvent{ID: id, Time: now.Add(-ago).UnixMilli(), Message: "says " + id + "\n"})
	}
	line("close", "2", 20*time.Second)
	line("ingest", "1", 30*time.Second)
	line("ingest", "3", 10*time.Second)
	line("ingest", "old", time.Hour)
	a.must("says 1", "deploy", "logs", "ingest")

	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	account, err := deploy.Connect(t.Context(), cfg, "picket")
	if err != nil {
		t.Fatal(err)
	}
	turns := 0
	account.Now = func() time.Time { return now }
	account.Wait = func(context.Context, time.Duration) error {
		switch turns++; turns {
		case 1:
			line("close", "late", 15*time.Second) // written before 3, taken after
			line("detect", "4", 0)
		case 2:
			line("ingest", "5", -time.Second)
		default:
			return io.EOF
		}
		return nil
	}
	var told []string
	err = account.Logs(t.Context(), deploy.Functions(), now.Add(-10*time.Minute), "", true, func(l deploy.Line) error {
		told = append(told, l.Function+" "+strings.TrimSpace(l.Text))
		return nil
	})
	want := "ingest says 1|close says 2|ingest says 3|close says late|detect says 4|ingest says 5"
	if got := strings.Join(told, "|"); err != nil || got != want {
		t.Errorf("told %s, %v; want %s", got, err, want)
	}
}
