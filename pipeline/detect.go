package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/triage"
)

// Detected counts what one Detect did.
type Detected struct {
	Rows   uint64 // scored
	Alerts int    // over their shipped threshold
	Budget Budget // where the threshold of the day is from
	Events []picket.Finding
}

// Detect scores the newest features of one UTC day, makes findings of them and
// writes those that say something new: features/ → findings/. Running it again
// on the same features writes nothing. What is written and was not told yet is told.
//
// Of two that detect at the same time the slower one may tell what the faster one
// has outdated. So who told something looks again whether its features are still
// the newest.
func (p *Pipeline) Detect(ctx context.Context, model *picket.Model, scorer Scorer, day int64) (Detected, error) {
	var d Detected
	for {
		newest, err := p.newestFeatures(ctx, day, day+picket.Day)
		if err != nil {
			return d, fmt.Errorf("detect: %w", err)
		}
		told := len(d.Events)
		if err := p.detect(ctx, model, scorer, day, newest, &d); err != nil {
			return d, fmt.Errorf("detect: %w", err)
		}
		if err := p.announce(ctx, day); err != nil {
			return d, fmt.Errorf("detect: tell of findings: %w", err)
		}
		if len(d.Events) == told {
			return d, nil
		}
		now, err := p.newestFeatures(ctx, day, day+picket.Day)
		if err != nil || maps.Equal(now, newest) {
			return d, err
		}
	}
}

// detect tells what the given features say that was not told before.
func (p *Pipeline) detect(ctx context.Context, model *picket.Model, scorer Scorer, day int64, newest map[slot]string, d *Detected) error {
	usual, err := p.baselines(ctx, model, scorer, day)
	if err != nil {
		return err
	}
	alerts, rows, err := p.alerts(ctx, model, scorer, newest, usual)
	if err != nil {
		return err
	}
	alerts = p.allow(alerts)
	d.Rows, d.Alerts = rows, len(alerts)
	if d.Budget, err = p.Budget(ctx, model, scorer, day); err != nil {
		return err
	}
	prev, err := p.Findings(ctx, day)
	if err != nil {
		return err
	}
	verdicts, err := p.Verdicts(ctx)
	if err != nil {
		return err
	}
	next := triage.Triage(alerts, triage.Config{
		Model: model.ID, Rules: p.suppress(verdicts), Now: p.deps.Now(), Words: words(), Usual: usuals(model), Cut: d.Budget.Cut,
		Anomalies: int(p.cfg.AnomaliesPerDay),
	})
	judge(next, verdicts)
	events := triage.Diff(prev, next)
	if err := p.evidence(ctx, events); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	for _, f := range events {
		put, err := p.putFinding(ctx, day, &f)
		if err != nil {
			return err
		}
		if put {
			d.Events = append(d.Events, f)
			p.flag(&f)
		}
	}
	return nil
}

// DetectDays detects in the given days, and in those whose threshold rests on them,
// by a model. told, if not nil, is called after each.
func (p *Pipeline) DetectDays(ctx context.Context, s Serving, days []int64, told func(day int64, d Detected)) error {
	for _, day := range days {
		p.pasts.forget(day)
	}
	days, err := p.shadowed(ctx, days)
	if err != nil {
		return err
	}
	for _, day := range days {
		d, err := p.Detect(ctx, s.Model, s.Scorer, day)
		if err != nil {
			return err
		}
		if told != nil {
			told(day, d)
		}
	}
	return nil
}

// flag counts and logs one event of a finding.
func (p *Pipeline) flag(f *picket.Finding) {
	p.deps.Metrics.Out("triage", 1)
	p.deps.Metrics.Finding(f.Class, f.Severity.String(), f.Confidence)
	p.deps.Log.Info("threat flagged", "stage", "triage", "uid", f.UID, "class", f.Class, "status", f.Status,
		"confidence", f.Confidence, "entity_kind", f.Entity.Kind, "entity", f.Entity.ID)
}

// words tells triage the unit of each feature, for its sentences.
var words = sync.OnceValue(func() map[string]triage.Feature {
	m := map[string]triage.Feature{}
	for _, f := range extract.Catalogue {
		m[f.Name] = triage.Feature{Unit: f.Unit}
	}
	for _, f := range extract.NameCatalogue {
		m[f.Name] = triage.Feature{Unit: f.Unit}
	}
	for _, f := range extract.AccessCatalogue {
		if _, taken := m[f.Name]; !taken {
			m[f.Name] = triage.Feature{Unit: f.Unit}
		}
	}
	return m
})

// usuals are the medians that each booster of a model was trained on.
func usuals(m *picket.Model) map[picket.BoosterID]map[string]float64 {
	all := map[picket.BoosterID]map[string]float64{}
	for i := range m.Boosters {
		all[m.Boosters[i].ID] = m.Boosters[i].Usual
	}
	return all
}

// evidence says which lines of which objects findings rest on, in one reading of
// each slot.
func (p *Pipeline) evidence(ctx context.Context, findings []picket.Finding) error {
	bySlot := map[slot][]*picket.Finding{}
	for i := range findings {
		if f := &findings[i]; f.Status != picket.StatusClosed {
			s := windowSlot(f.Window())
			bySlot[s] = append(bySlot[s], f)
		}
	}
	if err := p.askedBefore(ctx, findings); err != nil {
		return err
	}
	for _, s := range slices.SortedFunc(maps.Keys(bySlot), compareSlots) {
		windows := make([]picket.Window, len(bySlot[s]))
		for i, f := range bySlot[s] {
			windows[i] = f.Window()
		}
		proofs, err := p.proofs(ctx, s, windows, 0)
		if err != nil {
			return err
		}
		for i, f := range bySlot[s] {
			f.Evidence = proofs[i].Evidence
			if err := p.followed(ctx, f, proofs[i]); err != nil {
				return err
			}
			if err := p.alerted(ctx, f); err != nil {
				return err
			}
		}
	}
	return nil
}
