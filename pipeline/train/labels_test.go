package train

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"picket"
)

func TestReadLabels(t *testing.T) {
	const file = `start,end,entity_kind,entity,class,note
2024-05-01T00:00:00Z,2024-05-02T00:00:00Z,*,*,normal,
1714557600,1714557900.5,victim,2001:DB8:0::1,ddos,"flood, weak"
`
	want := []picket.Label{
		{Start: 1714521600, End: 1714608000, Entity: picket.Entity{Kind: "*", ID: "*"}, Class: "normal"},
		{Start: 1714557600, End: 1714557900, Entity: picket.Entity{Kind: "victim", ID: "2001:db8::1"}, Class: "ddos", Note: "flood, weak"},
	}
	got, err := ReadLabels(strings.NewReader(file), "labels.csv")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var written bytes.Buffer
	if err := WriteLabels(&written, []picket.Label{got[1], got[0]}); err != nil {
		t.Fatal(err)
	}
	again, err := ReadLabels(&written, "written")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, again); diff != "" {
		t.Error(diff)
	}
}

func TestReadLabelsRefuses(t *testing.T) {
	f := func(file, want string) {
		t.Helper()
		_, err := ReadLabels(strings.NewReader(file), "x.csv")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.csv") {
			t.Errorf("%q: error %v, want %q", file, err, want)
		}
	}
	const header = "start,end,entity_kind,entity,class,note\n"
	f("", "header")
	f("start,end,entity,class\n", `"entity_kind"`)
	f(header+"yesterday,2,actor,a,scan,\n", "line 2: start")
	f(header+"2,1,actor,a,scan,\n", "not after")
	f(header+"1,2,router,a,scan,\n", `"router"`)
	f(header+"1,2,actor,,scan,\n", "no entity")
	f(header+"1,2,actor,a,scam,\n", `"scam"`)
	f(header+"1,2,actor\n", "wrong number of fields")
}

// One minute windows unless a case says otherwise.
func TestLabelRules(t *testing.T) {
	normal := picket.Label{Start: 0, End: 7200, Entity: picket.Entity{Kind: "*", ID: "*"}, Class: picket.ClassNormal}
	scan := picket.Label{Start: 600, End: 900, Entity: picket.Entity{Kind: picket.KindActor, ID: "evil"}, Class: picket.ClassScan}
	own := picket.Label{Start: 0, End: 7200, Entity: picket.Entity{Kind: picket.KindActor, ID: "backup"}, Class: picket.ClassNormal}
	half := picket.Label{Start: 1230, End: 1260, Entity: picket.Entity{Kind: picket.KindActor, ID: "evil"}, Class: picket.ClassC2}
	less := picket.Label{Start: 1831, End: 1860, Entity: picket.Entity{Kind: picket.KindActor, ID: "evil"}, Class: picket.ClassC2}
	out := picket.Label{Start: 2400, End: 2401, Entity: picket.Entity{Kind: "*", ID: "lab"}, Class: ClassExcluded}
	l := NewLabeller([]picket.Label{normal, scan, own, half, less, out})
	l.Talked("evil", "target", 630, 640)
	l.Talked("backup", "evil", 630, 640)
	l.Talked("evil", "early", 100, 110)

	f := func(kind picket.Kind, id string, start, seconds, elapsed int64, want string) {
		t.Helper()
		w := picket.Window{Entity: picket.Entity{Kind: kind, ID: id}, Start: start, Seconds: seconds}
		got, by, ok := l.Label(&picket.Features{Window: w, Elapsed: elapsed})
		if got != want || ok != (want != "") || (by == nil) != (want == "" || want == picket.ClassNormal) {
			t.Errorf("%v elapsed %d is %q by %v, want %q", w, elapsed, got, by, want)
		}
	}
	f(picket.KindActor, "web", 0, 60, 60, picket.ClassNormal)
	f(picket.KindActor, "web", 7140, 60, 60, picket.ClassNormal)
	f(picket.KindActor, "web", 7200, 60, 60, "")                     // outside every row
	f(picket.KindActor, "web", 3600, 3600, 3600, picket.ClassNormal) // inside to the second
	f(picket.KindActor, "web", 0, 86400, 86400, "")                  // not wholly inside
	f(picket.KindActor, "web", 0, 86400, 7200, picket.ClassNormal)   // what has elapsed is
	f(picket.KindActor, picket.Rest, 0, 60, 60, "")                  // the rest is no entity

	f(picket.KindActor, "evil", 600, 60, 60, picket.ClassScan) // an attack wins over *
	f(picket.KindActor, "evil", 540, 60, 60, picket.ClassNormal)
	f(picket.KindActor, "evil", 900, 60, 60, picket.ClassNormal)
	f(picket.KindVictim, "evil", 600, 60, 60, picket.ClassNormal) // the label is of its other role
	f(picket.KindActor, "evil", 1200, 60, 60, picket.ClassC2)     // half is enough
	f(picket.KindActor, "evil", 1800, 60, 60, "")                 // 29 seconds are not
	f(picket.KindActor, "evil", 0, 3600, 3600, "")                // nor is five minutes of an hour
	f(picket.KindActor, "evil", 0, 3600, 900, "")                 // nor of a quarter of it
	f(picket.KindActor, "evil", 600, 3600, 300, picket.ClassScan) // a partial cut that it fills

	f(picket.KindVictim, "target", 600, 60, 60, "") // a peer, as long as the row lasts
	f(picket.KindActor, "target", 840, 60, 60, "")
	f(picket.KindVictim, "target", 900, 60, 60, picket.ClassNormal)
	f(picket.KindVictim, "target", 0, 3600, 3600, "")
	f(picket.KindVictim, "early", 600, 60, 60, picket.ClassNormal) // talked before the attack
	f(picket.KindActor, "backup", 600, 60, 60, picket.ClassNormal) // has a normal row of its own
	f(picket.KindVictim, "backup", 600, 60, 60, "")                // in this role only *
	f(picket.KindActor, "lab", 2400, 60, 60, "")                   // excluded
	f(picket.KindActor, "lab", 2460, 60, 60, picket.ClassNormal)
}

