package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"picket"
	"picket/pipeline/train"
)

// The training pipeline as jobs that pass folders to each other, as SageMaker runs
// it: WriteDataset leaves what training jobs read, ReadDataset and Finish make a
// package of the trees that they wrote. Run does the same in one process.

// Planned says how one booster's trees are to be grown. The texts are XGBoost's
// hyperparameters that depend on the data; they are what a pipeline reads from
// plan.json while it runs.
type Planned struct {
	ID                  string `json:"booster"`
	Folder              string `json:"folder"` // of its channels and splits
	NumRound            string `json:"num_round"`
	EarlyStoppingRounds string `json:"early_stopping_rounds"`
	MinChildWeight      string `json:"min_child_weight"`
	Skipped             string `json:"skipped,omitempty"` // why it cannot be trained; its channels hold a placeholder
}

// planFile is plan.json beside a dataset: what Finish must know of how it was made.
type planFile struct {
	Name     string             `json:"name"`
	Seed     uint64             `json:"seed"`
	Params   map[string]string  `json:"params,omitempty"` // given by the caller, over the defaults
	Boosters map[string]Planned `json:"boosters"`         // by PlanKey
}

// PlanKey is the name of a booster in plan.json: letters, digits and underscores, so
// that any JSON path can say it.
func PlanKey(id picket.BoosterID) string {
	return strings.NewReplacer("/", "_", "-", "_").Replace(id.String())
}

// Folder is the name of a booster's folder in a dataset.
func Folder(id picket.BoosterID) string { return strings.ReplaceAll(id.String(), "/", "-") }

const (
	planName     = "plan.json"
	manifestName = "dataset.json"
)

// WriteDataset leaves a prepared dataset in a folder, with the channels of the
// training jobs and plan.json:
//
//	dataset.json                      what Snapshot says
//	plan.json                         hyperparameters by booster
//	BOOSTER/SPLIT.parquet, SPLIT.csv  as in datasets/
//	BOOSTER/plan.json                 train.Plan
//	BOOSTER/train/train.csv           what the trees grow on
//	BOOSTER/validation/validation.csv what they are stopped by
func (p *Pipeline) WriteDataset(ctx context.Context, in Prepared, o RunOptions, dir string) error {
	o.complete()
	if err := p.copyDataset(ctx, in.Snapshot.ID, dir); err != nil {
		return err
	}
	l := o.learning(in)
	plans := planFile{Name: o.Name, Seed: o.Seed, Params: o.Train.Params, Boosters: map[string]Planned{}}
	for _, set := range in.Sets {
		one := Planned{ID: set.Booster.String(), Folder: Folder(set.Booster), NumRound: "1", EarlyStoppingRounds: "1", MinChildWeight: "1"}
		plan, err := train.NewPlan(ctx, set, l.optionsFor(set))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			one.Skipped, plan = err.Error(), nil
		} else {
			one.NumRound, one.MinChildWeight = plan.Params["num_round"], plan.Params["min_child_weight"]
			one.EarlyStoppingRounds = plan.Params["early_stopping_rounds"]
			if plan.Folds > 1 {
				one.EarlyStoppingRounds = one.NumRound // nothing must stop them
			}
		}
		if err := writeChannels(filepath.Join(dir, one.Folder), set, plan); err != nil {
			return err
		}
		plans.Boosters[PlanKey(set.Booster)] = one
	}
	return writeJSONFile(filepath.Join(dir, planName), plans)
}

// CheckVerdicts stops a run whose verdicts move too much, as the train step of Run
// does, before any training job is paid for: it learns with and without them here.
func (p *Pipeline) CheckVerdicts(ctx context.Context, in Prepared, o RunOptions) error {
	if len(in.Verdicts) == 0 {
		return nil
	}
	o.complete()
	with, err := o.learn(ctx, in, nil)
	if err != nil {
		return err
	}
	_, err = o.bearing(ctx, in, with)
	return err
}

// copyDataset copies a snapshot out of the bucket.
func (p *Pipeline) copyDataset(ctx context.Context, id, dir string) error {
	prefix := picket.DatasetsPrefix + id + "/"
	for info, err := range p.deps.Bucket.List(ctx, prefix, "") {
		if err != nil {
			return err
		}
		name := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(info.Key, prefix)))
		if err := p.download(ctx, info.Key, name); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pipeline) download(ctx context.Context, key, name string) error {
	r, _, err := p.deps.Bucket.Get(ctx, key)
	if err != nil {
		return err
	}
	defer r.Close()
	return writeFile(name, func(w io.Writer) error { _, err := io.Copy(w, r); return err })
}

