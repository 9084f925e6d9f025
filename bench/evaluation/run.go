package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// picketSays runs a picket command and returns what it printed on stdout and on
// stderr. An exit code other than 0 is an error with the command's own words.
func (b *bench) picketSays(ctx context.Context, args ...string) (stdout, stderr string, err error) {
	return b.says(ctx, b.picket, args...)
}

func (b *bench) says(ctx context.Context, name string, args ...string) (stdout, stderr string, err error) {
	c := exec.CommandContext(ctx, name, args...)
	var out, words bytes.Buffer
	c.Stdout, c.Stderr = &out, &words
	err = c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(lastLines(words.String(), 3)))
	}
	return out.String(), words.String(), err
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// row is one row of a CSV by column.
type row map[string]string

// readRows reads a CSV with a header.
func readRows(text string) ([]row, error) {
	cells, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(cells) == 0 {
		return nil, err
	}
	var rows []row
	for _, c := range cells[1:] {
		r := row{}
		for i, name := range cells[0] {
			r[name] = c[i]
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// detect runs `picket detect` and returns its findings, and its words line by line.
func (b *bench) detect(ctx context.Context, args ...string) (findings []row, words []string, err error) {
	out, said, err := b.picketSays(ctx, append([]string{"detect", "-o", "csv"}, args...)...)
	if err != nil {
		return nil, strings.Split(strings.TrimSpace(said), "\n"), err
	}
	findings, err = readRows(out)
	return findings, strings.Split(strings.TrimSpace(said), "\n"), err
}

// told is a finding in a few words.
func told(f row) string {
	return fmt.Sprintf("%s %s, %s %s (%.4s)", f["class"], f["type"], f["entity_kind"], f["entity"], f["confidence"])
}

// tellAll joins findings, or says nothing.
func tellAll(findings []row) string {
	if len(findings) == 0 {
		return "nothing"
	}
	var all []string
	for _, f := range findings {
		all = append(all, told(f))
	}
	return strings.Join(all, "; ")
}
