package triage

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"picket"
)

// incident is the windows of one class, entity and UTC day.
type incident struct {
	uid      string
	detector string
	class    string
	entity   picket.Entity
	day      int64
	hits     []*hit            // in canonical order
	spans    []span            // the time they cover
	peers    map[string]uint64 // flows with each known peer
	takers   map[string]uint64 // bytes sent to each known peer outside
	flows    uint64            // of all its windows
	into     *incident         // what it was merged into
	absorbed []*incident       // what was merged into it
	when     []span            // see narrow
	silent   bool              // see silence
	network  string            // that a carpet flood covers; "" for one host
	hosts    []*incident       // of that network, this one first
	domain   string            // whose names it stands for; "" for one name
	revision string            // set once merged
}

// group returns incidents in order of their first hit.
func group(hits []*hit) []*incident {
	index := map[string]*incident{}
	var out []*incident
	for _, h := range hits {
		uid := h.uid(h.class)
		in := index[uid]
		if in == nil {
			in = &incident{uid: uid, detector: h.Booster.Detector, class: h.class, entity: h.Entity, day: dayOf(h.Start)}
			index[uid] = in
			out = append(out, in)
		}
		in.hits = append(in.hits, h)
	}
	for _, in := range out {
		in.count()
	}
	return out
}

// span is a half-open range of Unix seconds.
type span struct{ start, end int64 }

// count fills spans, flows, peers and takers. Windows of several widths and sources
// see the same conversations, so each sum is that of the width and source with most.
func (in *incident) count() {
	type view struct {
		seconds int64
		source  string
		peer    string // "" for all
	}
	sums, bytes := map[view]uint64{}, map[view]uint64{}
	in.peers, in.takers = map[string]uint64{}, map[string]uint64{}
	for _, h := range in.hits {
		in.cover(h)
		all := view{h.Seconds, h.Source, ""}
		sums[all] += h.Flows
		in.flows = max(in.flows, sums[all])
		for _, p := range h.Peers {
			v := view{h.Seconds, h.Source, p.ID}
			sums[v] += p.Flows
			in.peers[p.ID] = max(in.peers[p.ID], sums[v])
		}
		for _, p := range h.Takers {
			v := view{h.Seconds, h.Source, p.ID}
			bytes[v] += p.Bytes
			in.takers[p.ID] = max(in.takers[p.ID], bytes[v])
		}
	}
}

// cover adds a hit's time; hits come in order of their starts.
func (in *incident) cover(h *hit) {
	if n := len(in.spans); n > 0 && h.Start <= in.spans[n-1].end {
		in.spans[n-1].end = max(in.spans[n-1].end, h.End())
		return
	}
	in.spans = append(in.spans, span{h.Start, h.End()})
}

// root is the incident that in ended up in, itself if it was not merged.
func (in *incident) root() *incident {
	for in.into != nil {
		in = in.into
	}
	return in
}

// all returns in and everything that was merged into it, in canonical order.
func (in *incident) all() []*incident {
	out := []*incident{in}
	for _, a := range in.absorbed {
		out = append(out, a.all()...)
	}
	return out
}

// finding returns what an analyst reads of the incident.
func (in *incident) finding(c Config) picket.Finding {
	best := in.best()
	f := picket.Finding{
		UID:        in.uid,
		Status:     picket.StatusNew,
		Detector:   in.detector,
		Class:      in.class,
		Confidence: min(max(best.Malicious, 0), 1),
		Seconds:    best.Seconds,
		At:         best.Start,
		Entity:     in.entity,
		Windows:    len(in.hits),
		Source:     best.Source,
		Model:      c.Model,
		Threshold:  best.Threshold,
		Cut:        picket.CutShipped,
		Margin:     best.Margin,
		Reasons:    best.reasons(),
		Features:   best.features(),
		Peers:      in.largestPeers(),
		Revision:   in.revision,
		Facts:      slices.Concat(best.Facts, in.gathered()),
	}
	f.FirstSeen, f.LastSeen = in.seen()
	f.Type = finerType(f.Class, row{f.Features, best.Entity.Kind, best.Port})
	f.Severity = severity(&f)
	switch {
	case best.Ruling != nil:
		f.Type, f.Severity, f.Cut = cmp.Or(best.Ruling.Type, f.Type), best.Ruling.Severity, best.Ruling.Cut
	case in.class == picket.ClassAnomaly:
		f.Cut = picket.CutBaseline
	case c.Cut > 0:
		f.Threshold, f.Cut = f.Threshold+c.Cut, picket.CutBudget
	}
	if in.network != "" {
		f.Network, f.Hosts = in.network, len(in.hosts)
		for _, other := range in.hosts[1:min(len(in.hosts), maxPeers+1)] {
			f.Others = append(f.Others, other.entity.ID)
		}
	}
	if best.Entity.Kind == in.entity.Kind {
		f.Title = title(&f, peerCount(&f))
	} else {
		f.Title = title(&f, len(in.absorbed)) // the row counts the peers of the other side
	}
	f.Sentence = sentence(&f, func(feature string) Feature { return c.word(best, feature) })
	return f
}

