package pipeline

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"picket"
	"picket/pipeline/extract"
	"picket/store"
)

// TestStraightGivesTheRowsOfTheBucket reads the same objects by way of a bucket and
// straight, and wants the same rows in the same order; and of a query those of them
// that it wants.
func TestStraightGivesTheRowsOfTheBucket(t *testing.T) {
	ctx := context.Background()
	raws := []Raw{
		rawText("a.log", nine.Add(2*time.Hour), scan(nine, 100), browsing(nine, 20)),
		rawText("b.log", nine.Add(2*time.Hour), browsing(nine.Add(50*time.Minute), 30), scan(nine.Add(59*time.Minute), 70)),
		rawText("day.log", nine.Add(40*time.Hour), browsing(nine.Add(15*time.Hour), 30), "bad line\n"),
		rawText("empty.log", nine),
	}
	p := pipelineOver(t, store.NewMemory(nil))
	for _, raw := range raws {
		take(t, p, raw)
	}
	if err := p.Close(ctx, true, nil); err != nil {
		t.Fatal(err)
	}
	text := func(f *picket.Features) string {
		return fmt.Sprint(f.Window, f.From, f.Elapsed, f.Flows, f.Values)
	}
	var want, minutes []string
	columns, err := extract.Columns(extract.Schema(picket.KindActor), []string{"peers", "flow_count"})
	if err != nil {
		t.Fatal(err)
	}
	err = p.Rows(ctx, func(f *picket.Features) error {
		want = append(want, text(f))
		if f.Seconds == 60 && f.Entity.Kind == picket.KindActor {
			row := *f
			row.Values = []float64{f.Values[columns[0]], f.Values[columns[1]]}
			minutes = append(minutes, text(&row))
		}
		return nil
	})
	if err != nil || len(want) < 100 || len(minutes) == 0 {
		t.Fatalf("%d rows, %v", len(want), err)
	}
	read := 0
	s, err := p.ReadStraight(ctx, raws, func(int, Ingested) { read++ })
	if err != nil || read != len(raws) {
		t.Fatalf("%d objects, %v", read, err)
	}
	defer s.Close()
	f := func(what string, q Query, want []string) {
		t.Helper()
		var got []string
		err := s.Rows(ctx, q, func(f *picket.Features) error {
			got = append(got, text(f))
			return nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %d rows, want %d, %v", what, len(got), len(want), err)
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Fatalf("row %d is\n%s, want\n%s", i, got[i], want[i])
				}
			}
		}
	}
	f("all", Query{}, want)
	f("a query", Query{Seconds: 60, Kinds: []picket.Kind{picket.KindActor}, Columns: columns}, minutes)
}
