package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"picket"
	"picket/pipeline/extract"
)

// chain is the histories of one source as they follow from the parts that are
// there: one for each day with parts, made of the one before and of the day's
// parts. It is listed once for a close.
type chain struct {
	source string
	links  []link // by day
}

// link is the history that a day leaves behind.
type link struct {
	day   int64    // Unix seconds
	parts []string // keys of the day's parts, sorted
	total int      // part objects that it rests on, those of earlier days included
	key   string
}

// errStirred says that parts arrived between listing and reading.
var errStirred = errors.New("parts arrived meanwhile")

// chainOf lists the parts of a source. Key and content of a history follow from
// them alone, so that whoever closes first makes the same.
func (p *Pipeline) chainOf(ctx context.Context, source string) (*chain, error) {
	days := map[int64][]string{}
	for info, err := range p.deps.Bucket.List(ctx, picket.WindowsPrefix, "") {
		if err != nil {
			return nil, err
		}
		s, err := parseSlot(path.Dir(strings.TrimPrefix(info.Key, picket.WindowsPrefix)))
		if err == nil && s.Source == source { // objects/ are no slots
			day := s.day().Start
			days[day] = append(days[day], info.Key)
		}
	}
	c := &chain{source: source}
	before := link{}
	for _, day := range slices.Sorted(maps.Keys(days)) {
		slices.Sort(days[day])
		l := link{day: day, parts: days[day], total: before.total + len(days[day])}
		when := time.Unix(day+picket.Day, 0).UTC().Format(dayLayout)
		l.key = fmt.Sprintf("%s%s/%s/%06d-%s", picket.HistoryPrefix, source, when, l.total, digest(append([]string{before.key}, l.parts...)...))
		c.links = append(c.links, l)
		before = l
	}
	return c, nil
}

// before returns the place of the last link before a day, -1 for none.
func (c *chain) before(day int64) int {
	i, _ := slices.BinarySearchFunc(c.links, day, func(l link, day int64) int { return int((l.day - day) / picket.Day) })
	return i - 1
}

// history returns what was known of a source before the day of a slot, nil for
// nothing, and makes it where it is not there yet.
func (p *Pipeline) history(ctx context.Context, c *chain, s slot) (*link, *extract.Part, error) {
	at := c.before(s.day().Start)
	if at < 0 {
		return nil, nil, nil
	}
	first := at // of those to be made
	for ; first >= 0; first-- {
		there, err := p.there(ctx, c.links[first].key)
		if err != nil {
			return nil, nil, err
		}
		if there {
			break
		}
	}
	for i := first + 1; i <= at; i++ {
		if err := p.makeHistory(ctx, c, i); err != nil {
			return nil, nil, err
		}
	}
	return &c.links[at], p.historyPart(ctx, &c.links[at]), nil
}

func (p *Pipeline) historyPart(ctx context.Context, l *link) *extract.Part {
	return &extract.Part{
		ID: extract.PartID{Hour: l.day + picket.Day, Source: extract.AccessHistorySource}, Object: l.key,
		Open: func() (io.ReadCloser, error) {
			r, _, err := p.deps.Bucket.Get(ctx, l.key)
			return r, err
		},
	}
}

// makeHistory writes one history from the one before.
func (p *Pipeline) makeHistory(ctx context.Context, c *chain, at int) error {
	l := &c.links[at]
	parts, err := p.parts(ctx, slot{Start: l.day, Day: true, Source: c.source})
	if err != nil {
		return err
	}
	if !slices.Equal(parts.keys, l.parts) {
		return errStirred
	}
	var prev *extract.Part
	if at > 0 {
		prev = p.historyPart(ctx, &c.links[at-1])
	}
	f, err := os.CreateTemp(p.deps.TempDir, "picket-history-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	err = extract.RoadOf(c.source).History(ctx, unclosed{f}, l.day, prev, parts.newest, extract.Options{TempDir: p.deps.TempDir})
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return putOnce(ctx, p.deps.Bucket, l.key, f)
}

// unclosed leaves its writer open.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// slotPast is what a slot of a source with a history rests on besides its parts.
type slotPast struct {
	part *extract.Part
	key  string
	size int // parts
}

// pastOf returns the history that a slot is closed with; chains remembers those
// listed for this close.
func (p *Pipeline) pastOf(ctx context.Context, chains map[string]*chain, s slot) (slotPast, error) {
	if extract.RoadOf(s.Source).History == nil {
		return slotPast{}, nil
	}
	for tries := 0; ; tries++ {
		c := chains[s.Source]
		if c == nil {
			var err error
			if c, err = p.chainOf(ctx, s.Source); err != nil {
				return slotPast{}, err
			}
			chains[s.Source] = c
		}
		l, part, err := p.history(ctx, c, s)
		switch {
		case errors.Is(err, errStirred) && tries < 10:
			delete(chains, s.Source)
			continue
		case err != nil:
			return slotPast{}, fmt.Errorf("history: %w", err)
		case l == nil:
			return slotPast{}, nil
		}
		return slotPast{part, l.key, l.total}, nil
	}
}

// later returns the slots of sources with a history that lie after the first day
// that is due and were closed already: what arrives late is history to them.
func (p *Pipeline) later(ctx context.Context, due map[slot][]string) ([]slot, error) {
	first := map[string]int64{}
	for s := range due {
		if road := extract.RoadOf(s.Source); road == nil || road.History == nil {
			continue
		}
		if day, ok := first[s.Source]; !ok || s.day().Start < day {
			first[s.Source] = s.day().Start
		}
	}
	if len(first) == 0 {
		return nil, nil
	}
	earliest := slices.Min(slices.Collect(maps.Values(first)))
	newest, err := p.newestFeatures(ctx, earliest+picket.Day, p.deps.Now().Unix()+2*picket.Day)
	if err != nil {
		return nil, err
	}
	var slots []slot
	for s := range newest {
		day, ok := first[s.Source]
		if _, marked := due[s]; ok && s.Start >= day+picket.Day && !marked {
			slots = append(slots, s)
		}
	}
	return slots, nil
}
