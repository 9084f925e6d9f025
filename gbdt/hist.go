package gbdt

import (
	"math/bits"
	"sync"
	"unsafe"
)

// entry is a row with its rounded gradient: row in bits 0 to 31, hessian in 32 to
// 47, signed gradient in 48 to 63.
type entry uint64

func newEntry(row int, g, h int32) entry {
	return entry(uint32(row)) | entry(uint16(h))<<32 | entry(uint16(g))<<48
}

func (e entry) row() uint32 { return uint32(e) }

// packed returns g<<32 + h: sums of up to tileRows of them keep the two apart.
func (e entry) packed() int64 { return int64(e)>>48<<32 | int64(uint16(e>>32)) }

// tile sums packed gradients by column and bin. It fits the first-level cache.
type tile [16][256]int64

// sparseTile is a tile for as many columns as a sparse block may have, and noCell.
type sparseTile [1 << 16]int64

// tileRows is how many entries a tile holds before hessians of 16 bits overflow 32.
const tileRows = 1 << 16

// cell is the sums of one bin, in units of the round's scale.
type cell struct{ g, h int64 }

func (c cell) plus(d cell) cell { return cell{c.g + d.g, c.h + d.h} }
func (c cell) less(d cell) cell { return cell{c.g - d.g, c.h - d.h} }

// histogram has the 256 cells of each column. Of columns in sparse blocks it knows
// which of them to look at: most nodes fill few.
type histogram struct {
	mu     sync.Mutex
	cells  []cell
	filled []binSet // by column; of sparse blocks: the bins that may not be empty
}

// binSet is a set of bins.
type binSet [4]uint64

func (s *binSet) add(bin uint8) { s[bin>>6] |= 1 << (bin & 63) }

// list writes the bins of the set below n to room, ascending, and returns them.
func (s *binSet) list(n int, room *[256]uint8) []uint8 {
	k := 0
	for w, word := range s {
		for ; word != 0; word &= word - 1 {
			room[k&255] = uint8(w<<6 + bits.TrailingZeros64(word))
			k++
		}
	}
	for k > 0 && int(room[k-1]) >= n {
		k--
	}
	return room[:k]
}

// addWide adds entries to the tile by the bins of their rows.
func (t *tile) addWide(entries []entry, rows [][16]uint8) {
	for _, e := range entries {
		v, row := e.packed(), &rows[e.row()]
		t[0][row[0]] += v
		t[1][row[1]] += v
		t[2][row[2]] += v
		t[3][row[3]] += v
		t[4][row[4]] += v
		t[5][row[5]] += v
		t[6][row[6]] += v
		t[7][row[7]] += v
		t[8][row[8]] += v
		t[9][row[9]] += v
		t[10][row[10]] += v
		t[11][row[11]] += v
		t[12][row[12]] += v
		t[13][row[13]] += v
		t[14][row[14]] += v
		t[15][row[15]] += v
	}
}

// addNarrow is addWide for eight columns.
func (t *tile) addNarrow(entries []entry, rows [][8]uint8) {
	for _, e := range entries {
		v, row := e.packed(), &rows[e.row()]
		t[0][row[0]] += v
		t[1][row[1]] += v
		t[2][row[2]] += v
		t[3][row[3]] += v
		t[4][row[4]] += v
		t[5][row[5]] += v
		t[6][row[6]] += v
		t[7][row[7]] += v
	}
}

// add adds entries by the cells that a sparse block has for their rows.
func (t *sparseTile) add(entries []entry, bl *block) {
	for _, e := range entries {
		v := e.packed()
		for _, q := range bl.list(e.row()) {
			t[q[0]] += v
			t[q[1]] += v
			t[q[2]] += v
			t[q[3]] += v
		}
	}
}

// ahead is how many entries before its turn a row is fetched.
const ahead = 16

// sparse tells if the rows of entries lie so far apart that fetching them ahead pays.
func sparse(entries []entry) bool {
	n := len(entries)
	return n > 4*ahead && float64(entries[n-1].row()-entries[0].row()) > 1.3*float64(n)
}

