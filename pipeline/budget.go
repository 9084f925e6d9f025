package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"picket"
	"picket/pipeline/triage"
)

// The cut of a UTC day rests on the budgetDays days before it, once they have
// budgetHours hours of scores together. So it follows from the bucket alone, does
// not move while the day is on, and an attack of today cannot raise it.
const (
	budgetDays  = 7
	budgetHours = 24
)

// Budget says where the threshold of a UTC day is from.
type Budget struct {
	Cut       float64 `json:"cut"`       // log-odds that an incident needs over its shipped threshold; 0: the shipped one holds
	PerDay    float64 `json:"per_day"`   // what was asked for; 0 is no budget
	Hours     int     `json:"hours"`     // of scores, in the days before
	Incidents int     `json:"incidents"` // over their shipped threshold in those hours
}

// String says which threshold holds, and why.
func (b Budget) String() string {
	switch {
	case b.PerDay <= 0:
		return "the shipped ones, for there is no alert budget (--alerts-per-day)"
	case b.Hours < budgetHours:
		return fmt.Sprintf("shipped: %d of %d hours of scores so far", b.Hours, budgetHours)
	case b.Cut == 0:
		return fmt.Sprintf("shipped: %d incidents in %d hours are within %g a day", b.Incidents, b.Hours, b.PerDay)
	}
	return fmt.Sprintf("alert budget: %.2f log-odds over the shipped one, for %g a day of %d incidents in %d hours", b.Cut, b.PerDay, b.Incidents, b.Hours)
}

// past is what a UTC day was worth to the budget.
type past struct {
	hours     int
	incidents []triage.Past
}

// pastCache remembers days for as long as nothing of them is closed again, an hour
// at most: another process may close too.
type pastCache struct {
	mu    sync.Mutex
	byDay map[pastKey]pastEntry
}

type pastKey struct {
	model string
	day   int64
}

type pastEntry struct {
	past
	at time.Time
}

func (c *pastCache) get(k pastKey, now time.Time) (past, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byDay[k]
	return e.past, ok && now.Sub(e.at) < time.Hour
}

func (c *pastCache) put(k pastKey, p past, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.byDay, func(old pastKey, e pastEntry) bool { return old.model != k.model || now.Sub(e.at) >= time.Hour })
	if c.byDay == nil {
		c.byDay = map[pastKey]pastEntry{}
	}
	c.byDay[k] = pastEntry{p, now}
}

// forget drops a day that was closed again.
func (c *pastCache) forget(day int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.byDay, func(k pastKey, _ pastEntry) bool { return k.day == day })
}

// Budget returns where the threshold of a UTC day is from.
func (p *Pipeline) Budget(ctx context.Context, model *picket.Model, scorer Scorer, day int64) (Budget, error) {
	b := Budget{PerDay: p.cfg.AlertsPerDay}
	if b.PerDay <= 0 {
		return b, nil
	}
	var incidents []triage.Past
	for d := day - budgetDays*picket.Day; d < day; d += picket.Day {
		before, err := p.past(ctx, model, scorer, d)
		if err != nil {
			return b, fmt.Errorf("alert budget: %w", err)
		}
		b.Hours += before.hours
		incidents = append(incidents, before.incidents...)
	}
	b.Incidents = len(incidents)
	if b.Hours < budgetHours {
		return b, nil
	}
	verdicts, err := p.Verdicts(ctx)
	if err != nil {
		return b, err
	}
	b.Cut = triage.Cut(incidents, float64(b.Hours)/24, b.PerDay, p.suppress(verdicts), p.deps.Now())
	return b, nil
}

// past returns the hours of a UTC day that have scores, and its incidents.
func (p *Pipeline) past(ctx context.Context, model *picket.Model, scorer Scorer, day int64) (past, error) {
	k := pastKey{model.ID, day}
	if known, ok := p.pasts.get(k, p.deps.Now()); ok {
		return known, nil
	}
	newest, err := p.newestFeatures(ctx, day, day+picket.Day)
	if err != nil {
		return past{}, err
	}
	hours := map[int64]bool{}
	for s := range newest {
		if !s.Day {
			hours[s.Start] = true
		}
	}
	before := past{hours: len(hours)}
	if before.hours > 0 {
		if before.incidents, err = p.incidents(ctx, model, scorer, day, newest); err != nil {
			return past{}, err
		}
	}
	p.pasts.put(k, before, p.deps.Now())
	return before, nil
}

// incidents returns those of a day by the shipped thresholds. They are kept in
// history/, so that a process that starts need not score a week again.
func (p *Pipeline) incidents(ctx context.Context, model *picket.Model, scorer Scorer, day int64, newest map[slot]string) ([]triage.Past, error) {
	key := fmt.Sprintf("%sincidents/%s/%s.json", picket.HistoryPrefix, time.Unix(day, 0).UTC().Format(dayLayout),
		digest(append([]string{model.ID}, slices.Sorted(maps.Values(newest))...)...))
	var kept []triage.Past
	err := readJSON(ctx, p.deps.Bucket, key, &kept)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return kept, err
	}
	alerts, _, err := p.alerts(ctx, model, scorer, newest, nil)
	if err != nil {
		return nil, err
	}
	kept = triage.Remember(triage.Triage(alerts, triage.Config{Model: model.ID}))
	body, err := json.Marshal(kept)
	if err != nil {
		return nil, err
	}
	return kept, putOnce(ctx, p.deps.Bucket, key, bytes.NewReader(body))
}

// shadowed returns the days whose cut rests on one of the given days, and those
// days themselves, in order.
func (p *Pipeline) shadowed(ctx context.Context, days []int64) ([]int64, error) {
	days = slices.Clone(days)
	slices.Sort(days)
	days = slices.Compact(days)
	if p.cfg.AlertsPerDay <= 0 || len(days) == 0 {
		return days, nil
	}
	all := slices.Clone(days)
	for _, day := range days {
		later, err := p.newestFeatures(ctx, day+picket.Day, day+(1+budgetDays)*picket.Day)
		if err != nil {
			return nil, err
		}
		for s := range later {
			all = append(all, s.day().Start)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
