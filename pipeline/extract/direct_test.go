package extract

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"picket"
)

// direct returns the rows that a Direct makes of records, added by several
// goroutines, slot by slot: the hours with the short widths, then the days.
func direct(t testing.TB, o DirectOptions, feeds int, records []picket.Record, source string, entities int) []picket.Features {
	t.Helper()
	d := NewDirect(o)
	defer d.Close()
	var wg sync.WaitGroup
	for i := range feeds {
		wg.Go(func() {
			f := d.Feed()
			for j := i; j < len(records); j += feeds {
				if err := f.Add(&records[j]); err != nil {
					t.Error(err)
				}
			}
			if err := f.Flush(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	slots, err := d.Slots()
	if err != nil {
		t.Fatal(err)
	}
	var rows []picket.Features
	take := func(o CloseOptions) {
		o.Source, o.MaxEntities, o.TempDir = source, entities, t.TempDir()
		if _, err := d.Windows(context.Background(), o, func(f *picket.Features) error {
			rows = append(rows, *f)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	days := map[int64]bool{}
	for _, s := range slots {
		take(CloseOptions{From: s.Hour, To: s.Hour + picket.Hour, Seconds: []int64{60, 600, 3600}})
		days[s.Hour-s.Hour%picket.Day] = true
	}
	for day := range days {
		take(CloseOptions{From: day, To: day + picket.Day, Seconds: []int64{picket.Day}})
	}
	return rows
}

// byParts returns the same rows, made by way of parts.
func byParts(t testing.TB, records []picket.Record, source string, entities int) []picket.Features {
	t.Helper()
	parts := build(t, Options{}, "one", records)
	var rows []picket.Features
	for _, p := range parts {
		o := CloseOptions{Source: source, From: p.ID.Hour, To: p.ID.Hour + picket.Hour, Seconds: []int64{60, 600, 3600}, MaxEntities: entities}
		rows = append(rows, closeAll(t, parts, o)...)
	}
	day := parts[0].ID.Hour - parts[0].ID.Hour%picket.Day
	return append(rows, closeAll(t, parts, CloseOptions{Source: source, From: day, To: day + picket.Day, Seconds: []int64{picket.Day}, MaxEntities: entities})...)
}

// TestDirectGivesWhatPartsGive wants the bits of a close over parts, whether the
// tables are big enough, never are, or overflow on the way.
func TestDirectGivesWhatPartsGive(t *testing.T) {
	rng := rand.New(rand.NewPCG(71, 72))
	for trial := range 300 {
		source := sources[trial%len(sources)]
		size := 20 + rng.IntN(100)
		if trial%50 == 0 {
			size = 5000
		}
		records := traffic(rng, source, size)
		entities := []int{1, 3, 7, 100}[rng.IntN(4)]
		want := encode(byParts(t, records, source, entities))
		for _, bound := range []int64{0, 1, 1 << 18} {
			o := DirectOptions{TempDir: t.TempDir(), MaxBytes: bound}
			if got := encode(direct(t, o, 1+rng.IntN(3), records, source, entities)); !bytes.Equal(got, want) {
				t.Fatalf("trial %d: %s of %d records, bound %d: other features than by parts", trial, source, size, bound)
			}
		}
	}
}

func BenchmarkDirect(b *testing.B) {
	records := cloud(benchRecords)
	perRecord(b, func() {
		d := NewDirect(DirectOptions{MaxBytes: 1 << 30})
		f := d.Feed()
		for i := range records {
			if err := f.Add(&records[i]); err != nil {
				b.Fatal(err)
			}
		}
		f.Flush()
		slots, _ := d.Slots()
		for _, s := range slots {
			o := options("vpc", 60)
			o.From, o.To = s.Hour, s.Hour+3600
			if _, err := d.Windows(context.Background(), o, func(*picket.Features) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		d.Close()
	})
}
