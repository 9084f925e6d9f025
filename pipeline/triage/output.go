package triage

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"picket"
)

// column is one column of the CSV output.
type column struct {
	name string
	cell func(*picket.Finding) string
}

// columns of the CSV output. The first ones are promised; new ones go last.
var columns = []column{
	{"uid", func(f *picket.Finding) string { return guard(f.UID) }},
	{"class", func(f *picket.Finding) string { return guard(f.Class) }},
	{"severity", func(f *picket.Finding) string { return f.Severity.String() }},
	{"confidence", func(f *picket.Finding) string { return decimal(f.Confidence) }},
	{"entity_kind", func(f *picket.Finding) string { return guard(string(f.Entity.Kind)) }},
	{"entity", func(f *picket.Finding) string { return guard(f.Entity.ID) }},
	{"first_seen", func(f *picket.Finding) string { return rfc3339(f.FirstSeen) }},
	{"last_seen", func(f *picket.Finding) string { return rfc3339(f.LastSeen) }},
	{"title", func(f *picket.Finding) string { return guard(f.Title) }},
	{"type", func(f *picket.Finding) string { return guard(f.Type) }},
	{"status", func(f *picket.Finding) string { return guard(f.Status) }},
	{"technique", func(f *picket.Finding) string { _, id := Technique(f); return id }},
	{"detector", func(f *picket.Finding) string { return guard(f.Detector) }},
	{"source", func(f *picket.Finding) string { return guard(f.Source) }},
	{"window_start", func(f *picket.Finding) string { return rfc3339(f.At) }},
	{"window_seconds", func(f *picket.Finding) string { return strconv.FormatInt(f.Seconds, 10) }},
	{"windows", func(f *picket.Finding) string { return strconv.Itoa(f.Windows) }},
	{"margin", func(f *picket.Finding) string { return decimal(f.Margin) }},
	{"threshold", func(f *picket.Finding) string { return decimal(f.Threshold) }},
	{"threshold_from", func(f *picket.Finding) string { return guard(f.Cut) }},
	{"peers", func(f *picket.Finding) string { return guard(strings.Join(f.Peers, " ")) }},
	{"successor", func(f *picket.Finding) string { return guard(f.Successor) }},
	{"sentence", func(f *picket.Finding) string { return guard(f.Sentence) }},
}

// WriteCSV writes findings with a header; times are RFC 3339, confidence is 0 to 1.
func WriteCSV(w io.Writer, findings []picket.Finding) error {
	out := csv.NewWriter(w)
	row := make([]string, len(columns))
	for i, c := range columns {
		row[i] = c.name
	}
	out.Write(row) // an error sticks and is returned below
	for i := range findings {
		for j, c := range columns {
			row[j] = c.cell(&findings[i])
		}
		out.Write(row)
	}
	out.Flush()
	return out.Error()
}

// guard puts an apostrophe before text that a spreadsheet would run as a
// formula. An entity's name is an attacker's to choose.
func guard(text string) string {
	if trimmed := strings.TrimLeft(text, " "); trimmed != "" && strings.ContainsRune("=+-@\t\r\n", rune(trimmed[0])) {
		return "'" + text
	}
	return text
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

func rfc3339(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// WriteTable writes findings for a terminal, one on a line.
func WriteTable(w io.Writer, findings []picket.Finding) error {
	var table bytes.Buffer
	tabs := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tabs, "FIRST SEEN\tSEVERITY\tCLASS\tTYPE\tCONFIDENCE\tENTITY\tTITLE")
	for i := range findings {
		f := &findings[i]
		fmt.Fprintf(tabs, "%s\t%s\t%s\t%s\t%d %%\t%s\t%s\n", rfc3339(f.FirstSeen), f.Severity,
			printable(f.Class), printable(f.Type), percent(f.Confidence), printable(f.Entity.String()), printable(f.Title))
	}
	if err := tabs.Flush(); err != nil {
		return err
	}
	_, err := w.Write(table.Bytes())
	return err
}

// printable replaces what could move a terminal's cursor or turn its text
// around: control and format characters, and bytes that are no text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
