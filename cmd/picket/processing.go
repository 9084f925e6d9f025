package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"picket"
	"picket/aws/sagemaker"
	"picket/pipeline"
	"picket/pipeline/infer"
	"picket/pipeline/train"
)

// Where SageMaker lays what its containers read.
const (
	containerRoot  = "/opt/ml"
	processingRoot = containerRoot + "/processing"
)

// processingFlags are what a processing container is told in its arguments.
type processingFlags struct {
	root, name      string
	boosters, param []string
	seed            uint64
	maxRows         int
	accept          bool
}

func (a *app) processingCommand() *cobra.Command {
	var f processingFlags
	c := &cobra.Command{
		Use: "processing STEP", Short: "Run a step of the training pipeline as a SageMaker processing container does",
		Long: `Runs one step over folders: input/NAME below --root is read, output/NAME written.

  extract   raw                      -> windows, quarantine
  close     windows                  -> features, history
  dataset   windows, labels          -> dataset
  evaluate  dataset, trees, registry -> package, evaluation

"picket pipeline export" writes the pipeline that calls them.`,
		Args: exactArgs(1, "one step: extract, close, dataset or evaluate"), Example: "  picket processing extract --root channels",
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.settings()
			if err != nil {
				return err
			}
			o, err := f.options()
			if err != nil {
				return err
			}
			p := sagemaker.Processing{Root: f.root, Config: s.Pipeline, Log: slog.New(slog.NewJSONHandler(a.stderr, nil)), Now: time.Now, Version: version, Shipped: defaultPackage}
			detail, err := p.Run(c.Context(), args[0], o)
			if err != nil {
				return hint(err, "its channels are folders below %s", f.root+"/input")
			}
			a.say("%s: %s", args[0], oneLine(detail))
			return nil
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.root, "root", processingRoot, "folder with input/ and output/")
	flags.StringVar(&f.name, "name", "picket-traffic", "of the package (dataset)")
	flags.StringArrayVar(&f.boosters, "booster", nil, "booster to train with its classes, as traffic/actor/60=normal,scan; repeats (dataset; default: what the labels give)")
	flags.StringArrayVar(&f.param, "param", nil, "XGBoost parameter, as eta=0.1; repeats (dataset)")
	flags.Uint64Var(&f.seed, "seed", 1, "of splits and training (dataset)")
	flags.BoolVar(&f.accept, "accept", false, "go on where verdicts contradict each other or move too much (dataset)")
	flags.IntVar(&f.maxRows, "max-rows", 20_000, "rows of each class and booster (dataset)")
	return c
}

func (f processingFlags) options() (pipeline.RunOptions, error) {
	shape, err := sagemaker.ShapeOf(f.boosters)
	if err != nil {
		return pipeline.RunOptions{}, usageError(hint(err, "write --booster traffic/actor/60=normal,scan"))
	}
	options, err := trainFlags{params: f.param, seed: f.seed}.options()
	return pipeline.RunOptions{Name: f.name, Seed: f.seed, MaxRows: f.maxRows, Shape: shape, Train: options, Accept: f.accept}, err
}

// trainJob trains as SageMaker's training containers do.
func (a *app) trainJob(c *cobra.Command, root string) error {
	if !sagemaker.IsTrainJob(root) {
		return usageError(hint(errors.New("nothing to learn from"), "give --data DIR with --labels FILE, or --table FILE with --label COLUMN"))
	}
	err := sagemaker.TrainJob(c.Context(), root, a.stdout)
	if err != nil {
		return hint(err, "the job's hyperparameters and channels are below %s", root+"/input")
	}
	return nil
}

// containerListen is where SageMaker asks a serving container.
const containerListen = "0.0.0.0:8080"

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// modelIn reads the package that SageMaker laid into a serving container.
func modelIn(dir string) (*picket.Model, *infer.Scorer, error) {
	r, err := sagemaker.OpenModel(dir)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	pkg, err := train.ReadPackage(r)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", dir, err)
	}
	scorer, err := infer.New(&pkg.Model)
	return &pkg.Model, scorer, err
}
