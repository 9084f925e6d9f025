package train

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// FileFact says which bytes a table came from.
type FileFact struct {
	Name   string `json:"name"` // last part of its path
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	Rows   int    `json:"rows"`
}

// maxLine bounds one line of a CSV file, in bytes.
const maxLine = 1 << 20

// tableFile is one file of a table, or one CSV inside a zip.
type tableFile struct {
	name    string
	header  []string
	fact    FileFact
	named   bool                          // the names were given: the first row is a row
	open    func() (io.ReadCloser, error) // CSV
	parquet string                        // path
	units   []time.Duration               // Parquet: of a column's timestamps; 0 where it holds none
}

// openTables finds out what each file is and reads its header.
func openTables(paths, columns []string) ([]*tableFile, error) {
	if len(paths) == 0 {
		return nil, errors.New("read table: no file")
	}
	var files []*tableFile
	for _, p := range paths {
		opened, err := openTable(p)
		if err != nil {
			return nil, fmt.Errorf("read table %s: %w", p, err)
		}
		for _, f := range opened {
			if err := f.readHeader(columns); err != nil {
				return nil, fmt.Errorf("read table %s: %w", f.name, err)
			}
		}
		files = append(files, opened...)
	}
	return files, nil
}

func openTable(name string) ([]*tableFile, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, file)
	if err != nil {
		return nil, err
	}
	fact := FileFact{Name: path.Base(name), Bytes: size, SHA256: hex.EncodeToString(hash.Sum(nil))}
	var magic [4]byte
	n, err := file.ReadAt(magic[:], 0)
	if n == 0 && err != nil {
		return nil, fmt.Errorf("header: %w", noEOF(err))
	}
	switch {
	case bytes.HasPrefix(magic[:], []byte("PAR1")):
		return []*tableFile{{name: name, fact: fact, parquet: name}}, nil
	case bytes.HasPrefix(magic[:], []byte("PK\x03\x04")):
		return openZip(name, file, size, fact)
	case magic[0] == 0x1f && magic[1] == 0x8b:
		return []*tableFile{{name: name, fact: fact, open: func() (io.ReadCloser, error) { return openGzip(name) }}}, nil
	}
	return []*tableFile{{name: name, fact: fact, open: func() (io.ReadCloser, error) { return os.Open(name) }}}, nil
}

// closers is a reader over another one; both are closed.
type closers struct {
	io.Reader
	close []io.Closer
}

func (c *closers) Close() error {
	var errs []error
	for _, closer := range c.close {
		errs = append(errs, closer.Close())
	}
	return errors.Join(errs...)
}