// Rows that touch cover a window together, and of two attacks the longer one names it.
func TestLabelsThatMeet(t *testing.T) {
	a := picket.Entity{Kind: picket.KindActor, ID: "a"}
	l := NewLabeller([]picket.Label{
		{Start: 0, End: 30, Entity: a, Class: picket.ClassNormal}, {Start: 30, End: 90, Entity: a, Class: picket.ClassNormal},
		{Start: 120, End: 140, Entity: a, Class: picket.ClassScan}, {Start: 130, End: 165, Entity: a, Class: picket.ClassC2},
		{Start: 0, End: 10, Entity: picket.Entity{Kind: "*", ID: "*"}, Class: picket.ClassNormal},
	})
	f := func(start int64, want string) {
		t.Helper()
		got, _, _ := l.Label(&picket.Features{Window: picket.Window{Entity: a, Start: start, Seconds: 60}})
		if got != want {
			t.Errorf("window at %d is %q, want %q", start, got, want)
		}
	}
	f(0, picket.ClassNormal)
	f(60, "")
	f(120, picket.ClassC2)
}

func TestCollector(t *testing.T) {
	schema := picket.NewSchema([]string{"x"})
	labels := []picket.Label{
		{Start: 0, End: 60_000, Entity: picket.Entity{Kind: "*", ID: "*"}, Class: picket.ClassNormal},
		{Start: 0, End: 600, Entity: picket.Entity{Kind: picket.KindActor, ID: "evil"}, Class: picket.ClassScan, Note: "slow"},
		{Start: 600, End: 1200, Entity: picket.Entity{Kind: picket.KindActor, ID: "evil"}, Class: picket.ClassPhishing},
	}
	collect := func(reverse bool) ([]*picket.Dataset, Counts) {
		c := Collector{
			Detector: picket.DetectorTraffic, Classes: picket.TrafficClasses(), MaxRows: 50, Labels: NewLabeller(labels),
			Schema: func(picket.Kind) picket.Schema { return schema },
		}
		for i := range 1000 {
			at := i
			if reverse {
				at = 999 - i
			}
			for _, id := range []string{"web", "evil"} {
				w := picket.Window{Entity: picket.Entity{Kind: picket.KindActor, ID: id}, Start: int64(at) * 60, Seconds: 60}
				if err := c.Add(&picket.Features{Window: w, Values: []float64{float64(at)}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		return c.Datasets()
	}
	sets, counts := collect(false)
	again, _ := collect(true)
	if diff := cmp.Diff(sets, again); diff != "" {
		t.Errorf("the order of rows matters:\n%s", diff)
	}
	if want := (Counts{Rows: 2000, Foreign: 10, ByClass: map[string]int{picket.ClassNormal: 1980, picket.ClassScan: 10}}); !cmp.Equal(counts, want) {
		t.Error(cmp.Diff(want, counts))
	}
	if len(sets) != 1 || len(sets[0].Examples) != 60 || !cmp.Equal(sets[0].Classes, []string{picket.ClassNormal, picket.ClassScan}) {
		t.Fatalf("%d sets, the first with %d rows of %v", len(sets), len(sets[0].Examples), sets[0].Classes)
	}
	for _, e := range sets[0].Examples {
		if e.Class == picket.ClassScan && (e.Group != "scan slow" || e.Weight != 1) || e.Class == picket.ClassNormal && e.Weight != 1980.0/50 {
			t.Fatalf("%+v", e)
		}
	}
	c := Collector{Detector: picket.DetectorTraffic, Classes: picket.TrafficClasses(), Labels: NewLabeller(labels), Schema: func(picket.Kind) picket.Schema { return schema }}
	if err := c.Add(&picket.Features{Window: picket.Window{Seconds: 60, Entity: picket.Entity{ID: "web"}}, Values: []float64{1, 2}}); err == nil {
		t.Error("a row of another width was taken")
	}
}
