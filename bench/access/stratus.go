package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"picket"
	"picket/pipeline"
	"picket/simulate"
)

// page is what the evaluation says.
type page struct {
	examples []pipeline.AccessExample
	text     strings.Builder
	say      func(format string, a ...any)
}

func (p *page) printf(format string, a ...any) { fmt.Fprintf(&p.text, format, a...) }

func (p *page) begin(context.Context) error {
	p.printf("# Evaluation of the access detector\n\nMade by `go run ./bench/access -accounts %d -logins %d -data DIR -o docs/evaluation-access.md` (eleven minutes beside other work on two cores; with `-alone` it prints \"A log by itself\" and \"Another, by way of PAM\" in half a minute); DIR is laid out as docs/data.md says. How far the shipped boosters' confidence is to be trusted, with a plot: [evaluation.md](evaluation.md), Calibration.\n\n", recipe.Accounts, recipe.Logins)
	byClass := map[string]int{}
	for i := range p.examples {
		byClass[p.examples[i].Class]++
	}
	p.printf("Learned from %d simulated accounts of %d days and %d simulated networks of logins: %d rows, of which %d of unauthorized access and %d of guessing. "+
		"No real log was learned from. The package in the binary learned from 48 accounts and 40 networks by the same recipe (`picket model access`). Cuts: at most %g %% of the normal rows of accounts that were not trained on.\n\n",
		recipe.Accounts, recipe.Days, recipe.Logins, len(p.examples), byClass[picket.ClassAccess], byClass[picket.ClassBruteforce], 100*budget)
	return nil
}

// detonation is one file of aws-cloudtrail-stratus.
type detonation struct {
	name, tactic string
	events       []map[string]any
}

func readDetonations(folder string) ([]detonation, error) {
	files, err := filepath.Glob(filepath.Join(folder, "aws-cloudtrail-stratus", "aws.*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no detonations in %s/aws-cloudtrail-stratus", folder)
	}
	var all []detonation
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		d := detonation{name: name, tactic: strings.Split(name, ".")[1]}
		if err := json.Unmarshal(text, &d.events); err != nil {
			var one map[string]any
			if err := json.Unmarshal(text, &one); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			d.events = []map[string]any{one}
		}
		all = append(all, d)
	}
	return all, nil
}

// under returns the detonation's events as done with the credentials of somebody in
// another account, from the given second on. Disguised, they come from where that
// principal always comes from, with its tool.
func (d *detonation) under(who, machine *simulate.AccountPrincipal, at int64, disguised bool) ([]byte, string, error) {
	first := int64(0)
	for _, e := range d.events {
		t, err := time.Parse(time.RFC3339, e["eventTime"].(string))
		if err != nil {
			return nil, "", err
		}
		if first == 0 || t.Unix() < first {
			first = t.Unix()
		}
	}
	var out bytes.Buffer
	arn := who.ARN
	for _, e := range d.events {
		text, err := json.Marshal(e)
		if err != nil {
			return nil, "", err
		}
		account, _ := e["recipientAccountId"].(string)
		if account != "" {
			text = bytes.ReplaceAll(text, []byte(account), []byte(who.Account))
		}
		var moved map[string]any
		if err := json.Unmarshal(text, &moved); err != nil {
			return nil, "", err
		}
		as := who
		if identity, _ := moved["userIdentity"].(map[string]any); identity != nil && strings.Contains(fmt.Sprint(identity["arn"]), "/i-") && machine != nil {
			as = machine // what is done with a machine's credentials is done in its name
			arn = machine.ARN
		}
		moved["userIdentity"] = json.RawMessage(as.Identity)
		t, _ := time.Parse(time.RFC3339, moved["eventTime"].(string))
		moved["eventTime"] = time.Unix(at+t.Unix()-first, 0).UTC().Format(time.RFC3339)
		moved["awsRegion"] = as.Region
		if disguised {
			moved["sourceIPAddress"], moved["userAgent"] = as.IP, as.Agent
		}
		line, err := json.Marshal(moved)
		if err != nil {
			return nil, "", err
		}
		out.Write(append(line, '\n'))
	}
	return out.Bytes(), arn, nil
}

// judge is one simulated account to put detonations into.
type judge struct {
	days       []pipeline.AccessDay
	events     int
	principals []simulate.AccountPrincipal
	quiet      [][]picket.Features // of each day after the learning period
}

