package gbdt

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSparseBlocksAreDense trains on columns that are mostly missing, whose bins are
// kept as lists, and on the same bins in the layout of other columns.
func TestSparseBlocksAreDense(t *testing.T) {
	const rows, cols = 70_000, 30
	r := rand.New(rand.NewPCG(1, 9))
	x, y := slices.Repeat([]float32{nan32}, rows*cols), make([]float32, rows)
	for i := range y {
		x[i*cols+cols-1] = float32(r.NormFloat64()) // is there
		for range r.IntN(5) {
			x[i*cols+r.IntN(cols-1)] = float32(r.NormFloat64())
		}
		y[i] = float32(one(x[i*cols+3] > 0 || x[i*cols+4] != x[i*cols+4] && x[i*cols+cols-1] > 0.3))
	}
	d := TrainData{X: NewDense(x, rows, cols), Labels: y}
	lists, err := quantise(d.X, nil, 256, 2)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(lists.blocks); n != 2 || len(lists.blocks[1].columns) != cols-1 || lists.blocks[1].start == nil {
		t.Fatalf("%d blocks; want one of a column, one of lists", n)
	}
	arrays := *lists
	full := make([]column, cols)
	for f := range full {
		full[f].present = rows
	}
	arrays.blocks = newBlocks(rows, full)
	for k := range arrays.blocks {
		bl := &arrays.blocks[k]
		for i := range rows {
			for j, f := range bl.columns {
				bl.row(i)[j] = arrays.columns[f][i]
			}
		}
	}
	for _, exact := range []bool{false, true} {
		p := short()
		p.FullPrecision, p.Subsample, p.Rounds = exact, 0.9, 3
		var models [2][]byte
		for i, b := range []*binned{lists, &arrays} {
			models[i] = encoded(t, train(t, p, TrainData{X: &Matrix{rows: rows, cols: cols, bins: b}, Labels: y}))
		}
		if !bytes.Equal(models[0], models[1]) {
			t.Errorf("lists and arrays give different models, full precision %v", exact)
		}
		if !bytes.Equal(models[0], encoded(t, train(t, p, d))) {
			t.Error("floats give another model than their bins")
		}
	}
}
