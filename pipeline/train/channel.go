package train

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"picket"
	"picket/gbdt"
)

// WriteChannel writes rows as the CSV that SageMaker's built-in XGBoost trains on:
// no header, the class's number first, the weight second (csv_weights=1), then the
// values; a missing one is empty. Unlike WriteCSV's, the weights are those that the
// trees are grown with.
func WriteChannel(w io.Writer, data gbdt.TrainData) error {
	out := bufio.NewWriter(w)
	row := make([]float32, data.X.Cols())
	var line []byte
	for i, label := range data.Labels {
		line = strconv.AppendFloat(line[:0], float64(label), 'g', -1, 32)
		line = strconv.AppendFloat(append(line, ','), float64(data.Weights[i]), 'g', -1, 32)
		for _, v := range data.X.Row(i, row) {
			if line = append(line, ','); v == v {
				line = strconv.AppendFloat(line, float64(v), 'g', -1, 32)
			}
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return out.Flush()
}

// Channel is rows of a training channel as they are read, of any number of files.
type Channel struct {
	values          []float32
	labels, weights []float32
	cols            int
	start           []int // of libsvm: row i is values start[i] to start[i+1], in the columns of index
	index           []int32
}

// Cols returns how many columns the rows have; of libsvm, how many are named.
func (c *Channel) Cols() int { return c.cols }

// Read adds the rows of a CSV file in the form of WriteChannel; without weights each
// row weighs 1. Errors name the line.
func (c *Channel) Read(r io.Reader, weights bool) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 1<<16), maxLine)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := c.row(lines.Bytes(), weights); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

func (c *Channel) row(line []byte, weights bool) error {
	cols, before := 0, len(c.values)
	head := 1
	if weights {
		head = 2
	}
	for more := true; more; cols++ {
		var cell []byte
		cell, line, more = bytes.Cut(line, []byte{','})
		v, err := channelValue(cell)
		if err != nil {
			return fmt.Errorf("column %d: %w", cols+1, err)
		}
		switch {
		case cols >= head:
			c.values = append(c.values, v)
		case v != v || v < 0:
			return fmt.Errorf("column %d: %.40q is no label or weight", cols+1, cell)
		case cols == 0:
			c.labels = append(c.labels, v)
		default:
			c.weights = append(c.weights, v)
		}
	}
	if !weights {
		c.weights = append(c.weights, 1)
	}
	width := len(c.values) - before
	if c.cols == 0 {
		c.cols = width
	}
	if width != c.cols || width == 0 {
		return fmt.Errorf("%d features, the first row has %d", width, c.cols)
	}
	return nil
}

func channelValue(cell []byte) (float32, error) {
	cell = bytes.TrimSpace(cell)
	if len(cell) == 0 {
		return float32(math.NaN()), nil
	}
	v, err := strconv.ParseFloat(string(cell), 32)
	if err != nil || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%.40q is no number", cell)
	}
	return float32(v), nil
}

// Data returns the rows as gbdt takes them. Rows of libsvm have cols columns, of which
// the last may be in another channel only.
func (c *Channel) Data(cols int) gbdt.TrainData {
	data := gbdt.TrainData{Labels: c.labels, Weights: c.weights}
	switch {
	case c.start != nil:
		data.X = gbdt.NewCSR(c.start, c.index, c.values, cols)
	case c.cols > 0:
		data.X = gbdt.NewDense(c.values, len(c.labels), c.cols)
	}
	return data
}

// ReadParquet adds the rows of a split that WriteParquet wrote to d, whose booster
// and schema say what they must be.
func ReadParquet(r io.ReaderAt, size int64, d *picket.Dataset, split string) (err error) {
	defer func() {
		if e := recover(); e != nil { // the library panics on some corrupt files
			err = fmt.Errorf("read %s split of %s: corrupt: %v", split, d.Booster, e)
		}
	}()
	file, err := parquet.OpenFile(r, size)
	if err != nil {
		return fmt.Errorf("read %s split of %s: %w", split, d.Booster, err)
	}
	hash, _ := file.Lookup(parquetSchemaKey)
	columns := len(identity) + len(labelColumnsOf) + len(d.Schema.Names)
	if got := len(file.Schema().Fields()); hash != d.Schema.Hash || got != columns {
		return fmt.Errorf("read %s split of %s: schema %.40q of %d columns, want %q of %d", split, d.Booster, hash, got, d.Schema.Hash, columns)
	}
	rows := parquet.NewReader(file)
	defer rows.Close()
	batch := make([]parquet.Row, 256)
	for {
		n, err := rows.ReadRows(batch)
		for _, row := range batch[:n] {
			d.Examples = append(d.Examples, exampleOf(row, split))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s split of %s: %w", split, d.Booster, err)
		}
	}
}

// exampleOf is the inverse of datasetRow.
func exampleOf(row parquet.Row, split string) picket.Example {
	e := picket.Example{Split: split}
	e.Entity = picket.Entity{Kind: picket.Kind(row[0].String()), ID: row[1].String()}
	e.Start, e.Seconds, e.Source = row[2].Int64()/1000, row[3].Int64(), row[4].String()
	e.Class, e.Group, e.Weight = row[5].String(), row[6].String(), row[7].Double()
	values := row[len(identity)+len(labelColumnsOf):]
	e.Values = make([]float64, len(values))
	for i, v := range values {
		e.Values[i] = math.NaN()
		if !v.IsNull() {
			e.Values[i] = v.Double()
		}
	}
	return e
}
