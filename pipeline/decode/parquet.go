package decode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	pformat "github.com/parquet-go/parquet-go/format"
)

// readParquet reads flow logs of VPCs and Transit Gateways, and OCSF events of
// Security Lake, in Parquet: the columns that are needed alone. A line number is
// that of the row.
//
// Parquet is read from its end, so that the object is first copied to a file that
// has no name.
func readParquet(d *run) error {
	file, size, err := d.spool()
	if err != nil {
		return err
	}
	defer file.Close()
	return d.openParquet(file, size)
}

// spool copies the object to a temporary file.
func (d *run) spool() (*os.File, int64, error) {
	file, err := os.CreateTemp(d.options.TempDir, "picket-object-*")
	if err != nil {
		return nil, 0, fmt.Errorf("decode %s: %w", d.obj.Key, err)
	}
	os.Remove(file.Name())
	from := &trackedReader{r: d.in}
	size, err := io.Copy(file, io.LimitReader(from, d.options.MaxSpool+1))
	switch {
	case err != nil && from.err != nil && from.err != io.EOF:
		err = d.readError(from.err)
	case err != nil:
		err = fmt.Errorf("decode %s: keep it to read it from its end: %w", d.obj.Key, err)
	case size > d.options.MaxSpool:
		err = d.failAt(0, reasonSpool, fmt.Sprintf("more than %d bytes", d.options.MaxSpool), nil)
	default:
		return file, size, nil
	}
	file.Close()
	return nil, 0, err
}

// trackedReader keeps the error of its reader, to tell it from that of a writer.
type trackedReader struct {
	r   io.Reader
	err error
}

func (t *trackedReader) Read(b []byte) (int, error) {
	n, err := t.r.Read(b)
	if err != nil {
		t.err = err
	}
	return n, err
}

// openParquet reads a file. The library panics on some corrupt ones.
func (d *run) openParquet(r io.ReaderAt, size int64) (err error) {
	t := &parquetTable{buf: make([]byte, maxPageHeader)}
	defer func() {
		if e := recover(); e != nil {
			if t.emitting { // not the library's
				panic(e)
			}
			err = d.failAt(0, reasonDamaged, "every row before the damage was kept", fmt.Errorf("parquet: %v", e))
		}
	}()
	if reason := checkFooter(r, size); reason != "" {
		return d.failAt(0, reasonDamaged, reason, nil)
	}
	file, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(1<<16))
	if err != nil {
		return d.failAt(0, reasonDamaged, "its end is no Parquet metadata", err)
	}
	if err := d.tableOf(file, t); err != nil {
		return err
	}
	for i, group := range file.RowGroups() {
		if err := d.readGroup(r, size, group, file.Metadata().RowGroups[i].Columns, t); err != nil {
			return err
		}
	}
	return nil
}

// maxFooter and maxFooterItems bound the metadata of a file.
const (
	maxFooter      = 8 << 20
	maxFooterItems = 1 << 18
)

// checkFooter says what is wrong with the metadata before room is made for it.
func checkFooter(r io.ReaderAt, size int64) (wrong string) {
	var end [8]byte
	if size < 12 {
		return "shorter than any Parquet file"
	}
	if _, err := r.ReadAt(end[:], size-8); err != nil || string(end[4:]) != "PAR1" {
		return "cut short: it does not end as Parquet does"
	}
	length := int64(binary.LittleEndian.Uint32(end[:]))
	if length > maxFooter || length > size-12 {
		return "metadata of " + strconv.FormatInt(length, 10) + " bytes"
	}
	b := make([]byte, length)
	if _, err := r.ReadAt(b, size-8-length); err != nil {
		return "metadata that cannot be read"
	}
	t := thrift{b: b, items: maxFooterItems}
	if t.structure(0, nil); t.bad {
		return "metadata that is no Thrift, or too much of it"
	}
	return ""
}

// parquetTable says what a row of a table becomes.
type parquetTable struct {
	columns  []*parquetColumn
	set      func(c *parquetColumn, text []byte) // takes a value of the row at hand, nil where unset
	take     func() error                        // sends the row
	emitting bool
	buf      []byte // for headers of pages
}

