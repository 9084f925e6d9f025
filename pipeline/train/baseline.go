package train

import (
	"cmp"
	"container/heap"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"picket"
)

// Baseline knows what is usual for each entity and for its network, without any
// label: after a day of learning it says which rows are unusual for both. Its
// class is anomaly, shown beside a model's score and never mixed with it.
//
// It holds samples of rows chosen by hash, so that the order of learning does not
// matter, and quantiles are taken from them: the median and the spread between the
// quartiles, which no single burst moves.
type Baseline struct {
	Schema picket.Schema            `json:"schema"`
	Usual  map[string]*networkUsual `json:"usual"` // by kind and width
}

// networkUsual is what is learned of one kind and width.
type networkUsual struct {
	First    int64                  `json:"first"` // Unix seconds
	Last     int64                  `json:"last"`
	Hours    [24]rowSample          `json:"hours"` // rows of all entities by UTC hour
	Entities map[string]*entityRows `json:"entities"`
	Limit    float64                `json:"limit"` // degree beyond which a row is unusual; 0 until sealed

	hours  [24]spreads
	byHash entityHeap
}

type entityRows struct {
	Rows    rowSample `json:"rows"`
	spreads spreads
}

// rowSample is the rows with the smallest hashes, each with its UTC hour.
type rowSample struct {
	Hashes []uint64
	Hours  []int
	Rows   [][]float32
}

// sampleFile is a rowSample as JSON, which has no NaN: missing values are null.
type sampleFile struct {
	Hashes []uint64     `json:"hashes"`
	Hours  []int        `json:"hours"`
	Rows   [][]*float32 `json:"rows"`
}

// spreads are a median and a spread for each feature; NaN where it was never seen.
type spreads []spread

type spread struct{ median, width float64 }

// Bounds of a baseline: 24 hours of hourRows and maxUsual entities of entityRows
// for each kind and width, at 60 features about 60 MB.
const (
	hourRows   = 200
	entityKept = 64
	maxUsual   = 2000
	learnFor   = picket.Day
)

// NewBaseline returns a baseline that knows nothing.
func NewBaseline(schema picket.Schema) *Baseline {
	return &Baseline{Schema: schema, Usual: map[string]*networkUsual{}}
}

// ReadBaseline reads a baseline written with json.Marshal, and seals it.
func ReadBaseline(data []byte) (*Baseline, error) {
	b := new(Baseline)
	if err := json.Unmarshal(data, b); err != nil {
		return nil, fmt.Errorf("read baseline: %w", err)
	}
	for key, u := range b.Usual {
		if u == nil {
			return nil, fmt.Errorf("read baseline: nothing under %q", key)
		}
		samples := slices.Clone(u.Hours[:])
		for _, e := range u.Entities {
			if e == nil {
				return nil, fmt.Errorf("read baseline: %s: an entity without rows", key)
			}
			samples = append(samples, e.Rows)
		}
		for _, s := range samples {
			for _, row := range s.Rows {
				if len(row) != len(b.Schema.Names) {
					return nil, fmt.Errorf("read baseline: %s: a row of %d values, schema %s has %d", key, len(row), b.Schema.Hash, len(b.Schema.Names))
				}
			}
		}
		if u.Entities == nil {
			u.Entities = map[string]*entityRows{}
		}
	}
	b.Seal()
	return b, nil
}

func usualKey(f *picket.Features) string { return fmt.Sprintf("%s/%d", f.Entity.Kind, f.Seconds) }

// Learn takes one row of a final window.
func (b *Baseline) Learn(f *picket.Features) error {
	if len(f.Values) != len(b.Schema.Names) {
		return fmt.Errorf("learn %s: row has %d values, schema %s has %d", f.Window, len(f.Values), b.Schema.Hash, len(b.Schema.Names))
	}
	u := b.Usual[usualKey(f)]
	if u == nil {
		u = &networkUsual{First: f.Start, Entities: map[string]*entityRows{}}
		b.Usual[usualKey(f)] = u
	}
	u.First, u.Last, u.Limit = min(u.First, f.Start), max(u.Last, f.End()), 0
	row := b.own(f)
	hash := hashRow(f)
	hour := hourOf(f)
	u.Hours[hour].add(hash, hour, row, hourRows)
	if e := u.entity(f.Entity.ID); e != nil {
		e.Rows.add(hash, hour, row, entityKept)
	}
	return nil
}

