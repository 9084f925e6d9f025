package triage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"picket"
)

// guess makes one incident of a guesser and the users whose passwords it guesses at,
// who are more than four, and of a user and the guessers, who are. Whose password was
// found out, or who did something besides, keeps an incident of its own.
func guess(incidents []*incident) {
	sources := map[place]*incident{}
	for _, in := range incidents {
		if in.into == nil && in.detector == picket.DetectorAccess && in.class == picket.ClassBruteforce {
			sources[place{id: in.entity.ID, day: in.day}] = in
		}
	}
	users := map[*incident][]*incident{} // by who guessed most at them
	for _, in := range incidents {
		if in.into != nil || in.entity.Kind != picket.KindPrincipal || !in.guessedAt() {
			continue
		}
		var by []*incident
		for _, id := range sortedKeys(in.peers) {
			if s := sources[place{id: id, day: in.day}]; s != nil && s.into == nil && sharesTime(s, in) {
				by = append(by, s)
			}
		}
		slices.SortStableFunc(by, func(a, b *incident) int { return cmp.Compare(in.peers[b.entity.ID], in.peers[a.entity.ID]) })
		switch {
		case len(by) > crowd:
			for _, s := range by {
				in.absorb(s)
			}
		case len(by) > 0:
			users[by[0]] = append(users[by[0]], in)
		}
	}
	for s, guessed := range users {
		if s.into != nil || len(guessed) <= crowd {
			continue
		}
		for _, in := range guessed {
			s.absorb(in)
		}
	}
}

// guessedAt reports whether all that is said of a principal is that its password was
// guessed at.
func (in *incident) guessedAt() bool {
	return !slices.ContainsFunc(in.hits, func(h *hit) bool {
		t := accessTypeOf(row{values: h.features()})
		return t == nil || t.rule != "password_guessing" && t.rule != "password_spraying"
	})
}

// swallow gives a tunnel the names that it is made of, which are no names to fool
// people with.
func swallow(incidents, ruled []*incident) {
	tunnels := map[string]*incident{}
	for _, in := range ruled {
		if in.best().Ruling.Type == TypeNameTunnel {
			for domain := range in.peers {
				tunnels[domain] = in
			}
		}
	}
	for _, in := range incidents {
		if in.into != nil || in.entity.Kind != picket.KindName {
			continue
		}
		if t := tunnels[domainOf(in.entity.ID)]; t != nil && t.day == in.day {
			t.absorb(in)
		}
	}
}

// domainOf returns the registrable domain of a name, "" where there is none.
func domainOf(name string) string {
	domain, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return ""
	}
	return domain
}

// gatherNames makes one incident of the names below one registrable domain that were
// found on a day, where they are more than four. The most probable one carries it.
func gatherNames(incidents []*incident) {
	below := map[place][]*incident{}
	for _, in := range incidents {
		if in.into != nil || in.entity.Kind != picket.KindName {
			continue
		}
		if domain := domainOf(in.entity.ID); domain != "" {
			below[in.place(domain)] = append(below[in.place(domain)], in)
		}
	}
	for p, names := range below {
		if len(names) <= crowd {
			continue
		}
		slices.SortFunc(names, func(a, b *incident) int {
			return cmp.Or(cmp.Compare(b.best().Malicious, a.best().Malicious), cmp.Compare(b.flows, a.flows), cmp.Compare(a.entity.ID, b.entity.ID))
		})
		for _, in := range names[1:] {
			names[0].absorb(in)
		}
		names[0].domain = p.id
	}
}

// FactUsers and FactNames are what is told of the incidents that stand in another's
// place.
const (
	FactUsers = "users guessed at"
	FactNames = "names"
)

// gathered tells whom an incident stands for: the users that a guesser tried, the
// names of one domain.
func (in *incident) gathered() []picket.Fact {
	var ids []string
	for _, a := range in.absorbed {
		if a.entity.Kind == picket.KindPrincipal && in.entity.Kind == picket.KindActor || in.domain != "" {
			ids = append(ids, a.entity.ID)
		}
	}
	slices.Sort(ids)
	switch {
	case len(ids) == 0:
		return nil
	case in.domain != "":
		return []picket.Fact{{Name: FactNames, Value: fmt.Sprintf("%d of %s", len(ids)+1, in.domain)}}
	}
	some := strings.Join(ids[:min(len(ids), crowd)], ", ")
	if more := len(ids) - crowd; more > 0 {
		some += fmt.Sprintf(" and %d more", more)
	}
	return []picket.Fact{{Name: FactUsers, Value: some}}
}
