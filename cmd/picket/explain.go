package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"picket"
	"picket/pipeline"
	"picket/pipeline/extract"
	"picket/pipeline/train"
	"picket/pipeline/triage"
)

func (a *app) explainCommand() *cobra.Command {
	var data string
	var limit int
	c := &cobra.Command{
		Use: "explain UID", Short: "Why a finding fired, with the rows behind it",
		Long: `Shows a finding of the bucket: what was said when, the features that moved it, the
raw objects with their lines, and the largest conversations of its window.`,
		Args:    exactArgs(1, "the uid of a finding, or its beginning"),
		Example: "  picket explain --data picket-data fd3b",
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.open(c.Context(), data)
			if err != nil {
				return err
			}
			f, err := p.LatestFinding(c.Context(), args[0])
			if err != nil {
				return hint(err, "run \"picket up\" or \"picket demo\"; uids are in findings/")
			}
			return a.explain(c.Context(), p, f, limit)
		},
	}
	c.Flags().StringVar(&data, "data", "", dataUsage)
	c.Flags().IntVar(&limit, "rows", 20, "conversations to show")
	return c
}

// open opens the bucket in a folder with a pipeline over it.
func (a *app) open(ctx context.Context, data string) (*pipeline.Pipeline, error) {
	s, err := a.settings()
	if err != nil {
		return nil, err
	}
	if data != "" {
		s.Data = data
	}
	bucket, err := bucketAt(ctx, s.Data)
	if err != nil {
		return nil, err
	}
	return pipeline.New(s.Pipeline, pipeline.Deps{Bucket: bucket, Now: time.Now, Version: version, Shipped: func() (*train.Package, error) { return a.loadPackage(s.Model) }}), nil
}

func (a *app) explain(ctx context.Context, p *pipeline.Pipeline, f picket.Finding, limit int) error {
	fmt.Fprintf(a.stdout, "%s\n%s\n\n", oneLine(f.Title), oneLine(f.Sentence))
	tactic, technique := triage.Technique(&f)
	fmt.Fprintf(a.stdout, "uid %s, told %s, status %s, severity %s, ATT&CK %s %s\n", f.UID, times(f.Count), f.Status, f.Severity, tactic, technique)
	fmt.Fprintf(a.stdout, "model %.12s, window %s, margin %.3f over threshold %.3f (%s)\n\n", f.Model, f.Window(), f.Margin, f.Threshold, f.Cut)
	if err := writeReasons(a.stdout, f.Reasons); err != nil {
		return err
	}
	for _, fact := range f.Facts {
		fmt.Fprintf(a.stdout, "\n%s: %s", oneLine(fact.Name), oneLine(fact.Value))
	}
	if v := f.Verdict; v != nil {
		fmt.Fprintf(a.stdout, "\nverdict: %s, by %s at %s %s", v.Says, oneLine(v.Author), time.Unix(v.At, 0).UTC().Format(time.RFC3339), oneLine(v.Reason))
	}
	fmt.Fprintln(a.stdout, "\nRests on")
	for _, e := range f.Evidence {
		fmt.Fprintf(a.stdout, "  %s lines %d to %d, %d conversations\n", oneLine(e.Object), e.FirstLine, e.LastLine, e.Flows)
	}
	rows, err := p.Conversations(ctx, f, limit)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, "\nLargest conversations")
	return writeConversations(a.stdout, rows)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func writeReasons(w io.Writer, reasons []picket.Contribution) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MOVED BY\tVALUE\tLOG-ODDS")
	for i, r := range reasons {
		if i == 12 {
			break
		}
		value := "missing"
		if !math.IsNaN(r.Value) {
			value = fmt.Sprintf("%.6g", r.Value)
		}
		fmt.Fprintf(t, "%s\t%s\t%+.3f\n", r.Feature, value, r.Shap)
	}
	return t.Flush()
}

func writeConversations(w io.Writer, rows []extract.ConversationRow) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MINUTE\tOPENED BY\tOPENED TO\tPROTO\tSENT\tRECEIVED\tFROM")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s:%d\t%s:%d\t%d\t%d packets, %d bytes\t%d packets, %d bytes\t%s:%d\n", rfc3339(r.Minute),
			r.Actor, r.ActorPort, r.Victim, r.VictimPort, r.Proto, r.ActorPackets, r.ActorBytes, r.VictimPackets, r.VictimBytes,
			oneLine(filepath.Base(r.Object)), r.FirstLine)
	}
	return t.Flush()
}
