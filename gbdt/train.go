package gbdt

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Option adds to what Train does.
type Option func(*trainer)

// Watch evaluates the metrics on data after each round, under a name such as
// "train" or "validation". The last data watched decides early stopping.
func Watch(name string, data TrainData) Option {
	return func(t *trainer) { t.watched = append(t.watched, &watched{name: name, data: data}) }
}

// Progress calls f after each round. The Round prints as XGBoost's line.
func Progress(f func(Round)) Option {
	return func(t *trainer) { t.progress = f }
}

// Continue adds rounds to those of m, which Train does not change.
func Continue(m *Model) Option {
	return func(t *trainer) { t.from = m }
}

// Checkpoint calls save with the model so far after every so many rounds. To
// resume, train with [Resume] of that model: the rounds still missing to
// Params.Rounds are added, and the result is the same to the byte.
func Checkpoint(every int, save func(*Model) error) Option {
	return func(t *trainer) { t.every, t.save, t.resume = every, save, true }
}

// Resume is Continue for a model from Checkpoint: Params.Rounds counts its rounds.
func Resume(m *Model) Option {
	return func(t *trainer) { t.from, t.resume = m, m != nil }
}

// Round is what is known after a round.
type Round struct {
	Index  int // from 0, earlier training included
	Scores []MetricScore
}

// MetricScore is the value of a metric on watched data.
type MetricScore struct {
	Data, Metric string
	Value        float64
}

// String returns the line that XGBoost prints, and that SageMaker's metric
// definitions match: "[3]\ttrain-auc:0.91234\tvalidation-auc:0.90123".
func (r Round) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%d]", r.Index)
	for _, s := range r.Scores {
		fmt.Fprintf(&b, "\t%s-%s:%.5f", s.Data, s.Metric, s.Value)
	}
	return b.String()
}

// watched is data that is evaluated after each round.
type watched struct {
	name        string
	data        TrainData
	margins     []float32
	predictions []float32
}

type trainer struct {
	p        Params
	data     TrainData
	watched  []*watched
	metrics  []metric
	progress func(Round)
	from     *Model
	resume   bool
	every    int
	save     func(*Model) error

	model       *Model
	margins     []float32
	predictions []float32
	best        best
}

// best is the best round so far by the metric that decides early stopping.
type best struct {
	round int
	score float64
	known bool
}

