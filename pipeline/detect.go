package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"sync"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/triage"
	"picket/store"
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
// on the same features writes nothing.
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
	next := triage.Triage(alerts, triage.Config{
		Model: model.ID, Rules: p.cfg.Suppress, Now: p.deps.Now(), Words: words(), Usual: usuals(model), Cut: d.Budget.Cut,
		Anomalies: int(p.cfg.AnomaliesPerDay),
	})
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

// flag counts and logs one event of a finding.
func (p *Pipeline) flag(f *picket.Finding) {
	p.deps.Metrics.Out("triage", 1)
	p.deps.Metrics.Finding(f.Class, f.Severity.String())
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

// hitCache remembers the alerts of features objects: their content never
// changes, so a day is not scored again for each part that arrives.
type hitCache struct {
	mu    sync.Mutex
	byKey map[hitKey]scored
}

type hitKey struct{ model, usual, key string }

type scored struct {
	alerts    []triage.Alert
	anomalies []triage.Alert
	rows      uint64
}

func (c *hitCache) get(k hitKey) (scored, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.byKey[k]
	return s, ok
}

// put remembers, and forgets what other models said.
func (c *hitCache) put(k hitKey, s scored) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.byKey, func(old hitKey, _ scored) bool { return old.model != k.model })
	if c.byKey == nil {
		c.byKey = map[hitKey]scored{}
	}
	c.byKey[k] = s
}

// keep forgets what belongs to superseded revisions of the slots in newest, and
// what is so much older that no cut of theirs rests on it.
func (c *hitCache) keep(newest map[slot]string) {
	oldest := int64(math.MaxInt64)
	for s := range newest {
		oldest = min(oldest, s.Start)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.byKey, func(k hitKey, _ scored) bool {
		s, _, err := featuresSlot(k.key)
		return err != nil || newest[s] != "" && newest[s] != k.key || s.Start < oldest-budgetDays*picket.Day
	})
}

// alerts returns the scores over their threshold of the given features, and what is
// unusual among them.
func (p *Pipeline) alerts(ctx context.Context, model *picket.Model, scorer Scorer, newest map[slot]string, usual *baselines) ([]triage.Alert, uint64, error) {
	var all []triage.Alert
	var rows uint64
	for _, s := range slices.SortedFunc(maps.Keys(newest), compareSlots) {
		k := hitKey{model.ID, usual.id(), newest[s]}
		sc, ok := p.hits.get(k)
		if !ok {
			var err error
			if sc, err = p.score(ctx, scorer, s, newest[s], usual); err != nil {
				return nil, 0, err
			}
			p.hits.put(k, sc)
		}
		rows += sc.rows
		all = append(append(all, sc.alerts...), sc.anomalies...)
	}
	p.hits.keep(newest)
	return all, rows, nil
}

// maxAlerts bounds the alerts kept of one features object: the furthest over
// their threshold. A spoofed flood makes thousands, and says it with the first.
const maxAlerts = 2000

// batchRows are scored at once: as many as fit well into one request.
const batchRows = 2048

