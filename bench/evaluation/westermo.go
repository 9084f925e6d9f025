package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// testbed is Westermo's right tap, cut in time.
type testbed struct {
	capture    string
	events     []event
	packets    [][]int // between the attacker and each target of each event
	begin, end float64 // Unix seconds of the first and last packet
	cut        float64 // two thirds of the way
}

func (b *bench) testbed() (*testbed, error) {
	t := &testbed{begin: math.Inf(1)}
	f, err := os.Open(filepath.Join(b.data, "westermo/events.txt"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if t.events, err = readEvents(f); err != nil {
		return nil, err
	}
	if t.capture, err = b.westermoCapture(); err != nil {
		return nil, err
	}
	err = eachPacket(t.capture, func(p packet, _ []byte) error {
		t.begin, t.end = min(t.begin, p.seconds), max(t.end, p.seconds)
		return nil
	})
	if err != nil {
		return nil, err
	}
	t.cut = t.begin + (t.end-t.begin)*2/3
	t.packets, err = seen(t.capture, t.events)
	return t, err
}

// westermo tests the shipped package, and one trained on the first two thirds, on
// the last third of Westermo's right tap.
func westermo(ctx context.Context, b *bench, out io.Writer) error {
	t, err := b.testbed()
	if err != nil {
		return err
	}
	labels, first, last := filepath.Join(b.work, "westermo-labels.csv"), filepath.Join(b.work, "westermo-first"), filepath.Join(b.work, "westermo-last")
	if err := t.writeParts(labels, first, last); err != nil {
		return err
	}
	own := filepath.Join(b.work, "westermo.zip")
	trained, _, err := b.picketSays(ctx, "train", "--data", first, "--labels", labels, "--test", last, "-o", own)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, `## Simulated → real and real → real: Westermo's testbed, by time

The capture of the right tap (%s to %s on the captures' clock), labels from events.txt with
its hour corrected: BAD-SSH is bruteforce, BAD-PORTSCAN is scan, GOOD-SSH is a benign
look-alike. Minutes that MITM, MISCONF and DUPLICATION touch are left out of both sides.
The first two thirds of the time (to %s) train "the site's own" package with
`+"`picket train --data first --labels labels.csv --test last`"+`; the last third tests it and the
shipped package, which learned from simulation alone and has seen neither part in training.
(`+"`go run ./bench/evaluation -labels events.txt`"+` writes the label file.)

### Event by event

Each event alone: the capture up to some second, without what the attacker did before the
event. Time to finding is from the event's begin to the first second, in steps of ten,
at which `+"`picket detect`"+` on what there is names attacker or target with the right class.

| event | part | packets at the tap | seconds | shipped package: found after | the site's own |
|---|---|---|---|---|---|
`, clock(t.begin), clock(t.end), clock(t.cut))
	if err := b.eachEvent(ctx, t, own, out); err != nil {
		return err
	}
	t.writeUnseen(out)
	if err := b.wholeThird(ctx, t, own, last, out); err != nil {
		return err
	}
	shipped, _, err := b.picketSays(ctx, "evaluate", "--data", last, "--labels", labels)
	if err != nil {
		shipped = err.Error() + "\n"
	}
	fmt.Fprintf(out, "\n### Window by window, the last third\n\nThe shipped package:\n\n```\n%s```\n\nThe site's own:\n\n```\n%s```\n", b.plain(shipped), b.plain(lastReport(trained)))
	return b.westermoTable(ctx, t, out)
}

// addToCard measures a package that has not learned from Westermo on all of its
// capture, and writes that into the package's card.
func (b *bench) addToCard(ctx context.Context, model string) error {
	t, err := b.testbed()
	if err != nil {
		return err
	}
	t.cut = t.end + 1
	labels, all, none := filepath.Join(b.work, "labels.csv"), filepath.Join(b.work, "all"), filepath.Join(b.work, "none")
	if err := t.writeParts(labels, all, none); err != nil {
		return err
	}
	text, _, err := b.picketSays(ctx, "evaluate", "--model", model, "--data", all, "--labels", labels, "-o", "json")
	if err != nil {
		return err
	}
	added := filepath.Join(b.work, "evaluation.json")
	text = strings.ReplaceAll(text, all, "Westermo's right tap, 91 minutes of 2023-03-10")
	if err := os.WriteFile(added, []byte(text), 0o644); err != nil {
		return err
	}
	said, _, err := b.picketSays(ctx, "model", "card", model, "--add", added, "--evidence", "simulated → real", "-o", model)
	fmt.Fprint(b.log, said)
	return err
}

// plain takes the names of working folders out of a command's words.
func (b *bench) plain(text string) string { return strings.ReplaceAll(text, b.work+"/", "") }

// lastReport is the last of the reports that train prints.
func lastReport(text string) string {
	if i := strings.LastIndex(text, "BOOSTER "); i >= 0 {
		if j := strings.LastIndex(text[:i], "BOOSTER "); j >= 0 {
			return text[j:]
		}
	}
	return text
}

// writeParts writes the label file and both parts of the capture, each in a folder.
func (t *testbed) writeParts(labels, first, last string) error {
	f, err := os.Create(labels)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := writeEventLabels(f, t.events, t.packets, t.begin, t.end); err != nil {
		return err
	}
	for folder, keep := range map[string]func(packet) bool{
		first: func(p packet) bool { return p.seconds < t.cut },
		last:  func(p packet) bool { return p.seconds >= t.cut },
	} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		if err := cutCapture(t.capture, filepath.Join(folder, "right.pcap"), keep); err != nil {
			return err
		}
	}
	return nil
}

