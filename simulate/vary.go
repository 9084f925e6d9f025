package simulate

import "math"

// varied are the habits as this network has them. Each actor draws its numbers
// from a habit's ranges, which are the same everywhere; where the script says
// vary, the ranges themselves lie elsewhere, for all machines of the network at
// once. A model that learned from one network's ranges would else know all.
func (w *world) varied(habits []*habit) []*habit {
	if w.script.Vary == 0 {
		return habits
	}
	own := make([]*habit, len(habits))
	for i, h := range habits {
		own[i] = h.varied(w.script.Vary, newDice(w.script.Seed, key("vary", key(h.name))))
	}
	return own
}

// otherPorts are ports that software of a maker listens on in place of 443.
var otherPorts = []uint16{4443, 5671, 7070, 8014, 8383, 8443, 8843, 9443, 10443, 15443}

// varied is the habit as a network may have it. Paces vary less than sizes, or a
// browser would be a flood.
func (h *habit) varied(by float64, d dice) *habit {
	factor := func(least, most float64) float64 { return max(least, min(most, math.Exp(by*d.NormFloat64()))) }
	v := *h
	v.gap, v.within = v.gap.times(factor(0.6, 5)), v.within.times(factor(0.2, 5))
	v.up, v.down = v.up.times(factor(0.2, 5)), v.down.times(factor(0.2, 5))
	v.life, v.clock = v.life.times(factor(0.2, 5)), min(1, v.clock*factor(0.2, 5))
	if v.sigma > 0.3 && v.clock == 0 && d.chance(by/2) {
		v.heavy = 1.2 + 0.7*d.Float64()
	}
	if (h.to == "home" || h.to == "few") && len(h.ports) > 0 && h.ports[0] == 443 && d.chance(by/3) {
		v.ports = []uint16{otherPorts[d.IntN(len(otherPorts))], 443}[:1+d.IntN(2)]
	}
	return &v
}

func (s span) times(x float64) span { return span{s.lo * x, s.hi * x} }
