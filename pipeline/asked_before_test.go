package pipeline

import (
	"context"
	"testing"
	"time"

	"picket"
	"picket/store"
)

// A finding on a name says whether it was asked for on the days before, once days
// before are known, and telling it again is no news.
func TestAskedBefore(t *testing.T) {
	ctx := context.Background()
	p := New(Default(), Deps{Bucket: store.NewMemory(nil), Now: func() time.Time { return nine.Add(30 * time.Hour) }, TempDir: t.TempDir()})
	day := nine.Unix() - nine.Unix()%picket.Day
	judge := func(key string, later time.Duration, lines ...string) []picket.Finding {
		t.Helper()
		take(t, p, resolverAt(key, nine.Add(later), lines...))
		if err := p.Close(ctx, true, func([]Closed) error { return nil }); err != nil {
			t.Fatal(err)
		}
		s, err := shippedModel()
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.Detect(ctx, s.Model, s.Scorer, day+int64(later/time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return d.Events
	}
	const old, fresh = "paypal-account-verify.support", "metamask-airdrop.pages.dev"
	found := judge("raw/one.log", 0, "10.0.0.5 "+old)
	if len(found) != 1 || factOf(&found[0], "asked before") != "" {
		t.Fatalf("the first day: %v", found)
	}
	found = judge("raw/two.log", 24*time.Hour, "10.0.0.5 "+old, "10.0.0.6 "+fresh)
	if len(found) != 2 {
		t.Fatalf("the second day: %v", found)
	}
	for i := range found {
		want := "last on 2026-03-02"
		if found[i].Entity.ID == fresh {
			want = "not in the 1 days before that are known"
		}
		if got := factOf(&found[i], "asked before"); got != want {
			t.Errorf("%s: %q, want %q", found[i].Entity.ID, got, want)
		}
	}
	s, _ := shippedModel()
	if again, err := p.Detect(ctx, s.Model, s.Scorer, day+picket.Day); err != nil || len(again.Events) != 0 {
		t.Errorf("told again: %v, %v", again.Events, err)
	}
}

func factOf(f *picket.Finding, name string) string {
	for _, fact := range f.Facts {
		if fact.Name == name {
			return fact.Value
		}
	}
	return ""
}
