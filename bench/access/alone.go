package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"picket"
	"picket/pipeline"
	"picket/pipeline/extract"
	"picket/simulate"
)

// told counts what is told of logs without a history: by the model, by rules, and by
// rules with more than informational severity.
type told struct{ model, rules, grave, either int }

func (t *told) add(model bool, severity int) {
	rules := severity > 0
	for _, c := range []struct {
		on bool
		n  *int
	}{{model, &t.model}, {rules, &t.rules}, {severity > 2, &t.grave}, {model || rules, &t.either}} {
		if c.on {
			*c.n++
		}
	}
}

// loneLog says what is told of a log by itself, as "picket detect FILE" has it: of
// any principal, by the model, and by rules at first sight.
func loneLog(ctx context.Context, log []byte, w way) (model bool, severity int, err error) {
	days, err := pipeline.AccessDays(ctx, bytes.NewReader(log))
	for i := range days {
		if err == nil {
			err = days[i].Rows(ctx, nil, func(f *picket.Features) error {
				if f.Entity.Kind == picket.KindPrincipal {
					model = model || w.over(f)
					if f.Seconds == picket.Day {
						severity = max(severity, extract.FirstSight(f.Values))
					}
				}
				return nil
			})
		}
	}
	return model, severity, err
}

// alone writes the section of logs that come without a history, judged by the package
// in the binary.
func (p *page) alone(ctx context.Context, list []detonation) error {
	w, err := shipped(ctx)
	if err != nil {
		return err
	}
	var found told
	var missed []string
	for _, d := range list {
		text, err := json.Marshal(d.events)
		if err != nil {
			return err
		}
		model, severity, err := loneLog(ctx, text, w)
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		if found.add(model, severity); !model && severity == 0 {
			missed = append(missed, d.name)
		}
	}
	p.printf("## A log by itself\n\nWithout a history of its account a log is judged by the model (here the package in the binary), which then knows little, and by rules *at first sight* (`extract.FirstSight`, docs/design.md): what `picket detect FILE` does. " +
		"The conditions of the rules were chosen with an eye on these recordings and on simulated accounts of other seeds than those below. Nothing is learned from attacks there, so no tactic can be left out.\n\n" +
		"| logs | of | by the model | by rules | of these more than informational | by either |\n|---|---|---|---|---|---|\n")
	line := func(name string, of int, t told) {
		p.printf("| %s | %d | %d | %d | %d | %d |\n", name, of, t.model, t.rules, t.grave, t.either)
	}
	line("recordings of stratus-red-team, each alone", len(list), found)
	byTactic, tries, err := loneIntrusions(ctx, w)
	if err != nil {
		return err
	}
	for _, tactic := range slices.Sorted(maps.Keys(tries)) {
		line("simulated intrusions, each alone: "+tactic, tries[tactic], *byTactic[tactic])
	}
	if len(missed) > 0 {
		p.printf("\nRecordings that neither finds: %s.\n", joined(missed))
	}
	return p.quietLogs(ctx, w)
}

func joined(names []string) (text string) {
	for i, name := range names {
		if i > 0 {
			text += ", "
		}
		text += name
	}
	return text
}

// loneIntrusions plays every kind of simulated intrusion three times in an account
// where nobody else does anything.
func loneIntrusions(ctx context.Context, w way) (map[string]*told, map[string]int, error) {
	found, tries := map[string]*told{}, map[string]int{}
	for i, kind := range simulate.IntrusionKinds() {
		for seed := range uint64(3) {
			a := simulate.RandomAccount(judgedSeed+100*uint64(i)+seed, 2, nil)
			a.Level = 1e-9 // nobody works
			a.Intrusions = []simulate.Intrusion{{Kind: kind, At: 34 * time.Hour}}
			var log bytes.Buffer
			truths, err := a.Write(&log)
			if err != nil {
				return nil, nil, err
			}
			if len(truths) < 2 {
				continue // nobody whom it could be done with
			}
			model, severity, err := loneLog(ctx, log.Bytes(), w)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", kind, err)
			}
			tactic := simulate.IntrusionTactic(kind)
			if found[tactic] == nil {
				found[tactic] = &told{}
			}
			tries[tactic]++
			found[tactic].add(model, severity)
		}
	}
	return found, tries, nil
}

// quietSeed is of accounts in which nothing happens; the conditions of FirstSight were
// chosen on those from judgedSeed + 5000 on.
const quietSeed = 1 << 43

// quietLogs writes what is told of days in accounts where nothing happens, each day
// without what came before it, and the same cut into hours.
func (p *page) quietLogs(ctx context.Context, w way) error {
	events, accountDays := 0, 0
	var days, hours told
	for seed := range uint64(10) {
		a := simulate.RandomAccount(quietSeed+seed, 6, nil)
		var log bytes.Buffer
		if _, err := a.Write(&log); err != nil {
			return err
		}
		events += bytes.Count(log.Bytes(), []byte(`"eventVersion"`))
		list, err := pipeline.AccessDays(ctx, &log)
		if err != nil {
			return err
		}
		for i := range list {
			list[i].History = nil
			accountDays++
			model, rules := map[string]bool{}, map[string]int{}
			err := list[i].Rows(ctx, nil, func(f *picket.Features) error {
				if f.Entity.Kind != picket.KindPrincipal {
					return nil
				}
				over, sight := w.over(f), extract.FirstSight(f.Values)
				model[f.Entity.ID] = model[f.Entity.ID] || over
				if f.Seconds == picket.Day {
					rules[f.Entity.ID] = sight
				} else {
					hours.add(over, sight)
				}
				return nil
			})
			if err != nil {
				return err
			}
			for id := range model {
				days.add(model[id], rules[id])
			}
		}
	}
	per := func(n int) float64 { return 1e4 * float64(n) / float64(events) }
	p.printf("\nFalse findings (a principal and day) in %d days of 10 accounts where nothing happens, %d events, per 10,000 events:\n\n| logs | by the model | by rules | of these more than informational | by either |\n|---|---|---|---|---|\n", accountDays, events)
	for _, l := range []struct {
		name string
		told
	}{{"each day by itself", days}, {"each hour by itself", hours}} {
		p.printf("| %s | %.2f | %.2f | %.2f | %.2f |\n", l.name, per(l.model), per(l.rules), per(l.grave), per(l.either))
	}
	p.printf("\nThat is %.1f a day and account by day files, %.2f of them more than informational. What the gravest rules tell of a principal that did many harmless things besides is informational; such findings end once the account has a history of five days, and an alert budget (`--alerts-per-day`) cuts the least grave first.\n\n", float64(days.either)/float64(accountDays), float64(days.grave)/float64(accountDays))
	return nil
}
