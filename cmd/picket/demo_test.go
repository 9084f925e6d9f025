package main

import (
	"context"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
	"picket/simulate"
)

// learner is what the demo learns with.
type learner func(context.Context, []*picket.Dataset, pipeline.Learning) (*train.Package, error)

// TestDemoFails lets the demo learn what it must not pass with: from shuffled
// labels, from rows that say nothing, and with a threshold that everything is
// over. The three share one folder, so its logs become features once.
func TestDemoFails(t *testing.T) {
	ctx := context.Background()
	d := &demo{app: &app{stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, quiet: true}, folder: t.TempDir()}
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	lessons, err := demoLessons()
	if err != nil {
		t.Fatal(err)
	}
	truths, err := d.drop(ctx, "to learn from", fewer(lessons))
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, learn learner, want string) {
		t.Run(name, func(t *testing.T) {
			d.learn = learn
			report := &demoReport{}
			endpoint, err := d.train(ctx, truths, report)
			if err != nil {
				t.Fatal(err)
			}
			if endpoint != nil {
				endpoint.stop()
				t.Error("it was deployed")
			}
			if err := report.verdict(); err == nil || !strings.Contains(err.Error(), "gate") {
				t.Errorf("the demo's verdict is %v, want that the gate stopped it", err)
			}
			gate := report.Stages[slices.IndexFunc(report.Stages, func(s pipeline.StepState) bool { return s.Name == "gate" })]
			if gate.State != pipeline.StepFailed || !strings.Contains(gate.Detail, want) {
				t.Errorf("gate %s: %s, want a word about %s", gate.State, gate.Detail, want)
			}
		})
	}
	f("shuffled labels", shuffled, "AUC")
	f("constant model", constant, "AUC")
	f("always malicious", alarmist, "false positive")
}

// fewer keeps some short lessons.
func fewer(lessons []*simulate.Script) []*simulate.Script {
	return slices.DeleteFunc(lessons, func(s *simulate.Script) bool { return s.Duration >= 4*time.Hour })[:8]
}

// shuffled learns from rows whose classes were dealt out anew.
func shuffled(ctx context.Context, sets []*picket.Dataset, l pipeline.Learning) (*train.Package, error) {
	dice := rand.New(rand.NewPCG(1, 1))
	return pipeline.Learn(ctx, spoilt(sets, func(rows []*picket.Example) {
		dice.Shuffle(len(rows), func(i, j int) { rows[i].Class, rows[j].Class = rows[j].Class, rows[i].Class })
	}), hasty(l))
}

// constant learns from rows of which nothing is known, so that it says the same
// of every row.
func constant(ctx context.Context, sets []*picket.Dataset, l pipeline.Learning) (*train.Package, error) {
	return pipeline.Learn(ctx, spoilt(sets, func(rows []*picket.Example) {
		for _, row := range rows {
			row.Values = make([]float64, len(row.Values))
			for i := range row.Values {
				row.Values[i] = math.NaN()
			}
		}
	}), hasty(l))
}

// alarmist learns as it should, and then calls everything malicious.
func alarmist(ctx context.Context, sets []*picket.Dataset, l pipeline.Learning) (*train.Package, error) {
	pkg, err := pipeline.Learn(ctx, sets, hasty(l))
	if err != nil {
		return nil, err
	}
	for i := range pkg.Model.Boosters {
		pkg.Model.Boosters[i].Threshold.Margin = -1e9
	}
	for _, set := range sets {
		if pkg.Evaluations[set.Booster] == nil {
			continue
		}
		if pkg.Evaluations[set.Booster], err = pipeline.EvaluateOn(&pkg.Model, set, l.Data, l.Seed); err != nil {
			return nil, err
		}
	}
	return pkg, nil
}

// hasty is enough rounds to be wrong.
func hasty(l pipeline.Learning) pipeline.Learning {
	l.Options.Params = maps.Clone(l.Options.Params)
	l.Options.Params["num_round"] = "5"
	return l
}

// spoilt returns the datasets with what is learned from changed; the test rows
// stay as they are.
func spoilt(sets []*picket.Dataset, spoil func([]*picket.Example)) []*picket.Dataset {
	out := make([]*picket.Dataset, len(sets))
	for i, set := range sets {
		copied := *set
		copied.Examples = slices.Clone(set.Examples)
		var learned []*picket.Example
		for j := range copied.Examples {
			if copied.Examples[j].Split != picket.SplitTest {
				learned = append(learned, &copied.Examples[j])
			}
		}
		spoil(learned)
		out[i] = &copied
	}
	return out
}

// TestDemoVerdict is what the demo's exit code follows from.
func TestDemoVerdict(t *testing.T) {
	f := func(r demoReport, want string) {
		t.Helper()
		err := r.verdict()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("verdict %v, want %q", err, want)
		}
	}
	found, missed := demoAttack{Class: "scan", Kind: "syn", Found: true}, demoAttack{Class: "c2", Kind: "beacon"}
	f(demoReport{GatePassed: true, Attacks: []demoAttack{found}, Benign: []string{"a", "b"}}, "")
	f(demoReport{Attacks: []demoAttack{found}}, "gate")
	f(demoReport{GatePassed: true, Attacks: []demoAttack{found, missed}}, "1 attacks were missed: c2 beacon")
	f(demoReport{GatePassed: true, Attacks: []demoAttack{found}, Benign: []string{"a", "b", "c"}}, "3 findings fall on benign")
}

// TestWrapped breaks lines between words, below the first one.
func TestWrapped(t *testing.T) {
	f := func(line string, want ...string) {
		t.Helper()
		if got := wrapped(line); got != strings.Join(want, "\n") {
			t.Errorf("%q", got)
		}
	}
	word := strings.Repeat("é", 59)
	f("high      "+word, "high      "+word)
	f(word+" "+word+"é", word+" "+word+"é") // 120 columns
	f(word+" "+word+"éé", word, "          "+word+"éé")
	f("low       "+word+" "+word+" "+word, "low       "+word, "          "+word, "          "+word)
	f("low       "+word+word+" x", "low       "+word+word, "          x")
	f(word+word+word, word+word+word)
}
