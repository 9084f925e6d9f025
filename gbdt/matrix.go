package gbdt

import (
	"fmt"
	"iter"
	"math"
	"runtime"
	"slices"
)

// Matrix is rows of float32 values, NaN where a value is missing. It holds the
// slices it was made of and never changes them.
type Matrix struct {
	rows, cols  int
	dense       []float32 // row-major, or nil
	start       []int     // CSR: row i is entries start[i] to start[i+1]
	index       []int32
	value       []float32
	bins        *binned // quantised: no floats are kept
	categorical []bool  // per column; nil if none is
}

// NewDense returns a matrix of rows × cols values in row-major order.
func NewDense(data []float32, rows, cols int) *Matrix {
	return &Matrix{rows: rows, cols: cols, dense: data}
}

// NewCSR returns a sparse matrix: row i has values[start[i]:start[i+1]] in the
// columns index[start[i]:start[i+1]], which ascend. What is not there is missing,
// as in XGBoost: it is not zero.
func NewCSR(start []int, index []int32, values []float32, cols int) *Matrix {
	return &Matrix{rows: len(start) - 1, cols: cols, start: start, index: index, value: values}
}

// NewQuantised returns a matrix of bins, two bytes a value, for data that do not
// fit in memory as floats. It goes through rows twice, which must give the same
// count rows of cols values, NaN where missing; it keeps none of them, and looks at
// them from as many goroutines as there are cores. Categorical lists the columns that
// are; maxBin is [Params.MaxBin]. The matrix serves for training; predictions on it
// are exact for models trained on it.
func NewQuantised(rows iter.Seq2[[]float32, error], count, cols, maxBin int, categorical ...int) (*Matrix, error) {
	m := (&Matrix{rows: count, cols: cols, bins: &binned{}}).Categorical(categorical...)
	if err := m.check(); err != nil {
		return nil, err
	}
	if maxBin < 2 || maxBin > 256 {
		return nil, fmt.Errorf("max_bin is %d: want 2 to 256", maxBin)
	}
	columns, threads := newColumns(cols, m.categorical, count), runtime.GOMAXPROCS(0)
	err := m.visit(rows, func(first int, batch *Matrix) error {
		return sketchRows(columns, batch, first, count, nil, threads)
	})
	if err != nil {
		return nil, err
	}
	m.bins = newBinned(count, columns, maxBin)
	search := newSearch(m.bins)
	err = m.visit(rows, func(first int, batch *Matrix) error {
		m.bins.fillRows(batch, first, search, threads)
		return nil
	})
	if err != nil {
		return nil, err
	}
	m.bins.finish()
	return m, nil
}

// visit calls f for batches of rows in their order, with the number of the first, and
// checks that there are as many as m has.
func (m *Matrix) visit(rows iter.Seq2[[]float32, error], f func(first int, batch *Matrix) error) error {
	const batchValues = 1 << 18
	batch := make([]float32, 0, m.cols*max(1, batchValues/m.cols))
	n := 0
	flush := func() error {
		k := len(batch) / m.cols
		err := f(n-k, NewDense(batch, k, m.cols))
		batch = batch[:0]
		return err
	}
	for row, err := range rows {
		switch {
		case err != nil:
			return fmt.Errorf("row %d: %w", n, err)
		case len(row) != m.cols:
			return fmt.Errorf("row %d has %d values: want %d", n, len(row), m.cols)
		case n == m.rows:
			return fmt.Errorf("there are more than %d rows", m.rows)
		}
		batch = append(batch, row...)
		if n++; len(batch) == cap(batch) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if n != m.rows {
		return fmt.Errorf("there are %d rows: want %d", n, m.rows)
	}
	return flush()
}

// Categorical marks columns as categories: whole numbers from 0 to 254 that have
// no order. A split sends some of them right, one or many: see
// [Params.MaxCatToOneHot]. It returns m.
func (m *Matrix) Categorical(columns ...int) *Matrix {
	m.categorical = make([]bool, max(m.cols, 0))
	for _, c := range columns {
		if c >= 0 && c < m.cols {
			m.categorical[c] = true
		}
	}
	return m
}

// Rows returns the number of rows.
func (m *Matrix) Rows() int { return m.rows }

// Cols returns the number of columns.
func (m *Matrix) Cols() int { return m.cols }

// Row returns row i, in buf if the matrix is not dense; buf must hold Cols values.
// A quantised matrix gives a value of each bin that falls in the same bin.
func (m *Matrix) Row(i int, buf []float32) []float32 {
	switch {
	case m.bins != nil:
		return m.bins.row(i, buf[:m.cols])
	case m.start != nil:
		buf = buf[:m.cols]
		for f := range buf {
			buf[f] = nan32
		}
		for k := m.start[i]; k < m.start[i+1]; k++ {
			buf[m.index[k]] = m.value[k]
		}
		return buf
	}
	return m.dense[i*m.cols : (i+1)*m.cols : (i+1)*m.cols]
}

// part iterates over the values of row i in columns lo to hi, missing ones or not.
func (m *Matrix) part(i, lo, hi int) iter.Seq2[int, float32] {
	return func(yield func(int, float32) bool) {
		if m.start == nil {
			for f, x := range m.dense[i*m.cols+lo : i*m.cols+hi] {
				if !yield(lo+f, x) {
					return
				}
			}
			return
		}
		row := m.index[m.start[i]:m.start[i+1]]
		k, _ := slices.BinarySearch(row, int32(lo))
		for ; k < len(row) && int(row[k]) < hi; k++ {
			if !yield(int(row[k]), m.value[m.start[i]+k]) {
				return
			}
		}
	}
}

var nan32 = float32(math.NaN())

// check returns an error if the matrix is not what its shape says.
func (m *Matrix) check() error {
	if m.rows < 0 || m.cols < 1 || m.cols > maxColumns {
		return fmt.Errorf("matrix of %d rows and %d columns: want at least 1 column, at most %d", m.rows, m.cols, maxColumns)
	}
	if m.rows > math.MaxInt32 {
		return fmt.Errorf("matrix of %d rows: at most %d are supported", m.rows, math.MaxInt32)
	}
	switch {
	case m.bins != nil:
		return nil
	case m.start != nil:
		return m.checkSparse()
	case len(m.dense) != m.rows*m.cols:
		return fmt.Errorf("matrix of %d rows and %d columns has %d values", m.rows, m.cols, len(m.dense))
	}
	return nil
}

func (m *Matrix) checkSparse() error {
	if len(m.index) != len(m.value) {
		return fmt.Errorf("sparse matrix has %d column numbers and %d values", len(m.index), len(m.value))
	}
	if m.start[0] != 0 || m.start[m.rows] != len(m.value) {
		return fmt.Errorf("sparse matrix: rows span entries %d to %d of %d", m.start[0], m.start[m.rows], len(m.value))
	}
	for i := range m.rows {
		if m.start[i+1] < m.start[i] {
			return fmt.Errorf("sparse matrix: row %d ends before it starts", i)
		}
		last := int32(-1)
		for _, f := range m.index[m.start[i]:m.start[i+1]] {
			if f <= last || int(f) >= m.cols {
				return fmt.Errorf("sparse matrix: row %d has column %d after %d: want ascending numbers below %d", i, f, last, m.cols)
			}
			last = f
		}
	}
	return nil
}
