//go:build e2e

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/aws/deploy"
	"picket/aws/s3"
)

// TestAWS deploys the base stack with picket deploy itself and lets it find things:
// what lies in raw/ twice, what is no log, what failed five times and what was killed
// changes nothing of what is found.
func TestAWS(t *testing.T) {
	c := newCloud(t)
	if !c.real {
		c.deployer()
	}
	t.Logf("%s", c.must("deploy", "--yes", "--no-training", "--no-smoke-test", "--scorer", "endpoint", "--binary", os.Getenv("PICKET_BIN")))
	account, err := (&app{getenv: os.Getenv, stderr: os.Stderr}).connect(t.Context(), where{prefix: c.prefix})
	if err != nil {
		t.Fatal(err)
	}
	c.bucket = s3.New(s3.NewClient(c.cfg, ""), s3.Options{Name: account.DataBucket()})
	if !c.real {
		// The emulator knows no condition key events:source, by which the template narrows
		// this right, and so refuses it.
		c.grant(account.Function(deploy.Detect), "emulator-has-no-events-source", "Allow", "events:PutEvents", "*")
	}
	for _, verb := range deploy.Queues() {
		c.hurry(account.Queue(verb))
	}
	folder := t.TempDir()
	var files []string
	file := func(name string, body []byte) []byte {
		name = filepath.Join(folder, name)
		if err := os.WriteFile(name, body, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, name)
		return body
	}
	read := func(name string) []byte {
		body, err := os.ReadFile("../../testdata/logs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return file(name, body)
	}
	scan := func(at time.Time) []byte {
		return file(fmt.Sprintf("vpc-%d.log", at.Unix()), deploy.SmokeLogAt(at).Body)
	}

	// Three formats, one of them twice, and what is no log at all.
	day := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	pcap := read("ssh-guessing.pcap")
	c.put("ssh guessing+1.pcap", pcap)
	c.put("dns/route53.jsonl", read("route53.jsonl"))
	c.put("vpc/scan.log", scan(day))
	c.put("poison.bin", bytes.Repeat([]byte{0x1f, 0x8b, 0xff, 0}, 1000))
	c.put("ssh guessing+1.pcap", pcap)
	c.expect("the same findings as picket detect, of three formats", files)
	c.eventually("what is no log is set aside", time.Minute, func() (bool, error) {
		for info, err := range c.bucket.List(t.Context(), "quarantine/", "") {
			if err != nil || info.Size > 0 {
				return err == nil, err
			}
		}
		return false, nil
	})

	// A function that may not read fails five times; once it may, redrive brings it back.
	c.grant(account.Function(deploy.Ingest), "denied", "Deny", "s3:GetObject", "arn:aws:s3:::"+account.DataBucket()+"/raw/late/*")
	c.put("late/scan.log", scan(day.Add(61*time.Second)))
	c.eventually("a dead letter", 2*time.Minute, func() (bool, error) { return c.queues()[deploy.Ingest].Dead == 1, nil })
	c.revoke(account.Function(deploy.Ingest), "denied")
	if out := c.must("redrive"); !strings.Contains(out, account.Queue(deploy.Ingest)+": 1 given back") {
		t.Errorf("redrive said %q", out)
	}
	c.expect("the finding of a dead letter that was given back", files)
	if dead := c.queues()[deploy.Ingest].Dead; dead != 0 {
		t.Errorf("%d dead letters after redrive", dead)
	}

	if !c.real {
		c.kill(scan, day, &files)
	}

	// Nothing changes, and says so.
	if out := c.must("deploy", "--yes", "--no-training", "--binary", os.Getenv("PICKET_BIN")); !strings.Contains(out, "nothing changes") {
		t.Errorf("the second deployment said %s", out)
	}
	c.latency()
	t.Logf("%s", c.must("deploy", "destroy", "--yes", "--delete-data"))
}

// kill kills a function in the middle of a batch.
func (c *cloud) kill(scan func(time.Time) []byte, day time.Time, files *[]string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	killed := make(chan int, 1)
	go c.killFunction(ctx, killed)
	for i := range 3 {
		c.put(fmt.Sprintf("killed/%d.log", i), scan(day.Add(time.Duration(130+i*61)*time.Second)))
	}
	select {
	case <-killed:
	case <-ctx.Done():
		c.t.Error("no function ran")
	}
	c.expect("the same findings after a function was killed", *files)
}

// latency times raw objects from put to finding, one at a time, and what each function
// had of it.
func (c *cloud) latency() {
	c.t.Helper()
	puts, _ := strconv.Atoi(os.Getenv("PICKET_AWS_PUTS"))
	puts = max(puts, 5)
	before := len(c.log.String())
	var took []float64 // seconds
	at := time.Now().UTC().Truncate(time.Minute)
	seen := map[string]bool{}
	for i := range puts {
		raw := deploy.SmokeLogAt(at.Add(time.Duration(i-puts) * time.Second))
		began := time.Now()
		c.put("latency/"+raw.Name, raw.Body)
		c.eventually("a finding about "+raw.Entity, time.Minute, func() (bool, error) { return c.tells(began, raw.Entity, seen) })
		took = append(took, time.Since(began).Seconds())
	}
	slices.Sort(took)
	var b strings.Builder
	fmt.Fprintf(&b, "| put of a raw object to its finding | %d | %.2f s | %.2f s |\n", len(took), took[len(took)/2], took[len(took)*99/100])
	share := latencyShares(c.log.String()[before:])
	for _, verb := range deploy.Functions() {
		if ms := share[verb]; len(ms) > 0 {
			slices.Sort(ms)
			fmt.Fprintf(&b, "| of it in the function %s | %d | %.2f s | %.2f s |\n", verb, len(ms), ms[len(ms)/2]/1000, ms[len(ms)*99/100]/1000)
		}
	}
	c.t.Logf("\n%s", b.String())
	if file := os.Getenv("PICKET_AWS_WRITE"); file != "" {
		c.write(file, b.String())
	}
}

// tells reports whether a finding of that day which was not seen before is about an
// entity.
func (c *cloud) tells(day time.Time, entity string, seen map[string]bool) (bool, error) {
	for info, err := range c.bucket.List(c.t.Context(), picket.FindingsPrefix+day.UTC().Format(time.DateOnly)+"/", "") {
		if err != nil {
			return false, err
		}
		if seen[info.Key] {
			continue
		}
		seen[info.Key] = true
		r, _, err := c.bucket.Get(c.t.Context(), info.Key)
		if err != nil {
			return false, err
		}
		body, err := io.ReadAll(r)
		r.Close()
		if err != nil || bytes.Contains(body, []byte(`"`+entity+`"`)) {
			return err == nil, err
		}
	}
	return false, nil
}

// awsSection is the heading under which docs/benchmarks.md has these figures.
const awsSection = "## On AWS, emulated\n"

// write puts the figures under their heading.
func (c *cloud) write(file, rows string) {
	c.t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		c.t.Fatal(err)
	}
	load, _ := os.ReadFile("/proc/loadavg")
	text := awsSection + `
A VPC flow log of 1,200 lines, a port scan, put one after the other into the stack that ` + "`picket deploy`" + `
made on ministack, with IAM enforced and the endpoint on loopback (` + "`bench/aws.sh bench`" + `). The emulator starts a
new process for each invocation and polls a queue about once a second; five seconds of each figure are the delay
of the close queue. On AWS other figures will stand here: nothing of this was measured there.

| | times | p50 | p99 |
|---|--:|--:|--:|
` + rows + fmt.Sprintf("\nMeasured on %s; load of the machine %s.\n", time.Now().UTC().Format(time.DateOnly), strings.Join(strings.Fields(string(load))[:1], ""))
	head, rest, found := strings.Cut(string(body), awsSection)
	if found {
		if _, after, more := strings.Cut(rest, "\n## "); more {
			text += "\n## " + after
		}
	} else {
		head = strings.TrimRight(head, "\n") + "\n\n"
	}
	if err := os.WriteFile(file, []byte(head+text), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// latencyShares reads how long the functions took from what they logged, in milliseconds.
func latencyShares(log string) map[string][]float64 {
	all := map[string][]float64{}
	for line := range strings.Lines(log) {
		var l struct {
			Msg, Function string
			Took          float64
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "invoked" {
			all[l.Function] = append(all[l.Function], l.Took*1000)
		}
	}
	return all
}
