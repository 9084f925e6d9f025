package train

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"picket"
)

// ClassExcluded in a label file leaves windows out of both sides, as for an
// event that is neither an attack nor normal.
const ClassExcluded = "excluded"

var labelColumns = []string{"start", "end", "entity_kind", "entity", "class", "note"}

// labelClasses are the classes that a label file may name; a misspelt one is an
// error, since its windows would silently teach nothing.
func labelClasses() []string {
	return append(picket.TrafficClasses(), picket.ClassAccess, picket.ClassPhishing, picket.ClassAnomaly, ClassExcluded)
}

// maxLabels bounds the rows of one label file.
const maxLabels = 5_000_000

// ReadLabels reads a label file: CSV with the header
// start,end,entity_kind,entity,class,note in any order (note may be absent).
// Times are RFC 3339 or Unix seconds. Errors name the file and the line.
func ReadLabels(r io.Reader, name string) ([]picket.Label, error) {
	rows := csv.NewReader(r)
	rows.TrimLeadingSpace = true
	header, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("read labels %s: header: %w", name, noEOF(err))
	}
	column, err := columnsOf(header)
	if err != nil {
		return nil, fmt.Errorf("read labels %s: %w", name, err)
	}
	var labels []picket.Label
	for {
		row, err := rows.Read()
		if err == io.EOF {
			return labels, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read labels %s: %w", name, err)
		}
		line, _ := rows.FieldPos(0)
		label, err := parseLabel(row, column)
		if err != nil {
			return nil, fmt.Errorf("read labels %s line %d: %w", name, line, err)
		}
		if labels = append(labels, label); len(labels) > maxLabels {
			return nil, fmt.Errorf("read labels %s: more than %d rows", name, maxLabels)
		}
	}
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// columnsOf returns the place of each label column in a header; -1 for no note.
func columnsOf(header []string) (map[string]int, error) {
	column := map[string]int{"note": -1}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
		if slices.Contains(labelColumns, name) {
			column[name] = i
		}
	}
	for _, name := range labelColumns {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf("no column %q; the header is %s", name, strings.Join(labelColumns, ","))
		}
	}
	return column, nil
}

func parseLabel(row []string, column map[string]int) (picket.Label, error) {
	var l picket.Label
	var err error
	if l.Start, err = parseTime(row[column["start"]]); err != nil {
		return l, fmt.Errorf("start: %w", err)
	}
	if l.End, err = parseTime(row[column["end"]]); err != nil {
		return l, fmt.Errorf("end: %w", err)
	}
	if l.End <= l.Start {
		return l, fmt.Errorf("end %s is not after start %s", row[column["end"]], row[column["start"]])
	}
	l.Entity = picket.Entity{Kind: picket.Kind(row[column["entity_kind"]]), ID: row[column["entity"]]}
	if !slices.Contains([]picket.Kind{picket.KindActor, picket.KindVictim, picket.KindName, picket.KindPrincipal, "*"}, l.Entity.Kind) {
		return l, fmt.Errorf("entity_kind %q is not actor, victim, name, principal or *", l.Entity.Kind)
	}
	if address, err := netip.ParseAddr(l.Entity.ID); err == nil {
		l.Entity.ID = address.Unmap().String() // as windows write it
	}
	if l.Entity.ID == "" {
		return l, errors.New("no entity; * means every entity")
	}
	if l.Class = row[column["class"]]; !slices.Contains(labelClasses(), l.Class) {
		return l, fmt.Errorf("class %q is not one of %s", l.Class, strings.Join(labelClasses(), ", "))
	}
	if i := column["note"]; i >= 0 {
		l.Note = row[i]
	}
	return l, nil
}

// parseTime reads RFC 3339 or Unix seconds; a fraction of a second is cut off.
func parseTime(s string) (int64, error) {
	if n, err := strconv.ParseFloat(s, 64); err == nil && n >= 0 && n < 1<<40 {
		return int64(n), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0, fmt.Errorf("%q is neither RFC 3339 nor Unix seconds", s)
	}
	return t.Unix(), nil
}

// WriteLabels writes a label file with RFC 3339 times, sorted by start, entity
// and class, so that the same labels give the same bytes.
func WriteLabels(w io.Writer, labels []picket.Label) error {
	labels = slices.Clone(labels)
	slices.SortStableFunc(labels, func(a, b picket.Label) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Entity.ID, b.Entity.ID),
			cmp.Compare(a.Entity.Kind, b.Entity.Kind), cmp.Compare(a.Class, b.Class), cmp.Compare(a.End, b.End))
	})
	rows := csv.NewWriter(w)
	if err := rows.Write(labelColumns); err != nil {
		return fmt.Errorf("write labels: %w", err)
	}
	for _, l := range labels {
		row := []string{rfc3339(l.Start), rfc3339(l.End), string(l.Entity.Kind), l.Entity.ID, l.Class, l.Note}
		if err := rows.Write(row); err != nil {
			return fmt.Errorf("write labels: %w", err)
		}
	}
	rows.Flush()
	if err := rows.Error(); err != nil {
		return fmt.Errorf("write labels: %w", err)
	}
	return nil
}

func rfc3339(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }
