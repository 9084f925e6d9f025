package pipeline

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/triage"
)

// What the rules over the lookups of an hour look for.
const (
	tunnelHosts   = 200 // hosts of one domain that one address asked for
	tunnelLetters = 24  // mean letters of theirs left of the domain
	randomDomains = 20  // domains of letters by chance that one address asked for, and most of which there are not
	randomLetters = 9   // least letters of one
	randomBits    = 4.8 // bits a letter of one
)

// nameRules counts an hour of lookups for the rules.
type nameRules struct {
	below  map[asking]*below
	random map[netip.Addr]*random
}

// asking is an address with a domain that it asked for names of.
type asking struct {
	by     netip.Addr
	domain string
}

// below is what an address asked for of one domain.
type below struct {
	hosts   map[string]bool
	letters int
}

// random is what an address asked for that reads like letters by chance.
type random struct {
	domains      map[string]bool
	told, noName int
}

func newNameRules() *nameRules {
	return &nameRules{below: map[asking]*below{}, random: map[netip.Addr]*random{}}
}

func (r *nameRules) take(a extract.Asked) {
	if a.Sub != "" {
		k := asking{a.By, a.Domain}
		b := r.below[k]
		if b == nil && len(r.below) < maxRuled {
			b = &below{hosts: map[string]bool{}}
			r.below[k] = b
		}
		if b != nil && !b.hosts[a.Host] && len(b.hosts) < maxRuled {
			b.hosts[a.Host] = true
			b.letters += len(a.Sub)
		}
	}
	if len(a.Label) < randomLetters || extract.Surprise(a.Label) < randomBits {
		return
	}
	x := r.random[a.By]
	if x == nil && len(r.random) < maxRuled {
		x = &random{domains: map[string]bool{}}
		r.random[a.By] = x
	}
	if x == nil || x.domains[a.Domain] || len(x.domains) >= maxRuled {
		return
	}
	x.domains[a.Domain] = true
	if a.Told {
		x.told++
	}
	if a.NoName {
		x.noName++
	}
}

// tell adds what the rules say of the hour.
func (r *nameRules) tell(all meetings) {
	for k, b := range r.below {
		if len(b.hosts) < tunnelHosts || b.letters < tunnelLetters*len(b.hosts) {
			continue
		}
		all.add(picket.Entity{Kind: picket.KindActor, ID: k.by.String()}, &triage.Ruling{Cut: picket.CutRule, Type: triage.TypeNameTunnel, Severity: picket.SeverityHigh},
			picket.ClassExfiltration, k.domain, uint64(len(b.hosts)), picket.Fact{Name: "asked for", Value: fmt.Sprintf("%d names below %s, %d letters each", len(b.hosts), k.domain, b.letters/len(b.hosts))})
	}
	for by, x := range r.random {
		if len(x.domains) < randomDomains || x.told > 0 && 2*x.noName < x.told {
			continue
		}
		for _, domain := range slices.Sorted(maps.Keys(x.domains)) {
			fact := picket.Fact{Name: "asked for", Value: fmt.Sprintf("%d domains of letters by chance, %d of %d answers say that there is none", len(x.domains), x.noName, x.told)}
			all.add(picket.Entity{Kind: picket.KindActor, ID: by.String()}, &triage.Ruling{Cut: picket.CutRule, Type: triage.TypeRandomDomains, Severity: picket.SeverityMedium},
				picket.ClassC2, domain, 1, fact)
		}
	}
}
