package triage

import (
	"cmp"
	"slices"

	"picket"
)

// band makes one incident of many guessers at one victim, where the victim's own
// windows show none, or not the time of all: more than a crowd of actors that spend
// most of their flows on it at about the same time, none of them with more than the
// rest together. An analyst blocks a hundred guessers once.
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
		actors := leaderless(atOnce(groups[p]))
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
	if in.entity.Kind != picket.KindActor || in.detector != picket.DetectorTraffic || in.class != picket.ClassBruteforce || in.into != nil || len(in.absorbed) > 0 {
		return ""
	}
	for _, id := range sortedKeys(in.peers) {
		if 2*in.peers[id] > in.flows {
			return id
		}
	}
	return ""
}

// atOnce returns the largest part of the actors in which each is ten minutes at most
// from another, by the windows that say when.
func atOnce(actors []*incident) []*incident {
	slices.SortFunc(actors, func(a, b *incident) int {
		return cmp.Or(cmp.Compare(a.narrow()[0].start, b.narrow()[0].start), cmp.Compare(a.uid, b.uid))
	})
	var best []*incident
	from, end := 0, int64(0)
	for i, a := range actors {
		when := a.narrow()
		if i > from && when[0].start > end+picket.TenMinutes {
			from, end = i, 0
		}
		end = max(end, when[len(when)-1].end)
		if part := actors[from : i+1]; len(part) > len(best) {
			best = part
		}
	}
	return best
}

// leaderless leaves out who does more than the rest together: that one has a finding
// of its own.
func leaderless(actors []*incident) []*incident {
	actors = slices.Clone(actors)
	slices.SortFunc(actors, func(a, b *incident) int {
		return cmp.Or(cmp.Compare(b.flows, a.flows), cmp.Compare(a.uid, b.uid))
	})
	var rest uint64
	for _, a := range actors {
		rest += a.flows
	}
	for len(actors) > 0 && 2*actors[0].flows > rest {
		rest -= actors[0].flows
		actors = actors[1:]
	}
	return actors
}
