package pipeline

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"picket"
	"picket/pipeline/train"
	"picket/pipeline/triage"
)

// ThresholdQuiet is the method of a cut that Quieten set.
const ThresholdQuiet = "incidents-a-day"

// QuietOptions say how quiet a package must be.
type QuietOptions struct {
	// PerDay is how many false incidents of a class a booster may make in a day.
	PerDay func(b *picket.Booster, class string) float64
	// Machines is how many machines the network of that day has: a day of a small
	// one counts for less. 0: a day is a day.
	Machines int
	// Most is what one play counts at most for a booster and class: an odd network
	// must not blind the others, and its own site has an alert budget. 0: all.
	Most int
	// Likely are the probabilities, by class, that are told whatever the budget says.
	Likely map[string]float64
	// Raise keeps each cut where the booster has it, or above.
	Raise bool
}

// quiet is what the boosters say of networks where nothing happens.
type quiet struct {
	QuietOptions
	mu      sync.Mutex
	days    float64             // simulated, of all networks together
	margins map[voice][]float64 // the greatest of each entity and day
}

// voice is what a booster can say.
type voice struct {
	booster picket.BoosterID
	class   string
}

// Quieten sets each booster's cuts, one for each class, so that it makes at most so
// many incidents a day on the plays, which have no attacks (QuietPlays). A budget of
// rows cannot promise that: a thousandth of a day's minutes is an incident for every
// host of the network.
func Quieten(ctx context.Context, pkg *train.Package, plays []Play, o QuietOptions, tempDir string, done func(Play)) error {
	serving, err := Serve(&pkg.Model)
	if err != nil {
		return err
	}
	q := quiet{QuietOptions: o, margins: map[voice][]float64{}}
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
		perDay := 0.0
		floor := likely(&b.Calibration, leastLikely)
		if o.Raise {
			floor = max(floor, b.Threshold.Margin)
		}
		for _, class := range b.Classes[1:] {
			cut := triage.Budget(q.margins[voice{b.ID, class}], q.days, o.PerDay(b, class), floor)
			b.Threshold.Classes[class] = max(floor, min(cut, o.likely(b, class)))
			perDay += o.PerDay(b, class)
		}
		b.Threshold.Margin = floor
		b.Threshold.Method, b.Threshold.Budget = ThresholdQuiet, perDay
		b.Threshold.Validation += fmt.Sprintf("; then at most %.3g incidents a day on %d simulated networks without attacks, %.1f days together", perDay, len(plays), q.days)
	}
	return nil
}

// leastLikely is the least probability that is worth telling: a class of which the
// quiet networks hold nothing alike would else have no cut at all.
const leastLikely = 0.3

// likely returns the margin that is told whatever the budget says.
func (o *QuietOptions) likely(b *picket.Booster, class string) float64 {
	if p, ok := o.Likely[class]; ok {
		return likely(&b.Calibration, p)
	}
	return math.Inf(1)
}

// likely returns the least margin whose calibrated probability is p.
func likely(c *picket.Calibration, p float64) float64 {
	low, high := -30.0, 30.0
	for range 60 {
		if middle := (low + high) / 2; c.Probability(middle) >= p {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// listen scores all rows of a play.
func (q *quiet) listen(ctx context.Context, play Play, scorer Scorer, tempDir string) error {
	rows, _, err := play.perform(ctx, tempDir)
	if err != nil {
		return err
	}
	defer rows.Close()
	type entityDay struct {
		voice
		entity string
		day    int64
	}
	greatest := map[entityDay]float64{}
	err = rows.Rows(ctx, Query{}, func(f *picket.Features) error {
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
	mine := map[voice][]float64{}
	for k, m := range greatest {
		mine[k.voice] = append(mine[k.voice], m)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	days := play.Script.Duration.Hours() / 24
	if q.Machines > 0 {
		days *= float64(play.Script.Network.Machines()) / float64(q.Machines)
	}
	q.days += days
	for v, margins := range mine {
		slices.Sort(margins)
		if q.Most > 0 && len(margins) > q.Most {
			margins = margins[len(margins)-q.Most:]
		}
		q.margins[v] = append(q.margins[v], margins...)
	}
	return err
}
