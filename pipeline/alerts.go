package pipeline

import (
	"cmp"
	"context"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/triage"
)

// hitCache remembers the alerts of features objects: their content never
// changes, so a day is not scored again for each part that arrives.
type hitCache struct {
	mu    sync.Mutex
	byKey map[hitKey]scored
}

type hitKey struct{ model, usual, lists, key string }

type scored struct {
	alerts    []triage.Alert
	anomalies []triage.Alert
	rulings   []triage.Alert // of rules and lists
	rows      uint64
}

func (c *hitCache) get(k hitKey) (scored, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.byKey[k]
	return s, ok
}

// maxHits bounds the alerts that are remembered, to some hundred megabytes at the
// worst: then all are forgotten, and scored again where they are asked for.
const maxHits = 50_000

// put remembers, and forgets what other models said.
func (c *hitCache) put(k hitKey, s scored) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.byKey, func(old hitKey, _ scored) bool { return old.model != k.model })
	kept := 0
	for _, old := range c.byKey {
		kept += len(old.alerts) + len(old.anomalies)
	}
	if c.byKey == nil || kept > maxHits {
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
	lists := p.loadTagged()
	slots := slices.SortedFunc(maps.Keys(newest), compareSlots)
	bySlot := make([]scored, len(slots))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, s := range slots {
		group.Go(func() (err error) {
			k := hitKey{model.ID, usual.id(), lists.version, newest[s]}
			known := false
			if bySlot[i], known = p.hits.get(k); known {
				return nil
			}
			if bySlot[i], err = p.score(ctx, scorer, s, newest[s], usual, &lists); err == nil {
				p.hits.put(k, bySlot[i])
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, 0, err
	}
	var all []triage.Alert
	var rows uint64
	for _, sc := range bySlot {
		rows += sc.rows
		all = append(append(append(all, sc.alerts...), sc.anomalies...), sc.rulings...)
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
func (p *Pipeline) score(ctx context.Context, scorer Scorer, s slot, key string, usual *baselines, lists *byTag) (scored, error) {
	began := p.deps.Now()
	var sc scored
	brands := p.brands()
	batch := make([]picket.Features, 0, batchRows)
	flush := func() error {
		err := sc.take(ctx, scorer, batch, key)
		batch = batch[:0]
		return err
	}
	err := p.readFeatures(ctx, key, func(f *picket.Features) error {
		row := *f
		if a, odd := usual.anomaly(&row, key); odd {
			sc.anomalies = append(sc.anomalies, a)
		}
		if a, told := atFirstSight(&row, key); told {
			sc.rulings = append(sc.rulings, a)
		}
		if a, told := lookalike(&row, key, brands, lists); told {
			sc.rulings = append(sc.rulings, a)
		}
		sc.rulings = append(sc.rulings, lists.names(&row, key)...)
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
	met, err := p.met(ctx, s, key, lists)
	if err != nil {
		return sc, err
	}
	sc.rulings = append(sc.rulings, met...)
	sc.alerts, sc.anomalies, sc.rulings = furthest(sc.alerts), furthestAnomalies(sc.anomalies), furthest(sc.rulings)
	if err := sc.explain(ctx, scorer); err != nil {
		return sc, err
	}
	for _, alerts := range [][]triage.Alert{sc.alerts, sc.anomalies, sc.rulings} {
		if err := p.peers(ctx, s, alerts); err != nil {
			return sc, err
		}
		for i := range alerts {
			if alerts[i].Source == picket.SourceAccess && (alerts[i].Ruling == nil || alerts[i].Ruling.Type != triage.TypeTwoCountries) {
				alerts[i].Facts = append(alerts[i].Facts, lists.places.facts(alerts[i].Peers)...)
			}
		}
	}
	p.deps.Metrics.Took("infer", p.deps.Now().Sub(began))
	p.deps.Metrics.In("infer", sc.rows)
	p.deps.Metrics.Out("infer", uint64(len(sc.alerts)+len(sc.anomalies)+len(sc.rulings)))
	p.deps.Metrics.In("triage", uint64(len(sc.alerts)+len(sc.anomalies)+len(sc.rulings)))
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
		if scores[i].Over() && scores[i].Entity.ID != picket.Rest && bears(&scores[i]) {
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
	brands := p.brands()
	for i := range alerts {
		alerts[i].Port, alerts[i].Facts = proofs[i].Port, slices.Concat(alerts[i].Facts, proofs[i].Facts)
		if alerts[i].Entity.Kind == picket.KindName {
			alerts[i].Facts = slices.Concat(extract.NameFacts(alerts[i].Entity.ID, brands), alerts[i].Facts)
		}
		if len(alerts[i].Peers) > 0 {
			continue // known already, and only those
		}
		for _, peer := range proofs[i].Peers {
			alerts[i].Peers = append(alerts[i].Peers, triage.Peer(peer))
		}
		for _, peer := range proofs[i].Takers {
			alerts[i].Takers = append(alerts[i].Takers, triage.Peer(peer))
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
