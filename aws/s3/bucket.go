// Package s3 keeps objects in S3, or in what speaks its protocol: the address of a
// bucket -> a store.Bucket.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"picket/store"
)

// Options say which part of which bucket, and how objects are encrypted.
type Options struct {
	Name   string // of the bucket
	Prefix string // before every key, and part of S3's 1,024 bytes: "" or ends in "/"
	KMSKey string // key of SSE-KMS, named at each put; "" leaves it to the bucket's default
}

// Bucket is a store.Bucket in S3. An object's ETag is the one that S3 gives it,
// quotes included; it names a content, but under SSE-KMS one content put twice
// has two.
type Bucket struct {
	client *s3.Client
	o      Options
}

var _ store.Bucket = (*Bucket)(nil)

// New returns the bucket that client reaches. It asks nothing yet.
func New(client *s3.Client, o Options) *Bucket { return &Bucket{client, o} }

// Name returns the bucket's name.
func (b *Bucket) Name() string { return b.o.Name }

func (b *Bucket) key(key string) *string { return aws.String(b.o.Prefix + key) }

// Stat implements store.Bucket.
func (b *Bucket) Stat(ctx context.Context, key string) (store.Info, error) {
	if err := check(ctx, key); err != nil {
		return store.Info{}, err
	}
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.o.Name, Key: b.key(key)})
	if err != nil {
		return store.Info{}, b.wrap("stat", key, b.absent(ctx, key, err))
	}
	return store.Info{Key: key, Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag), Modified: aws.ToTime(out.LastModified).UTC()}, nil
}

// Delete implements store.Bucket. In a bucket with versions the object is hidden,
// not gone.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.o.Name, Key: b.key(key)})
	if err != nil && !errors.Is(b.wrap("delete", key, err), fs.ErrNotExist) {
		return b.wrap("delete", key, err)
	}
	return nil
}

// List implements store.Bucket. The empty objects whose key ends in "/" that
// consoles make for folders are passed over.
func (b *Bucket) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if !utf8.ValidString(prefix) || strings.IndexByte(prefix, 0) >= 0 {
			return // no key begins so
		}
		pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{
			Bucket: &b.o.Name, Prefix: b.key(prefix), StartAfter: b.startAfter(after),
			EncodingType: types.EncodingTypeUrl, // XML cannot hold every key
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(store.Info{}, b.wrap("list", prefix, err))
				return
			}
			for i := range page.Contents {
				info, err := b.listed(&page.Contents[i])
				if info.Key <= after || err != nil && info.Size == 0 && strings.HasSuffix(info.Key, "/") {
					continue
				}
				if !yield(info, err) {
					return
				}
				if err := ctx.Err(); err != nil {
					yield(store.Info{}, err)
					return
				}
			}
		}
	}
}

// startAfter returns the longest text that S3 takes and that is no greater than
// after.
func (b *Bucket) startAfter(after string) *string {
	for i, r := range after {
		if r == utf8.RuneError || r == 0 {
			after = after[:i]
			break
		}
	}
	if after == "" {
		return nil
	}
	return b.key(after)
}

func (b *Bucket) listed(o *types.Object) (store.Info, error) {
	info := store.Info{Size: aws.ToInt64(o.Size), ETag: aws.ToString(o.ETag), Modified: aws.ToTime(o.LastModified).UTC()}
	key, err := url.QueryUnescape(aws.ToString(o.Key))
	if err != nil {
		return info, fmt.Errorf("list %s: key %q: %w", b.o.Name, aws.ToString(o.Key), err)
	}
	info.Key = strings.TrimPrefix(key, b.o.Prefix)
	return info, store.CheckKey(info.Key)
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return store.CheckKey(key)
}

// wrap says what was done to which object, and what S3 refused it for. A missing
// bucket is no missing object.
func (b *Bucket) wrap(verb, key string, err error) error {
	switch status(err) {
	case http.StatusNotFound, http.StatusMethodNotAllowed: // the second: a version that only says "deleted"
		if missingObject(err) {
			err = fs.ErrNotExist
		}
	case http.StatusPreconditionFailed:
		err = store.ErrPrecondition
	}
	return fmt.Errorf("%s %q in s3://%s/%s: %w", verb, key, b.o.Name, b.o.Prefix, err)
}

// absent turns "forbidden" into "not there" where that is so. S3 says 403 of a
// missing object to who may not list the whole bucket; who may list the prefix that
// it lies below can still find out.
func (b *Bucket) absent(ctx context.Context, key string, err error) error {
	if status(err) != http.StatusForbidden {
		return err
	}
	page, failed := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &b.o.Name, Prefix: b.key(key), MaxKeys: aws.Int32(1), EncodingType: types.EncodingTypeUrl,
	})
	if failed != nil || page == nil {
		return err
	}
	for i := range page.Contents { // in the order of keys: the object itself is the first
		if info, failed := b.listed(&page.Contents[i]); failed != nil || info.Key == key {
			return err
		}
	}
	return fs.ErrNotExist
}

// missingObject reports whether what a 404 misses is the object, not the bucket or
// an upload.
func missingObject(err error) bool {
	var api smithy.APIError
	return !errors.As(err, &api) || api.ErrorCode() != "NoSuchBucket" && api.ErrorCode() != "NoSuchUpload"
}

// status returns the HTTP status of an answer that is an error, 0 for none.
func status(err error) int {
	var answer interface{ HTTPStatusCode() int }
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

// stopping reads from r until ctx ends.
type stopping struct {
	ctx context.Context
	r   io.Reader
}

func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}
