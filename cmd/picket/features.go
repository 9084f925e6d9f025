package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"picket"
	"picket/pipeline"
	"picket/pipeline/extract"
)

func (a *app) featuresCommand() *cobra.Command {
	var output, detector, kind string
	var columns []string
	var window, lateness time.Duration
	var describe, coverage bool
	var q pipeline.Query
	c := &cobra.Command{
		Use: "features PATH...", Short: "Raw log files in, rows of features out",
		Long: `Reads raw network logs and prints one row for each entity and window. A value that
a log cannot fill is missing (an empty cell, null), which is not 0. --describe
lists the features instead: unit, meaning, what fills them, what attack moves them.

Each window is printed once: at the end of the input, or with --lateness as soon as
the records of its log have gone on for so long after its end; what comes later is
dropped and counted as late. "-" is stdin, either way. --coverage prints instead
where the logs say that they have no records: NODATA and SKIPDATA of flow logs.`,
		Example: "  picket features --window 1h --entity 192.168.56.1 testdata/logs/ssh-guessing.pcap",
		RunE: func(c *cobra.Command, args []string) error {
			if describe {
				return describeFeatures(a.stdout, output)
			}
			if err := someArgs("at least one log file or folder")(c, args); err != nil {
				return err
			}
			road, err := roadFor(detector)
			if err != nil {
				return err
			}
			schema := road.Schema()
			if len(columns) > 0 {
				if q.Columns, err = extract.Columns(schema, columns); err != nil {
					return usageError(hint(err, `see "picket features --describe"`))
				}
				schema = picket.NewSchema(columns)
			}
			if kind != "" {
				q.Kinds = []picket.Kind{picket.Kind(kind)}
			}
			if q.Seconds = int64(window / time.Second); window != 0 && !hasWindows(road, window) {
				return usageError(hint(fmt.Errorf("--window %s: no rows of %s are so wide", window, road.Detector), "use 1m, 10m, 1h or 24h for traffic, 1h or 24h for access, 1h for phishing"))
			}
			live := c.Flags().Changed("lateness")
			write, err := rowWriter(output, schema, live)
			if err != nil {
				return err
			}
			w, err := a.workspace(c.Context())
			if err != nil {
				return err
			}
			defer w.Close()
			rows := func(emit func(*picket.Features) error) error { return w.rows(c.Context(), road, q, emit) }
			if coverage {
				return w.coverage(c.Context(), args, output)
			}
			if live {
				return write(a.stdout, func(emit func(*picket.Features) error) error {
					return w.stream(c.Context(), args, road, lateness, q, emit)
				})
			}
			if road.Detector == picket.DetectorTraffic {
				straight, err := w.straight(c.Context(), args)
				if err != nil {
					return err
				}
				defer straight.Close()
				rows = func(emit func(*picket.Features) error) error { return straight.Rows(c.Context(), q, emit) }
			} else if err := w.fill(c.Context(), args); err != nil {
				return err
			}
			return write(a.stdout, a.counted(road.Detector, rows))
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "csv", "csv, jsonl or parquet; with --describe: table or json")
	c.Flags().StringVar(&detector, "detector", picket.DetectorTraffic, "whose rows: traffic, access or phishing")
	c.Flags().StringVar(&q.Entity, "entity", "", "only this address, name or principal")
	c.Flags().DurationVar(&window, "window", 0, "only this width: 1m, 10m, 1h or 24h (default: all)")
	c.Flags().StringVar(&kind, "kind", "", "only entities of this kind: actor, victim, name or principal (default: all)")
	c.Flags().StringSliceVar(&columns, "columns", nil, "only these features, in this order: what nobody asks for is not computed")
	c.Flags().DurationVar(&lateness, "lateness", 0, "print each window as soon as its log has gone on for this long after its end (default: at the end of the input)")
	c.Flags().BoolVar(&coverage, "coverage", false, "list where the logs have no records, and why")
	c.Flags().BoolVar(&describe, "describe", false, "list the features, not their values")
	return c
}

// hasWindows reports whether a detector has rows of a width; those of logs of ten
// minutes are traffic's too.
func hasWindows(road *extract.Road, width time.Duration) bool {
	seconds := int64(width / time.Second)
	return width%time.Second == 0 && slices.Contains(road.Widths, seconds) || road.Detector == picket.DetectorTraffic && width == picket.TenMinutes*time.Second
}

// counted says so where there are no rows: an empty table looks like a fault.
func (a *app) counted(detector string, rows eachRow) eachRow {
	return func(emit func(*picket.Features) error) error {
		n := 0
		err := rows(func(f *picket.Features) error {
			n++
			return emit(f)
		})
		if err == nil && n == 0 {
			a.say("no such rows of %s; see --detector, --entity and --window", detector)
		}
		return err
	}
}

// softLimit is what the collector keeps a reading of flows near, unless GOMEMLIMIT
// says otherwise: half as much again as the tables may hold.
const softLimit = extract.DefaultMaxBytes * 3 / 2

// straight reads flows: nothing is written to a bucket on the way.
func (w *workspace) straight(ctx context.Context, paths []string) (*pipeline.Straight, error) {
	raws, total, err := w.app.toRead(ctx, paths)
	if err != nil {
		return nil, err
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softLimit)
	}
	bar := w.app.progress("reading", total)
	done := make([]pipeline.Ingested, len(raws))
	s, err := w.ReadStraight(ctx, raws, func(i int, in pipeline.Ingested) {
		bar.Add(raws[i].Size)
		done[i] = in
	})
	bar.Done()
	if err != nil {
		return nil, err
	}
	return s, w.app.reportIngested(done)
}

