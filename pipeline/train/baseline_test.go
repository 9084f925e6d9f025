package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"picket"
)

// habit is a row of a host at an hour: web serves much by day and nothing by
// night, backup sends at 2 o'clock, pc-N do a little of all.
func habit(random *rand.Rand, id string, start int64) *picket.Features {
	hour := start / picket.Hour % 24
	bytes, peers := 10*random.ExpFloat64(), float64(random.IntN(5))
	switch {
	case id == "web" && hour >= 8 && hour < 20:
		bytes, peers = 1000+100*random.NormFloat64(), float64(40+random.IntN(10))
	case id == "backup":
		bytes = 5000 + 500*random.NormFloat64()
	}
	w := picket.Window{Entity: picket.Entity{Kind: picket.KindActor, ID: id}, Start: start, Seconds: picket.TenMinutes, Source: "zeek"}
	return &picket.Features{Window: w, Values: []float64{bytes, peers, math.NaN()}}
}

func learned(t *testing.T, seconds int64, backwards bool) *Baseline {
	t.Helper()
	b := NewBaseline(picket.NewSchema([]string{"bytes", "peers", "tunnels"}))
	random := rand.New(rand.NewPCG(1, 0))
	var rows []*picket.Features
	for start := int64(0); start < seconds; start += picket.TenMinutes {
		rows = append(rows, habit(random, "web", start), habit(random, "backup", start))
		for i := range 20 {
			rows = append(rows, habit(random, fmt.Sprint("pc-", i), start))
		}
	}
	for i := range rows {
		at := i
		if backwards {
			at = len(rows) - 1 - i
		}
		if err := b.Learn(rows[at]); err != nil {
			t.Fatal(err)
		}
	}
	b.Seal()
	return b
}

func TestBaseline(t *testing.T) {
	b := learned(t, 2*picket.Day, false)
	random := rand.New(rand.NewPCG(2, 0))
	false_, rows := 0, 0
	for start := int64(2 * picket.Day); start < 3*picket.Day; start += picket.TenMinutes {
		for _, id := range []string{"web", "backup", "pc-1", "pc-2", "new-pc"} {
			u, ok := b.Unusual(habit(random, id, start))
			if !ok {
				t.Fatal("nothing is known")
			}
			if rows++; u.Over() {
				false_++
			}
		}
	}
	if false_*200 > rows {
		t.Errorf("%d of %d usual rows are anomalies", false_, rows)
	}
	f := func(id string, hour int64, change func(values []float64), want bool, reason string) {
		t.Helper()
		row := habit(random, id, 2*picket.Day+hour*picket.Hour)
		change(row.Values)
		u, _ := b.Unusual(row)
		if u.Over() != want || want && u.Reasons[0].Feature != reason {
			t.Errorf("%s at %d h: degree %.2f of %.2f by %v, want %v", id, hour, u.Degree, u.Limit, u.Reasons, want)
		}
	}
	f("pc-1", 3, func(v []float64) { v[0], v[1] = 90_000, 900 }, true, "bytes")
	f("pc-1", 3, func(v []float64) { v[0], v[1] = 400, 5000 }, true, "peers")
	f("new-pc", 3, func(v []float64) { v[0], v[1] = 90_000, 900 }, true, "bytes")
	f("backup", 3, func(v []float64) { v[0] = 5600 }, false, "") // usual for itself
	f("pc-1", 3, func(v []float64) { v[2] = 7 }, false, "")      // never seen: nothing to compare with
	if _, ok := b.Unusual(&picket.Features{Window: picket.Window{Seconds: 60}, Values: []float64{1, 2, 3}}); ok {
		t.Error("another width was judged")
	}
}

func TestBaselineLearnsForADay(t *testing.T) {
	row := habit(rand.New(rand.NewPCG(2, 0)), "pc-1", 0)
	if _, ok := learned(t, picket.Day-picket.TenMinutes, false).Unusual(row); ok {
		t.Error("judged after less than a day")
	}
	if _, ok := learned(t, picket.Day, false).Unusual(row); !ok {
		t.Error("not judged after a day")
	}
	if err := NewBaseline(picket.NewSchema([]string{"x"})).Learn(row); err == nil {
		t.Error("a row of another width was learned")
	}
}

// The same rows in another order, and through a file, are the same baseline.
func TestBaselineIsItsRows(t *testing.T) {
	write := func(b *Baseline) []byte {
		data, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	b := learned(t, picket.Day, false)
	data := write(b)
	if !bytes.Equal(data, write(learned(t, picket.Day, true))) {
		t.Error("the order of learning matters")
	}
	read, err := ReadBaseline(data)
	if err != nil {
		t.Fatal(err)
	}
	row := habit(rand.New(rand.NewPCG(3, 0)), "web", 2*picket.Day+9*picket.Hour)
	want, _ := b.Unusual(row)
	got, _ := read.Unusual(row)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, damaged := range []string{
		`{"usual":{"actor/60":{"entities":{"a":{"rows":{"hashes":[1,2],"hours":[1],"rows":[[1]]}}}}}}`,
		`{"usual":{"actor/60":{"entities":{"a":{"rows":{"hashes":[1],"hours":[24],"rows":[[]]}}}}}}`,
		`{"usual":{"actor/60":{"entities":{"a":{"rows":{"hashes":[1],"hours":[1],"rows":[[1]]}}}}}}`,
		`{"usual":{"actor/60":{"entities":{"a":null}}}}`,
		`{"usual":{"actor/60":null}}`,
	} {
		if _, err := ReadBaseline([]byte(damaged)); err == nil {
			t.Errorf("%s was read", damaged)
		}
	}
}

// Of more entities than it keeps, the choice is by hash and not by who came first.
func TestBaselineIsBounded(t *testing.T) {
	b := NewBaseline(picket.NewSchema([]string{"x"}))
	for i := range maxUsual + 500 {
		w := picket.Window{Entity: picket.Entity{Kind: picket.KindActor, ID: fmt.Sprint(i)}, Seconds: 60}
		if err := b.Learn(&picket.Features{Window: w, Values: []float64{1}}); err != nil {
			t.Fatal(err)
		}
	}
	u := b.Usual["actor/60"]
	if len(u.Entities) != maxUsual || len(u.Hours[0].Rows) != hourRows {
		t.Errorf("%d entities and %d rows are kept", len(u.Entities), len(u.Hours[0].Rows))
	}
}
