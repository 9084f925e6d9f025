package pipeline

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"picket"
	"picket/pipeline/train"
	"picket/pipeline/triage"
)

// ThresholdQuiet is the method of a cut that Quieten set.
const ThresholdQuiet = "incidents-a-day"

// quiet is what the boosters say of networks where nothing happens.
type quiet struct {
	mu      sync.Mutex
	days    float64             // simulated, of all networks together
	margins map[voice][]float64 // the greatest of each entity and day
}

// voice is what a booster can say.
type voice struct {
	booster picket.BoosterID
	class   string
}

// Quieten sets each booster's cuts so that it makes at most perDay incidents a day
// on the plays, which have no attacks (QuietPlays). A budget of rows cannot promise
// that: a thousandth of a day's minutes is an incident for every host of the
// network. Each class has a cut of its own and an equal part of the budget. With
// raise no cut falls below the one that the booster has.
func Quieten(ctx context.Context, pkg *train.Package, plays []Play, perDay float64, raise bool, tempDir string, done func(Play)) error {
	serving, err := Serve(&pkg.Model)
	if err != nil {
		return err
	}
	q := quiet{margins: map[voice][]float64{}}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, play := range plays {
		group.Go(func() error {
			if err := q.listen(ctx, play, serving.Scorer, tempDir); err != nil {
				return fmt.Errorf("quieten on %s: %w", play.Name, err)
			}
			if done != nil {
				done(play)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i := range pkg.Model.Boosters {
		b := &pkg.Model.Boosters[i]
		b.Threshold.Classes = map[string]float64{}
		share := perDay / float64(len(b.Classes)-1)
		floor := likely(&b.Calibration)
		if raise {
			floor = max(floor, b.Threshold.Margin)
		}
		for _, class := range b.Classes[1:] {
			b.Threshold.Classes[class] = triage.Budget(q.margins[voice{b.ID, class}], q.days, share, floor)
		}
		b.Threshold.Margin = floor
		b.Threshold.Method, b.Threshold.Budget = ThresholdQuiet, perDay
		b.Threshold.Validation += fmt.Sprintf("; then at most %g incidents a day on %d simulated networks without attacks, %.1f days together", perDay, len(plays), q.days)
	}
	return nil
}

// leastLikely is the least probability that is worth telling: a class of which the
// quiet networks hold nothing alike would else have no cut at all.
const leastLikely = 0.3

// likely returns the least margin whose calibrated probability is leastLikely.
func likely(c *picket.Calibration) float64 {
	low, high := -30.0, 30.0
	for range 60 {
		if middle := (low + high) / 2; c.Probability(middle) >= leastLikely {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// listen scores all rows of a play.
func (q *quiet) listen(ctx context.Context, play Play, scorer Scorer, tempDir string) error {
	p, _, err := play.perform(ctx, tempDir)
	if err != nil {
		return err
	}
	type entityDay struct {
		voice
		entity string
		day    int64
	}
	greatest := map[entityDay]float64{}
	err = p.Rows(ctx, func(f *picket.Features) error {
		scores, err := scorer.Score(ctx, []picket.Features{*f}, false)
		if err != nil || scores[0].Classes == nil || f.Entity.ID == picket.Rest || !bears(&scores[0]) {
			return err
		}
		class, _ := scores[0].Class()
		k := entityDay{voice{scores[0].Booster, class}, f.Entity.ID, f.Start / picket.Day}
		if m, ok := greatest[k]; !ok || scores[0].Margin > m {
			greatest[k] = scores[0].Margin
		}
		return nil
	})
	q.mu.Lock()
	defer q.mu.Unlock()
	q.days += play.Script.Duration.Hours() / 24
	for k, m := range greatest {
		q.margins[k.voice] = append(q.margins[k.voice], m)
	}
	return err
}
