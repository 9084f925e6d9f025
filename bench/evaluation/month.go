package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"picket"
	"picket/pipeline"
	"picket/pipeline/train"
	"picket/simulate"
)

// The month that is played: an organisation of 200 machines, whose seeds nothing was
// trained on.
const (
	months        = 1
	monthDays     = 30
	monthAccounts = 2
	monthNames    = 6000 // that its machines ask for
	monthPerHour  = 1.5  // questions of a machine
	monthSeed     = 1 << 42
)

var (
	monthStart = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	flowDays   = []int{3, 12, 20} // whole days of which there are flows: two of work, one of a weekend
)

// month plays a month in which nothing happens and says what all detectors together
// make of it.
func month(ctx context.Context, b *bench, out io.Writer) error {
	fmt.Fprintf(out, `## Simulated → simulated: a month of an organisation of 200 machines, all detectors together

`+"`go run ./bench/evaluation -only month -data DIR`"+`: %d days in which nothing happens.
Flows of 178 hosts, 14 servers and 8 devices (VPC format, habits "other-clinic", which are
kept from training); thinned: whole days, but three of them, a Wednesday, a Friday and a
Saturday. The queries of these machines to a resolver, all month, %g an hour each: %d names of the
lists of harmless names that nothing was learned from (the test part of OpenDNS, .gov and v2fly; a name
asked for by rank, Zipf). CloudTrail of %d accounts and the sshd log of one network of hosts,
all month: the generator that trains, with seeds that do not. One `+"`picket detect`"+` over all
of it, with the budgets that `+"`picket up`"+` has by default (5 alerts a day once a site has 24 h
of scores, and 2 a day of what is merely unusual). Every finding is false. A day's findings of
flows are those of three days by three, all others those of thirty by thirty.

`, monthDays, monthPerHour, monthNames, monthAccounts)
	sum := map[string]int{}
	for seed := range uint64(months) {
		folder, err := os.MkdirTemp(b.work, "month-")
		if err != nil {
			return err
		}
		if err := b.playMonth(ctx, folder, monthSeed+seed); err != nil {
			return err
		}
		findings, words, err := b.detect(ctx, "--alerts-per-day", "5", "--anomalies-per-day", "2", folder)
		if err != nil {
			return err
		}
		for _, w := range words {
			fmt.Fprintf(b.log, "evaluation: month %d: %s\n", seed+1, w)
		}
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
		for _, f := range findings {
			sum[monthKey(f)]++
		}
		writeMonth(out, seed+1, findings)
	}
	fmt.Fprint(out, "What they are:\n\n| detector | class | type | severity | findings |\n|---|---|---|---|---|\n")
	for _, k := range slices.Sorted(maps.Keys(sum)) {
		fmt.Fprintf(out, "| %s | %d |\n", k, sum[k])
	}
	return nil
}

func monthKey(f row) string {
	return strings.Join([]string{monthDetector(f), f["class"], f["type"], f["severity"]}, " | ")
}

// monthDetector tells what told a finding: a booster's detector, rules, or the baseline.
func monthDetector(f row) string {
	switch {
	case f["class"] == picket.ClassAnomaly:
		return "baseline"
	case f["threshold_from"] == picket.CutRule:
		return f["detector"] + ", rule"
	}
	return f["detector"]
}

// writeMonth writes the findings a day of one month by detector.
func writeMonth(out io.Writer, seed uint64, findings []row) {
	type count struct{ all, medium, first int } // of medium severity or above; of the first week
	by := map[string]*count{}
	flows := map[string]bool{}
	week := monthStart.AddDate(0, 0, 7).Format(time.RFC3339)
	for _, f := range findings {
		d := monthDetector(f)
		if by[d] == nil {
			by[d] = &count{}
		}
		by[d].all++
		if f["severity"] != "low" && f["severity"] != "informational" {
			by[d].medium++
		}
		if f["window_start"] < week {
			by[d].first++
		}
		flows[d] = flows[d] || strings.HasPrefix(f["source"], picket.SourceVPC)
	}
	fmt.Fprintf(out, "Seed %d:\n\n| told by | findings | of medium severity or above | of the first week | a day |\n|---|---|---|---|---|\n", seed)
	perDay := 0.0
	for _, d := range slices.Sorted(maps.Keys(by)) {
		days := monthDays
		if flows[d] {
			days = len(flowDays)
		}
		rate := float64(by[d].all) / float64(days)
		perDay += rate
		fmt.Fprintf(out, "| %s | %d | %d | %d | %.2f |\n", d, by[d].all, by[d].medium, by[d].first, rate)
	}
	fmt.Fprintf(out, "| **all** | | | | **%.2f** |\n\n", perDay)
}

