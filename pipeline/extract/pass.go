package extract

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"picket"
)

// duo is the passes of actors and victims over the same rows.
type duo [2]*pass

// flush emits the windows of the span at hand, once it is known what company the
// peers of each kind keep.
func (d duo) flush() error {
	if d[0].beside() || d[1].beside() {
		var errs [2]error
		var looks sync.WaitGroup
		for i, p := range d {
			looks.Go(func() { d[1-i].company, p.network, errs[i] = p.look() })
		}
		looks.Wait()
		if err := errors.Join(errs[:]...); err != nil {
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
	steps  int

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

// step returns the context's error now and then.
func (p *pass) step() error {
	p.steps++
	if p.steps%4096 == 0 {
		return p.ctx.Err()
	}
	return nil
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
