package gbdt

import (
	"fmt"
	"math"
	"slices"
)

// missingBin is the bin of missing values. Columns without any use it as the
// last ordinary bin.
const missingBin = 255

// column is what the first pass over the data learns of one column: every
// distinct value if there are few, else a sample to cut at its quantiles.
type column struct {
	categorical bool
	present     int                 // rows whose value is not missing
	many        bool                // more distinct values than bins: distinct is given up
	distinct    map[uint32]struct{} // sort keys
	last        uint32              // key seen last: runs of one value skip the map
	seen        bool
	sample      []weighted
}

// weighted is a value by its sort key with its row's weight.
type weighted struct {
	key    uint32
	weight float32
}

// sortKey maps floats to integers of the same order; both zeros are one.
func sortKey(x float32) uint32 {
	b := math.Float32bits(x)
	if b == 1<<31 {
		b = 0
	}
	return b ^ (uint32(int32(b)>>31) | 1<<31)
}

// keyFloat is the inverse of sortKey.
func keyFloat(k uint32) float32 {
	return math.Float32frombits(k ^ (uint32(int32(^k)>>31) | 1<<31))
}

// add notes the value x. sampled says that its row is one of the sample.
func (c *column) add(x, weight float32, sampled bool) error {
	if x != x {
		return nil
	}
	c.present++
	if math.IsInf(float64(x), 0) {
		return fmt.Errorf("%v: want a number, or NaN for missing", x)
	}
	if c.categorical && !(x >= 0 && x < missingBin && x == float32(int(x))) {
		return fmt.Errorf("%v: a category is a whole number from 0 to %d", x, missingBin-1)
	}
	k := sortKey(x)
	if sampled {
		c.sample = append(c.sample, weighted{k, weight})
	}
	if c.many || c.seen && k == c.last {
		return nil
	}
	c.seen, c.last = true, k
	if c.distinct == nil {
		c.distinct = make(map[uint32]struct{})
	}
	c.distinct[k] = struct{}{}
	if len(c.distinct) > 256 {
		c.many, c.distinct = true, nil
	}
	return nil
}

// cuts returns the lower bounds of all bins but the first, ascending, so that bin
// b holds cuts[b-1] <= x < cuts[b]. There are at most maxBin bins, missing included
// if not all rows have a value. Seed tells columns apart; spare is room for as many
// values as the sample has.
func (c *column) cuts(rows, maxBin int, seed uint64, spare []weighted) []float32 {
	if c.present < rows {
		maxBin = min(maxBin, missingBin)
	}
	if c.categorical {
		return categoryCuts(c.distinct)
	}
	if !c.many && len(c.distinct) <= maxBin {
		keys := make([]uint32, 0, len(c.distinct))
		for k := range c.distinct {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		return floats(keys, 1)
	}
	return floats(quantiles(sortKeys(c.sample, spare), maxBin, seed), 0)
}

// categoryCuts returns 1, 2, ... to the greatest category: bin b is category b.
func categoryCuts(distinct map[uint32]struct{}) []float32 {
	var cuts []float32
	for k := range distinct {
		for len(cuts) < int(keyFloat(k)) {
			cuts = append(cuts, float32(len(cuts)+1))
		}
	}
	return cuts
}

// floats returns keys[from:] as floats.
func floats(keys []uint32, from int) []float32 {
	out := make([]float32, 0, len(keys))
	for i := from; i < len(keys); i++ {
		out = append(out, keyFloat(keys[i]))
	}
	return out
}

// quantiles returns the keys that start each bin but the first when a sorted sample is
// cut into at most n bins of about equal weight. A value heavier than a bin gets
// one of its own, and what is left is shared among the bins that are left.
//
// Each bin is up to a quarter narrower or wider than its share, by a hash of seed.
// Bins of exactly equal weight cost .0012 of logloss and .0008 of AUC after 100
// rounds, on five data sets of 100,000 rows, against bins like these and against
// XGBoost's, whose approximate quantiles are uneven too; the trees were otherwise
// the same split for split. Why was not found.
func quantiles(sample []weighted, n int, seed uint64) []uint32 {
	var total, sum, next float64
	for _, s := range sample {
		total += float64(s.weight)
	}
	cuts := make([]uint32, 0, n)
	share := func() float64 {
		random := float64(mix(seed<<16|uint64(len(cuts)))>>11) / (1 << 53)
		return (total - sum) / float64(n-len(cuts)) * (0.75 + float64(random/2))
	}
	next = share()
	for i, s := range sample {
		if i > 0 && s.key != sample[i-1].key && sum >= next {
			if cuts = append(cuts, s.key); len(cuts) == n-1 {
				break
			}
			next = sum + float64(share())
		}
		sum += float64(s.weight)
	}
	return cuts
}

// sortKeys sorts by key: a radix sort, eight bits at a time. Both slices are used.
func sortKeys(s, other []weighted) []weighted {
	for shift := 0; shift < 32; shift += 8 {
		var count [256]int
		for _, w := range s {
			count[uint8(w.key>>shift)]++
		}
		sum := 0
		for i, n := range count {
			count[i], sum = sum, sum+n
		}
		for _, w := range s {
			b := uint8(w.key >> shift)
			other[count[b]] = w
			count[b]++
		}
		s, other = other, s
	}
	return s // after an even number of turns the first one
}
