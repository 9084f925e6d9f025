package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const heading = "## Ingest"

const introduction = heading + `

` + "`make bench`" + ` (or ` + "`INGEST=vpc,gzip make bench`" + ` for some rows) makes the inputs, which are seeded, checks that both
sides give the same numbers (counts and distincts equal, entropies and shares to 1e-9), runs them in turn, three times
each in a new process, and keeps the medians here. Ours is ` + "`picket features`" + ` from start to end, its output and the
start of the process included; DuckDB 2.0 has two threads and writes the same columns (bench/ingest/duckdb_peer.py).
"Times" is theirs over ours: CPU seconds, user and system, unless it says otherwise. A line with a load above 2.5 is
provisional, perhaps of a single run: who shares a core pays for it in CPU seconds too.

| row | work | against | ours | theirs | times | wanted; aim | load | date |
|---|---|---|--:|--:|--:|---|--:|---|
`

// table is the section as it stands: its lines by row.
type table struct {
	lines [][]string // cells
}

// readTable reads the section from a file; "" gives an empty table.
func readTable(path string) (*table, error) {
	t := &table{}
	if path == "" {
		return t, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	_, section, _ := strings.Cut(string(text), heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 9 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] != "row" && !strings.HasPrefix(cells[0], "--") {
			t.lines = append(t.lines, cells)
		}
	}
	return t, nil
}

// replace takes the new lines of a row, and says in red what got worse by more than a tenth.
func (t *table) replace(row string, lines []line, load float64) {
	var before, after, old [][]string
	for _, l := range t.lines {
		switch c := order(l[0]) - order(row); {
		case c < 0:
			before = append(before, l)
		case c > 0:
			after = append(after, l)
		default:
			old = append(old, l)
		}
	}
	for _, l := range lines {
		cells := l.cells(row, load)
		for _, o := range old {
			if o[1] == cells[1] && o[2] == cells[2] && worse(o, cells) {
				fmt.Printf("\x1b[31m%s: %s against %s: %s, was %s\x1b[0m\n", row, cells[1], cells[2], score(cells), score(o))
			}
		}
		fmt.Println(strings.Join(cells, " | "))
		before = append(before, cells)
	}
	t.lines = append(before, after...)
}

// score is the cell that says how good a line is.
func score(cells []string) string {
	if cells[5] != "" {
		return cells[5]
	}
	return cells[3]
}

func worse(old, now []string) bool {
	a, err1 := strconv.ParseFloat(strings.Fields(score(old) + " x")[0], 64)
	b, err2 := strconv.ParseFloat(strings.Fields(score(now) + " x")[0], 64)
	if err1 != nil || err2 != nil {
		return false
	}
	if now[5] == "" && strings.HasSuffix(now[3], "MiB)") || strings.Contains(now[3], "MiB") {
		return b > 1.1*a
	}
	return b < 0.9*a
}

func order(name string) int {
	for i, r := range rows {
		if r.name == name {
			return i
		}
	}
	return len(rows)
}

func (l *line) cells(row string, load float64) []string {
	ours, theirs, times := fmt.Sprintf("%.2f %s", l.ours, l.unit), "", ""
	if l.unit == "MiB" {
		ours = fmt.Sprintf("%.0f MiB", l.ours)
	}
	if l.figure != "" {
		ours = l.figure + " (" + ours + ")"
		if l.unit == "MiB" {
			ours = fmt.Sprintf("%.0f MiB (%s)", l.ours, l.figure)
		}
	}
	if l.theirs != 0 {
		theirs = fmt.Sprintf("%.2f %s", l.theirs, l.unit)
		times = fmt.Sprintf("%.2f", l.theirs/l.ours)
	}
	return []string{row, l.work, l.against, ours, theirs, times, l.wanted, fmt.Sprintf("%.1f", load), time.Now().UTC().Format(time.DateOnly)}
}

// write puts the section into a file, in place of what it holds of it.
func (t *table) write(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	section := introduction
	for _, cells := range t.lines {
		section += "| " + strings.Join(cells, " | ") + " |\n"
	}
	before, rest, found := strings.Cut(string(text), heading+"\n")
	if !found {
		return os.WriteFile(path, []byte(strings.TrimRight(string(text), "\n")+"\n\n"+section), 0o644)
	}
	if _, after, more := strings.Cut(rest, "\n## "); more {
		section += "\n## " + after
	}
	return os.WriteFile(path, []byte(before+section), 0o644)
}
