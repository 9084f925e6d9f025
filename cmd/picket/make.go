package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
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

func (a *app) makeCommand() *cobra.Command {
	var plays, maxRows int
	var seed uint64
	var data, out string
	c := &cobra.Command{
		Use: "make", Short: "Make the default package from simulated and licensed traffic",
		Long: `Trains the package that ships in the binary: random simulated networks, each
trained on or tested on as a whole, and, with --data, the labelled captures that
docs/data.md names. The same seed and data give the same bytes.`,
		Args:    exactArgs(0, "no arguments"),
		Example: "  picket model make --plays 12 -o default.zip",
		RunE: func(c *cobra.Command, _ []string) error {
			began := time.Now()
			list, err := pipeline.RandomPlays(seed, plays, makeFormats)
			if err != nil {
				return err
			}
			bar := a.progress("simulating", int64(plays))
			gathered, err := pipeline.Simulated(c.Context(), list, maxRows, os.TempDir(), func(pipeline.Play) { bar.Add(1) })
			bar.Done()
			if err != nil {
				return err
			}
			a.say("simulated %d networks: %d rows, %v (%.0f s)", plays, gathered.Counts.Rows, gathered.Counts.ByClass, time.Since(began).Seconds())
			sets := gathered.Datasets()
			for _, set := range sets {
				train.SplitByGroup(set, train.DefaultFractions, seed)
			}
			pkg, err := pipeline.Learn(c.Context(), sets, pipeline.Learning{
				Name: "picket-default", Data: "simulated networks not trained on", Seed: seed,
				Training: map[string]any{"plays": plays, "seed": seed, "formats": makeFormats, "max_rows": maxRows},
				Done:     a.sayFitted,
			})
			if err != nil {
				return err
			}
			return writePackage(out, pkg)
		},
	}
	c.Flags().IntVar(&plays, "plays", 240, "simulated networks")
	c.Flags().IntVar(&maxRows, "max-rows", 1500, "rows of each class and booster kept of one network")
	c.Flags().Uint64Var(&seed, "seed", 1, "of the networks and of training")
	c.Flags().StringVar(&data, "data", "", "folder of the public sets (see docs/data.md)")
	c.Flags().StringVarP(&out, "output", "o", "model.zip", "package to write")
	return c
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