func writeFile(name string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

func writeJSONFile(name string, v any) error {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(name, func(w io.Writer) error { _, err := w.Write(append(body, '\n')); return err })
}

// writeChannels writes what a training job reads. A booster that cannot be trained
// gets one row of each class, so that the graph of jobs need not change with the
// labels; what comes of it is left out.
func writeChannels(dir string, set *picket.Dataset, plan *train.Plan) error {
	channels := train.Placeholder(set)
	if plan != nil {
		var err error
		if channels, err = plan.Channels(set); err != nil {
			return err
		}
		if err := writeJSONFile(filepath.Join(dir, planName), plan); err != nil {
			return err
		}
	}
	return errors.Join(
		writeFile(filepath.Join(dir, picket.SplitTrain, "train.csv"), func(w io.Writer) error { return train.WriteChannel(w, channels.Train) }),
		writeFile(filepath.Join(dir, picket.SplitValidation, "validation.csv"), func(w io.Writer) error { return train.WriteChannel(w, channels.Validation) }))
}

// ReadDataset reads what WriteDataset wrote, with the options that its run had.
func ReadDataset(dir string) (Prepared, RunOptions, error) {
	var in Prepared
	var plans planFile
	manifest, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return in, RunOptions{}, err
	}
	if err := errors.Join(json.Unmarshal(manifest, &in.Snapshot), readJSONFile(filepath.Join(dir, planName), &plans)); err != nil {
		return in, RunOptions{}, fmt.Errorf("dataset %s: %w", dir, err)
	}
	in.Snapshot.ID = digest(string(manifest))
	o := RunOptions{Name: plans.Name, Seed: plans.Seed, Train: train.Options{Params: plans.Params}}
	o.complete()
	for _, one := range slices.SortedFunc(maps.Values(plans.Boosters), comparePlanned) {
		set, err := readSet(filepath.Join(dir, one.Folder), one.ID)
		if err != nil {
			return in, o, fmt.Errorf("dataset %s: %w", dir, err)
		}
		in.Sets = append(in.Sets, set)
	}
	return in, o, nil
}

func comparePlanned(a, b Planned) int {
	x, _ := picket.ParseBoosterID(a.ID)
	y, _ := picket.ParseBoosterID(b.ID)
	return compareBoosters(x, y)
}

func readSet(dir, id string) (*picket.Dataset, error) {
	booster, err := picket.ParseBoosterID(id)
	if err != nil {
		return nil, err
	}
	var columns struct {
		Classes []string      `json:"classes"`
		Schema  picket.Schema `json:"schema"`
	}
	if err := readJSONFile(filepath.Join(dir, "columns.json"), &columns); err != nil {
		return nil, err
	}
	set := &picket.Dataset{Booster: booster, Schema: columns.Schema, Classes: columns.Classes}
	for _, split := range []string{picket.SplitTrain, picket.SplitValidation, picket.SplitCalibration, picket.SplitTest} {
		f, err := os.Open(filepath.Join(dir, split+".parquet"))
		if errors.Is(err, fs.ErrNotExist) {
			continue // a split without rows has no file
		}
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err == nil {
			err = train.ReadParquet(f, info.Size(), set, split)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
	return set, nil
}

func readJSONFile(name string, v any) error {
	body, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	return nil
}

// Finished is what Finish makes: a package, and what the gate says of it.
type Finished struct {
	Package   *train.Package
	Judgement Judgement
}

// Finish makes the package of a dataset and the trees that training jobs wrote for
// it, and holds it against the live package of the bucket. trees opens what the job
// of a booster wrote: XGBoost's JSON or UBJ. In the bytes of the package nothing says
// who grew the trees.
func (p *Pipeline) Finish(ctx context.Context, dir string, trees func(folder string) ([]byte, error)) (Finished, error) {
	in, o, err := ReadDataset(dir)
	if err != nil {
		return Finished{}, err
	}
	var plans planFile
	if err := readJSONFile(filepath.Join(dir, planName), &plans); err != nil {
		return Finished{}, err
	}
	if o.before, err = p.scoring(ctx); err != nil {
		return Finished{}, err
	}
	var mu sync.Mutex
	var broken error // trees that cannot be read are no reason to register a package without them
	pkg, err := o.learn(ctx, in, func(ctx context.Context, set *picket.Dataset, options train.Options) (*train.Fitted, error) {
		one := plans.Boosters[PlanKey(set.Booster)]
		if one.Skipped != "" {
			return nil, errors.New(one.Skipped)
		}
		fitted, err := finishOne(ctx, filepath.Join(dir, one.Folder), set, options, func() ([]byte, error) { return trees(one.Folder) })
		if err != nil {
			mu.Lock()
			defer mu.Unlock()
			broken = errors.Join(broken, fmt.Errorf("booster %s: %w", set.Booster, err))
		}
		return fitted, err
	})
	if err = cmp.Or(broken, err); err != nil {
		return Finished{}, err
	}
	if len(pkg.Evaluations) == 0 {
		return Finished{Package: pkg}, errNoTest
	}
	j, err := p.Judge(ctx, in.Sets, pkg, o)
	return Finished{Package: pkg, Judgement: j}, err
}

func finishOne(ctx context.Context, dir string, set *picket.Dataset, o train.Options, trees func() ([]byte, error)) (*train.Fitted, error) {
	var plan train.Plan
	if err := readJSONFile(filepath.Join(dir, planName), &plan); err != nil {
		return nil, err
	}
	body, err := trees()
	if err != nil {
		return nil, err
	}
	return train.Finish(ctx, set, o, &plan, body)
}

// MarkAll marks every part that the bucket has as due: parts that came without their
// marks, from another bucket, are closed over like any other.
func (p *Pipeline) MarkAll(ctx context.Context) error {
	for info, err := range p.deps.Bucket.List(ctx, picket.WindowsPrefix, "") {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(info.Key, picket.WindowsPrefix)
		if strings.HasPrefix(name, "objects/") {
			continue
		}
		s, err := parseSlot(path.Dir(name))
		if err != nil {
			return fmt.Errorf("part %s: %w", info.Key, err)
		}
		if err := putMarks(ctx, p.deps.Bucket, s, path.Base(name)); err != nil {
			return err
		}
	}
	return nil
}