// seen is how many packets of an event the tap saw, on the path that it saw best.
func (t *testbed) seen(i int) int {
	if len(t.packets[i]) == 0 {
		return 0
	}
	return slices.Max(t.packets[i])
}

func (t *testbed) part(e *event) string {
	if e.start < t.cut {
		return "first two thirds"
	}
	return "last third"
}

// eachEvent writes a row for every attack and look-alike that the tap saw.
func (b *bench) eachEvent(ctx context.Context, t *testbed, own string, out io.Writer) error {
	for i := range t.events {
		e := &t.events[i]
		if e.class() == "excluded" || t.seen(i) < visibleFrom {
			continue
		}
		shipped, err := b.timeToFinding(ctx, t, e, "")
		if err != nil {
			return err
		}
		trained := "trained on it"
		if e.start >= t.cut {
			if trained, err = b.timeToFinding(ctx, t, e, own); err != nil {
				return err
			}
		}
		fmt.Fprintf(out, "| %s %s | %s | %d | %.0f | %s | %s |\n", e.kind, clock(e.start), t.part(e), t.seen(i), e.end-e.start, shipped, trained)
	}
	return nil
}

// timeToFinding is how long after an event's begin detect names it, in steps of ten
// seconds up to a minute after its end. A look-alike must not be named at all.
func (b *bench) timeToFinding(ctx context.Context, t *testbed, e *event, model string) (string, error) {
	for at := e.start + 10; ; at += 10 {
		until := min(at, e.end+60)
		findings, err := b.detectCut(ctx, t, model, func(p packet) bool {
			return p.seconds <= until && (!p.names(attacker) || p.seconds >= e.start-1 && p.seconds <= e.end+1)
		})
		if err != nil {
			return "", err
		}
		of := slices.DeleteFunc(findings, func(f row) bool { return !e.named(f) })
		switch {
		case len(of) > 0 && e.attack():
			return fmt.Sprintf("%.0f s: %s", until-e.start, told(of[0])), nil
		case len(of) > 0:
			return "**false**: " + told(of[0]), nil
		case until == e.end+60 && e.attack():
			return "**not found**", nil
		case until == e.end+60:
			return "nothing said, as it should be", nil
		}
	}
}

// named reports whether a finding is of the event: its class, if it is an attack,
// and one of its parties.
func (e *event) named(f row) bool {
	if e.attack() && f["class"] != e.class() {
		return false
	}
	if f["entity"] == attacker.String() {
		return true
	}
	for _, target := range e.targets {
		if f["entity"] == target.String() {
			return true
		}
	}
	return false
}

// detectCut runs detect on a part of the capture.
func (b *bench) detectCut(ctx context.Context, t *testbed, model string, keep func(packet) bool) ([]row, error) {
	part := filepath.Join(b.work, "part.pcap")
	if err := cutCapture(t.capture, part, keep); err != nil {
		return nil, err
	}
	args := []string{part}
	if model != "" {
		args = append(args, "--model", model)
	}
	findings, _, err := b.detect(ctx, args...)
	return findings, err
}

// writeUnseen tells what could not be found, and what was left out.
func (t *testbed) writeUnseen(out io.Writer) {
	unseen, left := map[string]int{}, map[string]int{}
	for i := range t.events {
		switch e := &t.events[i]; {
		case e.class() == "excluded":
			left[e.kind]++
		case t.seen(i) < visibleFrom:
			unseen[e.kind+" in the "+t.part(e)]++
		}
	}
	fmt.Fprintf(out, "\nEvents of which fewer than %d packets pass this tap, so that nobody could find them here: %s.\nLeft out of both sides: %s.\n", visibleFrom, counts(unseen), counts(left))
}

