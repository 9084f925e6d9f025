package pipeline

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/pipeline/train"
	"picket/pipeline/triage"
	"picket/store"
)

// poller is a host of our own that asks every port of another now and then: it looks
// like a scanner to who has seen none of its kind.
const poller = "10.0.9.9"

// walkPorts is a log in which a source asks n ports of a target in a minute; with
// answers worth many packets, or none.
func walkPorts(at time.Time, source, target string, n, packets int) string {
	var b strings.Builder
	for port := range n {
		s := at.Add(time.Duration(port%50) * time.Second).Unix()
		fmt.Fprintf(&b, "2 123456789010 eni-1 %s %s %d %d 6 %d %d %d %d ACCEPT OK\n", source, target, 40000+port, 1+port, packets, 84*packets, s, s+5)
		if packets > 1 {
			fmt.Fprintf(&b, "2 123456789010 eni-1 %s %s %d %d 6 %d %d %d %d ACCEPT OK\n", target, source, 1+port, 40000+port, packets, 400*packets, s, s+5)
		}
	}
	return b.String()
}

// site is a bucket with an hour of a network: clients that browse, scanners with
// their labels, and the poller, of which no label speaks.
func site(t *testing.T) *Pipeline {
	t.Helper()
	p := pipelineOver(t, store.NewMemory(nil))
	var log strings.Builder
	var labels []picket.Label
	for minute := range 50 {
		log.WriteString(browsing(nine.Add(time.Duration(minute)*time.Minute), 30))
	}
	for c := range 30 {
		labels = append(labels, picket.Label{Start: nine.Add(-time.Hour).Unix(), End: nine.Add(2 * time.Hour).Unix(), Entity: picket.Entity{Kind: picket.KindActor, ID: fmt.Sprintf("10.0.1.%d", c+1)}, Class: picket.ClassNormal})
	}
	for i := range 24 {
		at, id := nine.Add(time.Duration(2*i)*time.Minute), scanner(i)
		log.WriteString(walkPorts(at, id, fmt.Sprintf("10.0.0.%d", 2+i%5), 60, 1))
		labels = append(labels, picket.Label{Start: at.Unix(), End: at.Unix() + 60, Entity: picket.Entity{Kind: picket.KindActor, ID: id}, Class: picket.ClassScan, Note: id})
	}
	for i := range 10 {
		log.WriteString(walkPorts(nine.Add(time.Duration(5*i)*time.Minute), poller, "10.0.0.7", 60, 10))
	}
	take(t, p, rawText("raw/first.log", nine.Add(2*time.Hour), log.String()))
	if err := p.PutLabels(context.Background(), "test", labels); err != nil {
		t.Fatal(err)
	}
	return p
}

func scanner(i int) string { return fmt.Sprintf("203.0.113.%d", 1+i) }

