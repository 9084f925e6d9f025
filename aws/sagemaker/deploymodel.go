package sagemaker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
	"github.com/aws/smithy-go"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
	"picket/store"
)

// Deployer makes approved packages live: what the function deploy-model does. It may
// be told the same thing many times, by several callers at once; the effect is once.
//
// models/stages.json says which package is live, and only once the endpoint serves it.
type Deployer struct {
	Endpoint Endpoint
	Pipeline *pipeline.Pipeline // over the data bucket
	API      *sagemaker.Client
	Scaling  *applicationautoscaling.Client // nil leaves the number of instances alone
	Now      func() time.Time
	Log      *slog.Logger
}

// NewDeployer returns a deployer with the clients of a configuration.
func NewDeployer(e Endpoint, p *pipeline.Pipeline, cfg aws.Config, log *slog.Logger) (*Deployer, error) {
	if err := e.complete(); err != nil {
		return nil, err
	}
	return &Deployer{Endpoint: e, Pipeline: p, API: sagemaker.NewFromConfig(cfg), Scaling: applicationautoscaling.NewFromConfig(cfg), Now: time.Now, Log: log}, nil
}

// States of an Outcome.
const (
	StateLive      = "live"      // the package scores
	StateDeploying = "deploying" // the endpoint is on its way; its event goes on
	StateFailed    = "failed"    // the endpoint went back to what it served
	StateIgnored   = "ignored"   // the event asks for nothing
)

// Outcome is what came of an event.
type Outcome struct {
	State string `json:"state"`
	Model string `json:"model,omitempty"` // id of the package
	Why   string `json:"why,omitempty"`
}

// event is any of what deploy-model is called with: the Lambda step's arguments, a
// change of a model package's or of the endpoint's state, or a wish to go back, or to
// have what is live served as the settings say now.
type event struct {
	ModelPackageArn string
	Rollback        bool
	Serve           bool
	DetailType      string `json:"detail-type"`
	Detail          struct {
		ModelPackageArn     string
		ModelApprovalStatus string
		EndpointName        string
	} `json:"detail"`
}

// Handle does what an event asks for.
func (d *Deployer) Handle(ctx context.Context, body json.RawMessage) (Outcome, error) {
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return Outcome{}, fmt.Errorf("deploy model: event: %w", err)
	}
	var out Outcome
	var err error
	switch {
	case e.Rollback:
		out, err = d.Rollback(ctx)
	case e.Serve:
		out, err = d.Serve(ctx)
	case e.ModelPackageArn != "":
		out, err = d.Deploy(ctx, e.ModelPackageArn)
	case e.Detail.EndpointName == d.Endpoint.Name && e.Detail.EndpointName != "":
		out, err = d.advance(ctx)
	case e.Detail.ModelPackageArn != "" && e.Detail.ModelApprovalStatus == Approved:
		out, err = d.Deploy(ctx, e.Detail.ModelPackageArn)
	default:
		out = Outcome{State: StateIgnored, Why: "neither an approved package nor this endpoint"}
	}
	if err != nil {
		return out, fmt.Errorf("deploy model: %w", err)
	}
	d.Log.Info("model deployment", "stage", "deploy", "state", out.State, "model", out.Model, "why", out.Why)
	return out, nil
}

// Deploy makes an approved model package live, or begins to. A package that was live
// before comes back by Rollback alone: an old event delivered again must not undo a
// newer deployment.
func (d *Deployer) Deploy(ctx context.Context, arn string) (Outcome, error) {
	file, err := d.fetch(ctx, arn)
	if err != nil {
		return Outcome{}, err
	}
	pkg, err := d.Pipeline.PutModelFile(ctx, file)
	if err != nil {
		return Outcome{}, fmt.Errorf("model package %s: %w", arn, err)
	}
	id := pkg.Model.ID
	at := d.transition(arn)
	stages, err := d.Pipeline.ChangeStages(ctx, func(s train.Stages) (train.Stages, error) {
		if s.Served(id) || s.Approved == id {
			return s, errNothing
		}
		err := s.Register(id, at)
		if err == nil {
			err = s.Approve(id, at)
		}
		return s, err
	})
	switch {
	case errors.Is(err, errNothing) && stages.Live == id:
		return Outcome{State: StateLive, Model: id}, nil
	case errors.Is(err, errNothing) && stages.Approved != id:
		return Outcome{State: StateIgnored, Model: id, Why: "it was live before; roll back to have it again"}, nil
	case err != nil && !errors.Is(err, errNothing):
		return Outcome{}, err
	}
	return d.advance(ctx)
}

