package train

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"picket"
)

// Fractions say how much of a dataset each split gets. They need not sum to 1.
type Fractions struct {
	Train       float64 `json:"train"`
	Validation  float64 `json:"validation"`
	Calibration float64 `json:"calibration"`
	Test        float64 `json:"test"` // 0 where the test rows come from elsewhere
}

// DefaultFractions keep a fifth of the rows for the test.
var DefaultFractions = Fractions{Train: 0.6, Validation: 0.1, Calibration: 0.1, Test: 0.2}

var splitNames = [...]string{picket.SplitTrain, picket.SplitValidation, picket.SplitCalibration, picket.SplitTest}

func (f Fractions) shares() [len(splitNames)]float64 {
	total := f.Train + f.Validation + f.Calibration + f.Test
	return [...]float64{f.Train / total, f.Validation / total, f.Calibration / total, f.Test / total}
}

// SplitByGroup gives whole groups to splits, so that rows of one entity, one
// incident or one set of identical rows never part. In an order that the seed
// decides, each group goes to the split that lacks most rows of its class and,
// together, of malicious rows: with two incidents a class, train still knows every
// class and every split has an attack to work with.
func SplitByGroup(d *picket.Dataset, f Fractions, seed uint64) {
	groups := groupsOf(d, seed)
	const malicious = "\x00malicious" // no class is called so
	quotas := map[string]*quota{malicious: {}}
	for _, g := range groups {
		if quotas[g.class] == nil {
			quotas[g.class] = &quota{}
		}
		quotas[g.class].total += float64(len(g.rows))
		if g.class != d.Classes[0] {
			quotas[malicious].total += float64(len(g.rows))
		}
	}
	for _, g := range groups {
		of := []*quota{quotas[g.class]}
		if g.class != d.Classes[0] {
			of = append(of, quotas[malicious])
		}
		at := neediest(of, f.shares())
		for _, q := range of {
			q.given[at] += float64(len(g.rows))
		}
		for _, row := range g.rows {
			d.Examples[row].Split = splitNames[at]
		}
	}
}

// quota is how many rows there are of something, and how many each split has.
type quota struct {
	total float64
	given [len(splitNames)]float64
}

// neediest returns the split that lacks most of its shares; of equals the one that
// has least.
func neediest(of []*quota, shares [len(splitNames)]float64) int {
	best, most, least := 0, math.Inf(-1), 0.0
	for i, share := range shares {
		if share == 0 {
			continue
		}
		missing, given := 0.0, 0.0
		for _, q := range of {
			missing += share - q.given[i]/q.total
			given += q.given[i]
		}
		if missing > most+1e-9 || missing > most-1e-9 && given < least {
			best, most, least = i, missing, given
		}
	}
	return best
}

// rowGroup is the rows of one group, with the rarest class among them.
type rowGroup struct {
	class string
	hash  uint64
	rows  []int
}

func groupsOf(d *picket.Dataset, seed uint64) []rowGroup {
	rank := map[string]int{} // rows of each class
	for i := range d.Examples {
		rank[d.Examples[i].Class]++
	}
	byName := map[string]*rowGroup{}
	var groups []*rowGroup
	for i := range d.Examples {
		e := &d.Examples[i]
		g := byName[e.Group]
		if g == nil {
			g = &rowGroup{class: e.Class, hash: hashText(e.Group, seed)}
			byName[e.Group] = g
			groups = append(groups, g)
		}
		if rank[e.Class] < rank[g.class] || rank[e.Class] == rank[g.class] && e.Class < g.class {
			g.class = e.Class
		}
		g.rows = append(g.rows, i)
	}
	sorted := make([]rowGroup, len(groups))
	for i, g := range groups {
		sorted[i] = *g
	}
	slices.SortFunc(sorted, func(a, b rowGroup) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.rows[0], b.rows[0]))
	})
	return sorted
}

// SplitByTime cuts the time line into train, validation, calibration and test, in
// this order, at window starts that leave each its fraction of the rows. A window
// that crosses a cut is left out, and so are the rows of an incident beyond the
// cut that it crosses. A class may be missing from a split that was quiet.
func SplitByTime(d *picket.Dataset, f Fractions) error {
	if len(d.Examples) == 0 {
		return fmt.Errorf("split %s by time: no rows", d.Booster)
	}
	order := make([]int, len(d.Examples))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(d.Examples[a].Start, d.Examples[b].Start) })
	cuts := timeCuts(d, order, f)
	first := map[string]int{} // the split where each incident begins
	for _, row := range order {
		e := &d.Examples[row]
		at := part(cuts, e.Start)
		if part(cuts, e.End()-1) != at {
			e.Split = ""
			continue
		}
		if begun, ok := first[e.Group]; ok && begun != at && e.Class != d.Classes[0] {
			e.Split = ""
			continue
		}
		if e.Class != d.Classes[0] {
			first[e.Group] = at
		}
		e.Split = splitNames[at]
	}
	return nil
}

// timeCuts returns the window starts at which validation, calibration and test begin.
func timeCuts(d *picket.Dataset, order []int, f Fractions) [len(splitNames) - 1]int64 {
	var cuts [len(splitNames) - 1]int64
	sum, shares := 0.0, f.shares()
	for i := range cuts {
		sum += shares[i]
		at := int(sum * float64(len(order)))
		if at >= len(order) {
			cuts[i] = math.MaxInt64
			continue
		}
		cuts[i] = d.Examples[order[at]].Start
	}
	return cuts
}

// part returns in which part of the time line a second falls.
func part(cuts [len(splitNames) - 1]int64, second int64) int {
	at := 0
	for at < len(cuts) && second >= cuts[at] {
		at++
	}
	return at
}

// SplitByTimeAndEntity splits by time and then takes the normal rows of entities
// that are not to be tested out of the test, and those of tested entities out of
// training: the test is on other hosts at another time.
func SplitByTimeAndEntity(d *picket.Dataset, f Fractions, seed uint64) error {
	if err := SplitByTime(d, f); err != nil {
		return err
	}
	for i := range d.Examples {
		e := &d.Examples[i]
		tested := float64(hashText(e.Entity.ID, seed)>>11)/(1<<53) < 0.3
		if e.Class == d.Classes[0] && tested != (e.Split == picket.SplitTest) {
			e.Split = ""
		}
	}
	return nil
}

// In returns the examples of one split.
func In(d *picket.Dataset, split string) []picket.Example {
	var rows []picket.Example
	for i := range d.Examples {
		if d.Examples[i].Split == split {
			rows = append(rows, d.Examples[i])
		}
	}
	return rows
}

// GroupIdentical groups rows by their values, for a table that knows neither time
// nor entity: copies of one row never stand on both sides of a split.
func GroupIdentical(d *picket.Dataset) {
	var bits [8]byte
	for i := range d.Examples {
		h := fnv.New128a()
		for _, v := range d.Examples[i].Values {
			binary.LittleEndian.PutUint64(bits[:], math.Float64bits(v))
			h.Write(bits[:])
		}
		d.Examples[i].Group = hex.EncodeToString(h.Sum(nil))
	}
}

func hashText(s string, seed uint64) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return mix(h.Sum64() ^ mix(seed))
}
