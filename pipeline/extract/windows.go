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
	c.sort()
	defer c.release()
	for _, hour := range byHour(parts, o) {
		if err := c.hour(hour); err != nil {
			return c.stats, fmt.Errorf("close windows: %w", err)
		}
	}
	for _, d := range c.duos {
		if err := d.flush(); err != nil {
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
	duos   []duo
	passes []*pass   // of all duos
	sorted []*sorter // their rows, where they come of parts
	stats  CloseStats
	steps  int
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
	c := &closer{CloseOptions: o, ctx: ctx, emit: emit, projection: project(o.Columns)}
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
		c.passes = append(c.passes, d[:]...)
	}
	return c, nil
}

// sort makes the passes ready for rows in any order.
func (c *closer) sort() {
	for _, p := range c.passes {
		s := newSorter(byEntity(p.kind), max(1, c.MaxRows/len(c.passes)), c.TempDir)
		p.rows = s
		c.sorted = append(c.sorted, s)
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
	for _, s := range c.sorted {
		s.reset()
	}
}

// step returns the context's error now and then.
func (c *closer) step() error {
	c.steps++
	if c.steps%4096 == 0 {
		return c.ctx.Err()
	}
	return nil
}

// hour reads the parts of one hour into the passes.
func (c *closer) hour(parts []Part) error {
	for _, d := range c.duos {
		if err := d.reach(parts[0].ID.Hour); err != nil {
			return err
		}
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
	for i := range rows {
		c.stats.Rows++
		for _, s := range c.sorted {
			if err := s.add(&rows[i]); err != nil {
				return err
			}
		}
		if err := c.step(); err != nil {
			return err
		}
	}
	return nil
}

// duo is the passes of actors and victims over the same rows.
type duo [2]*pass

// reach closes the span at hand if the hour lies beyond it.
func (d duo) reach(hour int64) error {
	start := floorDiv(hour, d[0].span) * d[0].span
	if start == d[0].start {
		return nil
	}
	if err := d.flush(); err != nil {
		return err
	}
	d[0].start, d[1].start = start, start
	return nil
}

// flush emits the windows of the span at hand, once it is known what company the
// peers of each kind keep.
func (d duo) flush() error {
	for i, p := range d {
		var err error
		if !p.beside() && !d[1-i].beside() {
			continue
		}
		if d[1-i].company, p.network, err = p.look(); err != nil {
			return err
		}
	}
	for _, p := range d {
		if !p.wanted() {
			p.rows.reset()
			continue
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
	return nil
}

// entityRows are the rows of a span in the order of byEntity.
type entityRows interface {
	each() (stream, error)   // from the start, each time
	few(n int, p *pass) bool // whether surely no window has more than n entities
	reset()
}

// pass computes the windows of one kind of entity, over spans that its widths
// divide: an hour, or one long window.
type pass struct {
	*closer
	kind   picket.Kind
	span   int64
	start  int64 // of the span at hand
	rows   entityRows
	frames []frame
	slots  int

	company *crowds // of the peers in the span at hand
	network *habits // of the entities in it
}

// frame is the windows of one width of logs of one interval. Each window of a
// span has a slot.
type frame struct {
	interval uint16
	source   string
	seconds  int64
	slot     int // of its first window
}

func newPass(c *closer, source uint8, kind picket.Kind, span int64, seconds []int64) *pass {
	p := &pass{closer: c, kind: kind, span: span, start: floorDiv(c.From, span) * span}
	intervals := []uint16{0}
	if source == sourceVPC {
		intervals = []uint16{picket.Minute, picket.TenMinutes}
	}
	for _, interval := range intervals {
		var last int64
		for _, s := range seconds {
			s = max(s, int64(interval))
			if s == last {
				continue
			}
			last = s
			p.frames = append(p.frames, frame{interval, sourceName(source, interval), s, p.slots})
			p.slots += int(span / s)
		}
	}
	return p
}

// sourceName returns a source as windows name it: with the log's interval.
func sourceName(source uint8, interval uint16) string {
	if interval == 0 {
		return sources[source]
	}
	return fmt.Sprintf("%s/%d", sources[source], interval)
}

// wanted reports whether anybody asked for the pass's windows.
func (p *pass) wanted() bool { return p.Kinds == nil || slices.Contains(p.Kinds, p.kind) }

// beside reports whether its windows are held against others of the network.
func (p *pass) beside() bool { return p.wanted() && p.needs&needCompany != 0 }

// slot returns the window of a frame that a time falls into.
func (p *pass) slot(f *frame, at int64) int {
	return f.slot + int((at-p.start)/f.seconds)
}

// flush computes and emits the windows of the span at hand.
func (p *pass) flush() error {
	defer p.rows.reset()
	chosen, err := p.choose()
	if err != nil {
		return err
	}
	in, err := p.rows.each()
	if err != nil {
		return err
	}
	t := newTally(p, chosen)
	if err := copyRows(in, t.add); err != nil {
		return err
	}
	return t.finish()
}

// choose returns, for each slot, the entities that have a row of their own.
func (p *pass) choose() ([]*ranking, error) {
	ranks := make([]*ranking, p.slots)
	for i := range ranks {
		ranks[i] = &ranking{max: p.MaxEntities, all: true}
	}
	if p.rows.few(p.MaxEntities, p) {
		return ranks, nil
	}
	in, err := p.rows.each()
	if err != nil {
		return nil, err
	}
	r := ranker{pass: p, ranks: ranks, records: make([]uint64, p.slots)}
	if err := copyRows(in, r.add); err != nil {
		return nil, err
	}
	r.end()
	for _, rank := range ranks {
		rank.close()
	}
	return ranks, nil
}

// tally keeps the windows of one entity at a time, and those of the remainder.
type tally struct {
	*pass
	chosen  []*ranking
	windows []*window // by slot, of the entity at hand
	rest    []*window // by slot
	touched []int     // slots of the entity at hand
	entity  addr
	at      uint16 // interval of the rows at hand
	begun   bool
}

func newTally(p *pass, chosen []*ranking) *tally {
	return &tally{pass: p, chosen: chosen, windows: make([]*window, p.slots), rest: make([]*window, p.slots)}
}

func (t *tally) add(f *flow) error {
	v := see(f, t.kind)
	if !t.begun || v.entity != t.entity || f.interval != t.at {
		if err := t.end(); err != nil {
			return err
		}
		t.begun, t.entity, t.at = true, v.entity, f.interval
	}
	for i := range t.frames {
		if frame := &t.frames[i]; frame.interval == f.interval {
			t.window(frame, t.slot(frame, f.time())).add(&v)
		}
	}
	return t.step()
}

// window returns the window that a row of the entity at hand counts into.
func (t *tally) window(f *frame, slot int) *window {
	if w := t.windows[slot]; w != nil && w.open {
		return w
	}
	if !t.chosen[slot].has(t.entity) {
		return t.open(t.rest, f, slot, true)
	}
	t.touched = append(t.touched, slot)
	return t.open(t.windows, f, slot, false)
}

// open returns a slot's window, begun if it is not.
func (t *tally) open(windows []*window, f *frame, slot int, rest bool) *window {
	if windows[slot] == nil {
		windows[slot] = &window{}
	}
	if w := windows[slot]; !w.open {
		start := t.start + int64(slot-f.slot)*f.seconds
		w.begin(f, start, t.Elapsed(start, f.seconds), rest)
		w.company, w.network, w.needs = t.company, t.network, t.needs
	}
	return windows[slot]
}

// end emits the windows of the entity at hand.
func (t *tally) end() error {
	slices.Sort(t.touched)
	for _, slot := range t.touched {
		if err := t.close(t.windows[slot], t.entity.String()); err != nil {
			return err
		}
	}
	t.touched = t.touched[:0]
	return nil
}

// finish emits the windows of the last entity and those of the remainder.
func (t *tally) finish() error {
	if err := t.end(); err != nil {
		return err
	}
	for _, w := range t.rest {
		if w != nil {
			if err := t.close(w, picket.Rest); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tally) close(w *window, id string) error {
	w.close()
	t.stats.Windows++
	return t.emit(&picket.Features{
		Window: picket.Window{
			Entity: picket.Entity{Kind: t.kind, ID: id},
			Start:  w.start, Seconds: w.frame.seconds, Source: w.frame.source,
		},
		From:    max(w.start, t.From, t.First),
		Elapsed: w.elapsed,
		Flows:   w.flows,
		Values:  t.values(w),
	})
}
