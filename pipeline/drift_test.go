package pipeline

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/pipeline/train"
	"picket/store"
	"picket/telemetry"
)

// TestDrift holds the very bucket that a model learned from against it, and one in
// which everybody scans: the second has moved further.
func TestDrift(t *testing.T) {
	r, err := trained()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	f := func(b store.Bucket, from, to int64) (map[picket.BoosterID]train.DriftReport, []telemetry.Sample) {
		t.Helper()
		p := pipelineOver(t, b)
		reports, err := p.Drift(ctx, r.pkg, from, to)
		if err != nil {
			t.Fatal(err)
		}
		return reports, samples(p)
	}
	id := picket.BoosterID{Detector: picket.DetectorTraffic, Kind: picket.KindActor, Seconds: picket.Minute}
	day := nine.Truncate(24 * time.Hour).Unix()
	same, metrics := f(r.bucket, day, day+10*picket.Day)
	if same[id].Rows < 1000 {
		t.Fatalf("%+v", same)
	}
	gauge := telemetry.Sum(metrics, "picket_drift_psi", "booster", id.String(), "feature", "score")
	if gauge != same[id].Score.PSI {
		t.Errorf("the gauge of the score is at %v, the report says %v", gauge, same[id].Score.PSI)
	}
	if none, _ := f(r.bucket, day-picket.Day, day); len(none) != 0 {
		t.Errorf("the day before has %+v", none)
	}

	b := store.NewMemory(nil)
	p := pipelineOver(t, b)
	var lines strings.Builder
	for host := range 250 {
		lines.WriteString(strings.ReplaceAll(scan(nine, 60), "203.0.113.9", fmt.Sprintf("203.0.113.%d", host+1)))
	}
	take(t, p, rawText("a.log", nine.Add(time.Hour), lines.String()))
	turn(t, p)
	other, _ := f(b, day, day+picket.Day)
	if a, z := same[id].Score.PSI, other[id].Score.PSI; z < 10*a {
		t.Errorf("PSI of the scores: %v where nothing changed, %v where everybody scans", a, z)
	}
	if a, z := same[id].Features[0], other[id].Features[0]; z.PSI < 10*a.PSI || z.Verdict != train.DriftAct {
		t.Errorf("the feature that moved most: %+v where nothing changed, %+v where everybody scans", a, z)
	}
}

// TestDueForRetrain asks when drift starts a retrain.
func TestDueForRetrain(t *testing.T) {
	ctx := context.Background()
	id := picket.BoosterID{Detector: picket.DetectorTraffic, Kind: picket.KindActor, Seconds: picket.Minute}
	bucket := func(labels bool, runBefore time.Duration) *Pipeline {
		p := pipelineOver(t, store.NewMemory(nil))
		if labels {
			any := picket.Label{Start: 0, End: 10, Entity: picket.Entity{Kind: picket.KindActor, ID: "*"}, Class: picket.ClassNormal}
			if err := p.PutLabels(ctx, "test", []picket.Label{any}); err != nil {
				t.Fatal(err)
			}
		}
		if runBefore > 0 {
			at := p.deps.Now().Add(-runBefore)
			body := fmt.Sprintf(`{"id":"r","started":%q,"steps":[]}`, at.Format(time.RFC3339))
			if _, err := p.deps.Bucket.Put(ctx, picket.RunsPrefix+"r.json", strings.NewReader(body)); err != nil {
				t.Fatal(err)
			}
		}
		return p
	}
	f := func(p *Pipeline, psi float64, verdict string, limit float64, due bool) {
		t.Helper()
		reports := map[picket.BoosterID]train.DriftReport{id: {Rows: 500, Score: train.FeatureDrift{PSI: psi, Verdict: verdict}}}
		why, err := p.DueForRetrain(ctx, reports, Retraining{PSI: limit, Rest: 24 * time.Hour})
		if err != nil || (why != "") != due {
			t.Errorf("PSI %v (%s), limit %v: %q, %v; want due %t", psi, verdict, limit, why, err, due)
		}
	}
	f(bucket(true, 0), .3, train.DriftAct, .25, true)
	f(bucket(true, 25*time.Hour), .3, train.DriftAct, .25, true)
	f(bucket(true, 23*time.Hour), .3, train.DriftAct, .25, false) // it had its run
	f(bucket(false, 0), .3, train.DriftAct, .25, false)           // nothing to learn from
	f(bucket(true, 0), .2, train.DriftWatch, .25, false)
	f(bucket(true, 0), .3, train.DriftUnknown, .25, false)
	f(bucket(true, 0), .3, train.DriftAct, 0, false) // nobody wants it
	f(bucket(true, 0), .2, train.DriftWatch, .15, true)
}

// TestLag sets the gauge of a source to the age of its newest record.
func TestLag(t *testing.T) {
	ctx := context.Background()
	p := pipelineOver(t, store.NewMemory(nil)) // whose clock stands at noon
	l := watched(p)
	f := func(want time.Duration) {
		t.Helper()
		if got := telemetry.Sum(samples(p), "picket_lag_seconds", "source", picket.SourceVPC); got != want.Seconds() {
			t.Errorf("lag of %v s, want %v", got, want)
		}
	}
	take(t, p, rawText("a.log", nine.Add(time.Hour), browsing(nine, 1)))
	if err := l.Turn(ctx, true); err != nil {
		t.Fatal(err)
	}
	f(3*time.Hour - time.Minute) // the record's minute has ended at 9:01
	take(t, p, rawText("b.log", nine.Add(2*time.Hour), browsing(nine.Add(90*time.Minute), 1)))
	take(t, p, rawText("c.log", nine.Add(2*time.Hour), browsing(nine.Add(-time.Hour), 1))) // late
	if err := l.Turn(ctx, true); err != nil {
		t.Fatal(err)
	}
	f(89 * time.Minute)
	noon := p.deps.Now()
	p.deps.Now = func() time.Time { return noon.Add(time.Minute) }
	l.Lag()
	f(90 * time.Minute)
	p.deps.Now = func() time.Time { return nine.Add(90*time.Minute + 30*time.Second) } // in the record's own minute
	l.Lag()
	f(0)
}
