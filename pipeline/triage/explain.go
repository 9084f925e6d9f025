package triage

import "picket"

// explainers is how many of a victim's largest peers may explain its window
// together. It is small on purpose: a flood has many sources, and a few weak
// ones of them that look like scanners must not talk it away.
const explainers = 3

// explain compares each victim's window with the actors that fill it. Where up
// to three of its largest peers hold half of its flows and are found for another
// class at that time, it is one incident seen from two sides and gets one class:
// the actor's if that is a scan (who walks over the ports of a host is no flood
// of it, however fast) or if it is at least as probable as the victim's; else
// the victim's, which the actor's window takes if most of its flows are there.
func explain(hits []*hit) {
	actors := map[side][]*hit{}
	for _, h := range hits {
		if h.Entity.Kind == picket.KindActor && h.own != picket.ClassAnomaly {
			k := side{h.Booster.Detector, h.Entity.ID}
			actors[k] = append(actors[k], h)
		}
	}
	var changes []change
	for _, h := range hits {
		if h.Entity.Kind == picket.KindVictim && h.own != picket.ClassAnomaly {
			changes = append(changes, explainVictim(h, actors)...)
		}
	}
	for _, c := range changes { // afterwards, so that no change decides another
		c.hit.class = c.class
	}
}

type side struct{ detector, id string }

type change struct {
	hit   *hit
	class string
}

func explainVictim(v *hit, actors map[side][]*hit) []change {
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
		if class == picket.ClassScan || a.probability(class) >= v.probability(v.class) {
			return []change{{v, class}}
		}
		if 2*flowsWith(a.Peers, v.Entity.ID) >= a.Flows {
			return []change{{a, v.class}}
		}
	}
	return nil
}

// beside returns the actor's window that is closest to the victim's: of those
// that share time the one nearest in width, so that a day's verdict does not
// speak for a minute that has its own.
func beside(v *hit, actor []*hit) *hit {
	var best *hit
	for _, a := range actor {
		if !a.overlaps(v) {
			continue
		}
		if best == nil || closer(a, best, v) {
			best = a
		}
	}
	return best
}

// closer prefers the width nearest to v's; of two equal ones the surer window.
func closer(a, b, v *hit) bool {
	da, db := abs(a.Seconds-v.Seconds), abs(b.Seconds-v.Seconds)
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
