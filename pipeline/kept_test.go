package pipeline

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"picket"
	"picket/pipeline/train"
)

// shipped is the package in the binary, of every detector.
func shipped(t *testing.T) *train.Package {
	t.Helper()
	f, err := os.Open("../cmd/picket/default/model.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pkg, err := train.ReadPackage(f)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

// shippedNames are the boosters of a package whose rows are made as they were.
func shippedNames(pkg *train.Package) map[string]*picket.Booster {
	all := map[string]*picket.Booster{}
	for i := range pkg.Model.Boosters {
		b := &pkg.Model.Boosters[i]
		all[b.ID.String()] = b
	}
	return all
}

// TestRetrainKeepsDetectors trains on labels that speak of scans alone, over a live
// package that finds phishing and strange logins, too: the candidate finds all of it,
// in one process and as separate jobs, and the registry goes on from there.
func TestRetrainKeepsDetectors(t *testing.T) {
	ctx := context.Background()
	before := shipped(t)
	o := RunOptions{Name: "site", Seed: 1, NoTest: true, Train: train.Options{Params: map[string]string{"num_round": "5", "early_stopping_rounds": "0"}}}
	over := func() *Pipeline {
		p := site(t)
		at := train.Transition{By: "test"}
		if err := p.PutModel(ctx, before); err != nil {
			t.Fatal(err)
		}
		if _, err := p.ChangeStages(ctx, func(s train.Stages) (train.Stages, error) {
			err := errors.Join(s.Register(before.Model.ID, at), s.Approve(before.Model.ID, at), s.Deploy(at))
			return s, err
		}); err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := over()
	state, pkg, err := p.Run(ctx, o)
	if err != nil {
		t.Fatalf("%v: %+v", err, state)
	}
	have, had := shippedNames(pkg), shippedNames(before)
	if got, want := slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(had)); !slices.Equal(got, want) {
		t.Errorf("boosters %q, want %q", got, want)
	}
	kept, _ := pkg.Model.Training["kept"].(map[string]string)
	learned := 0
	for id, b := range have {
		from, isKept := kept[id]
		if same := had[id] != nil && bytes.Equal(b.Trees, had[id].Trees); same != isKept || isKept && from != before.Model.ID {
			t.Errorf("%s is kept from %.8q, its trees are the live ones: %t", id, from, same)
		}
		if !isKept {
			learned++
		}
		if pkg.Snapshots[b.ID] == nil {
			t.Errorf("%s has no rows to measure drift by", id)
		}
	}
	if learned == 0 || have["phishing/name/0"] == nil || kept["phishing/name/0"] == "" || kept["access/principal/86400"] == "" {
		t.Errorf("%d boosters learned, kept %v", learned, kept)
	}
	if !strings.Contains(state.Steps[3].Detail, "kept for want of labels") {
		t.Errorf("the train step says %q", state.Steps[3].Detail)
	}
	if _, err := ServePackage(pkg); err != nil {
		t.Errorf("the candidate does not serve: %v", err)
	}
	keepsOnAndOn(t, p, pkg, o, before.Model.ID)
	keepsAsJobs(t, over(), o, pkg)
}

// keepsOnAndOn makes a candidate live and trains again: what is kept twice is still
// said to be from where its figures are.
func keepsOnAndOn(t *testing.T, p *Pipeline, pkg *train.Package, o RunOptions, first string) {
	t.Helper()
	ctx, at := context.Background(), train.Transition{By: "test"}
	if _, err := p.ChangeStages(ctx, func(s train.Stages) (train.Stages, error) {
		err := errors.Join(s.Approve(pkg.Model.ID, at), s.Deploy(at))
		return s, err
	}); err != nil {
		t.Fatal(err)
	}
	o.Seed = 2
	_, again, err := p.Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if kept, _ := again.Model.Training["kept"].(map[string]string); kept["phishing/name/0"] != first {
		t.Errorf("kept %v, want it from %.8s", kept, first)
	}
}

// keepsAsJobs trains as SageMaker does.
func keepsAsJobs(t *testing.T, p *Pipeline, o RunOptions, want *train.Package) {
	t.Helper()
	if err := p.Close(context.Background(), true, nil); err != nil {
		t.Fatal(err)
	}
	f, err := finishedAsJobs(t, p, o, t.TempDir())
	if err != nil && !errors.Is(err, errNoTest) {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := errors.Join(want.Write(&a), f.Package.Write(&b)); err != nil {
		t.Fatal(err)
	}
	if want.Model.ID != f.Package.Model.ID {
		t.Errorf("the jobs made %.12s of %d boosters, one process %.12s of %d", f.Package.Model.ID, len(f.Package.Model.Boosters), want.Model.ID, len(want.Model.Boosters))
	}
}
