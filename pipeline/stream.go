package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"picket"
	"picket/pipeline/decode"
	"picket/pipeline/extract"
)

// reasonLate is why a record is dropped whose window was told already.
const reasonLate = "late"

// Streamed is what came of a stream.
type Streamed struct {
	Objects []Ingested
	Late    uint64 // records dropped because their minute was told already
}

// Stream reads raw objects one after the other and hands over each window once,
// when its source's watermark (the latest end of a record) has passed the window's
// end by the lateness; what is left at the end of the last object, then. A record
// that begins in a minute whose windows were handed over counts as dropped, late.
// Who opened a conversation, and what company a peer keeps, follows from what had
// come by then. The same objects give the same rows.
//
// Each minute that passes closes over its hour anew: a stream of logs costs more
// than ReadStraight over the same.
func (p *Pipeline) Stream(ctx context.Context, raws []Raw, road *extract.Road, lateness time.Duration, q Query, emit func(*picket.Features) error) (Streamed, error) {
	s := &streaming{p: p, ctx: ctx, road: road, lateness: int64((lateness + time.Second - 1) / time.Second), q: q, emit: emit, sources: map[string]*streamed{}}
	defer s.close()
	var out Streamed
	for _, raw := range raws {
		in, err := p.decodeWith(ctx, raw, s.add)
		in.Stats.Dropped[reasonLate] += s.late - out.Late
		if in.Stats.Dropped[reasonLate] == 0 {
			delete(in.Stats.Dropped, reasonLate)
		}
		out.Late = s.late
		if err != nil {
			if ctx.Err() != nil || s.err != nil {
				return out, fmt.Errorf("stream: %w", err)
			}
			in.Error = err.Error()
		}
		p.countDecoded(in.Stats)
		out.Objects = append(out.Objects, in)
	}
	for _, source := range slices.Sorted(maps.Keys(s.sources)) {
		if err := s.pass(s.sources[source], source, endOfTime); err != nil {
			return out, fmt.Errorf("stream: %w", err)
		}
	}
	return out, nil
}

// endOfTime is after every window.
const endOfTime = int64(1) << 60

// decodeWith decodes one object and hands over its records.
func (p *Pipeline) decodeWith(ctx context.Context, raw Raw, add func(*picket.Record) error) (Ingested, error) {
	in := Ingested{Object: raw.Key, Modified: raw.Modified.UTC(), Size: raw.Size, Stats: decode.Stats{Dropped: map[string]uint64{}}}
	r, err := raw.Open()
	if err != nil {
		return in, err
	}
	defer r.Close()
	o := decode.Options{TempDir: p.deps.TempDir}
	in.Stats, err = o.Decode(ctx, decode.Object{Key: raw.Key, Modified: raw.Modified, Size: raw.Size}, r, add, nil)
	var unreadable *decode.ObjectError
	if errors.As(err, &unreadable) {
		in.Error, err = unreadable.Error(), nil
	}
	return in, err
}

// streaming is one Stream under way.
type streaming struct {
	p        *Pipeline
	ctx      context.Context
	road     *extract.Road
	lateness int64 // seconds
	q        Query
	emit     func(*picket.Features) error
	builder  extract.RecordBuilder // of what came since a part was last made
	sources  map[string]*streamed
	late     uint64
	err      error // of emit or of a close
}

// streamed is what is known of one source.
type streamed struct {
	watermark int64 // Unix seconds: latest end of a record
	passed    int64 // windows that end by here were handed over
	hours     map[int64]*slotParts
	files     map[int64][]*os.File
}

// add takes a record, and hands over what it makes final.
func (s *streaming) add(r *picket.Record) error {
	for _, source := range extract.SourcesOf(r) {
		if extract.RoadOf(source) != s.road {
			continue
		}
		st := s.sources[source]
		if st == nil {
			st = &streamed{hours: map[int64]*slotParts{}, files: map[int64][]*os.File{}, passed: -endOfTime}
			s.sources[source] = st
		}
		if start := floorMinute(r.Start); start < st.passed {
			s.late++
			continue
		}
		if s.err = s.take(r); s.err != nil {
			return s.err
		}
		st.watermark = max(st.watermark, r.End/int64(time.Second))
		if until := floorMinute((st.watermark - s.lateness) * int64(time.Second)); until > st.passed {
			if s.err = s.pass(st, source, until); s.err != nil {
				return s.err
			}
		}
	}
	return nil
}

// floorMinute returns the Unix second at which the minute of some Unix nanoseconds
// begins.
func floorMinute(nanos int64) int64 {
	seconds := nanos / int64(time.Second)
	return seconds - (seconds%picket.Minute+picket.Minute)%picket.Minute
}