// own returns a row with what it says of the rest of the network missing: where one
// machine does what is unusual, all the others' parts of the network's traffic change.
func (b *Baseline) own(f *picket.Features) []float32 {
	row := make([]float32, len(f.Values))
	picket.Narrow(f.Values, row)
	for i, name := range b.Schema.Names {
		if strings.HasPrefix(name, "network_") || strings.HasSuffix(name, "_network_share") || strings.HasSuffix(name, "_port_entities") {
			row[i] = float32(math.NaN())
		}
	}
	return row
}

func hourOf(f *picket.Features) int { return int(f.Start/picket.Hour%24+24) % 24 }

// entity returns the rows of an entity, or nil where others stand before it: of
// too many the ones with the smallest hash are kept.
func (u *networkUsual) entity(id string) *entityRows {
	if e := u.Entities[id]; e != nil {
		return e
	}
	if u.byHash == nil {
		for known := range u.Entities {
			heap.Push(&u.byHash, hashedID{hashText(known, 0), known})
		}
	}
	hash := hashText(id, 0)
	if len(u.byHash) == maxUsual {
		if hash >= u.byHash[0].hash {
			return nil
		}
		delete(u.Entities, heap.Pop(&u.byHash).(hashedID).id)
	}
	heap.Push(&u.byHash, hashedID{hash, id})
	u.Entities[id] = &entityRows{}
	return u.Entities[id]
}

type hashedID struct {
	hash uint64
	id   string
}

// entityHeap has the greatest hash on top.
type entityHeap []hashedID

