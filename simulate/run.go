package simulate

import (
	"cmp"
	"context"
	"hash/fnv"
)

// world is a script being played.
type world struct {
	script   *Script
	net      *network
	from, to int64 // Unix nanoseconds, half-open
	begin    int64 // of what goes on, earlier than from where the capture begins midstream
	actors   heap[*actor]
	pending  heap[waiting]
	emitted  uint64
	attacks  []*Attack
	shift    float64 // hours from UTC to the local clock of the people
}

// actor is one source of conversations. step plays what it does at time at and
// returns when it acts next; nothing that it emits begins before at.
type actor struct {
	at, until int64
	id        uint64
	d         dice
	step      func(a *actor) int64
}

// waiting is a conversation whose turn has not come.
type waiting struct {
	c   *Conversation
	seq uint64
}

// Run plays the script and calls emit for each conversation in order of start.
// emit may keep and change the conversation, but not its Attack. It returns the labels, the
// "normal" row of everything first. Errors are those of emit and of ctx.
func (s *Script) Run(ctx context.Context, emit func(*Conversation) error) ([]Truth, error) {
	w, err := newWorld(s)
	if err != nil {
		return nil, err
	}
	for steps := 0; len(w.actors.items) > 0; steps++ {
		if steps%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		a := w.actors.items[0]
		if err := w.flush(a.at, emit); err != nil {
			return nil, err
		}
		next := a.step(a)
		if next < 0 || next >= a.until || next >= w.to {
			w.actors.pop()
			continue
		}
		a.at = max(next, a.at+1000)
		w.actors.down(0)
	}
	if err := w.flush(w.to, emit); err != nil {
		return nil, err
	}
	return w.truths(), nil
}

func newWorld(s *Script) (*world, error) {
	net, err := newNetwork(s.Network, s.Seed)
	if err != nil {
		return nil, err
	}
	w := &world{script: s, net: net, from: s.Start.UnixNano(), to: s.Start.Add(s.Duration).UnixNano()}
	if w.begin = w.from; s.Capture == "midstream" {
		w.begin -= hourNanos
	}
	w.shift = float64(newDice(s.Seed, 2).IntN(24))
	w.actors.less = func(a, b **actor) bool {
		return cmp.Or(cmp.Compare((*a).at, (*b).at), cmp.Compare((*a).id, (*b).id)) < 0
	}
	w.pending.less = func(a, b *waiting) bool {
		return cmp.Or(cmp.Compare(a.c.Start, b.c.Start), cmp.Compare(a.seq, b.seq)) < 0
	}
	for i, b := range s.Benign {
		w.live(b, uint64(i))
	}
	for i, o := range s.Attacks {
		if err := w.strike(o, i); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// add lets an actor loose. Its randomness depends on the seed and on key alone,
// so a line more in a script leaves the traffic of the others as it was.
func (w *world) add(key uint64, at, until int64, step func(*actor) int64) {
	a := &actor{at: max(at, w.begin), until: until, id: key, d: newDice(w.script.Seed, key), step: step}
	if a.at < until && a.at < w.to {
		w.actors.push(a)
	}
}

// key names an actor by what it is and for whom.
func key(what string, parts ...uint64) uint64 {
	h := fnv.New64a()
	h.Write([]byte(what))
	x := h.Sum64()
	for _, p := range parts {
		x = mix(x ^ p)
	}
	return x
}

// emit puts a conversation in line for its turn.
func (w *world) emit(c Conversation) {
	if w.script.Capture == "oneway" && c.In.Packets > 0 && c.Out.Packets > 0 {
		c.In = Side{}
	}
	c.shrink(w.script.Volume)
	c.seal()
	if !c.clip(w.from, w.to) {
		return
	}
	w.emitted++
	w.pending.push(waiting{&c, w.emitted})
}

// flush hands out the conversations that begin before t.
func (w *world) flush(t int64, emit func(*Conversation) error) error {
	for len(w.pending.items) > 0 && w.pending.items[0].c.Start < t {
		c := w.pending.pop().c
		w.note(c)
		if err := emit(c); err != nil {
			return err
		}
	}
	return nil
}
