package gbdt

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// quality returns the logloss of a model of d on test.
func quality(t *testing.T, p Params, d, test TrainData, o ...Option) float64 {
	t.Helper()
	return LogLoss(predictAll(train(t, p, d, o...), test.X), test.Labels, nil)
}

func short() Params {
	p := DefaultParams()
	p.Rounds = 15
	return p
}

// near fails unless a and b differ by at most tolerance.
func near(t *testing.T, what string, a, b, tolerance float64) {
	t.Helper()
	if !(math.Abs(a-b) <= tolerance) {
		t.Errorf("%s: %v and %v differ by more than %v", what, a, b, tolerance)
	}
}

func TestRowOrderHardlyMatters(t *testing.T) {
	d, test := sample(5000, 6, 1), sample(5000, 6, 2)
	x, y := make([]float32, 0, 30000), make([]float32, 0, 5000)
	for _, i := range rand.New(rand.NewPCG(3, 3)).Perm(5000) {
		x, y = append(x, d.X.Row(i, nil)...), append(y, d.Labels[i])
	}
	moved := TrainData{X: NewDense(x, 5000, 6), Labels: y}
	near(t, "logloss", quality(t, short(), d, test), quality(t, short(), moved, test), 0.003)
}

func TestWeightTwoIsTwoRows(t *testing.T) {
	d, test := sample(3000, 6, 4), sample(5000, 6, 5)
	x := append(append([]float32{}, d.X.dense...), d.X.dense[:6*1000]...)
	twice := TrainData{X: NewDense(x, 4000, 6), Labels: append(append([]float32{}, d.Labels...), d.Labels[:1000]...)}
	d.Weights = make([]float32, 3000)
	for i := range d.Weights {
		d.Weights[i] = 1
		if i < 1000 {
			d.Weights[i] = 2
		}
	}
	p := short()
	p.MaxDepth, p.FullPrecision = 3, true
	near(t, "logloss", quality(t, p, d, test), quality(t, p, twice, test), 0.004)
}

func TestConstantColumnChangesNothing(t *testing.T) {
	d := sample(3000, 6, 6)
	var x []float32
	for i := range 3000 {
		x = append(append(x, d.X.Row(i, nil)...), 7)
	}
	m := train(t, short(), d)
	wide := train(t, short(), TrainData{X: NewDense(x, 3000, 7), Labels: d.Labels})
	for i := range m.trees {
		for k := range m.trees[i].nodes {
			if m.trees[i].nodes[k] != wide.trees[i].nodes[k] {
				t.Fatalf("tree %d node %d is %+v, with a constant column %+v", i, k, m.trees[i].nodes[k], wide.trees[i].nodes[k])
			}
		}
	}
}

func TestFullPrecisionCostsNothingWithout(t *testing.T) {
	d, test := sample(20000, 6, 7), sample(20000, 6, 8)
	p := short()
	rounded := quality(t, p, d, test)
	p.FullPrecision = true
	near(t, "logloss rounded and exact", rounded, quality(t, p, d, test), 0.001)
}

func TestQuantisedMatrixTrainsTheSame(t *testing.T) {
	const rows, cols = 60_000, 6 // more than a batch
	d := sample(rows, cols, 9)
	var all iter.Seq2[[]float32, error] = func(yield func([]float32, error) bool) {
		for i := range rows {
			if !yield(d.X.Row(i, nil), nil) {
				return
			}
		}
	}
	x, err := NewQuantised(all, rows, cols, 256)
	if err != nil {
		t.Fatal(err)
	}
	p := short()
	p.Rounds = 4
	m := train(t, p, d)
	if !bytes.Equal(encoded(t, m), encoded(t, train(t, p, TrainData{X: x, Labels: d.Labels}))) {
		t.Error("bins made in two passes give another model")
	}
	buf, a, b := make([]float32, 6), make([]float32, 1), make([]float32, 1)
	for i := range rows {
		m.Margin(d.X.Row(i, nil), a)
		m.Margin(x.Row(i, buf), b)
		if a[0] != b[0] {
			t.Fatalf("row %d: margin %v, from its bins %v", i, a, b)
		}
	}
	if _, err := NewQuantised(all, rows-1, cols, 256); err == nil || !strings.Contains(err.Error(), "more than 59999") {
		t.Errorf("one row too many: %v", err)
	}
}