// learnAndDetect runs the training pipeline and returns what its model says of a day,
// by entity.
func learnAndDetect(t *testing.T, p *Pipeline, day int64) map[string]picket.Finding {
	t.Helper()
	_, pkg, err := p.Run(context.Background(), RunOptions{Name: "site", Seed: 1, NoTest: true, Train: train.Options{Params: map[string]string{"num_round": "20", "early_stopping_rounds": "0"}}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Serve(&pkg.Model)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Detect(context.Background(), s.Model, s.Scorer, day); err != nil {
		t.Fatal(err)
	}
	events, err := p.Findings(context.Background(), day)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]picket.Finding{}
	for _, f := range triage.Latest(events) {
		if f.Status != picket.StatusClosed {
			found[f.Entity.ID] = f
		}
	}
	return found
}

// What an analyst calls a mistake is gone after the next training run, also when it
// happens again on another day, and what else is found stays found.
func TestVerdictFalse(t *testing.T) {
	p := site(t)
	ctx := context.Background()
	day := nine.Unix() - nine.Unix()%picket.Day
	found := learnAndDetect(t, p, day)
	mistake, ok := found[poller]
	if !ok {
		t.Fatalf("the poller is not found, so there is nothing to mend: %v", found)
	}
	if _, err := p.PutVerdict(ctx, mistake.UID, picket.Verdict{Says: picket.VerdictFalse, Author: "ana", Reason: "our inventory"}); err != nil {
		t.Fatal(err)
	}
	f, err := p.LatestFinding(ctx, mistake.UID)
	if err != nil || f.Verdict == nil || f.Verdict.Author != "ana" || f.Count != mistake.Count+1 {
		t.Fatalf("the finding says %+v, told %d times, %v", f.Verdict, f.Count, err)
	}

	// The next day the poller polls again, and sources that nobody labelled scan.
	next := nine.Add(24 * time.Hour)
	var log strings.Builder
	for i := range 10 {
		log.WriteString(walkPorts(next.Add(time.Duration(5*i)*time.Minute), poller, "10.0.0.7", 60, 10))
		log.WriteString(walkPorts(next.Add(time.Duration(4*i)*time.Minute), fmt.Sprintf("198.51.100.%d", 1+i), "10.0.0.3", 60, 1))
	}
	raw := rawText("raw/second.log", next.Add(2*time.Hour), log.String())
	p = New(Default(), Deps{Bucket: p.Bucket(), Now: func() time.Time { return next.Add(3 * time.Hour) }, TempDir: t.TempDir()})
	take(t, p, raw)
	found = learnAndDetect(t, p, day+picket.Day)
	if f, ok := found[poller]; ok {
		t.Errorf("the mistake is made again: %s", f.Sentence)
	}
	for i := range 10 {
		if id := fmt.Sprintf("198.51.100.%d", 1+i); found[id].Class != picket.ClassScan {
			t.Errorf("scanner %s is missed", id)
		}
	}
}

// What is expected is suppressed, for as long as was said, and teaches nothing.
func TestVerdictExpected(t *testing.T) {
	p := site(t)
	ctx := context.Background()
	day := nine.Unix() - nine.Unix()%picket.Day
	uid := learnAndDetect(t, p, day)[poller].UID
	if _, err := p.PutVerdict(ctx, uid, picket.Verdict{Says: picket.VerdictExpected, Author: "ana", Expires: nine.Add(30 * time.Hour).Unix()}); err != nil {
		t.Fatal(err)
	}
	if f, err := p.LatestFinding(ctx, uid); err != nil || f.Status != picket.StatusSuppressed {
		t.Errorf("status %s, %v", f.Status, err)
	}
	if f := learnAndDetect(t, p, day)[poller]; f.Status != picket.StatusSuppressed {
		t.Errorf("after training: status %s", f.Status)
	}
	verdicts, err := p.Verdicts(ctx)
	if err != nil || len(verdicts) != 1 {
		t.Fatal(verdicts, err)
	}
	if l := verdictLabels(verdicts); len(l) != 1 || l[0].Class != train.ClassExcluded {
		t.Errorf("labels %v", l)
	}
	late := New(Default(), Deps{Bucket: p.Bucket(), Now: func() time.Time { return nine.Add(31 * time.Hour) }, TempDir: t.TempDir()})
	if f := learnAndDetect(t, late, day)[poller]; f.Status == picket.StatusSuppressed {
		t.Error("suppressed for ever")
	}
}

// Verdicts that contradict each other, and those that turn the model, stop a run.
func TestVerdictsStop(t *testing.T) {
	p := site(t)
	ctx := context.Background()
	day := nine.Unix() - nine.Unix()%picket.Day
	found := learnAndDetect(t, p, day)
	o := RunOptions{Name: "site", Seed: 1, NoTest: true, Train: train.Options{Params: map[string]string{"num_round": "20", "early_stopping_rounds": "0"}}}
	say := func(id, says, author string) {
		t.Helper()
		if _, err := p.PutVerdict(ctx, found[id].UID, picket.Verdict{Says: says, Author: author}); err != nil {
			t.Fatal(err)
		}
	}
	say(poller, picket.VerdictTrue, "ana")
	say(poller, picket.VerdictFalse, "ben")
	state, _, err := p.Run(ctx, o)
	if !errors.Is(err, ErrVerdicts) || !strings.Contains(err.Error(), "ana says true") || !strings.Contains(err.Error(), "ben says false") || state.Failed != "dataset" {
		t.Errorf("two minds: %v in step %s", err, state.Failed)
	}
	p.deps.Now = func() time.Time { return nine.Add(4 * time.Hour) }
	say(poller, picket.VerdictFalse, "ana") // comes to see it
	if _, _, err := p.Run(ctx, o); err != nil {
		t.Errorf("one mind: %v", err)
	}

	say(scanner(3), picket.VerdictFalse, "ana")
	if _, _, err := p.Run(ctx, o); !errors.Is(err, ErrVerdicts) || !strings.Contains(err.Error(), "a label file has it as scan") {
		t.Errorf("against a label: %v", err)
	}
	o.Accept = true
	if _, _, err := p.Run(ctx, o); err != nil {
		t.Errorf("accepted: %v", err)
	}
}

// Verdicts that no other contradicts, but that turn the model, stop the whole run, by
// the one part in a hundred that is the default. Hosts that poll are labelled normal
// most of the time and scan now and then; an analyst calls so many scans mistakes that
// the rest of them is worth less than such a poll, and the cut above polls loses them.
// Whoever accepts that goes on.
func TestVerdictsMove(t *testing.T) {
	p := site(t)
	ctx := context.Background()
	var log strings.Builder
	var labels []picket.Label
	add := func(id, class string, minute, packets int) {
		at := nine.Add(time.Duration(minute) * time.Minute)
		log.WriteString(walkPorts(at, id, fmt.Sprintf("10.0.0.%d", 2+minute%5), 60, packets))
		if class != "" {
			labels = append(labels, picket.Label{Start: at.Unix(), End: at.Unix() + 60, Entity: picket.Entity{Kind: picket.KindActor, ID: id}, Class: class, Note: id})
		}
	}
	for i := range 24 {
		for k := range 10 {
			add(fmt.Sprintf("192.0.2.%d", 1+i), "", i+2*k, 1)
		}
		add(fmt.Sprintf("198.18.0.%d", 1+i), picket.ClassScan, 2*i+1, 1)
	}
	for i := range 40 {
		class := picket.ClassNormal
		if i%4 == 0 {
			class = picket.ClassScan
		}
		add(fmt.Sprintf("10.0.8.%d", 1+i), class, i, 10)
	}
	take(t, p, rawText("raw/more.log", nine.Add(2*time.Hour), log.String()))
	if err := p.PutLabels(ctx, "more", labels); err != nil {
		t.Fatal(err)
	}
	found := learnAndDetect(t, p, nine.Unix()-nine.Unix()%picket.Day)
	for i := range 24 {
		f, ok := found[fmt.Sprintf("192.0.2.%d", 1+i)]
		if !ok {
			t.Fatalf("scan %d is not found", i)
		}
		if _, err := p.PutVerdict(ctx, f.UID, picket.Verdict{Says: picket.VerdictFalse, Author: "ana"}); err != nil {
			t.Fatal(err)
		}
	}
	o := RunOptions{Name: "site", Seed: 1, NoTest: true, Train: train.Options{Params: map[string]string{"num_round": "20", "early_stopping_rounds": "0"}}}
	before, err := p.Stages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	state, _, err := p.Run(ctx, o)
	if !errors.Is(err, ErrVerdicts) || state.Failed != "train" || !strings.Contains(err.Error(), "more than 1.00 % of the frozen validation rows") || !strings.Contains(err.Error(), "ana says false") {
		t.Errorf("stopped in step %q: %v", state.Failed, err)
	}
	if after, err := p.Stages(ctx); err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("the registry has changed: %v, was %v, %v", after, before, err)
	}
	o.Accept = true
	if state, _, err = p.Run(ctx, o); err != nil || state.Model == "" {
		t.Errorf("accepted: model %q, %v in step %q", state.Model, err, state.Failed)
	}
	o.Accept, o.MaxMoved = false, 1
	if state, _, err = p.Run(ctx, o); err != nil {
		t.Errorf("with any part allowed: %v in step %q", err, state.Failed)
	}
}

