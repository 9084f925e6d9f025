package lambda

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// environment is the configuration that Lambda gives a function: a region, the keys
// of its role for as long as the process lives, and, in tests, where services are.
// The SDK's own loader looks into files and asks other machines, too, which no
// function has: it is a twentieth of the program and a part of each start.
func environment(getenv func(string) string) aws.Config {
	cfg := aws.Config{
		Region:           getenv("AWS_REGION"),
		Credentials:      credentials.NewStaticCredentialsProvider(getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY"), getenv("AWS_SESSION_TOKEN")),
		RetryMaxAttempts: attempts,
		ConfigSources:    []any{endpoints(getenv)},
	}
	if at := getenv("AWS_ENDPOINT_URL"); at != "" {
		cfg.BaseEndpoint = &at
	}
	return cfg
}

// endpoints are the addresses of services in AWS_ENDPOINT_URL_SERVICE.
type endpoints func(string) string

// GetServiceBaseEndpoint is what the SDK asks its sources.
func (e endpoints) GetServiceBaseEndpoint(_ context.Context, service string) (string, bool, error) {
	at := e("AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(service, " ", "_")))
	return at, at != "", nil
}