// learning is how many days an account is watched before findings in it count.
const learning = 7

func newJudge(ctx context.Context, seed uint64) (*judge, error) {
	a := simulate.RandomAccount(seed, 30, nil)
	var log bytes.Buffer
	if _, err := a.Write(&log); err != nil {
		return nil, err
	}
	j := &judge{events: bytes.Count(log.Bytes(), []byte(`"eventVersion"`)), principals: a.Principals()}
	var err error
	if j.days, err = pipeline.AccessDays(ctx, &log); err != nil {
		return nil, err
	}
	for d := learning; d < len(j.days); d++ {
		var rows []picket.Features
		err := j.days[d].Rows(ctx, nil, func(f *picket.Features) error {
			if f.Entity.Kind == picket.KindPrincipal {
				rows = append(rows, *f)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		j.quiet = append(j.quiet, rows)
	}
	return j, nil
}

// victims are an administrator, a person without such habits, a tool and a job.
func (j *judge) victims() map[string]*simulate.AccountPrincipal {
	v := map[string]*simulate.AccountPrincipal{}
	for i := range j.principals {
		p := &j.principals[i]
		switch {
		case p.Kind == "user" && v["admin"] == nil:
			v["admin"] = p
		case p.Kind == "user":
			v["person"] = p
		case p.Name == "ci-deploy":
			v["build"] = p
		case p.Name == "backup":
			v["job"] = p
		case p.Machine:
			v["machine"] = p
		}
	}
	return v
}

// day15 is the day of the detonations, from 0.
const day15 = 14

// found says whether a way finds a detonation: a row of its principal on its day
// that passes, and would not without it.
func (j *judge) found(ctx context.Context, d *detonation, who *simulate.AccountPrincipal, disguised bool, ways []way) ([]bool, error) {
	day := &j.days[day15]
	log, _, err := d.under(who, j.victims()["machine"], day.Start+13*3600+600, disguised)
	if err != nil {
		return nil, err
	}
	parts, err := pipeline.AccessParts(ctx, bytes.NewReader(log))
	if err != nil {
		return nil, err
	}
	found := make([]bool, len(ways))
	before := map[picket.Window]*picket.Features{}
	for r := range j.quiet[day15-learning] {
		f := &j.quiet[day15-learning][r]
		before[f.Window] = f
	}
	err = day.Rows(ctx, parts, func(f *picket.Features) error {
		touched := f.Seconds == picket.Day || f.Start == day.Start+13*3600
		if f.Entity.Kind != picket.KindPrincipal || !touched || f.Entity.ID != who.ARN && !(j.victims()["machine"] != nil && f.Entity.ID == j.victims()["machine"].ARN) {
			return nil
		}
		for i := range ways {
			was := before[f.Window]
			found[i] = found[i] || ways[i].over(f) && (was == nil || !ways[i].over(was))
		}
		return nil
	})
	return found, err
}

// noise counts the incidents of each way in an account where nothing happens: a
// principal and a day are one.
func (j *judge) noise(ways []way) []int {
	counts := make([]int, len(ways))
	for _, day := range j.quiet {
		for i := range ways {
			told := map[string]bool{}
			for r := range day {
				if ways[i].over(&day[r]) {
					told[day[r].Entity.ID] = true
				}
			}
			counts[i] += len(told)
		}
	}
	return counts
}

// detonations writes the section of the 35 techniques.
func (p *page) detonations(ctx context.Context, data string, judged int) error {
	list, err := readDetonations(data)
	if err != nil {
		return err
	}
	byTactic := map[string][]detonation{}
	for _, d := range list {
		byTactic[d.tactic] = append(byTactic[d.tactic], d)
	}
	sets := pipeline.AccessSets(p.examples, 1)
	rules, history := columns()
	all, err := learned(ctx, "all", p.examples, nil)
	if err != nil {
		return err
	}
	fixed := []way{rulesAlone(), baselineAlone().simple(sets)}
	names := []string{"rules alone", "baseline alone", "model alone, tactic left out", "all, tactic left out", "all"}
	var judges []*judge
	for i := range judged {
		j, err := newJudge(ctx, judgedSeed+uint64(i))
		if err != nil {
			return err
		}
		judges = append(judges, j)
	}
	p.say("learned; %d accounts to judge by", len(judges))
	hits := map[string]map[string][]int{} // by victim and disguise, by technique: found by each way
	tries := map[string]int{}
	ofTactic := map[string][]way{}
	for _, tactic := range slices.Sorted(maps.Keys(byTactic)) {
		rest := leave(p.examples, tactic)
		alone, err := learned(ctx, "model alone", rest, slices.Concat(rules, history))
		if err != nil {
			return err
		}
		without, err := learned(ctx, "all without "+tactic, rest, nil)
		if err != nil {
			return err
		}
		ways := append(slices.Clone(fixed), alone, without, all)
		ofTactic[tactic] = ways
		for _, j := range judges {
			for victim, who := range j.victims() {
				for _, disguised := range []bool{false, true} {
					key := victim + map[bool]string{false: ", as recorded", true: ", disguised"}[disguised]
					if victim == "machine" {
						continue
					}
					for _, d := range byTactic[tactic] {
						found, err := j.found(ctx, &d, who, disguised, ways)
						if err != nil {
							return fmt.Errorf("%s: %w", d.name, err)
						}
						if hits[key] == nil {
							hits[key] = map[string][]int{}
						}
						if hits[key][d.name] == nil {
							hits[key][d.name] = make([]int, len(ways))
						}
						for i, ok := range found {
							if ok {
								hits[key][d.name][i]++
							}
						}
					}
				}
			}
		}
		p.say("%s: %d techniques", tactic, len(byTactic[tactic]))
	}
	for _, j := range judges {
		for victim := range j.victims() {
			tries[victim]++
		}
	}
	p.printf("## Detonations of stratus-red-team in simulated accounts\n\n35 techniques (aws-cloudtrail-stratus, Apache-2.0; measured only), each put into day 15 of the 30 days of %d simulated accounts, with the credentials of a principal that has a history. "+
		"*As recorded* keeps the address and tool of the recording, which nobody of the account ever used; *disguised* is from the principal's own address with its own tool. "+
		"\"Tactic left out\": the boosters saw no attack of the technique's tactic. \"Model alone\" has neither rules nor first-seen features. \"Rules alone\": any rule of severity 3 or 4 hits. The other ways have their cuts by the same budget. A technique counts as found in an account if a row of the principal passes on that day that would not pass without it; the figures are means over the accounts, of 35.\n\n", judged)
	p.printf("| credentials of | %s |\n|---|%s\n", strings.Join(names, " | "), strings.Repeat("---|", len(names)))
	for _, key := range slices.Sorted(maps.Keys(hits)) {
		victim, _, _ := strings.Cut(key, ",")
		p.printf("| %s |", key)
		for i := range names {
			sum := 0
			for _, found := range hits[key] {
				sum += found[i]
			}
			p.printf(" %.1f |", float64(sum)/float64(tries[victim]))
		}
		p.printf("\n")
	}
	p.noise(judges, ofTactic, names)
	p.missed(hits, tries)
	return p.alone(ctx, list)
}

// noise writes what the ways say of accounts where nothing happens.
func (p *page) noise(judges []*judge, ofTactic map[string][]way, names []string) {
	events := 0
	sums := make([]float64, len(names))
	tactics := slices.Sorted(maps.Keys(ofTactic))
	for _, j := range judges {
		events += j.events * len(j.quiet) / len(j.days)
		for _, tactic := range tactics {
			for i, n := range j.noise(ofTactic[tactic]) {
				sums[i] += float64(n) / float64(len(tactics))
			}
		}
	}
	p.printf("\nFalse findings (a principal and day that passes in an account where nothing happens, after a week), per 10,000 of %d benign events:\n\n| %s |\n|%s\n|", events, strings.Join(names, " | "), strings.Repeat("---|", len(names)))
	for _, sum := range sums {
		p.printf(" %.2f |", 1e4*sum/float64(events))
	}
	p.printf("\n")
}

// missed lists the techniques that all ways together miss now and then.
func (p *page) missed(hits map[string]map[string][]int, tries map[string]int) {
	p.printf("\nWhat \"all\" misses (credentials: accounts in which it was found):\n\n")
	lines := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(hits)) {
		victim, _, _ := strings.Cut(key, ",")
		for name, found := range hits[key] {
			if n := found[len(found)-1]; n < tries[victim] {
				lines[name] = append(lines[name], fmt.Sprintf("%s %d of %d", key, n, tries[victim]))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		p.printf("- %s: %s\n", name, strings.Join(lines[name], "; "))
	}
	p.printf("\n")
}
