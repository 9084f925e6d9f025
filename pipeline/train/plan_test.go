package train

import (
	"bytes"
	"context"
	"maps"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"picket"
	"picket/gbdt"
)

// TestPlanGivesFitsBooster grows the trees of a plan from the bytes of its channels,
// as a container elsewhere does, with the dataset read back from Parquet: the booster
// is Fit's to the byte, with splits and cross-fitted.
func TestPlanGivesFitsBooster(t *testing.T) {
	ctx := context.Background()
	for _, folds := range []int{0, 3} {
		d := drawn(600, 1)
		SplitByGroup(d, DefaultFractions, 1)
		o := Options{Seed: 3, Folds: folds, Params: map[string]string{"num_round": "20", "early_stopping_rounds": "3"}}
		want, err := Fit(ctx, d, o)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := NewPlan(ctx, d, o)
		if err != nil {
			t.Fatal(err)
		}
		trees := growElsewhere(t, plan, d)
		got, err := Finish(ctx, throughParquet(t, d), o, plan, trees)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Facts, got.Facts); diff != "" {
			t.Errorf("%d folds: facts: %s", folds, diff)
		}
		if diff := cmp.Diff(want.Booster, got.Booster, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%d folds: %s", folds, diff)
		}
	}
}

// growElsewhere trains on what the channels hold as text.
func growElsewhere(t *testing.T, plan *Plan, d *picket.Dataset) []byte {
	t.Helper()
	channels, err := plan.Channels(d)
	if err != nil {
		t.Fatal(err)
	}
	through := func(data gbdt.TrainData) gbdt.TrainData {
		var text bytes.Buffer
		if err := WriteChannel(&text, data); err != nil {
			t.Fatal(err)
		}
		var c Channel
		if err := c.Read(&text, true); err != nil {
			t.Fatal(err)
		}
		return c.Data(c.Cols())
	}
	params := maps.Clone(plan.Params)
	if plan.Folds > 1 {
		params["early_stopping_rounds"] = params["num_round"] // as a container that is always told some
	}
	p, err := gbdt.ParseParams(params)
	if err != nil {
		t.Fatal(err)
	}
	options := []gbdt.Option{gbdt.Watch("validation", through(channels.Validation))}
	model, err := gbdt.Train(context.Background(), p, through(channels.Train), options...)
	if err != nil {
		t.Fatal(err)
	}
	var trees bytes.Buffer
	if err := model.Slice(0, model.BestRound()+1).WriteUBJ(&trees); err != nil {
		t.Fatal(err)
	}
	return trees.Bytes()
}

func throughParquet(t *testing.T, d *picket.Dataset) *picket.Dataset {
	t.Helper()
	back := &picket.Dataset{Booster: d.Booster, Schema: d.Schema, Classes: d.Classes}
	for _, split := range splitNames {
		var file bytes.Buffer
		if err := WriteParquet(&file, d, split); err != nil {
			t.Fatal(err)
		}
		if err := ReadParquet(bytes.NewReader(file.Bytes()), int64(file.Len()), back, split); err != nil {
			t.Fatal(err)
		}
	}
	other := &picket.Dataset{Booster: d.Booster, Schema: picket.Schema{Names: d.Schema.Names, Hash: "other"}}
	var file bytes.Buffer
	if err := WriteParquet(&file, d, picket.SplitTrain); err != nil {
		t.Fatal(err)
	}
	if err := ReadParquet(bytes.NewReader(file.Bytes()), int64(file.Len()), other, picket.SplitTrain); err == nil {
		t.Error("a split of another schema was read")
	}
	return back
}

func TestChannelRefuses(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		var c Channel
		err := c.Read(bytes.NewBufferString(text), true)
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	f("0,1,2\n1,1,2,3\n", "line 2: 2 features, the first row has 1")
	f("0,1,x\n", `line 1: column 3: "x" is no number`)
	f(",1,2\n", `line 1: column 1: "" is no label or weight`)
	f("0,-1,2\n", `line 1: column 2: "-1" is no label or weight`)
	f("0,1\n", "line 1: 0 features, the first row has 0")
	f("0,1,1e60\n", `line 1: column 3: "1e60" is no number`)
	var c Channel
	if err := c.Read(bytes.NewBufferString("1,,\n"), false); err != nil || !math.IsNaN(float64(c.values[0])) || c.weights[0] != 1 {
		t.Errorf("%v %v %v", c.values, c.weights, err)
	}
}
