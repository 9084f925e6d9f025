package main

import (
	"fmt"
	"math"
	"path/filepath"
)

const qualityHeader = "| rounds | against | AUC, ours / theirs | mean difference | largest loss | logloss, ours / theirs | mean difference | largest loss |"

// runQuality compares AUC and logloss with xgboost's on five tables of 100,000 rows
// and a sixth of 200,000 that neither saw.
func runQuality(b *bench, path string) error {
	p := xgb305
	testX, labels, _, err := table{200_000, 3, 0}.files(b.dir)
	if err != nil {
		return err
	}
	ours, theirs := filepath.Join(b.dir, "ours.out"), filepath.Join(b.dir, "theirs.out")
	for _, rounds := range []int{25, 100} {
		var a, c quality                             // means
		worst := quality{math.Inf(-1), math.Inf(-1)} // of a seed: how much worse ours is
		const seeds = 5
		for seed := range uint64(seeds) {
			x, y, _, err := table{100_000, 11 + seed, 0}.files(b.dir)
			if err != nil {
				return err
			}
			args := []string{"train", "-x", x, "-y", y, "-tx", testX, "-p", fmt.Sprintf("%s,num_round=%d,nthread=1", usual, rounds)}
			if _, err := b.ours(append(args, "-o", ours)...); err != nil {
				return err
			}
			if _, err := b.theirs(p, append(args, "-o", theirs)...); err != nil {
				return err
			}
			us, err := scoreOf(labels, ours)
			if err != nil {
				return err
			}
			they, err := scoreOf(labels, theirs)
			if err != nil {
				return err
			}
			a = quality{a.auc + us.auc/seeds, a.logloss + us.logloss/seeds}
			c = quality{c.auc + they.auc/seeds, c.logloss + they.logloss/seeds}
			worst = quality{max(worst.auc, they.auc-us.auc), max(worst.logloss, us.logloss-they.logloss)}
		}
		key := fmt.Sprintf("%d | %s", rounds, p.name)
		err := put(path, qualityHeader, key, fmt.Sprintf("| %s | %.5f / %.5f | %+.5f | %.5f | %.5f / %.5f | %+.5f | %.5f |", key,
			a.auc, c.auc, a.auc-c.auc, worst.auc, a.logloss, c.logloss, a.logloss-c.logloss, worst.logloss))
		if err != nil {
			return err
		}
	}
	return nil
}
