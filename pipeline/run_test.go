package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"picket"
	"picket/pipeline/train"
	"picket/simulate"
	"picket/store"
)

// bufferedObject puts what is written to it once it is closed.
type bufferedObject struct {
	strings.Builder
	put func(string) error
}

func (o *bufferedObject) Close() error { return o.put(o.String()) }

// drop writes small random networks, one after the other in time, into raw/ and
// labels/ of a bucket. It returns their labels and the start of the last but one.
func drop(b store.Bucket, seeds ...uint64) (truths []simulate.Truth, late int64, err error) {
	ctx := context.Background()
	at := nine
	for i, seed := range seeds {
		script, err := simulate.Random(seed, "lab")
		if err != nil {
			return nil, 0, err
		}
		if script.Start = at; i == len(seeds)-2 {
			late = at.Unix()
		}
		at = at.Add(script.Duration).Truncate(time.Hour).Add(2 * time.Hour)
		folder := path.Join("network", string(rune('a'+seed%26)))
		sum, err := simulate.Write(ctx, script, "zeek-json", func(name string) (io.WriteCloser, error) {
			prefix := picket.RawPrefix
			if name == "labels.csv" {
				prefix = picket.LabelsPrefix
			}
			return &bufferedObject{put: func(body string) error {
				_, err := b.Put(ctx, prefix+path.Join(folder, name), strings.NewReader(body))
				return err
			}}, nil
		})
		if err != nil {
			return nil, 0, err
		}
		truths = append(truths, sum.Labels...)
	}
	return truths, late, nil
}

// trained is one run of the training pipeline, shared by the tests that need a
// real model.
var trained = sync.OnceValues(func() (*ran, error) {
	r := &ran{bucket: store.NewMemory(nil)}
	truths, late, err := drop(r.bucket, 1004, 1007, 1015, 1024, 1033, 1040)
	if err != nil {
		return nil, err
	}
	r.pipeline = New(Default(), Deps{Bucket: r.bucket, Now: func() time.Time { return nine.Add(72 * time.Hour) }})
	r.state, r.pkg, err = r.pipeline.Run(context.Background(), RunOptions{
		Name: "tiny", Seed: 1, Approve: true, MaxRows: 2000, TestFrom: late, Truths: truths,
		Gate:  train.GateOptions{FPR: 1, ECE: 1, Tolerance: 1},
		Train: train.Options{Params: map[string]string{"num_round": "15", "early_stopping_rounds": "0"}},
		Serve: func(s Serving) error { r.served = s; return nil },
	})
	r.labeller = TruthLabeller(truths)
	return r, err
})

type ran struct {
	bucket   store.Bucket
	pipeline *Pipeline
	state    RunState
	pkg      *train.Package
	served   Serving
	labeller func(seconds int64) *train.Labeller
}

