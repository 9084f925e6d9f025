package triage

import (
	"cmp"
	"slices"

	"picket"
)

// crowd is how many actors that do little else make an attack on one victim the
// victim's incident rather than one of each actor.
const crowd = 4

// merge makes one incident of a victim's and its actors' of the same detector,
// class and UTC day, where they share time and flows. The victim carries it
// where the class is ddos, and where more than four actors spend most of their
// flows on it or those that were found make less than half of its flows (many
// weak actors on one victim). Otherwise the actor with most of the victim's
// flows carries it, so that the victims of one scanner are one finding.
func merge(incidents []*incident) {
	actors := map[place]*incident{}
	byPeer := map[place][]*incident{} // actors by whom they talk to
	var victims []*incident
	for _, in := range incidents {
		switch in.entity.Kind {
		case picket.KindActor:
			actors[in.place(in.entity.ID)] = in
			for _, id := range sortedKeys(in.peers) {
				byPeer[in.place(id)] = append(byPeer[in.place(id)], in)
			}
		case picket.KindVictim:
			victims = append(victims, in)
		}
	}
	slices.SortFunc(victims, func(a, b *incident) int {
		return cmp.Or(cmp.Compare(b.flows, a.flows), cmp.Compare(a.uid, b.uid))
	})
	for _, v := range victims {
		v.mergeWith(linked(v, actors, byPeer))
	}
}

// place is where an incident can meet another: same detector, class and day.
type place struct {
	detector, class, id string
	day                 int64
}

func (in *incident) place(id string) place {
	return place{in.detector, in.class, id, in.day}
}

// linked returns the actors that share time and flows with the victim and were
// not merged elsewhere, the one with most flows first.
func linked(v *incident, actors map[place]*incident, byPeer map[place][]*incident) []*incident {
	var out []*incident
	seen := map[*incident]bool{}
	add := func(a *incident) {
		if a != nil && !seen[a] && a.into == nil && a.class != picket.ClassAnomaly && sharesTime(a, v) {
			seen[a] = true
			out = append(out, a)
		}
	}
	for _, id := range sortedKeys(v.peers) {
		add(actors[v.place(id)])
	}
	for _, a := range byPeer[v.place(v.entity.ID)] {
		add(a)
	}
	slices.SortFunc(out, func(a, b *incident) int {
		return cmp.Or(cmp.Compare(between(b, v), between(a, v)), cmp.Compare(a.uid, b.uid))
	})
	return out
}

// between is the flows from an actor to a victim, as far as either side lists them.
func between(a, v *incident) uint64 {
	return max(a.peers[v.entity.ID], v.peers[a.entity.ID])
}

// sharesTime walks both incidents' spans, which are in order and apart.
func sharesTime(a, b *incident) bool {
	for i, j := 0, 0; i < len(a.spans) && j < len(b.spans); {
		x, y := a.spans[i], b.spans[j]
		switch {
		case x.end <= y.start:
			i++
		case y.end <= x.start:
			j++
		default:
			return true
		}
	}
	return false
}

func (v *incident) mergeWith(actors []*incident) {
	if len(actors) == 0 {
		return
	}
	if v.class == picket.ClassDDoS {
		for _, a := range actors {
			v.absorb(a)
		}
		return
	}
	var explained uint64
	var devoted []*incident
	for _, a := range actors {
		explained += between(a, v)
		if 2*between(a, v) >= a.flows {
			devoted = append(devoted, a)
		}
	}
	if len(devoted) <= crowd && 2*explained >= v.flows {
		actors[0].absorb(v)
		return
	}
	for _, a := range devoted {
		v.absorb(a)
	}
}

func (in *incident) absorb(other *incident) {
	other.into = in
	in.absorbed = append(in.absorbed, other)
}

// nearlyAll is the share of a victim's flows by which one peer did it alone.
const nearlyAll = 0.9

// name returns the incidents with one more for each actor that was not found
// itself and yet makes nearly all flows of a victim that was: the actor carries
// what is no flood. Its hits are the victim's.
func name(incidents []*incident) []*incident {
	byUID := map[string]*incident{}
	for _, in := range incidents {
		byUID[in.uid] = in
	}
	for _, v := range slices.Clone(incidents) {
		id, flows := v.onlyPeer()
		if id == "" {
			continue
		}
		actor := picket.Entity{Kind: picket.KindActor, ID: id}
		a := byUID[UID(v.detector, v.class, actor, v.day)]
		switch {
		case a == nil:
			a = &incident{uid: UID(v.detector, v.class, actor, v.day), detector: v.detector, class: v.class, entity: actor, day: v.day, peers: map[string]uint64{}}
			byUID[a.uid] = a
			incidents = append(incidents, a)
		case len(a.hits) == 0 || a.hits[0].Entity != actor: // made here
		default: // it was found at another time of the day
			if a.into == nil {
				a.absorb(v)
			}
			continue
		}
		a.hits = append(a.hits, v.hits...)
		a.peers[v.entity.ID] = flows
		a.flows += flows
		a.absorb(v)
	}
	return incidents
}

// onlyPeer returns the actor that makes nearly all flows of a victim's incident
// that stands alone and that an actor should carry; else "".
func (in *incident) onlyPeer() (string, uint64) {
	if in.entity.Kind != picket.KindVictim || in.into != nil || len(in.absorbed) > 0 ||
		in.class == picket.ClassDDoS || in.class == picket.ClassAnomaly {
		return "", 0
	}
	for _, id := range sortedKeys(in.peers) {
		if float64(in.peers[id]) >= nearlyAll*float64(in.flows) {
			return id, in.peers[id]
		}
	}
	return "", 0
}
