package train

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"picket"
)

// tableReader gathers rows.
type tableReader struct {
	options TableOptions
	columns []tableColumn
	file    *tableFile // whose places are known
	at      []int      // of the columns in it
	label   int        // of the label column in it, or -1
	window  []int      // of the identity columns in it, or nil
	values  []float64
	classes []string          // of each row
	names   map[string]string // raw label -> class, so that rows share strings
	windows []picket.Window
	skipped int
}

func (t *tableReader) add(f *tableFile, row int, cells []string) error {
	if t.file != f {
		t.enter(f)
	}
	class := ""
	if t.label >= 0 {
		var keep bool
		var err error
		if class, keep, err = t.class(cells[t.label]); err != nil {
			return fmt.Errorf("read table %s row %d: %w", f.name, row, err)
		}
		if !keep {
			t.skipped++
			return nil
		}
	}
	for i := range t.columns {
		v, err := t.columns[i].value(cells[t.at[i]])
		if err != nil {
			return fmt.Errorf("read table %s row %d column %q: %w", f.name, row, t.columns[i].name, err)
		}
		t.values = append(t.values, v)
	}
	if len(t.values) > maxCells {
		return fmt.Errorf("read table %s row %d: more than %d values", f.name, row, maxCells)
	}
	t.classes = append(t.classes, class)
	if t.window != nil {
		w, err := window(cells, t.window)
		if err != nil {
			return fmt.Errorf("read table %s row %d: %w", f.name, row, err)
		}
		t.windows = append(t.windows, w)
	}
	return nil
}

func (t *tableReader) enter(f *tableFile) {
	t.file, t.at, t.label, t.window = f, f.places(t.columns), -1, nil
	if t.options.Label != "" {
		t.label = slices.Index(f.header, t.options.Label)
	}
	if hasIdentity(f.header) {
		for _, name := range identity {
			t.window = append(t.window, slices.Index(f.header, name))
		}
	}
}

func (c *tableColumn) value(cell string) (float64, error) {
	if !c.text {
		v, ok := number(cell)
		if !ok {
			return 0, fmt.Errorf("%.40q is no number", cell)
		}
		return v, nil
	}
	cell = strings.TrimSpace(cell)
	if missing(cell) {
		return math.NaN(), nil
	}
	code, ok := c.codes[cell]
	switch {
	case ok:
		return float64(code), nil
	case c.dropped:
		return math.NaN(), nil
	case len(c.codes) == maxCategories:
		return 0, fmt.Errorf("more than %d different texts: drop the column, it names rows and not kinds of rows", maxCategories)
	}
	code = len(c.codes)
	c.codes[strings.Clone(cell)] = code
	return float64(code), nil
}

// window reads the identity columns of a row.
func window(cells []string, at []int) (picket.Window, error) {
	w := picket.Window{Entity: picket.Entity{Kind: picket.Kind(cells[at[0]]), ID: strings.Clone(cells[at[1]])}, Source: strings.Clone(cells[at[4]])}
	w.Entity.Kind = picket.Kind(strings.Clone(string(w.Entity.Kind)))
	start, err := parseTime(cells[at[2]])
	if err != nil {
		return w, fmt.Errorf("column %q: %w", identity[2], err)
	}
	seconds, err := strconv.ParseInt(cells[at[3]], 10, 64)
	if err != nil || seconds < 0 || seconds > int64(366*24*time.Hour/time.Second) {
		return w, fmt.Errorf("column %q: %.40q is no width in seconds", identity[3], cells[at[3]])
	}
	w.Start, w.Seconds = start, seconds
	return w, nil
}

// table makes the dataset: rows in the order read, categories the rarest first.
func (t *tableReader) table(files []*tableFile) (*Table, error) {
	if len(t.classes) == 0 {
		return nil, fmt.Errorf("read table %s: no rows", files[0].name)
	}
	table := &Table{Categories: map[string][]string{}}
	for _, f := range files {
		table.Files = append(table.Files, f.fact)
	}
	names := make([]string, len(t.columns))
	for i := range t.columns {
		names[i] = t.columns[i].name
		if t.columns[i].text {
			table.Categories[names[i]] = t.sortCategories(i)
		}
	}
	d := &picket.Dataset{Booster: picket.BoosterID{Detector: picket.DetectorTable}, Schema: picket.NewSchema(names)}
	if like := t.options.Like; like != nil {
		d.Booster, d.Schema, d.Classes = like.ID, like.Schema, like.Classes
	} else {
		table.Pooled = poolRare(t.classes)
		d.Classes = classesOf(t.classes)
	}
	d.Examples = make([]picket.Example, len(t.classes))
	for i := range d.Examples {
		e := &d.Examples[i]
		e.Values, e.Class, e.Weight = t.values[i*len(names):(i+1)*len(names):(i+1)*len(names)], t.classes[i], 1
		if len(t.windows) == len(t.classes) {
			e.Window, e.Elapsed = t.windows[i], t.windows[i].Seconds
		}
	}
	table.Dataset = d
	return table, nil
}

// sortCategories gives the categories of column i codes in the order of how many
// rows have them, of equal ones in that of their names. A tree cuts codes in two: so
// it parts what is rare from what is common, where names would part it by spelling.
// On NSL-KDD, with one kind of attack left out of training, unseen kinds are told
// better by it.
func (t *tableReader) sortCategories(i int) []string {
	c := &t.columns[i]
	names := make([]string, len(c.codes))
	for name, code := range c.codes {
		names[code] = name
	}
	if c.dropped {
		return names
	}
	order := make([]int, len(names))
	for code := range order {
		order[code] = code
	}
	rows := make([]int, len(names))
	for at := i; at < len(t.values); at += len(t.columns) {
		if v := t.values[at]; !math.IsNaN(v) {
			rows[int(v)]++
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(rows[a], rows[b]), cmp.Compare(names[a], names[b]))
	})
	newCode := make([]float64, len(names))
	sorted := make([]string, len(names))
	for code, old := range order {
		newCode[old], sorted[code] = float64(code), names[old]
	}
	for at := i; at < len(t.values); at += len(t.columns) {
		if v := t.values[at]; !math.IsNaN(v) {
			t.values[at] = newCode[int(v)]
		}
	}
	return sorted
}
