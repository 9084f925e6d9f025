package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"picket"
	"picket/pipeline"
)

// ingest reads the raw objects that the messages name: raw/ → windows/.
func (f *Function) ingest(ctx context.Context, messages []*message) {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, m := range messages {
		group.Go(func() error {
			for _, n := range m.notices {
				if m.err == nil {
					m.fail(f.guarded(func() error { return f.ingestOne(ctx, n) }))
				}
			}
			return nil
		})
	}
	group.Wait()
}

func (f *Function) ingestOne(ctx context.Context, n notice) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	o := n.object
	if o == nil {
		return errors.New("the message names no object")
	}
	name, err := f.rawName(o)
	if err != nil || name == "" {
		return err
	}
	r, info, err := f.raw.GetVersion(ctx, o.Key, o.Version)
	if errors.Is(err, fs.ErrNotExist) {
		f.log.Warn("object is gone", "stage", "decode", "key", o.Key, "version", o.Version)
		f.metrics.Dropped("decode", "object gone", 1)
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	id := o.Version
	if id == "" {
		id = info.ETag
	}
	in, err := f.pipeline.Take(ctx, pipeline.Raw{
		Key: name, Modified: info.Modified, Size: info.Size, ID: id, Sequence: o.Sequencer,
		Open: func() (io.ReadCloser, error) { return r, nil },
	})
	if err == nil && in.Already {
		f.log.Info("object known", "stage", "decode", "key", name, "trace", pipeline.Trace(in.Object, in.Version))
	} else if err == nil && in.Error != "" {
		f.metrics.Dropped("decode", "object set aside", 1)
	}
	return err
}

// rawName returns what a raw object is called, "" for one that is none: a folder of
// a console, or an object that the rule should not have told of.
func (f *Function) rawName(o *object) (string, error) {
	if o.Bucket != f.raw.Name() {
		return "", fmt.Errorf("object %q is in bucket %q, not in %q", o.Key, o.Bucket, f.raw.Name())
	}
	if strings.HasSuffix(o.Key, "/") {
		return "", nil
	}
	if f.raw != f.data {
		return o.Key, nil
	}
	name, ok := strings.CutPrefix(o.Key, picket.RawPrefix)
	if !ok {
		f.log.Warn("no raw object", "stage", "decode", "key", o.Key)
		return "", nil
	}
	return name, nil
}

// close closes the hours whose marks the messages name, each for itself, or all
// that is due: windows/ → features/.
func (f *Function) close(ctx context.Context, messages []*message) {
	hours := map[string][]*message{} // by the folder of their marks
	var sweeps []*message
	days := false
	for _, m := range messages {
		for _, n := range m.notices {
			switch {
			case n.object != nil && strings.HasPrefix(n.object.Key, picket.DuePrefix):
				hour := path.Dir(n.object.Key)
				hours[hour] = append(hours[hour], m)
			case n.object != nil:
				f.log.Warn("no mark", "stage", "extract", "key", n.object.Key)
			default:
				sweeps = append(sweeps, m)
				days = days || final(n.event)
			}
		}
	}
	for _, hour := range slices.Sorted(maps.Keys(hours)) {
		err := f.guarded(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			return f.pipeline.CloseMarked(ctx, []string{hour + "/"}, f.closed)
		})
		for _, m := range hours[hour] {
			m.fail(err)
		}
	}
	if len(sweeps) == 0 {
		return
	}
	err := f.guarded(func() error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		return f.pipeline.Close(ctx, days, f.closed)
	})
	for _, m := range sweeps {
		m.fail(err)
	}
}

// final reports whether a word of the schedule asks for day-wide windows too.
func final(event json.RawMessage) bool {
	var word struct{ Final bool }
	return json.Unmarshal(event, &word) == nil && word.Final
}

// closed says what was closed, and how old its newest record is.
func (f *Function) closed(closed []pipeline.Closed) error {
	for _, c := range closed {
		if !c.New {
			continue
		}
		f.log.Info("closed", "stage", "extract", "key", c.Key, "records", c.Rows)
		if c.Last > 0 {
			f.metrics.Lag(c.Source, max(0, f.now().Sub(time.Unix(c.Last, 0))))
		}
	}
	return nil
}

// detect looks for findings in the days whose features the messages name:
// features/ → findings/.
func (f *Function) detect(ctx context.Context, messages []*message) {
	days := map[int64][]*message{}
	var drifts []*message
	for _, m := range messages {
		for _, n := range m.notices {
			if n.object == nil {
				drifts = append(drifts, m)
				continue
			}
			day, err := pipeline.FeaturesDay(n.object.Key)
			m.fail(err)
			if err == nil {
				days[day] = append(days[day], m)
			}
		}
	}
	if len(days) == 0 && len(drifts) == 0 {
		return
	}
	err := f.refresh(ctx)
	for _, day := range slices.Sorted(maps.Keys(days)) {
		failed := err
		if err == nil {
			failed = f.guarded(func() error { return f.detectDay(ctx, day) })
		}
		for _, m := range days[day] {
			m.fail(failed)
		}
	}
	if len(drifts) > 0 && err == nil {
		err = f.guarded(func() error { return f.drift(ctx) })
	}
	for _, m := range drifts {
		m.fail(err)
	}
}

func (f *Function) detectDay(ctx context.Context, day int64) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return f.pipeline.DetectDays(ctx, f.serving, []int64{day}, func(day int64, d pipeline.Detected) {
		f.log.Info("detected", "stage", "triage", "day", time.Unix(day, 0).UTC().Format(time.DateOnly), "records", d.Rows,
			"alerts", d.Alerts, "events", len(d.Events), "threshold", d.Budget.String())
	})
}

// driftOver is what is held against the training rows.
const driftOver = 24 * time.Hour

// drift holds the last day against what the live model was trained on.
func (f *Function) drift(ctx context.Context) error {
	now := f.now()
	_, err := f.pipeline.Drift(ctx, f.serving.Package, now.Add(-driftOver).Unix(), now.Unix()+picket.Hour)
	return err
}

// refresh makes the model that is live in the registry the one that scores.
func (f *Function) refresh(ctx context.Context) error {
	stages, err := f.pipeline.Stages(ctx)
	if err != nil {
		return err
	}
	if f.serving.Model != nil && f.serving.Model.ID == stages.Live {
		return nil
	}
	pkg, err := f.pipeline.LiveModel(ctx)
	if err != nil {
		return err
	}
	serving, err := pipeline.ServePackage(pkg)
	if err != nil {
		return err
	}
	if f.score != nil {
		f.score(&serving)
	}
	f.serving = serving
	f.log.Info("model serves", "stage", "infer", "model", pkg.Model.ID, "name", pkg.Model.Name, "scorer", f.settings.Scorer)
	return nil
}