// add adds entries to the tile by the bins that a block has for their rows.
func (t *tile) add(entries []entry, bl *block) {
	fetch := sparse(entries)
	if bl.wide != nil {
		for ; fetch && len(entries) >= ahead+8; entries = entries[8:] {
			prefetch(unsafe.Pointer(unsafe.SliceData(bl.wide)), 4, (*[8]entry)(entries[ahead:]))
			t.addWide(entries[:8], bl.wide)
		}
		t.addWide(entries, bl.wide)
		return
	}
	for ; fetch && len(entries) >= ahead+8; entries = entries[8:] {
		prefetch(unsafe.Pointer(unsafe.SliceData(bl.narrow)), 3, (*[8]entry)(entries[ahead:]))
		t.addNarrow(entries[:8], bl.narrow)
	}
	t.addNarrow(entries, bl.narrow)
}

// drain moves the tile's sums of a block into its cells and clears it.
func (t *tile) drain(b *binned, bl *block, h *histogram) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, f := range bl.columns {
		to := h.column(bl, k)
		drain(t[k][:b.bins(f)], to)
		if b.missing[f] {
			drain(t[k][missingBin:], to[missingBin:])
		}
	}
	for k := len(bl.columns); k < 16; k++ {
		t[k][0] = 0 // the padding's bin
	}
}

// drain is tile's. The cells of missing values are left alone.
func (t *sparseTile) drain(b *binned, bl *block, h *histogram) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, f := range bl.columns {
		from, filled := t[k*256:][:b.bins(f)], &h.filled[bl.first+k]
		for i, packed := range from {
			filled[i>>6&3] |= uint64(bit(packed != 0)) << (i & 63)
		}
		drain(from, h.column(bl, k))
	}
	clear(t[noCell:])
}

// addFew adds entries to h by the cells that a sparse block has for their rows,
// without a tile: where there are few, draining one would be most of the work.
func (h *histogram) addFew(bl *block, entries []entry) {
	cells, filled := h.cells[bl.first*256:], h.filled[bl.first:]
	for _, e := range entries {
		v := e.packed()
		for _, q := range bl.list(e.row()) {
			for _, i := range q {
				if i >= noCell {
					break
				}
				cells[i].add(v)
				filled[i>>8].add(uint8(i))
			}
		}
	}
}

// drain moves sums into cells.
func drain(from []int64, to []cell) {
	to = to[:len(from)]
	for i, packed := range from {
		to[i].add(packed)
		from[i] = 0
	}
}

// column returns the cells of the block's k-th column.
func (h *histogram) column(bl *block, k int) []cell { return h.cells[(bl.first+k)*256:][:256] }

// filledOf returns which bins of the block's k-th column to look at; nil is all.
func (h *histogram) filledOf(bl *block, k int) *binSet {
	if bl.start == nil {
		return nil
	}
	return &h.filled[bl.first+k]
}

// clear empties the cells of a block.
func (h *histogram) clear(bl *block) {
	if bl.start == nil {
		clear(h.cells[bl.first*256 : (bl.first+len(bl.columns))*256])
		return
	}
	var room [256]uint8
	for k := range bl.columns {
		cells, filled := h.column(bl, k), h.filledOf(bl, k)
		for _, i := range filled.list(missingBin, &room) {
			cells[i] = cell{}
		}
		cells[missingBin] = cell{}
		*filled = binSet{}
	}
}

// addMissing gives the missing values of a sparse block what the others leave of
// the total.
func (h *histogram) addMissing(b *binned, bl *block, total cell) {
	for k, f := range bl.columns {
		var room [256]uint8
		left, cells := total, h.column(bl, k)
		for _, i := range h.filled[bl.first+k].list(b.bins(f), &room) {
			left = left.less(cells[i])
		}
		cells[missingBin] = left
	}
}

func (c *cell) add(packed int64) {
	c.g += packed >> 32
	c.h += packed & (1<<32 - 1)
}

// wideGradient is a gradient in 32 bits each, for full precision.
type wideGradient struct{ g, h int32 }

// addExact adds the gradients of the entries' rows to h, block by block.
func (h *histogram) addExact(bl *block, entries []entry, gradients []wideGradient) {
	cells := h.cells[bl.first*256:]
	for _, e := range entries {
		v := gradients[e.row()]
		if bl.start != nil {
			for _, q := range bl.list(e.row()) {
				for _, i := range q {
					if i < noCell {
						cells[i].g += int64(v.g)
						cells[i].h += int64(v.h)
						h.filled[bl.first+int(i>>8)].add(uint8(i))
					}
				}
			}
			continue
		}
		for k, bin := range bl.row(int(e.row())) {
			c := &cells[k*256+int(bin)]
			c.g += int64(v.g)
			c.h += int64(v.h)
		}
	}
}
