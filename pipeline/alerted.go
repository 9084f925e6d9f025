package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"picket"
	"picket/pipeline/decode"
	"picket/pipeline/triage"
)

// maxSensorFacts are told of a finding.
const maxSensorFacts = 3

// alerted says of a finding which alerts a sensor raised on the entity while it went
// on, by the logs that the finding rests on and those of the same hour.
func (p *Pipeline) alerted(ctx context.Context, f *picket.Finding) error {
	objects := map[string]bool{}
	for _, e := range f.Evidence {
		objects[e.Object] = true
	}
	parts, err := p.parts(ctx, slot{Start: f.At - f.At%picket.Hour, Source: picket.SourceEVE})
	if err != nil {
		return err
	}
	for _, part := range parts.newest {
		objects[part.Object] = true
	}
	bySignature := map[string]*decode.Alert{}
	for object := range objects {
		versions, err := p.manifests(ctx, object)
		if err != nil {
			return err
		}
		if len(versions) == 0 {
			continue
		}
		for _, a := range newestOf(versions).Stats.Alerts {
			if (a.Src == f.Entity.ID || a.Dst == f.Entity.ID) && a.First < f.LastSeen+picket.Minute && a.Last >= f.FirstSeen-picket.Minute {
				addAlert(bySignature, a)
			}
		}
	}
	var told []decode.Alert
	for _, a := range bySignature {
		told = append(told, *a)
	}
	slices.SortFunc(told, func(a, b decode.Alert) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(b.Count, a.Count), cmp.Compare(a.ID, b.ID))
	})
	for _, a := range told[:min(len(told), maxSensorFacts)] {
		f.Facts = append(slices.Clip(f.Facts), picket.Fact{Name: triage.FactSensor, Value: sensorWords(a)})
	}
	return nil
}

// addAlert sums alerts of one signature, whoever they were between.
func addAlert(by map[string]*decode.Alert, a decode.Alert) {
	old := by[a.ID]
	if old == nil {
		by[a.ID] = &a
		return
	}
	old.Count += a.Count
	old.First, old.Last = min(old.First, a.First), max(old.Last, a.Last)
	old.Blocked = old.Blocked || a.Blocked
}

func sensorWords(a decode.Alert) string {
	times := "once"
	if a.Count > 1 {
		times = fmt.Sprintf("%d times", a.Count)
	}
	words := fmt.Sprintf("%s (%s), severity %d, %s from %s", a.Signature, a.ID, a.Severity, times, time.Unix(a.First, 0).UTC().Format("15:04:05 UTC"))
	if a.Blocked {
		words += ", blocked"
	}
	return words
}

// newestOf returns the version of an object that counts.
func newestOf(versions []Ingested) Ingested {
	return slices.MaxFunc(versions, func(a, b Ingested) int {
		return cmp.Or(a.Modified.Compare(b.Modified), cmp.Compare(a.Version, b.Version))
	})
}