// score scores every row of one features object and explains those over their threshold.
func (p *Pipeline) score(ctx context.Context, scorer Scorer, s slot, key string, usual *baselines) (scored, error) {
	began := p.deps.Now()
	var sc scored
	batch := make([]picket.Features, 0, batchRows)
	flush := func() error {
		err := sc.take(ctx, scorer, batch, key)
		batch = batch[:0]
		return err
	}
	err := p.readFeatures(ctx, key, func(f *picket.Features) error {
		row := *f
		row.Values = slices.Clone(f.Values)
		if a, odd := usual.anomaly(&row, key); odd {
			sc.anomalies = append(sc.anomalies, a)
		}
		if batch = append(batch, row); len(batch) < batchRows {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return sc, err
	}
	sc.alerts, sc.anomalies = furthest(sc.alerts), furthestAnomalies(sc.anomalies)
	if err := sc.explain(ctx, scorer); err != nil {
		return sc, err
	}
	for _, alerts := range [][]triage.Alert{sc.alerts, sc.anomalies} {
		if err := p.peers(ctx, s, alerts); err != nil {
			return sc, err
		}
	}
	p.deps.Metrics.Took("infer", p.deps.Now().Sub(began))
	p.deps.Metrics.In("infer", sc.rows)
	p.deps.Metrics.Out("infer", uint64(len(sc.alerts)+len(sc.anomalies)))
	p.deps.Metrics.In("triage", uint64(len(sc.alerts)+len(sc.anomalies)))
	return sc, nil
}

// take scores a batch and keeps what passes its threshold.
func (sc *scored) take(ctx context.Context, scorer Scorer, batch []picket.Features, key string) error {
	scores, err := scorer.Score(ctx, batch, false)
	if err != nil {
		return err
	}
	for i := range scores {
		if scores[i].Classes == nil {
			continue
		}
		sc.rows++
		if scores[i].Over() && scores[i].Entity.ID != picket.Rest {
			sc.alerts = append(sc.alerts, triage.Alert{Score: scores[i], Key: key})
		}
	}
	if len(sc.alerts) > 2*maxAlerts {
		sc.alerts = furthest(sc.alerts)
	}
	return nil
}

// explain scores the alerts again, with their contributions.
func (sc *scored) explain(ctx context.Context, scorer Scorer) error {
	for from := 0; from < len(sc.alerts); from += batchRows {
		chunk := sc.alerts[from:min(len(sc.alerts), from+batchRows)]
		rows := make([]picket.Features, len(chunk))
		for i := range chunk {
			rows[i] = chunk[i].Features
		}
		scores, err := scorer.Score(ctx, rows, true)
		if err != nil {
			return err
		}
		for i := range chunk {
			chunk[i].Score = scores[i]
		}
	}
	return nil
}

// furthest keeps the maxAlerts alerts that are furthest over their threshold.
func furthest(alerts []triage.Alert) []triage.Alert {
	slices.SortStableFunc(alerts, func(a, b triage.Alert) int {
		return cmp.Or(cmp.Compare(b.Margin-b.Threshold, a.Margin-a.Threshold), cmp.Compare(a.Entity.ID, b.Entity.ID), cmp.Compare(a.Start, b.Start))
	})
	return alerts[:min(len(alerts), maxAlerts)]
}

// peers fills in the largest peers and the port of each alert from the slot's parts.
func (p *Pipeline) peers(ctx context.Context, s slot, alerts []triage.Alert) error {
	if len(alerts) == 0 {
		return nil
	}
	proofs, err := p.proofs(ctx, s, windowsOf(alerts), 0)
	if err != nil {
		return err
	}
	for i := range alerts {
		alerts[i].Port, alerts[i].Facts = proofs[i].Port, proofs[i].Facts
		if alerts[i].Entity.Kind == picket.KindName {
			alerts[i].Facts = slices.Concat(extract.NameFacts(alerts[i].Entity.ID, p.brands()), proofs[i].Facts)
		}
		for _, peer := range proofs[i].Peers {
			alerts[i].Peers = append(alerts[i].Peers, triage.Peer{ID: peer.ID, Flows: peer.Flows})
		}
	}
	return nil
}

func windowsOf(alerts []triage.Alert) []picket.Window {
	windows := make([]picket.Window, len(alerts))
	for i := range alerts {
		windows[i] = alerts[i].Window
	}
	return windows
}

// proofs reads the parts of a slot once and returns what each window rests on.
func (p *Pipeline) proofs(ctx context.Context, s slot, windows []picket.Window, rows int) ([]extract.Proof, error) {
	parts, err := p.parts(ctx, s)
	if err != nil {
		return nil, err
	}
	return extract.RoadOf(s.Source).Proofs(ctx, parts.newest, windows, rows)
}

// windowSlot returns the slot that holds a window's parts.
func windowSlot(w picket.Window) slot {
	family, _, _ := strings.Cut(w.Source, "/")
	s := slot{Start: w.Start - w.Start%picket.Hour, Source: family}
	if w.Seconds == picket.Day {
		return s.day()
	}
	return s
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
		}
	}
	return nil
}