// tableOf tells by the columns what the table holds.
func (d *run) tableOf(file *parquet.File, t *parquetTable) error {
	paths := file.Schema().Columns()
	has := func(name string) bool {
		return slices.ContainsFunc(paths, func(p []string) bool { return plainColumn(p) == name })
	}
	switch {
	case has("srcaddr") && has("dstaddr") || has("pkt-srcaddr") && has("pkt-dstaddr"):
		return d.flowTable(file, t)
	case has("class-uid"):
		return d.ocsfTable(file, t)
	}
	names := make([]string, min(len(paths), 5))
	for i := range names {
		names[i] = strings.Join(paths[i], ".")
	}
	return d.failAt(0, reasonFormat, "Parquet with other columns: "+excerpt([]byte(strings.Join(names, ", "))), nil)
}

// plainColumn spells a column of the top level as the text of a flow log does.
func plainColumn(path []string) string {
	if len(path) != 1 || len(path[0]) > 64 {
		return ""
	}
	return strings.ReplaceAll(strings.ToLower(path[0]), "_", "-")
}

// flowTable is a flow log: its columns are those of the text, with _ for -.
func (d *run) flowTable(file *parquet.File, t *parquetTable) error {
	row := &vpcRow{}
	var header []string
	for _, p := range file.Schema().Columns() {
		name := plainColumn(p)
		if name == "" || strings.ContainsAny(name, " \t\n") {
			name = "?"
		}
		header = append(header, name)
	}
	d.stats.Format = "vpc-parquet"
	if slices.Contains(header, "tgw-attachment-id") {
		d.stats.Format = "tgw-parquet"
	}
	if err := row.header(d, []byte(strings.Join(header, " "))); err != nil {
		return err
	}
	for i, c := range row.plan {
		if c != colOther {
			t.columns = append(t.columns, &parquetColumn{index: i, field: int(c)})
		}
	}
	unset := []byte("-") // null is not the same as a column that is missing
	t.set = func(c *parquetColumn, text []byte) {
		if text == nil {
			text = unset
		}
		row.field[c.field] = text
	}
	t.take = func() error { return row.take(d, nil) }
	d.shown = func() []byte {
		var b []byte
		for _, c := range t.columns {
			b = append(append(b, row.field[c.field][:min(len(row.field[c.field]), 256)]...), ' ')
		}
		return b
	}
	return nil
}

// ocsfTable is a table of OCSF events, nested as their JSON is.
func (d *run) ocsfTable(file *parquet.File, t *parquetTable) error {
	o := &ocsf{run: d}
	d.stats.Format = "ocsf-parquet"
	for i, path := range file.Schema().Columns() {
		name := strings.ToLower(strings.Join(path, "."))
		field := ocsfPaths[name]
		if strings.HasPrefix(name, "answers.") && strings.HasSuffix(name, ".rdata") {
			field = ocsfAnswers
		}
		leaf, found := file.Schema().Lookup(path...)
		if field != ocsfOther && found && (leaf.MaxRepetitionLevel > 0) == (field == ocsfAnswers) {
			t.columns = append(t.columns, &parquetColumn{index: i, field: int(field), list: field == ocsfAnswers})
		}
	}
	t.set = func(c *parquetColumn, text []byte) {
		if text != nil {
			o.event[c.field] = text
		}
	}
	t.take = func() error {
		err := o.take(nil)
		o.event = ocsfEvent{}
		return err
	}
	d.shown = func() []byte {
		var b []byte
		for _, f := range o.event {
			if f != nil {
				b = append(append(b, f[:min(len(f), 256)]...), ' ')
			}
		}
		return b
	}
	return nil
}

// readGroup reads the rows of a row group.
func (d *run) readGroup(r io.ReaderAt, size int64, group parquet.RowGroup, columns []pformat.ColumnChunk, t *parquetTable) error {
	chunks := group.ColumnChunks()
	for _, c := range t.columns {
		if c.index >= len(chunks) || c.index >= len(columns) {
			return d.failAt(0, reasonDamaged, "a row group without some of its columns", nil)
		}
		m := &columns[c.index].MetaData
		if wrong := checkPages(r, size, m, t.buf); wrong != "" {
			return d.failAt(0, reasonDamaged, "column "+excerpt([]byte(strings.Join(m.PathInSchema, ".")))+": "+wrong, nil)
		}
		c.open(chunks[c.index])
		defer c.close()
	}
	for n := range group.NumRows() {
		if n%1024 == 0 && d.ctx.Err() != nil {
			d.src.broken = d.ctx.Err()
			return d.readError(d.src.broken)
		}
		for _, c := range t.columns {
			text, err := c.next()
			if err != nil {
				return d.failAt(0, reasonDamaged, "every row before the damage was kept", err)
			}
			t.set(c, text)
		}
		d.stats.Lines++
		t.emitting = true
		err := t.take()
		if t.emitting = false; err != nil {
			return err
		}
	}
	return nil
}

