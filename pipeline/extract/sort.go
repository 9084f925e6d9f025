package extract

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
)

// stream gives rows in order. A row is valid until the next call; nil is the end.
type stream interface {
	next() (*flow, error)
}

// order is a way to sort rows.
type order struct {
	compare func(a, b *flow) int
	// head returns the group and the two addresses that rows are ordered by
	// before all else.
	head func(f *flow) (group uint32, first, second addr)
}

// byKey is the order of a part.
var byKey = order{compareKey, func(f *flow) (uint32, addr, addr) {
	return uint32(f.hour)<<2 | uint32(f.source), f.ends[0], f.ends[1]
}}

const (
	// fanIn bounds the runs and the parts that are merged at once: each holds a
	// file open and two blocks in memory.
	fanIn = 64
	// slabRows are allocated together, so that growing copies nothing.
	slabRows = 1 << 8
)

// slab holds rows that do not move.
type slab struct {
	chunks [][]flow
	n      int
}

func (s *slab) at(i int) *flow { return &s.chunks[i/slabRows][i%slabRows] }

// grow adds a row to fill and returns it with its place.
func (s *slab) grow() (*flow, int) {
	if s.n == len(s.chunks)*slabRows {
		s.chunks = append(s.chunks, make([]flow, slabRows))
	}
	i := s.n
	s.n++
	return s.at(i), i
}

// sorter sorts rows in bounded memory. What goes beyond max rows is spilled to
// unnamed files in dir as sorted runs.
type sorter struct {
	order order
	max   int
	dir   string
	rows  slab
	refs  []ref
	runs  []*os.File
}

// ref stands for a row while it is sorted: it holds what decides most
// comparisons, so that the rows themselves are seldom touched.
type ref struct {
	first, second uint64 // prefixes of the two addresses
	group         uint32
	row           uint32
}

func newSorter(order order, max int, dir string) *sorter {
	return &sorter{order: order, max: max, dir: dir}
}

// full reports whether the next row needs a spill first.
func (s *sorter) full() bool { return s.rows.n >= s.max }

// add copies a row.
func (s *sorter) add(f *flow) error {
	if s.full() {
		if err := s.spill(); err != nil {
			return err
		}
	}
	row, _ := s.rows.grow()
	*row = *f
	return nil
}

// each streams all rows in order, equal ones as they are. It may be called
// again, but nothing may be added meanwhile.
func (s *sorter) each() (stream, error) {
	if s.refs == nil {
		s.sortRows()
	}
	memory := &memoryStream{s: s}
	if len(s.runs) == 0 {
		return memory, nil
	}
	streams := []stream{memory}
	for _, run := range s.runs {
		streams = append(streams, readRun(run))
	}
	return newMerge(s.order.compare, streams)
}

// reset empties the sorter.
func (s *sorter) reset() {
	for _, run := range s.runs {
		run.Close()
	}
	s.runs, s.refs, s.rows.n = nil, nil, 0
}

func (s *sorter) sortRows() {
	s.refs = make([]ref, s.rows.n)
	for i := range s.refs {
		group, first, second := s.order.head(s.rows.at(i))
		s.refs[i] = ref{first.prefix(), second.prefix(), group, uint32(i)}
	}
	slices.SortFunc(s.refs, func(a, b ref) int {
		if c := a.compare(&b); c != 0 {
			return c
		}
		return s.order.compare(s.rows.at(int(a.row)), s.rows.at(int(b.row)))
	})
}

// compare orders by the prefixes as far as they tell the order of the rows, and
// returns 0 where the rows must be asked.
func (a *ref) compare(b *ref) int {
	switch {
	case a.group != b.group:
		return cmp.Compare(a.group, b.group)
	case a.first != b.first:
		return cmp.Compare(a.first, b.first)
	case a.first > longestPrefix: // not the whole address: the second one says nothing yet
		return 0
	}
	return cmp.Compare(a.second, b.second)
}

// longestPrefix is the last prefix that is a whole address: IPv4's.
const longestPrefix = 0xffff_ffff_ffff

// prefix returns 64 bits that order addresses as far as they go. Those of IPv4
// addresses are exact.
func (a addr) prefix() uint64 {
	if a.hi == 0 {
		return min(a.lo, longestPrefix+1)
	}
	return 1<<63 | a.hi>>1
}

