package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/train"
	"picket/pipeline/triage"
)

// baselines say what is usual on a UTC day: one for each source, learned from the
// hours of the days before. What the model named is no habit and was left out.
type baselines struct {
	Day      int64                      `json:"day"`
	BySource map[string]*train.Baseline `json:"by_source"`
}

// id names what the baselines say, "" for none.
func (b *baselines) id() string {
	if b == nil {
		return ""
	}
	return time.Unix(b.Day, 0).UTC().Format(dayLayout)
}

const (
	baselineDays    = 7           // learned from where no older baseline is there to go on from
	baselineSeconds = picket.Hour // the width of windows that is learned
	maxAnomalies    = 100         // kept of one features object: the furthest over their limit
)

const baselinePrefix = picket.HistoryPrefix + "baseline/"

func baselineKey(day int64) string {
	return baselinePrefix + time.Unix(day, 0).UTC().Format(dayLayout) + ".json.zst"
}

// baselineCache keeps the baselines that were used last.
type baselineCache struct {
	mu  sync.Mutex
	hot *baselines
}

// baselines returns what is usual on a UTC day, nil where nothing is known. They
// are sealed once the day before is final and kept in history/; late parts do not
// change them.
func (p *Pipeline) baselines(ctx context.Context, model *picket.Model, scorer Scorer, day int64) (*baselines, error) {
	if p.cfg.AnomaliesPerDay <= 0 || p.deps.Now().Before(time.Unix(day, 0).Add(p.cfg.Lateness)) {
		return nil, nil
	}
	p.usual.mu.Lock()
	defer p.usual.mu.Unlock()
	if p.usual.hot != nil && p.usual.hot.Day == day {
		return p.usual.hot, nil
	}
	b, err := p.readBaselines(ctx, baselineKey(day))
	if errors.Is(err, fs.ErrNotExist) {
		b, err = p.seal(ctx, model, scorer, day)
	}
	if err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	p.usual.hot = b
	return b, nil
}

