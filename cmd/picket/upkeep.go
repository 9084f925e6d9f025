package main

import (
	"context"
	"time"

	"picket"
	"picket/pipeline"
)

// What the running system looks after, beside the logs that arrive.
const (
	followEvery  = time.Second      // models/stages.json is read
	measureEvery = 15 * time.Second // the lag is set
	driftEvery   = time.Hour        // drift is counted over the last driftOver
	driftOver    = 24 * time.Hour
)

// every calls do now and then again and again, until ctx ends.
func every(ctx context.Context, wait time.Duration, do func()) error {
	tick := time.NewTicker(wait)
	defer tick.Stop()
	for ctx.Err() == nil {
		do()
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return nil
}

// follow makes the model that any process deployed or rolled back to the one that
// serves.
func (u *up) follow(ctx context.Context) error {
	refused := "" // id of a package that cannot be served, said once
	return every(ctx, followEvery, func() {
		id, err := u.refresh(ctx)
		if err != nil && ctx.Err() == nil && id != refused {
			refused = id
			u.metrics.Error("deploy")
			u.log.Error("model is live in the registry and cannot be served", "stage", "infer", "model", id, "error", err)
		}
	})
}

// refresh serves the registry's live model if it is not the one that serves. It
// returns the id of that model.
func (u *up) refresh(ctx context.Context) (string, error) {
	stages, err := u.live.Pipeline.Stages(ctx)
	if err != nil || stages.Live == "" || stages.Live == u.live.Serving().Model.ID {
		return stages.Live, err
	}
	pkg, err := u.live.Pipeline.Model(ctx, stages.Live)
	if err != nil {
		return stages.Live, err
	}
	serving, err := pipeline.ServePackage(pkg)
	if err != nil {
		return stages.Live, err
	}
	return stages.Live, u.serve(serving)
}

// measure keeps the gauges of lag and drift true, and asks for a retrain where
// drift calls for one.
func (u *up) measure(ctx context.Context) error {
	var counted time.Time
	return every(ctx, measureEvery, func() {
		u.live.Lag()
		if now := time.Now(); now.Sub(counted) >= driftEvery {
			counted = now
			if err := u.drift(ctx, now); err != nil && ctx.Err() == nil {
				u.metrics.Error("drift")
				u.log.Error("drift cannot be counted", "stage", "infer", "error", err)
			}
		}
	})
}

// drift holds the last day against what the live model was trained on.
func (u *up) drift(ctx context.Context, now time.Time) error {
	pkg := u.live.Serving().Package
	if pkg == nil {
		return nil
	}
	p := u.live.Pipeline
	reports, err := p.Drift(ctx, pkg, now.Add(-driftOver).Unix(), now.Unix()+picket.Hour)
	if err != nil {
		return err
	}
	why, err := p.DueForRetrain(ctx, reports, pipeline.Retraining{PSI: u.settings.RetrainDrift, Rest: u.settings.RetrainRest})
	if err != nil || why == "" {
		return err
	}
	select {
	case u.drifted <- why:
	default: // a retrain is under way
	}
	return nil
}

// retrain runs the training pipeline as often as the configuration says, and when
// drift calls for it. What comes of it waits in the registry as candidate.
func (u *up) retrain(ctx context.Context) error {
	var tick <-chan time.Time
	if u.settings.Retrain > 0 {
		ticker := time.NewTicker(u.settings.Retrain)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		why := "schedule"
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		case why = <-u.drifted:
		}
		u.log.Info("retrain", "stage", "train", "why", why)
		outcome := "candidate"
		_, _, err := u.live.Pipeline.Run(ctx, pipeline.RunOptions{Name: "picket-traffic", Seed: 1})
		if err != nil {
			outcome = "failed"
			u.log.Error("retrain failed", "stage", "train", "error", err)
		}
		u.metrics.Retrained(time.Now(), outcome)
	}
}
