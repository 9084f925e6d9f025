package gbdt

import (
	"math/rand/v2"
	"testing"
)

// benchBins returns rows of random bins and entries for one row in every step.
func benchBins(step int) ([]entry, [][16]uint8) {
	r := rand.New(rand.NewPCG(1, 1))
	rows := make([][16]uint8, 200_000)
	for i := range rows {
		for f := range rows[i] {
			rows[i][f] = uint8(r.IntN(256))
		}
	}
	var entries []entry
	for i := 0; i < len(rows); i += 1 + r.IntN(2*step-1) {
		entries = append(entries, newEntry(i, int32(r.IntN(2000)-1000), int32(r.IntN(2000))))
	}
	return entries, rows
}

func benchmarkTile(b *testing.B, step int) {
	entries, rows := benchBins(step)
	t := new(tile)
	for b.Loop() {
		t.addWide(entries, rows)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(16*len(entries)), "ns/add")
}

func BenchmarkTileDense(b *testing.B)  { benchmarkTile(b, 1) }
func BenchmarkTileSparse(b *testing.B) { benchmarkTile(b, 8) }

func BenchmarkBin(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	var cuts [256]uint32
	for i := range cuts {
		cuts[i] = sortKey(float32(i) - 128)
	}
	values := make([]float32, 1<<18)
	for i := range values {
		values[i] = float32(r.Float64()*256 - 128)
	}
	sum := 0
	for b.Loop() {
		for _, x := range values {
			sum += int(bin(&cuts, x))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(1<<18), "ns/value")
}

// BenchmarkMargins scores 10,000 rows of 40 columns with 100 trees of depth 6.
func BenchmarkMargins(b *testing.B) {
	const rows = 10_000
	d, p := sample(rows, 40, 1), DefaultParams()
	m, out := train(b, p, d), make([]float32, rows)
	for b.Loop() {
		if err := m.Margins(d.X, out, 1); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}
