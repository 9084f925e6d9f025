package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"picket/pipeline"
	"picket/pipeline/train"
	"picket/store"
)

// TestFollow changes the registry of a running system from a second process:
// what is deployed or rolled back to scores and answers, without a restart.
func TestFollow(t *testing.T) {
	ctx := context.Background()
	folder := t.TempDir()
	a := &app{stdout: os.Stdout, stderr: &bytes.Buffer{}, getenv: os.Getenv, quiet: true}
	s := defaultSettings()
	s.Data = folder
	u, err := a.newUp(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := store.OpenDisk(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	other := pipeline.New(pipeline.Default(), pipeline.Deps{Bucket: bucket, Now: time.Now})
	change := func(step func(s *train.Stages) error) {
		t.Helper()
		_, err := other.ChangeStages(ctx, func(s train.Stages) (train.Stages, error) {
			err := step(&s)
			return s, err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	register := func(name string) string {
		t.Helper()
		pkg, err := defaultPackage()
		if err != nil {
			t.Fatal(err)
		}
		pkg.Model.Name = name
		if err := other.PutModel(ctx, pkg); err != nil {
			t.Fatal(err)
		}
		change(func(s *train.Stages) error { return s.Register(pkg.Model.ID, train.Transition{}) })
		return pkg.Model.ID
	}
	approve := func(s *train.Stages) error { return s.Approve(s.Candidate, train.Transition{}) }
	deploy := func(s *train.Stages) error { return s.Deploy(train.Transition{}) }
	f := func(want string, fails bool) {
		t.Helper()
		if _, err := u.refresh(ctx); (err != nil) != fails {
			t.Errorf("refresh: %v", err)
		}
		serving := u.live.Serving()
		if serving.Model.ID != want || u.endpoint.Model() != want || serving.Package.Model.ID != want {
			t.Errorf("detection has %.12s, the endpoint %.12s, drift %.12s; want %.12s", serving.Model.ID, u.endpoint.Model(), serving.Package.Model.ID, want)
		}
	}
	shipped := u.live.Serving().Model.ID
	f(shipped, false)
	one := register("one")
	f(shipped, false) // a candidate does not serve,
	change(approve)
	f(shipped, false) // nor does what is only approved
	change(deploy)
	f(one, false)
	two := register("two")
	change(approve)
	change(deploy)
	f(two, false)
	change(func(s *train.Stages) error { return s.Rollback(train.Transition{}) })
	f(one, false)

	// A package that cannot be read leaves the one that serves.
	if err := os.WriteFile(filepath.Join(folder, "models", two+".zip"), []byte("noise"), 0o644); err != nil {
		t.Fatal(err)
	}
	change(func(s *train.Stages) error { return s.Rollback(train.Transition{}) })
	f(one, true)
}
