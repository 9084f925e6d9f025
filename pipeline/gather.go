package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"

	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/infer"
	"picket/pipeline/train"
	"picket/simulate"
)

// Gathered is labelled rows, one dataset for each booster that they can train.
type Gathered struct {
	Sets   map[picket.BoosterID]*picket.Dataset
	Counts train.Counts
}

// Merge adds the rows of other, which were gathered by the same schema.
func (g *Gathered) Merge(other Gathered) {
	if g.Sets == nil {
		g.Sets = map[picket.BoosterID]*picket.Dataset{}
	}
	for id, set := range other.Sets {
		mine := g.Sets[id]
		if mine == nil {
			mine = &picket.Dataset{Booster: id, Schema: set.Schema}
			g.Sets[id] = mine
		}
		mine.Examples = append(mine.Examples, set.Examples...)
	}
	g.Counts.Rows += other.Counts.Rows
	g.Counts.Unlabelled += other.Counts.Unlabelled
	g.Counts.Foreign += other.Counts.Foreign
	if g.Counts.ByClass == nil {
		g.Counts.ByClass = map[string]int{}
	}
	for class, n := range other.Counts.ByClass {
		g.Counts.ByClass[class] += n
	}
}

// Datasets returns the sets that have normal rows and others, with the classes
// that occur, in the order of their boosters.
func (g *Gathered) Datasets() []*picket.Dataset {
	var sets []*picket.Dataset
	for _, id := range slices.SortedFunc(maps.Keys(g.Sets), func(a, b picket.BoosterID) int { return compareBoosters(a, b) }) {
		set := g.Sets[id]
		occurs := map[string]bool{}
		for i := range set.Examples {
			occurs[set.Examples[i].Class] = true
		}
		set.Classes = slices.DeleteFunc(picket.ClassesOf(id.Detector), func(c string) bool { return !occurs[c] })
		if occurs[picket.ClassNormal] && len(set.Classes) > 1 {
			sets = append(sets, set)
		}
	}
	return sets
}

// Gather labels the rows of every slot: features/ and labels → examples. Rows of
// each width have a labeller of their own, because what shows in a day need not
// show in a minute.
//
// Of each class and booster maxRows are kept at most, and those for which keep, if
// it is not nil, is true.
func (p *Pipeline) Gather(ctx context.Context, maxRows int, labeller func(seconds int64) *train.Labeller, keep func(*picket.Features) bool) (Gathered, error) {
	return gather(func(visit func(*picket.Features) error) error { return p.Rows(ctx, visit) }, maxRows, labeller, keep)
}

// gather is Gather of rows that may be kept.
func gather(rows func(visit func(*picket.Features) error) error, maxRows int, labeller func(seconds int64) *train.Labeller, keep func(*picket.Features) bool) (Gathered, error) {
	collectors := map[picket.BoosterID]*train.Collector{}
	err := rows(func(f *picket.Features) error {
		detector := infer.Detector(f)
		id := picket.BoosterOf(detector, f)
		c := collectors[id]
		if c == nil {
			schema := extract.RoadOf(f.Source).Schema()
			c = &train.Collector{
				Detector: detector, Classes: picket.ClassesOf(detector), Schema: func(picket.Kind) picket.Schema { return schema },
				Labels: labeller(f.Seconds), MaxRows: maxRows, Keep: keep,
			}
			collectors[id] = c
		}
		return c.Add(f)
	})
	if err != nil {
		return Gathered{}, fmt.Errorf("gather: %w", err)
	}
	var all Gathered
	for id, c := range collectors {
		sets, counts := c.Collected()
		one := Gathered{Sets: map[picket.BoosterID]*picket.Dataset{}, Counts: counts}
		if set := sets[id]; set != nil {
			one.Sets[id] = set
		}
		all.Merge(one)
	}
	return all, nil
}

// Talks tells a labeller who talked with whom in the whole bucket, so that under
// "*" the peers of an attacker stay unlabelled.
func (p *Pipeline) Talks(ctx context.Context, l *train.Labeller) error {
	hours := map[slot]bool{}
	newest, err := p.newestFeatures(ctx, math.MinInt64, math.MaxInt64)
	if err != nil {
		return err
	}
	for s := range newest {
		if !s.Day && extract.RoadOf(s.Source).Detector == picket.DetectorTraffic {
			hours[s] = true
		}
	}
	for _, s := range slices.SortedFunc(maps.Keys(hours), compareSlots) {
		parts, err := p.parts(ctx, s)
		if err != nil {
			return err
		}
		o := extract.CloseOptions{Source: s.Source, From: s.Start, To: s.End(), TempDir: p.deps.TempDir}
		err = extract.Talks(ctx, parts.newest, o, func(a, b netip.Addr, start, end int64) {
			l.Talked(a.String(), b.String(), start, end)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// TruthLabeller returns the labellers of a simulation by width; see TruthLabels.
func TruthLabeller(truths []simulate.Truth) func(seconds int64) *train.Labeller {
	byWidth := map[int64]*train.Labeller{}
	for _, seconds := range []int64{picket.Minute, picket.TenMinutes, picket.Hour, picket.Day} {
		byWidth[seconds] = train.NewLabeller(TruthLabels(truths, seconds))
	}
	return func(seconds int64) *train.Labeller { return byWidth[seconds] }
}

// TruthLabels returns the label rows that a simulation is fair to be judged by at
// a width: attacks that do not show in such a window leave out what they touch.
// A simulation seldom fills a day: what it says of a part of one counts for the
// whole of it. Conversations that reach over its edges are as normal as those
// within: every log has edges.
//
// Half a window is what an attack must cover to give it its class, but a beacon or
// an upload of an hour makes a day one of c2 or exfiltration all the same.
func TruthLabels(truths []simulate.Truth, seconds int64) []picket.Label {
	var labels []picket.Label
	for i := range truths {
		l, shown := truths[i].Label, truths[i].Attack == nil || truths[i].Shows(seconds)
		switch {
		case !shown:
			l.Class = train.ClassExcluded
		case truths[i].Attack == nil:
			l.Start -= picket.Hour
			l.End += picket.Hour
		}
		switch {
		case seconds <= picket.Hour:
			labels = append(labels, l)
		case shown && (l.Class == picket.ClassC2 || l.Class == picket.ClassExfiltration):
			labels = append(labels, daysOf(l, seconds)...)
		default:
			l.Start -= l.Start % seconds
			l.End += (seconds - l.End%seconds) % seconds
			labels = append(labels, l)
		}
	}
	return labels
}

// daysOf returns a label for each window that an attack touches: its class where
// half of the attack or an hour of it lies in the window.
func daysOf(l picket.Label, seconds int64) []picket.Label {
	var labels []picket.Label
	for start := l.Start - l.Start%seconds; start < l.End; start += seconds {
		day := l
		day.Start, day.End = start, start+seconds
		if min(l.End, day.End)-max(l.Start, start) < min(picket.Hour, (l.End-l.Start)/2) {
			day.Class = train.ClassExcluded
		}
		labels = append(labels, day)
	}
	return labels
}

func compareBoosters(a, b picket.BoosterID) int {
	return cmp.Or(cmp.Compare(b.Detector, a.Detector), cmp.Compare(kindRank(a.Kind), kindRank(b.Kind)), cmp.Compare(a.Seconds, b.Seconds))
}

func kindRank(k picket.Kind) int64 {
	return int64(slices.Index([]picket.Kind{picket.KindActor, picket.KindVictim, picket.KindPrincipal, picket.KindName}, k))
}
