package train

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"picket"
)

func TestSplitByGroupKeepsGroupsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &picket.Dataset{Classes: []string{"normal", "scan", "c2"}}
		for range rapid.IntRange(1, 300).Draw(t, "rows") {
			g := rapid.IntRange(0, 40).Draw(t, "group")
			d.Examples = append(d.Examples, picket.Example{Class: d.Classes[g%3], Group: fmt.Sprint(g)})
		}
		SplitByGroup(d, DefaultFractions, 7)
		where := map[string]string{}
		for _, e := range d.Examples {
			if e.Split == "" {
				t.Fatal("a row is in no split")
			}
			if at, ok := where[e.Group]; ok && at != e.Split {
				t.Fatalf("group %s is in %s and %s", e.Group, at, e.Split)
			}
			where[e.Group] = e.Split
		}
	})
}

func TestSplitByGroupReachesItsFractions(t *testing.T) {
	d := drawn(1000, 1)
	SplitByGroup(d, DefaultFractions, 1)
	for split, want := range map[string]float64{picket.SplitTrain: 0.6, picket.SplitValidation: 0.1, picket.SplitCalibration: 0.1, picket.SplitTest: 0.2} {
		for class, n := range countRows(d)[split] {
			if got := float64(n) / 1000; got < want-0.02 || got > want+0.02 {
				t.Errorf("%s has %.3f of %s, want %.2f", split, got, class, want)
			}
		}
	}
	first := In(d, picket.SplitTest)[0]
	SplitByGroup(d, DefaultFractions, 2)
	moved := 0
	for i := range d.Examples {
		if d.Examples[i].Group == first.Group && d.Examples[i].Split != picket.SplitTest {
			moved++
		}
	}
	if other := countRows(d)[picket.SplitTest]; moved == 0 && len(other) == 0 {
		t.Error("the seed changes nothing")
	}
}

// Five classes of two incidents each: train knows every class, and every split has
// an attack to work with.
func TestFewIncidentsReachEverySplit(t *testing.T) {
	for seed := range uint64(50) {
		d := &picket.Dataset{Classes: picket.TrafficClasses()}
		for i := range 10 {
			for range 30 {
				d.Examples = append(d.Examples, picket.Example{Class: d.Classes[1+i%5], Group: fmt.Sprint("incident ", i)})
			}
		}
		for i := range 900 {
			d.Examples = append(d.Examples, picket.Example{Class: d.Classes[0], Group: fmt.Sprint("host ", i/10)})
		}
		SplitByGroup(d, DefaultFractions, seed)
		counts := countRows(d)
		if len(counts[picket.SplitTrain]) != 6 {
			t.Fatalf("seed %d: train has %v", seed, counts[picket.SplitTrain])
		}
		for _, split := range splitNames {
			if len(counts[split]) < 2 {
				t.Fatalf("seed %d: %s has %v", seed, split, counts[split])
			}
		}
	}
}

// However large a few groups are, every split gets some of both classes, and no
// split is further from its share than two of the largest groups.
func TestFewLargeGroupsReachEverySplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &picket.Dataset{Classes: []string{"normal", "scan"}}
		largest := map[string]int{}
		for _, class := range d.Classes {
			for g := range rapid.IntRange(len(splitNames), 24).Draw(t, "groups") {
				n := rapid.SampledFrom([]int{1, 2, 10, 300}).Draw(t, "rows")
				largest[class] = max(largest[class], n)
				for range n {
					d.Examples = append(d.Examples, picket.Example{Class: class, Group: fmt.Sprint(class, g)})
				}
			}
		}
		SplitByGroup(d, DefaultFractions, rapid.Uint64().Draw(t, "seed"))
		counts, shares := countRows(d), DefaultFractions.shares()
		for _, class := range d.Classes {
			total := 0
			for _, split := range splitNames {
				total += counts[split][class]
			}
			for i, split := range splitNames {
				n := counts[split][class]
				if n == 0 {
					t.Fatalf("%s has no row of %s", split, class)
				}
				if off := math.Abs(float64(n) - shares[i]*float64(total)); off > float64(2*largest[class]) {
					t.Fatalf("%s has %d of %d rows of %s, the largest group is %d", split, n, total, class, largest[class])
				}
			}
		}
	})
}

func TestSplitByTime(t *testing.T) {
	d := &picket.Dataset{Classes: []string{"normal", "scan"}}
	add := func(start, seconds int64, class, group string) {
		w := picket.Window{Start: start, Seconds: seconds}
		d.Examples = append(d.Examples, picket.Example{Features: picket.Features{Window: w}, Class: class, Group: group})
	}
	for i := range int64(100) {
		add(i*60, 60, "normal", "web")
	}
	add(40*60, 1200, "normal", "web") // crosses the first cut
	for i := range int64(6) {
		add((47+i)*60, 60, "scan", "incident")
	}
	if err := SplitByTime(d, Fractions{Train: 5, Validation: 2, Calibration: 1, Test: 2}); err != nil {
		t.Fatal(err)
	}
	last := map[string]int64{}
	first := map[string]int64{}
	for _, e := range d.Examples {
		if e.Split == "" {
			continue
		}
		last[e.Split] = max(last[e.Split], e.End())
		if at, ok := first[e.Split]; !ok || e.Start < at {
			first[e.Split] = e.Start
		}
	}
	order := []string{picket.SplitTrain, picket.SplitValidation, picket.SplitCalibration, picket.SplitTest}
	for i := 1; i < len(order); i++ {
		if last[order[i-1]] > first[order[i]] {
			t.Errorf("%s ends at %d, %s begins at %d", order[i-1], last[order[i-1]], order[i], first[order[i]])
		}
	}
	where := map[string]bool{}
	for _, e := range d.Examples {
		if e.Group == "incident" && e.Split != "" {
			where[e.Split] = true
		}
	}
	if len(where) != 1 || !where[picket.SplitTrain] {
		t.Errorf("one incident is in %v", where)
	}
	if d.Examples[100].Split != "" {
		t.Errorf("a window that crosses a cut is in %s", d.Examples[100].Split)
	}
	if err := SplitByTime(&picket.Dataset{}, DefaultFractions); err == nil {
		t.Error("no rows were split")
	}
}

func TestSplitByTimeAndEntity(t *testing.T) {
	d := drawn(800, 1)
	if err := SplitByTimeAndEntity(d, DefaultFractions, 3); err != nil {
		t.Fatal(err)
	}
	tested, trained := map[string]bool{}, map[string]bool{}
	for _, e := range d.Examples {
		if e.Class != picket.ClassNormal || e.Split == "" {
			continue
		}
		if e.Split == picket.SplitTest {
			tested[e.Entity.ID] = true
		} else {
			trained[e.Entity.ID] = true
		}
	}
	for id := range tested {
		if trained[id] {
			t.Errorf("%s is trained on and tested", id)
		}
	}
	if len(tested) == 0 || len(trained) == 0 {
		t.Errorf("%d entities tested, %d trained", len(tested), len(trained))
	}
}

func TestIdenticalRowsShareAGroup(t *testing.T) {
	d := &picket.Dataset{Examples: []picket.Example{
		{Features: picket.Features{Values: []float64{1, 2}}}, {Features: picket.Features{Values: []float64{2, 1}}}, {Features: picket.Features{Values: []float64{1, 2}}},
	}}
	GroupIdentical(d)
	if d.Examples[0].Group != d.Examples[2].Group || d.Examples[0].Group == d.Examples[1].Group {
		t.Errorf("groups %q", []string{d.Examples[0].Group, d.Examples[1].Group, d.Examples[2].Group})
	}
}
