// Package triage turns scores into what an analyst reads: Score -> Finding.
//
// Triage takes all scores of some UTC days that passed their threshold and
// returns their incidents. Diff compares them with what was told before and
// returns what is new. Neither reads a clock or keeps state, so running again
// on the same scores says the same, whatever their order.
//
// One attack fires many windows: at several widths, minute after minute, of the
// one who does it and of the one it is done to. Steps make it one finding:
//
//   - settle (settle.go): the windows of one entity agree on classes;
//   - explain (explain.go): the two sides of the same flows agree on a class, so
//     that a scan is no flood of the host that it walks over;
//   - group (incident.go): windows of one class, entity and UTC day;
//   - merge (merge.go): an actor's and a victim's incident that share flows;
//   - name (merge.go): the one actor behind an incident that only its victim shows;
//   - band (band.go): the many who guess at one victim;
//   - roll and engulf (carpet.go): the floods of one network, and what a flood
//     makes look like a scanner;
//   - guess, swallow and gatherNames (gather.go): the users that one guesser tries,
//     the names of a tunnel and of one domain.
//
// What a rule or one of the user's lists says (ruling.go) stands beside all that.
package triage

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"picket"
)

// Alert is a score over its threshold, with what triage needs beside it. The
// score must be explained: its contributions name the values of its row.
type Alert struct {
	picket.Score
	Peers  []Peer             // the other sides of the window, those with most flows first; ten are enough
	Takers []Peer             // the other sides outside that the entity sent most bytes to, likewise
	Port   uint16             // service port of most flows; 0 if unknown; only names the type of a brute force
	Facts  []picket.Fact      // what it says in words beside its numbers
	Key    string             // of the features object that the row came from; a newer revision's is greater
	Usual  map[string]float64 // medians of this very entity or its network, before Config.Usual; may be nil

	Ruling *Ruling // what spoke where no booster did; nil for a score
}

// Peer is one other side of a window.
type Peer struct {
	ID    string
	Flows uint64 // conversations of the window that are with it
	Bytes uint64 // sent to it
}

// Config is all that changes what Triage says of the same alerts.
type Config struct {
	Model     string                                  // id of the model package that scored
	Rules     []Rule                                  // what to suppress
	Now       time.Time                               // the clock, for the rules' expiry
	Words     map[string]Feature                      // by feature name, for the sentences; may be nil
	Usual     map[picket.BoosterID]map[string]float64 // medians over normal rows, for the sentences; may be nil
	Anomalies int                                     // of a UTC day that are told: the furthest over their limit; 0 is all
	Cut       float64                                 // log-odds over the shipped threshold that an incident needs; 0 is none, see Cut
}

// word returns how to speak of a feature of a window.
func (c *Config) word(h *hit, feature string) Feature {
	word := c.Words[feature]
	for _, medians := range []map[string]float64{c.Usual[h.Booster], h.Usual} {
		if v, ok := medians[feature]; ok {
			word.Usual = &v
		}
	}
	return word
}

// Feature is how a sentence speaks of a feature.
type Feature struct {
	Unit  string   // "share" and "ratio" are not printed
	Usual *float64 // its median over normal rows; nil if unknown
}

// UID names an incident: the same detector, class, entity and UTC day of the
// window's start have the same uid, in every run.
func UID(detector, class string, e picket.Entity, start int64) string {
	day := time.Unix(dayOf(start), 0).UTC().Format(time.DateOnly)
	return digest(detector, class, string(e.Kind), e.ID, day)
}

func dayOf(unix int64) int64 {
	day := unix % picket.Day
	if day < 0 {
		day += picket.Day
	}
	return unix - day
}

