package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
	"picket/server"
	"picket/simulate"
)

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
		quiet := pipeline.QuietOptions{Raise: true, PerDay: func(b *picket.Booster, class string) float64 {
			if class == picket.ClassScan { // has no look-alikes worth a guess
				return quietPerDay / 10
			}
			return quietPerDay / float64(len(b.Classes)-1)
		}}
		if err := pipeline.Quieten(ctx, pkg, plays, quiet, os.TempDir(), nil); err != nil {
			return nil, err
		}
		if err := shipped(pkg); err != nil {
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
const quietPerDay = 20.0

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
