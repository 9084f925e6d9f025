package deploy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// modelAtMost is how long a model is waited for: a new endpoint takes ten minutes.
const modelAtMost = 30 * time.Minute

// DeployModel asks the function deploy-model to make a model package live, as the
// event of its approval does.
func (a *Account) DeployModel(ctx context.Context, arn string) error {
	return a.askDeployModel(ctx, map[string]any{"ModelPackageArn": arn})
}

// ServeModel asks deploy-model to have the live model served as the parameters say now,
// and may wait until it is. Where it is, nothing happens.
func (a *Account) ServeModel(ctx context.Context, wait bool) error {
	if err := a.askDeployModel(ctx, map[string]any{"Serve": true}); err != nil || !wait {
		return err
	}
	var s Status
	served, err := a.until(ctx, modelAtMost, func() (bool, error) {
		err := a.endpointStatus(ctx, &s)
		return s.Endpoint != "Creating" && s.Endpoint != "Updating", err
	})
	switch {
	case err != nil:
		return err
	case !served || s.Endpoint != "InService":
		return Failure{fmt.Errorf("endpoint %s is %s", a.Endpoint(), cmp.Or(s.Endpoint, "not there")), "see \"picket deploy logs deploy-model\" and the endpoint in the console of SageMaker; when it is in service, run \"picket deploy\" again"}
	}
	return nil
}

func (a *Account) askDeployModel(ctx context.Context, event map[string]any) error {
	return AskDeployModel(ctx, a.cfg, a.Prefix, event)
}

// AskDeployModel invokes the function deploy-model of a prefix with an event.
func AskDeployModel(ctx context.Context, cfg aws.Config, prefix string, event map[string]any) error {
	body, err := json.Marshal(event)
	if err != nil {
		return err
	}
	name := Names{Prefix: prefix}.Function(DeployModel)
	out, err := lambda.NewFromConfig(cfg).Invoke(ctx, &lambda.InvokeInput{FunctionName: &name, Payload: body})
	if err != nil {
		return explain("ask function "+name, err)
	}
	if aws.ToString(out.FunctionError) != "" {
		return Failure{fmt.Errorf("function %s: %.500s", name, out.Payload), "see \"picket deploy logs deploy-model\", then run \"picket deploy\" again"}
	}
	return nil
}

// AwaitModel waits until a model package is live: until its endpoint serves it.
func (a *Account) AwaitModel(ctx context.Context, id string) error {
	live, err := a.until(ctx, modelAtMost, func() (bool, error) {
		stages, err := a.stages(ctx)
		return stages.Live == id, err
	})
	if err == nil && !live {
		return Failure{fmt.Errorf("model %.12s is not live after %s", id, modelAtMost), "see \"picket deploy logs deploy-model\" and the endpoint in \"picket deploy status\"; when it is in service, run \"picket deploy\" again"}
	}
	return err
}