func openGzip(name string) (io.ReadCloser, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	reader, err := gzip.NewReader(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &closers{reader, []io.Closer{reader, file}}, nil
}

// openZip returns the CSV files in a zip, by name. A Mac's resource forks are not tables.
func openZip(name string, file *os.File, size int64, fact FileFact) ([]*tableFile, error) {
	archive, err := zip.NewReader(file, size)
	if err != nil {
		return nil, err
	}
	var files []*tableFile
	for i, entry := range archive.File {
		base := path.Base(entry.Name)
		if entry.FileInfo().IsDir() || strings.HasPrefix(base, ".") || strings.HasPrefix(entry.Name, "__MACOSX/") {
			continue
		}
		f := &tableFile{name: name + ":" + entry.Name, fact: fact}
		f.fact.Name += ":" + entry.Name
		f.open = func() (io.ReadCloser, error) { return openZipEntry(name, i) }
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil, errors.New("no table inside the zip")
	}
	slices.SortFunc(files, func(a, b *tableFile) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

func openZipEntry(name string, i int) (io.ReadCloser, error) {
	archive, err := zip.OpenReader(name)
	if err != nil {
		return nil, err
	}
	if i >= len(archive.File) {
		return nil, errors.Join(errors.New("the zip changed while it was read"), archive.Close())
	}
	entry, err := archive.File[i].Open()
	if err != nil {
		return nil, errors.Join(err, archive.Close())
	}
	return &closers{entry, []io.Closer{entry, archive}}, nil
}

// readHeader takes the names from the file's first row, or from columns.
func (f *tableFile) readHeader(columns []string) error {
	if f.parquet != "" {
		return f.parquetHeader()
	}
	reader, err := f.open()
	if err != nil {
		return err
	}
	defer reader.Close()
	row, err := csvRows(reader).Read()
	if err != nil {
		return fmt.Errorf("header: %w", noEOF(err))
	}
	f.header = make([]string, len(row))
	if f.named = len(columns) > 0; f.named && len(columns) > len(row) {
		return fmt.Errorf("%d column names for rows of %d values", len(columns), len(row))
	}
	for i, name := range row {
		switch {
		case i < len(columns):
			name = columns[i]
		case f.named:
			name = "column_" + strconv.Itoa(i+1)
		}
		f.header[i] = strings.Clone(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
	}
	return f.checkHeader()
}

func (f *tableFile) checkHeader() error {
	seen := map[string]bool{}
	for i, name := range f.header {
		if name == "" && i == 0 {
			f.header[0] = "column_1" // the row names that pandas writes have no name
			continue
		}
		if name == "" {
			return fmt.Errorf("column %d has no name; name the columns with a file of their own if the table has no header", i+1)
		}
		if seen[name] {
			return fmt.Errorf("two columns are called %q", name)
		}
		seen[name] = true
	}
	return nil
}

func csvRows(r io.Reader) *csv.Reader {
	rows := csv.NewReader(bufio.NewReaderSize(&lineLimit{r: r}, 1<<16))
	rows.LazyQuotes = true
	rows.ReuseRecord = true
	return rows
}

// lineLimit fails when a line is longer than maxLine: a reader that waits for the
// end of a line would fill the memory.
type lineLimit struct {
	r    io.Reader
	line int
}

func (l *lineLimit) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			l.line += len(rest)
			break
		}
		l.line, rest = 0, rest[end+1:]
	}
	if l.line > maxLine {
		return n, fmt.Errorf("a line is longer than %d bytes", maxLine)
	}
	return n, err
}

// each calls row for every row of the file, counted from 1 without the header.
// The cells are valid until it returns.
func (f *tableFile) each(row func(f *tableFile, number int, cells []string) error) error {
	if f.parquet != "" {
		return f.eachParquet(row)
	}
	reader, err := f.open()
	if err != nil {
		return fmt.Errorf("read table %s: %w", f.name, err)
	}
	defer reader.Close()
	rows := csvRows(reader)
	if !f.named {
		if _, err := rows.Read(); err != nil {
			return fmt.Errorf("read table %s: header: %w", f.name, noEOF(err))
		}
	}
	for n := 1; ; n++ {
		cells, err := rows.Read()
		if err == io.EOF {
			f.fact.Rows = n - 1
			return nil
		}
		if errors.Is(err, csv.ErrFieldCount) {
			return fmt.Errorf("read table %s row %d: %d values under %d columns", f.name, n, len(cells), len(f.header))
		}
		if err != nil {
			return fmt.Errorf("read table %s row %d: %w", f.name, n, err)
		}
		if len(cells) != len(f.header) {
			return fmt.Errorf("read table %s row %d: %d values under %d columns", f.name, n, len(cells), len(f.header))
		}
		if err := row(f, n, cells); err != nil {
			return err
		}
	}
}

// places returns where the columns stand in the file.
func (f *tableFile) places(columns []tableColumn) []int {
	at := make([]int, len(columns))
	for i := range columns {
		at[i] = slices.Index(f.header, columns[i].name)
	}
	return at
}

func (f *tableFile) parquetHeader() error {
	return f.withParquet(func(file *parquet.File) error {
		for _, path := range file.Schema().Columns() {
			f.header = append(f.header, strings.Join(path, "."))
		}
		for _, field := range file.Schema().Fields() {
			if field.Repeated() || !field.Leaf() {
				return fmt.Errorf("column %q is not flat", field.Name())
			}
			f.units = append(f.units, timestampUnit(field.Type().LogicalType()))
		}
		return f.checkHeader()
	})
}

func (f *tableFile) withParquet(read func(*parquet.File) error) error {
	file, err := os.Open(f.parquet)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	table, err := parquet.OpenFile(file, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return err
	}
	return read(table)
}

func (f *tableFile) eachParquet(row func(f *tableFile, number int, cells []string) error) error {
	number := 0
	err := f.withParquet(func(file *parquet.File) error {
		buffer := make([]parquet.Row, 256)
		cells := make([]string, len(f.header))
		for _, group := range file.RowGroups() {
			rows := group.Rows()
			for {
				n, err := rows.ReadRows(buffer)
				for _, values := range buffer[:n] {
					number++
					if err := f.parquetCells(values, cells); err != nil {
						return errors.Join(fmt.Errorf("read table %s row %d: %w", f.name, number, err), rows.Close())
					}
					if err := row(f, number, cells); err != nil {
						return errors.Join(err, rows.Close())
					}
				}
				if err == io.EOF {
					break
				}
				if err != nil {
					return errors.Join(fmt.Errorf("read table %s row %d: %w", f.name, number+1, err), rows.Close())
				}
			}
			if err := rows.Close(); err != nil {
				return fmt.Errorf("read table %s: %w", f.name, err)
			}
		}
		return nil
	})
	f.fact.Rows = number
	return err
}

// parquetCells writes a row's values as text, as a CSV would have them.
func (f *tableFile) parquetCells(values parquet.Row, cells []string) error {
	clear(cells)
	for _, v := range values {
		at := v.Column()
		if at < 0 || at >= len(cells) {
			return fmt.Errorf("column %d of %d", at+1, len(cells))
		}
		switch {
		case v.IsNull():
		case v.Kind() == parquet.Int64 && f.units[at] > 0:
			perSecond := int64(time.Second / f.units[at])
			whole := v.Int64() / perSecond
			cells[at] = time.Unix(whole, (v.Int64()-whole*perSecond)*int64(f.units[at])).UTC().Format(time.RFC3339Nano)
		case v.Kind() == parquet.Float:
			cells[at] = strconv.FormatFloat(float64(v.Float()), 'g', -1, 32)
		case v.Kind() == parquet.Double:
			cells[at] = strconv.FormatFloat(v.Double(), 'g', -1, 64)
		default:
			cells[at] = v.String()
		}
	}
	return nil
}

// timestampUnit is what a column's timestamps count, 0 where it holds none.
func timestampUnit(t *format.LogicalType) time.Duration {
	if t == nil {
		return 0
	}
	stamp, ok := t.Value.(*format.TimestampType)
	if !ok || stamp.Unit.Value == nil {
		return 0
	}
	return stamp.Unit.Value.Duration()
}
