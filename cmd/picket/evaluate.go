package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
)

func (a *app) evaluateCommand() *cobra.Command {
	var f trainFlags
	var model, output string
	c := &cobra.Command{
		Use: "evaluate", Short: "How good a package is on a labelled table, or on raw logs with labels",
		Long: `Measures a package on data that it has not seen. json has SageMaker's model-quality
shape, one document for each booster; html is one page with PR, ROC, confusion and
calibration plots.`,
		Args:    exactArgs(0, "no arguments, only flags"),
		Example: "  picket evaluate --model flows.zip --table testdata/tables/flows.csv --label class -o json",
		RunE: func(c *cobra.Command, _ []string) error {
			pkg, err := a.loadPackage(model)
			if err != nil {
				return err
			}
			var evaluations []*train.Evaluation
			switch {
			case len(f.tables) > 0:
				evaluations, err = a.evaluateTables(pkg, f)
			case f.data != "" && f.labels != "":
				evaluations, err = a.evaluateLogs(c.Context(), pkg, f.data, f.labels)
			default:
				err = usageError(hint(errors.New("nothing to measure on"), "give --table FILE with --label COLUMN, or --data DIR with --labels FILE"))
			}
			if err != nil {
				return err
			}
			return a.writeEvaluations(evaluations, output)
		},
	}
	flags := c.Flags()
	flags.StringVar(&model, "model", "", "model package (default: the one in this binary)")
	flags.StringVar(&f.data, "data", "", "raw logs: a folder, or s3://NAME/PREFIX")
	flags.StringVar(&f.labels, "labels", "", "label file of the raw logs")
	flags.StringArrayVar(&f.tables, "table", nil, "labelled table; repeats")
	flags.StringVar(&f.label, "label", "", "column of the table that holds the class")
	flags.StringVar(&f.columns, "columns", "", "file with the table's column names, where it has no header")
	flags.StringSliceVar(&f.normal, "normal", nil, "label values that mean normal (default: normal, benign, 0)")
	flags.StringSliceVar(&f.skip, "skip", nil, "label values whose rows are left out")
	flags.StringVarP(&output, "output", "o", "table", "table, json or html")
	return c
}

func (a *app) evaluateTables(pkg *train.Package, f trainFlags) ([]*train.Evaluation, error) {
	o, err := f.tableOptions()
	if err != nil {
		return nil, err
	}
	var all []*train.Evaluation
	for _, path := range f.tables {
		e, _, err := evaluateTable(&pkg.Model, path, o, f.seed)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// evaluateLogs labels the windows of raw logs and scores them.
func (a *app) evaluateLogs(ctx context.Context, pkg *train.Package, folder, labelFile string) ([]*train.Evaluation, error) {
	labels, err := a.readLabels(labelFile)
	if err != nil {
		return nil, err
	}
	w, err := a.workspace(ctx)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if _, err := w.ingest(ctx, []string{folder}); err != nil {
		return nil, err
	}
	if err := w.closeAll(ctx); err != nil {
		return nil, err
	}
	l := train.NewLabeller(labels)
	if err := w.Talks(ctx, l); err != nil {
		return nil, err
	}
	g, err := w.Gather(ctx, 1<<30, func(int64) *train.Labeller { return l }, nil)
	if err != nil {
		return nil, err
	}
	var all []*train.Evaluation
	for _, set := range g.Datasets() {
		for i := range set.Examples {
			set.Examples[i].Split = picket.SplitTest
		}
		e, err := pipeline.EvaluateOn(&pkg.Model, set, folder, 1)
		if err != nil {
			a.say("%s: %s", set.Booster, oneLine(err.Error()))
			continue
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		return nil, hint(fmt.Errorf("no booster of the model has labelled rows of %s, both normal and malicious", folder), "see \"picket train --help\" for what a label file means")
	}
	return all, nil
}

func (a *app) writeEvaluations(all []*train.Evaluation, form string) error {
	slices.SortFunc(all, func(x, y *train.Evaluation) int { return cmp.Compare(x.Picket.Booster, y.Picket.Booster) })
	switch form {
	case "table":
		var reports []train.Report
		for _, e := range all {
			reports = append(reports, e.Picket)
		}
		return a.printReports(reports)
	case "html":
		return train.WritePage(a.stdout, "Evaluation", all...)
	case "json":
		for _, e := range all {
			body, err := e.WriteJSON()
			if err != nil {
				return err
			}
			if _, err := a.stdout.Write(append(body, '\n')); err != nil {
				return err
			}
		}
		return nil
	}
	return usageError(hint(fmt.Errorf("output %q", form), "use table, json or html"))
}
