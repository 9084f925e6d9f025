package pipeline

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"picket"
	"picket/pipeline/extract"
)

// Closed is one features object: a revision of one slot.
type Closed struct {
	Key   string // of the features object
	Day   int64  // Unix seconds: start of its UTC day
	Parts int    // part objects that it was made from, superseded versions included
	New   bool   // false if the revision was there already

	Source string
	Last   int64 // Unix seconds: end of the newest minute that its parts have records of

	Conversations, Rows uint64 // what went into it and what came out
}

// Close merges the parts of every slot that has a mark into a features object:
// due/ and windows/ → features/. It lists the marks, then the parts, writes the
// revisions made from exactly those parts, and deletes exactly the marks that it
// listed; so any interleaving of two closers ends at the same newest revisions.
// Days are closed only when asked, because a day's rows read all its hours.
//
// then, if not nil, is called with what was closed before the marks go: if it
// fails, or the process dies, they are still due.
func (p *Pipeline) Close(ctx context.Context, days bool, then func([]Closed) error) error {
	due := map[slot][]string{}
	if err := p.due(ctx, picket.DuePrefix, due); err != nil {
		return err
	}
	return p.closeDue(ctx, due, days, then)
}

// CloseMarked is Close for the hours of the given marks alone: of what a queue has
// told. Those that have no mark any more were closed over by another.
func (p *Pipeline) CloseMarked(ctx context.Context, marks []string, then func([]Closed) error) error {
	due := map[slot][]string{}
	for _, mark := range marks {
		s, err := markSlot(mark)
		if err != nil {
			return err
		}
		if due[s] != nil || s.Day {
			continue
		}
		if err := p.due(ctx, picket.DuePrefix+s.String()+"/", due); err != nil {
			return err
		}
	}
	return p.closeDue(ctx, due, false, then)
}

// closeDue closes slots by their marks. One that cannot be closed does not stop the
// others, and stays due.
func (p *Pipeline) closeDue(ctx context.Context, due map[slot][]string, days bool, then func([]Closed) error) error {
	later, err := p.later(ctx, due)
	if err != nil {
		return err
	}
	for _, s := range later {
		due[s] = nil
	}
	slots := slices.SortedFunc(maps.Keys(due), compareSlots)
	slots = slices.DeleteFunc(slots, func(s slot) bool { return s.Day && !days })
	all, failed := p.closeSlots(ctx, slots)
	if ctx.Err() != nil {
		return errors.Join(failed, ctx.Err())
	}
	var closed []Closed
	var marks []string
	for i, s := range slots {
		if all[i] != nil {
			closed = append(closed, *all[i])
			marks = append(marks, due[s]...)
		}
	}
	if then != nil && len(closed) > 0 {
		if err := then(closed); err != nil {
			return errors.Join(failed, err)
		}
	}
	for _, mark := range marks {
		if err := p.deps.Bucket.Delete(ctx, mark); err != nil {
			return errors.Join(failed, fmt.Errorf("close: %w", err))
		}
	}
	return failed
}

// closeSlots closes slots, as many at once as there are processors, and returns what
// came of each: nil where it failed. What one close holds in memory, all hold together.
func (p *Pipeline) closeSlots(ctx context.Context, slots []slot) ([]*Closed, error) {
	closed, failed := make([]*Closed, len(slots)), make([]error, len(slots))
	lanes := lanesOf(slots)
	workers := max(1, min(len(lanes), runtime.GOMAXPROCS(0)))
	var group errgroup.Group
	group.SetLimit(workers)
	for _, lane := range lanes {
		group.Go(func() error {
			chains := map[string]*chain{}
			for _, i := range lane {
				if ctx.Err() != nil {
					return nil
				}
				c, err := p.closeSlot(ctx, slots[i], chains, workers)
				if err != nil {
					failed[i] = fmt.Errorf("close %s: %w", slots[i], err)
					continue
				}
				closed[i] = &c
			}
			return nil
		})
	}
	group.Wait()
	return closed, errors.Join(failed...)
}

// lanesOf returns which slots are closed one after the other, by their places: those
// of a source with a history, where each rests on the days before. Every other one is
// a lane of its own.
func lanesOf(slots []slot) [][]int {
	var lanes [][]int
	bySource := map[string]int{}
	for i, s := range slots {
		lane, ok := bySource[s.Source]
		if !ok || extract.RoadOf(s.Source).History == nil {
			lane = len(lanes)
			lanes = append(lanes, nil)
			bySource[s.Source] = lane
		}
		lanes[lane] = append(lanes[lane], i)
	}
	return lanes
}

// due adds the marks below a prefix to those of each slot.
func (p *Pipeline) due(ctx context.Context, prefix string, due map[slot][]string) error {
	for info, err := range p.deps.Bucket.List(ctx, prefix, "") {
		if err != nil {
			return err
		}
		s, err := markSlot(info.Key)
		if err != nil {
			return err
		}
		due[s] = append(due[s], info.Key)
	}
	return nil
}

