package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"picket/simulate"
)

const (
	feedEvery   = 5 * time.Second
	sampleEvery = 5 * time.Second
)

// soak feeds picket up with the traffic of a small network as it happens, with an
// attack and an object of noise a minute, and looks whether anything grows that
// should not: memory, goroutines, open files, temporary files.
func (b *bench) soak(ctx context.Context) (string, error) {
	start := time.Now().UTC().Truncate(time.Second)
	lines, err := traffic(ctx, start, b.length)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(b.work, "soak")
	up, err := b.startUp(ctx, folder)
	if err != nil {
		return "", err
	}
	stopped := false
	defer func() {
		if !stopped {
			up.stop()
		}
	}()
	type fed struct {
		lines int
		err   error
	}
	done := make(chan fed, 1)
	go func() {
		n, err := feed(ctx, folder, lines, start.Add(b.length))
		done <- fed{n, err}
	}()
	var samples []sample
	for time.Since(start) < b.length && ctx.Err() == nil {
		time.Sleep(sampleEvery)
		s, err := look(up.addr, folder)
		if err != nil {
			return "", fmt.Errorf("after %s: %w", time.Since(start).Round(time.Second), err)
		}
		samples = append(samples, s)
	}
	all := <-done
	if all.err != nil {
		return "", all.err
	}
	time.Sleep(2 * feedEvery) // the last objects
	last, err := look(up.addr, folder)
	if err != nil {
		return "", err
	}
	up.stop()
	stopped = true
	left := 0
	for _, pattern := range []string{".picket/picket-*", ".picket/tmp/*"} {
		found, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			return "", err
		}
		left += len(found)
	}
	return verdict(samples, last, all.lines, left, b.length), nil
}

// line is one line of a flow log with the second in which it is delivered.
type line struct {
	at   int64
	text []byte
}

// traffic plays a network of 200 machines as a VPC flow log, each line due when its
// record ends, in order.
func traffic(ctx context.Context, start time.Time, length time.Duration) ([]line, error) {
	var script strings.Builder
	fmt.Fprintf(&script, "seed 7\nstart %s\nduration %s\nnetwork 10.77.0.0/18 hosts 180 servers 12 iot 8\nfrom 00:00:00 for %s benign office level 1.5\n", start.Format(time.RFC3339), length, length)
	for at := 30 * time.Second; at+time.Minute < length; at += time.Minute {
		kind := []string{"scan syn strength 1 from outside", "bruteforce ssh strength 2 from outside", "ddos syn-flood strength 0.3"}[int(at/time.Minute)%3]
		fmt.Fprintf(&script, "at %s for 40s %s\n", at, kind)
	}
	parsed, err := simulate.ParseScript(strings.NewReader(script.String()))
	if err != nil {
		return nil, err
	}
	var all []line
	add := func(body []byte) error {
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil // the labels
		}
		for scan := bufio.NewScanner(r); scan.Scan(); {
			cells := bytes.Fields(scan.Bytes())
			if end, err := strconv.ParseInt(string(cells[11]), 10, 64); err == nil {
				all = append(all, line{end, slices.Clone(scan.Bytes())})
			}
		}
		return nil
	}
	_, err = simulate.Write(ctx, parsed, "vpc", func(string) (io.WriteCloser, error) { return &object{put: add}, nil })
	slices.SortStableFunc(all, func(a, b line) int { return int(a.at - b.at) })
	return all, err
}

