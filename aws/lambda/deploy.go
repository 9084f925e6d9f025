package lambda

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"

	"picket/aws/sagemaker"
)

// deploys gives the function the deployer that its environment describes.
func (f *Function) deploys(getenv func(string) string, cfg aws.Config) error {
	e, err := sagemaker.EndpointFromEnv(getenv)
	if err != nil {
		return err
	}
	d, err := sagemaker.NewDeployer(e, f.pipeline, cfg, f.log)
	if err != nil {
		return err
	}
	f.Deploy = func(ctx context.Context, event json.RawMessage) error {
		_, err := d.Handle(ctx, event)
		return err
	}
	return nil
}
