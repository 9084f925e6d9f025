package main

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
	"picket/server"
	"picket/simulate"
	"picket/store"
)

// excerpts are real logs, dropped among the new ones; see demo/README.md.
//
//go:embed demo
var excerpts embed.FS

// demoFormats are what the simulated traffic is written as.
var demoFormats = []string{"vpc5", "zeek-json"}

// maxBenignFindings is how many findings on benign entities the demo forgives.
const maxBenignFindings = 2

func (a *app) demoCommand() *cobra.Command {
	var asJSON bool
	var keep string
	c := &cobra.Command{
		Use: "demo", Short: "The main job, from raw logs to explained findings, in a minute",
		Long: `Starts from an empty folder: drops raw logs of several formats into it (simulated
attacks mixed into benign traffic), trains a model on them, evaluates it on hours
that it has not seen, gates, registers and deploys it to a local endpoint; then
drops new raw logs, simulated and real, and scores them through that endpoint.
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
		fmt.Fprintf(d.out, format+"\n", args...)
	}
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
	if err := d.dropExcerpts(ctx); err != nil {
		return nil, err
	}
	if report.Findings, err = d.detect(ctx, endpoint); err != nil {
		return nil, err
	}
	report.judge(truths)
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

// labSeeds are small random networks with several attacks each (picket simulate
// knows them as the profile "lab"): the demo learns from them beside its script.
var labSeeds = []uint64{
	1004, 1006, 1007, 1010, 1012, 1013, 1015, 1016, 1022, 1024, 1025, 1027,
}

// demoLessons returns the scripts to learn from, each at a time of its own.
func demoLessons() ([]*simulate.Script, error) {
	office, err := simulate.Load("demo-train")
	if err != nil {
		return nil, err
	}
	quiet, err := simulate.Load("demo-train") // what attacks are told from needs more than the machines they spare
	if err != nil {
		return nil, err
	}
	quiet.Seed, quiet.Attacks, quiet.Start = 72, nil, office.Start.Add(-24*time.Hour)
	quiet.Benign = quiet.Benign[:1] // no visitors
	small, err := labs(labSeeds, office.Start.Add(-96*time.Hour))
	return append([]*simulate.Script{office, quiet}, small...), err
}

// labs returns random networks, one after the other.
func labs(seeds []uint64, at time.Time) ([]*simulate.Script, error) {
	var scripts []*simulate.Script
	for _, seed := range seeds {
		lab, err := simulate.Random(seed, "lab")
		if err != nil {
			return nil, err
		}
		lab.Start = at
		at = at.Add(lab.Duration).Truncate(time.Hour).Add(2 * time.Hour)
		scripts = append(scripts, lab)
	}
	return scripts, nil
}

// drop plays scripts into raw/, and their label files into labels/: the first one
// in every format, the others in one each.
func (d *demo) drop(ctx context.Context, what string, scripts []*simulate.Script) ([]simulate.Truth, error) {
	var truths []simulate.Truth
	for f, format := range demoFormats {
		var total simulate.Summary
		attacks := 0
		for i, script := range scripts {
			if i > 0 && i%len(demoFormats) != f {
				continue
			}
			folder := path.Join(strings.ReplaceAll(what, " ", "-"), format, fmt.Sprintf("network-%02d", i))
			sum, err := simulate.Write(ctx, script, format, d.sink(ctx, folder))
			if err != nil {
				return nil, err
			}
			if i > 0 || f == 0 {
				truths = append(truths, sum.Labels...)
			}
			total.Objects += sum.Objects
			total.Records += sum.Records
			total.Conversations += sum.Conversations
			attacks += len(script.Attacks)
		}
		d.say("%-9s %s, as %s: %d objects, %d records; %d attacks hidden in %d conversations", "raw", what, format, total.Objects, total.Records, attacks, total.Conversations)
	}
	return truths, nil
}

// sink puts the objects of a simulation below raw/, its labels below labels/.
func (d *demo) sink(ctx context.Context, folder string) simulate.Sink {
	return func(object string) (io.WriteCloser, error) {
		prefix := picket.RawPrefix
		if object == "labels.csv" {
			prefix = picket.LabelsPrefix
		}
		return &upload{ctx: ctx, bucket: d.bucket, key: prefix + path.Join(folder, object)}, nil
	}
}

// dropExcerpts puts the real logs beside the simulated ones.
func (d *demo) dropExcerpts(ctx context.Context) error {
	entries, err := excerpts.ReadDir("demo")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if path.Ext(e.Name()) == ".md" {
			continue
		}
		f, err := excerpts.Open("demo/" + e.Name())
		if err != nil {
			return err
		}
		if _, err := d.bucket.Put(ctx, picket.RawPrefix+"real/"+e.Name(), f); err != nil {
			return err
		}
		d.say("%-9s real log %s", "raw", e.Name())
	}
	return nil
}

// upload writes one object, kept in a temporary file until it is whole.
type upload struct {
	ctx    context.Context
	bucket store.Bucket
	key    string
	file   *os.File
}

func (u *upload) Write(b []byte) (n int, err error) {
	if u.file == nil {
		if u.file, err = os.CreateTemp("", "picket-upload-*"); err != nil {
			return 0, err
		}
		os.Remove(u.file.Name()) // gone once it is closed
	}
	return u.file.Write(b)
}

func (u *upload) Close() error {
	if u.file == nil {
		return nil
	}
	defer u.file.Close()
	if _, err := u.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := u.bucket.Put(u.ctx, u.key, u.file)
	return err
}

// demoGate asks for order (AUC) and quiet (false positives) more than for recall of
// single windows: a slow scan has hundreds of minutes in which nothing shows, and
// is found all the same.
var demoGate = train.GateOptions{AUC: 0.95, Recall: 0.02, FPR: 0.02, ECE: 0.1, Tolerance: 0.02}

// train runs the training pipeline and serves what passed. The endpoint is nil
// where nothing did.
func (d *demo) train(ctx context.Context, truths []simulate.Truth, report *demoReport) (*localEndpoint, error) {
	var endpoint *localEndpoint
	state, pkg, err := d.pipeline.Run(ctx, pipeline.RunOptions{
		Name: "picket-demo", Seed: 1, Approve: true, MaxRows: 20_000, Learn: d.lessons(),
		ByEntity: true,
		Train: train.Options{
			Params:    map[string]string{"num_round": "100", "early_stopping_rounds": "0"},
			Threshold: train.ThresholdOptions{Budget: 0.001},
		},
		Gate:   demoGate,
		Truths: truths,
		Report: func(s pipeline.StepState) { d.say("%-9s %s (%.1f s)", s.Name, s.Detail, s.Took.Seconds()) },
		Serve: func(s pipeline.Serving) (err error) {
			endpoint, err = startEndpoint(s)
			return err
		},
	})
	report.Stages = state.Steps
	report.GatePassed = state.Failed == ""
	if pkg != nil {
		for _, b := range pkg.Model.Boosters {
			if e := pkg.Evaluations[b.ID]; e != nil {
				report.Evaluation = append(report.Evaluation, e.Picket)
				d.say("          %-19s %5d rows not trained on: AUC %.4f, recall %.3f, false positives %.4f%s", b.ID, e.Picket.Rows, e.Picket.AUC, e.Picket.Recall, e.Picket.FPR, byClass(e.Picket))
			}
		}
	}
	if err != nil && state.Failed == "gate" {
		d.say("%v", err)
		return nil, nil
	}
	return endpoint, err
}

// lessons is how the demo learns: as everybody does, then it raises the cuts until
// they are quiet on offices where nothing happens.
func (d *demo) lessons() func(context.Context, []*picket.Dataset, pipeline.Learning) (*train.Package, error) {
	if d.learn != nil {
		return d.learn
	}
	return func(ctx context.Context, sets []*picket.Dataset, l pipeline.Learning) (*train.Package, error) {
		pkg, err := pipeline.Learn(ctx, sets, l)
		if err != nil {
			return nil, err
		}
		plays, err := quietOffices()
		if err != nil {
			return nil, err
		}
		if err := pipeline.Quieten(ctx, pkg, plays, quietPerDay, true, os.TempDir(), nil); err != nil {
			return nil, err
		}
		for _, set := range sets {
			if pkg.Evaluations[set.Booster] != nil {
				if pkg.Evaluations[set.Booster], err = pipeline.EvaluateOn(&pkg.Model, set, l.Data, l.Seed); err != nil {
					return nil, err
				}
			}
		}
		return pkg, nil
	}
}

// quietPerDay is how many false incidents a day a booster may make in an office.
const quietPerDay = 20

// quietOffices are offices without attacks, by seed.
func quietOffices() ([]pipeline.Play, error) {
	var plays []pipeline.Play
	for i, seed := range []uint64{80, 88} {
		script, err := simulate.Load("demo-train")
		if err != nil {
			return nil, err
		}
		script.Seed, script.Attacks = seed, nil
		plays = append(plays, pipeline.Play{Name: fmt.Sprintf("quiet office %d", i+1), Script: script, Format: demoFormats[i]})
	}
	return plays, nil
}

// byClass says which part of each class's rows passes the threshold.
func byClass(r train.Report) string {
	var b strings.Builder
	for _, class := range picket.TrafficClasses()[1:] {
		if c, ok := r.Classes[class]; ok && c.Rows > 0 {
			fmt.Fprintf(&b, ", %s %.2f of %d", class, c.Detected, c.Rows)
		}
	}
	return b.String()
}

// localEndpoint is an endpoint on a loopback port.
type localEndpoint struct {
	client *server.Client
	stop   func()
}

func startEndpoint(s pipeline.Serving) (*localEndpoint, error) {
	endpoint, err := server.NewEndpoint(server.EndpointOptions{})
	if err != nil {
		return nil, err
	}
	local, ok := s.Scorer.(pipeline.Local)
	if !ok {
		return nil, errors.New("the endpoint needs a local scorer")
	}
	if err := endpoint.Use(s.Model, byBooster{local.Scorer}); err != nil {
		return nil, err
	}
	l, err := server.Listen("127.0.0.1:0", false)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	endpoint.Register(mux)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(ctx, l, server.Guard(mux))
	}()
	client := &server.Client{URL: "http://" + l.Addr().String() + "/invocations", Model: s.Model, HTTP: http.DefaultClient}
	return &localEndpoint{client: client, stop: func() { cancel(); <-done }}, nil
}

// detect ingests and closes the new logs, and scores them through the endpoint.
func (d *demo) detect(ctx context.Context, endpoint *localEndpoint) ([]picket.Finding, error) {
	began := time.Now()
	var objects, records uint64
	err := d.pipeline.RawObjects(ctx, func(r pipeline.Raw) error {
		in, err := d.pipeline.Ingest(ctx, r)
		if err == nil && !in.Already {
			objects++
			records += in.Stats.Records
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	days := map[int64]bool{}
	var rows uint64
	err = d.pipeline.Close(ctx, true, func(closed []pipeline.Closed) error {
		for _, c := range closed {
			days[c.Day] = true
			rows += c.Rows
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var findings []picket.Finding
	var alerts int
	for day := range days {
		got, err := d.pipeline.Detect(ctx, endpoint.client.Model, endpoint.client, day)
		if err != nil {
			return nil, err
		}
		findings = append(findings, got.Events...)
		alerts += got.Alerts
	}
	slices.SortFunc(findings, func(a, b picket.Finding) int {
		return cmp.Or(cmp.Compare(a.FirstSeen, b.FirstSeen), cmp.Compare(a.UID, b.UID))
	})
	d.say("%-9s %d new objects, %d records, %d rows scored at %s, %d over the threshold, %d findings (%.1f s)", "detect",
		objects, records, rows, endpoint.client.URL, alerts, len(findings), time.Since(began).Seconds())
	return findings, nil
}

// judge compares findings with the truth: an attack is found if a finding of its
// class names one of its sides while it lasted.
func (r *demoReport) judge(truths []simulate.Truth) {
	byAttack := map[int]*demoAttack{}
	labelled := map[string]bool{sshGuesser: true, sshGuessed: true}
	for i := range truths {
		t := &truths[i]
		if t.Attack == nil {
			continue
		}
		labelled[t.Entity.ID] = true
		a := byAttack[t.Attack.Index]
		if a == nil {
			a = &demoAttack{Class: t.Attack.Class, Kind: t.Attack.Kind, Strength: t.Attack.Strength}
			byAttack[t.Attack.Index] = a
		}
		a.Found = a.Found || slices.ContainsFunc(r.Findings, func(f picket.Finding) bool {
			names := f.Entity.ID == t.Entity.ID || slices.Contains(f.Others, t.Entity.ID)
			return f.Class == a.Class && names && f.FirstSeen < t.End && t.Start < f.LastSeen
		})
		if t.Class != simulate.ClassExcluded {
			a.Entities = append(a.Entities, t.Entity.ID)
		}
	}
	for i := range len(byAttack) {
		r.Attacks = append(r.Attacks, *byAttack[i])
	}
	guessing := demoAttack{Class: picket.ClassBruteforce, Kind: "real ssh guessing", Strength: 1, Entities: []string{sshGuesser}}
	for _, f := range r.Findings {
		names := f.Entity.ID == sshGuesser || slices.Contains(f.Peers, sshGuesser)
		guessing.Found = guessing.Found || f.Class == guessing.Class && names
		if !labelled[f.Entity.ID] {
			r.Benign = append(r.Benign, f.Entity.ID+" "+f.Class)
		}
	}
	r.Attacks = append(r.Attacks, guessing)
}

// Who guesses passwords in demo/ssh-guessing.pcap, and whose.
const (
	sshGuesser = "192.168.56.1"
	sshGuessed = "192.168.56.103"
)

// tell prints the findings and what was found and missed.
func (d *demo) tell(r *demoReport) {
	d.say("")
	for _, f := range r.Findings {
		d.say("%-8s %s", f.Severity, f.Sentence)
	}
	d.say("")
	found := 0
	for _, a := range r.Attacks {
		if a.Found {
			found++
		} else {
			d.say("missed: %s %s strength %g by %s", a.Class, a.Kind, a.Strength, strings.Join(a.Entities[:min(3, len(a.Entities))], ", "))
		}
	}
	d.say("%d of %d attacks found, findings on benign entities: %d, in %.0f s", found, len(r.Attacks), len(r.Benign), r.TookSeconds)
	if d.folder != "" {
		d.say("kept in %s: picket explain --data %s UID", d.folder, d.folder)
	}
}
