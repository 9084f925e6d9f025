package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
)

// makeFormats are the logs that the default package learns to read: each fills
// other features, and a row of one must not look odd to a booster that saw
// another.
var makeFormats = []string{"vpc", "zeek", "pcap", "vpc5", "vpc600", "vpc5-600"}

// recipe is all that decides the bytes of the default package.
type recipe struct {
	plays, quiet, maxRows int
	perDay                float64
	seed                  uint64
}

func (a *app) makeCommand() *cobra.Command {
	var r recipe
	var data, out string
	c := &cobra.Command{
		Use: "make", Short: "Make the default package from simulated traffic",
		Long: `Trains the package that ships in the binary on random simulated networks, each
trained on or tested on as a whole, and raises its thresholds until it is quiet
on other networks where nothing happens. The same seed gives the same bytes.
It learns from no real log; with --data, the captures that thresholds and
features were judged by (docs/data.md) must be there, as a check of the folder.`,
		Args:    exactArgs(0, "no arguments"),
		Example: "  picket model make --plays 60 --quiet-networks 2 -o default.zip",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkData(data); err != nil {
				return err
			}
			pkg, err := a.makePackage(c.Context(), r)
			if err != nil {
				return err
			}
			return writePackage(out, pkg)
		},
	}
	c.Flags().IntVar(&r.plays, "plays", 240, "simulated networks to learn from")
	c.Flags().IntVar(&r.quiet, "quiet-networks", 24, "simulated networks without attacks to set thresholds by")
	c.Flags().Float64Var(&r.perDay, "incidents-per-day", 3, "false incidents of all boosters in a day of a network of 200 machines")
	c.Flags().IntVar(&r.maxRows, "max-rows", 1500, "rows of each class and booster kept of one network")
	c.Flags().Uint64Var(&r.seed, "seed", 1, "of the networks and of training")
	c.Flags().StringVar(&data, "data", "", "folder of the public sets (see docs/data.md)")
	c.Flags().StringVarP(&out, "output", "o", "model.zip", "package to write")
	return c
}

// judged are the captures that the default package was judged by while it was made.
var judged = []string{"zeek-btest-pcaps", "westermo", "ddos-pcaps-stopddos", "zeek-apt29-otrf"}

// checkData says what is missing in a folder of public sets, if one was named.
func checkData(folder string) error {
	if folder == "" {
		return nil
	}
	for _, set := range judged {
		if _, err := os.Stat(filepath.Join(folder, set)); err != nil {
			return hint(fmt.Errorf("%s: no set %s", folder, set), "docs/data.md says how the folder is laid out")
		}
	}
	return nil
}

// makePackage simulates, trains, quietens and describes the default package.
func (a *app) makePackage(ctx context.Context, r recipe) (*train.Package, error) {
	sets, err := a.makeSets(ctx, r)
	if err != nil {
		return nil, err
	}
	pkg, err := pipeline.Learn(ctx, sets, pipeline.Learning{
		Name: "picket-default", Data: "simulated networks not trained on", Seed: r.seed,
		Training: map[string]any{
			"plays": r.plays, "quiet": r.quiet, "seed": r.seed, "formats": makeFormats, "max_rows": r.maxRows,
			"real_data": "none in training; judged while it was made by " + strings.Join(judged, ", "),
		},
		Options: train.Options{Threshold: train.ThresholdOptions{Budget: makeBudget}},
		Done:    a.sayFitted,
	})
	if err != nil {
		return nil, err
	}
	plays, err := pipeline.QuietPlays(quietSeed+r.seed, r.quiet, makeFormats)
	if err != nil {
		return nil, err
	}
	bar := a.progress("listening", int64(r.quiet))
	err = pipeline.Quieten(ctx, pkg, plays, r.quietness(pkg), os.TempDir(), func(pipeline.Play) { bar.Add(1) })
	bar.Done()
	if err != nil {
		return nil, err
	}
	pkg.Card, err = train.NewCard(pkg, defaultCard(r))
	return pkg, err
}

// makeBudget is the part of normal rows that may pass before Quieten: the floor.
const makeBudget = 0.005

// shares are each class's part of the false incidents of a day. Beacons and uploads
// have look-alikes in every office, floods have none.
var shares = map[string]float64{picket.ClassC2: 0.3, picket.ClassExfiltration: 0.3, picket.ClassScan: 0.15, picket.ClassBruteforce: 0.15, picket.ClassDDoS: 0.1}

