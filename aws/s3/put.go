package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"picket/store"
)

const (
	// partSize is how much of an object is held in memory, in bytes: what is
	// smaller is put in one request, what is larger in parts of this size.
	partSize = 8 << 20
	// maxParts is S3's limit; with partSize it makes objects of 80 GB.
	maxParts = 10_000
	// firstRead is enough for marks, manifests and findings.
	firstRead = 16 << 10

	// A 409 says that another write to the key is under way, and to try again.
	conflictTries = 8
	conflictWait  = 20 * time.Millisecond // at first; doubled each time, with jitter
)

// Put implements store.Bucket. 412 is a lost race, 409 is tried again.
func (b *Bucket) Put(ctx context.Context, key string, r io.Reader, conditions ...store.Condition) (store.Info, error) {
	if err := check(ctx, key); err != nil {
		return store.Info{}, err
	}
	want, err := store.Sum(conditions)
	if err != nil {
		return store.Info{}, b.wrap("put", key, err)
	}
	r = stopping{ctx, r}
	first, more, err := readFirst(r)
	if err != nil {
		return store.Info{}, b.wrap("put", key, err)
	}
	var info store.Info
	if more {
		info, err = b.putParts(ctx, key, first, r, want)
	} else {
		info, err = b.putWhole(ctx, key, first, want)
	}
	if status(err) == http.StatusNotFound && want.Match() != "" && missingObject(err) {
		err = store.ErrPrecondition // nothing is there to match
	}
	if err != nil {
		return store.Info{}, b.wrap("put", key, err)
	}
	return info, nil
}

// readFirst reads up to partSize bytes and reports whether there may be more.
func readFirst(r io.Reader) ([]byte, bool, error) {
	buf := make([]byte, firstRead)
	n, err := io.ReadFull(r, buf)
	if err == nil {
		buf = append(make([]byte, 0, partSize), buf...)[:partSize]
		var rest int
		rest, err = io.ReadFull(r, buf[n:])
		n += rest
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return buf[:n], false, nil
	}
	return buf[:n], true, err
}

func (b *Bucket) putWhole(ctx context.Context, key string, body []byte, want store.Condition) (store.Info, error) {
	in := &s3.PutObjectInput{Bucket: &b.o.Name, Key: b.key(key), IfNoneMatch: ifNone(want), IfMatch: ifMatch(want)}
	if b.o.KMSKey != "" {
		in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = types.ServerSideEncryptionAwsKms, &b.o.KMSKey, aws.Bool(true)
	}
	attempts := 0
	out, err := again(ctx, func() (*s3.PutObjectOutput, error) {
		in.Body = bytes.NewReader(body)
		return b.client.PutObject(ctx, in, counting(&attempts))
	})
	if err == nil {
		return put(key, int64(len(body)), out.ETag, out.ResultMetadata), nil
	}
	if status(err) == http.StatusPreconditionFailed && attempts > 1 {
		// The answer to an earlier attempt may have been lost on its way: then who
		// won the race was this very put.
		if info, mine := b.holds(ctx, key, body); mine {
			return info, nil
		}
	}
	return store.Info{}, err
}

// holds reports whether an object has the given content.
func (b *Bucket) holds(ctx context.Context, key string, body []byte) (store.Info, bool) {
	r, info, err := b.Get(ctx, key)
	if err != nil {
		return info, false
	}
	defer r.Close()
	if info.Size != int64(len(body)) {
		return info, false
	}
	got, err := io.ReadAll(r)
	return info, err == nil && bytes.Equal(got, body)
}

// counting counts the attempts of one call, the SDK's own ones included.
func counting(attempts *int) func(*s3.Options) {
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			count := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
				*attempts++
				return next.HandleFinalize(ctx, in)
			}
			return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("CountAttempts", count), "Retry", middleware.After)
		})
	}
}