// TestUsual takes the lower median of the normal rows that have a value.
func TestUsual(t *testing.T) {
	nan := math.NaN()
	var rows []picket.Example
	for i, values := range [][]float64{{1, nan, nan}, {9, 5, nan}, {2, nan, nan}, {4, 7, nan}, {0, 6, 1}} {
		e := picket.Example{Class: picket.ClassNormal}
		if e.Values = values; i == 4 {
			e.Class = picket.ClassScan
		}
		rows = append(rows, e)
	}
	got := usual(picket.NewSchema([]string{"a", "b", "c"}), rows)
	if want := map[string]float64{"a": 2, "b": 5}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestRun(t *testing.T) {
	r, err := trained()
	if err != nil {
		t.Fatalf("%v: %+v", err, r.state)
	}
	ctx := context.Background()
	for _, s := range r.state.Steps {
		if s.State != StepDone {
			t.Errorf("step %s is %s: %s", s.Name, s.State, s.Detail)
		}
	}
	runs, err := r.pipeline.Runs(ctx)
	if err != nil || len(runs) != 1 || runs[0].Model != r.pkg.Model.ID || !slices.Equal(runs[0].Steps, r.state.Steps) {
		t.Errorf("runs/ says %+v, %v", runs, err)
	}
	for _, b := range r.pkg.Model.Boosters {
		if b.Usual["flow_count"] < 1 {
			t.Errorf("%s: usual %v", b.ID, b.Usual)
		}
	}
	var snapshot Snapshot
	if err := readJSON(ctx, r.bucket, picket.DatasetsPrefix+r.state.Dataset+"/dataset.json", &snapshot); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, r.bucket, picket.DatasetsPrefix); len(got) != len(snapshot.Files)+1 || len(got) < 6 {
		t.Errorf("datasets/ has %d objects, its manifest %d files", len(got), len(snapshot.Files))
	}
	for name, want := range snapshot.Files {
		in, _, err := r.bucket.Get(ctx, picket.DatasetsPrefix+r.state.Dataset+"/"+name)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(in)
		if in.Close(); err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s is not what its manifest says", name)
		}
		csv := strings.TrimSuffix(name, ".parquet") + ".csv"
		if path.Ext(name) == ".parquet" && snapshot.Files[csv] == "" {
			t.Errorf("%s has no CSV beside it", name)
		}
	}
	live, err := r.pipeline.LiveModel(ctx)
	if err != nil || live.Model.ID != r.pkg.Model.ID {
		t.Fatalf("live model: %v", err)
	}
	if r.served.Model == nil || r.served.Model.ID != live.Model.ID {
		t.Error("nobody was told what serves")
	}
}

// TestSameBits scores the same windows as training does, from the dataset, and as
// serving does, from the bucket with the package read back: the margins and the
// calibrated probabilities are the same to the bit.
func TestSameBits(t *testing.T) {
	r, err := trained()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	gathered, err := r.pipeline.Gather(ctx, 2000, r.labeller, nil)
	if err != nil {
		t.Fatal(err)
	}
	type bits struct{ margin, malicious float64 }
	learned := map[picket.Window]bits{}
	for _, set := range gathered.Datasets() {
		b := r.pkg.Model.Booster(set.Booster)
		if b == nil {
			continue
		}
		scored, err := train.ScoreBooster(b, set.Examples)
		if err != nil {
			t.Fatal(err)
		}
		for i := range scored {
			learned[set.Examples[i].Window] = bits{scored[i].Margin, scored[i].P}
		}
	}
	live, err := r.pipeline.LiveModel(ctx)
	if err != nil {
		t.Fatal(err)
	}
	serving, err := Serve(&live.Model)
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	err = r.pipeline.Rows(ctx, func(f *picket.Features) error {
		want, ok := learned[f.Window]
		if !ok {
			return nil
		}
		scores, err := serving.Scorer.Score(ctx, []picket.Features{*f}, false)
		if err == nil && (scores[0].Margin != want.margin || scores[0].Malicious != want.malicious) {
			t.Errorf("%s: served %v and %v, trained %v", f.Window, scores[0].Margin, scores[0].Malicious, want)
		}
		same++
		return err
	})
	if err != nil || same < 500 {
		t.Errorf("%d rows compared, %v", same, err)
	}
}

// TestLiveModel lets a trained model find, object by object, what it finds at once.
func TestLiveModel(t *testing.T) {
	r, err := trained()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	f := func(turns bool) map[string]string {
		b := store.NewMemory(nil)
		if _, _, err := drop(b, 1024); err != nil {
			t.Fatal(err)
		}
		p := pipelineOver(t, b)
		l := NewLive(p, r.served)
		events := 0
		l.Detected = func(d Detected) { events += len(d.Events) }
		err := p.RawObjects(ctx, func(raw Raw) error {
			if err := l.Take(ctx, raw); err != nil || !turns {
				return err
			}
			return l.Turn(ctx, false)
		})
		if err == nil {
			err = l.Turn(ctx, true)
		}
		if err != nil {
			t.Fatal(err)
		}
		if events == 0 {
			t.Error("a trained model found nothing")
		}
		return outcome(t, p)
	}
	if step, once := f(true), f(false); !maps.Equal(step, once) {
		t.Errorf("object by object differs from all at once:\n%s", differ(step, once))
	}
}
