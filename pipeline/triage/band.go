package triage

import (
	"cmp"
	"slices"

	"picket"
)

// band makes one incident of many guessers at one victim, where the victim's own
// windows show none, or not the time of all: more than a crowd of actors that spend
// most of their flows on it. An analyst blocks a hundred guessers once.
func band(incidents []*incident) []*incident {
	byUID := map[string]*incident{}
	groups := map[place][]*incident{}
	var order []place
	for _, in := range incidents {
		byUID[in.uid] = in
		id := in.devotedTo()
		if id == "" {
			continue
		}
		p := in.place(id)
		if groups[p] == nil {
			order = append(order, p)
		}
		groups[p] = append(groups[p], in)
	}
	for _, p := range order {
		actors := groups[p]
		victim := picket.Entity{Kind: picket.KindVictim, ID: p.id}
		v := byUID[UID(p.detector, p.class, victim, p.day)]
		switch {
		case v != nil && v.into != nil || v == nil && len(actors) <= crowd:
			continue // one of them explains the victim, or they are few
		case v == nil:
			v = &incident{uid: UID(p.detector, p.class, victim, p.day), detector: p.detector, class: p.class, entity: victim, day: p.day, peers: map[string]uint64{}}
			incidents = append(incidents, v)
			for _, a := range actors {
				v.hits = append(v.hits, a.hits...)
				v.peers[a.entity.ID] = a.peers[p.id]
				v.flows += a.peers[p.id]
			}
			slices.SortFunc(v.hits, func(a, b *hit) int { return cmp.Or(cmp.Compare(a.Start, b.Start), compareWindow(a, b)) })
		case len(v.absorbed)+len(actors) <= crowd:
			continue
		}
		for _, a := range actors {
			v.absorb(a)
		}
	}
	return incidents
}

// devotedTo returns the victim on which a guesser that stands alone spends most of its
// flows; else "".
func (in *incident) devotedTo() string {
	if in.entity.Kind != picket.KindActor || in.class != picket.ClassBruteforce || in.into != nil || len(in.absorbed) > 0 {
		return ""
	}
	for _, id := range sortedKeys(in.peers) {
		if 2*in.peers[id] > in.flows {
			return id
		}
	}
	return ""
}
