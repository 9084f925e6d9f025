package pipeline

import (
	"context"
	"io"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"picket"
	"picket/store"
)

// RawObjects returns the objects below raw/ that the bucket holds, as Ingest
// takes them.
func (p *Pipeline) RawObjects(ctx context.Context, visit func(Raw) error) error {
	for info, err := range p.deps.Bucket.List(ctx, picket.RawPrefix, "") {
		if err != nil {
			p.deps.Log.Warn("raw object left out", "key", info.Key, "stage", "ingest", "error", err)
			continue
		}
		if err := visit(p.RawObject(ctx, info)); err != nil {
			return err
		}
	}
	return nil
}

// RawObject returns the raw object that info describes.
func (p *Pipeline) RawObject(ctx context.Context, info store.Info) Raw {
	return Raw{
		Key: strings.TrimPrefix(info.Key, picket.RawPrefix), Modified: info.Modified, Size: info.Size, ID: info.ETag,
		Open: func() (io.ReadCloser, error) {
			r, _, err := p.deps.Bucket.Get(ctx, info.Key)
			return r, err
		},
		Changed: func() bool {
			now, err := p.deps.Bucket.Stat(ctx, info.Key)
			return err == nil && (now.Size != info.Size || !now.Modified.Equal(info.Modified))
		},
	}
}

// IngestAll ingests the raw objects of the bucket, as many at once as there are
// processors. done is told of each, one at a time; its error ends all.
func (p *Pipeline) IngestAll(ctx context.Context, done func(Raw, Ingested, error) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	var one sync.Mutex
	err := p.RawObjects(ctx, func(r Raw) error {
		group.Go(func() error {
			in, err := p.Ingest(ctx, r)
			one.Lock()
			defer one.Unlock()
			return done(r, in, err)
		})
		return ctx.Err()
	})
	if failed := group.Wait(); failed != nil {
		return failed
	}
	return err
}
