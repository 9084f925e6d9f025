package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"picket"
	"picket/pipeline/decode"
	"picket/pipeline/extract"
)

// Query says which rows of flows somebody wants. The zero value is all.
type Query struct {
	Seconds int64         // only this width; 0 is all
	Kinds   []picket.Kind // whose windows; nil is actors and victims
	Columns []int         // places in the schema, in their order; nil is all
	Entity  string        // only this address; "" is all
}

// Wants reports whether a row is among those asked for.
func (q Query) Wants(f *picket.Features) bool {
	return (q.Entity == "" || f.Entity.ID == q.Entity) && (q.Seconds == 0 || f.Seconds == q.Seconds) &&
		(q.Kinds == nil || slices.Contains(q.Kinds, f.Entity.Kind))
}

// Straight holds what raw objects say of flows, with no bucket between: it gives the
// rows, in the order, that Ingest, Close and Rows would give.
type Straight struct {
	p     *Pipeline
	d     *extract.Direct
	hours []extract.DirectSlot
}

// ReadStraight decodes raw objects by as many goroutines as there are processors.
// read, which may be nil, is told of each as it is done, one at a time. An object
// that can be read only in part is not an error.
func (p *Pipeline) ReadStraight(ctx context.Context, raws []Raw, read func(int, Ingested)) (*Straight, error) {
	return p.straight(func(s *Straight) error { return s.feed(ctx, raws, read) })
}

// takeStraight is ReadStraight of records of flows that need no decoding.
func (p *Pipeline) takeStraight(feed func(emit func(*picket.Record) error) error) (*Straight, error) {
	return p.straight(func(s *Straight) error {
		f := s.d.Feed()
		if err := feed(f.Add); err != nil {
			f.Flush() // the first error is the one that counts
			return err
		}
		return f.Flush()
	})
}

// straight returns what fill adds.
func (p *Pipeline) straight(fill func(*Straight) error) (*Straight, error) {
	s := &Straight{p: p, d: extract.NewDirect(extract.DirectOptions{TempDir: p.deps.TempDir})}
	err := fill(s)
	if err == nil {
		s.hours, err = s.d.Slots()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close frees memory and disk.
func (s *Straight) Close() error { return s.d.Close() }

// Rows computes the rows that a query wants and hands them to emit, which may keep
// them.
func (s *Straight) Rows(ctx context.Context, q Query, emit func(*picket.Features) error) error {
	for _, slot := range straightSlots(s.hours, q) {
		o := extract.CloseOptions{
			Source: slot.Source, From: slot.Start, To: slot.End(), Seconds: slot.seconds, Elapsed: slot.covered.elapsed, First: slot.covered.first,
			Kinds: q.Kinds, Columns: q.Columns, MaxEntities: s.p.cfg.MaxEntities, TempDir: s.p.deps.TempDir,
		}
		_, err := s.d.Windows(ctx, o, func(f *picket.Features) error {
			if !q.Wants(f) {
				return nil
			}
			return emit(f)
		})
		if err != nil {
			return fmt.Errorf("close %s: %w", slot.slot, err)
		}
	}
	return nil
}

// feed decodes every object.
func (s *Straight) feed(ctx context.Context, raws []Raw, read func(int, Ingested)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int, len(raws))
	for i := range raws {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range min(len(raws), runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			f := s.d.Feed()
			defer func() {
				if err := f.Flush(); err != nil {
					cancel(err)
				}
			}()
			for i := range next {
				in, err := s.p.decodeInto(ctx, raws[i], f.Add)
				if err != nil && ctx.Err() == nil {
					in.Error = err.Error()
				}
				mu.Lock()
				if read != nil && ctx.Err() == nil {
					read(i, in)
				}
				mu.Unlock()
				if ctx.Err() != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// decodeInto decodes one object and hands over its records of flows.
func (p *Pipeline) decodeInto(ctx context.Context, raw Raw, add func(*picket.Record) error) (Ingested, error) {
	in := Ingested{Object: raw.Key, Modified: raw.Modified.UTC(), Size: raw.Size}
	r, err := raw.Open()
	if err != nil {
		return in, err
	}
	defer r.Close()
	in.Stats, err = decode.Decode(ctx, decode.Object{Key: raw.Key, Modified: raw.Modified, Size: raw.Size}, r, func(r *picket.Record) error {
		if r.Access != nil || r.Source == picket.SourceNames {
			return nil
		}
		return add(r)
	}, nil)
	var unreadable *decode.ObjectError
	if errors.As(err, &unreadable) {
		in.Error, err = unreadable.Error(), nil
	}
	if err == nil && raw.Changed != nil && raw.Changed() {
		err = ErrChanged
	}
	p.countDecoded(in.Stats)
	return in, err
}

// straightSlot is a slot with what it covers and the widths to close.
type straightSlot struct {
	slot
	covered slotParts
	seconds []int64
}

// straightSlots returns the hours and days to close, in the order of Rows.
func straightSlots(hours []extract.DirectSlot, q Query) []straightSlot {
	bySlot := map[slot]*straightSlot{}
	for _, h := range hours {
		hour := slot{Start: h.Hour, Source: h.Source}
		for _, s := range []slot{hour, hour.day()} {
			if bySlot[s] == nil {
				bySlot[s] = &straightSlot{slot: s, seconds: q.widths(s)}
			}
			bySlot[s].covered.cover(h.First, h.Last)
		}
	}
	var all []straightSlot
	for _, s := range bySlot {
		if len(s.seconds) > 0 {
			all = append(all, *s)
		}
	}
	slices.SortFunc(all, func(a, b straightSlot) int { return compareSlots(a.slot, b.slot) })
	return all
}

// widths returns those of a slot that give the width asked for. A log of ten
// minutes gives it in place of a minute.
func (q Query) widths(s slot) []int64 {
	return slices.DeleteFunc(s.widths(extract.RoadOf(s.Source)), func(seconds int64) bool {
		return q.Seconds != 0 && seconds != q.Seconds && !(seconds == picket.Minute && q.Seconds == picket.TenMinutes)
	})
}