// errNothing leaves stages.json as it is.
var errNothing = errors.New("nothing to change")

func (d *Deployer) transition(by string) train.Transition {
	return train.Transition{Time: d.Now().Unix(), By: by}
}

// fetch reads the file of the package that a model package holds.
func (d *Deployer) fetch(ctx context.Context, arn string) ([]byte, error) {
	p, err := d.API.DescribeModelPackage(ctx, &sagemaker.DescribeModelPackageInput{ModelPackageName: &arn})
	if err != nil {
		return nil, err
	}
	switch {
	case aws.ToString(p.ModelPackageGroupName) != d.Endpoint.Group:
		return nil, fmt.Errorf("model package %s is of group %q, not %q", arn, aws.ToString(p.ModelPackageGroupName), d.Endpoint.Group)
	case p.ModelApprovalStatus != types.ModelApprovalStatusApproved:
		return nil, fmt.Errorf("model package %s is %s: approve it first", arn, p.ModelApprovalStatus)
	case p.InferenceSpecification == nil || len(p.InferenceSpecification.Containers) != 1:
		return nil, fmt.Errorf("model package %s has no container", arn)
	}
	url := aws.ToString(p.InferenceSpecification.Containers[0].ModelDataUrl)
	key, ok := strings.CutPrefix(url, "s3://"+d.Endpoint.Bucket+"/")
	if !ok || !strings.HasPrefix(key, picket.ModelsPrefix) {
		return nil, fmt.Errorf("model package %s: its data at %s is not below models/ of bucket %s", arn, url, d.Endpoint.Bucket)
	}
	r, _, err := d.Pipeline.Bucket().Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	body, err := ReadArtifact(r, PackageName)
	if err != nil {
		return nil, fmt.Errorf("model package %s: %w", arn, err)
	}
	return body, nil
}

// keep puts the artifact that the endpoint reads beside the package in the registry.
func (d *Deployer) keep(ctx context.Context, id string) error {
	file, err := d.Pipeline.ModelFile(ctx, id)
	if err != nil {
		return err
	}
	body, err := d.Endpoint.artifact(file)
	if err != nil {
		return fmt.Errorf("package %s: %w", id, err)
	}
	_, err = d.Pipeline.Bucket().Put(ctx, d.Endpoint.artifactKey(id), bytes.NewReader(body), store.IfAbsent)
	if errors.Is(err, store.ErrPrecondition) {
		return nil
	}
	return err
}

