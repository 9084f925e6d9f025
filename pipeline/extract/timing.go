package extract

import (
	"math"
	"math/bits"

	"picket"
)

// tick returns the length in seconds of the ticks that a window's activity is
// counted in: about a sixtieth of the window, but never finer than the log's own
// interval, of which each record would else be a tick. 0 where that leaves none
// to compare.
func tick(f *frame) int64 {
	for _, t := range []int64{1, picket.Minute, picket.TenMinutes, picket.Hour} {
		if t >= f.seconds/60 && t >= int64(f.interval) && t < f.seconds {
			return t
		}
	}
	return 0
}

// tickSeconds returns the resolution of record starts in the window.
func (w *window) tickSeconds() int64 { return max(picket.Minute, int64(w.frame.interval)) }

// addTime counts when a row is active.
func (w *window) addTime(v *view) {
	minute := int(v.time()-w.start) / picket.Minute
	if v.out.sent() || v.in.sent() {
		w.target.active.add(minute)
		w.peer.touch(minute)
		if !w.active || minute < w.first {
			w.active, w.first = true, minute
		}
	}
	if v.records > 0 && !w.conversation.goesOn(v) {
		w.target.starts.add(minute)
		if w.tick > 1 {
			w.target.counts[(v.time()-w.start)/w.tick]++
		}
	}
	switch {
	case w.tick == 0:
	case w.tick == 1:
		for t := v.ticks; t != 0; t &= t - 1 {
			w.counts[bits.TrailingZeros64(t)]++
		}
	default:
		w.counts[(v.time()-w.start)/w.tick]++
	}
}

// ticks returns how many ticks the window has had so far.
func (w *window) ticks() int64 {
	if w.tick == 0 {
		return 0
	}
	return min((w.elapsed+w.tick-1)/w.tick, w.frame.seconds/w.tick)
}

// activeTicks returns the share of the ticks with activity.
func (w *window) activeTicks() float64 {
	active := 0
	for _, n := range w.counts[:w.ticks()] {
		if n > 0 {
			active++
		}
	}
	return ratio(float64(active), float64(w.ticks()))
}

// tickVariation returns the coefficient of variation of the counts per tick: 0
// is even, above 1 is bursts.
func (w *window) tickVariation() float64 {
	var sum uint64
	var squares uint128
	for _, n := range w.counts[:w.ticks()] {
		sum += n
		squares.add(square(n))
	}
	return variation(uint64(w.ticks()), sum, squares)
}

// variation returns the coefficient of variation of n values: their deviation by
// their mean. NaN where there is no mean to divide by.
func variation(n, sum uint64, squares uint128) float64 {
	if sum == 0 {
		return math.NaN()
	}
	return math.Sqrt(variance(n, sum, squares, 0)) / (float64(sum) / float64(n))
}

// pairShare returns for how much of the window so far its most lasting pair was
// active, NaN where the log cannot tell minutes or the window has but one.
func (w *window) pairShare() float64 { return w.activeShare(w.pairActive) }

// activeShare returns how much of the window so far some minutes are, likewise.
func (w *window) activeShare(minutes uint64) float64 {
	if w.frame.seconds <= w.tickSeconds() {
		return math.NaN()
	}
	return min(1, ratio(float64(minutes*picket.Minute), float64(w.elapsed)))
}

// beacon returns a value of the rhythm, NaN where the window is too short for a
// pair to have one.
func (w *window) beacon(v float64) float64 {
	if w.frame.seconds < 2*minGaps*w.tickSeconds() {
		return math.NaN()
	}
	return v
}

// rhythm is how regular a pair is: a peer and port by the gaps between the minutes
// in which records start.
type rhythm struct {
	gaps      uint64  // between active minutes; 0 where there is no rhythm
	mean      float64 // seconds
	variation float64 // coefficient of variation of the gaps
	score     float64 // smaller is more regular
	asked     sizes   // bytes of the opener by flow
	company   uint64  // entities that have the peer, of an outside one
}