// playMonth writes the logs of a month.
func (b *bench) playMonth(ctx context.Context, folder string, seed uint64) error {
	for _, day := range flowDays {
		script := filepath.Join(b.work, "month.txt")
		text := fmt.Sprintf("seed %d\nstart %s\nduration 24h\nnetwork 10.77.0.0/18 hosts 178 servers 14 iot 8\nfrom 00:00 for 24h benign other-clinic\n", seed, monthStart.AddDate(0, 0, day-1).Format(time.RFC3339))
		if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
			return err
		}
		raw := filepath.Join(folder, fmt.Sprintf("flows-%02d", day))
		if _, _, err := b.picketSays(ctx, "simulate", script, "--format", "vpc", "-o", raw); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(raw, "labels.csv")); err != nil {
			return err
		}
	}
	for i := range uint64(monthAccounts) {
		a := simulate.RandomAccount(seed+100*(i+1), monthDays, nil)
		a.Start = monthStart
		if err := writeLog(filepath.Join(folder, fmt.Sprintf("account-%d.json", i+1)), func(w io.Writer) error { _, err := a.Write(w); return err }); err != nil {
			return err
		}
	}
	l := simulate.RandomLogins(seed, monthDays, nil)
	l.Start, l.Hosts, l.People = monthStart, 14, 20
	if err := writeLog(filepath.Join(folder, "auth.log"), func(w io.Writer) error { _, err := l.Write(w); return err }); err != nil {
		return err
	}
	names, err := b.harmlessNames()
	if err != nil {
		return err
	}
	return writeLog(filepath.Join(folder, "resolver.log"), func(w io.Writer) error { return askMonth(w, seed, names) })
}

// writeLog writes a file that was last written when the month ended: sshd's log has
// no year.
func writeLog(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	if err := write(w); err != nil {
		f.Close()
		return err
	}
	if err := w.Flush(); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	end := monthStart.AddDate(0, 0, monthDays)
	return os.Chtimes(path, end, end)
}

// harmlessNames are the names of the test part of the lists of harmless ones.
func (b *bench) harmlessNames() ([]string, error) {
	listed, _, err := train.ReadNameSets(b.data)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range pipeline.SplitNames(listed, pipeline.DefaultNameRecipe()) {
		if !e.Phishing && e.Split == picket.SplitTest && e.Source != train.SourcePDD && e.Source != train.SourceHannousse {
			names = append(names, e.Name.Host)
		}
	}
	if len(names) < monthNames {
		return nil, fmt.Errorf("only %d harmless names to ask for", len(names))
	}
	return names, nil
}

// askMonth writes the query log of Route 53 Resolver, by time.
func askMonth(w io.Writer, seed uint64, names []string) error {
	rng := rand.New(rand.NewPCG(seed, 41))
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	names = names[:monthNames]
	const machines = 200
	for at := 0.0; ; {
		at += rng.ExpFloat64() * 3600 / (machines * monthPerHour)
		if at >= monthDays*24*3600 {
			return nil
		}
		name := names[int(math.Pow(monthNames, rng.Float64()))-1] // of rank r as often as 1/r
		host := rng.IntN(machines)
		if _, err := fmt.Fprintf(w, `{"version":"1.100000","account_id":"111122223333","region":"eu-west-1","vpc_id":"vpc-0a1b2c3d","query_timestamp":"%s","query_name":"%s.","query_type":"A","query_class":"IN","rcode":"NOERROR","answers":[{"Rdata":"%d.%d.%d.%d","Type":"A","Class":"IN"}],"srcaddr":"10.77.%d.%d","srcport":"%d","transport":"UDP","srcids":{}}`+"\n",
			monthStart.Add(time.Duration(at*float64(time.Second))).Format(time.RFC3339), name, 45+len(name), name[0], name[len(name)/2], 1+len(name), host/100, 10+host%100, 32768+rng.IntN(28000)); err != nil {
			return err
		}
	}
}
