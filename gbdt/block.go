package gbdt

import "slices"

// block is the bins of some columns, row by row, as histograms read them: 16
// columns, or 8 or fewer, in an array for each row; or up to 255 columns that are
// mostly missing, as lists of what is there.
type block struct {
	columns []int
	first   int // where the block's cells start in a histogram, in columns
	wide    [][16]uint8
	narrow  [][8]uint8
	start   []uint32 // sparse: row i has lists[start[i]:start[i+1]]
	lists   []quartet
}

// quartet is four cells of a sparse block: a column's place in it and a bin, as
// 256*place + bin. Each row has one, its last filled up with cells of no column: so
// nearly all rows have just one, and the processor can guess how many.
type quartet [4]uint16

// noCell is the first of four cells of no column.
const noCell = sparseWidth << 8

// Columns count as sparse if at most one value in sparseShare is there. Fewer than
// sparseLeast of them are not worth the cost of a list for each row.
const (
	sparseShare = 5
	sparseLeast = 16
	sparseWidth = 255
)

// newBlocks shares the columns among blocks, which have no values yet.
func newBlocks(rows int, columns []column) []block {
	var dense, sparse []int
	for f := range columns {
		if columns[f].present <= rows/sparseShare {
			sparse = append(sparse, f)
		} else {
			dense = append(dense, f)
		}
	}
	if len(sparse) < sparseLeast {
		dense, sparse = upTo(len(columns)), nil
	}
	var blocks []block
	first := 0
	add := func(b block) {
		b.first = first
		first += len(b.columns)
		blocks = append(blocks, b)
	}
	for ; len(dense) > 8; dense = dense[min(16, len(dense)):] {
		add(block{columns: dense[:min(16, len(dense))], wide: make([][16]uint8, rows)})
	}
	if len(dense) > 0 {
		add(block{columns: dense, narrow: make([][8]uint8, rows)})
	}
	for ; len(sparse) > 0; sparse = sparse[min(sparseWidth, len(sparse)):] {
		add(block{columns: sparse[:min(sparseWidth, len(sparse))], start: make([]uint32, rows+1)})
	}
	return blocks
}

// upTo returns 0 to n-1.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// row returns where the bins of row i of a block that is not sparse stand.
func (b *block) row(i int) []uint8 {
	if b.wide != nil {
		return b.wide[i][:len(b.columns)]
	}
	return b.narrow[i][:len(b.columns)]
}

// list returns the cells of row i of a sparse block.
func (b *block) list(i uint32) []quartet { return b.lists[b.start[i]:b.start[i+1]] }

// filler writes rows of bins in turn. The lists of sparse blocks gather in it.
type filler struct {
	b      *binned
	search search
	lists  [][]quartet // by block
}

// fillRows writes the bins of all rows of m, which are the rows from first on of
// the data. It is called for the rows in their order, and finish after the last.
func (b *binned) fillRows(m *Matrix, first int, search search, threads int) {
	const span = 256
	fillers := make([]filler, (m.rows+span-1)/span)
	parallel(len(fillers), threads, func(_, k int) {
		fillers[k] = filler{b, search, make([][]quartet, len(b.blocks))}
		buf := make([]float32, m.cols)
		for i := k * span; i < min(m.rows, (k+1)*span); i++ {
			fillers[k].fill(first+i, m.Row(i, buf))
		}
	})
	for k := range b.blocks {
		bl, more := &b.blocks[k], 0
		for i := range fillers {
			more += len(fillers[i].lists[k])
		}
		bl.lists = slices.Grow(bl.lists, more)
		for i := range fillers {
			bl.lists = append(bl.lists, fillers[i].lists[k]...)
		}
	}
}

// finish makes starts of lists of their lengths, when all rows have been filled.
func (b *binned) finish() {
	for k := range b.blocks {
		if bl := &b.blocks[k]; bl.start != nil {
			for i := range b.rows {
				bl.start[i+1] += bl.start[i]
			}
			bl.lists = slices.Clip(bl.lists)
		}
	}
}

// fill writes the bins of row i and, for sparse blocks, how long its list is.
func (l *filler) fill(i int, row []float32) {
	for k := range l.b.blocks {
		bl := &l.b.blocks[k]
		if bl.start != nil {
			l.fillSparse(k, i, row)
			continue
		}
		to := bl.row(i)
		for j, f := range bl.columns {
			x, n := row[f], uint8(missingBin)
			if x == x {
				n = bin(&l.search[f], x)
			}
			to[j], l.b.columns[f][i] = n, n
		}
	}
}

func (l *filler) fillSparse(k, i int, row []float32) {
	bl := &l.b.blocks[k]
	empty := quartet{noCell, noCell + 1, noCell + 2, noCell + 3}
	list, n := append(l.lists[k], empty), 0
	for j, f := range bl.columns {
		x, to := row[f], uint8(missingBin)
		if x == x {
			if to = bin(&l.search[f], x); n == 4 {
				list, n = append(list, empty), 0
			}
			list[len(list)-1][n] = uint16(j)<<8 | uint16(to)
			n++
		}
		l.b.columns[f][i] = to
	}
	bl.start[i+1] = uint32(len(list) - len(l.lists[k]))
	l.lists[k] = list
}
