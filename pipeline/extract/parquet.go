package extract

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"picket"
)

// SchemaKey is the name of the schema's hash in the metadata of a Parquet file
// of features.
const SchemaKey = "picket.schema"

// Columns before the features.
const (
	columnKind = iota
	columnEntity
	columnStart
	columnSeconds
	columnFrom
	columnElapsed
	columnSource
	columnFlows
	columnFeatures // the first feature
)

// batchRows are read together.
const batchRows = 256

// maxParquetColumns of a file that is read: more is not one of features.
const maxParquetColumns = 1 << 12

// columns is a group of columns in the order of names: a plain group sorts them.
type columns struct {
	parquet.Group
	names []string
}

func (c columns) Fields() []parquet.Field {
	fields := c.Group.Fields()
	slices.SortFunc(fields, func(a, b parquet.Field) int {
		return slices.Index(c.names, a.Name()) - slices.Index(c.names, b.Name())
	})
	return fields
}

func parquetSchema(names []string) *parquet.Schema {
	text, long := parquet.Encoded(parquet.String(), &parquet.RLEDictionary), parquet.Leaf(parquet.Int64Type)
	c := columns{Group: parquet.Group{}}
	add := func(name string, node parquet.Node) {
		c.names = append(c.names, name)
		c.Group[name] = parquet.Compressed(node, &parquet.Zstd)
	}
	add("entity_kind", text)
	add("entity", text)
	add("window_start", parquet.Timestamp(parquet.Millisecond))
	add("window_seconds", long)
	add("covered_from", parquet.Timestamp(parquet.Millisecond))
	add("elapsed_seconds", long)
	add("source", text)
	add("flows", long)
	for _, name := range names {
		add(name, parquet.Optional(parquet.Leaf(parquet.DoubleType)))
	}
	return parquet.NewSchema("features", c)
}

// WriteParquet writes rows of features as one Parquet file. A missing value is
// null. The same rows give the same bytes.
func WriteParquet(w io.Writer, schema picket.Schema, rows iter.Seq[picket.Features]) error {
	out := parquet.NewWriter(w, parquetSchema(schema.Names), parquet.KeyValueMetadata(SchemaKey, schema.Hash))
	batch := parquetBatch{out: out.ColumnWriters()}
	for f := range rows {
		if len(f.Values) != len(schema.Names) {
			return fmt.Errorf("write features of %s: %d values for %d columns", f.Window, len(f.Values), len(schema.Names))
		}
		if err := batch.add(&f); err != nil {
			return fmt.Errorf("write features: %w", err)
		}
	}
	if err := errors.Join(batch.flush(), out.Close()); err != nil {
		return fmt.Errorf("write features: %w", err)
	}
	return nil
}

// parquetBatch gathers rows and writes them column by column. Its size says where the
// library looks whether a page is full: it is that of Writer.WriteRows, so that the
// bytes are the same.
type parquetBatch struct {
	out    []*parquet.ColumnWriter
	rows   [parquetBatchRows]picket.Features
	n      int
	values [parquetBatchRows]parquet.Value // of a column
}

const parquetBatchRows = 64

func (b *parquetBatch) add(f *picket.Features) error {
	b.rows[b.n] = *f
	if b.n++; b.n < parquetBatchRows {
		return nil
	}
	return b.flush()
}

// flush hands the rows over.
func (b *parquetBatch) flush() error {
	rows := b.rows[:b.n]
	b.n = 0
	if len(rows) == 0 {
		return nil
	}
	for column := range b.out {
		values := b.values[:len(rows)]
		if column < columnFeatures {
			keyValues(values, rows, column)
		} else {
			featureValues(values, rows, column)
		}
		if _, err := b.out[column].WriteRowValues(values); err != nil {
			return err
		}
	}
	return nil
}

