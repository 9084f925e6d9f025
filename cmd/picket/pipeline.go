package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"picket/pipeline"
)

func (a *app) pipelineCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "pipeline", Short: "The training pipeline: run it, show its steps and runs",
		Example: "  picket pipeline show",
	}
	group(c)
	c.AddCommand(a.pipelineRunCommand(), a.pipelineShowCommand())
	return c
}

func (a *app) pipelineRunCommand() *cobra.Command {
	var data string
	var approve, accept bool
	var moved float64
	var seed uint64
	c := &cobra.Command{
		Use: "run", Short: "Train on the bucket: raw/ and labels/ in, a candidate in the registry out",
		Long: `Runs every step over the bucket's raw/ and labels/: extract, close, dataset, train,
evaluate, gate, register. The candidate waits for "picket model approve"; with
--approve what passes the gate is deployed. Verdicts ("picket label") are learned from;
those that contradict each other, or that move too many of the validation rows that
none is about over a threshold, stop the run and are listed: --accept goes on.`,
		Args: exactArgs(0, "no arguments"), Example: "  picket pipeline run --data picket-data",
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := a.open(c.Context(), data)
			if err != nil {
				return err
			}
			state, pkg, err := p.Run(c.Context(), pipeline.RunOptions{
				Name: "picket-traffic", Seed: seed, Approve: approve, Accept: accept, MaxMoved: moved,
				Report: func(s pipeline.StepState) {
					a.say("%-9s %-7s %6.1f s  %s", s.Name, s.State, s.Took.Seconds(), oneLine(s.Detail))
				},
			})
			if errors.Is(err, pipeline.ErrVerdicts) {
				return hint(err, "say what holds with \"picket label\", or go on with --accept")
			}
			if err != nil {
				return hint(err, "run \"picket pipeline show\" for the steps of run %s", state.ID)
			}
			return a.printEvaluations(pkg)
		},
	}
	c.Flags().StringVar(&data, "data", "", dataUsage)
	c.Flags().BoolVar(&approve, "approve", false, "deploy what passes the gate")
	c.Flags().BoolVar(&accept, "accept", false, "go on where verdicts contradict each other or move too much")
	c.Flags().Float64Var(&moved, "max-moved", 0.01, "part of the frozen validation rows that verdicts may move over a threshold")
	c.Flags().Uint64Var(&seed, "seed", 1, "of splits and training")
	return c
}

func (a *app) pipelineShowCommand() *cobra.Command {
	var data, output string
	c := &cobra.Command{
		Use: "show", Short: "Show the steps, and how the runs of the bucket went",
		Args: exactArgs(0, "no arguments"), Example: "  picket pipeline show",
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := a.open(c.Context(), data)
			if err != nil {
				return err
			}
			runs, err := p.Runs(c.Context())
			if err != nil {
				return err
			}
			if output == "json" {
				e := json.NewEncoder(a.stdout)
				e.SetIndent("", "  ")
				return e.Encode(map[string]any{"steps": pipeline.Steps(), "runs": runs})
			}
			return a.showSteps(runs)
		},
	}
	c.Flags().StringVar(&data, "data", "", dataUsage)
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return c
}

func (a *app) showSteps(runs []pipeline.RunState) error {
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STEP\tDOES\tREADS\tWRITES")
	for _, s := range pipeline.Steps() {
		fmt.Fprintf(t, "%s\t%s\t%v\t%v\n", s.Name, s.Does, s.Reads, s.Writes)
	}
	for _, r := range runs {
		fmt.Fprintf(t, "\nrun %s\t%s\t\t\n", r.ID, r.Started.Format(time.RFC3339))
		for _, s := range r.Steps {
			fmt.Fprintf(t, "%s\t%s\t%.1f s\t%s\n", s.Name, s.State, s.Took.Seconds(), oneLine(s.Detail))
		}
	}
	return t.Flush()
}
