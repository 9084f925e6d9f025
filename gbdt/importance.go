package gbdt

import "fmt"

// Kinds of importance.
const (
	Weight     = "weight"      // how many splits
	Gain       = "gain"        // mean loss reduction of a split
	Cover      = "cover"       // mean sum of hessians at a split
	TotalGain  = "total_gain"  // sum of loss reductions
	TotalCover = "total_cover" // sum of sums of hessians
)

// Importance returns how much the trees use each column, as XGBoost's get_score.
func (m *Model) Importance(kind string) ([]float64, error) {
	splits, sums := make([]float64, m.features), make([]float64, m.features)
	for i := range m.trees {
		for k := range m.trees[i].nodes {
			n := &m.trees[i].nodes[k]
			if n.leaf() {
				continue
			}
			splits[n.feature]++
			switch kind {
			case Gain, TotalGain:
				sums[n.feature] += float64(n.gain)
			case Cover, TotalCover:
				sums[n.feature] += float64(n.cover)
			}
		}
	}
	switch kind {
	case Weight:
		return splits, nil
	case Gain, Cover:
		for f, n := range splits {
			sums[f] /= max(n, 1)
		}
		return sums, nil
	case TotalGain, TotalCover:
		return sums, nil
	}
	return nil, fmt.Errorf("importance %q: want %s, %s, %s, %s or %s", kind, Weight, Gain, Cover, TotalGain, TotalCover)
}
