package train

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// maxSparseColumns bounds the columns of a libsvm file, which are what its largest
// number says.
const maxSparseColumns = 1 << 16

// ReadLibSVM adds the rows of a libsvm file to a channel that has no others than such:
// a line is label[:weight] column:value ..., columns counted from 0, and # begins a
// remark. What a row does not name is missing. Errors name the line.
func (c *Channel) ReadLibSVM(r io.Reader) error {
	if c.start == nil {
		c.start = []int{0}
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 1<<16), maxLine)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := bytes.Cut(lines.Bytes(), []byte{'#'})
		fields := bytes.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if err := c.sparseRow(fields); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

// sparseValue is a value of a row with its column.
type sparseValue struct {
	column int32
	value  float32
}

func (c *Channel) sparseRow(fields [][]byte) error {
	label, weight, weighted := bytes.Cut(fields[0], []byte{':'})
	y, err := channelValue(label)
	w := float32(1)
	if weighted && err == nil {
		w, err = channelValue(weight)
	}
	if err != nil || !(y >= 0 && w >= 0) {
		return fmt.Errorf("%.40q is no label or label:weight", fields[0])
	}
	row := make([]sparseValue, len(fields)-1)
	for i, field := range fields[1:] {
		column, value, _ := bytes.Cut(field, []byte{':'})
		n, err := strconv.ParseUint(string(column), 10, 31)
		if err != nil || n >= maxSparseColumns {
			return fmt.Errorf("%.40q: want column:value, with a column below %d", field, maxSparseColumns)
		}
		x, err := channelValue(value)
		if err != nil {
			return fmt.Errorf("column %d: %w", n, err)
		}
		row[i] = sparseValue{int32(n), x}
	}
	slices.SortStableFunc(row, func(a, b sparseValue) int { return cmp.Compare(a.column, b.column) })
	for i, v := range row {
		if i > 0 && v.column == row[i-1].column {
			return fmt.Errorf("column %d stands there twice", v.column)
		}
		c.index, c.values = append(c.index, v.column), append(c.values, v.value)
		c.cols = max(c.cols, int(v.column)+1)
	}
	c.labels, c.weights, c.start = append(c.labels, y), append(c.weights, w), append(c.start, len(c.values))
	return nil
}

// ReadParquet adds the rows of a Parquet file of numbers, whose first column is the
// label; null is missing. Errors name the file and the row.
func (c *Channel) ReadParquet(path string) error {
	f := &tableFile{name: path, parquet: path}
	if err := f.parquetHeader(); err != nil {
		return fmt.Errorf("read channel %s: %w", path, err)
	}
	return f.each(func(_ *tableFile, number int, cells []string) error {
		line := make([]byte, 0, 16*len(cells))
		for i, cell := range cells {
			if i > 0 {
				line = append(line, ',')
			}
			line = append(line, cell...)
		}
		if err := c.row(line, false); err != nil {
			return fmt.Errorf("read channel %s row %d: %w", path, number, err)
		}
		return nil
	})
}
