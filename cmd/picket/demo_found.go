package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"picket"
	"picket/pipeline"
	"picket/simulate"
)

// detect ingests and closes the new logs, and scores them through the endpoint.
func (d *demo) detect(ctx context.Context, endpoint *localEndpoint) ([]picket.Finding, error) {
	began := time.Now()
	var objects, records uint64
	err := d.pipeline.IngestAll(ctx, func(_ pipeline.Raw, in pipeline.Ingested, err error) error {
		if err == nil && !in.Already {
			objects++
			records += in.Stats.Records
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	days := map[int64]bool{}
	var rows uint64
	err = d.pipeline.Close(ctx, true, func(closed []pipeline.Closed) error {
		for _, c := range closed {
			days[c.Day] = true
			rows += c.Rows
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var findings []picket.Finding
	var alerts int
	for day := range days {
		got, err := d.pipeline.Detect(ctx, endpoint.client.Model, endpoint.client, day)
		if err != nil {
			return nil, err
		}
		findings = append(findings, got.Events...)
		alerts += got.Alerts
	}
	slices.SortFunc(findings, func(a, b picket.Finding) int {
		return cmp.Or(cmp.Compare(a.FirstSeen, b.FirstSeen), cmp.Compare(a.UID, b.UID))
	})
	d.say("%-9s %d new objects, %d records, %d rows scored at %s, %d over the threshold, %d findings (%.1f s)", "detect",
		objects, records, rows, endpoint.client.URL, alerts, len(findings), time.Since(began).Seconds())
	return findings, nil
}

// judge compares findings with the truth: an attack is found if a finding of its
// class names one of its sides while it lasted.
func (r *demoReport) judge(truths []simulate.Truth, others []demoAttack) {
	byAttack := map[int]*demoAttack{}
	labelled := map[string]bool{sshGuesser: true, sshGuessed: true}
	for i := range truths {
		t := &truths[i]
		if t.Attack == nil {
			continue
		}
		labelled[t.Entity.ID] = true
		a := byAttack[t.Attack.Index]
		if a == nil {
			a = &demoAttack{Class: t.Attack.Class, Kind: t.Attack.Kind, Strength: t.Attack.Strength}
			byAttack[t.Attack.Index] = a
		}
		a.Found = a.Found || slices.ContainsFunc(r.Findings, func(f picket.Finding) bool {
			names := f.Entity.ID == t.Entity.ID || slices.Contains(f.Others, t.Entity.ID)
			return f.Class == a.Class && names && f.FirstSeen < t.End && t.Start < f.LastSeen
		})
		if t.Class != simulate.ClassExcluded {
			a.Entities = append(a.Entities, t.Entity.ID)
		}
	}
	for i := range len(byAttack) {
		r.Attacks = append(r.Attacks, *byAttack[i])
	}
	for _, a := range others {
		for _, id := range a.Entities {
			labelled[id] = true
			a.Found = a.Found || slices.ContainsFunc(r.Findings, func(f picket.Finding) bool {
				return f.Class == a.Class && f.Entity.ID == id && f.FirstSeen < a.end && a.start < f.LastSeen
			})
		}
		r.Attacks = append(r.Attacks, a)
	}
	guessing := demoAttack{Class: picket.ClassBruteforce, Kind: "real ssh guessing", Strength: 1, Entities: []string{sshGuesser}}
	for _, f := range r.Findings {
		names := f.Entity.ID == sshGuesser || slices.Contains(f.Peers, sshGuesser)
		guessing.Found = guessing.Found || f.Class == guessing.Class && names
		if !labelled[f.Entity.ID] {
			r.Benign = append(r.Benign, f.Entity.ID+" "+f.Class)
		}
	}
	r.Attacks = append(r.Attacks, guessing)
}

// Who guesses passwords in demo/ssh-guessing.pcap, and whose.
const (
	sshGuesser = "192.168.56.1"
	sshGuessed = "192.168.56.103"
)

// tell prints the findings and what was found and missed.
func (d *demo) tell(r *demoReport) {
	d.say("")
	for _, f := range r.Findings {
		d.say("%-9s %s", f.Severity, f.Sentence)
	}
	d.say("")
	found := 0
	for _, a := range r.Attacks {
		if a.Found {
			found++
		} else {
			d.say("missed: %s %s strength %g by %s", a.Class, a.Kind, a.Strength, strings.Join(a.Entities[:min(3, len(a.Entities))], ", "))
		}
	}
	d.say("%d of %d attacks found, findings on benign entities: %d, in %.0f s", found, len(r.Attacks), len(r.Benign), r.TookSeconds)
	if d.folder != "" {
		d.say("kept in %s: picket explain --data %s UID", d.folder, d.folder)
	}
}