func (h entityHeap) Len() int           { return len(h) }
func (h entityHeap) Less(i, j int) bool { return h[i].hash > h[j].hash }
func (h entityHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *entityHeap) Push(x any)        { *h = append(*h, x.(hashedID)) }
func (h *entityHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// add keeps a row if its hash is among the smallest; Hashes stay sorted.
func (s *rowSample) add(hash uint64, hour int, row []float32, limit int) {
	at, found := slices.BinarySearch(s.Hashes, hash)
	if found || at == limit {
		return
	}
	s.Hashes, s.Hours, s.Rows = slices.Insert(s.Hashes, at, hash), slices.Insert(s.Hours, at, hour), slices.Insert(s.Rows, at, row)
	if len(s.Hashes) > limit {
		s.Hashes, s.Hours, s.Rows = s.Hashes[:limit], s.Hours[:limit], s.Rows[:limit]
	}
}

func (s *rowSample) spreads(columns int) spreads {
	all := make(spreads, columns)
	values := make([]float64, 0, len(s.Rows))
	for i := range all {
		values = values[:0]
		for _, row := range s.Rows {
			if v := float64(row[i]); !math.IsNaN(v) {
				values = append(values, v)
			}
		}
		if len(values) == 0 {
			all[i] = spread{math.NaN(), math.NaN()}
			continue
		}
		slices.Sort(values)
		at := func(q float64) float64 { return values[int(q*float64(len(values)-1))] }
		all[i] = spread{at(0.5), at(0.75) - at(0.25)}
	}
	return all
}

// Seal computes the quantiles of what was learned and the limit of each kind and
// width: half more than the greatest degree of any row that an entity keeps.
func (b *Baseline) Seal() {
	for _, u := range b.Usual {
		for hour := range u.Hours {
			u.hours[hour] = u.Hours[hour].spreads(len(b.Schema.Names))
		}
		u.Limit = math.SmallestNonzeroFloat64
		for _, e := range u.Entities {
			e.spreads = e.Rows.spreads(len(b.Schema.Names))
			for i, row := range e.Rows.Rows {
				d, _ := degree(row, e.spreads, u.hours[e.Rows.Hours[i]])
				u.Limit = max(u.Limit, 1.5*d)
			}
		}
	}
}

// Unusual says how a row departs from what is usual for its entity and network.
type Unusual struct {
	Degree  float64               // mean of the three greatest departures, in spreads, on a log scale
	Limit   float64               // beyond it the row is an anomaly
	Reasons []picket.Contribution // Shap holds the departure in spreads; most first
}

// Over reports whether the row is an anomaly.
func (u *Unusual) Over() bool { return u.Limit > 0 && u.Degree > u.Limit }

// Unusual compares a row with what was learned. ok is false while less than a day
// has been learned or where nothing is known of the row's kind and width. A
// feature counts by the smaller of its departures from the entity's own rows and
// from the network's in that hour, so that a backup that is huge every night is
// not news, nor is a small host that does what all do. An entity that was never
// seen is held against the network alone.
func (b *Baseline) Unusual(f *picket.Features) (unusual Unusual, ok bool) {
	u := b.Usual[usualKey(f)]
	if u == nil || u.Last-u.First < learnFor || u.Limit == 0 || len(f.Values) != len(b.Schema.Names) {
		return unusual, false
	}
	network := u.hours[hourOf(f)]
	if len(u.Hours[hourOf(f)].Rows) == 0 {
		return unusual, false
	}
	var own spreads
	if e := u.Entities[f.Entity.ID]; e != nil {
		own = e.spreads
	}
	row := b.own(f)
	unusual.Limit = u.Limit
	var departures []float64
	unusual.Degree, departures = degree(row, own, network)
	for i, d := range departures {
		if d > 0 {
			unusual.Reasons = append(unusual.Reasons, picket.Contribution{Feature: b.Schema.Names[i], Value: f.Values[i], Shap: d})
		}
	}
	slices.SortFunc(unusual.Reasons, func(a, b picket.Contribution) int {
		return cmp.Or(cmp.Compare(b.Shap, a.Shap), cmp.Compare(a.Feature, b.Feature))
	})
	return unusual, true
}

// degree returns how far a row is from usual, and each feature's departure in
// spreads. own is nil for an entity that is not known.
func degree(row []float32, own, network spreads) (float64, []float64) {
	departures := make([]float64, len(row))
	for i, v := range row {
		d := network[i].departure(float64(v), 0)
		if own != nil {
			d = min(d, own[i].departure(float64(v), network[i].width))
		}
		departures[i] = d
	}
	top := slices.Clone(departures)
	slices.Sort(top)
	top = top[max(0, len(top)-3):]
	sum := 0.0
	for _, d := range top {
		sum += math.Log1p(d)
	}
	return sum / float64(max(1, len(top))), departures
}

// departure is the distance to the median in spreads. A spread is at least a tenth
// of the median and of the network's, so that a constant does not make the next
// value infinitely far; what is missing or was never seen departs by nothing.
func (s spread) departure(v, networkWidth float64) float64 {
	if math.IsNaN(v) || math.IsNaN(s.median) {
		return 0
	}
	if math.IsNaN(networkWidth) {
		networkWidth = 0
	}
	width := max(s.width/1.349, math.Abs(s.median)/10, networkWidth/13.49, 1e-6) // 1.349 spreads of a normal law lie between its quartiles
	return math.Abs(v-s.median) / width
}

// MarshalJSON writes a sampleFile.
func (s rowSample) MarshalJSON() ([]byte, error) {
	file := sampleFile{Hashes: s.Hashes, Hours: s.Hours, Rows: make([][]*float32, len(s.Rows))}
	for i, row := range s.Rows {
		file.Rows[i] = make([]*float32, len(row))
		for j, v := range row {
			if v == v {
				file.Rows[i][j] = &v
			}
		}
	}
	return json.Marshal(file)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *rowSample) UnmarshalJSON(data []byte) error {
	var file sampleFile
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("read baseline sample: %w", err)
	}
	if len(file.Hashes) != len(file.Rows) || len(file.Hours) != len(file.Rows) || !slices.IsSorted(file.Hashes) {
		return fmt.Errorf("read baseline sample: %d hashes and %d hours for %d rows", len(file.Hashes), len(file.Hours), len(file.Rows))
	}
	s.Hashes, s.Hours, s.Rows = file.Hashes, file.Hours, make([][]float32, len(file.Rows))
	for i, row := range file.Rows {
		if s.Hours[i] < 0 || s.Hours[i] > 23 {
			return fmt.Errorf("read baseline sample: hour %d", s.Hours[i])
		}
		s.Rows[i] = make([]float32, len(row))
		for j, v := range row {
			s.Rows[i][j] = float32(math.NaN())
			if v != nil {
				s.Rows[i][j] = *v
			}
		}
	}
	return nil
}
