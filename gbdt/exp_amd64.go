package gbdt

// exp4 replaces the first elements of x by exp of them, four at a time, as far as
// groups of four go none of which is beyond exp's range, and returns how many it has
// replaced. The bits are exp's: the same operations, two at a time.
//
//go:noescape
func exp4(x []float32) int
