package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/triage"
)

// meeting is what one entity had to do with one list, or with what a rule looks for,
// in the window at hand.
type meeting struct {
	ruling *triage.Ruling
	class  string
	peers  map[string]uint64 // conversations, or calls, with each
	fact   picket.Fact
}

// meetings of a window by entity and type of ruling.
type meetings map[picket.Entity]map[string]*meeting

func (m meetings) add(e picket.Entity, r *triage.Ruling, class, peer string, n uint64, fact picket.Fact) {
	if m[e] == nil {
		m[e] = map[string]*meeting{}
	}
	one := m[e][r.Type]
	if one == nil {
		one = &meeting{ruling: r, class: class, peers: map[string]uint64{}, fact: fact}
		m[e][r.Type] = one
	}
	one.peers[peer] += n
}

// alerts are the meetings as alerts of a window.
func (m meetings) alerts(w picket.Window, key string) []triage.Alert {
	var all []triage.Alert
	for _, e := range slices.SortedFunc(maps.Keys(m), func(a, b picket.Entity) int { return cmp.Compare(a.String(), b.String()) }) {
		for _, kind := range slices.Sorted(maps.Keys(m[e])) {
			one := m[e][kind]
			f := picket.Features{Window: w}
			f.Entity = e
			ids := slices.SortedFunc(maps.Keys(one.peers), func(a, b string) int {
				return cmp.Or(cmp.Compare(one.peers[b], one.peers[a]), cmp.Compare(a, b))
			})
			a := rulingAlert(f, one.ruling, one.class, confidenceOf(one.ruling), key)
			for _, id := range ids {
				a.Flows += one.peers[id]
				if len(a.Peers) < 10 {
					a.Peers = append(a.Peers, triage.Peer{ID: id, Flows: one.peers[id]})
				}
			}
			a.Facts = []picket.Fact{one.fact}
			all = append(all, a)
		}
	}
	return all
}

// What lists and rules say is ranked by a confidence that nobody measured: a list is as
// good as who made it.
const listConfidence, ruleConfidence = 0.9, 0.5

func confidenceOf(r *triage.Ruling) float64 {
	if r.Cut == picket.CutRule {
		return ruleConfidence
	}
	return listConfidence
}

// rulingAlert is the alert of a row on which something other than a booster ruled.
func rulingAlert(f picket.Features, r *triage.Ruling, class string, confidence float64, key string) triage.Alert {
	a := triage.Alert{Key: key, Ruling: r}
	a.Features = f
	a.Booster = picket.BoosterID{Detector: picket.DetectorLists, Kind: f.Entity.Kind, Seconds: f.Seconds}
	if r.Cut == picket.CutRule {
		a.Booster.Detector = BoosterOf(&f).Detector
	}
	a.Classes = []string{picket.ClassNormal, class}
	a.Malicious, a.Probabilities = confidence, []float64{1 - confidence, confidence}
	a.Margin = 4 * confidence // over a threshold of 0: what an alert budget ranks it by
	return a
}

// names returns the alerts of a row of a name that lists have.
func (b *byTag) names(f *picket.Features, key string) (alerts []triage.Alert) {
	if f.Entity.Kind != picket.KindName || len(b.lists) == 0 || b.has(triage.TagAllow, f.Entity.ID) {
		return nil
	}
	for _, tag := range slices.Sorted(maps.Keys(b.lists)) {
		if tag == triage.TagOwn || tag == triage.TagAllow || !b.has(tag, f.Entity.ID) {
			continue
		}
		ruling, class := triage.Listed(tag, false)
		a := rulingAlert(*f, ruling, class, listConfidence, key)
		a.Facts = []picket.Fact{listFact(tag)}
		alerts = append(alerts, a)
	}
	return alerts
}

func listFact(tag string) picket.Fact {
	return picket.Fact{Name: "on your list", Value: "of tag " + tag}
}

// met returns what lists and the rules over flows say of a slot: who had to do with
// what is listed, and who talks in a way that no booster looks for.
func (p *Pipeline) met(ctx context.Context, s slot, key string, lists *byTag) ([]triage.Alert, error) {
	road := extract.RoadOf(s.Source)
	threats := slices.ContainsFunc(slices.Collect(maps.Keys(lists.lists)), func(tag string) bool { return tag != triage.TagOwn && tag != triage.TagAllow })
	w := picket.Window{Start: s.Start, Seconds: s.End() - s.Start, Source: s.Source}
	all := meetings{}
	switch {
	case road.Detector == picket.DetectorTraffic && !s.Day:
		parts, err := p.parts(ctx, s)
		if err != nil {
			return nil, err
		}
		o := extract.CloseOptions{Source: s.Source, From: s.Start, To: s.End(), TempDir: p.deps.TempDir}
		rules := newFlowRules(lists)
		err = extract.Openings(ctx, parts.newest, o, func(c extract.Opening) {
			rules.take(&c)
			if threats {
				all.talk(lists, &c)
			}
		})
		if err != nil {
			return nil, fmt.Errorf("lists and rules: %w", err)
		}
		rules.tell(all)
	case road.Detector == picket.DetectorPhishing && !s.Day:
		parts, err := p.parts(ctx, s)
		if err != nil {
			return nil, err
		}
		rules := newNameRules()
		if err := extract.AskedNames(ctx, parts.newest, rules.take); err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
		rules.tell(all)
	case road.Detector == picket.DetectorAccess && s.Day && (threats || len(lists.places) > 0):
		parts, err := p.parts(ctx, s)
		if err != nil {
			return nil, err
		}
		places := travel{places: lists.places, calls: map[string][]stop{}}
		err = extract.Callers(ctx, parts.newest, func(c extract.Caller) {
			places.take(c)
			for _, tag := range lists.tags(c.From) {
				ruling, class := triage.Listed(tag, true)
				if class == picket.ClassC2 {
					class = picket.ClassAccess
				}
				ruling.Type = "listed-" + tag // nobody's relay
				all.add(picket.Entity{Kind: picket.KindPrincipal, ID: c.Principal}, ruling, class, c.From.String(), c.Count, listFact(tag))
			}
		})
		if err != nil {
			return nil, fmt.Errorf("lists: %w", err)
		}
		places.tell(all)
	}
	return all.alerts(w, key), nil
}

// talk notes a conversation with an address that is listed: of the host that opened
// it, or that it was opened to, whichever is not the listed one.
func (m meetings) talk(lists *byTag, c *extract.Opening) {
	note := func(host, other netip.Addr, kind picket.Kind, opened bool) {
		for _, tag := range lists.tags(other) {
			ruling, class := triage.Listed(tag, opened)
			fact := listFact(tag)
			fact.Value += ", port " + strconv.Itoa(int(c.Port))
			m.add(picket.Entity{Kind: kind, ID: host.String()}, ruling, class, other.String(), 1, fact)
		}
	}
	note(c.Actor, c.Victim, picket.KindActor, false)
	if c.Answered { // whom a listed address only knocks at has nothing to do with it
		note(c.Victim, c.Actor, picket.KindVictim, true)
	}
}
