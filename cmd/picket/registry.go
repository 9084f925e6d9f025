package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"picket"
	"picket/aws/deploy"
	"picket/aws/s3/locate"
	"picket/aws/sagemaker"
	"picket/pipeline"
	"picket/pipeline/train"
)

func (a *app) modelCommand() *cobra.Command {
	var data string
	c := &cobra.Command{
		Use: "model", Short: "The registry: list, show, approve, deploy, roll back, compare, drift",
		Long: `A model package is candidate once it is trained, approved once it passed the gate
and somebody said so, live while it scores, previous after that: one step back.`,
		Example: "  picket model list",
	}
	c.PersistentFlags().StringVar(&data, "data", "", dataUsage)
	group(c)
	c.AddCommand(
		a.listCommand(&data), a.showCommand(&data), a.cardCommand(), a.compareCommand(&data), a.driftCommand(&data), a.makeCommand(), a.namesCommand(), a.accessCommand(),
		a.stageCommand(&data, "approve [ID]", "Let the candidate be deployed", approve),
		a.stageCommand(&data, "deploy", "Make the approved model live", makeLive),
		a.stageCommand(&data, "rollback", "Make the previous model live again", rollback),
	)
	return c
}

// transition is one step of the registry; id is the argument, if there is one.
type transition func(s *train.Stages, id string, t train.Transition) error

// approve approves the candidate; with an id only if that is the candidate.
func approve(s *train.Stages, id string, t train.Transition) error {
	return s.Approve(cmp.Or(id, s.Candidate), t)
}

func makeLive(s *train.Stages, _ string, t train.Transition) error { return s.Deploy(t) }
func rollback(s *train.Stages, _ string, t train.Transition) error { return s.Rollback(t) }

func (a *app) stageCommand(data *string, use, short string, step transition) *cobra.Command {
	name, what, takesID := strings.Cut(use, " ")
	c := &cobra.Command{
		Use: use, Short: short, Example: "  picket model " + name,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && !takesID {
				return usageError(hint(fmt.Errorf("%s takes %s", c.CommandPath(), cmp.Or(what, "no arguments")), "run \"picket model list\" for the ids"))
			}
			if done, err := a.stageInCloud(c.Context(), *data, name, strings.Join(args, "")); done || err != nil {
				return err
			}
			p, err := a.open(c.Context(), *data)
			if err != nil {
				return err
			}
			id := ""
			if len(args) == 1 {
				pkg, err := p.Model(c.Context(), args[0])
				if err != nil {
					return hint(err, "run \"picket model list\"")
				}
				id = pkg.Model.ID
			}
			at := train.Transition{Time: time.Now().Unix(), By: cmp.Or(a.getenv("USER"), "command line")}
			stages, err := p.ChangeStages(c.Context(), func(s train.Stages) (train.Stages, error) {
				err := step(&s, id, at)
				return s, err
			})
			if err != nil {
				return hint(err, "run \"picket model list\" to see which model has which stage")
			}
			a.say("candidate %.12s, approved %.12s, live %.12s, previous %.12s", none(stages.Candidate), none(stages.Approved), none(stages.Live), none(stages.Previous))
			return nil
		},
	}
	return c
}

// dataBucket is the name of a deployment's data bucket, which begins with its prefix.
var dataBucket = regexp.MustCompile(`^([a-z0-9-]+)-data-\d{12}-[a-z0-9-]+$`)

// stageInCloud takes a step of a deployment whose model scores at an endpoint: there the
// registry is SageMaker's, and stages.json follows the endpoint. It reports whether data
// is such a deployment's bucket.
func (a *app) stageInCloud(ctx context.Context, data, step, id string) (bool, error) {
	if !inS3(data) {
		return false, nil
	}
	at, err := locate.Parse(data)
	if err != nil {
		return false, err
	}
	m := dataBucket.FindStringSubmatch(at.Name)
	if m == nil || at.Prefix != "" || at.Endpoint != "" {
		return false, nil
	}
	cfg, err := at.Config(ctx)
	if err != nil {
		return false, err
	}
	r := sagemaker.NewRegistry(m[1], cfg, func(ctx context.Context, event map[string]any) error {
		return deploy.AskDeployModel(ctx, cfg, m[1], event)
	})
	if found, err := r.Exists(ctx); err != nil || !found {
		return false, err
	}
	switch step {
	case "approve":
		arn, err := r.Approve(ctx, id)
		if err != nil {
			return true, hint(err, "run \"picket model list\" for the ids; a pipeline run registers what waits for approval")
		}
		a.say("approved %s; deploy-model deploys it", arn)
		return true, nil
	case "deploy":
		err = r.Deploy(ctx)
	default:
		err = r.Rollback(ctx)
	}
	if err == nil {
		a.say("asked deploy-model; \"picket model list\" shows what is live")
	}
	return true, hintIf(err, "see the log of the function deploy-model")
}

func none(id string) string { return cmp.Or(id, "none") }

