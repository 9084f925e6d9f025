package gbdt

import (
	"fmt"
	"math"
	"runtime"
	"slices"
)

// binned is the data as training reads it: one byte a value, twice. Blocks hold
// some columns row by row, for histograms; columns hold one each, to part rows.
type binned struct {
	rows, cols  int
	cuts        [][]float32 // per column; bin k of a category column is category k
	missing     []bool      // per column: bin 255 is missing values
	categorical []bool
	blocks      []block
	columns     [][]uint8
}

// bins returns how many ordinary bins column f has.
func (b *binned) bins(f int) int { return len(b.cuts[f]) + 1 }

// newBinned lays out rows × columns of bins with no values yet.
func newBinned(rows int, columns []column, maxBin int) *binned {
	b := &binned{rows: rows, cols: len(columns)}
	var spare []weighted
	for i := range columns {
		c := &columns[i]
		spare = slices.Grow(spare[:0], len(c.sample))[:len(c.sample)]
		b.missing = append(b.missing, c.present < rows)
		b.categorical = append(b.categorical, c.categorical)
		b.cuts = append(b.cuts, c.cuts(rows, maxBin, uint64(i), spare))
		c.sample = nil
	}
	if rows > keptRows {
		runtime.GC() // a fraction of a millisecond, and the bins get the samples' memory
	}
	for range columns {
		b.columns = append(b.columns, make([]uint8, rows))
	}
	b.blocks = newBlocks(rows, columns)
	return b
}

// quantise makes the bins of m. Weights may be nil.
func quantise(m *Matrix, weights []float32, maxBin, threads int) (*binned, error) {
	if m.bins != nil {
		return m.bins, nil
	}
	columns := newColumns(m.cols, m.categorical, m.rows)
	if err := sketchRows(columns, m, 0, m.rows, weights, threads); err != nil {
		return nil, err
	}
	b := newBinned(m.rows, columns, maxBin)
	b.fillRows(m, 0, newSearch(b), threads)
	b.finish()
	return b, nil
}

// sampleRows is about how many rows the cuts are computed from. The rank of a cut
// is then off by at most .1 % of the rows, a quarter of a bin.
const sampleRows = 1 << 18

// sketchRows makes the first pass over the rows of m, which are the rows from first
// on of all. Weights may be nil.
func sketchRows(columns []column, m *Matrix, first, all int, weights []float32, threads int) error {
	step := uint64(max(1, all/sampleRows))
	const group = 8 // columns a goroutine takes at once: neighbours share cache lines
	errs := make([]error, (m.cols+group-1)/group)
	parallel(len(errs), threads, func(_, g int) {
		lo, hi := g*group, min(m.cols, (g+1)*group)
		for i := range m.rows {
			weight := float32(1)
			if weights != nil {
				weight = weights[first+i]
			}
			sampled := sampleRow(uint64(first+i), step)
			for f, x := range m.part(i, lo, hi) {
				if err := columns[f].add(x, weight, sampled); err != nil {
					errs[g] = fmt.Errorf("row %d column %d is %w", first+i, f, err)
					return
				}
			}
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// newColumns returns columns with room for the sample of so many rows.
func newColumns(cols int, categorical []bool, rows int) []column {
	sample := rows/max(1, rows/sampleRows) + 1
	columns := make([]column, cols)
	for f := range columns {
		columns[f].categorical = categorical != nil && categorical[f]
		columns[f].sample = make([]weighted, 0, sample)
	}
	return columns
}

// sampleRow picks one row of every step, at a place that has no period.
func sampleRow(i, step uint64) bool {
	return step == 1 || i%step == mix(i/step)%step
}

// mix scrambles x: the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// search has the cuts of each column as sort keys, padded to 256 by keys above
// every number, so that every search for a bin takes eight steps.
type search [][256]uint32

func newSearch(b *binned) search {
	s := make(search, b.cols)
	for f, cuts := range b.cuts {
		for i := range s[f] {
			s[f][i] = math.MaxUint32
		}
		for i, c := range cuts {
			s[f][i] = sortKey(c)
		}
	}
	return s
}

// bin returns how many of the cuts are at most x. Whether a step is taken is
// computed, not branched on: the processor could not guess it (50 ns a value).
func bin(cuts *[256]uint32, x float32) uint8 {
	k := uint64(sortKey(x))
	n := uint64(0)
	for step := uint64(128); step > 0; step >>= 1 {
		above := (k - uint64(cuts[(n+step-1)&255])) >> 63 // 1 if the cut is above x
		n += step & (above - 1)
	}
	return uint8(n)
}

// row writes to out a value of each bin of row i.
func (b *binned) row(i int, out []float32) []float32 {
	for f := range out {
		out[f] = b.value(f, i)
	}
	return out
}

// value returns a value of the bin of row i in a column.
func (b *binned) value(f, i int) float32 {
	k := b.columns[f][i]
	switch {
	case k == missingBin && b.missing[f]:
		return nan32
	case k == 0 && b.categorical[f]:
		return 0
	case k == 0:
		return float32(math.Inf(-1))
	}
	return b.cuts[f][k-1]
}
