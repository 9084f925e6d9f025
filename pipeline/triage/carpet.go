package triage

import (
	"cmp"
	"net/netip"
	"slices"

	"picket"
)

// carpet is how many victims of one network make a flood a flood of the network,
// and no longer one of each.
const carpet = 4

// Networks that a carpet flood is named by: the least that is routed on its own.
const (
	carpetBits4 = 24
	carpetBits6 = 48
)

// roll makes one incident of the floods of a network: victims of one detector and
// UTC day whose addresses share it, whose times touch, and whose actors overlap or
// are too many to. The one with most flows carries it.
func roll(incidents []*incident) {
	networks := map[place][]*incident{}
	var order []place
	for _, in := range incidents {
		network, ok := networkOf(in.entity.ID)
		if !ok || in.into != nil || in.class != picket.ClassDDoS || in.entity.Kind != picket.KindVictim {
			continue
		}
		p := in.place(network.String())
		if networks[p] == nil {
			order = append(order, p)
		}
		networks[p] = append(networks[p], in)
	}
	for _, p := range order {
		for _, flood := range floods(networks[p]) {
			if len(flood) < carpet {
				continue
			}
			for _, in := range flood[1:] {
				flood[0].absorb(in)
			}
			flood[0].network, flood[0].hosts = p.id, flood
		}
	}
}

func networkOf(id string) (netip.Prefix, bool) {
	a, err := netip.ParseAddr(id)
	if err != nil {
		return netip.Prefix{}, false
	}
	bits := carpetBits6
	if a.Is4() {
		bits = carpetBits4
	}
	network, err := a.WithZone("").Prefix(bits)
	return network, err == nil
}

// floods parts the victims of one network into those that belong together, each
// with the largest first.
func floods(victims []*incident) [][]*incident {
	slices.SortFunc(victims, func(a, b *incident) int {
		return cmp.Or(cmp.Compare(b.flows, a.flows), cmp.Compare(a.uid, b.uid))
	})
	var out [][]*incident
	for left := victims; len(left) > 0; {
		flood := left[:1:1]
		left = left[1:]
		for i := 0; i < len(flood); i++ { // flood grows while it is walked
			var apart []*incident
			for _, in := range left {
				if touches(flood[i], in) && sameActors(flood[i], in) {
					flood = append(flood, in)
				} else {
					apart = append(apart, in)
				}
			}
			left = apart
		}
		out = append(out, flood)
	}
	for _, flood := range out {
		slices.SortFunc(flood, func(a, b *incident) int {
			return cmp.Or(cmp.Compare(b.flows, a.flows), cmp.Compare(a.uid, b.uid))
		})
	}
	return out
}

// touches reports whether the two went on together: at least half of the windows
// of each are ten minutes at most from one of the other, so that a flood that goes
// from host to host is one. An hour says too little of when.
func touches(a, b *incident) bool { return follows(a, b) && follows(b, a) }

func follows(a, b *incident) bool {
	var all, near int
	for _, x := range a.hits {
		if x.Seconds >= picket.Hour {
			continue
		}
		all++
		if slices.ContainsFunc(b.hits, func(y *hit) bool {
			return y.Seconds < picket.Hour && x.Start <= y.End()+picket.TenMinutes && y.Start <= x.End()+picket.TenMinutes
		}) {
			near++
		}
	}
	return all > 0 && 2*near >= all
}

// sameActors reports whether a listed actor is the same, or whether on both sides
// the listed ones hold less than half of the flows, so that they say nothing.
func sameActors(a, b *incident) bool {
	for id := range a.peers {
		if b.peers[id] > 0 {
			return true
		}
	}
	return a.spread() && b.spread()
}

func (in *incident) spread() bool {
	var listed uint64
	for _, n := range in.peers {
		listed += n
	}
	return 2*listed < in.flows
}

// engulf gives a flood what it makes look like a scanner: an actor that talks to
// nobody but hosts that are flooded, while they are, and makes less than half of
// the flood. A reflector's answers walk over the ports of the one who never asked;
// and a scan of a host that is flooded is the least of its troubles. A victim that
// two or three sources fill was explained by them before, see explain.
func engulf(incidents []*incident) {
	flooded := map[place]*incident{}
	for _, in := range incidents {
		if in.class == picket.ClassDDoS && in.entity.Kind == picket.KindVictim {
			flooded[in.place(in.entity.ID)] = in
		}
	}
	for _, a := range incidents {
		if a.into != nil || a.class != picket.ClassScan || a.entity.Kind != picket.KindActor || len(a.peers) == 0 {
			continue
		}
		if root := a.floodOf(flooded); root != nil {
			root.absorb(a)
		}
	}
}

// floodOf returns the flood that all of an actor's peers and windows are in, or nil.
func (in *incident) floodOf(flooded map[place]*incident) *incident {
	var root *incident
	for _, id := range sortedKeys(in.peers) {
		v := flooded[place{in.detector, picket.ClassDDoS, id, in.day}]
		if v == nil || root != nil && v.root() != root || 2*between(in, v) >= v.flows || !in.during(v.narrow()) {
			return nil
		}
		root = v.root()
	}
	if root.entity.Kind != picket.KindVictim {
		return nil
	}
	return root
}

// narrow returns the time of the windows that say when, as seen does.
func (in *incident) narrow() []span {
	if in.when != nil {
		return in.when
	}
	for _, h := range in.hits {
		switch n := len(in.when); {
		case covers(within(in.hits, h), h):
		case n > 0 && h.Start <= in.when[n-1].end:
			in.when[n-1].end = max(in.when[n-1].end, h.End())
		default:
			in.when = append(in.when, span{h.Start, h.End()})
		}
	}
	return in.when
}

// during reports whether each of the incident's windows shares time with one of
// the spans.
func (in *incident) during(spans []span) bool {
	for _, h := range in.hits {
		if !slices.ContainsFunc(spans, func(s span) bool { return h.Start < s.end && s.start < h.End() }) {
			return false
		}
	}
	return true
}