// stream reads objects in their order and hands over each window once it is final.
func (w *workspace) stream(ctx context.Context, paths []string, road *extract.Road, lateness time.Duration, q pipeline.Query, emit func(*picket.Features) error) error {
	if lateness < 0 {
		return usageError(fmt.Errorf("--lateness %s: it cannot be less than nothing", lateness))
	}
	raws, _, err := w.app.toRead(ctx, paths)
	if err != nil {
		return err
	}
	done, err := w.Stream(ctx, raws, road, lateness, q, emit)
	if err != nil {
		return err
	}
	if done.Late > 0 {
		w.app.say("dropped %d records that came after their window was printed: a longer --lateness keeps them", done.Late)
	}
	return w.app.reportIngested(done.Objects)
}

// coverage reads objects for where they have no records.
func (w *workspace) coverage(ctx context.Context, paths []string, output string) error {
	raws, _, err := w.app.toRead(ctx, paths)
	if err != nil {
		return err
	}
	var done []pipeline.Ingested
	s, err := w.ReadStraight(ctx, raws, func(_ int, in pipeline.Ingested) { done = append(done, in) })
	if err != nil {
		return err
	}
	defer s.Close()
	if err := w.app.reportIngested(done); err != nil {
		return err
	}
	gaps, left := gapsOf(done)
	if left > 0 {
		w.app.say("coverage: %d more lines of intervals without records, for which there was no room", left)
	}
	return writeCoverage(w.app.stdout, output, gaps)
}

// fill reads names or logins into the workspace's bucket and closes over them.
func (w *workspace) fill(ctx context.Context, paths []string) error {
	if _, err := w.ingest(ctx, paths); err != nil {
		return err
	}
	return w.closeAll(ctx)
}

// rows gives the rows of a road from the workspace's bucket.
func (w *workspace) rows(ctx context.Context, road *extract.Road, q pipeline.Query, emit func(*picket.Features) error) error {
	return w.Rows(ctx, func(f *picket.Features) error {
		if extract.RoadOf(f.Source) != road || !q.Wants(f) {
			return nil
		}
		if q.Columns != nil {
			row := *f
			row.Values = make([]float64, len(q.Columns))
			for i, at := range q.Columns {
				row.Values[i] = f.Values[at]
			}
			f = &row
		}
		return emit(f)
	})
}

