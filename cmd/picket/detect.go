package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"picket"
	"picket/pipeline"
	"picket/pipeline/infer"
	"picket/pipeline/triage"
)

func (a *app) detectCommand() *cobra.Command {
	var model, output, failOn, keep string
	var lists, places []string
	var perDay, anomalies float64
	c := &cobra.Command{
		Use: "detect PATH...", Short: "Raw log files or folders in, findings out",
		Long: `Reads raw logs (flows, packets, names, logins and API calls; plain, gzip or
zstd; files, folders, s3://NAME/PREFIX; "-" is stdin) and prints findings: who did what to whom, when, how sure
Picket is and why. Everything over the shipped thresholds is told, unless
--alerts-per-day says otherwise. Nothing leaves this machine, and nothing is written
but where --keep says.`,
		Args:    someArgs("at least one log file or folder"),
		Example: "  picket detect -o csv testdata/logs/ssh-guessing.pcap",
		RunE: func(c *cobra.Command, args []string) error {
			print, err := printer(output)
			if err != nil {
				return err
			}
			tagged, err := parseLists(lists)
			if err != nil {
				return err
			}
			findings, err := a.detect(c.Context(), detecting{model, keep, perDay, anomalies, tagged, places}, args)
			if err != nil {
				return err
			}
			if err := print(a.stdout, findings); err != nil {
				return err
			}
			if len(findings) == 0 {
				a.say("nothing found")
			}
			return failing(findings, failOn)
		},
	}
	c.Flags().StringVar(&model, "model", "", "model package (default: the one in this binary)")
	c.Flags().StringVarP(&output, "output", "o", "table", "table, json, jsonl (OCSF Detection Finding) or csv")
	c.Flags().StringVar(&keep, "keep", "", "leave the bucket here, in a folder or at s3://NAME/PREFIX, for \"picket explain --data\"")
	c.Flags().Float64Var(&perDay, "alerts-per-day", 0, alertsPerDayUsage)
	c.Flags().Float64Var(&anomalies, "anomalies-per-day", 0, "tell so many a day of what is unusual after 24 h of the same input, beside what the model says; 0 is none")
	c.Flags().StringArrayVar(&lists, "list", nil, "TAG=FILE: addresses, networks and names of yours, one a line; tags: "+strings.Join(triage.ListTags(), ", "))
	c.Flags().StringArrayVar(&places, "places", nil, "file in MaxMind's format, of countries or autonomous systems: tells where calls come from")
	c.Flags().StringVar(&failOn, "fail-on", "", "exit 3 if a finding has this severity or above: low, medium, high or critical")
	return c
}

// detecting is how files are looked through.
type detecting struct {
	model, keep       string
	alerts, anomalies float64 // findings a day: of the model, and of the baseline
	lists             []pipeline.ListFile
	places            []string
}

// parseLists reads the --list flags.
func parseLists(flags []string) ([]pipeline.ListFile, error) {
	var lists []pipeline.ListFile
	for _, text := range flags {
		tag, path, _ := strings.Cut(text, "=")
		l := pipeline.ListFile{Tag: tag, Path: path}
		err := l.Validate()
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			return nil, usageError(hint(fmt.Errorf("--list %q: %w", text, err), "as in --list tor=exits.txt"))
		}
		lists = append(lists, l)
	}
	return lists, nil
}

// detect runs the whole path over files and returns what is left of the findings.
func (a *app) detect(ctx context.Context, d detecting, paths []string) ([]picket.Finding, error) {
	model, scorer, err := a.loadModel(d.model)
	if err != nil {
		return nil, err
	}
	w, err := a.workspaceIn(ctx, d.keep, func(c *pipeline.Config) {
		c.AlertsPerDay, c.AnomaliesPerDay = d.alerts, d.anomalies
		c.Lists, c.Places = append(c.Lists, d.lists...), append(c.Places, d.places...)
	})
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if _, err := w.ingest(ctx, paths); err != nil {
		return nil, err
	}
	if err := w.closeAll(ctx); err != nil {
		return nil, err
	}
	return w.findings(ctx, model, scorer)
}

// findings detects in every day that has features.
func (w *workspace) findings(ctx context.Context, model *picket.Model, scorer *infer.Scorer) ([]picket.Finding, error) {
	days, err := w.Days(ctx)
	if err != nil {
		return nil, err
	}
	var all []picket.Finding
	for _, day := range days {
		d, err := w.Detect(ctx, model, pipeline.Local{Scorer: scorer}, day)
		if err != nil {
			return nil, err
		}
		w.app.say("thresholds on %s: %s", time.Unix(day, 0).UTC().Format(time.DateOnly), d.Budget)
		all = append(all, d.Events...)
	}
	return all, nil
}

// printer returns what prints findings in the given form.
func printer(form string) (func(w io.Writer, findings []picket.Finding) error, error) {
	switch form {
	case "table":
		return triage.WriteTable, nil
	case "csv":
		return triage.WriteCSV, nil
	case "jsonl":
		return triage.Encoder{Version: version}.WriteJSONL, nil
	case "json":
		return triage.Encoder{Version: version}.WriteJSON, nil
	}
	return nil, usageError(hint(fmt.Errorf("output %q", form), "use table, json, jsonl or csv"))
}

// failing turns findings at or above a severity into exit code 3.
func failing(findings []picket.Finding, severity string) error {
	levels := map[string]picket.Severity{"low": picket.SeverityLow, "medium": picket.SeverityMedium, "high": picket.SeverityHigh, "critical": picket.SeverityCritical}
	level, ok := levels[severity]
	if !ok {
		if severity == "" {
			return nil
		}
		return usageError(hint(fmt.Errorf("--fail-on %q", severity), "use low, medium, high or critical"))
	}
	for _, f := range findings {
		if f.Severity >= level && f.Status != picket.StatusSuppressed {
			return codedError{code: exitFindings}
		}
	}
	return nil
}
