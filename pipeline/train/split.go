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
// incident or one set of identical rows never part. Of each class, and of all
// malicious rows together, every split gets its part as nearly as whole groups can;
// with two incidents a class, train still knows every class and every split has an
// attack to work with. A split stays empty only where there are fewer groups than
// splits.
func SplitByGroup(d *picket.Dataset, f Fractions, seed uint64) {
	shares := f.shares()
	for row, at := range assign(d, shares[:], seed) {
		d.Examples[row].Split = splitNames[at]
	}
}

// assign deals groups of rows to parts with the given shares and returns the part
// of each row. Groups too large for the smallest part come first, or they would
// find the large parts filled; within that, the seed decides the order. Each goes
// to the part that lacks most rows of its class and, together, of malicious rows.
func assign(d *picket.Dataset, shares []float64, seed uint64) []int {
	groups := groupsOf(d, seed)
	const malicious = "\x00malicious" // no class is called so
	quotas := map[string]*quota{malicious: newQuota(len(shares))}
	of := func(g *rowGroup) []*quota {
		if g.class == d.Classes[0] {
			return []*quota{quotas[g.class]}
		}
		return []*quota{quotas[g.class], quotas[malicious]}
	}
	for i := range groups {
		if quotas[groups[i].class] == nil {
			quotas[groups[i].class] = newQuota(len(shares))
		}
		for _, q := range of(&groups[i]) {
			q.total += float64(len(groups[i].rows))
			q.left++
		}
	}
	smallest := slices.MinFunc(shares, func(a, b float64) int { return cmp.Compare(cmp.Or(a, 1), cmp.Or(b, 1)) })
	large := func(g *rowGroup) int {
		if float64(len(g.rows)) > smallest*quotas[g.class].total {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(groups, func(a, b rowGroup) int { return cmp.Compare(large(&a), large(&b)) })
	parts := make([]int, len(d.Examples))
	for i := range groups {
		at := neediest(of(&groups[i]), shares)
		for _, q := range of(&groups[i]) {
			q.given[at] += float64(len(groups[i].rows))
			q.left--
		}
		for _, row := range groups[i].rows {
			parts[row] = at
		}
	}
	return parts
}

// quota is how many rows there are of something, and how many each part has.
type quota struct {
	total float64
	given []float64
	left  int // groups that are not dealt yet
}

func newQuota(parts int) *quota { return &quota{given: make([]float64, parts)} }

// spare reports whether part at may have the next group: a part that has one
// already must leave enough for those that have none, unless there are too few for
// them anyhow.
func (q *quota) spare(at int, shares []float64) bool {
	empty := 0
	for i, share := range shares {
		if share > 0 && q.given[i] == 0 {
			empty++
		}
	}
	return q.given[at] == 0 || q.left != empty
}

// neediest returns the part that lacks most of its shares; of equals the one that
// has least.
func neediest(of []*quota, shares []float64) int {
	best, most, least := -1, math.Inf(-1), 0.0
	for i, share := range shares {
		if share == 0 || !of[0].spare(i, shares) {
			continue
		}
		missing, given := 0.0, 0.0
		for _, q := range of {
			missing += share - q.given[i]/q.total
			given += q.given[i]
		}
		if best < 0 || missing > most+1e-9 || missing > most-1e-9 && given < least {
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
