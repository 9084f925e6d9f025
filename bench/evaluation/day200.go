package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// alertBudget is how many false findings a day an analyst accepts at the median.
const alertBudget = 5

// dayFormats alternate: what a new subscription logs, and what a careful one does.
var dayFormats = []string{"vpc", "vpc5"}

// hidden is one attack of a simulated day.
type hidden struct {
	class, kind, strength string
	labels                []row // who did it to whom, and when
}

func (h *hidden) name() string { return h.class + " " + h.kind + " " + h.strength }

// days plays a network of 200 machines for a day, again with other seeds, and
// counts what detect finds of its attacks and what it says of anybody else.
func days(ctx context.Context, b *bench, out io.Writer) error {
	const script = "simulate/scripts/day200.txt"
	plan, err := os.ReadFile(script)
	if err != nil {
		return err
	}
	found, order := map[string]int{}, []string{}
	var false_ []int
	var told []string
	for seed := 1; seed <= b.seeds; seed++ {
		began := time.Now()
		format := dayFormats[(seed-1)%len(dayFormats)]
		day, err := b.playDay(ctx, string(plan), seed, format)
		if err != nil {
			return err
		}
		caught := 0
		for i := range day.attacks {
			name := day.attacks[i].name()
			if seed == 1 {
				order = append(order, name)
			}
			if day.found(&day.attacks[i]) {
				found[name]++
				caught++
			}
		}
		wrong := day.wrong()
		false_ = append(false_, len(wrong))
		told = append(told, fmt.Sprintf("| %d | %s | %d of %d | %d | %s |", seed, format, caught, len(day.attacks), len(wrong), tellAll(wrong)))
		fmt.Fprintf(b.log, "evaluation: day %d: %d of %d attacks, %d false findings (%.0f s)\n", seed, caught, len(day.attacks), len(wrong), time.Since(began).Seconds())
	}
	slices.Sort(false_)
	median := float64(false_[(len(false_)-1)/2]+false_[len(false_)/2]) / 2
	fmt.Fprintf(out, `## Simulated → simulated: a day of a network of 200 machines, %d seeds

`+"`bench/day200.sh %d`"+`: `+"`%s`"+` with seeds 1 to %d, as VPC Flow Logs version 2 and
version 5 in turn, `+"`picket detect`"+` on each day. Its benign habits, attacks and paces
are kept from training. An attack is found if a finding of its class names one of its
labelled parties while it lasts. A finding is false if it names somebody whom no attack
touches at the time.

False findings a day: median %g, most %d; the alert budget is %d at the median.

`, b.seeds, b.seeds, script, b.seeds, median, false_[len(false_)-1], alertBudget)
	writeRecall(out, order, found, b.seeds)
	fmt.Fprint(out, "\n| seed | log | attacks found | false findings | which |\n|---|---|---|---|---|\n", strings.Join(told, "\n"), "\n")
	return nil
}

// writeRecall writes a row for each attack, and one for each class.
func writeRecall(out io.Writer, order []string, found map[string]int, seeds int) {
	fmt.Fprint(out, "| class | kind | strength | days found |\n|---|---|---|---|\n")
	sum, n := 0, 0
	for i, name := range order {
		words := strings.Fields(name)
		fmt.Fprintf(out, "| %s | %s | %s | %d of %d |\n", words[0], words[1], words[2], found[name], seeds)
		sum, n = sum+found[name], n+seeds
		if i+1 == len(order) || strings.Fields(order[i+1])[0] != words[0] {
			fmt.Fprintf(out, "| **%s** | all | | **%d of %d** |\n", words[0], sum, n)
			sum, n = 0, 0
		}
	}
}

// simulatedDay is what is hidden in a day and what was found in it.
type simulatedDay struct {
	attacks  []hidden
	labels   []row
	findings []row
}

var seedLine = regexp.MustCompile(`(?m)^seed .*$`)

func (b *bench) playDay(ctx context.Context, plan string, seed int, format string) (*simulatedDay, error) {
	folder, err := os.MkdirTemp(b.work, "day-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	script, raw := filepath.Join(folder, "script.txt"), filepath.Join(folder, "raw")
	text := seedLine.ReplaceAllString(plan, fmt.Sprintf("seed %d", seed))
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		return nil, err
	}
	if _, _, err := b.picketSays(ctx, "simulate", script, "--format", format, "-o", raw); err != nil {
		return nil, err
	}
	labels, err := os.ReadFile(filepath.Join(raw, "labels.csv"))
	if err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(raw, "labels.csv")); err != nil {
		return nil, err
	}
	day := &simulatedDay{}
	if day.labels, err = readRows(string(labels)); err != nil {
		return nil, err
	}
	if day.attacks, err = attacksOf(text, day.labels); err != nil {
		return nil, err
	}
	day.findings, _, err = b.detect(ctx, raw)
	return day, err
}

var attackLine = regexp.MustCompile(`(?m)^at \S+ for \S+\s+(\S+) (\S+) strength (\S+)`)

// attacksOf returns the attacks of a script, by class and then as it has them, with
// their label rows: a label's note is "KIND strength S", with or without a remark.
func attacksOf(script string, labels []row) ([]hidden, error) {
	var all []hidden
	for _, m := range attackLine.FindAllStringSubmatch(script, -1) {
		h := hidden{class: m[1], kind: m[2], strength: m[3]}
		for _, l := range labels {
			note, _, _ := strings.Cut(l["note"], ",")
			if note == h.kind+" strength "+h.strength && l["class"] != "normal" {
				h.labels = append(h.labels, l)
			}
		}
		if len(h.labels) == 0 {
			return nil, fmt.Errorf("attack %s has no label", h.name())
		}
		all = append(all, h)
	}
	slices.SortStableFunc(all, func(a, b hidden) int { return strings.Compare(a.class, b.class) })
	return all, nil
}

// found reports whether a finding of the attack's class names one of its parties.
func (d *simulatedDay) found(h *hidden) bool {
	return slices.ContainsFunc(d.findings, func(f row) bool {
		return f["class"] == h.class && slices.ContainsFunc(h.labels, func(l row) bool { return meets(f, l) })
	})
}

// wrong returns the findings that name somebody whom no attack touches then.
func (d *simulatedDay) wrong() []row {
	return slices.DeleteFunc(slices.Clone(d.findings), func(f row) bool {
		return slices.ContainsFunc(d.labels, func(l row) bool { return l["class"] != "normal" && meets(f, l) })
	})
}

// meets reports whether a finding names the entity of a label while it lasts. Both
// times are RFC 3339 in UTC, which sort as text.
func meets(f, l row) bool {
	return f["entity"] == l["entity"] && f["first_seen"] < l["end"] && l["start"] < f["last_seen"]
}
