package train

import (
	"fmt"
	"math"
	"slices"

	"picket"
)

// Snapshot is the distribution of the training rows: what drift is measured against.
type Snapshot struct {
	Rows     int    `json:"rows"`
	Features []Bins `json:"features"`
	Score    Bins   `json:"score"` // of the uncalibrated margin
}

// Bins is one column in at most ten bins of about equal size, and one for missing.
type Bins struct {
	Name    string    `json:"name"`
	Edges   []float64 `json:"edges"`   // ascending; bin i holds Edges[i-1] <= v < Edges[i]
	Shares  []float64 `json:"shares"`  // of rows in each bin, len(Edges)+1
	Missing float64   `json:"missing"` // share
}

const quantileBins = 10

// NewSnapshot takes the distribution of rows and of their scores, which stand in
// the same order. Weights count.
func NewSnapshot(schema picket.Schema, rows []picket.Example, scored []Scored) *Snapshot {
	s := &Snapshot{Rows: len(rows)}
	column := make([]float64, len(rows))
	weights := make([]float64, len(rows))
	for i := range rows {
		weights[i] = rows[i].Weight
	}
	for at, name := range schema.Names {
		for i := range rows {
			column[i] = rows[i].Values[at]
		}
		s.Features = append(s.Features, newBins(name, column, weights))
	}
	for i := range scored {
		column[i] = scored[i].Margin
	}
	s.Score = newBins("score", column[:len(scored)], weights)
	return s
}

func newBins(name string, values, weights []float64) Bins {
	present := make([]float64, 0, len(values))
	for _, v := range values {
		if !math.IsNaN(v) {
			present = append(present, min(max(v, -math.MaxFloat64), math.MaxFloat64))
		}
	}
	slices.Sort(present)
	b := Bins{Name: name}
	for i := 1; i < quantileBins && len(present) > 0; i++ {
		edge := present[i*len(present)/quantileBins]
		if edge > present[0] && (len(b.Edges) == 0 || edge > b.Edges[len(b.Edges)-1]) {
			b.Edges = append(b.Edges, edge)
		}
	}
	c := counter{counts: make([]float64, len(b.Edges)+1)}
	for i, v := range values {
		c.add(&b, v, weights[i])
	}
	b.Shares, b.Missing = c.shares()
	return b
}

func (s *Snapshot) check() error {
	for _, b := range append(slices.Clone(s.Features), s.Score) {
		if len(b.Shares) != len(b.Edges)+1 || !slices.IsSorted(b.Edges) {
			return fmt.Errorf("bins of %q: %d edges and %d shares", b.Name, len(b.Edges), len(b.Shares))
		}
	}
	return nil
}

// counter counts values of one column by its bins.
type counter struct {
	counts         []float64
	missing, total float64
}

func (c *counter) add(b *Bins, v, weight float64) {
	c.total += weight
	if math.IsNaN(v) {
		c.missing += weight
		return
	}
	at, found := slices.BinarySearch(b.Edges, v)
	if found {
		at++ // an edge belongs to the bin that it opens
	}
	c.counts[at] += weight
}

func (c *counter) shares() (shares []float64, missing float64) {
	shares = make([]float64, len(c.counts))
	if c.total == 0 {
		return shares, 0
	}
	for i, n := range c.counts {
		shares[i] = n / c.total
	}
	return shares, c.missing / c.total
}

// Drift counts rows that are served, to hold them against a snapshot.
type Drift struct {
	snapshot *Snapshot
	features []counter
	score    counter
	rows     int
}

// NewDrift returns an empty count against a snapshot.
func NewDrift(s *Snapshot) *Drift {
	d := &Drift{snapshot: s, features: make([]counter, len(s.Features))}
	for i := range d.features {
		d.features[i].counts = make([]float64, len(s.Features[i].Edges)+1)
	}
	d.score.counts = make([]float64, len(s.Score.Edges)+1)
	return d
}

// Add counts one row with its margin.
func (d *Drift) Add(values []float64, margin float64) error {
	if len(values) != len(d.features) {
		return fmt.Errorf("count drift: row has %d values, the snapshot has %d", len(values), len(d.features))
	}
	d.rows++
	for i, v := range values {
		d.features[i].add(&d.snapshot.Features[i], v, 1)
	}
	d.score.add(&d.snapshot.Score, margin, 1)
	return nil
}

// Verdicts of drift.
const (
	DriftStable  = "stable"  // PSI below 0.1
	DriftWatch   = "watch"   // below 0.25
	DriftAct     = "act"     // from 0.25: retrain
	DriftUnknown = "unknown" // too few rows to tell
)

// DriftReport says how far rows have moved from a snapshot.
type DriftReport struct {
	Rows     int            `json:"rows"`
	Verdict  string         `json:"verdict"` // of the score; at least watch when a feature says act
	Score    FeatureDrift   `json:"score"`
	Features []FeatureDrift `json:"features"` // most moved first
}

// FeatureDrift is the population stability index of one column.
type FeatureDrift struct {
	Name    string  `json:"name"`
	PSI     float64 `json:"psi"`
	Verdict string  `json:"verdict"`
}

// Report compares what was counted with the snapshot. By chance alone the PSI of n
// rows over k bins is about (k-1)/n: with fewer rows than would hold that under
// half of the first limit, the verdict is unknown.
func (d *Drift) Report() DriftReport {
	r := DriftReport{Rows: d.rows}
	r.Score = d.drift(&d.snapshot.Score, &d.score)
	r.Verdict = r.Score.Verdict
	for i := range d.features {
		f := d.drift(&d.snapshot.Features[i], &d.features[i])
		if f.Verdict == DriftAct && r.Verdict == DriftStable {
			r.Verdict = DriftWatch
		}
		r.Features = append(r.Features, f)
	}
	slices.SortStableFunc(r.Features, func(a, b FeatureDrift) int {
		switch {
		case a.PSI > b.PSI:
			return -1
		case a.PSI < b.PSI:
			return 1
		}
		return 0
	})
	return r
}

func (d *Drift) drift(b *Bins, c *counter) FeatureDrift {
	shares, missing := c.shares()
	f := FeatureDrift{Name: b.Name, PSI: psiTerm(b.Missing, missing)}
	for i := range shares {
		f.PSI += psiTerm(b.Shares[i], shares[i])
	}
	f.Verdict = driftVerdict(f.PSI, d.rows)
	return f
}

// psiTerm is one bin's part of Σ (now-then)·ln(now/then), empty bins at 1e-6.
func psiTerm(then, now float64) float64 {
	const least = 1e-6
	then, now = max(then, least), max(now, least)
	return (now - then) * math.Log(now/then)
}

func driftVerdict(psi float64, rows int) string {
	switch {
	case rows < 2*quantileBins*quantileBins:
		return DriftUnknown
	case psi < 0.1:
		return DriftStable
	case psi < 0.25:
		return DriftWatch
	}
	return DriftAct
}