// keyValues takes a column before the features out of rows.
func keyValues(values []parquet.Value, rows []picket.Features, column int) {
	text := func(s string) parquet.Value { return parquet.ByteArrayValue([]byte(s)) }
	for i := range rows {
		f := &rows[i]
		var v parquet.Value
		switch column {
		case columnKind:
			v = text(string(f.Entity.Kind))
		case columnEntity:
			v = text(f.Entity.ID)
		case columnStart:
			v = parquet.Int64Value(f.Start * 1000)
		case columnSeconds:
			v = parquet.Int64Value(f.Seconds)
		case columnFrom:
			v = parquet.Int64Value(f.From * 1000)
		case columnElapsed:
			v = parquet.Int64Value(f.Elapsed)
		case columnSource:
			v = text(f.Source)
		case columnFlows:
			v = parquet.Int64Value(int64(f.Flows))
		}
		values[i] = v.Level(0, 0, column)
	}
}

// featureValues takes the column of a feature out of rows.
func featureValues(values []parquet.Value, rows []picket.Features, column int) {
	missing := parquet.NullValue().Level(0, 0, column)
	for i := range rows {
		if v := rows[i].Values[column-columnFeatures]; math.IsNaN(v) {
			values[i] = missing
		} else {
			values[i] = parquet.DoubleValue(v).Level(0, 1, column)
		}
	}
}

// ReadParquet hands the rows of a Parquet file of features to emit, which may
// keep them. A file of another schema than want is refused with the reason.
func ReadParquet(r io.ReaderAt, size int64, want picket.Schema, emit func(*picket.Features) error) (err error) {
	defer func() {
		if e := recover(); e != nil { // the library panics on some corrupt files
			err = fmt.Errorf("read features: %w: %v", errCorrupt, e)
		}
	}()
	file, err := parquet.OpenFile(r, size)
	if err != nil {
		return fmt.Errorf("read features: %w", err)
	}
	if err := matchParquet(file, want); err != nil {
		return fmt.Errorf("read features: %w", err)
	}
	for _, group := range file.RowGroups() {
		if err := readGroup(group, len(want.Names), emit); err != nil {
			return err
		}
	}
	return nil
}

// matchParquet wants the columns of the schema in their order, and its hash.
func matchParquet(file *parquet.File, want picket.Schema) error {
	hash, ok := file.Lookup(SchemaKey)
	var names []string
	for _, path := range file.Schema().Columns() {
		names = append(names, strings.Join(path, "."))
	}
	if !ok || len(names) < columnFeatures || len(names) > maxParquetColumns {
		return fmt.Errorf("not a file of features: no %s, or %d columns", SchemaKey, len(names))
	}
	if err := want.Match(picket.Schema{Names: names[columnFeatures:], Hash: hash}); err != nil {
		return err
	}
	for i, path := range parquetSchema(want.Names).Columns() {
		if names[i] != path[0] {
			return fmt.Errorf("column %d is %q, not %q", i+1, names[i], path[0])
		}
	}
	return nil
}

func readGroup(group parquet.RowGroup, features int, emit func(*picket.Features) error) error {
	in := group.Rows()
	defer in.Close()
	batch := make([]parquet.Row, batchRows)
	for {
		n, err := in.ReadRows(batch)
		for _, row := range batch[:n] {
			f, err := featuresOf(row, features)
			if err != nil {
				return err
			}
			if err := emit(&f); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read features: %w", err)
		}
	}
}

func featuresOf(row parquet.Row, features int) (picket.Features, error) {
	if len(row) != columnFeatures+features {
		return picket.Features{}, fmt.Errorf("read features: %w row of %d columns", errCorrupt, len(row))
	}
	f := picket.Features{
		Window: picket.Window{
			Entity:  picket.Entity{Kind: picket.Kind(row[columnKind].String()), ID: row[columnEntity].String()},
			Start:   floorDiv(row[columnStart].Int64(), 1000),
			Seconds: row[columnSeconds].Int64(),
			Source:  row[columnSource].String(),
		},
		From:    floorDiv(row[columnFrom].Int64(), 1000),
		Elapsed: row[columnElapsed].Int64(),
		Flows:   row[columnFlows].Uint64(),
		Values:  make([]float64, features),
	}
	for i, v := range row[columnFeatures:] {
		f.Values[i] = math.NaN()
		if !v.IsNull() {
			f.Values[i] = v.Double()
		}
	}
	return f, nil
}
