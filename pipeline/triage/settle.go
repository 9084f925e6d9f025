package triage

import (
	"cmp"
	"slices"

	"picket"
)

// settle makes the windows of one entity and day agree on classes, so that one
// attack is not five findings because its windows' scores waver.
//
// Width by width, from the narrowest: windows that follow each other are an
// episode, and a class stands in it only if it is more than a waver (steady).
// Then each wider window is held against the narrower ones inside it. If one of
// them has its class, or if together they hold less than half of its flows, it
// keeps its class: it agrees, or it rests on other traffic. Otherwise they are
// the same traffic and the more confident side names it: the wider one if it is
// clear, none of the narrower is, and its class is more probable than theirs;
// else the narrower ones, which are the more specific.
func settle(track []*hit) {
	widths := map[int64][]*hit{}
	for _, h := range track {
		widths[h.Seconds] = append(widths[h.Seconds], h)
	}
	var narrower []*hit
	for _, width := range sortedKeys(widths) {
		for _, episode := range episodes(widths[width]) {
			steady(episode)
		}
		for _, wide := range widths[width] {
			reconcile(wide, within(narrower, wide))
		}
		narrower = append(narrower, widths[width]...)
	}
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// episodes cuts hits of one width, in order of time, where nothing fired for
// longer than a window and for longer than ten minutes.
func episodes(hits []*hit) [][]*hit {
	var out [][]*hit
	first, end := 0, int64(0)
	for i, h := range hits {
		if i > first && h.Start > end+max(h.Seconds, picket.TenMinutes) {
			out = append(out, hits[first:i])
			first = i
		}
		end = max(end, h.End())
	}
	return append(out, hits[first:])
}

// A class that is not the episode's strongest stands if a window is clearly of
// it and it holds a tenth of the probability, or if three windows clearly are.
const (
	standShare   = 0.1
	standWindows = 3
)

// steady gives the windows whose class does not stand the episode's strongest one.
func steady(episode []*hit) {
	mass, certain, total := map[string]float64{}, map[string]int{}, 0.0
	for _, h := range episode {
		for i := 1; i < len(h.Classes); i++ {
			mass[h.Classes[i]] += h.Probabilities[i]
			total += h.Probabilities[i]
		}
		if h.clear {
			certain[h.own]++
		}
	}
	strongest := heaviest(mass)
	for _, h := range episode {
		n := certain[h.own]
		if n < standWindows && (n == 0 || mass[h.own] < standShare*total) {
			h.class = strongest
		}
	}
}

// heaviest returns the key of the greatest value; of equal ones the first by name.
func heaviest(weights map[string]float64) string {
	best := ""
	for _, k := range sortedKeys(weights) {
		if best == "" || weights[k] > weights[best] {
			best = k
		}
	}
	return best
}

func within(hits []*hit, wide *hit) []*hit {
	var in []*hit
	for _, h := range hits {
		if h.overlaps(wide) {
			in = append(in, h)
		}
	}
	return in
}

// reconcile settles a wider window with the narrower ones inside it; see settle.
func reconcile(wide *hit, inner []*hit) {
	if len(inner) == 0 || slices.ContainsFunc(inner, func(h *hit) bool { return h.class == wide.class }) || !covers(inner, wide) {
		return
	}
	doubtful := func(h *hit) bool { return !h.clear && h.probability(h.class) < wide.probability(wide.class) }
	if wide.clear && !slices.ContainsFunc(inner, func(h *hit) bool { return !doubtful(h) }) {
		for _, h := range inner {
			h.class = wide.class
		}
		return
	}
	flows := map[string]float64{}
	for _, h := range inner {
		flows[h.class] += float64(h.Flows)
	}
	wide.class = heaviest(flows)
}

// covers reports whether narrower windows hold at least half of a wider one's
// flows. Windows of one width do not overlap, so the best width decides.
func covers(inner []*hit, wide *hit) bool {
	type view struct {
		seconds int64
		source  string
	}
	flows := map[view]uint64{}
	for _, h := range inner {
		if h.Seconds < wide.Seconds {
			v := view{h.Seconds, h.Source}
			flows[v] += h.Flows
			if 2*flows[v] >= wide.Flows {
				return true
			}
		}
	}
	return false
}
