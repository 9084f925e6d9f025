package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"picket"
	"picket/pipeline/train"
	"picket/simulate"
)

// Step is one step of the training pipeline: what it reads, what it writes, how
// often it is tried. Locally the steps run in this order; on SageMaker the same
// names and file shapes do.
type Step struct {
	Name   string   `json:"name"`
	Does   string   `json:"does"`
	Reads  []string `json:"reads"`
	Writes []string `json:"writes"`
	Tries  int      `json:"tries"`

	run func(e *execution, ctx context.Context) (string, error)
}

// Steps returns the definition of the training pipeline.
func Steps() []Step {
	return []Step{
		{"extract", "raw logs to window parts", []string{picket.RawPrefix}, []string{picket.WindowsPrefix, picket.DuePrefix, picket.QuarantinePrefix}, 2, (*execution).extract},
		{"close", "window parts to features", []string{picket.WindowsPrefix, picket.DuePrefix}, []string{picket.FeaturesPrefix}, 2, (*execution).close},
		{"dataset", "features and labels to split datasets", []string{picket.FeaturesPrefix, picket.LabelsPrefix}, []string{picket.DatasetsPrefix}, 1, (*execution).dataset},
		{"train", "datasets to boosters, calibrated and with their thresholds", []string{picket.DatasetsPrefix}, nil, 1, (*execution).train},
		{"evaluate", "boosters on rows that they have not seen", []string{picket.DatasetsPrefix}, nil, 1, (*execution).evaluate},
		{"gate", "the candidate against the floors and the live model, on the same rows", nil, nil, 1, (*execution).gate},
		{"register", "the package to the registry, as candidate", nil, []string{picket.ModelsPrefix}, 2, (*execution).register},
		{"deploy", "the approved candidate to the endpoint", []string{picket.ModelsPrefix}, []string{picket.ModelsPrefix}, 2, (*execution).deploy},
	}
}

// gateStep is the place of the gate among the steps.
const gateStep = 5

// States of a step.
const (
	StepPending = "pending"
	StepRunning = "running"
	StepDone    = "done"
	StepFailed  = "failed"
	StepSkipped = "skipped"
)

// StepState is how far a step of a run is.
type StepState struct {
	Name   string        `json:"name"`
	State  string        `json:"state"`
	Detail string        `json:"detail,omitempty"` // what came of it, or why it failed
	Took   time.Duration `json:"took_ns,omitempty"`
}

// RunState is one execution of the pipeline, kept in runs/ID.json.
type RunState struct {
	ID      string      `json:"id"`
	Started time.Time   `json:"started"`
	Steps   []StepState `json:"steps"`
	Dataset string      `json:"dataset,omitempty"`
	Model   string      `json:"model,omitempty"`
	Failed  string      `json:"failed,omitempty"` // the step that failed
}

// RunOptions steer Run. The zero value trains on the labels of the bucket, splits
// by time and entity, and leaves the candidate for a person to approve.
type RunOptions struct {
	Name     string
	TestFrom int64 // Unix seconds: rows from here on are for the test alone; 0 splits by shares of time
	NoTest   bool  // learns from every row: what tests the model comes from elsewhere
	ByEntity bool  // splits by entity and incident alone, for logs too short to split by time
	MaxRows  int   // of each class and booster; 0 is 20,000
	Approve  bool  // approve and deploy what passes the gate
	Seed     uint64
	Gate     train.GateOptions
	Train    train.Options
	Shape    Shape               // the boosters to train and their classes; nil takes what the labels give
	Truths   []simulate.Truth    // of simulated raw logs, in place of labels/
	Accept   bool                // go on where verdicts contradict each other or move too much
	MaxMoved float64             // part of the frozen validation rows that verdicts may move over the cut; 0 is 0.01
	Serve    func(Serving) error // told when a model goes live; may be nil
	Report   func(StepState)     // told when a step ends; may be nil

	// Learn fits the datasets; nil is Learn. The demo's own test replaces it by
	// models that must not pass.
	Learn func(ctx context.Context, sets []*picket.Dataset, l Learning) (*train.Package, error)

	before *train.Package // scores now: what it has and the candidate lacks is kept
}

// complete fills in defaults.
func (o *RunOptions) complete() {
	if o.Learn == nil {
		o.Learn = Learn
	}
	if o.MaxRows == 0 {
		o.MaxRows = 20_000
	}
}

// execution is a run under way.
type execution struct {
	p        *Pipeline
	o        RunOptions
	state    RunState
	prepared Prepared
	pkg      *train.Package
}

// Run executes the training pipeline over the bucket and returns its state, also
// where a step failed.
func (p *Pipeline) Run(ctx context.Context, o RunOptions) (RunState, *train.Package, error) {
	o.complete()
	e := &execution{p: p, o: o}
	e.state.Started = p.deps.Now().UTC()
	e.state.ID = e.state.Started.Format("20060102T150405.000000000Z")
	for _, s := range Steps() {
		e.state.Steps = append(e.state.Steps, StepState{Name: s.Name, State: StepPending})
	}
	for i, s := range Steps() {
		if err := e.step(ctx, i, s); err != nil {
			return e.state, e.pkg, fmt.Errorf("pipeline step %s: %w", s.Name, err)
		}
	}
	return e.state, e.pkg, nil
}

