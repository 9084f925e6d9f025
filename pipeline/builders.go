package pipeline

import (
	"cmp"
	"io"
	"maps"
	"slices"

	"picket"
	"picket/pipeline/extract"
)

// builders hands each record of an object to the builders of its sources, one for
// all sources of one form of part.
type builders struct {
	options extract.Options
	byRoad  map[*extract.Road]extract.RecordBuilder
}

func newBuilders(o extract.Options) *builders {
	return &builders{options: o, byRoad: map[*extract.Road]extract.RecordBuilder{}}
}

// Add counts a record into the windows of each of its sources.
func (b *builders) Add(r *picket.Record) error {
	for _, source := range extract.SourcesOf(r) {
		road := extract.RoadOf(source)
		if road == nil {
			continue // no features are computed of it
		}
		builder := b.byRoad[road]
		if builder == nil {
			builder = road.Builder(b.options)
			b.byRoad[road] = builder
		}
		if err := builder.Add(r); err != nil {
			return err
		}
	}
	return nil
}

// Finish writes one part for each hour and source seen, and returns what they hold,
// in the order in which part was called.
func (b *builders) Finish(part func(extract.PartID) (io.WriteCloser, error)) ([]extract.PartInfo, error) {
	order := slices.SortedFunc(maps.Keys(b.byRoad), func(x, y *extract.Road) int { return cmp.Compare(x.Detector, y.Detector) })
	var all []extract.PartInfo
	for _, road := range order {
		infos, err := b.byRoad[road].Finish(part)
		if err != nil {
			return nil, err
		}
		all = append(all, infos...)
	}
	return all, nil
}

// Close frees what the builders hold.
func (b *builders) Close() error {
	for _, builder := range b.byRoad {
		builder.Close()
	}
	return nil
}
