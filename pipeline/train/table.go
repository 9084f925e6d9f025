package train

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"picket"
)

// TableOptions say how to read a labelled table.
type TableOptions struct {
	Label   string          // column of the class; empty where rows are to be scored only
	Drop    []string        // columns that are not features
	Normal  []string        // label values that mean normal; DefaultNormal when empty
	Skip    []string        // label values whose rows are left out
	Columns []string        // names, where the files have no header; columns beyond them are called column_N
	Like    *picket.Booster // read for this booster: its columns and its categories
}

// Bounds of a table; its files are somebody else's.
const (
	maxCells      = 1 << 28 // values kept, 2 GiB
	maxCategories = 4096    // different texts in one column
	maxClasses    = 256
)

// Table is a labelled table in memory.
type Table struct {
	Dataset    *picket.Dataset
	Categories map[string][]string // text columns: value i of the list is coded i
	Pooled     map[string]int      // classes too rare to learn, with their rows: they became ClassOther
	Files      []FileFact
}

// ReadTable reads files of one table, in order: CSV, plain, gzipped or in a zip,
// and Parquet, told apart by content. A column that holds anything but numbers is
// text, and its values become categories. Empty, nan, na, null and ? are missing
// anywhere, and so is - in a column of numbers. With o.Like the columns are the
// booster's, found by name, and a category that it does not know is missing.
//
// Where the table has all the columns that `picket features` writes before the
// features (entity_kind, entity, window_start, window_seconds, source), they fill
// the rows' windows. Errors name file, row and column.
func ReadTable(paths []string, o TableOptions) (*Table, error) {
	files, err := openTables(paths, o.Columns)
	if err != nil {
		return nil, err
	}
	columns, err := layout(files, o)
	if err != nil {
		return nil, err
	}
	if o.Like == nil {
		if err := findText(files, columns); err != nil {
			return nil, err
		}
	}
	t := &tableReader{options: o, columns: columns, names: map[string]string{}}
	for _, f := range files {
		if err := f.each(t.add); err != nil {
			return nil, err
		}
	}
	return t.table(files)
}

// tableColumn is a column that is a feature.
type tableColumn struct {
	name    string
	text    bool
	codes   map[string]int
	dropped bool // categories beyond the list are missing: the column is read for a booster
}

// identity are the columns that `picket features` writes before the features.
var identity = []string{"entity_kind", "entity", "window_start", "window_seconds", "source"}

func hasIdentity(header []string) bool {
	for _, name := range identity {
		if !slices.Contains(header, name) {
			return false
		}
	}
	return true
}

// layout decides which columns are features and checks that every file has them.
func layout(files []*tableFile, o TableOptions) ([]tableColumn, error) {
	var columns []tableColumn
	if o.Like != nil {
		columns = likeColumns(o.Like)
	} else {
		for _, name := range files[0].header {
			not := name == o.Label || slices.Contains(o.Drop, name) || hasIdentity(files[0].header) && slices.Contains(identity, name)
			if !not {
				columns = append(columns, tableColumn{name: name})
			}
		}
	}
	for _, f := range files {
		for _, name := range o.Drop {
			if o.Like == nil && !slices.Contains(f.header, name) {
				return nil, fmt.Errorf("read table %s: no column %q to drop; it has %s", f.name, name, list(f.header))
			}
		}
		if o.Label != "" && !slices.Contains(f.header, o.Label) {
			return nil, fmt.Errorf("read table %s: no label column %q; it has %s", f.name, o.Label, list(f.header))
		}
		for _, c := range columns {
			if !slices.Contains(f.header, c.name) {
				return nil, fmt.Errorf("read table %s: no column %q; it has %s", f.name, c.name, list(f.header))
			}
		}
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("read table %s: no column is left to learn from", files[0].name)
	}
	return columns, nil
}

func likeColumns(b *picket.Booster) []tableColumn {
	columns := make([]tableColumn, len(b.Schema.Names))
	for i, name := range b.Schema.Names {
		columns[i] = tableColumn{name: name}
		if categories, ok := b.Categories[name]; ok {
			columns[i].text, columns[i].dropped, columns[i].codes = true, true, map[string]int{}
			for code, category := range categories {
				columns[i].codes[category] = code
			}
		}
	}
	return columns
}

// list joins names for an error, the first twenty of them.
func list(names []string) string {
	if len(names) > 20 {
		return strings.Join(names[:20], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// findText reads all rows once to see which columns hold something that is no number.
func findText(files []*tableFile, columns []tableColumn) error {
	for _, f := range files {
		at := f.places(columns)
		err := f.each(func(_ *tableFile, _ int, cells []string) error {
			for i := range columns {
				if !columns[i].text {
					_, ok := number(cells[at[i]])
					columns[i].text = !ok
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for i := range columns {
		columns[i].codes = map[string]int{}
	}
	return nil
}

// number parses a cell; a missing one is NaN.
func number(cell string) (float64, bool) {
	cell = strings.TrimSpace(cell)
	if missing(cell) || cell == "-" {
		return math.NaN(), true
	}
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil && math.IsInf(v, 0) {
		return v, true // too large for a float64: as large as can be
	}
	return v, err == nil
}

func missing(cell string) bool {
	switch len(cell) {
	case 0:
		return true
	case 1:
		return cell == "?"
	case 2, 3, 4:
		return strings.EqualFold(cell, "nan") || strings.EqualFold(cell, "na") || strings.EqualFold(cell, "n/a") || strings.EqualFold(cell, "null")
	}
	return false
}

// ReadColumns reads a file of column names: one a line, what follows a comma being
// a remark; or all on one line with commas between.
func ReadColumns(r io.Reader, name string) ([]string, error) {
	data, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read columns %s: %w", name, err)
	}
	lines := strings.Split(strings.TrimSpace(strings.TrimPrefix(string(data), "\ufeff")), "\n")
	if len(lines) == 1 {
		lines = strings.Split(lines[0], ",")
	}
	var names []string
	for _, line := range lines {
		column, _, _ := strings.Cut(line, ",")
		if column = strings.Trim(strings.TrimSpace(column), `"`); column != "" {
			names = append(names, column)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("read columns %s: no names", name)
	}
	return names, nil
}
