package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
)

// trainFlags are what "picket train" is told.
type trainFlags struct {
	data, labels, label, columns, out        string
	cut, dataset, root                       string
	tables, test, drop, normal, skip, params []string
	seed                                     uint64
	binary                                   bool
}

func (a *app) trainCommand() *cobra.Command {
	var f trainFlags
	c := &cobra.Command{
		Use: "train", Short: "Raw logs with labels, or a labelled table, in; a model package out",
		Long: `Trains boosters on raw logs (--data) whose label file has the rows
start,end,entity_kind,entity,class,note, or one booster on a labelled table
(--table, which repeats): CSV, gzip, zip or Parquet. Windows are split by time and
by entity; a cut-off is set and a calibration fitted on splits of their own. Rows of
a table are split by groups of identical rows, and cut-off and calibration rest on
scores by trees that had not seen the row (five folds). Without --param a table's trees
are grown by the best of three sets of parameters, tried on the folds: best is what
ranks left-out kinds of attack above normal rows where the cut-off is for those, else
what has the least logloss. --test names what is looked
at once, at the end: a table, a folder of files that are one table, or a folder of
raw logs; without one, a fifth of a table is held out.

Without flags, in a SageMaker training container, it grows one booster's trees as the
built-in XGBoost does, by the hyperparameters and channels below /opt/ml/input.`,
		Args:    exactArgs(0, "no arguments, only flags"),
		Example: "  picket train --table testdata/tables/flows.csv --label class -o flows.zip",
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case len(f.tables) > 0 && f.data == "":
				return a.trainTable(c.Context(), f)
			case f.data != "" && f.labels != "" && len(f.tables) == 0:
				return a.trainLogs(c.Context(), f)
			}
			return a.trainJob(c, f.root)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.data, "data", "", "raw logs: a folder, or s3://NAME/PREFIX")
	flags.StringVar(&f.labels, "labels", "", "label file of the raw logs")
	flags.StringArrayVar(&f.tables, "table", nil, "labelled table; repeats")
	flags.StringVar(&f.label, "label", "", "column of the table that holds the class")
	flags.StringSliceVar(&f.drop, "drop", nil, "columns of the table that are not features")
	flags.StringArrayVar(&f.test, "test", nil, "table, or folder, to test on at the end; repeats")
	flags.StringVar(&f.columns, "columns", "", "file with the table's column names, a line each, where it has no header")
	flags.StringSliceVar(&f.normal, "normal", nil, "label values that mean normal (default: normal, benign, 0)")
	flags.StringSliceVar(&f.skip, "skip", nil, "label values whose rows are left out")
	flags.BoolVar(&f.binary, "binary", false, "of a table: learn normal against all the rest, which finds new kinds of attack better, and names none")
	flags.StringVar(&f.cut, "threshold", "", "of a table: accuracy, leave-one-kind-out, or the part of normal rows that may pass, as 0.01 (default: leave-one-kind-out where there is a --test and three kinds of attack, else accuracy)")
	flags.StringVar(&f.dataset, "dataset", "", "also write a table's split rows below this folder, as Parquet and as the CSV that XGBoost's built-in algorithm reads")
	flags.StringSliceVar(&f.params, "param", nil, "XGBoost parameter, as eta=0.1; repeats; then none is chosen for a table")
	flags.Uint64Var(&f.seed, "seed", 1, "of splits and training")
	flags.StringVar(&f.root, "root", containerRoot, "of a SageMaker training container")
	flags.StringVarP(&f.out, "output", "o", "model.zip", "package to write")
	return c
}

func (f trainFlags) options() (train.Options, error) {
	o := train.Options{Seed: f.seed, Params: map[string]string{}}
	for _, p := range f.params {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return o, usageError(hint(fmt.Errorf("--param %q", p), "write NAME=VALUE, as --param max_depth=5"))
		}
		o.Params[name] = value
	}
	return o, nil
}

