package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// benignMixes are the networks that the captures are hidden in: one as in training,
// one server farm, one whose habits no training network has.
var benignMixes = []string{"office", "cloud", "other-clinic"}

// mixedCaptures hides each DDoS capture in half an hour of simulated traffic of the
// network that it hits.
func mixedCaptures(ctx context.Context, b *bench, out io.Writer) error {
	fmt.Fprint(out, `## Simulated → real: each DDoS capture in simulated benign traffic of its network

The victim of all four is 10.10.10.10. `+"`picket simulate`"+` plays thirty minutes of a
network 10.10.10.0/24 of 60 hosts and 12 servers, the victim among them, around the time
of the capture; both captures are dropped in one folder, and `+"`picket detect FOLDER`"+`
must name the victim for ddos, and nobody else. The model has seen none of them: it is
trained on simulation alone.

| capture | benign mix | victim named | other findings |
|---|---|---|---|
`)
	captures, err := filepath.Glob(filepath.Join(b.data, "ddos-pcaps-stopddos/*.pcap*"))
	if err != nil {
		return err
	}
	slices.Sort(captures)
	for _, capture := range captures {
		from, err := b.firstMinute(ctx, capture)
		if err != nil {
			return err
		}
		for i, mix := range benignMixes {
			named, others, err := b.hide(ctx, capture, from, mix, i)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "| %s | %s | %s | %s |\n", filepath.Base(capture), mix, named, others)
		}
	}
	return nil
}

// firstMinute returns when the traffic of a capture begins.
func (b *bench) firstMinute(ctx context.Context, capture string) (time.Time, error) {
	text, _, err := b.picketSays(ctx, "features", "-o", "csv", "--window", "1m", capture)
	if err != nil {
		return time.Time{}, err
	}
	rows, err := readRows(text)
	if err != nil || len(rows) == 0 {
		return time.Time{}, fmt.Errorf("%s has no minute of traffic (%v)", capture, err)
	}
	first := rows[0]["window_start"]
	for _, r := range rows {
		first = min(first, r["window_start"])
	}
	return time.Parse(time.RFC3339, first)
}

const victim = "10.10.10.10"

// hide plays a network around a capture and says whether the victim is named, and
// what else is.
func (b *bench) hide(ctx context.Context, capture string, from time.Time, mix string, seed int) (named, others string, err error) {
	folder, err := os.MkdirTemp(b.work, "mixed-")
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(folder)
	script := fmt.Sprintf("seed %d\nstart %s\nduration 30m\nvolume 0.002\nnetwork 10.10.10.0/24 hosts 60 servers 12\nfrom 00:00 for 30m benign %s\n",
		seed+1, from.Add(-15*time.Minute).Format(time.RFC3339), mix)
	if err := os.WriteFile(filepath.Join(folder, "script.txt"), []byte(script), 0o644); err != nil {
		return "", "", err
	}
	raw := filepath.Join(folder, "raw")
	if _, _, err := b.picketSays(ctx, "simulate", filepath.Join(folder, "script.txt"), "--format", "pcap", "-o", raw); err != nil {
		return "", "", err
	}
	if err := os.Remove(filepath.Join(raw, "labels.csv")); err != nil {
		return "", "", err
	}
	findings, _, err := b.detect(ctx, raw, capture)
	if err != nil {
		return "", "", err
	}
	named, rest := "**no**", []row(nil)
	for _, f := range findings {
		if f["class"] == "ddos" && f["entity"] == victim {
			named = fmt.Sprintf("yes, %s (%.4s)", f["type"], f["confidence"])
			continue
		}
		rest = append(rest, f)
	}
	return named, tellAll(rest), nil
}