// TestBatchesSplit predicts and explains rows together and cut anywhere.
func TestBatchesSplit(t *testing.T) {
	d := sample(3000, 6, 30)
	m := train(t, short(), d)
	whole, phi := make([]float32, 3000), make([]float32, 3000*7)
	if err := errors.Join(m.Predictions(d.X, whole, 2), m.Explanations(d.X, phi, 2)); err != nil {
		t.Fatal(err)
	}
	for lo, r := 0, rand.New(rand.NewPCG(1, 30)); lo < 3000; {
		hi := min(3000, lo+1+r.IntN(200))
		part := NewDense(d.X.dense[lo*6:hi*6], hi-lo, 6)
		p, why := make([]float32, hi-lo), make([]float32, (hi-lo)*7)
		if err := errors.Join(m.Predictions(part, p, 1), m.Explanations(part, why, 3)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(p, whole[lo:hi]) || !slices.Equal(why, phi[lo*7:hi*7]) {
			t.Fatalf("rows %d to %d alone give other numbers than among all", lo, hi)
		}
		lo = hi
	}
}

func TestSparseIsDense(t *testing.T) {
	d := sample(2000, 6, 10)
	start, index, value := []int{0}, []int32{}, []float32{}
	for i := range 2000 {
		for f, x := range d.X.Row(i, nil) {
			if f%2 == 0 {
				d.X.dense[i*6+f] = nan32
			} else if x == x {
				index, value = append(index, int32(f)), append(value, x)
			}
		}
		start = append(start, len(value))
	}
	sparse := TrainData{X: NewCSR(start, index, value, 6), Labels: d.Labels}
	if !bytes.Equal(encoded(t, train(t, short(), d)), encoded(t, train(t, short(), sparse))) {
		t.Error("the sparse matrix gives another model than the dense one")
	}
	index[0] = 9
	if _, err := Train(context.Background(), short(), sparse); err == nil {
		t.Error("column 9 of 6 was accepted")
	}
}

func TestResumeIsTheSame(t *testing.T) {
	d, v := sample(2000, 6, 11), sample(1000, 6, 12)
	p := short()
	p.Subsample, p.ColsampleByTree, p.EarlyStoppingRounds = 0.8, 0.7, 10
	var saved []byte
	save := Checkpoint(7, func(m *Model) error {
		if saved == nil {
			saved = encoded(t, m)
		}
		return nil
	})
	whole := train(t, p, d, save, Watch("validation", v))
	half, err := Read(bytes.NewReader(saved))
	if err != nil || half.Rounds() != 7 {
		t.Fatalf("checkpoint of %v rounds: %v", half, err)
	}
	if !bytes.Equal(encoded(t, train(t, p, d, Resume(half), Watch("validation", v))), encoded(t, whole)) {
		t.Error("resumed training gives another model")
	}
	if more := train(t, p, d, Continue(half), Watch("validation", v)); more.Rounds() != 22 {
		t.Errorf("15 rounds after 7 are %d", more.Rounds())
	}
}

// TestBaseMargin trains from the margins of a model as if it were continued.
func TestBaseMargin(t *testing.T) {
	d, p := sample(2000, 6, 31), short()
	p.FullPrecision = true // rounding depends on the number of the round
	p.Rounds = 4
	first := train(t, p, d)
	from := d
	from.BaseMargin = make([]float32, 2000)
	if err := first.Margins(d.X, from.BaseMargin, 1); err != nil {
		t.Fatal(err)
	}
	continued, fresh := train(t, p, d, Continue(first)), train(t, p, from)
	for i := range fresh.trees {
		if !slices.Equal(fresh.trees[i].nodes, continued.trees[4+i].nodes) {
			t.Fatalf("tree %d is another one from base margins than in continued training", i)
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	m, err := Train(ctx, short(), sample(500, 4, 13), Progress(func(r Round) {
		if r.Index == 4 {
			cancel()
		}
	}))
	if !errors.Is(err, context.Canceled) || m.Rounds() != 5 {
		t.Errorf("cancelled after round 4: %d rounds, %v", m.Rounds(), err)
	}
}

func TestEarlyStopping(t *testing.T) {
	d, v := sample(800, 6, 14), sample(800, 6, 15)
	p := DefaultParams()
	p.Rounds, p.EarlyStoppingRounds, p.EvalMetric = 500, 5, []string{"auc", "logloss"}
	var lines []string
	best, at := math.Inf(1), 0
	m := train(t, p, d, Watch("train", d), Watch("validation", v), Progress(func(r Round) {
		lines = append(lines, r.String())
		if ll := r.Scores[3].Value; ll < best {
			best, at = ll, r.Index
		}
	}))
	if m.Rounds() != at+6 || m.BestRound() != at {
		t.Errorf("%d rounds, best %d; the least logloss was in round %d", m.Rounds(), m.BestRound(), at)
	}
	if !strings.HasPrefix(lines[2], "[2]\ttrain-auc:0.") || !strings.Contains(lines[2], "\tvalidation-logloss:0.") {
		t.Errorf("line %q", lines[2])
	}
	got := LogLoss(predictAll(m.Slice(0, at+1), v.X), v.Labels, nil)
	near(t, "logloss of the best rounds", got, best, 1e-9)
}

func TestMonotone(t *testing.T) {
	d := sample(3000, 4, 16)
	p := short()
	p.MonotoneConstraints = []int{1, 0, -1}
	m := train(t, p, d)
	out := make([]float32, 1)
	for _, c := range []struct{ column, sign int }{{0, 1}, {2, -1}} {
		for i := range 100 {
			row, last := append([]float32{}, d.X.Row(i, nil)...), float32(math.Inf(-1))
			for x := -3.0; x < 3; x += 0.1 {
				row[c.column] = float32(x)
				m.Margin(row, out)
				if v := out[0] * float32(c.sign); v < last {
					t.Fatalf("column %d of row %d: margin turns at %v", c.column, i, x)
				} else {
					last = v
				}
			}
		}
	}
}

func TestCategories(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x, y := make([]float32, 4000), make([]float32, 2000)
	for i := range y {
		c := r.IntN(30)
		x[2*i], x[2*i+1] = float32(c), float32(r.NormFloat64())
		y[i] = float32(one(c%7 == 3))
	}
	d := TrainData{X: NewDense(x, 2000, 2).Categorical(0), Labels: y}
	p := short()
	p.Rounds = 30
	for _, limit := range []int{100, 4} { // one against the rest; many against many
		p.MaxCatToOneHot = limit
		m := train(t, p, d)
		if ll := LogLoss(predictAll(m, d.X), y, nil); ll > 0.02 {
			t.Errorf("max_cat_to_onehot %d: logloss %v", limit, ll)
		}
		if one, n := limit == 100, len(m.trees[0].sets[0]); one != (n == 1) {
			t.Errorf("max_cat_to_onehot %d: the first split sends %d categories right", limit, n)
		}
		again, err := Read(bytes.NewReader(encoded(t, m)))
		if err != nil || !bytes.Equal(encoded(t, again), encoded(t, m)) {
			t.Errorf("categories do not survive writing and reading: %v", err)
		}
	}
	x[0] = 0.5
	if _, err := Train(context.Background(), p, d); err == nil || !strings.Contains(err.Error(), "category") {
		t.Errorf("category 0.5: %v", err)
	}
}

// TestPartitionIsTheBest tries every way to part eight categories and the missing
// values: none may gain more than the split that was found.
func TestPartitionIsTheBest(t *testing.T) {
	const rows, categories = 400, 8
	r := rand.New(rand.NewPCG(3, 3))
	x, y := make([]float32, rows), make([]float32, rows)
	var sums [categories + 1]struct{ g, h float64 } // the last is of missing values
	for i := range x {
		c := r.IntN(categories + 1)
		x[i], y[i] = float32(c), float32((c*5)%7)+float32(r.NormFloat64())
		if c == categories {
			x[i] = nan32
		}
		sums[c].g -= float64(y[i])
		sums[c].h++
	}
	p := DefaultParams()
	p.Objective, p.Rounds, p.MaxDepth, p.Lambda, p.BaseScore, p.FullPrecision = SquaredError, 1, 1, 0, 0, true
	p.Eta = 1
	d := TrainData{X: NewDense(x, rows, 1).Categorical(0), Labels: y}
	m := train(t, p, d)
	root, mean, won := m.trees[0].nodes[0], 0.0, 0.0
	for i, v := range predictAll(m, d.X) { // by how much the two means are nearer than one
		mean += float64(y[i]) / rows
		won += float64(y[i]*y[i]) - float64((y[i]-v)*(y[i]-v))
	}
	near(t, "gain and what is won", float64(root.gain), won-rows*mean*mean, 1e-3*won)
	best := 0.0
	for set := range 1 << (categories + 1) {
		var side [2]struct{ g, h float64 }
		for c, s := range sums {
			side[set>>c&1].g += s.g
			side[set>>c&1].h += s.h
		}
		if side[0].h > 0 && side[1].h > 0 {
			g, h := side[0].g+side[1].g, side[0].h+side[1].h
			best = max(best, side[0].g*side[0].g/side[0].h+side[1].g*side[1].g/side[1].h-g*g/h)
		}
	}
	near(t, "gain", float64(root.gain), best, 1e-4*best)
	p.MaxCatThreshold = 2 // one category at most from either end
	if less := train(t, p, d).trees[0].nodes[0].gain; !(less < root.gain) {
		t.Errorf("gain %v with few tries, %v with all", less, root.gain)
	}
}

func TestLossGuide(t *testing.T) {
	p := short()
	p.GrowPolicy, p.MaxDepth, p.MaxLeaves = LossGuide, 0, 9
	for _, tr := range train(t, p, sample(3000, 6, 17)).trees {
		if n := len(tr.nodes); n > 17 {
			t.Fatalf("%d nodes for 9 leaves", n)
		}
	}
}

func TestMulticlass(t *testing.T) {
	d := sample(3000, 6, 18)
	for i := range d.Labels {
		if x := d.X.dense[i*6+2]; x > 0.5 {
			d.Labels[i] = 2
		}
	}
	p := short()
	p.Objective, p.NumClass = MultiSoftprob, 3
	m := train(t, p, d, Watch("train", d))
	right := 0
	for i := range 3000 {
		right += int(one(m.Class(d.X.Row(i, nil)) == int(d.Labels[i])))
	}
	if right < 2700 {
		t.Errorf("%d of 3000 right", right)
	}
}

func TestPredictAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector a sync.Pool drops what it holds, at random")
	}
	d := sample(500, 6, 19)
	m := train(t, short(), d)
	row, out, phi := d.X.Row(0, nil), make([]float32, 1), make([]float32, 7)
	m.Contributions(row, phi)
	for name, f := range map[string]func(){
		"Margin": func() { m.Margin(row, out) }, "Contributions": func() { m.Contributions(row, phi) }} {
		if n := testing.AllocsPerRun(100, f); n > 0.1 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func TestTrainRefuses(t *testing.T) {
	f := func(want string, change func(p *Params, d *TrainData)) {
		t.Helper()
		p, d := short(), sample(50, 4, 20)
		change(&p, &d)
		if _, err := Train(context.Background(), p, d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want %q", err, want)
		}
	}
	f("eta", func(p *Params, d *TrainData) { p.Eta = 0 })
	f("49 labels", func(p *Params, d *TrainData) { d.Labels = d.Labels[1:] })
	f("no rows", func(p *Params, d *TrainData) { d.X, d.Labels = NewDense(nil, 0, 3), nil })
	f("label 2", func(p *Params, d *TrainData) { d.Labels[3] = 2 })
	f("weight -1", func(p *Params, d *TrainData) { d.Weights = make([]float32, 50); d.Weights[1] = -1 })
	f("column 0 is +Inf", func(p *Params, d *TrainData) { d.X.dense[4] = float32(math.Inf(1)) })
	f("199 values", func(p *Params, d *TrainData) { d.X.dense = d.X.dense[1:] })
	f("no bound", func(p *Params, d *TrainData) { p.MaxDepth = 0 })
	f("5 values for 4 columns", func(p *Params, d *TrainData) { p.MonotoneConstraints = []int{0, 0, 0, 0, 1} })
	f("watched", func(p *Params, d *TrainData) { p.EarlyStoppingRounds = 3 })
}
