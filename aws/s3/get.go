package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"picket/store"
)

// Get implements store.Bucket.
func (b *Bucket) Get(ctx context.Context, key string) (io.ReadCloser, store.Info, error) {
	return b.GetVersion(ctx, key, "")
}

// GetVersion opens one version of an object, the newest for "". A version that is
// not there any more is fs.ErrNotExist.
func (b *Bucket) GetVersion(ctx context.Context, key, version string) (io.ReadCloser, store.Info, error) {
	if err := check(ctx, key); err != nil {
		return nil, store.Info{}, err
	}
	in := s3.GetObjectInput{Bucket: &b.o.Name, Key: b.key(key)}
	if version != "" {
		in.VersionId = &version
	}
	out, err := b.client.GetObject(ctx, &in)
	if err != nil {
		if version == "" {
			err = b.absent(ctx, key, err)
		}
		return nil, store.Info{}, b.wrap("get", key, err)
	}
	info := store.Info{Key: key, Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag), Modified: aws.ToTime(out.LastModified).UTC()}
	return &object{b: b, ctx: ctx, in: in, info: info, body: out.Body}, info, nil
}

// maxResumes bounds how often a read is taken up again without one byte of
// progress.
const maxResumes = 3

// object reads an object and, where the connection breaks, goes on with the same
// content from there. A raw log of gigabytes takes minutes.
type object struct {
	b     *Bucket
	ctx   context.Context
	in    s3.GetObjectInput
	info  store.Info
	body  io.ReadCloser
	at    int64 // bytes read
	tries int
}

func (o *object) Read(p []byte) (int, error) {
	if err := o.ctx.Err(); err != nil {
		return 0, err
	}
	for {
		n, err := o.body.Read(p)
		o.at += int64(n)
		if n > 0 {
			o.tries = 0
		}
		if err == io.EOF && o.at < o.info.Size {
			err = io.ErrUnexpectedEOF
		}
		if n > 0 && err != io.EOF {
			return n, nil // what is wrong shows at the next read
		}
		if err == nil || err == io.EOF {
			return n, err
		}
		if err := o.resume(err); err != nil {
			return 0, err
		}
	}
}

// resume asks for the rest after a read failed.
func (o *object) resume(cause error) error {
	if o.tries++; o.tries > maxResumes || o.ctx.Err() != nil {
		return fmt.Errorf("get %q in s3://%s: after %d of %d bytes: %w", o.info.Key, o.b.o.Name, o.at, o.info.Size, cause)
	}
	in := o.in
	in.Range = aws.String(fmt.Sprintf("bytes=%d-", o.at))
	in.IfMatch = aws.String(o.info.ETag)
	out, err := o.b.client.GetObject(o.ctx, &in)
	if err != nil {
		return o.b.wrap("get", o.info.Key, errors.Join(cause, err))
	}
	o.body.Close()
	o.body = out.Body
	return nil
}

func (o *object) Close() error { return o.body.Close() }

// GetRange implements store.Bucket.
func (b *Bucket) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if err := check(ctx, key); err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, b.wrap("get", key, fmt.Errorf("offset %d", off))
	}
	if n == 0 {
		_, err := b.Stat(ctx, key)
		return nothing(), err
	}
	span := fmt.Sprintf("bytes=%d-", off)
	if n > 0 && n <= math.MaxInt64-off {
		span += fmt.Sprint(off + n - 1)
	}
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.o.Name, Key: b.key(key), Range: &span})
	if status(err) == http.StatusRequestedRangeNotSatisfiable { // the object ends before
		return nothing(), nil
	}
	if err != nil {
		return nil, b.wrap("get", key, b.absent(ctx, key, err))
	}
	return out.Body, nil
}

func nothing() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }
