package pipeline

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"picket"
	"picket/simulate"
)

// Play is one script as one format logs it.
type Play struct {
	Name   string
	Script *simulate.Script
	Format string
}

// RandomPlays returns n plays of random networks. Play i depends on seed and i
// alone, and formats take turns. Packets are of small and short networks, as the
// captures that people keep are; so are half of the others, because a minute of a
// small network teaches as much as one of a large network. Most of the rest are
// under siege: an hour or a day is one row of a machine, so that it takes many
// machines to learn from.
func RandomPlays(seed uint64, n int, formats []string) ([]Play, error) {
	return randomPlays(seed, n, formats, func(i int, format string) string {
		turn := (i + i/len(formats)) % 10
		switch {
		case strings.HasPrefix(format, "pcap") || turn > 4:
			return "lab"
		case turn > 0:
			return "siege"
		}
		return ""
	})
}

// QuietPlays returns n plays of random networks without attacks: small ones as
// packets; of the others half are days of a large office, because it is people
// whose habits are like attacks, and half are of any kind.
func QuietPlays(seed uint64, n int, formats []string) ([]Play, error) {
	plays, err := randomPlays(seed, n, formats, func(i int, format string) string {
		switch {
		case strings.HasPrefix(format, "pcap"):
			return "lab"
		case (i+i/len(formats))%2 == 0:
			return "quiet"
		}
		return ""
	})
	for i := range plays {
		plays[i].Script.Attacks = nil
	}
	return plays, err
}

func randomPlays(seed uint64, n int, formats []string, profile func(i int, format string) string) ([]Play, error) {
	plays := make([]Play, n)
	for i := range plays {
		format := formats[i%len(formats)]
		script, err := simulate.Random(seed+uint64(i), profile(i, format))
		if err != nil {
			return nil, err
		}
		plays[i] = Play{Name: fmt.Sprintf("random %d %s", seed+uint64(i), format), Script: script, Format: format}
	}
	return plays, nil
}

// Simulated gathers the labelled rows of plays, at most maxRows of each class and
// booster of a play. All rows of a play are one group: a simulated network is
// trained on or tested on, never both. done, if not nil, is called after each.
func Simulated(ctx context.Context, plays []Play, maxRows int, tempDir string, done func(Play)) (Gathered, error) {
	gathered := make([]Gathered, len(plays))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, play := range plays {
		group.Go(func() error {
			var err error
			gathered[i], err = play.gather(ctx, maxRows, tempDir)
			if err != nil {
				return fmt.Errorf("simulate %s: %w", play.Name, err)
			}
			if done != nil {
				done(play)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Gathered{}, err
	}
	var all Gathered
	for _, g := range gathered {
		all.Merge(g)
	}
	return all, nil
}

// gather plays a script and labels its rows.
func (play Play) gather(ctx context.Context, maxRows int, tempDir string) (Gathered, error) {
	s, truths, err := play.perform(ctx, tempDir)
	if err != nil {
		return Gathered{}, err
	}
	defer s.Close()
	rows := func(visit func(*picket.Features) error) error { return s.Rows(ctx, Query{}, visit) }
	g, err := gather(rows, maxRows, TruthLabeller(truths), nil)
	for _, set := range g.Sets {
		for i := range set.Examples {
			set.Examples[i].Group = play.Name
		}
	}
	return g, err
}

// perform plays a script, whose rows are then what a bucket would hold of its logs.
func (play Play) perform(ctx context.Context, tempDir string) (*Straight, []simulate.Truth, error) {
	p := New(Default(), Deps{Now: time.Now, TempDir: tempDir})
	var truths []simulate.Truth
	s, err := p.takeStraight(func(emit func(*picket.Record) error) error {
		sum, err := simulate.Records(ctx, play.Script, play.Format, emit)
		truths = sum.Labels
		return err
	})
	return s, truths, err
}
