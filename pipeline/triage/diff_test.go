package triage

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"picket"
)

// told prints events as "#count status class/entity".
func told(events []picket.Finding, all ...[]picket.Finding) string {
	name := map[string]string{}
	for _, list := range append(all, events) {
		for _, f := range list {
			name[f.UID] = f.Class + " " + f.Entity.String()
		}
	}
	var out []string
	for _, f := range events {
		s := fmt.Sprintf("#%d %s %s", f.Count, f.Status, name[f.UID])
		if f.Successor != "" {
			s += " -> " + name[f.Successor]
		}
		out = append(out, s)
	}
	return strings.Join(out, "\n")
}

// TestDiff tells the story of a day, step by step: each step's alerts are all
// that fired so far.
func TestDiff(t *testing.T) {
	var log []picket.Finding
	c := Config{Now: time.Unix(day, 0)}
	step := func(alerts, want string) {
		t.Helper()
		next := Triage(parse(t, alerts), c)
		events := Diff(log, next)
		if d := cmp.Diff(lines(want), lines(told(events, log, next))); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
		log = append(log, events...)
		if again := Diff(log, next); len(again) > 0 {
			t.Errorf("told twice: %s", told(again, log))
		}
		if again := Diff(reread(t, log), next); len(again) > 0 {
			t.Errorf("told twice after reading back: %s", told(again, log))
		}
	}
	step(``, ``)
	step(`10:04+60 victim 10.0.0.5 ddos .90 key=000001-a peers=10.0.0.9:60`,
		`#1 new ddos victim 10.0.0.5`)
	step(`10:04+60 victim 10.0.0.5 ddos .90 key=000002-b peers=10.0.0.9:60`, // a late part changed nothing
		``)
	step(`
		10:04+60 victim 10.0.0.5 ddos .90 key=000002-b peers=10.0.0.9:60
		10:05+60 victim 10.0.0.5 ddos .95 key=000002-b peers=10.0.0.9:60`,
		`#2 updated ddos victim 10.0.0.5`)
	step(`
		10:04+60 victim 10.0.0.5 ddos .90 key=000002-b peers=10.0.0.9:60
		10:05+60 victim 10.0.0.5 ddos .95 key=000002-b peers=10.0.0.9:60
		10:00+3600 actor 10.0.0.9 scan .97 key=000003-c peers=10.0.0.5:120`,
		`#3 closed ddos victim 10.0.0.5 -> scan actor 10.0.0.9
		#1 new scan actor 10.0.0.9`)
	c.Rules = []Rule{{Entity: "10.0.0.9", Expires: time.Unix(day, 0).Add(time.Hour), Author: "ann", Reason: "our scanner"}}
	step(`10:00+3600 actor 10.0.0.9 scan .97 key=000003-c peers=10.0.0.5:120`,
		`#2 suppressed scan actor 10.0.0.9`)
	c.Now = c.Now.Add(time.Hour)
	step(`10:00+3600 actor 10.0.0.9 scan .97 key=000003-c peers=10.0.0.5:120`,
		`#3 new scan actor 10.0.0.9`)
	step(``,
		`#4 closed scan actor 10.0.0.9`)
	step(`10:00+3600 actor 10.0.0.9 scan .97 key=000005-d peers=10.0.0.5:120`,
		`#5 updated scan actor 10.0.0.9`)
}

// reread writes findings and reads them back.
func reread(t *testing.T, findings []picket.Finding) []picket.Finding {
	t.Helper()
	var b strings.Builder
	if err := (Encoder{}).WriteJSONL(&b, findings); err != nil {
		t.Fatal(err)
	}
	out, err := ReadJSONL(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDiffAnyDay: whatever is told after what, the log ends as if only the last
// had been seen, nothing is told twice, and every event has a name of its own.
func TestDiffAnyDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var log []picket.Finding
		var next []picket.Finding
		for range rapid.IntRange(1, 4).Draw(t, "steps") {
			next = Triage(genAlerts(t), Config{})
			log = append(log, Diff(log, next)...)
			if again := Diff(log, next); len(again) > 0 {
				t.Fatalf("told twice: %s", told(again, log))
			}
		}
		names := map[string]bool{}
		for i := range log {
			id := EventUID(&log[i])
			if names[id] {
				t.Fatalf("event %s twice", id)
			}
			names[id] = true
		}
		want := map[string]picket.Finding{}
		for _, f := range next {
			if f.Status != picket.StatusClosed {
				want[f.UID] = f
			}
		}
		for _, f := range Latest(log) {
			w, open := want[f.UID]
			if open != (f.Status != picket.StatusClosed) {
				t.Fatalf("%s is %s, open is %v", f.UID, f.Status, open)
			}
			if open && !Same(f, w) {
				t.Fatalf("the log ends with\n%+v\nnot\n%+v", f, w)
			}
			delete(want, f.UID)
		}
		if len(want) > 0 {
			t.Fatalf("%d findings are not in the log", len(want))
		}
	})
}

func TestRevision(t *testing.T) {
	revision := func(alerts string) string {
		t.Helper()
		return Triage(parse(t, alerts), Config{})[0].Revision
	}
	a := revision("10:04+60 actor 10.0.0.9 scan .97 key=000001-a")
	both := revision("10:04+60 actor 10.0.0.9 scan .97 key=000001-a\n10:05+60 actor 10.0.0.9 scan .97 key=000002-b")
	if !strings.HasPrefix(a, "000001-") || !strings.HasPrefix(both, "000002-") {
		t.Errorf("revisions %s and %s do not count their keys", a, both)
	}
	if b := revision("10:04+60 actor 10.0.0.9 scan .97 key=000001-b"); a == b {
		t.Error("another key, the same revision")
	}
	merged := revision(`
		10:04+60 actor 10.0.0.9 scan .97 key=000001-a peers=10.0.0.5:100
		10:04+60 victim 10.0.0.5 scan .97 key=000002-b peers=10.0.0.9:100`)
	if merged != both {
		t.Errorf("merged revision %s, want that of both keys, %s", merged, both)
	}
}
