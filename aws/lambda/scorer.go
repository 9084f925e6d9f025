package lambda

import (
	"bytes"
	"context"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemakerruntime"

	"picket/pipeline"
	"picket/server"
)

// endpointScorer puts an endpoint of SageMaker, on instances or without, in the
// place of a package's own trees. One that is missing, cold or overrun is asked
// again, and is an error of the infrastructure in the end: nothing is judged
// without it.
func endpointScorer(name string, cfg aws.Config) func(*pipeline.Serving) {
	client := sagemakerruntime.NewFromConfig(cfg, func(o *sagemakerruntime.Options) { o.RetryMaxAttempts = attempts })
	send := func(ctx context.Context, r server.Request) (io.ReadCloser, error) {
		out, err := client.InvokeEndpoint(ctx, &sagemakerruntime.InvokeEndpointInput{
			EndpointName: &name, ContentType: &r.ContentType, Accept: &r.Accept, CustomAttributes: &r.CustomAttributes, Body: r.Body,
		})
		if err != nil {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(out.Body)), nil
	}
	return func(s *pipeline.Serving) { s.Scorer = &server.Client{URL: name, Model: s.Model, Send: send} }
}
