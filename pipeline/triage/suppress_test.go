package triage

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"picket"
)

func TestSuppress(t *testing.T) {
	now := time.Unix(day, 0)
	f := func(r Rule, want bool) {
		t.Helper()
		findings := []picket.Finding{{
			Status: picket.StatusNew, Class: "scan", Type: "port-scan",
			Entity: picket.Entity{Kind: picket.KindActor, ID: "10.0.0.9"}, Peers: []string{"10.0.1.5", "10.0.1.6"},
		}}
		Suppress(findings, []Rule{r}, now)
		if got := findings[0].Status == picket.StatusSuppressed; got != want {
			t.Errorf("%+v: suppressed %v, want %v", r, got, want)
		}
	}
	rule := func(change func(*Rule)) Rule {
		r := Rule{Expires: now.Add(time.Second), Author: "ann", Reason: "our scanner"}
		change(&r)
		return r
	}
	f(rule(func(r *Rule) { r.Entity = "10.0.0.9" }), true)
	f(rule(func(r *Rule) { r.Entity = "10.0.0.*" }), true)
	f(rule(func(r *Rule) { r.Entity = "10.0.0." }), false)
	f(rule(func(r *Rule) { r.CIDR = "10.0.0.0/28" }), true)
	f(rule(func(r *Rule) { r.CIDR = "10.0.0.0/29" }), false)
	f(rule(func(r *Rule) { r.CIDR = "2001:db8::/32" }), false)
	f(rule(func(r *Rule) { r.Class, r.Type = "scan", "port-*" }), true)
	f(rule(func(r *Rule) { r.Class, r.Type = "scan", "host-*" }), false)
	f(rule(func(r *Rule) { r.Peer = "10.0.1.?" }), true)
	f(rule(func(r *Rule) { r.Peer = "10.0.1.0/24" }), true)
	f(rule(func(r *Rule) { r.Peer = "10.0.1.5" }), false) // the other peer is still news
	f(rule(func(r *Rule) {}), false)
	f(rule(func(r *Rule) { r.CIDR = "10.0.0.9" }), false)
	f(rule(func(r *Rule) { r.Class, r.Author = "*", "" }), false)
	f(rule(func(r *Rule) { r.Class, r.Reason = "*", "" }), false)
	f(rule(func(r *Rule) { r.Class, r.Expires = "*", time.Time{} }), false)
	f(rule(func(r *Rule) { r.Class, r.Expires = "*", now }), false)
	f(rule(func(r *Rule) { r.Class = "*" }), true)

	rules := []Rule{{Author: "a", Expires: now}, {Author: "b", Expires: now.Add(1)}, {Author: "c"}}
	if old := Expired(rules, now); len(old) != 1 || old[0].Author != "a" {
		t.Errorf("expired: %+v", old)
	}
}

func TestMatches(t *testing.T) {
	f := func(pattern, text string, want bool) {
		t.Helper()
		if got := matches(pattern, text); got != want {
			t.Errorf("%q of %q: %v", text, pattern, got)
		}
	}
	f("", "anything", true)
	f("*", "", true)
	f("?", "", false)
	f("a*c", "a/b/c", true)
	f("a*b*c", "abbcbc", true)
	f("a*b*c", "abbcb", false)
	f("*.example.com", "www.example.com", true)
	f("*.example.com", "example.com", false)
}

func TestBudget(t *testing.T) {
	f := func(scores []float64, days, perDay, floor, want float64) {
		t.Helper()
		if got := Budget(scores, days, perDay, floor); got != want && !(want > floor && got == math.Nextafter(want, math.Inf(1))) {
			t.Errorf("Budget(%v, %v, %v, %v) = %v, want %v or just above", scores, days, perDay, floor, got, want)
		}
	}
	f(nil, 1, 5, 2, 2)
	f([]float64{3, 4, 5}, 1, 5, 2, 2)
	f([]float64{3, 4, 5}, 1, 3, 2, 2)
	f([]float64{3, 4, 5}, 1, 2, 2, 3)
	f([]float64{3, 4, 5}, 2, 1, 2, 3)
	f([]float64{3, 4, 4, 5}, 1, 2, 2, 4) // ties go together
	f([]float64{3, math.NaN(), 5}, 1, 0, 2, 5)
	f([]float64{1, 1, 1}, 1, 1, 2, 2)
	f([]float64{3, 4}, math.NaN(), 1, 2, 2)
}

// TestBudgetHolds: at most the budget passes, and never a score below the floor.
func TestBudgetHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores := rapid.SliceOf(rapid.Float64()).Draw(t, "scores")
		perDay := float64(rapid.IntRange(0, 9).Draw(t, "perDay"))
		floor := rapid.Float64().Draw(t, "floor")
		cut := Budget(scores, 1, perDay, floor)
		passed := 0
		for _, s := range scores {
			if s >= cut {
				passed++
			}
		}
		if cut < floor || float64(passed) > perDay && float64(len(scores)) > perDay {
			t.Fatalf("cut %v: %d of %d pass, floor %v", cut, passed, len(scores), floor)
		}
	})
}