func (a *app) listCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the packages and their stages", Args: exactArgs(0, "no arguments"),
		Example: "  picket model list",
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := a.open(c.Context(), *data)
			if err != nil {
				return err
			}
			stages, err := p.Stages(c.Context())
			if err != nil {
				return err
			}
			ids, err := p.Models(c.Context())
			if err != nil {
				return err
			}
			t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "ID\tSTAGE\tNAME\tBOOSTERS")
			for _, id := range ids {
				pkg, err := p.Model(c.Context(), id)
				if err != nil {
					return err
				}
				fmt.Fprintf(t, "%.12s\t%s\t%s\t%d\n", id, stageOf(stages, id), pkg.Model.Name, len(pkg.Model.Boosters))
			}
			return t.Flush()
		},
	}
}

func stageOf(s train.Stages, id string) string {
	switch id {
	case s.Live:
		return "live"
	case s.Approved:
		return "approved"
	case s.Candidate:
		return "candidate"
	case s.Previous:
		return "previous"
	}
	return ""
}

// packageOf reads a package by file name, by id, or, with "", the live one or the
// one in this binary.
func (a *app) packageOf(c *cobra.Command, p *pipeline.Pipeline, name string) (*train.Package, error) {
	if name == "" {
		pkg, err := p.LiveModel(c.Context())
		if errors.Is(err, pipeline.ErrNoModel) {
			return a.loadPackage("")
		}
		return pkg, err
	}
	if _, err := os.Stat(name); err == nil {
		return a.loadPackage(name)
	}
	pkg, err := p.Model(c.Context(), name)
	if errors.Is(err, pipeline.ErrNoModel) || errors.Is(err, fs.ErrNotExist) {
		return nil, hint(err, "run \"picket model list\", or name a package file")
	}
	return pkg, err
}

func (a *app) showCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use: "show [ID|FILE]", Short: "Show a package: boosters, thresholds, evaluation, training facts", Args: upToOneArg("one package, by id or file"),
		Example: "  picket model show",
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.open(c.Context(), *data)
			if err != nil {
				return err
			}
			pkg, err := a.packageOf(c, p, append(args, "")[0])
			if err != nil {
				return err
			}
			e := json.NewEncoder(a.stdout)
			e.SetIndent("", "  ")
			if err := e.Encode(pkg.Model); err != nil {
				return err
			}
			return a.printEvaluations(pkg)
		},
	}
}

func (a *app) compareCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use: "compare A B", Short: "Compare the evaluations of two packages", Args: exactArgs(2, "two packages, by id or file"),
		Example: "  picket model compare old.zip new.zip",
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.open(c.Context(), *data)
			if err != nil {
				return err
			}
			for _, name := range args {
				pkg, err := a.packageOf(c, p, name)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "%s %.12s\n", pkg.Model.Name, pkg.Model.ID)
				if err := a.printEvaluations(pkg); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (a *app) driftCommand(data *string) *cobra.Command {
	var model, output string
	var hours int
	c := &cobra.Command{
		Use: "drift", Short: "How far the bucket's features are from what the model was trained on",
		Long: `Compares the features of the bucket, and the scores that the model gives them, with
the snapshot of the training rows in the package, by the population stability index
(PSI): below 0.1 stable, to 0.25 watch, above that act; unknown below 200 rows. The
score decides about a retrain; the features say what moved.`,
		Args: exactArgs(0, "no arguments"), Example: "  picket model drift --data picket-data",
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return usageError(hint(fmt.Errorf("output %q", output), "use table or json"))
			}
			p, err := a.open(c.Context(), *data)
			if err != nil {
				return err
			}
			pkg, err := a.packageOf(c, p, model)
			if err != nil {
				return err
			}
			from, to := int64(math.MinInt64), int64(math.MaxInt64)
			if hours > 0 {
				to = time.Now().Unix()
				from = to - int64(hours)*picket.Hour
			}
			reports, err := p.Drift(c.Context(), pkg, from, to)
			if err != nil {
				return err
			}
			return writeDrift(a.stdout, output, pkg, reports)
		},
	}
	c.Flags().StringVar(&model, "model", "", "package, by id or file (default: the live one)")
	c.Flags().StringVarP(&output, "output", "o", "table", "table, with the features of each booster that moved most, or json, with all")
	c.Flags().IntVar(&hours, "hours", 0, "only the last so many hours (default: all)")
	return c
}

// driftShown is how many features of a booster the table shows, the furthest first.
const driftShown = 5

func writeDrift(w io.Writer, output string, pkg *train.Package, reports map[picket.BoosterID]train.DriftReport) error {
	if output == "json" {
		byName := map[string]train.DriftReport{}
		for id, r := range reports {
			byName[id.String()] = r
		}
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(map[string]any{"model": pkg.Model.ID, "boosters": byName})
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "BOOSTER\tROWS\tFEATURE\tPSI\tVERDICT")
	for i := range pkg.Model.Boosters {
		id := pkg.Model.Boosters[i].ID
		r, ok := reports[id]
		if !ok {
			continue
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%.4f\t%s\n", id, r.Rows, "score", r.Score.PSI, r.Score.Verdict)
		for _, f := range r.Features[:min(driftShown, len(r.Features))] {
			fmt.Fprintf(t, "%s\t%d\t%s\t%.4f\t%s\n", id, r.Rows, f.Name, f.PSI, f.Verdict)
		}
	}
	return t.Flush()
}
