package extract

import (
	"context"
	"fmt"
	"slices"

	"picket"
)

// CloseOptions say which windows to close.
type CloseOptions struct {
	Source   string  // family of the parts: "vpc", "zeek", "pcap"
	From, To int64   // Unix seconds, multiples of 60: only minutes in [From, To) count
	Seconds  []int64 // widths; each divides an hour into whole minutes, or a day into whole hours

	// Elapsed returns how many seconds of a window are covered so far; rates
	// divide by it. nil means all of it that lies in [From, To).
	Elapsed func(start, seconds int64) int64
	First   int64 // Unix seconds: where the records begin; windows cover nothing before

	History *Part // of access: what was seen before the UTC day of From; see WriteAccessHistory

	Kinds   []picket.Kind // whose windows to emit; nil is actors and victims
	Columns []int         // of the catalogue, the values to compute in their order; nil is all. Only of flows

	MaxEntities int     // 0 is DefaultMaxEntities, which alone fits the schema's hash
	Brands      *Brands // names that must not be imitated; nil is DefaultBrands
	MaxRows     int     // rows held in memory; 0 is DefaultMaxRows
	TempDir     string  // for spilled runs; "" is the system's
}

// CloseStats count what a close read and made.
type CloseStats struct {
	Parts         uint64 // read
	Conversations uint64 // per hour
	Rows          uint64 // conversation-minutes after de-duplication
	Lost          uint64 // interface-minutes in which the log says that records are missing
	Windows       uint64 // rows of features
}

// Windows closes over parts: it computes the features of every actor and every
// victim in every window of the asked widths, and hands them to emit, which may
// keep them. A log whose interval is ten minutes has windows of ten minutes in
// place of shorter ones. Rows come in a fixed order: hours, kinds, then entities
// and windows, the remainder of each window last. Parts of hours that do not
// touch [From, To) are not read.
func Windows(ctx context.Context, parts []Part, o CloseOptions, emit func(*picket.Features) error) (CloseStats, error) {
	c, err := newCloser(ctx, o, emit)
	if err != nil {
		return CloseStats{}, fmt.Errorf("close windows: %w", err)
	}
	c.hold()
	defer c.release()
	for _, hour := range byHour(parts, o) {
		if err := c.hour(hour); err != nil {
			return c.stats, fmt.Errorf("close windows: %w", err)
		}
	}
	for i := range c.duos {
		if err := c.flush(i); err != nil {
			return c.stats, fmt.Errorf("close windows: %w", err)
		}
	}
	return c.stats, nil
}

// byHour returns the parts that matter, those of an hour together, hours in order.
func byHour(parts []Part, o CloseOptions) [][]Part {
	hours := map[int64][]Part{}
	for _, p := range parts {
		if p.ID.Hour+picket.Hour > o.From && p.ID.Hour < o.To {
			hours[p.ID.Hour] = append(hours[p.ID.Hour], p)
		}
	}
	list := make([][]Part, 0, len(hours))
	for _, parts := range hours {
		list = append(list, parts)
	}
	slices.SortFunc(list, func(a, b []Part) int { return int(a[0].ID.Hour/picket.Hour - b[0].ID.Hour/picket.Hour) })
	return list
}

// closer is the state of one close.
type closer struct {
	CloseOptions
	ctx    context.Context
	emit   func(*picket.Features) error
	source uint8 // of the rows
	duos   []duo
	held   []*spanRows // of the duos, where rows come of parts
	stats  CloseStats
	projection
}

func newCloser(ctx context.Context, o CloseOptions, emit func(*picket.Features) error) (*closer, error) {
	source, err := sourceNumber(o.Source)
	if err != nil {
		return nil, err
	}
	if o.From%picket.Minute != 0 || o.To%picket.Minute != 0 || o.From >= o.To {
		return nil, fmt.Errorf("from %d to %d is not a span of whole minutes", o.From, o.To)
	}
	if o.MaxEntities <= 0 {
		o.MaxEntities = DefaultMaxEntities
	}
	if o.MaxRows <= 0 {
		o.MaxRows = DefaultMaxRows
	}
	c := &closer{CloseOptions: o, ctx: ctx, emit: emit, source: source, projection: project(o.Columns)}
	if c.Elapsed == nil {
		c.Elapsed = c.covered
	}
	short, long, err := widths(o.Seconds)
	if err != nil {
		return nil, err
	}
	groups := slices.Collect(slices.Chunk(long, 1)) // each long width by itself
	if len(short) > 0 {
		groups = slices.Insert(groups, 0, short)
	}
	for _, group := range groups {
		span := max(picket.Hour, group[0])
		d := duo{newPass(c, source, picket.KindActor, span, group), newPass(c, source, picket.KindVictim, span, group)}
		c.duos = append(c.duos, d)
	}
	return c, nil
}

// hold makes room for rows that come of parts.
func (c *closer) hold() {
	for _, d := range c.duos {
		s := newSpanRows(c.source, max(1, c.MaxRows/len(c.duos)), c.TempDir)
		for _, p := range d {
			p.rows = s.of(p.kind)
		}
		c.held = append(c.held, s)
	}
}

// widths sorts widths into those up to an hour and those beyond.
func widths(seconds []int64) (short, long []int64, err error) {
	seconds = slices.Compact(slices.Sorted(slices.Values(seconds)))
	for _, s := range seconds {
		switch {
		case s >= picket.Minute && s%picket.Minute == 0 && picket.Hour%s == 0:
			short = append(short, s)
		case s > picket.Hour && s%picket.Hour == 0 && picket.Day%s == 0:
			long = append(long, s)
		default:
			return nil, nil, fmt.Errorf("a window of %d s neither divides an hour nor is a whole number of hours that divides a day", s)
		}
	}
	if len(seconds) == 0 {
		return nil, nil, fmt.Errorf("no window widths")
	}
	return short, long, nil
}

// covered returns the seconds of a window that lie in [From, To).
func (c *closer) covered(start, seconds int64) int64 {
	return min(start+seconds, c.To) - max(start, c.From)
}

func (c *closer) release() {
	for _, s := range c.held {
		s.empty()
	}
}

// flush emits the windows of a duo's span at hand, whose rows are then no longer held.
func (c *closer) flush(i int) error {
	defer c.held[i].empty()
	return c.duos[i].flush()
}

// hour reads the parts of one hour into the spans.
func (c *closer) hour(parts []Part) error {
	for i, d := range c.duos {
		start := floorDiv(parts[0].ID.Hour, d[0].span) * d[0].span
		if start == d[0].start {
			continue
		}
		if err := c.flush(i); err != nil {
			return err
		}
		d[0].start, d[1].start = start, start
	}
	in, err := openHour(parts, c.CloseOptions, false)
	if err != nil {
		return err
	}
	defer in.close()
	c.stats.Parts += uint64(len(parts))
	talks := &conversations{in: in, long: &in.long}
	if len(parts) > 1 { // in one part no two rows are the same
		talks.in = &summed{in: in}
	}
	for {
		rows, err := talks.next()
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			c.stats.Lost += talks.lost
			return nil
		}
		if err := c.take(rows); err != nil {
			return err
		}
	}
}

func (c *closer) take(rows []flow) error {
	c.stats.Conversations++
	c.stats.Rows += uint64(len(rows))
	for _, s := range c.held {
		if err := s.add(rows); err != nil {
			return err
		}
	}
	if c.stats.Conversations%4096 == 0 {
		return c.ctx.Err()
	}
	return nil
}
