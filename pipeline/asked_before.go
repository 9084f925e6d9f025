package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"picket"
	"picket/pipeline/triage"
)

// askedDays is how far back it is looked whether anybody asked for a name.
const askedDays = 7

// askedBefore says of findings on names whether anybody of the network asked for them
// on one of the days before, in one reading of those days. Where no lookups of them
// are known, nothing is said.
func (p *Pipeline) askedBefore(ctx context.Context, findings []picket.Finding) error {
	names := map[string]int64{} // when each was asked for last; 0 never
	day := int64(0)
	for i := range findings {
		if f := &findings[i]; f.Entity.Kind == picket.KindName && f.Status != picket.StatusClosed {
			names[f.Entity.ID], day = 0, f.At-f.At%picket.Day
		}
	}
	if len(names) == 0 {
		return nil
	}
	newest, err := p.newestFeatures(ctx, day-askedDays*picket.Day, day)
	if err != nil {
		return fmt.Errorf("names asked before: %w", err)
	}
	days := map[int64]bool{}
	for _, s := range slices.SortedFunc(maps.Keys(newest), compareSlots) {
		if s.Source != picket.SourceNames {
			continue
		}
		days[s.day().Start] = true
		err := p.readFeatures(ctx, newest[s], func(f *picket.Features) error {
			if last, wanted := names[f.Entity.ID]; wanted {
				names[f.Entity.ID] = max(last, f.Start)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("names asked before: %w", err)
		}
	}
	if len(days) == 0 {
		return nil
	}
	for i := range findings {
		f := &findings[i]
		if f.Entity.Kind != picket.KindName || f.Status == picket.StatusClosed {
			continue
		}
		value := fmt.Sprintf("not in the %d days before that are known", len(days))
		if last := names[f.Entity.ID]; last > 0 {
			value = "last on " + time.Unix(last, 0).UTC().Format(time.DateOnly)
		}
		f.Facts = append(slices.Clip(f.Facts), picket.Fact{Name: triage.FactAsked, Value: value})
	}
	return nil
}