func (s *streaming) take(r *picket.Record) error {
	if s.builder == nil {
		s.builder = s.road.Builder(extract.Options{TempDir: s.p.deps.TempDir})
	}
	return s.builder.Add(r)
}

// pass hands over the windows of a source that end after those handed over and by a
// second.
func (s *streaming) pass(st *streamed, source string, until int64) error {
	if err := s.seal(); err != nil {
		return err
	}
	from := st.passed
	st.passed = until
	for _, hour := range slices.Sorted(maps.Keys(st.hours)) {
		if hour+picket.Hour > from && hour < until {
			if err := s.tell(st.hours[hour], slot{Start: hour, Source: source}, from, until); err != nil {
				return err
			}
		}
	}
	return s.passDays(st, source, from, until)
}

// passDays hands over the days that end now, and forgets their hours.
func (s *streaming) passDays(st *streamed, source string, from, until int64) error {
	days := map[int64]*slotParts{}
	for _, hour := range slices.Sorted(maps.Keys(st.hours)) {
		day := hour - hour%picket.Day
		if day+picket.Day > until {
			continue
		}
		if days[day] == nil {
			days[day] = &slotParts{}
		}
		days[day].newest = append(days[day].newest, st.hours[hour].newest...)
		days[day].cover(st.hours[hour].first, st.hours[hour].last)
	}
	for _, day := range slices.Sorted(maps.Keys(days)) {
		if err := s.tell(days[day], slot{Start: day, Day: true, Source: source}, from, until); err != nil {
			return err
		}
		for hour := day; hour < day+picket.Day; hour += picket.Hour {
			closeFiles(st.files[hour])
			delete(st.hours, hour)
			delete(st.files, hour)
		}
	}
	return nil
}

// tell closes over the parts of a slot and hands over the windows in between.
func (s *streaming) tell(parts *slotParts, of slot, from, until int64) error {
	seconds := s.q.widths(of)
	if len(seconds) == 0 {
		return nil
	}
	covered := slotParts{first: parts.first, last: parts.last}
	if until < of.End() { // the log has gone on beyond
		covered.last = max(covered.last, until)
	}
	o := extract.CloseOptions{
		Source: of.Source, From: of.Start, To: min(of.End(), until), Seconds: seconds, Elapsed: covered.elapsed, First: covered.first,
		Kinds: s.q.Kinds, MaxEntities: s.p.cfg.MaxEntities, TempDir: s.p.deps.TempDir,
	}
	_, err := s.road.Windows(s.ctx, parts.newest, o, func(f *picket.Features) error {
		if f.End() <= from || f.End() > until || !s.q.Wants(f) {
			return nil
		}
		return s.emit(s.q.pick(f))
	})
	if err != nil {
		return fmt.Errorf("close %s: %w", of, err)
	}
	return nil
}

// pick keeps the columns that are asked for.
func (q Query) pick(f *picket.Features) *picket.Features {
	if q.Columns == nil {
		return f
	}
	row := *f
	row.Values = make([]float64, len(q.Columns))
	for i, at := range q.Columns {
		row.Values[i] = f.Values[at]
	}
	return &row
}

// seal makes parts of what came since the last ones.
func (s *streaming) seal() error {
	if s.builder == nil {
		return nil
	}
	defer func() { s.builder = nil }()
	defer s.builder.Close()
	var files []*os.File
	infos, err := s.builder.Finish(func(id extract.PartID) (io.WriteCloser, error) {
		f, err := os.CreateTemp(s.p.deps.TempDir, "picket-part-*")
		if err != nil {
			return nil, err
		}
		os.Remove(f.Name())
		files = append(files, f)
		return kept{f}, nil
	})
	if err != nil {
		closeFiles(files)
		return err
	}
	for i, info := range infos {
		s.sources[info.ID.Source].keep(info, files[i])
	}
	return nil
}

// kept is a file that stays open once it is written.
type kept struct{ *os.File }

func (kept) Close() error { return nil }

func (st *streamed) keep(info extract.PartInfo, f *os.File) {
	hour := st.hours[info.ID.Hour]
	if hour == nil {
		hour = &slotParts{}
		st.hours[info.ID.Hour] = hour
	}
	hour.newest = append(hour.newest, extract.Part{ID: info.ID, Object: "stream", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(f, 0, 1<<62)), nil
	}})
	if info.Last != 0 {
		hour.cover(info.First, info.Last)
	}
	st.files[info.ID.Hour] = append(st.files[info.ID.Hour], f)
}

func (s *streaming) close() {
	if s.builder != nil {
		s.builder.Close()
	}
	for _, st := range s.sources {
		for _, files := range st.files {
			closeFiles(files)
		}
	}
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
