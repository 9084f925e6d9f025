package triage

import (
	"cmp"
	"math"
	"slices"
	"time"

	"picket"
)

// Past is what the alert budget remembers of an incident: how sure it was, and
// what suppression rules look at.
type Past struct {
	Over   float64       `json:"over"` // log-odds over the shipped threshold of its booster
	Entity picket.Entity `json:"entity"`
	Class  string        `json:"class"`
	Type   string        `json:"type"`
	Peers  []string      `json:"peers,omitempty"`
}

// Remember returns what the budget needs of the incidents of some days, as Triage
// told them with no cut. Anomalies and what lists say are on another scale and have
// no part in it.
func Remember(findings []picket.Finding) []Past {
	var past []Past
	for _, f := range findings {
		if f.Status != picket.StatusClosed && f.Class != picket.ClassAnomaly && f.Cut != picket.CutList {
			past = append(past, Past{min(f.Margin-f.Threshold, math.MaxFloat64), f.Entity, f.Class, f.Type, f.Peers})
		}
	}
	return past
}

// Cut returns how many log-odds over its shipped threshold an incident must be for
// the past ones, but for those that a rule suppresses, to have been at most perDay
// a day; 0 where they were fewer.
func Cut(past []Past, days, perDay float64, rules []Rule, now time.Time) float64 {
	findings := make([]picket.Finding, len(past))
	for i, p := range past {
		findings[i] = picket.Finding{Entity: p.Entity, Class: p.Class, Type: p.Type, Peers: p.Peers}
	}
	Suppress(findings, rules, now)
	var scores []float64
	for i, p := range past {
		if findings[i].Status != picket.StatusSuppressed {
			scores = append(scores, p.Over)
		}
	}
	return Budget(scores, days, perDay, 0)
}

// Budget returns the cut at which a site's incidents of the last days would have
// been at most perDay a day, but never below the floor, which is the shipped
// threshold. Scores are the greatest margin of each incident, with all those
// just over the floor in them; a score passes the cut if it is equal or above.
// Where boosters differ, give margins less their shipped threshold, floor 0, and
// add the result to each.
func Budget(scores []float64, days, perDay, floor float64) float64 {
	sorted := make([]float64, 0, len(scores))
	for _, s := range scores {
		if !math.IsNaN(s) {
			sorted = append(sorted, s)
		}
	}
	slices.Sort(sorted)
	allowed := math.Floor(max(days, 0) * max(perDay, 0))
	if math.IsNaN(allowed) || allowed >= float64(len(sorted)) {
		return floor
	}
	firstRefused := sorted[len(sorted)-1-int(allowed)]
	return max(floor, math.Nextafter(firstRefused, math.Inf(1)))
}

// silence leaves of the anomalies of a UTC day the n that are furthest over their
// limit. They are no attacks, and however many there are, nobody reads more.
func silence(incidents []*incident, n int) {
	byDay := map[int64][]*incident{}
	for _, in := range incidents {
		if in.class == picket.ClassAnomaly && n > 0 {
			byDay[in.day] = append(byDay[in.day], in)
		}
	}
	for _, day := range byDay {
		slices.SortFunc(day, func(a, b *incident) int {
			x, y := a.best(), b.best()
			return cmp.Or(cmp.Compare(y.Margin-y.Threshold, x.Margin-x.Threshold), cmp.Compare(a.uid, b.uid))
		})
		for _, in := range day[min(n, len(day)):] {
			in.silent = true
		}
	}
}
