package s3

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Scheme is what the address of a bucket in S3 begins with.
const Scheme = "s3://"

// attempts of a call. The SDK waits between them, longer each time, with jitter.
const attempts = 6

// NewClient returns a client of S3, or of what answers at an endpoint.
func NewClient(cfg aws.Config, endpoint string) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
		o.RetryMaxAttempts = attempts
		if o.BaseEndpoint != nil {
			// Others than AWS seldom have a name for each bucket, or the checksums
			// that the SDK adds of itself.
			o.UsePathStyle = true
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		}
	})
}
