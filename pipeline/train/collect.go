package train

import (
	"cmp"
	"container/heap"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"

	"picket"
)

// Collector gathers labelled rows into one dataset for each booster that they
// belong to. It holds at most MaxRows rows of a class and booster: those with the
// smallest hash of entity, window and cut, so that the choice depends on the rows
// and not on their order. Kept rows weigh as many as they stand for.
type Collector struct {
	Detector string
	Classes  []string                                // of the detector; the first is normal
	Schema   func(kind picket.Kind) picket.Schema    // of a row of this kind
	Labels   *Labeller                               // gives rows their class
	MaxRows  int                                     // per booster and class; 0 means 200,000
	Keep     func(f *picket.Features) bool           // rows that are kept beside those; may be nil
	samples  map[picket.BoosterID]map[string]*sample // by class
	counts   Counts
}

// Counts says what became of the rows that a Collector saw.
type Counts struct {
	Rows       int            `json:"rows"`
	Unlabelled int            `json:"unlabelled"` // outside every label row, or left out by the rules of Labeller
	Foreign    int            `json:"foreign"`    // of a class that this detector does not know
	ByClass    map[string]int `json:"by_class"`
}

const defaultMaxRows = 200_000

// Add takes one row. It keeps f.Values.
func (c *Collector) Add(f *picket.Features) error {
	c.counts.Rows++
	class, by, ok := c.Labels.Label(f)
	switch {
	case !ok:
		c.counts.Unlabelled++
		return nil
	case !slices.Contains(c.Classes, class):
		c.counts.Foreign++
		return nil
	}
	if want := len(c.Schema(f.Entity.Kind).Names); len(f.Values) != want {
		return fmt.Errorf("collect %s: row has %d values, the schema of %s has %d", f.Window, len(f.Values), f.Entity.Kind, want)
	}
	if c.counts.ByClass == nil {
		c.counts.ByClass = map[string]int{}
	}
	c.counts.ByClass[class]++
	e := picket.Example{Features: *f, Class: class, Group: group(f, by), Weight: 1}
	if s := c.sample(f, class); c.Keep != nil && c.Keep(f) {
		s.kept = append(s.kept, e)
	} else {
		s.add(hashRow(f), e)
	}
	return nil
}

// group is the incident of an attack row (its label's note, where it has one) and
// the entity of a normal row.
func group(f *picket.Features, by *picket.Label) string {
	if by != nil && by.Note != "" {
		return by.Class + " " + by.Note
	}
	return f.Entity.ID
}

func (c *Collector) sample(f *picket.Features, class string) *sample {
	id := picket.BoosterOf(c.Detector, f)
	if c.samples == nil {
		c.samples = map[picket.BoosterID]map[string]*sample{}
	}
	if c.samples[id] == nil {
		c.samples[id] = map[string]*sample{}
	}
	s := c.samples[id][class]
	if s == nil {
		s = &sample{limit: cmp.Or(c.MaxRows, defaultMaxRows)}
		c.samples[id][class] = s
	}
	return s
}

// Datasets returns what was gathered, sorted by booster; the examples by window
// start, entity and cut. A booster without a normal row or without any other is
// left out: there is nothing to learn.
func (c *Collector) Datasets() ([]*picket.Dataset, Counts) {
	all, counts := c.Collected()
	var sets []*picket.Dataset
	for _, set := range all {
		if len(set.Classes) > 1 && set.Classes[0] == c.Classes[0] {
			sets = append(sets, set)
		}
	}
	slices.SortFunc(sets, func(a, b *picket.Dataset) int { return cmp.Compare(a.Booster.String(), b.Booster.String()) })
	return sets, counts
}

// Collected is Datasets with those of a single class, to be merged with others.
func (c *Collector) Collected() (map[picket.BoosterID]*picket.Dataset, Counts) {
	sets := map[picket.BoosterID]*picket.Dataset{}
	for id, classes := range c.samples {
		set := &picket.Dataset{Booster: id, Schema: c.Schema(id.Kind)}
		for _, class := range c.Classes {
			if s := classes[class]; s != nil {
				set.Classes = append(set.Classes, class)
				set.Examples = append(set.Examples, s.examples()...)
			}
		}
		slices.SortFunc(set.Examples, func(a, b picket.Example) int {
			return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Entity.ID, b.Entity.ID),
				cmp.Compare(a.Source, b.Source), cmp.Compare(a.Elapsed, b.Elapsed))
		})
		sets[id] = set
	}
	return sets, c.counts
}

// sample keeps the rows with the smallest hashes; rows is a heap, largest first.
type sample struct {
	limit int
	seen  int
	rows  []hashed
	kept  []picket.Example // whatever the limit
}

type hashed struct {
	hash    uint64
	example picket.Example
}

func (s *sample) add(hash uint64, e picket.Example) {
	s.seen++
	if len(s.rows) == s.limit {
		if hash >= s.rows[0].hash {
			return
		}
		heap.Pop(s)
	}
	heap.Push(s, hashed{hash, e})
}

func (s *sample) examples() []picket.Example {
	examples := make([]picket.Example, len(s.rows))
	for i, r := range s.rows {
		examples[i] = r.example
		examples[i].Weight = float64(s.seen) / float64(len(s.rows))
	}
	return append(examples, s.kept...)
}

func (s *sample) Len() int           { return len(s.rows) }
func (s *sample) Less(i, j int) bool { return s.rows[i].hash > s.rows[j].hash }
func (s *sample) Swap(i, j int)      { s.rows[i], s.rows[j] = s.rows[j], s.rows[i] }
func (s *sample) Push(x any)         { s.rows = append(s.rows, x.(hashed)) }
func (s *sample) Pop() any {
	last := s.rows[len(s.rows)-1]
	s.rows = s.rows[:len(s.rows)-1]
	return last
}

func hashRow(f *picket.Features) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00", f.Entity.Kind, f.Entity.ID, f.Source)
	var numbers [24]byte
	binary.LittleEndian.PutUint64(numbers[:], uint64(f.Start))
	binary.LittleEndian.PutUint64(numbers[8:], uint64(f.Seconds))
	binary.LittleEndian.PutUint64(numbers[16:], uint64(f.Elapsed))
	h.Write(numbers[:])
	return mix(h.Sum64())
}

// mix spreads a hash over all its bits (the finaliser of SplitMix64, Steele et
// al. 2014): FNV's high bits barely move for short keys.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
