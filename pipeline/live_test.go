package pipeline

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"picket"
	"picket/store"
)

// TestLiveRun lets a store fail while an object arrives: the finding comes all
// the same, without another arrival, and day-wide rows at the next full hour,
// also where objects keep arriving.
func TestLiveRun(t *testing.T) {
	temp := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		var failing atomic.Bool
		memory := store.NewMemory(nil)
		p := New(Default(), Deps{Now: time.Now, TempDir: temp, Bucket: hooked{Bucket: memory, before: func() error {
			if failing.Load() {
				return errFault
			}
			return nil
		}}})
		l := watched(p)
		ended := make(chan error)
		go func() { ended <- l.Run(ctx) }()
		synctest.Wait()

		day := time.Now().Truncate(24 * time.Hour)
		if err := l.Take(ctx, rawText("a.log", day.Add(time.Hour), scan(day, 100))); err != nil {
			t.Fatal(err)
		}
		failing.Store(true)
		time.Sleep(5 * time.Second)
		failing.Store(false)
		if n := len(keys(t, memory, picket.FindingsPrefix)); n != 0 {
			t.Fatalf("%d findings while the store failed", n)
		}
		time.Sleep(20 * time.Second)
		if n := len(keys(t, memory, picket.FindingsPrefix)); n != 1 {
			t.Errorf("%d findings after the store came back, want 1", n)
		}
		whole := "features/" + day.Format(dayLayout) + "/"
		before := keys(t, memory, whole)
		for range 30 { // two and a half hours
			time.Sleep(5 * time.Minute)
			raw := rawText("b.log", time.Now(), browsing(day, 1+int(time.Now().Unix()/300%30)))
			if err := l.Take(ctx, raw); err != nil {
				t.Fatal(err)
			}
		}
		if got := keys(t, memory, whole); len(got) < len(before)+2 {
			t.Errorf("day-wide rows went from %v to %v in two hours", before, strings.Join(got, " "))
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