// putFinding writes one event of a finding. It reports false where the same
// event was written before.
func (p *Pipeline) putFinding(ctx context.Context, day int64, f *picket.Finding) (bool, error) {
	line, err := triage.Encoder{Version: p.deps.Version}.Encode(f)
	if err != nil {
		return false, err
	}
	key := fmt.Sprintf("%s%s/%06d-%s.json", findingsPrefix(day), f.UID, f.Count, digest(triage.EventUID(f)))
	_, err = p.deps.Bucket.Put(ctx, key, bytes.NewReader(append(line, '\n')), store.IfAbsent)
	if errors.Is(err, store.ErrPrecondition) {
		return false, nil
	}
	return err == nil, err
}

// Findings returns every event of the findings of one UTC day.
func (p *Pipeline) Findings(ctx context.Context, day int64) ([]picket.Finding, error) {
	return p.findings(ctx, findingsPrefix(day))
}

// LatestFinding returns the newest event of the finding whose uid begins so. None
// is fs.ErrNotExist.
func (p *Pipeline) LatestFinding(ctx context.Context, uid string) (picket.Finding, error) {
	all, err := p.findings(ctx, picket.FindingsPrefix)
	if err != nil {
		return picket.Finding{}, err
	}
	found := slices.DeleteFunc(triage.Latest(all), func(f picket.Finding) bool { return !strings.HasPrefix(f.UID, uid) })
	switch {
	case len(found) == 0:
		return picket.Finding{}, fmt.Errorf("finding %q: %w", uid, fs.ErrNotExist)
	case len(found) > 1:
		return picket.Finding{}, fmt.Errorf("%d findings begin with %q", len(found), uid)
	}
	return found[0], nil
}

// LatestFindings returns the newest event of every finding, the newest first.
func (p *Pipeline) LatestFindings(ctx context.Context) ([]picket.Finding, error) {
	all, err := p.findings(ctx, picket.FindingsPrefix)
	if err != nil {
		return nil, err
	}
	latest := triage.Latest(all)
	slices.Reverse(latest)
	return latest, nil
}

// Conversations returns the largest conversations of the window behind a finding.
func (p *Pipeline) Conversations(ctx context.Context, f picket.Finding, limit int) ([]extract.ConversationRow, error) {
	proofs, err := p.proofs(ctx, windowSlot(f.Window()), []picket.Window{f.Window()}, limit)
	if err != nil {
		return nil, err
	}
	return proofs[0].Rows, nil
}

func (p *Pipeline) findings(ctx context.Context, prefix string) ([]picket.Finding, error) {
	var events []picket.Finding
	for info, err := range p.deps.Bucket.List(ctx, prefix, "") {
		if err != nil {
			return nil, err
		}
		if path.Ext(info.Key) != ".json" {
			continue
		}
		f, err := p.readFinding(ctx, info.Key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", info.Key, err)
		}
		events = append(events, f)
	}
	return events, nil
}

func (p *Pipeline) readFinding(ctx context.Context, key string) (picket.Finding, error) {
	r, _, err := p.deps.Bucket.Get(ctx, key)
	if err != nil {
		return picket.Finding{}, err
	}
	defer r.Close()
	line, err := io.ReadAll(r)
	if err != nil {
		return picket.Finding{}, err
	}
	return triage.Decode(line)
}

// Days returns the UTC days that have features.
func (p *Pipeline) Days(ctx context.Context) ([]int64, error) {
	days := map[int64]bool{}
	for info, err := range p.deps.Bucket.List(ctx, picket.FeaturesPrefix, "") {
		if err != nil {
			return nil, err
		}
		s, _, err := featuresSlot(info.Key)
		if err != nil {
			return nil, err
		}
		days[s.day().Start] = true
	}
	return slices.Sorted(maps.Keys(days)), nil
}