// closeSlot writes the features of one slot from the parts that are there now, while
// workers close at once.
func (p *Pipeline) closeSlot(ctx context.Context, s slot, chains map[string]*chain, workers int) (Closed, error) {
	began := p.deps.Now()
	parts, err := p.parts(ctx, s)
	if err != nil {
		return Closed{}, err
	}
	past, err := p.pastOf(ctx, chains, s)
	if err != nil {
		return Closed{}, err
	}
	c := Closed{Key: featuresKey(s, parts.keys, past), Day: s.day().Start, Parts: len(parts.keys), Source: s.Source, Last: parts.last}
	if there, err := p.there(ctx, c.Key); there || err != nil {
		return c, err
	}
	stats, err := p.putFeatures(ctx, s, c.Key, parts, past, workers)
	if err != nil {
		return c, err
	}
	c.Rows, c.Conversations, c.New = stats.Windows, stats.Conversations, true
	p.deps.Metrics.Took("extract", p.deps.Now().Sub(began))
	p.deps.Metrics.In("extract", c.Conversations)
	p.deps.Metrics.Out("extract", c.Rows)
	return c, nil
}

func (p *Pipeline) putFeatures(ctx context.Context, s slot, key string, parts slotParts, past slotPast, workers int) (extract.CloseStats, error) {
	f, err := os.CreateTemp(p.deps.TempDir, "picket-features-*")
	if err != nil {
		return extract.CloseStats{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	road := extract.RoadOf(s.Source)
	o := extract.CloseOptions{
		Source: s.Source, From: s.Start, To: s.End(), Seconds: s.widths(road),
		Elapsed: parts.elapsed, First: parts.first, History: past.part, Brands: p.brands(),
		MaxEntities: p.cfg.MaxEntities, MaxRows: road.MaxRows / workers, TempDir: p.deps.TempDir,
	}
	var stats extract.CloseStats
	rows := func(emit func(*picket.Features) error) (err error) {
		stats, err = road.Windows(ctx, parts.newest, o, emit)
		return err
	}
	if err := WriteRows(f, road.Schema(), rows); err != nil {
		return stats, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return stats, err
	}
	return stats, putOnce(ctx, p.deps.Bucket, key, f)
}

// widths returns the widths of the windows of a slot.
func (s slot) widths(road *extract.Road) []int64 {
	return slices.DeleteFunc(slices.Clone(road.Widths), func(seconds int64) bool { return s.Day != (seconds > picket.Hour) })
}

// slotParts are the parts of a slot: of each raw object those of its newest
// version, and the keys of all that were listed.
type slotParts struct {
	newest      []extract.Part
	keys        []string
	first, last int64 // Unix seconds: what the newest parts cover together
}

// elapsed returns how much of a window the slot's records cover: a log that
// begins in the middle of an hour is not quiet in its first half.
func (s slotParts) elapsed(start, seconds int64) int64 {
	return max(picket.Minute, min(start+seconds, s.last)-max(start, s.first))
}

func (s *slotParts) add(part extract.Part, from provenance) {
	s.newest = append(s.newest, part)
	if from.Last != 0 {
		s.cover(from.First, from.Last)
	}
}

// cover extends what is covered.
func (s *slotParts) cover(first, last int64) {
	if s.last == 0 {
		s.first, s.last = first, last
	}
	s.first, s.last = min(s.first, first), max(s.last, last)
}

func (p *Pipeline) parts(ctx context.Context, s slot) (slotParts, error) {
	hours := []slot{s}
	if s.Day {
		hours = hours[:0]
		for h := s.Start; h < s.End(); h += picket.Hour {
			hours = append(hours, slot{Start: h, Source: s.Source})
		}
	}
	var all slotParts
	for _, h := range hours {
		if err := p.addParts(ctx, h, &all); err != nil {
			return all, err
		}
	}
	slices.Sort(all.keys)
	return all, nil
}

// addParts adds the parts of one hour.
func (p *Pipeline) addParts(ctx context.Context, hour slot, all *slotParts) error {
	var keys []string
	for info, err := range p.deps.Bucket.List(ctx, partPrefix(hour), "") {
		if err != nil {
			return err
		}
		keys = append(keys, info.Key)
	}
	parts, err := fetch(ctx, keys, p.stored)
	if err != nil {
		return err
	}
	all.keys = append(all.keys, keys...)
	newest := map[string]stored{}
	for _, st := range parts {
		if old, ok := newest[st.Object]; !ok || st.edition().after(old.edition()) {
			newest[st.Object] = st
		}
	}
	for _, object := range slices.Sorted(maps.Keys(newest)) {
		all.add(p.part(ctx, hour, newest[object]), newest[object].provenance)
	}
	return nil
}

// stored is a part in the bucket with where it came from.
type stored struct {
	provenance
	key string
}

// readProvenance reads the first line of a part and returns a reader of the rest.
func readProvenance(r io.Reader, v *provenance) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	line, err := b.ReadSlice('\n')
	if err != nil {
		return nil, fmt.Errorf("first line: %w", err)
	}
	return b, json.Unmarshal(line, v)
}

func (p *Pipeline) part(ctx context.Context, hour slot, st stored) extract.Part {
	id := extract.PartID{Hour: hour.Start, Source: hour.Source}
	return extract.Part{ID: id, Object: st.Object, Version: st.Version, Open: func() (io.ReadCloser, error) {
		r, _, err := p.deps.Bucket.Get(ctx, st.key)
		if err != nil {
			return nil, err
		}
		var skip provenance
		rest, err := readProvenance(r, &skip)
		if err != nil {
			r.Close()
			return nil, fmt.Errorf("%s: %w", st.key, err)
		}
		return struct {
			io.Reader
			io.Closer
		}{rest, r}, nil
	}}
}
