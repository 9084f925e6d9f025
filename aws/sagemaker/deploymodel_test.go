package sagemaker

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/smithy-go/middleware"

	"picket"
	"picket/aws/record"
	"picket/aws/sagemaker/sagemakertest"
	"picket/gbdt"
	"picket/pipeline"
	"picket/pipeline/train"
	"picket/store"
)

// world is a deployer over a bucket in memory and the fake.
type world struct {
	*Deployer
	t     *testing.T
	fake  *sagemakertest.Server
	plain aws.Config // its calls are not those of the function
}

func newWorld(t *testing.T, e Endpoint) *world {
	t.Helper()
	f := sagemakertest.New("eu-central-1", "111122223333")
	server := httptest.NewServer(f)
	t.Cleanup(func() {
		server.Close()
		for _, what := range f.Odd() {
			t.Error(what)
		}
	})
	now := func() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }
	p := pipeline.New(pipeline.Default(), pipeline.Deps{Bucket: store.NewMemory(nil), Now: now})
	var calls record.Calls
	t.Cleanup(func() { // deploy-model calls only what its role in aws/template may
		if err := calls.Compare("deploy-model", "picket-data", "", e.Prefix, false); err != nil {
			t.Error(err)
		}
	})
	plain := aws.Config{
		Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""), RetryMaxAttempts: 1,
	}
	cfg := plain
	cfg.APIOptions = []func(*middleware.Stack) error{calls.Option()}
	d, err := NewDeployer(e, p, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	d.Now = now
	return &world{Deployer: d, t: t, fake: f, plain: plain}
}

func onInstances() Endpoint {
	return Endpoint{
		Prefix: "picket", Bucket: "picket-data", Name: "picket", Group: "picket", Scorer: ScorerEndpoint, Image: "111122223333.dkr.ecr.eu-central-1.amazonaws.com/picket:1",
		Role: "arn:aws:iam::111122223333:role/picket-endpoint", InstanceType: "ml.m5.large", Instances: 2, CapturePercent: 10,
		KMSKey: "arn:aws:kms:eu-central-1:111122223333:key/1", Subnets: []string{"subnet-1"}, SecurityGroups: []string{"sg-1"}, Alarms: []string{"picket-endpoint-5xx", "picket-endpoint-p99"},
	}
}

