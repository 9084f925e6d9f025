package gbdt

// block is the bins of some columns, row by row, as histograms read them: 16
// columns, or 8 or fewer, in an array for each row; or up to 256 columns that are
// mostly missing, as lists of what is there.
type block struct {
	columns []int
	first   int // where the block's cells start in a histogram, in columns
	wide    [][16]uint8
	narrow  [][8]uint8
	start   []uint32 // sparse: row i has cells[start[i]:start[i+1]]
	cells   []uint16 // the column's place in the block and the bin: 256*place + bin
}

// Columns count as sparse if at most one value in sparseShare is there. Fewer than
// sparseLeast of them are not worth the cost of a list for each row.
const (
	sparseShare = 5
	sparseLeast = 16
	sparseWidth = 256
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
		b := block{columns: sparse[:min(sparseWidth, len(sparse))], start: make([]uint32, rows+1)}
		present := 0
		for _, f := range b.columns {
			present += columns[f].present
		}
		b.cells = make([]uint16, 0, present)
		add(b)
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
func (b *block) list(i uint32) []uint16 { return b.cells[b.start[i]:b.start[i+1]] }

// filler writes rows of bins in turn. The cells of sparse blocks gather in it until
// they are moved to their places.
type filler struct {
	b      *binned
	search search
	cells  [][]uint16 // by block
}

func newFiller(b *binned, s search) *filler {
	return &filler{b, s, make([][]uint16, len(b.blocks))}
}

// fill writes the bins of row i. Until move, start has how many cells a row has.
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
	before := len(l.cells[k])
	for j, f := range bl.columns {
		x, n := row[f], uint8(missingBin)
		if x == x {
			n = bin(&l.search[f], x)
			l.cells[k] = append(l.cells[k], uint16(j)<<8|uint16(n))
		}
		l.b.columns[f][i] = n
	}
	bl.start[i+1] = uint32(len(l.cells[k]) - before)
}

// move puts the cells that the fillers of all rows hold in their places.
func (b *binned) move(fillers []*filler) {
	for k := range b.blocks {
		bl := &b.blocks[k]
		if bl.start == nil {
			continue
		}
		for i := range b.rows {
			bl.start[i+1] += bl.start[i]
		}
		for _, l := range fillers {
			bl.cells = append(bl.cells, l.cells[k]...)
			l.cells[k] = nil
		}
	}
}
