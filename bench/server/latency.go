package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"picket/simulate"
)

const (
	smallRuns = 20
	largeRuns = 5
	largeSize = 75 << 20 // of the gzip file: the largest that VPC Flow Logs delivers
)

// latency measures picket up at its default settings: from the moment at which an
// object is there (renamed into raw/) to that at which its finding is.
func (b *bench) latency(ctx context.Context) (string, error) {
	var out strings.Builder
	out.WriteString("## From an object to its finding\n\n`picket up` with default settings; 2 s of each figure are the settling time (a file that was renamed into place\ncannot be told from one that is still written) and 1 s waits for more parts. The clock starts at the rename.\n\n")
	out.WriteString("| object | runs | p50 | p99 (greatest) |\n|---|--:|--:|--:|\n")
	took, err := b.small(ctx)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&out, "| a VPC flow log of 200 lines, a port scan | %d | %s | %s |\n", len(took), span(took[len(took)/2]), span(took[len(took)-1]))
	object, records, err := b.large(ctx)
	if err != nil {
		return "", err
	}
	took = took[:0]
	var spent []time.Duration
	for range largeRuns {
		one, work, err := b.once(ctx, object)
		if err != nil {
			return "", err
		}
		took, spent = append(took, one), append(spent, work)
	}
	slices.Sort(took)
	slices.Sort(spent)
	info, err := os.Stat(object)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&out, "| a VPC flow log of %d MB gzip, %.1f million records of ten minutes, a scan among them | %d | %s | %s |\n\nThe large one takes %s of CPU time.\n",
		info.Size()>>20, float64(records)/1e6, len(took), span(took[len(took)/2]), span(took[len(took)-1]), span(spent[len(spent)/2]))
	return out.String(), nil
}

// startUp starts picket up on a folder.
func (b *bench) startUp(ctx context.Context, folder string) (process, error) {
	return b.start(exec.CommandContext(ctx, b.picket, "up", "--data", folder, "--listen", "127.0.0.1:0"), "page:     http://")
}

// small drops one scan after the other, each by another source of another host, so
// that no two are one incident.
func (b *bench) small(ctx context.Context) ([]time.Duration, error) {
	folder := filepath.Join(b.work, "small")
	up, err := b.startUp(ctx, folder)
	if err != nil {
		return nil, err
	}
	defer up.stop()
	at := time.Now().UTC().Truncate(time.Minute).Add(-10 * time.Minute)
	var took []time.Duration
	for n := range smallRuns {
		actor := fmt.Sprintf("203.0.113.%d", n+1)
		path := filepath.Join(b.work, "scan.log")
		if err := os.WriteFile(path, scanLog(at, actor, fmt.Sprintf("10.0.%d.5", n), 200), 0o644); err != nil {
			return nil, err
		}
		one, err := drop(ctx, path, folder, fmt.Sprintf("scan-%d.log", n), actor)
		if err != nil {
			return nil, err
		}
		took = append(took, one)
	}
	slices.Sort(took)
	return took, nil
}

// scanLog is a VPC flow log in which an actor tries n ports of a victim.
func scanLog(at time.Time, actor, victim string, n int) []byte {
	var b bytes.Buffer
	b.WriteString("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n")
	for i := range n {
		t := at.Unix() + int64(i%50)
		fmt.Fprintf(&b, "2 123456789012 eni-1 %s %s %d %d 6 1 40 %d %d REJECT OK\n", actor, victim, 40000+i, 1+i, t, t)
	}
	return b.Bytes()
}

// drop renames a file into raw/ and waits until a finding names the actor.
func drop(ctx context.Context, path, folder, name, actor string) (time.Duration, error) {
	began := time.Now()
	if err := os.Rename(path, filepath.Join(folder, "raw", name)); err != nil {
		return 0, err
	}
	seen := map[string]bool{}
	for time.Since(began) < 5*time.Minute && ctx.Err() == nil {
		files, err := filepath.Glob(filepath.Join(folder, "findings", "*", "*", "*.json"))
		if err != nil {
			return 0, err
		}
		for _, f := range files {
			if seen[f] {
				continue
			}
			seen[f] = true
			if text, err := os.ReadFile(f); err == nil && bytes.Contains(text, []byte(`"`+actor+`"`)) {
				return time.Since(began), nil
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return 0, fmt.Errorf("no finding names %s", actor)
}

// scanner is who scans in the large object.
const scanner = "203.0.113.99"

// large writes one gzip object of a busy network, and a scan in its middle, and
// returns its path and how many records it has.
func (b *bench) large(ctx context.Context) (string, int, error) {
	script, err := simulate.ParseScript(strings.NewReader(`
		seed 1
		start 2026-03-02T09:00:00Z
		duration 10m
		network 10.0.0.0/14 hosts 4000 servers 120 iot 80 cloud
		from 00:00:00 for 10m benign office level 6`))
	if err != nil {
		return "", 0, err
	}
	path := filepath.Join(b.work, "large.gz")
	f, err := os.Create(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	records := 0
	scan := scanLog(script.Start.Add(4*time.Minute), scanner, "10.3.200.7", 200) // nobody else talks to it
	_, scan, _ = bytes.Cut(scan, []byte("\n"))                                   // without its header
	add := func(body []byte) error {
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil // the labels
		}
		lines := bufio.NewReader(r)
		header, err := lines.ReadBytes('\n')
		if err != nil {
			return err
		}
		if records == 0 {
			z.Write(header)
		}
		for {
			line, _ := lines.ReadBytes('\n')
			if at, _ := f.Seek(0, io.SeekCurrent); len(line) == 0 || at >= largeSize {
				return nil
			}
			if records++; records == 1_000_000 {
				z.Write(scan)
			}
			if _, err = z.Write(line); err != nil {
				return err
			}
		}
	}
	_, err = simulate.Write(ctx, script, "vpc", func(string) (io.WriteCloser, error) { return &object{put: add}, nil })
	if err != nil {
		return "", 0, err
	}
	return path, records, z.Close()
}

// once measures one large object in a fresh system: the time until its finding, and
// the CPU time that it took.
func (b *bench) once(ctx context.Context, path string) (took, spent time.Duration, err error) {
	folder, err := os.MkdirTemp(b.work, "large-")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(folder)
	up, err := b.startUp(ctx, folder)
	if err != nil {
		return 0, 0, err
	}
	defer up.stop()
	copied := filepath.Join(folder, "on-its-way")
	if err := os.Link(path, copied); err != nil {
		return 0, 0, err
	}
	if took, err = drop(ctx, copied, folder, "large.gz", scanner); err != nil {
		return 0, 0, err
	}
	spent, err = cpu(up.pid)
	return took, spent, err
}