// told are the probabilities that no look-alike hides. At 0.5 for beacons and uploads,
// the first days of bench/day200.sh made nine false findings at the median; at 0.6
// TestShapes' two gigabytes to a stranger went untold, and above 0.55 a flood that
// TestAttacksAreFoundThroughEveryFormat wants.
var told = map[string]float64{picket.ClassC2: 0.6, picket.ClassExfiltration: 0.55, picket.ClassDDoS: 0.5}

// quietness divides a class's part among the boosters that know it. A log has
// intervals of one minute or of ten, so boosters of either width share alike.
func (r recipe) quietness(pkg *train.Package) pipeline.QuietOptions {
	knows := func(b *picket.Booster, class string, without int64) bool {
		return b.ID.Seconds != without && slices.Contains(b.Classes, class)
	}
	return pipeline.QuietOptions{Machines: 200, Most: 2, Likely: told, PerDay: func(b *picket.Booster, class string) float64 {
		without := int64(picket.TenMinutes)
		if b.ID.Seconds == picket.TenMinutes {
			without = picket.Minute
		}
		n := 0
		for i := range pkg.Model.Boosters {
			if knows(&pkg.Model.Boosters[i], class, without) {
				n++
			}
		}
		return r.perDay * shares[class] / float64(n)
	}}
}

// quietSeed keeps the networks of Quieten apart from those learned from.
const quietSeed = 1 << 32

// makeSets simulates the networks and splits their rows.
func (a *app) makeSets(ctx context.Context, r recipe) ([]*picket.Dataset, error) {
	began := time.Now()
	plays, err := pipeline.RandomPlays(r.seed, r.plays, makeFormats)
	if err != nil {
		return nil, err
	}
	bar := a.progress("simulating", int64(r.plays))
	gathered, err := pipeline.Simulated(ctx, plays, r.maxRows, os.TempDir(), func(pipeline.Play) { bar.Add(1) })
	bar.Done()
	if err != nil {
		return nil, err
	}
	a.say("simulated %d networks: %d rows, %v (%.0f s)", r.plays, gathered.Counts.Rows, gathered.Counts.ByClass, time.Since(began).Seconds())
	gathered.Keep(pipeline.Tells)
	sets := gathered.Datasets()
	for _, set := range sets {
		train.SplitByGroup(set, train.DefaultFractions, r.seed)
	}
	return sets, nil
}

// defaultCard says what the figures of the package cannot.
func defaultCard(r recipe) train.CardFacts {
	return train.CardFacts{
		Evidence:    train.SimulatedToSimulated,
		Description: "Detects DDoS, scans, brute force, exfiltration and command and control in flow logs and packet captures, with no history of the network it is used on.",
		Version:     1,
		Datasets:    []string{fmt.Sprintf("%d random simulated networks, seeds %d and up, in the formats %s (Apache-2.0, made by this project)", r.plays, r.seed, strings.Join(makeFormats, ", "))},
		Purpose:     "First findings on a network from day one, to be replaced by a package that learned the network itself.",
		Caveats: "Every class was trained on simulation alone, and all figures in this card are simulated to simulated: they flatter. Real captures informed choices (classes of each width, thresholds) but no weight: " +
			strings.Join(judged, ", ") + ". What it finds in them is in docs/evaluation.md.",
		Details: map[string]string{
			"classes by width": "A minute tells floods, scans and guesses; ten minutes exfiltration too; an hour beacons too. Floods are told by the victim's rows, exfiltration and c2 by the actor's.",
			"threshold":        fmt.Sprintf("at most %g false incidents a day of all boosters in a network of 200 machines, by %d simulated networks without attacks", r.perDay, r.quiet),
		},
	}
}

// sayFitted prints one line about a trained booster.
func (a *app) sayFitted(id picket.BoosterID, f *train.Fitted, e *train.Evaluation) {
	if e == nil {
		a.say("%-24s %3d rounds; no test rows", id, f.Facts.Rounds)
		return
	}
	r := e.Picket
	a.say("%-24s %3d rounds, test %6d rows (%d malicious): AUC %.4f, recall %.3f at %.4f false positives, recall at 0.1 %%: %.3f",
		id, f.Facts.Rounds, r.Rows, r.Malicious, r.AUC, r.Recall, r.FPR, r.RecallAt01)
}

// writePackage writes a package to a file, whole or not at all.
func writePackage(path string, pkg *train.Package) error {
	var body bytes.Buffer
	if err := pkg.Write(&body); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".picket-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if _, err := temp.Write(body.Bytes()); err != nil {
		temp.Close()
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
