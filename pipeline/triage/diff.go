package triage

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"

	"picket"
)

// Diff returns the findings of next that say something new, given all that was
// told of the same days before (in any order, every event or only the latest of
// each uid), and prev's findings that next no longer supports, closed. Told
// again, the result adds nothing: Diff(prev + result, next) is empty.
//
// What a finding rests on (Revision, Evidence) may change without a word if
// what it says stays the same: a late part of the hour that brought nothing to
// this entity is not news.
func Diff(prev, next []picket.Finding) []picket.Finding {
	told := map[string]picket.Finding{}
	for _, f := range Latest(prev) {
		told[f.UID] = f
	}
	var out []picket.Finding
	current := map[string]bool{}
	for _, f := range next {
		current[f.UID] = true
		before, known := told[f.UID]
		if event, news := advance(before, f, known); news {
			out = append(out, event)
		}
	}
	for uid, before := range told {
		if !current[uid] && before.Status != picket.StatusClosed {
			out = append(out, closed(before, picket.Finding{Revision: before.Revision}))
		}
	}
	slices.SortFunc(out, byTime)
	return out
}

// Latest returns the latest event of each uid: the one with the greatest Count
// (of equal ones the greater revision and status), by first seen and uid.
func Latest(events []picket.Finding) []picket.Finding {
	last := map[string]picket.Finding{}
	for _, f := range events {
		if old, ok := last[f.UID]; !ok || later(f, old) {
			last[f.UID] = f
		}
	}
	out := make([]picket.Finding, 0, len(last))
	for _, f := range last {
		out = append(out, f)
	}
	slices.SortFunc(out, byTime)
	return out
}

func later(a, b picket.Finding) bool {
	return cmp.Or(cmp.Compare(a.Count, b.Count), cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.Status, b.Status), cmp.Compare(EventUID(&a), EventUID(&b))) > 0
}

// advance returns the event that takes a uid from what was told to what is so.
func advance(before, now picket.Finding, known bool) (picket.Finding, bool) {
	switch {
	case now.Status == picket.StatusClosed:
		return closed(before, now), known && before.Status != picket.StatusClosed
	case !known:
		now.Count = 1
		return now, true
	}
	wasOpen := before.Status == picket.StatusNew || before.Status == picket.StatusUpdated
	isOpen := now.Status != picket.StatusSuppressed
	if before.Status != picket.StatusClosed && wasOpen == isOpen && Same(before, now) {
		return now, false
	}
	if isOpen && before.Status != picket.StatusSuppressed {
		now.Status = picket.StatusUpdated // what was only suppressed so far is new to its reader
	}
	now.Count = before.Count + 1
	return now, true
}

// closed is the last word on a uid: what was said, why it ends.
func closed(before, now picket.Finding) picket.Finding {
	before.Status = picket.StatusClosed
	before.Successor = now.Successor
	before.Revision = now.Revision
	before.Count++
	return before
}

// FactFollowed names the fact that is told of a name once flows were looked at:
// whether who asked for it connected to where it led. Like Evidence it is no news.
const FactFollowed = "followed by"

// FactAsked names the fact that says of a name whether anybody asked for it on the days
// before. It is no news either: it follows from what was known then.
const FactAsked = "asked before"

// FactSensor names the fact that a sensor of another make raised alerts on the same
// entity at the same time: its word beside Picket's evidence, not part of it.
const FactSensor = "sensor alert"

// Same reports whether two findings say the same: all but Count, Revision,
// Status, Successor, Evidence, FactFollowed, FactAsked and FactSensor. It compares them as encoded, which is how the
// earlier one was kept: NaN is null, and an empty list is none.
func Same(a, b picket.Finding) bool {
	return bytes.Equal(words(a), words(b))
}

func words(f picket.Finding) []byte {
	f.Count, f.Revision, f.Status, f.Successor, f.Evidence = 0, "", "", "", nil
	f.Facts = slices.DeleteFunc(slices.Clone(f.Facts), func(fact picket.Fact) bool {
		return fact.Name == FactFollowed || fact.Name == FactAsked || fact.Name == FactSensor
	})
	text, err := Encoder{}.Encode(&f)
	if err != nil {
		return nil
	}
	return text
}

// EventUID names one telling of a finding: the finding's uid, how many times it
// was told, and a hash of its revision, status and successor.
func EventUID(f *picket.Finding) string {
	return f.UID + "-" + strconv.Itoa(f.Count) + "-" + digest(f.Revision, f.Status, f.Successor)[:8]
}