// artifact is what the image serves: the package's file, or the one booster that the
// built-in container takes.
func (e *Endpoint) artifact(file []byte) ([]byte, error) {
	var out bytes.Buffer
	if !e.builtIn() {
		err := WriteArtifact(&out, PackageName, file)
		return out.Bytes(), err
	}
	pkg, err := train.ReadPackage(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	b := pkg.Model.Booster(e.Booster)
	if b == nil {
		return nil, fmt.Errorf("package %s has no booster %s for the built-in image to serve", pkg.Model.ID, e.Booster)
	}
	err = WriteArtifact(&out, TreesName, b.Trees)
	return out.Bytes(), err
}

// advance takes the deployment one step on from where the endpoint stands.
func (d *Deployer) advance(ctx context.Context) (Outcome, error) {
	stages, err := d.Pipeline.Stages(ctx)
	if err != nil {
		return Outcome{}, err
	}
	if d.Endpoint.Scorer == ScorerLambda {
		if stages.Approved == "" {
			return Outcome{State: StateLive, Model: stages.Live}, nil
		}
		return d.served(ctx, stages.Approved, "no endpoint")
	}
	now, err := d.API.DescribeEndpoint(ctx, &sagemaker.DescribeEndpointInput{EndpointName: &d.Endpoint.Name})
	if missing(err) {
		if stages.Approved == "" {
			return Outcome{State: StateIgnored, Why: "there is no endpoint, and no package is approved"}, nil
		}
		return d.rollOut(ctx, stages.Approved, nil)
	}
	if err != nil {
		return Outcome{}, err
	}
	switch now.EndpointStatus {
	case types.EndpointStatusInService:
		return d.settled(ctx, stages, now)
	case types.EndpointStatusFailed, types.EndpointStatusUpdateRollbackFailed:
		return d.failed(ctx, stages, now)
	}
	return Outcome{State: StateDeploying, Model: stages.Approved, Why: "the endpoint is " + string(now.EndpointStatus)}, nil
}

// settled goes on from an endpoint that serves: it says what is live, says that a
// rollout failed, or begins the next one.
func (d *Deployer) settled(ctx context.Context, stages train.Stages, now *sagemaker.DescribeEndpointOutput) (Outcome, error) {
	config := aws.ToString(now.EndpointConfigName)
	served, err := d.packageOf(ctx, config)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{State: StateLive, Model: served}
	if served != "" && served != stages.Live {
		if out, err = d.served(ctx, served, config); err != nil {
			return out, err
		}
	}
	if served != "" { // a new endpoint of what was live before, too
		if err := d.scale(ctx); err != nil {
			return out, err
		}
	}
	switch {
	case stages.Approved == "" || stages.Approved == served:
		return out, nil
	case stages.RollingOut():
		return d.failed(ctx, stages, now)
	}
	return d.rollOut(ctx, stages.Approved, now)
}

// packageOf returns the id of the package that a configuration serves; "" where it is
// none of ours.
func (d *Deployer) packageOf(ctx context.Context, config string) (string, error) {
	begins := d.Endpoint.idOf(config)
	if begins == "" {
		return "", nil
	}
	pkg, err := d.Pipeline.Model(ctx, begins)
	if errors.Is(err, pipeline.ErrNoModel) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return pkg.Model.ID, nil
}

func (d *Deployer) served(ctx context.Context, id, by string) (Outcome, error) {
	at := d.transition(by)
	_, err := d.Pipeline.ChangeStages(ctx, func(s train.Stages) (train.Stages, error) {
		if s.Live == id && s.Approved != id {
			return s, errNothing // another event was faster
		}
		err := s.Serve(id, at)
		return s, err
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	return Outcome{State: StateLive, Model: id}, err
}

// failed takes the approved package out and says why. What was live stays so.
func (d *Deployer) failed(ctx context.Context, stages train.Stages, now *sagemaker.DescribeEndpointOutput) (Outcome, error) {
	id := stages.Approved
	why := aws.ToString(now.FailureReason)
	if why == "" {
		why = fmt.Sprintf("the endpoint is %s with %s: an alarm rolled the deployment back, or it ran out of time", now.EndpointStatus, aws.ToString(now.EndpointConfigName))
	}
	if id == "" {
		return Outcome{State: StateFailed, Why: why}, nil
	}
	at := d.transition("endpoint")
	at.Why = why
	_, err := d.Pipeline.ChangeStages(ctx, func(s train.Stages) (train.Stages, error) {
		if s.Approved != id {
			return s, errNothing
		}
		err := s.Fail(at)
		return s, err
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	d.Log.Error("model was not deployed", "stage", "deploy", "model", id, "error", why)
	return Outcome{State: StateFailed, Model: id, Why: why}, err
}

// rollOut sends the endpoint on its way to a package; now is nil where there is none
// yet.
func (d *Deployer) rollOut(ctx context.Context, id string, now *sagemaker.DescribeEndpointOutput) (Outcome, error) {
	e := &d.Endpoint
	name := e.configName(id)
	if err := d.keep(ctx, id); err != nil {
		return Outcome{}, err
	}
	if _, err := d.API.CreateModel(ctx, e.model(name, id)); err != nil && !exists(err) {
		return Outcome{}, err
	}
	if _, err := d.API.CreateEndpointConfig(ctx, e.config(name, id)); err != nil && !exists(err) {
		return Outcome{}, err
	}
	var err error
	if now == nil {
		_, err = d.API.CreateEndpoint(ctx, &sagemaker.CreateEndpointInput{EndpointName: &e.Name, EndpointConfigName: &name, Tags: e.tags(id)})
	} else {
		_, err = d.API.UpdateEndpoint(ctx, &sagemaker.UpdateEndpointInput{EndpointName: &e.Name, EndpointConfigName: &name, DeploymentConfig: e.deployment()})
	}
	if exists(err) || busy(err) {
		return Outcome{State: StateDeploying, Model: id, Why: "another call was faster"}, nil
	}
	if err != nil {
		return Outcome{}, err
	}
	at := d.transition(name)
	_, err = d.Pipeline.ChangeStages(ctx, func(s train.Stages) (train.Stages, error) {
		if s.Approved != id {
			return s, errNothing
		}
		err := s.Rollout(at)
		return s, err
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	return Outcome{State: StateDeploying, Model: id}, err
}

// Serve makes the endpoint serve the live package as the settings say now: where there
// is no endpoint yet (another scorer was chosen, or what SageMaker held was removed and
// the data kept), and where it has other instances than it should. A deployment under
// way goes on.
func (d *Deployer) Serve(ctx context.Context) (Outcome, error) {
	stages, err := d.Pipeline.Stages(ctx)
	if err != nil {
		return Outcome{}, err
	}
	if d.Endpoint.Scorer == ScorerLambda || stages.Live == "" || stages.Approved != "" {
		return d.advance(ctx)
	}
	now, err := d.API.DescribeEndpoint(ctx, &sagemaker.DescribeEndpointInput{EndpointName: &d.Endpoint.Name})
	switch {
	case missing(err):
		return d.rollOut(ctx, stages.Live, nil)
	case err != nil:
		return Outcome{}, err
	case now.EndpointStatus == types.EndpointStatusInService && aws.ToString(now.EndpointConfigName) != d.Endpoint.configName(stages.Live):
		return d.rollOut(ctx, stages.Live, now)
	}
	return d.advance(ctx)
}

// Rollback makes the package live again that was before, or begins to.
func (d *Deployer) Rollback(ctx context.Context) (Outcome, error) {
	at := d.transition("rollback")
	_, err := d.Pipeline.ChangeStages(ctx, func(s train.Stages) (train.Stages, error) {
		err := s.Recall(at)
		return s, err
	})
	if err != nil {
		return Outcome{}, err
	}
	return d.advance(ctx)
}

// invocationsPerInstance is what one instance answers a minute before another is
// started. A request has the rows of a whole closed window.
const invocationsPerInstance = 600

// scale lets the number of instances follow the requests.
func (d *Deployer) scale(ctx context.Context) error {
	e := &d.Endpoint
	if d.Scaling == nil || e.Scorer != ScorerEndpoint {
		return nil
	}
	target := aws.String("endpoint/" + e.Name + "/variant/" + Variant)
	_, err := d.Scaling.RegisterScalableTarget(ctx, &applicationautoscaling.RegisterScalableTargetInput{
		ServiceNamespace: scaling.ServiceNamespaceSagemaker, ScalableDimension: scaling.ScalableDimensionSageMakerVariantDesiredInstanceCount,
		ResourceId: target, MinCapacity: aws.Int32(int32(e.Instances)), MaxCapacity: aws.Int32(int32(max(e.Instances, e.MaxInstances))),
	})
	if err != nil {
		return err
	}
	_, err = d.Scaling.PutScalingPolicy(ctx, &applicationautoscaling.PutScalingPolicyInput{
		PolicyName: aws.String(e.Prefix + "-invocations"), PolicyType: scaling.PolicyTypeTargetTrackingScaling,
		ServiceNamespace: scaling.ServiceNamespaceSagemaker, ScalableDimension: scaling.ScalableDimensionSageMakerVariantDesiredInstanceCount, ResourceId: target,
		TargetTrackingScalingPolicyConfiguration: &scaling.TargetTrackingScalingPolicyConfiguration{
			TargetValue:                   aws.Float64(invocationsPerInstance),
			PredefinedMetricSpecification: &scaling.PredefinedMetricSpecification{PredefinedMetricType: scaling.MetricTypeSageMakerVariantInvocationsPerInstance},
		},
	})
	return err
}

// SageMaker says with one error code, ValidationException, what is not there, what is
// there already and what is under way; only its message tells them apart.
func says(err error, texts ...string) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	message := strings.ToLower(api.ErrorMessage())
	for _, text := range texts {
		if strings.Contains(message, text) {
			return true
		}
	}
	return false
}

func missing(err error) bool { return says(err, "could not find") }
func exists(err error) bool {
	return says(err, "already exist", "cannot create already existing")
}
func busy(err error) bool { return says(err, "in-progress", "in progress", "cannot update") }