// feed drops an object of all that is due every few seconds, and noise once a minute.
// It returns how many lines it fed.
func feed(ctx context.Context, folder string, lines []line, until time.Time) (int, error) {
	header := "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n"
	at := 0
	for n := 0; time.Now().Before(until) && ctx.Err() == nil; n++ {
		time.Sleep(feedEvery)
		var body bytes.Buffer
		z := gzip.NewWriter(&body)
		io.WriteString(z, header)
		for now := time.Now().Unix(); at < len(lines) && lines[at].at <= now; at++ {
			z.Write(append(lines[at].text, '\n'))
		}
		z.Close()
		if err := rename(folder, fmt.Sprintf("%06d.log.gz", n), body.Bytes()); err != nil {
			return at, err
		}
		if n%12 == 0 {
			if err := rename(folder, fmt.Sprintf("%06d.noise", n), bytes.Repeat([]byte{0, 255, byte(n)}, 3000)); err != nil {
				return at, err
			}
		}
	}
	return at, ctx.Err()
}

func rename(folder, name string, body []byte) error {
	temp := filepath.Join(folder, "on-its-way")
	if err := os.WriteFile(temp, body, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(folder, "raw", name))
}

// sample is what the system holds at a moment.
type sample struct {
	memory, live              float64 // bytes: resident, and what the last collection left
	goroutines, files         float64 // files: open ones
	records, findings, errors float64
	lag                       float64 // seconds
	objects                   int     // in the bucket
}

// look reads /metrics and counts the bucket's objects.
func look(addr, folder string) (sample, error) {
	r, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		return sample{}, err
	}
	defer r.Body.Close()
	var s sample
	for scan := bufio.NewScanner(r.Body); scan.Scan(); {
		name, value, _ := strings.Cut(scan.Text(), " ")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		switch {
		case name == "process_resident_memory_bytes":
			s.memory = v
		case name == "go_memstats_next_gc_bytes":
			s.live = v / 2 // GOGC=100
		case name == "go_goroutines":
			s.goroutines = v
		case name == "process_open_fds":
			s.files = v
		case strings.HasPrefix(name, "picket_findings_total{"):
			s.findings += v
		case strings.HasPrefix(name, "picket_errors_total{"):
			s.errors += v
		case strings.HasPrefix(name, "picket_lag_seconds{"):
			s.lag = max(s.lag, v)
		case strings.HasPrefix(name, "picket_records_total{") && strings.Contains(name, `"decode"`) && strings.Contains(name, `"out"`):
			s.records += v
		}
	}
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			s.objects++
		}
		return nil // what goes while it is walked over is no error
	})
	return s, err
}

// verdict holds the last third of the samples against the second.
func verdict(samples []sample, last sample, lines, left int, length time.Duration) string {
	third := len(samples) / 3
	early, late := samples[third:2*third], samples[2*third:]
	median := func(all []sample, of func(sample) float64) float64 {
		values := make([]float64, len(all))
		for i := range all {
			values[i] = of(all[i])
		}
		slices.Sort(values)
		if len(values) == 0 {
			return 0
		}
		return values[len(values)/2]
	}
	var out strings.Builder
	fmt.Fprintf(&out, "## Soak\n\n`make soak`: `picket up` for %s under the live traffic of a simulated network of 200 machines, an object every %s,\nwith an attack and an object of noise a minute. Medians of the second and of the last third of the time.\n\n| | second third | last third |\n|---|--:|--:|\n", length, feedEvery)
	row := func(name, format string, of func(sample) float64) {
		fmt.Fprintf(&out, "| %s | "+format+" | "+format+" |\n", name, median(early, of), median(late, of))
	}
	row("resident memory, MiB", "%.0f", func(s sample) float64 { return s.memory / (1 << 20) })
	row("heap after a collection, MiB", "%.1f", func(s sample) float64 { return s.live / (1 << 20) })
	row("goroutines", "%.0f", func(s sample) float64 { return s.goroutines })
	row("open files", "%.0f", func(s sample) float64 { return s.files })
	row("objects in the bucket", "%.0f", func(s sample) float64 { return float64(s.objects) })
	row("lag, s", "%.0f", func(s sample) float64 { return s.lag })
	fmt.Fprintf(&out, "\n%.0f of %d lines read, %.0f events of findings, %.0f errors; %d temporary files left after SIGTERM.\n", last.records, lines, last.findings, last.errors, left)
	return out.String()
}
