package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
	"picket/simulate"
	"picket/store"
)

// maxBenignFindings is how many findings on benign entities the demo forgives.
const maxBenignFindings = 2

func (a *app) demoCommand() *cobra.Command {
	var asJSON bool
	var keep string
	c := &cobra.Command{
		Use: "demo", Short: "The main job, from raw logs to explained findings",
		Long: `Starts from an empty folder: drops raw logs of several formats into it (simulated
attacks mixed into benign traffic), trains a model on them, evaluates it on hours
that it has not seen, gates, registers and deploys it to a local endpoint; then
drops new raw logs, simulated and real, and scores them through that endpoint: flows,
an AWS account with intruders in it (CloudTrail), an office's lookups with names that
phish (a resolver's log). What judges access and names is shipped, not trained here.
Exit code 0 only if every attack was found, at most 2 findings fall on benign
entities, and the gate passed.`,
		Args:    exactArgs(0, "no arguments"),
		Example: "  picket demo",
		RunE: func(c *cobra.Command, _ []string) error {
			d := &demo{app: a, folder: keep}
			if !asJSON {
				d.out = a.stdout
			}
			report, err := d.run(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(a.stdout)
				e.SetIndent("", "  ")
				if err := e.Encode(report); err != nil {
					return err
				}
			}
			return report.verdict()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	c.Flags().StringVar(&keep, "keep", "", "work in this empty folder and leave everything there")
	return c
}

// demo runs the main job in a folder of its own.
type demo struct {
	app    *app
	folder string
	out    io.Writer // nil: say nothing
	learn  func(context.Context, []*picket.Dataset, pipeline.Learning) (*train.Package, error)

	pipeline *pipeline.Pipeline
	bucket   store.Bucket
}

// demoReport is what came of it.
type demoReport struct {
	Stages      []pipeline.StepState `json:"stages"`
	Evaluation  []train.Report       `json:"evaluation"`
	Attacks     []demoAttack         `json:"attacks"`
	Findings    []picket.Finding     `json:"findings"`
	Benign      []string             `json:"benign_entities_flagged"`
	GatePassed  bool                 `json:"gate_passed"`
	TookSeconds float64              `json:"took_seconds"`
}

// demoAttack is one attack that is hidden in the new logs.
type demoAttack struct {
	Class    string   `json:"class"`
	Kind     string   `json:"kind"`
	Strength float64  `json:"strength"`
	Entities []string `json:"entities"`
	Found    bool     `json:"found"`

	start, end int64 // Unix seconds
}

// verdict is nil if the demo showed what it must.
func (r *demoReport) verdict() error {
	var missed []string
	for _, a := range r.Attacks {
		if !a.Found {
			missed = append(missed, fmt.Sprintf("%s %s %g", a.Class, a.Kind, a.Strength))
		}
	}
	switch {
	case !r.GatePassed:
		return errors.New("the model did not pass the gate")
	case len(missed) > 0:
		return fmt.Errorf("%d attacks were missed: %s", len(missed), strings.Join(missed, ", "))
	case len(r.Benign) > maxBenignFindings:
		return fmt.Errorf("%d findings fall on benign entities: %s", len(r.Benign), strings.Join(r.Benign, ", "))
	}
	return nil
}

func (d *demo) say(format string, args ...any) {
	if d.out != nil {
		fmt.Fprintln(d.out, wrapped(fmt.Sprintf(format, args...)))
	}
}

// Lines of the demo are as wide at most, and begin with a word of up to so many
// letters, below which they go on.
const (
	demoColumns = 120
	demoIndent  = 10
)

// wrapped breaks a line between words where it is too long. A word that is longer
// than a line stays whole.
func wrapped(line string) string {
	var b strings.Builder
	for utf8.RuneCountInString(line) > demoColumns {
		fits := len(string([]rune(line)[:demoColumns+1])) // a space may stand behind the last column
		at := strings.LastIndexByte(line[:fits], ' ')
		if at <= demoIndent {
			if at = strings.IndexByte(line[fits:], ' '); at < 0 {
				break
			}
			at += fits
		}
		b.WriteString(line[:at] + "\n")
		line = strings.Repeat(" ", demoIndent) + line[at+1:]
	}
	b.WriteString(line)
	return b.String()
}

func (d *demo) run(ctx context.Context) (*demoReport, error) {
	began := time.Now()
	if err := d.open(); err != nil {
		return nil, err
	}
	if d.folder == "" {
		defer os.RemoveAll(d.bucket.(*store.Disk).Dir())
	}
	report := &demoReport{}
	lessons, err := demoLessons()
	if err != nil {
		return nil, err
	}
	truths, err := d.drop(ctx, "to learn from", lessons)
	if err != nil {
		return nil, err
	}
	fresh := func(at time.Time) bool { return !at.Before(demoNew) }
	if _, err := d.dropAccount(ctx, "to be known by", func(at time.Time) bool { return !fresh(at) }); err != nil {
		return nil, err
	}
	endpoint, err := d.train(ctx, truths, report)
	if err != nil || endpoint == nil {
		return report, err
	}
	defer endpoint.stop()
	task, err := simulate.Load("demo-new")
	if err != nil {
		return nil, err
	}
	if truths, err = d.drop(ctx, "new", []*simulate.Script{task}); err != nil {
		return nil, err
	}
	intrusions, err := d.dropAccount(ctx, "new", fresh)
	if err != nil {
		return nil, err
	}
	lures, err := d.dropLookups(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.dropExcerpts(ctx); err != nil {
		return nil, err
	}
	if report.Findings, err = d.detect(ctx, endpoint); err != nil {
		return nil, err
	}
	report.judge(truths, slices.Concat(intrusions, lures))
	report.TookSeconds = time.Since(began).Seconds()
	d.tell(report)
	return report, nil
}

// open makes the empty folder that the demo starts from.
func (d *demo) open() error {
	folder := d.folder
	if folder == "" {
		var err error
		if folder, err = os.MkdirTemp("", "picket-demo-"); err != nil {
			return hint(err, "set TMPDIR to a folder that can be written")
		}
	} else if entries, err := os.ReadDir(folder); err == nil && len(entries) > 0 {
		return hint(fmt.Errorf("%s is not empty", folder), "name an empty folder with --keep")
	}
	bucket, err := store.OpenDisk(folder)
	if err != nil {
		return err
	}
	d.bucket = bucket
	d.pipeline = pipeline.New(pipeline.Default(), pipeline.Deps{Bucket: bucket, Now: time.Now, TempDir: filepath.Join(folder, ".picket")})
	return nil
}