// trainLogs learns from raw logs and a label file.
func (a *app) trainLogs(ctx context.Context, f trainFlags) error {
	options, err := f.options()
	if err != nil {
		return err
	}
	labels, err := a.readLabels(f.labels)
	if err != nil {
		return err
	}
	w, err := a.workspace(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := w.ingest(ctx, []string{f.data}); err != nil {
		return err
	}
	if err := w.PutLabels(ctx, "labels", labels); err != nil {
		return err
	}
	_, pkg, err := w.Run(ctx, pipeline.RunOptions{
		Name: "picket-traffic", Seed: f.seed, Train: options, Gate: anything, NoTest: len(f.test) > 0,
		Report: func(s pipeline.StepState) { a.say("%-9s %-7s %s", s.Name, s.State, s.Detail) },
	})
	if err != nil {
		return err
	}
	if len(f.test) == 0 {
		err = a.printEvaluations(pkg)
	}
	if err != nil {
		return err
	}
	for _, folder := range f.test {
		evaluations, err := a.evaluateLogs(ctx, pkg, folder, f.labels)
		if err != nil {
			return err
		}
		if err := a.writeEvaluations(evaluations, "table"); err != nil {
			return err
		}
	}
	return writePackage(f.out, pkg)
}

// anything lets every candidate pass: who trains by hand reads the evaluation.
var anything = train.GateOptions{FPR: 1, ECE: 1, Tolerance: 1}

func (a *app) readLabels(path string) ([]picket.Label, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, hint(err, "a label file has the rows start,end,entity_kind,entity,class,note")
	}
	defer r.Close()
	return train.ReadLabels(r, path)
}

// tableFolds is how often a table's trees are grown to score rows that they have
// not seen.
const tableFolds = 5

// trainTable learns from a labelled table.
func (a *app) trainTable(ctx context.Context, f trainFlags) error {
	options, err := f.options()
	if err != nil {
		return err
	}
	o, err := f.tableOptions()
	if err != nil {
		return err
	}
	table, err := train.ReadTable(f.tables, o)
	if err != nil {
		return hint(err, "see \"picket train --help\" for --columns, --drop and --normal")
	}
	set := table.Dataset
	a.say("read %d rows of %d columns, classes %v", len(set.Examples), len(set.Schema.Names), set.Classes)
	train.GroupIdentical(set)
	fractions := train.Fractions{Train: 0.8, Test: 0.2}
	if len(f.test) > 0 {
		fractions.Test = 0
	}
	train.SplitByGroup(set, fractions, f.seed)
	options.Categories, options.Folds = table.Categories, tableFolds
	if len(f.params) == 0 {
		options.Choose = train.TableParams()
	}
	if options.Threshold, err = f.threshold(len(set.Classes) - 1); err != nil {
		return err
	}
	if f.binary {
		set.Classes = []string{picket.ClassNormal, train.ClassAttack}
	}
	began := time.Now()
	pkg, err := pipeline.Learn(ctx, []*picket.Dataset{set}, pipeline.Learning{
		Name: "picket-table", Data: "rows of the table not trained on", Seed: f.seed, Options: options,
		Training: map[string]any{"files": table.Files, "label": f.label, "dropped": f.drop, "skipped": f.skip},
	})
	if err != nil {
		return err
	}
	a.say("trained in %.1f s", time.Since(began).Seconds())
	if len(f.test) == 0 {
		err = a.printEvaluations(pkg)
	} else {
		err = a.testTables(pkg, set, f, o)
	}
	if err != nil {
		return err
	}
	if f.dataset != "" {
		if err := a.writeDataset(ctx, set, f.dataset); err != nil {
			return err
		}
	}
	return writePackage(f.out, pkg)
}

// threshold reads --threshold.
func (f trainFlags) threshold(kinds int) (train.ThresholdOptions, error) {
	switch f.cut {
	case train.ThresholdAccuracy, train.ThresholdLeaveOut:
		return train.ThresholdOptions{Method: f.cut}, nil
	case "":
		if len(f.test) > 0 && kinds > 2 {
			return train.ThresholdOptions{Method: train.ThresholdLeaveOut}, nil
		}
		return train.ThresholdOptions{Method: train.ThresholdAccuracy}, nil
	}
	budget, err := strconv.ParseFloat(f.cut, 64)
	if err != nil || !(budget > 0 && budget < 1) {
		return train.ThresholdOptions{}, usageError(hint(fmt.Errorf("--threshold %q", f.cut), "use accuracy, leave-one-kind-out or a part of the normal rows, as 0.01"))
	}
	return train.ThresholdOptions{Method: train.ThresholdBudget, Budget: budget}, nil
}

