package train

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"picket"
)

// WriteCSV writes one split as the CSV that SageMaker's built-in XGBoost trains
// on: no header, the class's number first, then the values as float32, missing
// ones empty. With weights a row's weight stands second (csv_weights=1), that of its
// kind included where kinds of attack are one class. A test row
// of a class that the dataset does not have gets the number after the last: it is
// malicious, and no booster can know it.
func WriteCSV(w io.Writer, d *picket.Dataset, split string, weights bool) error {
	out := bufio.NewWriter(w)
	row := make([]float32, len(d.Schema.Names))
	kind := kindFactors(d, In(d, split))
	var line []byte
	for i := range d.Examples {
		e := &d.Examples[i]
		if e.Split != split {
			continue
		}
		class := numberOf(d.Classes, e.Class)
		if class < 0 && split == picket.SplitTest {
			class = len(d.Classes)
		}
		if class < 0 || len(e.Values) != len(row) {
			return fmt.Errorf("write %s split of %s: row %d is of class %q with %d values; the dataset has %v and %d columns",
				split, d.Booster, i+1, e.Class, len(e.Values), d.Classes, len(row))
		}
		line = strconv.AppendInt(line[:0], int64(class), 10)
		if weights {
			line = strconv.AppendFloat(append(line, ','), e.Weight*kind(e.Class), 'g', -1, 32)
		}
		picket.Narrow(e.Values, row)
		for _, v := range row {
			if line = append(line, ','); !math.IsNaN(float64(v)) {
				line = strconv.AppendFloat(line, float64(v), 'g', -1, 32)
			}
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("write %s split of %s: %w", split, d.Booster, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write %s split of %s: %w", split, d.Booster, err)
	}
	return nil
}

// parquetSchemaKey is the file metadata that holds the hash of the schema.
const parquetSchemaKey = "picket.schema"

// labelColumnsOf a dataset in Parquet stand after those of the window.
var labelColumnsOf = []string{"class", "group", "weight"}

// datasetSchema is the columns of a dataset in Parquet: what `picket features`
// writes before the features, then class, group and weight, then the features.
func datasetSchema(names []string) *parquet.Schema {
	text := parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
	nodes := []parquet.Node{text, text, parquet.Timestamp(parquet.Millisecond), parquet.Leaf(parquet.Int64Type), text, text, text, parquet.Leaf(parquet.DoubleType)}
	c := orderedGroup{Group: parquet.Group{}, names: slices.Concat(identity, labelColumnsOf, names)}
	for i, name := range c.names {
		node := parquet.Optional(parquet.Leaf(parquet.DoubleType))
		if i < len(nodes) {
			node = nodes[i]
		}
		c.Group[name] = parquet.Compressed(node, &parquet.Zstd)
	}
	return parquet.NewSchema("dataset", c)
}

// orderedGroup is a group of columns in the order of names: a plain one sorts them.
type orderedGroup struct {
	parquet.Group
	names []string
}

func (c orderedGroup) Fields() []parquet.Field {
	fields := c.Group.Fields()
	slices.SortFunc(fields, func(a, b parquet.Field) int {
		return slices.Index(c.names, a.Name()) - slices.Index(c.names, b.Name())
	})
	return fields
}

// WriteParquet writes one split as a Parquet file that ReadTable reads, with --label
// class. Rows of a table have no window: theirs is empty. The same rows give the
// same bytes.
func WriteParquet(w io.Writer, d *picket.Dataset, split string) error {
	for _, name := range d.Schema.Names {
		if slices.Contains(identity, name) || slices.Contains(labelColumnsOf, name) {
			return fmt.Errorf("write %s split of %s: a feature is called %q, as a column before the features", split, d.Booster, name)
		}
	}
	out := parquet.NewWriter(w, datasetSchema(d.Schema.Names), parquet.KeyValueMetadata(parquetSchemaKey, d.Schema.Hash))
	batch := make([]parquet.Row, 0, 256)
	flush := func() error {
		_, err := out.WriteRows(batch)
		batch = batch[:0]
		return err
	}
	for i := range d.Examples {
		if d.Examples[i].Split != split {
			continue
		}
		if batch = append(batch, datasetRow(&d.Examples[i])); len(batch) == cap(batch) {
			if err := flush(); err != nil {
				return fmt.Errorf("write %s split of %s: row %d: %w", split, d.Booster, i+1, err)
			}
		}
	}
	if err := errors.Join(flush(), out.Close()); err != nil {
		return fmt.Errorf("write %s split of %s: %w", split, d.Booster, err)
	}
	return nil
}

func datasetRow(e *picket.Example) parquet.Row {
	row := make(parquet.Row, 0, len(identity)+len(labelColumnsOf)+len(e.Values))
	add := func(v parquet.Value, level int) { row = append(row, v.Level(0, level, len(row))) }
	text := func(s string) { add(parquet.ByteArrayValue([]byte(s)), 0) }
	text(string(e.Entity.Kind))
	text(e.Entity.ID)
	add(parquet.Int64Value(e.Start*1000), 0)
	add(parquet.Int64Value(e.Seconds), 0)
	text(e.Source)
	text(e.Class)
	text(e.Group)
	add(parquet.DoubleValue(e.Weight), 0)
	for _, v := range e.Values {
		if math.IsNaN(v) {
			add(parquet.NullValue(), 0)
		} else {
			add(parquet.DoubleValue(v), 1)
		}
	}
	return row
}
