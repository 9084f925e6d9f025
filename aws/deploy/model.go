package deploy

import (
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
	body, err := json.Marshal(map[string]string{"ModelPackageArn": arn})
	if err != nil {
		return err
	}
	name := a.Function(DeployModel)
	out, err := a.lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: &name, Payload: body})
	if err != nil {
		return explain("ask "+name+" to deploy "+arn, err)
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