func counts(of map[string]int) string {
	var all []string
	for name, n := range of {
		all = append(all, fmt.Sprintf("%d × %s", n, name))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// wholeThird writes what detect says of the last third as it is.
func (b *bench) wholeThird(ctx context.Context, t *testbed, own, last string, out io.Writer) error {
	fmt.Fprint(out, "\n### The last third as it is\n\n| package | attacks found | findings on attacks | other findings |\n|---|---|---|---|\n")
	for _, p := range []struct{ name, model string }{{"shipped", ""}, {"the site's own", own}} {
		args := []string{last}
		if p.model != "" {
			args = append(args, "--model", p.model)
		}
		findings, _, err := b.detect(ctx, args...)
		if err != nil {
			return err
		}
		var right, other []row
		for _, f := range findings {
			if slices.ContainsFunc(t.events, func(e event) bool { return t.late(e) && e.attack() && e.named(f) && overlaps(f, e) }) {
				right = append(right, f)
			} else {
				other = append(other, f)
			}
		}
		found, all := 0, 0
		for i, e := range t.events {
			if t.late(e) && e.attack() && t.seen(i) >= visibleFrom {
				all++
				if slices.ContainsFunc(right, func(f row) bool { return e.named(f) && overlaps(f, e) }) {
					found++
				}
			}
		}
		fmt.Fprintf(out, "| %s | %d of %d | %s | %s |\n", p.name, found, all, tellAll(right), tellAll(other))
	}
	return nil
}

func (t *testbed) late(e event) bool { return e.end >= t.cut }

func overlaps(f row, e event) bool {
	return f["first_seen"] <= clock(e.end) && clock(e.start) < f["last_seen"]
}

// westermoTable trains on the set's own flow table, cut at the same time.
func (b *bench) westermoTable(ctx context.Context, t *testbed, out io.Writer) error {
	table, err := b.unpack("westermo/output_right.zip", ".csv")
	if err != nil {
		return err
	}
	first, last := filepath.Join(b.work, "westermo-first.csv"), filepath.Join(b.work, "westermo-last.csv")
	if err := splitFlows(table, first, last, t.cut); err != nil {
		return err
	}
	args := []string{"train", "--table", first, "--test", last, "--label", "class", "--drop", strings.Join(flowNames, ","), "--param", "max_depth=4", "-o", filepath.Join(b.work, "flows.zip")}
	text, _, err := b.picketSays(ctx, args...)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, `
### Its flow table, real → real

The same tap's flows (output_right.csv) with the labels of the attacker's own flows (NST),
flows of the windows left out above left out here too, cut at the same second, without
times and addresses: `+"`picket train --param max_depth=4 --table westermo-first.csv --test westermo-last.csv --label class`"+`.

`+"```\n%s```\n", b.plain(text))
	return nil
}

// flowNames are the columns that name a machine or a time.
var flowNames = []string{"sAddress", "rAddress", "sMACs", "rMACs", "sIPs", "rIPs", "startDate", "endDate", "start", "end", "startOffset", "endOffset", "IT_B_Label", "IT_M_Label", "NST_B_Label", "NST_M_Label"}

// splitFlows writes the flows before and after a time, with a column class.
func splitFlows(table, first, last string, cut float64) error {
	in, err := os.Open(table)
	if err != nil {
		return err
	}
	defer in.Close()
	rows, err := csv.NewReader(in).ReadAll()
	if err != nil || len(rows) == 0 {
		return fmt.Errorf("%s: no rows (%w)", table, err)
	}
	at := func(name string) int { return slices.Index(rows[0], name) }
	parts := [2][][]string{{append(slices.Clone(rows[0]), "class")}, {append(slices.Clone(rows[0]), "class")}}
	for _, r := range rows[1:] {
		window, own := event{kind: r[at("IT_M_Label")]}, event{kind: r[at("NST_M_Label")]}
		if r[at("IT_M_Label")] != "Normal" && window.class() == "excluded" {
			continue
		}
		class := "normal"
		if own.attack() {
			class = own.class()
		}
		start, err := strconv.ParseFloat(r[at("start")], 64)
		if err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
		part := 0
		if start >= cut {
			part = 1
		}
		parts[part] = append(parts[part], append(slices.Clone(r), class))
	}
	for i, file := range []string{first, last} {
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		out := csv.NewWriter(f)
		out.WriteAll(parts[i])
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}