// spill writes the rows to a run and forgets them.
func (s *sorter) spill() error {
	if len(s.runs) == fanIn {
		if err := s.join(); err != nil {
			return err
		}
	}
	s.sortRows()
	run, err := writeRun(s.dir, &memoryStream{s: s})
	if err != nil {
		return err
	}
	s.runs = append(s.runs, run)
	s.rows.n, s.refs = 0, nil
	return nil
}

// join makes one run of all.
func (s *sorter) join() error {
	streams := make([]stream, len(s.runs))
	for i, run := range s.runs {
		streams[i] = readRun(run)
	}
	merged, err := newMerge(s.order.compare, streams)
	if err != nil {
		return err
	}
	run, err := writeRun(s.dir, merged)
	if err != nil {
		return err
	}
	for _, old := range s.runs {
		old.Close()
	}
	s.runs = append(s.runs[:0], run)
	return nil
}

type memoryStream struct {
	s *sorter
	i int
}

func (m *memoryStream) next() (*flow, error) {
	if m.i == len(m.s.refs) {
		return nil, nil
	}
	m.i++
	return m.s.rows.at(int(m.s.refs[m.i-1].row)), nil
}

// writeRun writes a stream to a file that has no name any more, so that nothing
// stays behind however the program ends.
func writeRun(dir string, in stream) (*os.File, error) {
	file, err := os.CreateTemp(dir, "picket-run-*")
	if err != nil {
		return nil, fmt.Errorf("spill rows: %w", err)
	}
	os.Remove(file.Name())
	out := bufio.NewWriterSize(file, 32<<10)
	w := newRowWriter(out)
	err = copyRows(in, w.write)
	if err == nil {
		err = w.finish()
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("spill rows: %w", err)
	}
	return file, nil
}

func readRun(file *os.File) stream {
	return newRowReader(io.NewSectionReader(file, 0, 1<<62))
}

// copyRows hands every row of a stream to write.
func copyRows(in stream, write func(*flow) error) error {
	for {
		row, err := in.next()
		if row == nil || err != nil {
			return err
		}
		if err := write(row); err != nil {
			return err
		}
	}
}

// merge streams the rows of several sorted streams in order: a binary heap of
// their first rows.
type merge struct {
	compare func(a, b *flow) int
	heap    []head
	pending bool // the row on top was handed out
}

type head struct {
	row *flow
	in  stream
}

func newMerge(compare func(a, b *flow) int, streams []stream) (*merge, error) {
	m := &merge{compare: compare}
	for _, in := range streams {
		row, err := in.next()
		if err != nil {
			return nil, err
		}
		if row != nil {
			m.heap = append(m.heap, head{row, in})
		}
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	return m, nil
}

func (m *merge) next() (*flow, error) {
	if m.pending {
		if err := m.advance(); err != nil {
			return nil, err
		}
	}
	m.pending = len(m.heap) > 0
	if !m.pending {
		return nil, nil
	}
	return m.heap[0].row, nil
}

// advance replaces the row on top by the next of its stream.
func (m *merge) advance() error {
	top := &m.heap[0]
	row, err := top.in.next()
	if err != nil {
		return err
	}
	top.row = row
	if row == nil {
		last := len(m.heap) - 1
		m.heap[0] = m.heap[last]
		m.heap = m.heap[:last]
	}
	m.down(0)
	return nil
}

func (m *merge) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(m.heap) {
			return
		}
		if child+1 < len(m.heap) && m.compare(m.heap[child+1].row, m.heap[child].row) < 0 {
			child++
		}
		if m.compare(m.heap[i].row, m.heap[child].row) <= 0 {
			return
		}
		m.heap[i], m.heap[child] = m.heap[child], m.heap[i]
		i = child
	}
}

// summed adds up the equal rows of a sorted stream.
type summed struct {
	in    stream
	ahead *flow
	row   flow
	begun bool
}

func (s *summed) next() (*flow, error) {
	var err error
	if !s.begun {
		s.begun = true
		if s.ahead, err = s.in.next(); err != nil {
			return nil, err
		}
	}
	if s.ahead == nil {
		return nil, nil
	}
	s.row = *s.ahead
	for {
		if s.ahead, err = s.in.next(); err != nil {
			return nil, err
		}
		if s.ahead == nil || compareKey(&s.row, s.ahead) != 0 {
			return &s.row, nil
		}
		s.row.merge(s.ahead)
	}
}
