package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"picket/aws/sagemaker"
	"picket/pipeline"
)

func (a *app) pipelineCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "pipeline", Short: "The training pipeline: run it, show its steps and runs",
		Example: "  picket pipeline show",
	}
	group(c)
	c.AddCommand(a.pipelineRunCommand(), a.pipelineShowCommand(), a.pipelineExportCommand())
	return c
}

func (a *app) pipelineRunCommand() *cobra.Command {
	var data, name string
	var approve, accept bool
	var moved float64
	var seed uint64
	var boosters []string
	c := &cobra.Command{
		Use: "run", Short: "Train on the bucket: raw/ and labels/ in, a candidate in the registry out",
		Long: `Runs every step over the bucket's raw/ and labels/: extract, close, dataset, train,
evaluate, gate, register. The candidate waits for "picket model approve"; with
--approve what passes the gate is deployed. Detectors that the labels do not speak of
stay as they are in the live package, or in this binary's. Verdicts ("picket label") are learned from;
those that contradict each other, or that move too many of the validation rows that
none is about over a threshold, stop the run and are listed: --accept goes on.`,
		Args: exactArgs(0, "no arguments"), Example: "  picket pipeline run --data picket-data",
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := a.open(c.Context(), data)
			if err != nil {
				return err
			}
			shape, err := sagemaker.ShapeOf(boosters)
			if err != nil {
				return usageError(hint(err, "write --booster traffic/actor/60=normal,scan"))
			}
			state, pkg, err := p.Run(c.Context(), pipeline.RunOptions{
				Name: name, Seed: seed, Approve: approve, Accept: accept, MaxMoved: moved, Shape: shape,
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
	c.Flags().StringVar(&name, "name", "picket-traffic", "of the package")
	c.Flags().StringArrayVar(&boosters, "booster", nil, "booster to train with its classes, as traffic/actor/60=normal,scan; repeats (default: what the labels give)")
	return c
}

// exportFlags say where an exported pipeline will run.
type exportFlags struct {
	prefix, account, region, image, trainingImage, kms, raw string
	subnets, groups, boosters, param                        []string
	seed                                                    uint64
	onDemand                                                bool
}

func (a *app) pipelineExportCommand() *cobra.Command {
	var f exportFlags
	c := &cobra.Command{
		Use: "export", Short: "Write the training pipeline as a SageMaker Pipelines definition",
		Long: `Writes the pipeline that "picket pipeline run" executes as the definition (version
2020-12-01) that SageMaker takes: the same steps over the same files, the trees of each
booster grown by a training job of their own. "picket deploy" upserts it;
docs/sagemaker.md explains its steps, channels and parameters.`,
		Args: exactArgs(0, "no arguments"), Example: "  picket pipeline export --account 111122223333 --region eu-central-1",
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := a.exportOptions(f)
			if err != nil {
				return err
			}
			body, err := sagemaker.Definition(o)
			if err != nil {
				return usageError(hint(err, "run %q", c.CommandPath()+" --help"))
			}
			_, err = a.stdout.Write(body)
			return err
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.prefix, "prefix", "picket", "of every name in the account")
	flags.StringVar(&f.account, "account", "", "AWS account id")
	flags.StringVar(&f.region, "region", "", "AWS region")
	flags.StringVar(&f.image, "image", "", "Picket's image (default: the repository of the prefix, tag latest)")
	flags.StringVar(&f.trainingImage, "training-image", "", "image that trains: SageMaker's built-in XGBoost, or \"picket\" (default: built-in)")
	flags.StringVar(&f.kms, "kms-key", "", "ARN of the key for volumes and outputs")
	flags.StringVar(&f.raw, "raw", "", "s3:// address of the raw logs (default: raw/ of the data bucket)")
	flags.StringSliceVar(&f.subnets, "subnet", nil, "subnet of the jobs; repeats")
	flags.StringSliceVar(&f.groups, "security-group", nil, "security group of the jobs; repeats")
	flags.StringArrayVar(&f.boosters, "booster", nil, "booster to train with its classes; repeats (default: those of the package in this binary, names excepted)")
	flags.StringArrayVar(&f.param, "param", nil, "XGBoost parameter, as eta=0.1; repeats")
	flags.Uint64Var(&f.seed, "seed", 1, "of splits and training")
	flags.BoolVar(&f.onDemand, "on-demand", false, "train on demand, not on spot instances")
	return c
}

func (a *app) exportOptions(f exportFlags) (sagemaker.Options, error) {
	if f.account == "" || f.region == "" {
		return sagemaker.Options{}, usageError(hint(errors.New("where will it run?"), "give --account and --region"))
	}
	o := sagemaker.Named(f.prefix, f.account, f.region)
	o.Image = cmp.Or(f.image, sagemaker.ImageURI(f.prefix, f.account, f.region, "latest"))
	if o.TrainingImage = f.trainingImage; o.TrainingImage == "picket" {
		o.TrainingImage = o.Image
	}
	o.KMSKey, o.RawURI, o.Subnets, o.SecurityGroups, o.Seed, o.OnDemand = f.kms, f.raw, f.subnets, f.groups, f.seed, f.onDemand
	options, err := trainFlags{params: f.param}.options()
	if err != nil {
		return o, err
	}
	o.Params = options.Params
	if o.Shape, err = sagemaker.ShapeOf(f.boosters); err != nil {
		return o, usageError(hint(err, "write --booster traffic/actor/60=normal,scan"))
	}
	if o.Shape == nil {
		pkg, err := defaultPackage()
		if err != nil {
			return o, err
		}
		o.Shape = pipeline.ShapeOf(&pkg.Model)
	}
	return o, nil
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
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", s.Name, s.Does, strings.Join(s.Reads, " "), strings.Join(s.Writes, " "))
	}
	for _, r := range runs {
		fmt.Fprintf(t, "\nrun %s\t%s\t\t\n", r.ID, r.Started.Format(time.RFC3339))
		for _, s := range r.Steps {
			fmt.Fprintf(t, "%s\t%s\t%.1f s\t%s\n", s.Name, s.State, s.Took.Seconds(), oneLine(s.Detail))
		}
	}
	return t.Flush()
}
