package pipeline

import (
	"picket"
	"picket/pipeline/extract"
	"picket/pipeline/triage"
)

// firstSight is what a rule's severity is worth in an account that nothing is known
// of: severity of the finding, and a confidence that ranks and that nobody measured.
var firstSight = map[int]struct {
	severity   picket.Severity
	confidence float64
}{
	4: {picket.SeverityMedium, 0.5},
	3: {picket.SeverityLow, 0.35},
	2: {picket.SeverityInformational, 0.25},
}

// atFirstSight returns the alert that rules raise on a principal's day while its
// account has no history: the boosters, which rest on what is new to the account,
// then say little, and who reads a lone file wants to hear what stands in it.
func atFirstSight(f *picket.Features, key string) (triage.Alert, bool) {
	if f.Source != picket.SourceAccess || f.Entity.Kind != picket.KindPrincipal || f.Seconds != picket.Day {
		return triage.Alert{}, false
	}
	worth, ok := firstSight[extract.FirstSight(f.Values)]
	if !ok {
		return triage.Alert{}, false
	}
	a := rulingAlert(*f, &triage.Ruling{Cut: picket.CutRule, Severity: worth.severity}, picket.ClassAccess, worth.confidence, key)
	a.Contributions = rowOf(f.Values, extract.AccessSchema())
	a.Facts = []picket.Fact{{Name: "history", Value: "none of this account yet, so rules speak in place of the model"}}
	return a, true
}

// rowOf names the values of a row that no booster explains.
func rowOf(values []float64, schema picket.Schema) []picket.Contribution {
	row := make([]picket.Contribution, len(values))
	for i, name := range schema.Names {
		row[i] = picket.Contribution{Feature: name, Value: values[i]}
	}
	return row
}
