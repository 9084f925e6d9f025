package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/pipeline/extract"
	"picket/store"
)

// flowLog is a flow log of the given minutes of an hour, in their order: in each,
// 10.0.0.1 opens minute+1 connections.
func flowLog(minutes ...int) string {
	var b strings.Builder
	b.WriteString("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n")
	for _, m := range minutes {
		for i := range m%60 + 1 {
			at := 1772445600 + 60*m // 2026-03-02 10:00 UTC
			fmt.Fprintf(&b, "2 1 eni-1 10.0.0.1 192.0.2.%d %d 443 6 3 180 %d %d ACCEPT OK\n", i%200, 40000+i, at, at+59)
		}
	}
	return b.String()
}

func textRaw(name, text string) Raw {
	return Raw{Key: name, Modified: time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC), Size: int64(len(text)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

func streamPipeline(t *testing.T) *Pipeline {
	t.Helper()
	return New(Default(), Deps{Bucket: store.NewMemory(nil), Now: time.Now, TempDir: t.TempDir()})
}

// streamRows returns the rows of a stream as texts, in the order in which they came.
func streamRows(t *testing.T, lateness time.Duration, raws ...Raw) (rows []string, late uint64) {
	t.Helper()
	done, err := streamPipeline(t).Stream(context.Background(), raws, extract.RoadOf(picket.SourceVPC), lateness, Query{}, func(f *picket.Features) error {
		rows = append(rows, rowBits(f))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, done.Late
}

func rowBits(f *picket.Features) string {
	text := fmt.Sprint(f.Window, f.Elapsed, f.Flows)
	for i, v := range f.Values {
		if name := extract.Schema(f.Entity.Kind).Names[i]; strings.HasSuffix(name, "_entities") || strings.HasSuffix(name, "_network_share") {
			continue // of the hour around the window, of which a stream has seen a part
		}
		text += fmt.Sprintf(" %x", math.Float64bits(v))
	}
	return text
}

func minutesFrom(from, to int) (list []int) {
	for m := from; m < to; m++ {
		list = append(list, m)
	}
	return list
}

// TestStreamGivesEachWindowOnce wants of a stream, however late it waits, the rows
// of a reading at once: each once, and nothing late where nothing is out of order.
func TestStreamGivesEachWindowOnce(t *testing.T) {
	log := textRaw("log", flowLog(minutesFrom(0, 130)...))
	p := streamPipeline(t)
	straight, err := p.ReadStraight(context.Background(), []Raw{log}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer straight.Close()
	var want []string
	if err := straight.Rows(context.Background(), Query{}, func(f *picket.Features) error { want = append(want, rowBits(f)); return nil }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	for _, lateness := range []time.Duration{0, time.Minute, 7 * time.Minute, 90 * time.Minute, 100 * time.Hour} {
		rows, late := streamRows(t, lateness, log)
		slices.Sort(rows)
		if diff := cmp.Diff(want, rows); diff != "" || late != 0 {
			t.Errorf("lateness %s: %d late, %.1500s", lateness, late, diff)
		}
	}
}

// TestStreamDropsWhatIsLate wants a record counted that comes after its window was
// told, and not one within the lateness.
func TestStreamDropsWhatIsLate(t *testing.T) {
	order := slices.Concat(minutesFrom(0, 20), []int{12}, minutesFrom(20, 25))
	f := func(lateness time.Duration, want uint64) {
		t.Helper()
		if _, late := streamRows(t, lateness, textRaw("log", flowLog(order...))); late != want {
			t.Errorf("lateness %s: %d late, want %d", lateness, late, want)
		}
	}
	f(10*time.Minute, 0)
	f(8*time.Minute, 0)
	f(5*time.Minute, 13)
	f(0, 13)
}

// TestStreamTellsBeforeTheEnd wants the row of a minute while the log still goes on.
func TestStreamTellsBeforeTheEnd(t *testing.T) {
	r, w := io.Pipe()
	rows := make(chan string, 1000)
	done := make(chan error)
	go func() {
		raw := Raw{Key: "-", Modified: time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC), Open: func() (io.ReadCloser, error) { return r, nil }}
		_, err := streamPipeline(t).Stream(context.Background(), []Raw{raw}, extract.RoadOf(picket.SourceVPC), 2*time.Minute, Query{Seconds: 60, Kinds: []picket.Kind{picket.KindActor}}, func(f *picket.Features) error {
			rows <- fmt.Sprint(f.Entity.Kind, f.Start)
			return nil
		})
		done <- err
	}()
	io.Copy(w, bytes.NewBufferString(flowLog(minutesFrom(0, 60)...)+strings.Repeat(" \n", 1<<20))) // more than is read ahead
	first := <-rows
	if want := "actor1772445600"; first != want {
		t.Errorf("first row %s, want %s", first, want)
	}
	w.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