// pack makes a package of one small booster.
func pack(t *testing.T, name string) *train.Package {
	t.Helper()
	x := gbdt.NewDense([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 8, 1)
	p, err := gbdt.ParseParams(map[string]string{"objective": "binary:logistic", "num_round": "2", "min_child_weight": "0"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := gbdt.Train(context.Background(), p, gbdt.TrainData{X: x, Labels: []float32{0, 0, 0, 0, 1, 1, 1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	var trees bytes.Buffer
	if err := m.WriteUBJ(&trees); err != nil {
		t.Fatal(err)
	}
	b := picket.Booster{
		ID: picket.BoosterID{Detector: picket.DetectorTraffic, Kind: picket.KindActor, Seconds: 60}, Schema: picket.NewSchema([]string{"ports"}),
		Classes: []string{picket.ClassNormal, picket.ClassScan}, Calibration: picket.Calibration{Method: "none"}, Trees: trees.Bytes(),
	}
	rows := []train.Scored{{Class: picket.ClassNormal, Margin: -1, P: 0.2, Weight: 1, Best: picket.ClassScan}, {Class: picket.ClassScan, Malicious: true, Margin: 1, P: 0.8, Weight: 1, Best: picket.ClassScan}}
	e, err := train.Evaluate(&b, rows, "two rows", 1)
	if err != nil {
		t.Fatal(err)
	}
	pkg := &train.Package{Model: picket.Model{Name: name, Boosters: []picket.Booster{b}}, Evaluations: map[picket.BoosterID]*train.Evaluation{b.ID: e}}
	if pkg.Card, err = train.NewCard(pkg, train.CardFacts{Evidence: train.RealToReal, Description: name}); err != nil {
		t.Fatal(err)
	}
	if pkg.Model.ID, err = pkg.ID(); err != nil {
		t.Fatal(err)
	}
	return pkg
}

// trained registers a package as the pipeline's register step does.
func (w *world) trained(name, approval string) (arn, id string) {
	w.t.Helper()
	pkg := pack(w.t, name)
	var zip, artifact bytes.Buffer
	if err := pkg.Write(&zip); err != nil {
		w.t.Fatal(err)
	}
	if err := WriteArtifact(&artifact, PackageName, zip.Bytes()); err != nil {
		w.t.Fatal(err)
	}
	key := "models/candidates/" + name + "/model.tar.gz"
	if _, err := w.Pipeline.Bucket().Put(context.Background(), key, &artifact); err != nil {
		w.t.Fatal(err)
	}
	return w.fake.AddPackage(name, "picket", approval, "s3://picket-data/"+key, nil), pkg.Model.ID
}

// deployment is what "picket deploy" has: the same, with rights of its own.
func (w *world) deployment() *Deployer {
	d := *w.Deployer
	d.API = sagemaker.NewFromConfig(w.plain)
	return &d
}

// send delivers an event and wants a state of it.
func (w *world) send(body, want string) Outcome {
	w.t.Helper()
	out, err := w.Handle(context.Background(), json.RawMessage(body))
	if err != nil || out.State != want {
		w.t.Errorf("%s: %+v, %v; want %s", body, out, err, want)
	}
	return out
}

func lambdaStep(arn string) string { return `{"ModelPackageArn": "` + arn + `"}` }

func approval(arn, status string) string {
	return `{"source":"aws.sagemaker","detail-type":"SageMaker Model Package State Change","detail":{"ModelPackageArn":"` + arn + `","ModelPackageGroupName":"picket","ModelApprovalStatus":"` + status + `"}}`
}

const endpointChanged = `{"source":"aws.sagemaker","detail-type":"SageMaker Endpoint State Change","detail":{"EndpointName":"picket","EndpointStatus":"IN_SERVICE"}}`

// staged wants the registry to name these packages.
func (w *world) staged(live, previous, approved string) {
	w.t.Helper()
	s, err := w.Pipeline.Stages(context.Background())
	if err != nil || s.Live != live || s.Previous != previous || s.Approved != approved {
		w.t.Errorf("live %.8s previous %.8s approved %.8s, %v; want %.8s, %.8s, %.8s", s.Live, s.Previous, s.Approved, err, live, previous, approved)
	}
}

// TestBothEventsDeployOnce delivers the Lambda step's call and the approval's event,
// each twice and together: one deployment. Live is what the endpoint serves, no sooner.
func TestBothEventsDeployOnce(t *testing.T) {
	w := newWorld(t, onInstances())
	arn, id := w.trained("v1", Approved)
	w.send(lambdaStep(arn), StateDeploying)
	w.staged("", "", id)
	var group sync.WaitGroup
	for _, body := range []string{approval(arn, Approved), lambdaStep(arn), approval(arn, Approved), endpointChanged} {
		group.Go(func() { w.send(body, StateDeploying) })
	}
	group.Wait()
	w.staged("", "", id)
	w.fake.Finish("")
	w.send(endpointChanged, StateLive)
	w.send(endpointChanged, StateLive)
	w.send(approval(arn, Approved), StateLive)
	w.staged(id, "", "")
	if n := w.fake.Count("CreateEndpoint"); n != 1 || w.fake.Count("UpdateEndpoint") != 0 || len(w.fake.Models) != 1 {
		t.Errorf("%v", w.fake.Calls())
	}
	if w.fake.Count("PutScalingPolicy") == 0 {
		t.Errorf("scaling: %v", w.fake.Calls())
	}
	w.send(approval(arn, Rejected), StateIgnored)
	w.send(`{"detail":{"EndpointName":"another"}}`, StateIgnored)
}

// TestNewerStaysLive deploys version 1 as picket deploy does, approves version 2, and
// runs picket deploy again unchanged: version 2 stays live. Rolling back and forth works.
func TestNewerStaysLive(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, onInstances())
	embedded := pack(t, "embedded")
	var file bytes.Buffer
	if err := embedded.Write(&file); err != nil {
		t.Fatal(err)
	}
	deploy := func(want string) {
		t.Helper()
		arn, err := w.deployment().Register(ctx, file.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		w.send(lambdaStep(arn), want)
	}
	deploy(StateDeploying)
	w.fake.Finish("")
	w.send(endpointChanged, StateLive)
	v1 := embedded.Model.ID
	w.staged(v1, "", "")

	arn, v2 := w.trained("v2", Approved)
	w.send(approval(arn, Approved), StateDeploying)
	w.staged(v1, "", v2)
	w.fake.Finish("")
	w.send(endpointChanged, StateLive)
	w.staged(v2, v1, "")
	deploy(StateIgnored)
	if n := w.fake.Count("CreateModelPackage"); n != 1 {
		t.Errorf("the embedded package was registered %d times", n)
	}
	w.staged(v2, v1, "")

	w.send(`{"Rollback": true}`, StateDeploying)
	w.staged(v2, v1, v1)
	w.fake.Finish("")
	w.send(endpointChanged, StateLive)
	w.staged(v1, v2, "")
	if n := w.fake.Count("UpdateEndpoint"); n != 2 {
		t.Errorf("%d updates", n)
	}
}

// TestServe: what is live gets an endpoint where there is none, as after another scorer
// was chosen or the old one was removed, and other instances where they were chosen;
// asked again, and while a deployment is under way, nothing happens.
func TestServe(t *testing.T) {
	const serve = `{"Serve": true}`
	w := newWorld(t, onInstances())
	w.send(serve, StateIgnored) // nothing is live yet
	w.Endpoint.Scorer = ScorerLambda
	arn, id := w.trained("v1", Approved)
	w.send(lambdaStep(arn), StateLive)
	w.send(serve, StateLive)
	w.staged(id, "", "")

	w.Endpoint.Scorer = ScorerEndpoint
	for range 2 {
		w.send(serve, StateDeploying)
	}
	w.fake.Finish("")
	w.send(endpointChanged, StateLive)
	w.send(serve, StateLive)
	if w.fake.Count("PutScalingPolicy") == 0 {
		t.Error("the new endpoint does not scale")
	}

	w.Endpoint.InstanceType = "ml.c5.xlarge"
	w.send(endpointChanged, StateLive) // an event of the endpoint alone changes nothing
	for range 2 {
		w.send(serve, StateDeploying)
	}
	w.fake.Finish("alarm picket-endpoint-p99 went off")
	w.send(endpointChanged, StateLive) // back on what it was, and left there
	w.staged(id, "", "")
	w.send(serve, StateDeploying)
	w.fake.Finish("")
	w.send(serve, StateLive)
	if create, update := w.fake.Count("CreateEndpoint"), w.fake.Count("UpdateEndpoint"); create != 1 || update != 2 {
		t.Errorf("%d creations, %d updates: %v", create, update, w.fake.Calls())
	}

	two, id2 := w.trained("v2", Approved)
	w.send(approval(two, Approved), StateDeploying)
	w.send(serve, StateDeploying)
	w.fake.Finish("")
	w.send(endpointChanged, StateLive)
	w.staged(id2, id, "")
}

// TestFailedDeploymentLeavesTheOld lets an alarm roll a deployment back, with another
// package approved meanwhile: the old one stays live, the reason is kept, and the
// newest one gets its turn.
func TestFailedDeploymentLeavesTheOld(t *testing.T) {
	w := newWorld(t, onInstances())
	one, id1 := w.trained("v1", Approved)
	w.send(lambdaStep(one), StateDeploying)
	w.fake.Finish("")
	w.send(endpointChanged, StateLive)

	two, id2 := w.trained("v2", Approved)
	w.send(approval(two, Approved), StateDeploying)
	w.fake.Finish("alarm picket-endpoint-5xx went off")
	out := w.send(endpointChanged, StateFailed)
	w.staged(id1, "", "")
	if out.Model != id2 || !strings.Contains(out.Why, "picket-endpoint-5xx") {
		t.Errorf("%+v", out)
	}
	stages, err := w.Pipeline.Stages(context.Background())
	if last := stages.History[len(stages.History)-1]; err != nil || last.Step != "fail" || last.Model != id2 || !strings.Contains(last.Why, "5xx") {
		t.Errorf("%+v %v", last, err)
	}

	three, id3 := w.trained("v3", Approved)
	four, id4 := w.trained("v4", Approved)
	w.send(approval(three, Approved), StateDeploying)
	w.send(approval(four, Approved), StateDeploying) // while the endpoint is on its way to v3
	w.staged(id1, "", id4)
	w.fake.Finish("")
	w.send(endpointChanged, StateDeploying) // v3 is live, and v4's turn has come
	w.staged(id3, id1, id4)
	w.fake.Finish("")
	w.send(endpointChanged, StateLive)
	w.staged(id4, id3, "")
}

// TestDeployRefuses names what is wrong with a model package.
func TestDeployRefuses(t *testing.T) {
	w := newWorld(t, onInstances())
	f := func(want string, change func(p map[string]any)) {
		t.Helper()
		arn, _ := w.trained("bad", Approved)
		change(w.fake.Packages[arn])
		_, err := w.Handle(context.Background(), json.RawMessage(lambdaStep(arn)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f("approve it first", func(p map[string]any) { p["ModelApprovalStatus"] = Pending })
	f(`is of group "other"`, func(p map[string]any) { p["ModelPackageGroupName"] = "other" })
	at := func(url string) func(map[string]any) {
		return func(p map[string]any) {
			p["InferenceSpecification"] = map[string]any{"Containers": []any{map[string]any{"Image": "x", "ModelDataUrl": url}}}
		}
	}
	f("is not below models/ of bucket picket-data", at("s3://elsewhere/models/x/model.tar.gz"))
	f("is not below models/ of bucket picket-data", at("s3://picket-data/raw/x/model.tar.gz"))
	f("models/none", at("s3://picket-data/models/none"))
	if _, err := w.Handle(context.Background(), json.RawMessage(`[]`)); err == nil {
		t.Error("a list was taken for an event")
	}
	w.staged("", "", "")
}

// TestScorers wants of each scorer what AWS lets it have, and no endpoint of the one
// that needs none.
func TestScorers(t *testing.T) {
	f := func(change func(*Endpoint)) (*world, string) {
		t.Helper()
		e := onInstances()
		change(&e)
		w := newWorld(t, e)
		arn, id := w.trained("v1", Approved)
		want := StateDeploying
		if e.Scorer == ScorerLambda {
			want = StateLive
		}
		w.send(lambdaStep(arn), want)
		return w, id
	}
	one := func(all map[string]map[string]any) string {
		for _, in := range all {
			body, _ := json.Marshal(in)
			return string(body)
		}
		return ""
	}
	has := func(text string, want ...string) {
		t.Helper()
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("no %s in %s", part, text)
			}
		}
	}
	hasNot := func(text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if strings.Contains(text, part) {
				t.Errorf("%s in %s", part, text)
			}
		}
	}
	w, id := f(func(*Endpoint) {})
	has(one(w.fake.Models), `"EnableNetworkIsolation":true`, `"subnet-1"`, `s3://picket-data/models/`+id+`/model.tar.gz`, `{"Key":"picket","Value":"picket"}`)
	has(one(w.fake.Configs), `"InstanceType":"ml.m5.large"`, `"VariantName":"picket"`, `"KmsKeyId"`, `"s3://picket-data/capture/"`, `{"Key":"picket","Value":"picket"}`)

	w, _ = f(func(e *Endpoint) {
		e.Scorer, e.Subnets, e.SecurityGroups, e.CapturePercent = ScorerServerless, nil, nil, 0
	})
	has(one(w.fake.Configs), `"ServerlessConfig":{"MaxConcurrency":5,"MemorySizeInMB":2048}`)
	hasNot(one(w.fake.Configs), "InstanceType", "KmsKeyId", "DataCapture")
	hasNot(one(w.fake.Models), "VpcConfig", "EnableNetworkIsolation")

	w, id = f(func(e *Endpoint) {
		*e = Endpoint{Prefix: "picket", Bucket: "picket-data", Name: "picket", Group: "picket", Scorer: ScorerLambda}
	})
	w.staged(id, "", "")
	if slices.ContainsFunc(w.fake.Calls(), func(c string) bool { return c != "DescribeModelPackage" }) {
		t.Errorf("calls %v", w.fake.Calls())
	}

	w, id = f(func(e *Endpoint) {
		e.Image = "492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:3.0-5"
		e.Booster = picket.BoosterID{Detector: picket.DetectorTraffic, Kind: picket.KindActor, Seconds: 60}
	})
	has(one(w.fake.Models), `models/`+id+`/traffic-actor-60/model.tar.gz`)
	r, _, err := w.Pipeline.Bucket().Get(context.Background(), "models/"+id+"/traffic-actor-60/model.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	if body, err := ReadArtifact(r, TreesName); err != nil || len(body) == 0 {
		t.Error(err)
	}
	for want, change := range map[string]func(*Endpoint){
		"no VPC and no data capture": func(e *Endpoint) { e.Scorer = ScorerServerless },
		"serves one booster":         func(e *Endpoint) { e.Image = "1.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:3.0-5" },
		"needs PICKET_ENDPOINT_ROLE": func(e *Endpoint) { e.Role = "" },
		`scorer "gpu" is none of`:    func(e *Endpoint) { e.Scorer = "gpu" },
	} {
		e := onInstances()
		change(&e)
		if _, err := NewDeployer(e, w.Pipeline, aws.Config{}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestCanary wants a part of the instances first where there is more than one, and the
// alarms that roll back in any case.
func TestCanary(t *testing.T) {
	e := onInstances()
	if err := e.complete(); err != nil {
		t.Fatal(err)
	}
	c := e.deployment()
	routing := c.BlueGreenUpdatePolicy.TrafficRoutingConfiguration
	if routing.Type != "CANARY" || *routing.CanarySize.Value != 1 || *routing.WaitIntervalInSeconds != 600 || len(c.AutoRollbackConfiguration.Alarms) != 2 {
		t.Errorf("%+v", c)
	}
	e.Instances = 1
	if c := e.deployment(); c.BlueGreenUpdatePolicy.TrafficRoutingConfiguration.Type != "ALL_AT_ONCE" || len(c.AutoRollbackConfiguration.Alarms) != 2 {
		t.Errorf("%+v", c)
	}
	a, b := e.configName(strings.Repeat("a", 64)), e
	b.InstanceType = "ml.c5.large"
	if a == b.configName(strings.Repeat("a", 64)) || e.idOf(a) != strings.Repeat("a", 12) || e.idOf("picket-other") != "" {
		t.Errorf("configuration %s", a)
	}
}

func TestEndpointFromEnv(t *testing.T) {
	env := map[string]string{
		"PICKET_PREFIX": "p", "PICKET_BUCKET": "b", "PICKET_SCORER": "endpoint", "PICKET_ENDPOINT_ROLE": "r", "PICKET_IMAGE": "i", "PICKET_SUBNETS": "a,b",
		"PICKET_SECURITY_GROUPS": "g", "PICKET_INSTANCES": "2", "PICKET_BOOSTER": "traffic/actor/60",
	}
	e, err := EndpointFromEnv(func(name string) string { return env[name] })
	if err != nil || e.Name != "p" || e.Group != "p" || len(e.Subnets) != 2 || e.Instances != 2 || e.Booster.Seconds != 60 || e.Alarms[0] != "p-endpoint-5xx" {
		t.Errorf("%+v %v", e, err)
	}
	for name, value := range map[string]string{"PICKET_INSTANCES": "many", "PICKET_BOOSTER": "x", "PICKET_SCORER": "gpu", "PICKET_IMAGE": ""} {
		_, err := EndpointFromEnv(func(n string) string {
			if n == name {
				return value
			}
			return env[n]
		})
		if err == nil {
			t.Errorf("%s=%q was taken", name, value)
		}
	}
}