// seal learns the days before a day, going on from the newest baselines that are
// sealed, writes what came of it and deletes what is too old to be asked for.
func (p *Pipeline) seal(ctx context.Context, model *picket.Model, scorer Scorer, day int64) (*baselines, error) {
	oldest := baselineKey(day - baselineDays*picket.Day)
	b := &baselines{Day: day - baselineDays*picket.Day, BySource: map[string]*train.Baseline{}}
	var tooOld []string
	for info, err := range p.deps.Bucket.List(ctx, baselinePrefix, "") {
		if err != nil {
			return nil, err
		}
		switch {
		case info.Key < oldest:
			tooOld = append(tooOld, info.Key)
		case info.Key < baselineKey(day):
			if b, err = p.readBaselines(ctx, info.Key); err != nil {
				return nil, err
			}
		}
	}
	for ; b.Day < day; b.Day += picket.Day {
		if err := p.learnDay(ctx, model, scorer, b); err != nil {
			return nil, err
		}
	}
	for _, one := range b.BySource {
		one.Seal()
	}
	if err := p.putBaselines(ctx, b); err != nil {
		return nil, err
	}
	for _, key := range tooOld {
		if err := p.deps.Bucket.Delete(ctx, key); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// hourOf names an entity in an hour.
type hourOf struct {
	entity picket.Entity
	start  int64
}

// learnDay learns the hours of the day b.Day, but for those in which the model
// names the entity.
func (p *Pipeline) learnDay(ctx context.Context, model *picket.Model, scorer Scorer, b *baselines) error {
	newest, err := p.newestFeatures(ctx, b.Day, b.Day+picket.Day)
	if err != nil {
		return err
	}
	alerts, _, err := p.alerts(ctx, model, scorer, newest, nil)
	if err != nil {
		return err
	}
	named := map[hourOf]bool{}
	for i := range alerts {
		a := &alerts[i]
		for start := a.Start - a.Start%baselineSeconds; start < a.End() && a.Seconds <= baselineSeconds; start += baselineSeconds {
			named[hourOf{a.Entity, start}] = true
		}
	}
	for _, s := range slices.SortedFunc(maps.Keys(newest), compareSlots) {
		road := extract.RoadOf(s.Source)
		if s.Day || road.Detector != picket.DetectorTraffic {
			continue
		}
		err := p.readFeatures(ctx, newest[s], func(f *picket.Features) error {
			if f.Seconds != baselineSeconds || f.Entity.ID == picket.Rest || named[hourOf{f.Entity, f.Start}] {
				return nil
			}
			if b.BySource[f.Source] == nil {
				b.BySource[f.Source] = train.NewBaseline(road.Schema())
			}
			return b.BySource[f.Source].Learn(f)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// putBaselines writes sealed baselines, unless another process was faster.
func (p *Pipeline) putBaselines(ctx context.Context, b *baselines) error {
	var body bytes.Buffer
	w, err := zstd.NewWriter(&body)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(w).Encode(b); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return putOnce(ctx, p.deps.Bucket, baselineKey(b.Day), &body)
}

// maxBaseline bounds what is read of a baseline, in bytes of JSON.
const maxBaseline = 1 << 30

func (p *Pipeline) readBaselines(ctx context.Context, key string) (*baselines, error) {
	r, _, err := p.deps.Bucket.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	z, err := zstd.NewReader(r)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var file struct {
		Day      int64                      `json:"day"`
		BySource map[string]json.RawMessage `json:"by_source"`
	}
	if err := json.NewDecoder(io.LimitReader(z, maxBaseline)).Decode(&file); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	b := &baselines{Day: file.Day, BySource: map[string]*train.Baseline{}}
	for source, text := range file.BySource {
		if b.BySource[source], err = train.ReadBaseline(text); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", key, source, err)
		}
	}
	return b, nil
}

// anomaly returns the alert of a row that is unusual for its entity and network.
func (b *baselines) anomaly(f *picket.Features, key string) (triage.Alert, bool) {
	if b == nil || f.Seconds != baselineSeconds || f.Entity.ID == picket.Rest || b.BySource[f.Source] == nil {
		return triage.Alert{}, false
	}
	u, ok := b.BySource[f.Source].Unusual(f)
	if !ok || !u.Over() {
		return triage.Alert{}, false
	}
	a := triage.Alert{Key: key, Usual: b.usual(f, u.Reasons)}
	a.Features = *f
	a.Booster = picket.BoosterID{Detector: picket.DetectorTraffic, Kind: f.Entity.Kind, Seconds: f.Seconds}
	a.Classes = []string{picket.ClassNormal, picket.ClassAnomaly}
	// How far a row is beyond its limit is no probability of an attack. It is shown
	// where one stands, from 0 at the limit to an even chance at twice the limit.
	a.Malicious = min(0.5, 1-u.Limit/u.Degree)
	a.Probabilities = []float64{1 - a.Malicious, a.Malicious}
	a.Margin, a.Threshold, a.Contributions = u.Degree, u.Limit, u.Reasons
	return a, true
}

// usual returns the medians that the first reasons depart from: the entity's own
// where it is known, else those of its network in that hour.
func (b *baselines) usual(f *picket.Features, reasons []picket.Contribution) map[string]float64 {
	baseline := b.BySource[f.Source]
	known := baseline.Usual[fmt.Sprintf("%s/%d", f.Entity.Kind, f.Seconds)]
	rows := known.Hours[f.Start/picket.Hour%24].Rows
	if e := known.Entities[f.Entity.ID]; e != nil {
		rows = e.Rows.Rows
	}
	medians := map[string]float64{}
	for _, r := range reasons[:min(3, len(reasons))] {
		column := slices.Index(baseline.Schema.Names, r.Feature)
		var values []float64
		for _, row := range rows {
			if v := float64(row[column]); !math.IsNaN(v) {
				values = append(values, v)
			}
		}
		if len(values) > 0 {
			slices.Sort(values)
			medians[r.Feature] = values[(len(values)-1)/2]
		}
	}
	return medians
}

// furthestAnomalies keeps the maxAnomalies that are furthest over their limit.
func furthestAnomalies(alerts []triage.Alert) []triage.Alert {
	slices.SortFunc(alerts, func(a, b triage.Alert) int {
		return cmp.Or(cmp.Compare(b.Margin-b.Threshold, a.Margin-a.Threshold), strings.Compare(a.Entity.String(), b.Entity.String()), cmp.Compare(a.Start, b.Start))
	})
	return alerts[:min(len(alerts), maxAnomalies)]
}
