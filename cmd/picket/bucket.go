package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"picket"
	"picket/aws/s3"
	"picket/aws/s3/locate"
	"picket/pipeline"
	"picket/store"
)

// dataUsage is the help of --data where it names a bucket.
const dataUsage = "the bucket: a folder, or s3://NAME/PREFIX (default: picket-data)"

// inS3 reports whether an address is that of a bucket in S3.
func inS3(address string) bool { return strings.HasPrefix(address, s3.Scheme) }

// bucketAt opens the bucket at an address: s3://NAME/PREFIX, else a folder.
func bucketAt(ctx context.Context, address string) (store.Bucket, error) {
	if !inS3(address) {
		b, err := store.OpenDisk(address)
		if err != nil {
			return nil, hint(err, "name the bucket with --data: a folder, or s3://NAME/PREFIX")
		}
		return b, nil
	}
	at, err := locate.Parse(address)
	if err != nil {
		return nil, hint(err, "write s3://NAME/PREFIX, with ?region=, ?profile=, ?kms= or ?endpoint=URL where they are not those of the AWS command line")
	}
	return openS3(ctx, at)
}

func openS3(ctx context.Context, at locate.Address) (*s3.Bucket, error) {
	b, err := at.Open(ctx)
	if errors.Is(err, locate.ErrRegion) {
		return nil, hint(err, "set AWS_REGION, or write s3://NAME?region=REGION")
	}
	if err != nil {
		return nil, hint(err, "say with ?profile= which part of ~/.aws/config holds")
	}
	return b, nil
}

// closeBucket ends the use of a bucket that may hold files open.
func closeBucket(b store.Bucket) {
	if c, ok := b.(io.Closer); ok {
		c.Close()
	}
}

// bucketRaws hands the objects at or below an address in S3 to add: logs that
// somebody else keeps, wherever in a bucket. What cannot be listed is returned.
func bucketRaws(ctx context.Context, address string, add func(pipeline.Raw)) (problems []error) {
	at, err := locate.Parse(address)
	if err != nil {
		return []error{hint(err, "write s3://NAME/PREFIX")}
	}
	prefix := strings.TrimSuffix(at.Prefix, "/")
	at.Prefix = ""
	b, err := openS3(ctx, at)
	if err != nil {
		return []error{err}
	}
	for info, err := range b.List(ctx, prefix, "") {
		switch {
		case err != nil:
			problems = append(problems, err)
		case prefix == "" || info.Key == prefix || strings.HasPrefix(info.Key, prefix+"/"):
			add(objectRaw(ctx, b, info))
		}
	}
	return problems
}

// objectRaw is a raw object in S3: one reading of it is of one version.
func objectRaw(ctx context.Context, b *s3.Bucket, info store.Info) pipeline.Raw {
	return pipeline.Raw{
		Key: s3.Scheme + b.Name() + "/" + info.Key, Modified: info.Modified, Size: info.Size,
		Open: func() (io.ReadCloser, error) {
			r, _, err := b.Get(ctx, info.Key)
			return r, err
		},
		Changed: func() bool {
			now, err := b.Stat(ctx, info.Key)
			return err == nil && now.ETag != info.ETag
		},
	}
}

// rawFolder is where logs are dropped into the bucket at an address.
func rawFolder(address string) string {
	if inS3(address) {
		address, _, _ = strings.Cut(address, "?")
	}
	return strings.TrimSuffix(address, "/") + "/" + strings.TrimSuffix(picket.RawPrefix, "/")
}
