package gbdt

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"testing"
)

// sample returns rows of a problem with noise, interactions and missing values.
func sample(rows, cols int, seed uint64) TrainData {
	r := rand.New(rand.NewPCG(seed, 7))
	x, y := make([]float32, rows*cols), make([]float32, rows)
	for i := range rows {
		row := x[i*cols : (i+1)*cols]
		for f := range row {
			row[f] = float32(r.NormFloat64())
			if f%4 == 1 {
				row[f] = float32(math.Floor(float64(row[f]) * 2))
			}
		}
		s := row[0]*row[1] + 0.7*row[2] + float32(math.Abs(float64(row[3])))
		if s+0.5*float32(r.NormFloat64()) > 0.8 {
			y[i] = 1
		}
		if r.IntN(4) == 0 {
			row[0] = nan32
		}
	}
	return TrainData{X: NewDense(x, rows, cols), Labels: y}
}

func predictAll(m *Model, x *Matrix) []float32 {
	out := make([]float32, x.Rows()*m.Classes())
	buf := make([]float32, x.Cols())
	for i := range x.Rows() {
		m.Predict(x.Row(i, buf), out[i*m.Classes():(i+1)*m.Classes()])
	}
	return out
}

func train(t testing.TB, p Params, d TrainData, o ...Option) *Model {
	t.Helper()
	m, err := Train(context.Background(), p, d, o...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func encoded(t testing.TB, m *Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTrainLearns(t *testing.T) {
	d, test := sample(4000, 6, 1), sample(4000, 6, 2)
	p := DefaultParams()
	p.Rounds = 50
	p.Eta = 0.1
	m := train(t, p, d)
	if auc := AUC(predictAll(m, test.X), test.Labels, nil); auc < 0.91 {
		t.Errorf("AUC %v", auc)
	}
}

func TestThreadsChangeNothing(t *testing.T) {
	d := sample(150_000, 19, 3)
	p := DefaultParams()
	p.Rounds, p.Subsample, p.ColsampleByNode = 4, 0.7, 0.6
	p.Threads = 1
	want := encoded(t, train(t, p, d))
	for _, n := range []int{2, 3, 8} {
		p.Threads = n
		if !bytes.Equal(encoded(t, train(t, p, d)), want) {
			t.Errorf("%d goroutines give another model", n)
		}
	}
}

func TestWriteRead(t *testing.T) {
	d := sample(3000, 6, 4)
	p := DefaultParams()
	p.Rounds = 10
	m := train(t, p, d)
	for _, write := range []func(*Model, *bytes.Buffer) error{
		func(m *Model, b *bytes.Buffer) error { return m.WriteJSON(b) },
		func(m *Model, b *bytes.Buffer) error { return m.WriteUBJ(b) },
	} {
		var b bytes.Buffer
		if err := write(m, &b); err != nil {
			t.Fatal(err)
		}
		got, err := Read(&b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encoded(t, got), encoded(t, m)) {
			t.Error("the model read is not the model written")
		}
	}
}

func TestContributionsSumToMargin(t *testing.T) {
	d := sample(3000, 6, 5)
	p := DefaultParams()
	p.Rounds = 30
	m := train(t, p, d)
	out, margin := make([]float32, 7), make([]float32, 1)
	for i := range 200 {
		row := d.X.Row(i, nil)
		m.Contributions(row, out)
		m.Margin(row, margin)
		sum := 0.0
		for _, c := range out {
			sum += float64(c)
		}
		if diff := math.Abs(sum - float64(margin[0])); diff > 1e-5*max(1, math.Abs(float64(margin[0]))) {
			t.Fatalf("row %d: contributions sum to %v, margin is %v", i, sum, margin[0])
		}
	}
}