// parquetColumn gives the values of one column as text.
type parquetColumn struct {
	index, field int
	list         bool // several values to a row
	pages        parquet.Pages
	page         parquet.Page
	values       parquet.ValueReader
	batch        []parquet.Value
	n, i         int
	scratch      []byte
}

// batchValues are read at a time.
const batchValues = 512

func (c *parquetColumn) open(chunk parquet.ColumnChunk) {
	c.pages = chunk.Pages()
	if c.batch == nil {
		c.batch = make([]parquet.Value, batchValues)
	}
	c.n, c.i, c.values = 0, 0, nil
}

func (c *parquetColumn) close() {
	if c.page != nil {
		parquet.Release(c.page)
		c.page = nil
	}
	if c.pages != nil {
		c.pages.Close()
		c.pages = nil
	}
}

// next returns the value of the next row as text, nil where it is null. It is valid
// until the call after.
func (c *parquetColumn) next() ([]byte, error) {
	if c.list {
		return c.nextList()
	}
	v, err := c.value()
	if err != nil {
		return nil, err
	}
	c.i++
	if v.IsNull() {
		return nil, nil
	}
	c.scratch = c.scratch[:0]
	return c.text(v), nil
}

// nextList returns the values of the next row with commas in between.
func (c *parquetColumn) nextList() ([]byte, error) {
	c.scratch = c.scratch[:0]
	for first := true; ; first = false {
		v, err := c.value()
		if err == io.EOF && !first || err == nil && !first && v.RepetitionLevel() == 0 {
			return c.scratch, nil
		}
		if err != nil {
			return nil, err
		}
		c.i++
		if !v.IsNull() && len(c.scratch) < 4096 && v.Kind() == parquet.ByteArray {
			c.scratch = append(append(c.scratch, v.ByteArray()[:min(len(v.ByteArray()), 64)]...), ',')
		}
	}
}

// text writes a value as a text log would.
func (c *parquetColumn) text(v *parquet.Value) []byte {
	switch v.Kind() {
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return v.ByteArray()
	case parquet.Int32:
		c.scratch = strconv.AppendInt(c.scratch, int64(v.Int32()), 10)
	case parquet.Int64:
		c.scratch = strconv.AppendInt(c.scratch, v.Int64(), 10)
	case parquet.Int96: // nanoseconds of a Julian day
		t := v.Int96()
		nanos := int64(uint64(t[0]) | uint64(t[1])<<32)
		c.scratch = strconv.AppendInt(c.scratch, (int64(t[2])-2440588)*86400e9+nanos, 10)
	case parquet.Boolean:
		c.scratch = strconv.AppendBool(c.scratch, v.Boolean())
	case parquet.Float:
		c.scratch = strconv.AppendFloat(c.scratch, float64(v.Float()), 'f', -1, 32)
	case parquet.Double:
		c.scratch = strconv.AppendFloat(c.scratch, v.Double(), 'f', -1, 64)
	}
	return c.scratch
}

// value returns the value at hand, reading on where it must.
func (c *parquetColumn) value() (*parquet.Value, error) {
	for c.i == c.n {
		if c.values == nil {
			if c.page != nil {
				parquet.Release(c.page)
				c.page = nil
			}
			page, err := c.pages.ReadPage()
			if err != nil {
				return nil, err
			}
			c.page, c.values = page, page.Values()
		}
		n, err := c.values.ReadValues(c.batch)
		c.n, c.i = n, 0
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if err != nil || n == 0 {
			c.values = nil // what was read of it is still to be handed out
		}
	}
	return &c.batch[c.i], nil
}
