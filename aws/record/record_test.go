package record_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"picket/aws/record"
)

// refused answers every request at once: what is needed is known before it is sent.
type refused struct{}

func (refused) Do(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 403, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

func client(calls *record.Calls) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""), HTTPClient: refused{},
		APIOptions: []func(*middleware.Stack) error{calls.Option()},
	})
}

func TestCompare(t *testing.T) {
	var calls record.Calls
	c, ctx := client(&calls), context.Background()
	bucket := aws.String("p2-data-1-r")
	c.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("raw/a/b.gz"), VersionId: aws.String("1")})
	c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("logs"), Key: aws.String("b.gz"), VersionId: aws.String("1")})
	c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: aws.String("windows/objects/abc/")})
	c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("due/2026-01-01T00/vpc/a"), Body: strings.NewReader("")})
	if err := calls.Compare("ingest", "p2-data-1-r", "logs", "p2", false); err != nil {
		t.Fatal(err)
	}
	if err := calls.Compare("ingest", "p2-data-1-r", "logs", "p2", true); err == nil || !strings.Contains(err.Error(), "listed and not called: ingest s3:PutObject DATA/windows/*") {
		t.Errorf("strict: %v", err)
	}
	if err := calls.Compare("close", "p2-data-1-r", "logs", "p2", false); err == nil || !strings.Contains(err.Error(), "called and not listed: close s3:GetObjectVersion DATA/raw/*") {
		t.Errorf("another role: %v", err)
	}
	c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket})
	if _, err := calls.Needs(); err == nil || !strings.Contains(err.Error(), "S3.DeleteBucket") {
		t.Errorf("an operation without a row: %v", err)
	}
}

// stages.json is put if it has not changed: S3 wants the right to read it, too.
func TestIfMatch(t *testing.T) {
	var calls record.Calls
	client(&calls).PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("models/stages.json"), IfMatch: aws.String("e"), Body: strings.NewReader("")})
	needs, err := calls.Needs()
	if err != nil || len(needs) != 2 || needs[0] != (record.Need{Action: "s3:GetObject", Resource: "b/models/*"}) {
		t.Errorf("%v, %v", needs, err)
	}
}