// passes reports whether the incident is that far over its shipped threshold. The
// baseline's word is on another scale, and who gives a list wants to hear of it.
func (in *incident) passes(cut float64) bool {
	best := in.best()
	return in.class == picket.ClassAnomaly || best.ruled(picket.CutList) || best.Margin-best.Threshold >= cut
}

// best is the hit that gives the confidence: the most probable one of a booster,
// if there is any. Of equals, the one whose own class is the incident's, then the furthest over its
// threshold, the narrowest, the first.
func (in *incident) best() *hit {
	return slices.MinFunc(in.hits, func(a, b *hit) int {
		return cmp.Or(
			cmp.Compare(b2i(a.Ruling != nil), b2i(b.Ruling != nil)),
			cmp.Compare(b.Malicious, a.Malicious),
			cmp.Compare(b2i(b.own == in.class), b2i(a.own == in.class)),
			cmp.Compare(b.Margin-b.Threshold, a.Margin-a.Threshold),
			cmp.Compare(a.Seconds, b.Seconds),
			cmp.Compare(a.Start, b.Start),
			cmp.Compare(a.Source, b.Source),
		)
	})
}

// features returns the row behind a score by name, without what is missing. Only
// contributions carry names, so a score without them has none.
func (h *hit) features() map[string]float64 {
	row := make(map[string]float64, len(h.Contributions))
	for _, c := range h.Contributions {
		if !math.IsNaN(c.Value) && !math.IsInf(c.Value, 0) {
			row[c.Feature] = c.Value
		}
	}
	return row
}

// reasons are the contributions that moved the score at all.
func (h *hit) reasons() []picket.Contribution {
	return slices.DeleteFunc(slices.Clone(h.Contributions), func(c picket.Contribution) bool { return c.Shap == 0 })
}

// seen is from the first to the last window. A wide window whose flows narrower
// ones of the same incident already hold says nothing of when, so it is left out:
// a scan of five minutes is not told as one of 24 hours.
func (in *incident) seen() (first, last int64) {
	first, last = math.MaxInt64, math.MinInt64
	for _, part := range in.all() {
		for _, h := range part.hits {
			if covers(within(part.hits, h), h) {
				continue
			}
			first, last = min(first, h.begin()), max(last, h.end())
		}
	}
	return first, last
}

// maxPeers is how many peers a finding lists.
const maxPeers = 10

// largestPeers returns the other sides by flows, those of what was merged in too.
// Of an upload those come first that got most bytes, and of who calls home those
// outside: a host has more to do with its file server than with its master.
func (in *incident) largestPeers() []string {
	flows := map[string]uint64{}
	for id, n := range in.peers {
		flows[id] = n
	}
	for _, a := range in.all()[1:] {
		if k := a.entity.Kind; k != in.entity.Kind && (k == picket.KindActor || k == picket.KindVictim) {
			flows[a.entity.ID] = max(flows[a.entity.ID], a.peers[in.entity.ID])
		}
	}
	for _, host := range in.hosts[min(len(in.hosts), 1):] {
		for id, n := range host.peers {
			flows[id] += n
		}
	}
	delete(flows, in.entity.ID)
	ids := sortedKeys(flows)
	for id := range in.takers {
		if _, known := flows[id]; !known && in.class == picket.ClassExfiltration {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		first := 0
		switch in.class {
		case picket.ClassExfiltration:
			first = cmp.Compare(in.takers[b], in.takers[a])
		case picket.ClassC2:
			first = cmp.Compare(b2i(private(a)), b2i(private(b)))
		}
		return cmp.Or(first, cmp.Compare(flows[b], flows[a]), cmp.Compare(a, b))
	})
	return ids[:min(len(ids), maxPeers)]
}

// revise sets the revision of all that was not merged: the count and hash of the
// feature keys that it rests on.
func revise(incidents []*incident) {
	for _, in := range incidents {
		if in.into == nil {
			in.revision = revisionOf(in.all())
		}
	}
}

func revisionOf(parts []*incident) string {
	keys := map[string]bool{}
	for _, part := range parts {
		for _, h := range part.hits {
			keys[h.Key] = true
		}
	}
	return fmt.Sprintf("%06d-%s", len(keys), digest(sortedKeys(keys)...)[:16])
}

// retired returns, closed, each uid that alerts could have been told under and
// are not any more: merged incidents, and the classes that windows gave up. Each
// names the incident that has its windows now.
func retired(hits []*hit, incidents []*incident, c Config) []picket.Finding {
	byUID := map[string]*incident{}
	for _, in := range incidents {
		byUID[in.uid] = in
	}
	var out []picket.Finding
	told := map[string]bool{}
	for _, h := range hits {
		for _, class := range []string{h.own, h.class} {
			uid := h.uid(class)
			if in := byUID[uid]; told[uid] || in != nil && in.into == nil {
				continue
			}
			told[uid] = true
			now := byUID[h.uid(h.class)].root()
			out = append(out, picket.Finding{
				UID: uid, Status: picket.StatusClosed, Successor: now.uid, Revision: now.revision, Model: c.Model,
				Detector: h.Booster.Detector, Class: class, Entity: h.Entity, FirstSeen: h.begin(), LastSeen: h.end(),
			})
		}
	}
	return out
}