// The part of the frozen rows that changes sides is counted by booster.
func TestMoved(t *testing.T) {
	id := picket.BoosterID{Detector: picket.DetectorTraffic, Kind: picket.KindActor, Seconds: picket.Minute}
	set := &picket.Dataset{Booster: id, Schema: picket.NewSchema([]string{"x"}), Classes: []string{picket.ClassNormal, picket.ClassScan}}
	for i := range 400 {
		e := picket.Example{Class: picket.ClassNormal, Group: fmt.Sprint("host ", i%40), Weight: 1, Split: []string{picket.SplitTrain, picket.SplitTrain, picket.SplitValidation, picket.SplitCalibration}[i%4]}
		e.Values = []float64{float64(i % 7)}
		if i%5 == 0 {
			e.Class, e.Group, e.Values[0] = picket.ClassScan, fmt.Sprint("scan ", i%50), float64(20+i%7)
		}
		e.Entity = picket.Entity{Kind: picket.KindActor, ID: e.Group}
		set.Examples = append(set.Examples, e)
	}
	l := Learning{Name: "x", Seed: 1, Options: train.Options{Params: map[string]string{"num_round": "10", "early_stopping_rounds": "0"}}}
	without, err := Learn(context.Background(), []*picket.Dataset{set}, l)
	if err != nil {
		t.Fatal(err)
	}
	with := *without
	with.Model.Boosters = slices.Clone(without.Model.Boosters)
	if parts, err := moved([]*picket.Dataset{set}, &with, without); err != nil || parts[id] != 0 {
		t.Errorf("the same model moves %v, %v", parts, err)
	}
	with.Model.Boosters[0].Threshold.Margin = 1e9 // nothing passes any more: a fifth of the rows did
	if parts, err := moved([]*picket.Dataset{set}, &with, without); err != nil || parts[id] < 0.15 || parts[id] > 0.25 {
		t.Errorf("a model that says nothing moves %v, %v", parts, err)
	}
}