// Train fits a model to data. If ctx ends, Train returns ctx's error and the model
// of the rounds done, which can be saved and continued. The model of a training
// that stopped early has all its rounds; see [Model.BestRound].
func Train(ctx context.Context, p Params, data TrainData, options ...Option) (*Model, error) {
	t := &trainer{p: p, data: data}
	for _, o := range options {
		o(t)
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	b, err := quantise(data.X, data.Weights, p.MaxBin, p.threads())
	if err != nil {
		return nil, err
	}
	t.start()
	return t.run(ctx, newGrower(&t.p, b, &t.data))
}

// check returns what is wrong with the parameters and the data.
func (t *trainer) check() error {
	if err := t.p.Validate(); err != nil {
		return err
	}
	if err := t.data.check(&t.p); err != nil {
		return fmt.Errorf("training data: %w", err)
	}
	if t.data.X.rows == 0 {
		return fmt.Errorf("training data: no rows")
	}
	if n := len(t.p.MonotoneConstraints); n > t.data.X.cols {
		return fmt.Errorf("monotone_constraints has %d values for %d columns", n, t.data.X.cols)
	}
	for _, w := range t.watched {
		if err := w.data.check(&t.p); err != nil {
			return fmt.Errorf("%s data: %w", w.name, err)
		}
		if w.data.X.cols != t.data.X.cols {
			return fmt.Errorf("%s data has %d columns, training data %d", w.name, w.data.X.cols, t.data.X.cols)
		}
	}
	if t.p.EarlyStoppingRounds > 0 && len(t.watched) == 0 {
		return fmt.Errorf("early_stopping_rounds is %d, but no data is watched", t.p.EarlyStoppingRounds)
	}
	if t.from != nil && (t.from.objective.name != t.p.Objective || t.from.features != t.data.X.cols || t.from.classes != t.p.classes()) {
		return fmt.Errorf("the model to continue is %s of %d columns and %d outputs; the training is %s of %d and %d",
			t.from.objective.name, t.from.features, t.from.classes, t.p.Objective, t.data.X.cols, t.p.classes())
	}
	return nil
}

// start makes the model without trees and the margins it gives.
func (t *trainer) start() {
	names := t.p.EvalMetric
	if len(names) == 0 {
		names = []string{defaultMetric(t.p.Objective)}
	}
	for _, name := range names {
		m, _ := metricByName(name, t.p.classes()) // checked by Validate
		t.metrics = append(t.metrics, m)
	}
	if t.from != nil {
		t.model = t.from.clone()
		t.best = t.model.best()
	} else {
		score, above := baseScore(&t.p, &t.data)
		t.model = newModel(t.p.Objective, t.p.classes(), t.data.X.cols, score)
		t.model.above = above
	}
	t.margins = t.startMargins(&t.data)
	t.predictions = make([]float32, len(t.margins))
	for _, w := range t.watched {
		if w.data.X == t.data.X && sameSlice(w.data.BaseMargin, t.data.BaseMargin) {
			w.margins, w.predictions = t.margins, t.predictions
			continue
		}
		w.margins = t.startMargins(&w.data)
		w.predictions = make([]float32, len(w.margins))
	}
}

func sameSlice(a, b []float32) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// startMargins returns the margins that the model so far gives d.
func (t *trainer) startMargins(d *TrainData) []float32 {
	k := t.p.classes()
	out := make([]float32, d.X.rows*k)
	const chunk = 4096
	parallel((d.X.rows+chunk-1)/chunk, t.p.threads(), func(_, c int) {
		buf := make([]float32, d.X.cols)
		for i := c * chunk; i < min(d.X.rows, (c+1)*chunk); i++ {
			m := out[i*k : (i+1)*k]
			for j := range m {
				m[j] = t.model.base[j]
				if d.BaseMargin != nil {
					m[j] = d.BaseMargin[i*k+j]
				}
			}
			t.model.add(d.X.Row(i, buf), m, 0, len(t.model.trees))
		}
	})
	return out
}

// run grows the rounds that are missing.
func (t *trainer) run(ctx context.Context, g *grower) (*Model, error) {
	first := t.model.Rounds()
	end := first + t.p.Rounds
	if t.resume {
		end = t.p.Rounds
	}
	for round := first; round < end; round++ {
		if err := ctx.Err(); err != nil {
			return t.model.finish(), err
		}
		t.round(g, round)
		r := Round{Index: round, Scores: t.evaluate()}
		stop := t.stopping(r)
		if t.progress != nil {
			t.progress(r)
		}
		if t.save != nil && t.every > 0 && (round+1)%t.every == 0 {
			if err := t.save(t.model.clone().finish()); err != nil {
				return t.model.finish(), fmt.Errorf("checkpoint after round %d: %w", round, err)
			}
		}
		if stop {
			break
		}
	}
	return t.model.finish(), nil
}

// round grows one tree per class and adds them to all margins.
func (t *trainer) round(g *grower, round int) {
	k := t.p.classes()
	const chunk = 1 << 14
	parallel((t.data.X.rows+chunk-1)/chunk, g.threads, func(_, c int) {
		t.p.predict(t.margins, t.predictions, c*chunk, min(t.data.X.rows, (c+1)*chunk))
	})
	for class := range k {
		tree := g.grow(round, class, t.predictions)
		if len(t.model.trees) < k {
			tree.shift(t.model.above[class])
		}
		g.update(t.margins)
		t.model.trees = append(t.model.trees, *tree)
	}
	trees := t.model.trees[len(t.model.trees)-k:]
	for _, w := range t.watched {
		if &w.margins[0] != &t.margins[0] {
			w.update(trees, k, g.threads)
		}
	}
}

// update adds the trees of a round to the margins.
func (w *watched) update(trees []tree, classes, threads int) {
	const chunk = 4096
	parallel((w.data.X.rows+chunk-1)/chunk, threads, func(_, c int) {
		buf := make([]float32, w.data.X.cols)
		for i := c * chunk; i < min(w.data.X.rows, (c+1)*chunk); i++ {
			row := w.data.X.Row(i, buf)
			for j := range trees {
				t := &trees[j]
				w.margins[i*classes+t.class] += t.nodes[t.find(row)].value
			}
		}
	})
}

// evaluate computes all metrics on all watched data.
func (t *trainer) evaluate() []MetricScore {
	var scores []MetricScore
	for _, w := range t.watched {
		t.p.predict(w.margins, w.predictions, 0, w.data.X.rows)
		for _, m := range t.metrics {
			v := m.compute(w.predictions, &w.data, t.p.classes())
			scores = append(scores, MetricScore{w.name, m.name, v})
		}
	}
	return scores
}

// stopping notes the best round and tells if it is too long ago.
func (t *trainer) stopping(r Round) bool {
	if t.p.EarlyStoppingRounds == 0 {
		return false
	}
	score := r.Scores[len(r.Scores)-1].Value
	better := score < t.best.score
	if t.metrics[len(t.metrics)-1].larger {
		better = score > t.best.score
	}
	if !t.best.known || better {
		t.best = best{r.Index, score, true}
		t.model.attributes["best_iteration"] = strconv.Itoa(r.Index)
		t.model.attributes["best_score"] = strconv.FormatFloat(score, 'g', -1, 64)
	}
	return r.Index-t.best.round >= t.p.EarlyStoppingRounds
}
