package triage

import "picket"

// explainers is how many of a victim's largest peers may explain its window
// together. It is small on purpose: a flood has many sources, and a few weak
// ones of them that look like scanners must not talk it away.
const explainers = 3

// walk is the number of ports of one host from which on talking to them is
// walking over them.
const walk = 5

// explain compares what is found on the two sides of the same flows, so that an
// incident seen from both gets one class.
//
// Where up to three of a victim's largest peers hold half of its flows and are
// found for another class at that time, the victim's window takes the actor's
// class if that is a scan that walks over ports (it is no flood of the host,
// however fast), or if it is at least as probable as the victim's own; else the
// actor's window takes the victim's, if most of its flows are there.
//
// Then the small ones: an actor's window that has most of its flows with a
// victim that is flooded, or whose passwords are guessed, more probably than the
// actor does what it is found for, is one of the crowd that does it, unless it
// walks over ports. (Of those that do, see engulf.)
func explain(hits []*hit) {
	actors, victims := map[side][]*hit{}, map[side][]*hit{}
	for _, h := range hits {
		k := side{h.Booster.Detector, h.Entity.ID}
		switch {
		case h.own == picket.ClassAnomaly, h.Ruling != nil:
		case h.Entity.Kind == picket.KindActor:
			actors[k] = append(actors[k], h)
		case h.Entity.Kind == picket.KindVictim:
			victims[k] = append(victims[k], h)
		}
	}
	explainEach(hits, picket.KindVictim, func(v *hit) *change { return explainVictim(v, actors) })
	explainEach(hits, picket.KindActor, func(a *hit) *change { return joinCrowd(a, victims) })
}

// explainEach makes the changes afterwards, so that none decides another.
func explainEach(hits []*hit, kind picket.Kind, decide func(*hit) *change) {
	var changes []*change
	for _, h := range hits {
		if h.Entity.Kind != kind || h.own == picket.ClassAnomaly || h.Ruling != nil {
			continue
		}
		if c := decide(h); c != nil {
			changes = append(changes, c)
		}
	}
	for _, c := range changes {
		c.hit.class = c.class
	}
}

type side struct{ detector, id string }

type change struct {
	hit   *hit
	class string
}

func explainVictim(v *hit, actors map[side][]*hit) *change {
	filled := map[string]uint64{} // flows by the actors' class
	by := map[string]*hit{}       // the largest actor of a class
	for _, peer := range v.Peers[:min(len(v.Peers), explainers)] {
		a := beside(v, actors[side{v.Booster.Detector, peer.ID}])
		if a == nil || a.class == v.class {
			continue
		}
		filled[a.class] += peer.Flows
		if by[a.class] == nil {
			by[a.class] = a
		}
	}
	for _, class := range sortedKeys(filled) {
		if filled[class] == 0 || 2*filled[class] < v.Flows {
			continue
		}
		a := by[class]
		if class == picket.ClassScan && !v.staysOn() || a.probability(class) >= v.probability(v.class) {
			return &change{v, class}
		}
		if 2*flowsWith(a.Peers, v.Entity.ID) >= a.Flows {
			return &change{a, v.class}
		}
	}
	return nil
}

// staysOn reports whether the row says that no two sides share many ports.
func (h *hit) staysOn() bool { return h.feature(portsPerPeer) < walk }

func joinCrowd(a *hit, victims map[side][]*hit) *change {
	if len(a.Peers) == 0 || 2*a.Peers[0].Flows < a.Flows || !a.staysOn() {
		return nil
	}
	v := beside(a, victims[side{a.Booster.Detector, a.Peers[0].ID}])
	if v == nil || v.class == a.class || v.class != picket.ClassDDoS && v.class != picket.ClassBruteforce {
		return nil
	}
	if a.probability(a.class) >= v.probability(v.class) {
		return nil
	}
	return &change{a, v.class}
}

// beside returns the window of the other side that is closest to h: of those
// that share time the one nearest in width, so that a day's verdict does not
// speak for a minute that has its own.
func beside(h *hit, others []*hit) *hit {
	var best *hit
	for _, o := range others {
		if o.overlaps(h) && (best == nil || closer(o, best, h)) {
			best = o
		}
	}
	return best
}

// closer prefers the width nearest to h's; of two equal ones the surer window.
func closer(a, b, h *hit) bool {
	da, db := abs(a.Seconds-h.Seconds), abs(b.Seconds-h.Seconds)
	if da != db {
		return da < db
	}
	return a.Malicious > b.Malicious
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

func flowsWith(peers []Peer, id string) uint64 {
	for _, p := range peers {
		if p.ID == id {
			return p.Flows
		}
	}
	return 0
}
