package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"picket/aws/lambda/runtimetest"
	"picket/aws/s3/s3test"
)

// How often a function is started, and how often one that runs is asked.
const (
	coldStarts = 31
	warmAsks   = 2000
)

// lambda measures the functions' program against a Lambda Runtime API on this
// machine: from the start of the process to its first answer, and answers after
// that; to an event that only tests the way, and to one that brings a log.
func (b *bench) lambda(ctx context.Context) (string, error) {
	program := filepath.Join(b.work, "bootstrap")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-tags", "lambda.norpc", "-o", program, "./cmd/bootstrap")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	raw, zipped, err := zipSize(program)
	if err != nil {
		return "", err
	}
	log, err := os.ReadFile("testdata/logs/ssh-guessing.pcap")
	if err != nil {
		return "", err
	}
	server := s3test.New("data")
	server.Add("data", "raw/ssh.pcap", log)
	web := httptest.NewServer(server)
	defer web.Close()
	env := []string{"PICKET_BUCKET=data", "AWS_ENDPOINT_URL_S3=" + web.URL}

	var text strings.Builder
	fmt.Fprintf(&text, "## Lambda\n\nThe functions' program (`cmd/bootstrap`, built with `-s -w -trimpath -tags lambda.norpc`: %.1f MB, %.1f MB as a zip) against a\n", mb(raw), mb(zipped))
	fmt.Fprintf(&text, "Lambda Runtime API on this machine, with an S3 in memory beside it: %d starts, %d events to one process. `make bench` runs it.\nWhat AWS adds, placing the code and a network, is not in it.\n\n", coldStarts, warmAsks)
	text.WriteString("| event | start to first answer, median | worst | then p50 | p99 | memory, at most |\n|---|---|---|---|---|---|\n")
	for _, e := range []struct {
		name    string
		payload func(i int) []byte
		before  func(i int)
	}{
		{"a test event", func(int) []byte { return message(`{"Event":"s3:TestEvent"}`) }, func(int) {}},
		{"a log of 91 KB (431 packets): read, two parts, their marks, a manifest", func(i int) []byte { return message(created(objectName(i))) },
			func(i int) { server.Add("data", objectName(i), log) }},
	} {
		row, err := b.function(ctx, program, env, e.payload, e.before)
		if err != nil {
			return "", fmt.Errorf("%s: %w", e.name, err)
		}
		fmt.Fprintf(&text, "| %s | %s |\n", e.name, row)
	}
	return text.String(), nil
}

func mb(n int64) float64 { return float64(n) / 1e6 }

func objectName(i int) string { return fmt.Sprintf("raw/%06d.pcap", i) }

// zipSize returns the size of a program, and of it in a zip at the best compression.
func zipSize(program string) (raw, zipped int64, err error) {
	body, err := os.ReadFile(program)
	if err != nil {
		return 0, 0, err
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	w, err := z.Create("bootstrap")
	if err != nil {
		return 0, 0, err
	}
	if _, err := w.Write(body); err != nil {
		return 0, 0, err
	}
	return int64(len(body)), int64(out.Len()), z.Close()
}

// message is an event of one message of a queue.
func message(body string) []byte {
	text, _ := json.Marshal(map[string]any{"Records": []any{map[string]any{"messageId": "1", "eventSource": "aws:sqs", "body": body}}})
	return text
}

func created(key string) string {
	text, _ := json.Marshal(map[string]any{"detail-type": "Object Created", "source": "aws.s3", "detail": map[string]any{
		"bucket": map[string]any{"name": "data"}, "object": map[string]any{"key": key},
	}})
	return string(text)
}

// function starts the program again and again, then asks the last process on and on.
func (b *bench) function(ctx context.Context, program string, env []string, payload func(int) []byte, before func(int)) (string, error) {
	var cold, warm []time.Duration
	asks := 0
	var memory int64
	for start := range coldStarts {
		before(asks)
		began := time.Now()
		r, err := runtimetest.Start(ctx, "ingest", []string{program}, env, io.Discard)
		if err != nil {
			return "", err
		}
		n := 1
		if start == coldStarts-1 {
			n += warmAsks
		}
		for i := range n {
			if i > 0 {
				before(asks)
				began = time.Now()
			}
			a, err := r.Invoke(ctx, payload(asks), time.Minute)
			took := time.Since(began)
			if err != nil || a.Error != "" || string(a.Body) != `{"batchItemFailures":[]}` {
				return "", fmt.Errorf("answer %s %s: %w", a.Body, a.Error, err)
			}
			asks++
			if i == 0 {
				cold = append(cold, took)
			} else {
				warm = append(warm, took)
			}
		}
		if memory, err = r.Memory(); err != nil {
			return "", err
		}
		r.Stop()
	}
	slices.Sort(cold)
	slices.Sort(warm)
	ms := func(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }
	return fmt.Sprintf("%s | %s | %s | %s | %.0f MiB", ms(cold[len(cold)/2]), ms(cold[len(cold)-1]), ms(warm[len(warm)/2]), ms(warm[len(warm)*99/100]), float64(memory)/(1<<20)), nil
}