// describeFeatures prints the catalogue.
func describeFeatures(w io.Writer, form string) error {
	if form == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(catalogue())
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FEATURE\tUNIT\tMEANING\tSTATE\tSOURCES\tMOVED BY")
	for _, f := range catalogue() {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, f.Unit, f.Meaning, f.State, f.Sources, f.Moves)
	}
	return t.Flush()
}

// catalogue is every feature of every detector.
func catalogue() []extract.Feature {
	all := slices.Clone(extract.Catalogue)
	for _, f := range extract.NameCatalogue {
		all = append(all, f.Feature)
	}
	for _, f := range extract.AccessCatalogue {
		all = append(all, extract.Feature{Name: f.Name, Version: f.Version, Unit: f.Unit, Meaning: f.Meaning, State: f.State, Sources: f.Sources, Moves: f.Moves})
	}
	return all
}

// eachRow calls emit for every row and returns the first error.
type eachRow func(emit func(*picket.Features) error) error

// roadFor returns the road whose rows a detector reads.
func roadFor(detector string) (*extract.Road, error) {
	for _, source := range []string{picket.SourceVPC, picket.SourceAccess, picket.SourceNames} {
		if road := extract.RoadOf(source); road != nil && road.Detector == detector {
			return road, nil
		}
	}
	return nil, usageError(hint(fmt.Errorf("no detector %q", detector), "use traffic, access or phishing"))
}

func rowWriter(form string, schema picket.Schema, live bool) (func(io.Writer, eachRow) error, error) {
	switch form {
	case "csv":
		return func(w io.Writer, each eachRow) error { return csvRows(w, schema, live, each) }, nil
	case "jsonl":
		return func(w io.Writer, each eachRow) error { return jsonRows(w, schema, live, each) }, nil
	case "parquet":
		return func(w io.Writer, each eachRow) error { return pipeline.WriteRows(w, schema, each) }, nil
	}
	return nil, usageError(hint(fmt.Errorf("output %q", form), "use csv, jsonl or parquet"))
}

// keyColumns come before the features in every form.
var keyColumns = []string{"entity_kind", "entity", "window_start", "window_seconds", "source"}

func keyCells(f *picket.Features) []string {
	return []string{string(f.Entity.Kind), f.Entity.ID, rfc3339(f.Start), strconv.FormatInt(f.Seconds, 10), f.Source}
}

func rfc3339(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// csvRows writes a row as soon as it is there where that matters.
func csvRows(w io.Writer, schema picket.Schema, live bool, each eachRow) error {
	out := csv.NewWriter(w)
	if err := out.Write(slices.Concat(keyColumns, schema.Names)); err != nil {
		return err
	}
	err := each(func(f *picket.Features) error {
		cells := keyCells(f)
		for _, v := range f.Values {
			cells = append(cells, numberCell(v))
		}
		err := out.Write(cells)
		if live {
			out.Flush()
		}
		return err
	})
	out.Flush()
	return cmp.Or(err, out.Error())
}

// numberCell is the shortest text that reads as v again, empty where it is missing.
func numberCell(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func jsonRows(w io.Writer, schema picket.Schema, live bool, each eachRow) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	err := each(func(f *picket.Features) error {
		row := map[string]any{
			"entity_kind": f.Entity.Kind, "entity": f.Entity.ID, "window_start": rfc3339(f.Start),
			"window_seconds": f.Seconds, "source": f.Source,
		}
		for i, name := range schema.Names {
			row[name] = nil
			if !math.IsNaN(f.Values[i]) {
				row[name] = f.Values[i]
			}
		}
		err := e.Encode(row)
		if live {
			err = cmp.Or(err, b.Flush())
		}
		return err
	})
	return cmp.Or(err, b.Flush())
}
