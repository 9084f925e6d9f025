package extract

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"picket"
)

// stream gives rows in order. A row is valid until the next call; nil is the end.
type stream interface {
	next() (*flow, error)
}

// order is a way to sort rows.
type order struct {
	compare func(a, b *flow) int
	head    func(f *flow) ref
}

// byKey is the order of a part.
var byKey = order{
	compare: func(a, b *flow) int { return a.key.compare(&b.key) },
	head: func(f *flow) ref {
		hour := uint64(int64(f.hour) - minHour)
		return ref{
			first:  (hour<<sourceBits|uint64(f.source))<<33 | f.ends[0].word(),
			second: f.ends[1].wordWith(f.ports[0], f.ports[1]),
			third:  uint32(f.proto)<<24 | uint32(f.minute),
		}
	},
}

// sourceBits hold the number of a source; hours take 22 bits, addresses 33.
const sourceBits = 4

// minHour is before every hour of a record.
const minHour = -maxNanos/(picket.Hour*1_000_000_000) - 1

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
	order  order
	max    int
	dir    string
	rows   slab
	refs   []ref // of the rows, once sorted
	sorted bool
	runs   []*os.File
}

// ref stands for a row while it is sorted. Its words order rows by the first
// address, then by the second one with the ports, then by protocol and minute,
// as far as they go: where the addresses are IPv4 that is nearly always all, and
// the rows themselves are seldom touched.
type ref struct {
	first, second uint64
	third         uint32
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
	s.sorted = false
	return nil
}

// each streams all rows in order, equal ones as they are. It may be called
// again, but nothing may be added meanwhile.
func (s *sorter) each() (stream, error) {
	s.sortRows()
	memory := &memoryStream{s: s}
	if len(s.runs) == 0 {
		return memory, nil
	}
	return s.eachWith(memory)
}

// eachWith streams the rows of the runs and of another stream in order.
func (s *sorter) eachWith(other stream) (stream, error) {
	streams := []stream{other}
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
	s.runs, s.rows.n, s.sorted = nil, 0, false
}

func (s *sorter) sortRows() {
	if s.sorted {
		return
	}
	s.refs = slices.Grow(s.refs[:0], s.rows.n)[:s.rows.n]
	for i := range s.refs {
		s.refs[i] = s.order.head(s.rows.at(i))
		s.refs[i].row = uint32(i)
	}
	sortRefs(s.refs, func(a, b ref) int {
		if c := a.compare(&b); c != 0 {
			return c
		}
		return s.order.compare(s.rows.at(int(a.row)), s.rows.at(int(b.row)))
	})
	s.sorted = true
}

// fewRefs are sorted by comparing alone.
const fewRefs = 256

// sortRefs sorts by compare, of which the first word must be the first part: by the
// bytes of that word in which refs differ, then what is equal there by comparing.
func sortRefs(refs []ref, compare func(a, b ref) int) {
	if len(refs) < fewRefs {
		slices.SortFunc(refs, compare)
		return
	}
	var differ uint64
	for i := range refs {
		differ |= refs[i].first ^ refs[0].first
	}
	from, to := refs, make([]ref, len(refs))
	for shift := 0; shift < 64; shift += 8 {
		if differ>>shift&0xff == 0 {
			continue
		}
		var starts [256]uint32
		for i := range from {
			starts[from[i].first>>shift&0xff]++
		}
		var sum uint32
		for i, n := range starts {
			starts[i], sum = sum, sum+n
		}
		for i := range from {
			at := &starts[from[i].first>>shift&0xff]
			to[*at] = from[i]
			*at++
		}
		from, to = to, from
	}
	if &from[0] != &refs[0] {
		copy(refs, from)
	}
	for i := 0; i < len(refs); {
		j := i + 1
		for j < len(refs) && refs[j].first == refs[i].first {
			j++
		}
		if j-i > 1 {
			slices.SortFunc(refs[i:j], compare)
		}
		i = j
	}
}

// compare orders by the words, and returns 0 where the rows must be asked: an
// address that is the last word is not told, and so nothing that comes after it.
func (a *ref) compare(b *ref) int {
	switch {
	case a.first != b.first:
		return cmp.Compare(a.first, b.first)
	case a.first&lastWord != 0:
		return 0
	case a.second != b.second:
		return cmp.Compare(a.second, b.second)
	case a.second == math.MaxUint64:
		return 0
	}
	return cmp.Compare(a.third, b.third)
}

// spill writes the rows to a run and forgets them.
func (s *sorter) spill() error {
	s.sortRows()
	err := s.addRun(&memoryStream{s: s})
	s.rows.n, s.sorted = 0, false
	return err
}

// addRun writes a sorted stream to a run.
func (s *sorter) addRun(in stream) error {
	if len(s.runs) == fanIn {
		if err := s.join(); err != nil {
			return err
		}
	}
	run, err := writeRun(s.dir, in)
	if err == nil {
		s.runs = append(s.runs, run)
	}
	return err
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
