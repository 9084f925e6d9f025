package main

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"picket/pipeline"
)

// What the demo hides in an account and among names is found by the boosters that
// ship, and nothing else is.
func TestDemoNames(t *testing.T) {
	ctx := context.Background()
	d := &demo{app: &app{stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, quiet: true}, folder: t.TempDir()}
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	close := func() map[int64]bool {
		t.Helper()
		err := d.pipeline.RawObjects(ctx, func(r pipeline.Raw) error {
			_, err := d.pipeline.Ingest(ctx, r)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		days := map[int64]bool{}
		err = d.pipeline.Close(ctx, true, func(closed []pipeline.Closed) error {
			for _, c := range closed {
				days[c.Day] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return days
	}
	if _, err := d.dropAccount(ctx, "old", func(at time.Time) bool { return at.Before(demoNew) }); err != nil {
		t.Fatal(err)
	}
	close()
	intrusions, err := d.dropAccount(ctx, "new", func(at time.Time) bool { return !at.Before(demoNew) })
	if err != nil {
		t.Fatal(err)
	}
	lures, err := d.dropLookups(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(intrusions) != 6 || len(lures) != 6 {
		t.Fatalf("%d intrusions, %d lures", len(intrusions), len(lures))
	}
	pkg, err := defaultPackage()
	if err != nil {
		t.Fatal(err)
	}
	s, err := pipeline.ServePackage(pkg)
	if err != nil {
		t.Fatal(err)
	}
	r := &demoReport{}
	days := close()
	if len(days) != 1 || !days[demoNew.Unix()] {
		t.Errorf("the new logs close days %v", days) // what was learned from is told of again
	}
	for day := range days {
		got, err := d.pipeline.Detect(ctx, s.Model, s.Scorer, day)
		if err != nil {
			t.Fatal(err)
		}
		r.Findings = append(r.Findings, got.Events...)
	}
	r.judge(nil, slices.Concat(intrusions, lures))
	for _, a := range r.Attacks {
		if !a.Found && a.Entities[0] != sshGuesser {
			t.Errorf("missed: %s %s strength %g: %s", a.Class, a.Kind, a.Strength, a.Entities[0])
		}
	}
	for _, f := range r.Findings {
		t.Log(f.Sentence)
	}
	if len(r.Benign) > 0 {
		t.Errorf("flagged: %v", r.Benign)
	}
}