// known returns a value of the rhythm, NaN where there is none.
func (r *rhythm) known(v float64) float64 {
	if r.gaps == 0 {
		return math.NaN()
	}
	return v
}

// minGaps that a pair needs to have a rhythm.
const minGaps = 4

// rhythmOf returns the rhythm of a pair, and whether it has any. One that is
// active at nearly every tick of its log has none that the log could show: any
// steady flow of a 60 s log looks like that.
func (w *window) rhythmOf(t *target) (rhythm, bool) {
	n, sum, squares := t.starts.gaps()
	if n < minGaps || sum*picket.Minute < 2*n*uint64(w.tickSeconds()) {
		return rhythm{}, false
	}
	cv := variation(n, sum, squares)
	score := float64(cv*cv) + 1/float64(n)
	return rhythm{gaps: n, mean: float64(sum*picket.Minute) / float64(n), variation: cv, score: score, asked: t.asked}, true
}

// offer keeps the better of two.
func (r *rhythm) offer(o *rhythm) {
	if r.gaps == 0 || o.score < r.score {
		*r = *o
	}
}

// minutes is a set of minutes of a window.
type minutes struct {
	words    [(maxWidth/picket.Minute + 63) / 64]uint64
	low, end int // words in use
}

func (m *minutes) add(minute int) {
	i := minute / 64
	if m.end == 0 {
		m.low = i
	}
	m.low, m.end = min(m.low, i), max(m.end, i+1)
	m.words[i] |= 1 << (minute % 64)
}

func (m *minutes) reset() {
	clear(m.words[m.low:m.end])
	m.low, m.end = 0, 0
}

// first returns the earliest minute, 0 of none.
func (m *minutes) first() int {
	for i := m.low; i < m.end; i++ {
		if m.words[i] != 0 {
			return i*64 + bits.TrailingZeros64(m.words[i])
		}
	}
	return 0
}

func (m *minutes) count() uint64 {
	n := 0
	for _, w := range m.words[m.low:m.end] {
		n += bits.OnesCount64(w)
	}
	return uint64(n)
}

// gaps returns the number of gaps between the minutes of the set, their sum and
// the sum of their squares, in minutes.
func (m *minutes) gaps() (n, sum uint64, squares uint128) {
	last := -1
	for i := m.low; i < m.end; i++ {
		for word := m.words[i]; word != 0; word &= word - 1 {
			at := i*64 + bits.TrailingZeros64(word)
			if last >= 0 {
				gap := uint64(at - last)
				n++
				sum += gap
				squares.add(square(gap))
			}
			last = at
		}
	}
	return n, sum, squares
}

// touch notes a minute with a packet.
func (p *peer) touch(minute int) {
	if !p.active {
		p.active, p.first, p.last = true, minute, minute
	}
	p.first, p.last = min(p.first, minute), max(p.last, minute)
}

// minTicks that a pair needs, beside its first and its last one, to be even or uneven.
const minTicks = 3

// dispersion returns the variance by the mean of a pair's starts per tick: 1 where
// they come by chance, less where by the clock, more in bursts. Unlike gaps it
// holds for beats that are quicker than the ticks. The first and the last tick
// with a start are seldom whole and do not count.
func (w *window) dispersion(counts *[60]uint32) float64 {
	if w.tick <= 1 {
		return math.NaN()
	}
	low, high := 0, len(counts)-1
	for low < high && counts[low] == 0 {
		low++
	}
	for high > low && counts[high] == 0 {
		high--
	}
	n := high - low - 1
	if n < minTicks {
		return math.NaN()
	}
	var sum uint64
	var squares uint128
	for _, c := range counts[low+1 : high] {
		sum += uint64(c)
		squares.add(square(uint64(c)))
	}
	return ratio(variance(uint64(n), sum, squares, 0), float64(sum)/float64(n))
}

// lateness returns how long after the entity itself something of it began, as a
// share of the window so far. What a machine does from its start on is more often
// its own than what it begins later.
func (w *window) lateness(minute int) float64 {
	return min(1, ratio(float64(int64(minute-w.first)*picket.Minute), float64(w.elapsed)))
}
