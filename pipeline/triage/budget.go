package triage

import (
	"math"
	"slices"
)

// Budget returns the cut at which a site's incidents of the last days would have
// been at most perDay a day, but never below the floor, which is the shipped
// threshold. Scores are the greatest margin of each incident, with all those
// just over the floor in them; a score passes the cut if it is equal or above.
// Where boosters differ, give margins less their shipped threshold, floor 0, and
// add the result to each.
func Budget(scores []float64, days, perDay, floor float64) float64 {
	sorted := make([]float64, 0, len(scores))
	for _, s := range scores {
		if !math.IsNaN(s) {
			sorted = append(sorted, s)
		}
	}
	slices.Sort(sorted)
	allowed := math.Floor(max(days, 0) * max(perDay, 0))
	if math.IsNaN(allowed) || allowed >= float64(len(sorted)) {
		return floor
	}
	firstRefused := sorted[len(sorted)-1-int(allowed)]
	return max(floor, math.Nextafter(firstRefused, math.Inf(1)))
}