// putParts puts a large object: one part in memory at a time, conditions at the
// end. What was put of an object that fails is taken back.
func (b *Bucket) putParts(ctx context.Context, key string, first []byte, r io.Reader, want store.Condition) (store.Info, error) {
	in := &s3.CreateMultipartUploadInput{Bucket: &b.o.Name, Key: b.key(key)}
	if b.o.KMSKey != "" {
		in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = types.ServerSideEncryptionAwsKms, &b.o.KMSKey, aws.Bool(true)
	}
	begun, err := b.client.CreateMultipartUpload(ctx, in)
	if err != nil {
		return store.Info{}, err
	}
	info, err := b.upload(ctx, key, begun.UploadId, first, r, want)
	if err != nil {
		// The bucket's lifecycle rule takes what a killed process leaves behind.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_, failed := b.client.AbortMultipartUpload(end, &s3.AbortMultipartUploadInput{Bucket: &b.o.Name, Key: b.key(key), UploadId: begun.UploadId})
		if failed != nil && status(failed) != http.StatusNotFound {
			err = fmt.Errorf("%w (and its parts are left behind: %v)", err, failed)
		}
	}
	return info, err
}

func (b *Bucket) upload(ctx context.Context, key string, id *string, buf []byte, r io.Reader, want store.Condition) (store.Info, error) {
	var parts []types.CompletedPart
	var size int64
	for more := true; len(buf) > 0; {
		number := int32(len(parts) + 1)
		if number > maxParts {
			return store.Info{}, fmt.Errorf("larger than %d bytes", int64(maxParts)*partSize)
		}
		out, err := b.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &b.o.Name, Key: b.key(key), UploadId: id, PartNumber: &number, Body: bytes.NewReader(buf),
		})
		if err != nil {
			return store.Info{}, err
		}
		parts = append(parts, completed(number, out))
		size += int64(len(buf))
		if !more {
			break
		}
		n, err := io.ReadFull(r, buf[:partSize])
		buf = buf[:n]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			more = false
		} else if err != nil {
			return store.Info{}, err
		}
	}
	// A 409 here asks for all parts again, and a stream has gone by.
	out, err := b.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &b.o.Name, Key: b.key(key), UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		IfNoneMatch: ifNone(want), IfMatch: ifMatch(want),
	})
	if status(err) == http.StatusConflict && want == store.IfAbsent {
		if _, err := b.Stat(ctx, key); err == nil {
			return store.Info{}, store.ErrPrecondition
		} else if !errors.Is(err, fs.ErrNotExist) {
			return store.Info{}, err
		}
	}
	if err != nil {
		return store.Info{}, err
	}
	return put(key, size, out.ETag, out.ResultMetadata), nil
}

func completed(number int32, out *s3.UploadPartOutput) types.CompletedPart {
	return types.CompletedPart{
		PartNumber: &number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C,
		ChecksumCRC64NVME: out.ChecksumCRC64NVME, ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256,
	}
}

// put is what is known of an object after it was put. S3 does not say when it
// did, but its answer has a date.
func put(key string, size int64, etag *string, m middleware.Metadata) store.Info {
	at, _ := awsmiddleware.GetServerTime(m)
	return store.Info{Key: key, Size: size, ETag: aws.ToString(etag), Modified: at.UTC()}
}

func ifNone(c store.Condition) *string {
	if c == store.IfAbsent {
		return aws.String("*")
	}
	return nil
}

func ifMatch(c store.Condition) *string {
	if c.Match() == "" {
		return nil
	}
	return aws.String(c.Match())
}

// again calls do until it is no conflict, waiting longer each time.
func again[T any](ctx context.Context, do func() (T, error)) (T, error) {
	for try := 0; ; try++ {
		v, err := do()
		if status(err) != http.StatusConflict || try == conflictTries-1 {
			return v, err
		}
		wait := time.NewTimer(rand.N(conflictWait << try))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return v, ctx.Err()
		}
	}
}
