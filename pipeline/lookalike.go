package pipeline

import (
	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/triage"
)

// lookalikeConfidence ranks a name that differs from a protected one only in
// characters that look the same. Nobody measured it.
const lookalikeConfidence = 0.9

// lookalike returns the alert of a name that is written to be taken for a protected
// one. The booster, which is held to a budget of false findings over all kinds of
// names, passes some of them by.
func lookalike(f *picket.Features, key string, brands *extract.Brands, lists *byTag) (triage.Alert, bool) {
	if f.Entity.Kind != picket.KindName || lists.has(triage.TagAllow, f.Entity.ID) || lists.has(triage.TagOwn, f.Entity.ID) {
		return triage.Alert{}, false
	}
	if !brands.Lookalike(f.Entity.ID) {
		return triage.Alert{}, false
	}
	a := rulingAlert(*f, &triage.Ruling{Cut: picket.CutRule, Severity: picket.SeverityMedium}, picket.ClassPhishing, lookalikeConfidence, key)
	a.Contributions = rowOf(f.Values, extract.Schema(picket.KindName))
	return a, true
}