func (e *execution) step(ctx context.Context, i int, s Step) error {
	st := &e.state.Steps[i]
	st.State = StepRunning
	if err := e.save(ctx); err != nil {
		return err
	}
	began := e.p.deps.Now()
	var err error
	for range s.Tries {
		if st.Detail, err = s.run(e, ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	st.Took = e.p.deps.Now().Sub(began)
	switch {
	case errors.Is(err, errSkipped):
		st.State, err = StepSkipped, nil
	case err != nil:
		st.State, st.Detail, e.state.Failed = StepFailed, err.Error(), s.Name
	default:
		st.State = StepDone
	}
	if e.o.Report != nil {
		e.o.Report(*st)
	}
	return errors.Join(err, e.save(context.WithoutCancel(ctx)))
}

var errSkipped = errors.New("skipped")

func (e *execution) save(ctx context.Context) error {
	body, err := json.MarshalIndent(e.state, "", "  ")
	if err != nil {
		return err
	}
	_, err = e.p.deps.Bucket.Put(ctx, picket.RunsPrefix+e.state.ID+".json", bytes.NewReader(append(body, '\n')))
	return err
}

// Runs returns every execution, the newest first.
func (p *Pipeline) Runs(ctx context.Context) ([]RunState, error) {
	var all []RunState
	for info, err := range p.deps.Bucket.List(ctx, picket.RunsPrefix, "") {
		if err != nil {
			return nil, err
		}
		var r RunState
		if err := readJSON(ctx, p.deps.Bucket, info.Key, &r); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	slices.Reverse(all)
	return all, nil
}

func (e *execution) extract(ctx context.Context) (string, error) {
	var objects, records, refused uint64
	err := e.p.IngestAll(ctx, func(r Raw, in Ingested, err error) error {
		if err != nil {
			e.p.deps.Log.Error("object left out", "stage", "ingest", "key", r.Key, "error", err)
			return ctx.Err()
		}
		objects++
		records += in.Stats.Records
		for _, n := range in.Stats.Dropped {
			refused += n
		}
		return nil
	})
	return fmt.Sprintf("%d raw objects, %d records, %d lines set aside", objects, records, refused), err
}

func (e *execution) close(ctx context.Context) (string, error) {
	var slots, rows, conversations uint64
	err := e.p.Close(ctx, true, func(closed []Closed) error {
		for _, c := range closed {
			slots++
			rows += c.Rows
			conversations += c.Conversations
		}
		return nil
	})
	return fmt.Sprintf("%d slots closed: %d rows of features", slots, rows), err
}

func (e *execution) dataset(ctx context.Context) (string, error) {
	var err error
	e.prepared, err = e.p.Prepare(ctx, e.o)
	e.state.Dataset = e.prepared.Snapshot.ID
	counts := e.prepared.Snapshot.Counts
	said := fmt.Sprintf("%d rows: %s, %d unlabelled", counts.Rows, byClass(counts.ByClass), counts.Unlabelled)
	if n := len(e.prepared.Verdicts); n > 0 {
		said += fmt.Sprintf("; %d verdicts on %d rows", n, e.prepared.Judged)
	}
	return said, err
}

// byClass says how many rows each class has, the most first.
func byClass(counts map[string]int) string {
	classes := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for i, class := range classes {
		classes[i] = fmt.Sprintf("%d %s", counts[class], class)
	}
	return strings.Join(classes, ", ")
}

// labeller gives rows their class: by the truth of a simulation, or by labels/ and
// the given verdicts.
func (p *Pipeline) labeller(ctx context.Context, o *RunOptions, verdicts []picket.Verdict) (func(seconds int64) *train.Labeller, error) {
	if o.Truths != nil {
		return TruthLabeller(o.Truths), nil
	}
	labels, err := p.Labels(ctx)
	if err != nil {
		return nil, err
	}
	if found := contradictions(verdicts, labels); len(found) > 0 && !o.Accept {
		return nil, fmt.Errorf("%w that contradict each other: %s", ErrVerdicts, strings.Join(found, " | "))
	}
	l := train.NewLabeller(append(labels, verdictLabels(verdicts)...))
	return func(int64) *train.Labeller { return l }, p.Talks(ctx, l)
}

// splitRule says in words how rows are split.
func (o *RunOptions) splitRule() string {
	switch {
	case o.NoTest:
		return "by entity and incident, no test rows"
	case o.ByEntity:
		return "by entity and incident"
	case o.TestFrom != 0:
		return "test from " + time.Unix(o.TestFrom, 0).UTC().Format(time.RFC3339) + ", the rest by entity and incident"
	}
	return "by time and entity; where a split would be without attacks, by entity and incident alone"
}

// learnable reports whether every split that is learned from has rows both normal
// and malicious.
func learnable(set *picket.Dataset) bool {
	for _, name := range []string{picket.SplitTrain, picket.SplitValidation, picket.SplitCalibration} {
		if !twoClasses(train.In(set, name)) {
			return false
		}
	}
	return true
}

// split gives each row its split. Rows of one incident never part.
func (o *RunOptions) split(set *picket.Dataset) error {
	switch {
	case o.NoTest:
		fractions := train.DefaultFractions
		fractions.Test = 0
		train.SplitByGroup(set, fractions, o.Seed)
		return nil
	case o.ByEntity:
		train.SplitByGroup(set, train.DefaultFractions, o.Seed)
		return nil
	case o.TestFrom == 0:
		if err := train.SplitByTimeAndEntity(set, train.DefaultFractions, o.Seed); err != nil || learnable(set) {
			return err
		}
		// Too few incidents to part them by time: every split needs some.
		train.SplitByGroup(set, train.DefaultFractions, o.Seed)
		return nil
	}
	var early, late picket.Dataset
	early = *set
	early.Examples = nil
	for _, e := range set.Examples {
		switch {
		case e.Start >= o.TestFrom:
			e.Split = picket.SplitTest
			late.Examples = append(late.Examples, e)
		case e.End() <= o.TestFrom:
			early.Examples = append(early.Examples, e)
		}
	}
	train.SplitByGroup(&early, train.Fractions{Train: 0.6, Validation: 0.2, Calibration: 0.2}, o.Seed)
	set.Examples = append(early.Examples, late.Examples...)
	return nil
}

func (e *execution) train(ctx context.Context) (string, error) {
	var err error
	if e.o.before, err = e.p.scoring(ctx); err != nil {
		return "", err
	}
	if e.pkg, err = e.o.learn(ctx, e.prepared, nil); err != nil {
		return "", err
	}
	said := fmt.Sprintf("%d boosters", len(e.pkg.Model.Boosters))
	if kept, _ := e.pkg.Model.Training[keptFact].(map[string]string); len(kept) > 0 {
		said += fmt.Sprintf(", %d of them kept for want of labels", len(kept))
	}
	if len(e.prepared.Verdicts) == 0 {
		return said, nil
	}
	most, err := e.o.bearing(ctx, e.prepared, e.pkg)
	return fmt.Sprintf("%s; verdicts move at most %.2f %% of the frozen validation rows", said, 100*most), err
}

func (e *execution) evaluate(context.Context) (string, error) {
	if e.o.NoTest {
		return "no test rows", errSkipped
	}
	if len(e.pkg.Evaluations) == 0 {
		return "", errNoTest
	}
	least := 1.0
	for _, ev := range e.pkg.Evaluations {
		least = min(least, ev.Picket.AUC)
	}
	return fmt.Sprintf("%d boosters on rows not trained on, the least AUC %.4f", len(e.pkg.Evaluations), least), nil
}

var errNoTest = errors.New("no booster has test rows both normal and malicious")

func (e *execution) gate(ctx context.Context) (string, error) {
	j, err := e.p.Judge(ctx, e.prepared.Sets, e.pkg, e.o)
	switch {
	case err != nil:
		return "", err
	case j.Verdict == GateFailed:
		return "", fmt.Errorf("the candidate is not good enough: %s", strings.Join(j.Reasons, "; "))
	case j.Verdict == GateUnjudged:
		return fmt.Sprintf("no booster has %d malicious test rows to be judged by: a person must", gateRows), errSkipped
	}
	return fmt.Sprintf("passed by %d boosters; the others have fewer than %d malicious test rows", j.Judged, gateRows), nil
}

func (e *execution) register(ctx context.Context) (string, error) {
	if err := e.p.PutModel(ctx, e.pkg); err != nil {
		return "", err
	}
	e.state.Model = e.pkg.Model.ID
	_, err := e.p.ChangeStages(ctx, func(s train.Stages) (train.Stages, error) {
		err := s.Register(e.pkg.Model.ID, train.Transition{Time: e.p.deps.Now().Unix(), By: "run " + e.state.ID})
		return s, err
	})
	return e.pkg.Model.ID[:12], err
}

func (e *execution) deploy(ctx context.Context) (string, error) {
	if !e.o.Approve || e.state.Steps[gateStep].State == StepSkipped {
		return "waits for \"picket model approve\"", errSkipped
	}
	at := train.Transition{Time: e.p.deps.Now().Unix(), By: "run " + e.state.ID, Why: "passed the gate"}
	_, err := e.p.ChangeStages(ctx, func(s train.Stages) (train.Stages, error) {
		if err := s.Approve(e.pkg.Model.ID, at); err != nil {
			return s, err
		}
		err := s.Deploy(at)
		return s, err
	})
	if err != nil {
		return "", err
	}
	serving, err := Serve(&e.pkg.Model)
	if err != nil || e.o.Serve == nil {
		return "live", err
	}
	return "live", e.o.Serve(serving)
}