// writeDataset writes the split rows below a folder, under the hash of their content.
func (a *app) writeDataset(ctx context.Context, set *picket.Dataset, folder string) error {
	bucket, err := bucketAt(ctx, folder)
	if err != nil {
		return err
	}
	defer closeBucket(bucket)
	counts := train.Counts{Rows: len(set.Examples), ByClass: map[string]int{}}
	for i := range set.Examples {
		counts.ByClass[set.Examples[i].Class]++
	}
	p := pipeline.New(pipeline.Default(), pipeline.Deps{Bucket: bucket, Now: time.Now, TempDir: os.TempDir()})
	snapshot, err := p.PutDataset(ctx, []*picket.Dataset{set}, counts, "by groups of identical rows; test rows of --test, where there is one")
	if err != nil {
		return err
	}
	a.say("dataset %s/%s%s", strings.TrimSuffix(folder, "/"), picket.DatasetsPrefix, snapshot.ID)
	return nil
}

func (f trainFlags) tableOptions() (train.TableOptions, error) {
	o := train.TableOptions{Label: f.label, Drop: f.drop, Normal: f.normal, Skip: f.skip}
	if f.label == "" {
		return o, usageError(hint(errors.New("--table needs --label"), "name the column that holds the class"))
	}
	if f.columns == "" {
		return o, nil
	}
	r, err := os.Open(f.columns)
	if err != nil {
		return o, err
	}
	defer r.Close()
	o.Columns, err = train.ReadColumns(r, f.columns)
	return o, err
}

// testTables measures the package on each test table, once. The last one's
// evaluation is kept in the package, and all their rows in the set's test split.
func (a *app) testTables(pkg *train.Package, set *picket.Dataset, f trainFlags, o train.TableOptions) error {
	for _, path := range f.test {
		e, rows, err := evaluateTable(&pkg.Model, path, o, f.seed)
		if err != nil {
			return err
		}
		set.Examples = append(set.Examples, rows...)
		pkg.Evaluations[pkg.Model.Boosters[0].ID] = e
		if err := a.printReports([]train.Report{e.Picket}); err != nil {
			return err
		}
	}
	return nil
}

// evaluateTable measures a table's model on another table of the same columns: a
// file, or a folder of files. It returns the rows, too.
func evaluateTable(m *picket.Model, path string, o train.TableOptions, seed uint64) (*train.Evaluation, []picket.Example, error) {
	paths, err := filesOf(path)
	if err != nil {
		return nil, nil, err
	}
	b := &m.Boosters[0]
	o.Like, o.Drop = b, nil
	table, err := train.ReadTable(paths, o)
	if err != nil {
		return nil, nil, err
	}
	set := table.Dataset
	set.Booster, set.Schema = b.ID, b.Schema
	for i := range set.Examples {
		set.Examples[i].Split = picket.SplitTest
	}
	e, err := pipeline.EvaluateOn(m, set, path, seed)
	return e, set.Examples, err
}

// filesOf returns a file, or the files of a folder in the order of their names.
func filesOf(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(path, e.Name())); err == nil && info.Mode().IsRegular() {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	return files, nil
}

// printEvaluations prints the figures of every booster that was tested.
func (a *app) printEvaluations(pkg *train.Package) error {
	var reports []train.Report
	for i := range pkg.Model.Boosters {
		if e := pkg.Evaluations[pkg.Model.Boosters[i].ID]; e != nil {
			reports = append(reports, e.Picket)
		}
	}
	if len(reports) == 0 {
		a.say("no booster has test rows both normal and malicious: nothing was measured")
		return nil
	}
	return a.printReports(reports)
}

func (a *app) printReports(reports []train.Report) error {
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "BOOSTER\tTESTED ON\tROWS\tMALICIOUS\tACCURACY\tMACRO F1\tAUC\tRECALL\tFPR\tRECALL AT 1 %\tAT 0.1 %\tECE")
	for _, r := range reports {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\n", cmp.Or(r.Booster, "table"), r.Data,
			r.Rows, r.Malicious, r.Accuracy, r.MacroF1, r.AUC, r.Recall, r.FPR, r.RecallAt1, r.RecallAt01, r.Calibration.ECE)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return a.printClasses(reports)
}

// printClasses prints how each class of the last report was met.
func (a *app) printClasses(reports []train.Report) error {
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "BOOSTER\tCLASS\tROWS\tDETECTED\tPRECISION\tRECALL\tF1")
	for _, r := range reports {
		var names []string
		for name := range r.Classes {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			c := r.Classes[name]
			fmt.Fprintf(t, "%s\t%s\t%d\t%.4f\t%.4f\t%.4f\t%.4f\n", r.Booster, oneLine(name), c.Rows, c.Detected, c.Precision, c.Recall, c.F1)
		}
	}
	return t.Flush()
}
