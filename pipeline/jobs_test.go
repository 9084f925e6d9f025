package pipeline

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/gbdt"
	"picket/pipeline/train"
	"picket/store"
)

// TestJobsMakeRunsPackage runs the training pipeline as separate jobs that pass
// folders, and in one process: the packages are the same bytes.
func TestJobsMakeRunsPackage(t *testing.T) {
	ctx := context.Background()
	shape := Shape{
		{Detector: picket.DetectorTraffic, Kind: picket.KindActor, Seconds: picket.Minute}:  {picket.ClassNormal, picket.ClassScan, picket.ClassBruteforce},
		{Detector: picket.DetectorTraffic, Kind: picket.KindVictim, Seconds: picket.Minute}: {picket.ClassNormal, picket.ClassDDoS, picket.ClassScan, picket.ClassBruteforce},
		{Detector: picket.DetectorAccess, Kind: picket.KindPrincipal, Seconds: picket.Hour}: {picket.ClassNormal, picket.ClassAccess},
	}
	o := RunOptions{
		Name: "tiny", Seed: 1, MaxRows: 2000, Shape: shape,
		Gate:  train.GateOptions{FPR: 1, ECE: 1, Tolerance: 1},
		Train: train.Options{Params: map[string]string{"num_round": "10", "early_stopping_rounds": "3"}},
	}
	over := func() *Pipeline {
		b := store.NewMemory(nil)
		if _, _, err := drop(b, 1004, 1007, 1015, 1024); err != nil {
			t.Fatal(err)
		}
		return New(Default(), Deps{Bucket: b, Now: func() time.Time { return nine.Add(72 * time.Hour) }, TempDir: t.TempDir()})
	}
	whole := over()
	state, want, err := whole.Run(ctx, o)
	if err != nil {
		t.Fatalf("%v %+v", err, state)
	}

	p, dir := over(), t.TempDir()
	if err := p.RawObjects(ctx, func(r Raw) error { _, err := p.Ingest(ctx, r); return err }); err != nil {
		t.Fatal(err)
	}
	forgetMarks(t, p)
	if err := errors.Join(p.MarkAll(ctx), p.Close(ctx, true, nil)); err != nil {
		t.Fatal(err)
	}
	f, err := finishedAsJobs(t, p, o, dir)
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := errors.Join(want.Write(&a), f.Package.Write(&b)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("package %s of jobs differs from %s of one process: %v\n%v", f.Package.Model.ID, want.Model.ID, f.Package.Model.Training, want.Model.Training)
	}
	if n := len(want.Model.Boosters); n != 2 || want.Model.Training["skipped"] == nil {
		t.Errorf("%d boosters, skipped %v", n, want.Model.Training["skipped"])
	}
	_, err = p.Finish(ctx, dir, func(string) ([]byte, error) { return []byte("binf\x00\x00"), nil })
	if err == nil || !strings.Contains(err.Error(), "old binary format") {
		t.Errorf("trees of the old binary format: %v", err)
	}
}

// forgetMarks deletes every mark, as when parts come from elsewhere.
func forgetMarks(t *testing.T, p *Pipeline) {
	t.Helper()
	for _, key := range keys(t, p.deps.Bucket, picket.DuePrefix) {
		if err := p.deps.Bucket.Delete(context.Background(), key); err != nil {
			t.Fatal(err)
		}
	}
}

// trainChannels is a training job.
func trainChannels(t *testing.T, dir, folder string) []byte {
	t.Helper()
	var plan train.Plan
	if err := readJSONFile(filepath.Join(dir, folder, planName), &plan); err != nil {
		t.Fatal(err)
	}
	read := func(name string) gbdt.TrainData {
		f, err := os.Open(filepath.Join(dir, folder, name, name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var c train.Channel
		if err := c.Read(f, true); err != nil {
			t.Fatal(err)
		}
		return c.Data(c.Cols())
	}
	params, err := gbdt.ParseParams(plan.Params)
	if err != nil {
		t.Fatal(err)
	}
	model, err := gbdt.Train(context.Background(), params, read("train"), gbdt.Watch("train", read("train")), gbdt.Watch("validation", read("validation")))
	if err != nil {
		t.Fatal(err)
	}
	model = model.Slice(0, model.BestRound()+1)
	var body bytes.Buffer
	if err := model.WriteUBJ(&body); err != nil {
		t.Fatal(err)
	}
	return body.Bytes()
}

// finishedAsJobs trains as SageMaker does: what is closed goes through folders below dir.
func finishedAsJobs(t *testing.T, p *Pipeline, o RunOptions, dir string) (Finished, error) {
	t.Helper()
	ctx := context.Background()
	in, err := p.Prepare(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.WriteDataset(ctx, in, o, dir); err != nil {
		t.Fatal(err)
	}
	return p.Finish(ctx, dir, func(folder string) ([]byte, error) { return trainChannels(t, dir, folder), nil })
}