// digest is 32 hex digits of SHA-256 over parts, each ended by a zero byte.
func digest(parts ...string) string {
	h := sha256.New()
	for _, s := range parts {
		io.WriteString(h, s)
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Triage returns the incidents of alerts, by first seen and uid. An incident
// that was merged into another is there too, with StatusClosed and its
// Successor: Diff tells of it only where it was told of before. All alerts of a
// UTC day must be given at once, because they decide together.
//
// Scores below their threshold, malformed ones and those of a window's rest
// (picket.Rest), which is nobody, are left out.
func Triage(alerts []Alert, c Config) []picket.Finding {
	hits := accept(alerts)
	for _, track := range tracks(hits) {
		settle(track)
	}
	explain(hits)
	incidents, ruled := byRuling(group(hits))
	merge(incidents)
	incidents = band(name(incidents))
	roll(incidents)
	engulf(incidents)
	guess(incidents)
	swallow(incidents, ruled)
	gatherNames(incidents)
	incidents = append(incidents, ruled...)
	silence(incidents, c.Anomalies)
	revise(incidents)
	var out []picket.Finding
	for _, in := range incidents {
		if in.into == nil && !in.silent && in.passes(c.Cut) {
			out = append(out, in.finding(c))
		}
	}
	Suppress(out, c.Rules, c.Now)
	out = append(out, retired(hits, incidents, c)...)
	slices.SortFunc(out, byTime)
	return out
}

func byTime(a, b picket.Finding) int {
	return cmp.Or(cmp.Compare(a.FirstSeen, b.FirstSeen), cmp.Compare(a.UID, b.UID))
}

// hit is an accepted alert on its way into an incident.
type hit struct {
	*Alert
	class string  // what triage takes it for
	own   string  // what its score says
	p     float64 // probability of own
	clear bool    // own has most of the malicious probability
}

// clearShare is the share of the malicious probability at which a window's class
// is beyond doubt: three times all others together.
const clearShare = 0.75

// accept returns the well-formed alerts as hits in canonical order, one for each
// window and booster: of several the one with the greatest key.
func accept(alerts []Alert) []*hit {
	var hits []*hit
	for i := range alerts {
		if h := newHit(&alerts[i]); h != nil {
			hits = append(hits, h)
		}
	}
	slices.SortFunc(hits, func(a, b *hit) int {
		return cmp.Or(compareWindow(a, b), cmp.Compare(b.Key, a.Key), cmp.Compare(b.Margin, a.Margin), cmp.Compare(b.p, a.p))
	})
	return slices.CompactFunc(hits, func(a, b *hit) bool { return compareWindow(a, b) == 0 })
}

// compareWindow orders by entity, time and width; what is equal is the same
// window through the same booster.
func compareWindow(a, b *hit) int {
	return cmp.Or(
		cmp.Compare(a.Booster.Detector, b.Booster.Detector),
		cmp.Compare(a.Entity.Kind, b.Entity.Kind),
		cmp.Compare(a.Entity.ID, b.Entity.ID),
		cmp.Compare(a.Start, b.Start),
		cmp.Compare(a.Seconds, b.Seconds),
		cmp.Compare(a.Source, b.Source),
		cmp.Compare(b2i(a.own == picket.ClassAnomaly), b2i(b.own == picket.ClassAnomaly)),
		cmp.Compare(a.ruling(), b.ruling()),
	)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func newHit(a *Alert) *hit {
	n := len(a.Classes)
	if n < 2 || len(a.Probabilities) != n || a.Entity.ID == picket.Rest || !a.Over() || math.IsNaN(a.Malicious) {
		return nil
	}
	class, p := a.Class()
	return &hit{Alert: a, class: class, own: class, p: p, clear: p >= clearShare*a.Malicious}
}

// probability returns the hit's probability of a class, 0 if its booster has no such class.
func (h *hit) probability(class string) float64 {
	if i := slices.Index(h.Classes, class); i > 0 {
		return h.Probabilities[i]
	}
	return 0
}

// feature returns a value of the row by name, NaN where it is missing.
func (h *hit) feature(name string) float64 {
	for i := range h.Contributions {
		if h.Contributions[i].Feature == name {
			return h.Contributions[i].Value
		}
	}
	return math.NaN()
}

// overlaps reports whether two windows share time.
func (h *hit) overlaps(o *hit) bool { return h.Start < o.End() && o.Start < h.End() }

// end is the end of what the window has seen so far.
func (h *hit) end() int64 {
	_, to := h.Covered()
	return to
}

// begin is the start of what the window has seen.
func (h *hit) begin() int64 {
	from, _ := h.Covered()
	return from
}

func (h *hit) String() string {
	return fmt.Sprintf("%s %s %.3f", h.Window, h.class, h.Malicious)
}

// tracks splits hits by detector, entity and UTC day. Anomalies and rulings have
// tracks of their own: their word is shown beside the model's, never mixed with it.
func tracks(hits []*hit) [][]*hit {
	type key struct {
		detector string
		entity   picket.Entity
		day      int64
		anomaly  bool
		ruling   string
	}
	index := map[key]int{}
	var out [][]*hit
	for _, h := range hits {
		k := key{h.Booster.Detector, h.Entity, dayOf(h.Start), h.own == picket.ClassAnomaly, h.ruling()}
		i, ok := index[k]
		if !ok {
			i = len(out)
			index[k] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], h)
	}
	return out
}
