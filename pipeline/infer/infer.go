// Package infer says how likely a row is to be malicious, and why: Features -> Score.
//
// A row's margin is the log-odds of not being normal, before calibration: what the
// threshold is held against. Its calibrated form is Score.Malicious; the class
// probabilities are the booster's own, rescaled so that they sum to it and the
// normal class has the rest.
//
// Contributions are exact TreeSHAP values in log-odds (Lundberg et al. 2018). A
// binary booster has one margin and they sum to it, less the bias. A booster of
// several classes has a margin for each, and TreeSHAP explains margins, not the
// log of a sum of their exponentials: what is given is the contribution to the
// most probable class other than normal less that to normal. They sum to the
// log-odds of that class against normal, which is the malicious margin but for
// the other classes' small part.
package infer

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"

	"picket"
	"picket/gbdt"
)

// Scorer scores rows with the boosters of one model package. Any number of
// goroutines may share it.
type Scorer struct {
	model    *picket.Model
	boosters map[picket.BoosterID]*booster
}

// booster is a picket.Booster with its trees read and room to work in.
type booster struct {
	*picket.Booster
	trees *gbdt.Model
	rooms sync.Pool // of *room
}

// room is what scoring one row needs.
type room struct {
	row           []float32
	margins       []float32
	shares        []float64
	contributions []float32
}

// New reads the trees of every booster of the package. It keeps m.
func New(m *picket.Model) (*Scorer, error) {
	s := &Scorer{model: m, boosters: map[picket.BoosterID]*booster{}}
	for i := range m.Boosters {
		b := &booster{Booster: &m.Boosters[i]}
		var err error
		if b.trees, err = gbdt.Read(bytes.NewReader(b.Trees)); err != nil {
			return nil, fmt.Errorf("load booster %s of model %s: %w", b.ID, m.ID, err)
		}
		outputs := len(b.Classes)
		if outputs == 2 {
			outputs = 1
		}
		if len(b.Classes) < 2 || b.trees.Classes() != outputs || b.trees.Features() != len(b.Schema.Names) {
			return nil, fmt.Errorf("load booster %s of model %s: trees of %d features and %d margins for %d features and classes %v",
				b.ID, m.ID, b.trees.Features(), b.trees.Classes(), len(b.Schema.Names), b.Classes)
		}
		b.rooms.New = b.newRoom
		s.boosters[b.ID] = b
	}
	return s, nil
}

func (b *booster) newRoom() any {
	return &room{
		row:           make([]float32, len(b.Schema.Names)),
		margins:       make([]float32, b.trees.Classes()),
		shares:        make([]float64, len(b.Classes)-1),
		contributions: make([]float32, b.trees.Classes()*(b.trees.Features()+1)),
	}
}

// Model returns the package that the scorer was made from.
func (s *Scorer) Model() *picket.Model { return s.model }

// Detector returns the detector that a row of flows, names, principals or of a
// table belongs to, by its entity's kind: but actors of login logs have the access
// detector.
func Detector(f *picket.Features) string {
	if f.Source == picket.SourceAccess {
		return picket.DetectorAccess
	}
	switch f.Entity.Kind {
	case picket.KindActor, picket.KindVictim:
		return picket.DetectorTraffic
	case picket.KindPrincipal:
		return picket.DetectorAccess
	case picket.KindName:
		return picket.DetectorPhishing
	}
	return picket.DetectorTable
}

// Check returns an error if rows of the given schema are not what the detector's
// boosters for that kind were trained on, with both hashes and the first column
// that differs. A model without such a booster has nothing to object.
func (s *Scorer) Check(detector string, kind picket.Kind, schema picket.Schema) error {
	for i := range s.model.Boosters {
		b := &s.model.Boosters[i]
		if b.ID.Detector != detector || b.ID.Kind != kind {
			continue
		}
		if err := b.Schema.Match(schema); err != nil {
			return fmt.Errorf("booster %s of model %s and the rows: %w", b.ID, s.model.ID, err)
		}
	}
	return nil
}

// Score scores a row with the booster of its kind and width. ok is false where
// the model has none. With explain the score says which features moved it.
func (s *Scorer) Score(f *picket.Features, explain bool) (score picket.Score, ok bool, err error) {
	return s.ScoreAs(Detector(f), f, explain)
}

// ScoreAs is Score by the detector's name. A detector of one booster that knows
// neither kind nor width, as that of a table, takes any row.
func (s *Scorer) ScoreAs(detector string, f *picket.Features, explain bool) (score picket.Score, ok bool, err error) {
	err = s.ScoreInto(&score, detector, f, explain)
	return score, score.Classes != nil, err
}

// ScoreInto is ScoreAs into a score whose slices are used again: without explain
// it does not allocate. score.Classes is nil where the model has no booster.
func (s *Scorer) ScoreInto(score *picket.Score, detector string, f *picket.Features, explain bool) error {
	probabilities, contributions := score.Probabilities[:0], score.Contributions[:0]
	*score = picket.Score{Features: *f}
	b := s.find(detector, f)
	if b == nil {
		return nil
	}
	if len(f.Values) != len(b.Schema.Names) {
		return fmt.Errorf("score %s with booster %s: row has %d values, schema %s has %d",
			f.Window, b.ID, len(f.Values), b.Schema.Hash, len(b.Schema.Names))
	}
	room := b.rooms.Get().(*room)
	defer b.rooms.Put(room)
	picket.Narrow(f.Values, room.row)
	b.trees.Margin(room.row, room.margins)
	score.Booster, score.Classes, score.Threshold = b.ID, b.Classes, b.Threshold.Margin
	score.Margin = picket.LogOdds(room.margins)
	score.Malicious = b.Calibration.Probability(score.Margin)
	picket.Share(room.margins, room.shares)
	score.Probabilities = append(probabilities, 1-score.Malicious)
	for _, share := range room.shares {
		score.Probabilities = append(score.Probabilities, share*score.Malicious)
	}
	if len(b.Threshold.Classes) > 0 {
		class, _ := score.Class()
		score.Threshold = b.Threshold.Of(class)
	}
	if explain {
		score.Contributions = b.explain(room, f.Values, contributions)
	}
	return nil
}

func (s *Scorer) find(detector string, f *picket.Features) *booster {
	if b := s.boosters[picket.BoosterOf(detector, f)]; b != nil {
		return b
	}
	return s.boosters[picket.BoosterID{Detector: detector}]
}

// explain returns the contributions of the row in room, most moving first, ties by name.
func (b *booster) explain(room *room, values []float64, into []picket.Contribution) []picket.Contribution {
	b.trees.Contributions(room.row, room.contributions)
	features := b.trees.Features()
	attack := room.contributions
	var normal []float32
	if len(room.margins) > 1 {
		at := 1
		for i := 2; i < len(room.margins); i++ {
			if room.margins[i] > room.margins[at] {
				at = i
			}
		}
		attack, normal = attack[at*(features+1):], attack[:features+1]
	}
	for i := range features {
		shap := float64(attack[i])
		if normal != nil {
			shap -= float64(normal[i])
		}
		into = append(into, picket.Contribution{Feature: b.Schema.Names[i], Value: values[i], Shap: shap})
	}
	slices.SortFunc(into, func(x, y picket.Contribution) int {
		return cmp.Or(cmp.Compare(math.Abs(y.Shap), math.Abs(x.Shap)), cmp.Compare(x.Feature, y.Feature))
	})
	return into
}
