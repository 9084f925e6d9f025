package main

import (
	"fmt"
	"math"
	"path/filepath"
)

const qualityHeader = "| rounds | A | B | AUC, A / B | mean difference | spread | largest loss | logloss, A / B | mean difference | spread | largest loss |"

// qualityTables is on how many tables quality is compared; permutations in how many
// orders of their rows xgboost is compared with itself.
const qualityTables, permutations = 5, 5

// runQuality compares AUC and logloss with xgboost's on five tables of 100,000 rows
// and a sixth of 200,000 that neither saw; and xgboost with itself on the same rows in
// other orders, which says how much of a difference means nothing.
func runQuality(b *bench, path string) error {
	for _, rounds := range []int{25, 100} {
		var ours, theirs, moved, again []quality // by table; the last two by order too
		for seed := range uint64(qualityTables) {
			t := table{100_000, 11 + seed, 0}
			us, err := b.qualityOf(t, rounds, nil)
			if err != nil {
				return err
			}
			they, err := b.qualityOf(t, rounds, &xgb305)
			if err != nil {
				return err
			}
			ours, theirs = append(ours, us), append(theirs, they)
			for order := range permutations {
				other, err := b.qualityOf(t, rounds, &xgb305, fmt.Sprintf("-permute=%d", order+1))
				if err != nil {
					return err
				}
				moved, again = append(moved, other), append(again, they)
			}
		}
		self := fmt.Sprintf("the same, rows in %d other orders", permutations)
		for _, line := range []struct {
			a, b string
			x, y []quality
		}{{"Picket", xgb305.name, ours, theirs}, {xgb305.name, self, again, moved}} {
			key := fmt.Sprintf("%d | %s | %s", rounds, line.a, line.b)
			err := put(path, qualityHeader, key, fmt.Sprintf("| %s | %s | %s |", key,
				compared(line.x, line.y, func(q quality) float64 { return q.auc }, 1),
				compared(line.x, line.y, func(q quality) float64 { return q.logloss }, -1)))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// qualityOf trains on a table, here or in a peer, and scores the 200,000 rows.
func (b *bench) qualityOf(t table, rounds int, p *peer, more ...string) (quality, error) {
	testX, labels, _, err := table{200_000, 3, 0}.files(b.dir)
	if err != nil {
		return quality{}, err
	}
	x, y, _, err := t.files(b.dir)
	if err != nil {
		return quality{}, err
	}
	out := filepath.Join(b.dir, "quality.out")
	args := []string{"train", "-x", x, "-y", y, "-tx", testX, "-p", fmt.Sprintf("%s,num_round=%d,nthread=1", usual, rounds), "-o", out}
	if args = append(args, more...); p == nil {
		_, err = b.ours(args...)
	} else {
		_, err = b.theirs(*p, args...)
	}
	if err != nil {
		return quality{}, err
	}
	return scoreOf(labels, out)
}

// compared returns the means of a figure, that of its differences with their standard
// deviation, and by how much A is worse at worst; sign is 1 where more is better.
func compared(a, b []quality, of func(quality) float64, sign float64) string {
	var meanA, meanB, squares float64
	worst, n := math.Inf(-1), float64(len(a))
	for i := range a {
		meanA, meanB = meanA+of(a[i])/n, meanB+of(b[i])/n
		worst = max(worst, sign*(of(b[i])-of(a[i])))
	}
	for i := range a {
		d := of(a[i]) - of(b[i]) - (meanA - meanB)
		squares += d * d / (n - 1)
	}
	return fmt.Sprintf("%.5f / %.5f | %+.5f | %.5f | %.5f", meanA, meanB, meanA-meanB, math.Sqrt(squares), worst)
}
