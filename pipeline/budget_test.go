package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/pipeline/triage"
	"picket/store"
)

// siteDay is a day's log of a site: something in each of so many hours, and in the
// first of them a scan of n+40 ports by 203.0.113.n for each n up to scans.
func siteDay(day time.Time, hours, scans int) Raw {
	var lines []string
	for h := range hours {
		lines = append(lines, browsing(day.Add(time.Duration(h)*time.Hour), 2))
	}
	for n := range scans {
		from := fmt.Sprintf("203.0.113.%d", n+1)
		lines = append(lines, strings.ReplaceAll(scan(day.Add(time.Minute), 40+n), "203.0.113.9", from))
	}
	return rawText(day.Format(dayLayout)+".log", day.Add(24*time.Hour), lines...)
}

// TestAlertBudget lets a site see twelve scanners a day where it wants five. The
// first day is told whole; from the second on the five surest are.
func TestAlertBudget(t *testing.T) {
	ctx := context.Background()
	first := nine.Truncate(24 * time.Hour)
	second := first.AddDate(0, 0, 1)
	site := func(hours int, rules ...triage.Rule) *Pipeline {
		p := pipelineOver(t, store.NewMemory(nil))
		p.cfg.AlertsPerDay, p.cfg.Suppress = 5, rules
		take(t, p, siteDay(first, hours, 12))
		turn(t, p)
		take(t, p, siteDay(second, 2, 12))
		turn(t, p)
		return p
	}
	f := func(p *Pipeline, day time.Time, want int, cut string) {
		t.Helper()
		found := open(t, p, day)
		if len(found) != want {
			t.Errorf("%s: %d findings, want %d: %v", day.Format(dayLayout), len(found), want, slices.Sorted(maps.Keys(found)))
		}
		for id, one := range found {
			if one.Cut != cut || one.Margin < one.Threshold {
				t.Errorf("%s: margin %v, threshold %v from %s, want %s", id, one.Margin, one.Threshold, one.Cut, cut)
			}
		}
	}
	p := site(24)
	f(p, first, 12, picket.CutShipped)
	f(p, second, 5, picket.CutBudget)
	if found := open(t, p, second); found["203.0.113.12"].UID == "" {
		t.Error("the surest of all is not told")
	}

	p = site(23) // an hour too few
	f(p, first, 12, picket.CutShipped)
	f(p, second, 12, picket.CutShipped)

	// What a rule suppresses is nobody's alert: seven others are left, the five
	// surest of which stand from 203.0.113.3 on.
	p = site(24, triage.Rule{CIDR: "203.0.113.8/29", Expires: nine.AddDate(1, 0, 0), Author: "a", Reason: "r"})
	f(p, second, 5, picket.CutBudget)
	if found := open(t, p, second); found["203.0.113.3"].UID == "" {
		t.Errorf("told of %v", slices.Sorted(maps.Keys(found)))
	}

	// Another process finds what this one kept, and says the same; so does one
	// that sees the second day before the first.
	again := pipelineOver(t, p.deps.Bucket)
	again.cfg = p.cfg
	serving := watched(again).Serving()
	budget, err := again.Budget(ctx, serving.Model, nil, second.Unix())
	if err != nil || budget.Incidents != 12 || budget.Hours != 24 || budget.Cut <= 0 {
		t.Errorf("without scoring anything: %+v, %v", budget, err)
	}
	late := pipelineOver(t, store.NewMemory(nil))
	late.cfg.AlertsPerDay = 5
	take(t, late, siteDay(second, 2, 12))
	turn(t, late)
	f(late, second, 12, picket.CutShipped)
	take(t, late, siteDay(first, 24, 12))
	turn(t, late)
	f(late, second, 5, picket.CutBudget)
}

// open returns the findings of a day that stand, by entity.
func open(t *testing.T, p *Pipeline, day time.Time) map[string]picket.Finding {
	t.Helper()
	events, err := p.Findings(context.Background(), day.Unix())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]picket.Finding{}
	for _, f := range triage.Latest(events) {
		if f.Status == picket.StatusNew || f.Status == picket.StatusUpdated {
			found[f.Entity.ID] = f
		}
	}
	return found
}
