package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"picket"
	"picket/pipeline/extract"
)

// WriteRows writes rows of features of one schema as Parquet. each calls its
// argument for every row and returns the first error.
func WriteRows(w io.Writer, schema picket.Schema, each func(emit func(*picket.Features) error) error) error {
	batches, stop := make(chan []picket.Features, 4), make(chan struct{})
	var failed error
	go func() { // while rows are written, the next ones are computed
		defer close(batches)
		failed = sendRows(batches, writtenRows, stop, each)
	}()
	err := extract.WriteParquet(w, schema, func(yield func(picket.Features) bool) {
		for batch := range batches {
			for i := range batch {
				if !yield(batch[i]) {
					return
				}
			}
		}
	})
	close(stop)
	for range batches { // until each has returned
	}
	if failed != nil && !errors.Is(failed, errStopped) {
		return failed
	}
	return err
}

var errStopped = errors.New("stopped")

// sendRows sends rows in batches of n until each is done, or until stop, which is
// errStopped.
func sendRows(batches chan<- []picket.Features, n int, stop <-chan struct{}, each func(emit func(*picket.Features) error) error) error {
	batch := make([]picket.Features, 0, n)
	send := func() error {
		select {
		case batches <- batch:
			batch = make([]picket.Features, 0, n)
			return nil
		case <-stop:
			return errStopped
		}
	}
	err := each(func(f *picket.Features) error {
		if batch = append(batch, *f); len(batch) < n {
			return nil
		}
		return send()
	})
	if err != nil || len(batch) == 0 {
		return err
	}
	return send()
}

// writtenRows are handed over together.
const writtenRows = 64

// newestFeatures returns the newest revision of each slot that begins in [from, to).
// Keys begin with their day, so no other day is listed.
func (p *Pipeline) newestFeatures(ctx context.Context, from, to int64) (map[slot]string, error) {
	newest := map[slot]string{}
	last := featuresOf(to - 1)
	for info, err := range p.deps.Bucket.List(ctx, picket.FeaturesPrefix, featuresOf(from)) {
		if err != nil {
			return nil, err
		}
		if last != "" && info.Key > last+"~" {
			break
		}
		s, base, err := featuresSlot(info.Key)
		if err != nil {
			return nil, fmt.Errorf("features %s: %w", info.Key, err)
		}
		if s.Start < from || s.Start >= to {
			continue
		}
		if old, ok := newest[s]; !ok || base > path.Base(old) {
			newest[s] = info.Key
		}
	}
	return newest, nil
}

// Rows visits every row of the newest revision of each slot, in the order of the
// slots. Features objects are read ahead, as many at once as there are processors.
// visit may keep the row.
func (p *Pipeline) Rows(ctx context.Context, visit func(*picket.Features) error) error {
	newest, err := p.newestFeatures(ctx, math.MinInt64, math.MaxInt64)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	ahead := make(chan *aheadObject, runtime.GOMAXPROCS(0)-1) // those being read
	group.Go(func() error {
		defer close(ahead)
		for _, s := range slices.SortedFunc(maps.Keys(newest), compareSlots) {
			o := &aheadObject{rows: make(chan []picket.Features, aheadBatches)}
			select {
			case ahead <- o:
			case <-ctx.Done():
				return ctx.Err()
			}
			group.Go(func() error {
				defer close(o.rows)
				o.err = sendRows(o.rows, aheadRows, ctx.Done(), func(emit func(*picket.Features) error) error {
					return p.readFeatures(ctx, newest[s], emit)
				})
				if errors.Is(o.err, errStopped) {
					o.err = ctx.Err()
				}
				return nil
			})
		}
		return nil
	})
	group.Go(func() error {
		for o := range ahead {
			for batch := range o.rows {
				for i := range batch {
					if err := visit(&batch[i]); err != nil {
						return err
					}
				}
			}
			if o.err != nil {
				return o.err
			}
		}
		return nil
	})
	return group.Wait()
}

// aheadObject is a features object being read.
type aheadObject struct {
	rows chan []picket.Features // closed when err is set
	err  error
}

// Rows go from who reads them to who uses them in batches; so many of one object wait
// at most, some ten megabytes.
const (
	aheadRows    = 256
	aheadBatches = 64
)

// readFeatures streams the rows of one features object. visit may keep them.
func (p *Pipeline) readFeatures(ctx context.Context, key string, visit func(*picket.Features) error) error {
	f, size, err := p.local(ctx, key)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	s, _, err := featuresSlot(key)
	if err != nil {
		return err
	}
	if err := extract.ReadParquet(f, size, extract.RoadOf(s.Source).Schema(), visit); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// local copies an object to a temporary file: Parquet is read from its end.
func (p *Pipeline) local(ctx context.Context, key string) (*os.File, int64, error) {
	r, _, err := p.deps.Bucket.Get(ctx, key)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	f, err := os.CreateTemp(p.deps.TempDir, "picket-object-*")
	if err != nil {
		return nil, 0, err
	}
	n, err := io.Copy(f, r)
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, 0, err
	}
	return f, n, nil
}
