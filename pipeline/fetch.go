package pipeline

import (
	"context"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"
)

// fetchers is how many small objects are read at once: S3 takes some ten
// milliseconds for each, however small.
const fetchers = 16

// fetch reads objects, several at once, and returns what read made of each, in order.
func fetch[T any](ctx context.Context, keys []string, read func(ctx context.Context, key string) (T, error)) ([]T, error) {
	all := make([]T, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fetchers)
	for i, key := range keys {
		group.Go(func() (err error) {
			all[i], err = read(ctx, key)
			return err
		})
	}
	return all, group.Wait()
}

// origins remembers where parts came from: a part never changes, and each closing
// of an hour asks for all of its parts.
type origins struct {
	mu    sync.Mutex
	byKey map[string]provenance
}

// maxOrigins bounds what is remembered, to some megabytes: then all is forgotten.
const maxOrigins = 20_000

func (o *origins) get(key string) (provenance, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v, ok := o.byKey[key]
	return v, ok
}

func (o *origins) put(key string, v provenance) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byKey == nil || len(o.byKey) >= maxOrigins {
		o.byKey = map[string]provenance{}
	}
	o.byKey[key] = v
}

// headBytes hold the first line of a part: a key of 1,024 bytes takes at most six
// times as many in JSON.
const headBytes = 8 << 10

// stored returns where a part came from.
func (p *Pipeline) stored(ctx context.Context, key string) (stored, error) {
	st := stored{key: key}
	var known bool
	if st.provenance, known = p.origins.get(key); known {
		return st, nil
	}
	r, err := p.deps.Bucket.GetRange(ctx, key, 0, headBytes)
	if err != nil {
		return st, err
	}
	defer r.Close()
	if _, err := readProvenance(r, &st.provenance); err != nil {
		return st, fmt.Errorf("%s: %w", key, err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil { // or the connection is of no further use
		return st, fmt.Errorf("%s: %w", key, err)
	}
	p.origins.put(key, st.provenance)
	return st, nil
}
