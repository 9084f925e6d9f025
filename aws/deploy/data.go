package deploy

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// upload puts an object into the data bucket where it is not there yet, and reports
// whether it had to. The bucket's own key encrypts it.
func (a *Account) upload(ctx context.Context, key string, body []byte) (bool, error) {
	bucket := a.DataBucket()
	_, err := a.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(body), IfNoneMatch: aws.String("*")})
	if err != nil && strings.Contains(err.Error(), "PreconditionFailed") {
		return false, nil
	}
	return err == nil, explain("upload "+key, err)
}

// Smoke is what came of the test after a deployment.
type Smoke struct {
	Key     string        `json:"key"`     // of the raw log
	Finding string        `json:"finding"` // key of its finding
	Took    time.Duration `json:"took_ns"` // from put to finding
}

// SmokeLog is a raw log whose finding names an entity that no other log has.
type SmokeLog struct {
	Name   string // last part of its key
	Body   []byte
	Entity string // the finding names it
}

// smokeAtMost is how long a finding is waited for. Close waits five seconds for more
// parts, the functions start cold, and queues are polled every few seconds.
const smokeAtMost = 5 * time.Minute

// Smoke puts a raw log and waits for its finding: proof that events, queues,
// functions, scorer and permissions work together.
func (a *Account) Smoke(ctx context.Context, log SmokeLog) (Smoke, error) {
	began := a.Now()
	s := Smoke{Key: "raw/picket-smoke-test/" + log.Name}
	if _, err := a.upload(ctx, s.Key, log.Body); err != nil {
		return s, err
	}
	looked := map[string]bool{} // keys whose finding is another's
	found, err := a.until(ctx, smokeAtMost, func() (bool, error) {
		err := a.list(ctx, findingsOn(began), func(key string, _ time.Time) error {
			if s.Finding != "" || looked[key] {
				return nil
			}
			looked[key] = true
			body, err := a.read(ctx, key)
			if err == nil && bytes.Contains(body, []byte(`"`+log.Entity+`"`)) {
				s.Finding = key
			}
			return err
		})
		return s.Finding != "", err
	})
	s.Took = a.Now().Sub(began)
	if err == nil && !found {
		return s, Failure{fmt.Errorf("smoke test: no finding about %s from %s after %s", log.Entity, s.Key, smokeAtMost), a.whereItStopped(ctx)}
	}
	return s, err
}

// whereItStopped says how far the raw log of a failed smoke test came.
func (a *Account) whereItStopped(ctx context.Context) string {
	for _, step := range []struct{ prefix, verb string }{{"windows/", Ingest}, {"features/", Close}, {"findings/", Detect}} {
		any := false
		if err := a.list(ctx, step.prefix, func(string, time.Time) error { any = true; return nil }); err != nil {
			return "run \"picket deploy status\" and \"picket deploy logs\""
		}
		if !any {
			return fmt.Sprintf("nothing is in %s yet: run \"picket deploy logs %s\", and \"picket deploy status\" for dead letters", step.prefix, step.verb)
		}
	}
	return "run \"picket deploy status\" for dead letters and alarms, and \"picket deploy logs\" for errors"
}

// bucketThere reports whether the data bucket exists and may be read.
func (a *Account) bucketThere(ctx context.Context) (bool, error) {
	bucket := a.DataBucket()
	_, err := a.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket, ExpectedBucketOwner: &a.Account})
	if err == nil {
		return true, nil
	}
	if notFound(err) {
		return false, nil
	}
	return false, explain("look at bucket "+bucket, err)
}

// bucketKey returns the ARN of the key that encrypts the data bucket; "" where that is
// not known.
func (a *Account) bucketKey(ctx context.Context) (string, error) {
	bucket := a.DataBucket()
	out, err := a.s3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &bucket})
	if err != nil {
		return "", explain("look at the key of bucket "+bucket, err)
	}
	if out.ServerSideEncryptionConfiguration != nil {
		for _, r := range out.ServerSideEncryptionConfiguration.Rules {
			if by := r.ApplyServerSideEncryptionByDefault; by != nil && by.KMSMasterKeyID != nil {
				return *by.KMSMasterKeyID, nil
			}
		}
	}
	return "", nil
}

// deleteData deletes every object of the data bucket, every version of it, and the
// bucket.
func (a *Account) deleteData(ctx context.Context) error {
	bucket := a.DataBucket()
	err := a.emptyBucket(ctx, bucket)
	if notFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = a.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &bucket})
	if notFound(err) {
		return nil
	}
	return explain("delete bucket "+bucket, err)
}

func (a *Account) emptyBucket(ctx context.Context, bucket string) error {
	var key, version *string
	for {
		page, err := a.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &bucket, KeyMarker: key, VersionIdMarker: version})
		if err != nil {
			return explain("list bucket "+bucket, err)
		}
		var ids []types.ObjectIdentifier
		for _, v := range page.Versions {
			ids = append(ids, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, m := range page.DeleteMarkers {
			ids = append(ids, types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
		}
		if len(ids) == 0 {
			return nil
		}
		out, err := a.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)}})
		if err != nil {
			return explain("empty bucket "+bucket, err)
		}
		if len(out.Errors) > 0 {
			e := out.Errors[0]
			return fmt.Errorf("empty bucket %s: %s: %s: %s", bucket, aws.ToString(e.Key), aws.ToString(e.Code), aws.ToString(e.Message))
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		key, version = page.NextKeyMarker, page.NextVersionIdMarker
	}
}
