package extract

import (
	"fmt"
	"hash/maphash"
	"io"
	"math/bits"
	"strings"
	"sync/atomic"

	"picket"
)

// Options of a Builder. The zero value is ready to use.
type Options struct {
	TempDir string // for spilled runs; "" is the system's
	MaxRows int    // rows held in memory, about 300 bytes each; 0 is DefaultMaxRows
}

// Builder sums records into flow rows and writes them as window parts. The summing
// goes on in a goroutine, which Finish or Close ends, beside whoever decodes.
type Builder struct {
	batch  []picket.Record      // being filled
	full   chan []picket.Record // to be summed; nil before the first
	free   chan []picket.Record
	out    int                   // batches that are being summed
	failed atomic.Pointer[error] // of summing

	seed  maphash.Seed
	rows  *sorter
	index []uint32 // open addressing: place of a row + 1, or 0
	parts map[PartID]*longInterfaces
	names map[string]name
	last  name
	err   error
}

// name is an interface's name, kept once for all rows, with its hash.
type name struct {
	text string
	hash uint64
}

// maxNames are kept; a log with more is only slower.
const maxNames = 1 << 12

// NewBuilder returns an empty Builder.
func NewBuilder(o Options) *Builder {
	if o.MaxRows <= 0 {
		o.MaxRows = DefaultMaxRows
	}
	seed := maphash.MakeSeed()
	return &Builder{
		seed:  seed,
		last:  name{hash: maphash.String(seed, "")},
		rows:  newSorter(byKey, o.MaxRows, o.TempDir),
		index: make([]uint32, 1<<10),
		parts: map[PartID]*longInterfaces{},
		names: map[string]name{},
	}
}

// Records are summed so many at a time, and so many batches lie in wait at most.
const (
	batchRecords  = 256
	recordBatches = 3
)

// run sums batches.
func (b *Builder) run(full <-chan []picket.Record) {
	for batch := range full {
		b.sum(batch)
		b.free <- batch[:0]
	}
}

func (b *Builder) sum(batch []picket.Record) {
	for i := range batch {
		if b.failed.Load() != nil {
			return
		}
		if err := split(&batch[i], b.add); err != nil {
			b.failed.Store(&err)
		}
	}
}

// Add counts a record into the minutes that it touches. It keeps nothing of the
// record itself. After an error, which may be of a record before, the Builder is of no
// further use.
func (b *Builder) Add(r *picket.Record) error {
	if b.err == nil {
		b.err = fits(r)
	}
	if b.err != nil {
		return b.err
	}
	if b.batch == nil {
		b.batch = make([]picket.Record, 0, batchRecords)
	}
	b.batch = append(b.batch, *r)
	last := &b.batch[len(b.batch)-1]
	last.Lookup, last.Access = nil, nil // the decoder's
	if len(b.batch) == batchRecords {
		b.hand()
	}
	return b.err
}

// hand gives the batch to be summed.
func (b *Builder) hand() {
	if b.full == nil {
		b.full, b.free = make(chan []picket.Record, recordBatches), make(chan []picket.Record, recordBatches)
		go b.run(b.full)
	}
	b.full <- b.batch
	b.batch = nil
	if b.out++; b.out == recordBatches {
		b.take()
	}
}

// take waits for a batch that was summed.
func (b *Builder) take() {
	b.batch = <-b.free
	b.out--
	b.fail()
}

// fail takes over what failed in summing.
func (b *Builder) fail() {
	if failed := b.failed.Load(); failed != nil && b.err == nil {
		b.err = *failed
	}
}

// wait sums what was added so far.
func (b *Builder) wait() error {
	for b.out > 0 {
		last := b.batch
		if b.take(); len(last) > 0 {
			b.batch = last
		}
	}
	b.sum(b.batch)
	b.batch = b.batch[:0]
	b.fail()
	return b.err
}

// addRow counts a row that was summed elsewhere.
func (b *Builder) addRow(f *flow) error {
	if err := b.wait(); err != nil {
		return err
	}
	return b.add(f)
}

// end ends the goroutine.
func (b *Builder) end() error {
	err := b.wait()
	if b.full != nil {
		close(b.full)
	}
	b.full = nil
	return err
}

// Finish writes one part for each hour and source seen, hours in order, and
// returns what they hold. A writer is closed only when its part is whole: after
// an error, the one that part gave last holds nothing of use. Finish can be
// called once.
func (b *Builder) Finish(part func(PartID) (io.WriteCloser, error)) ([]PartInfo, error) {
	if err := b.end(); err != nil {
		return nil, err
	}
	b.err = fmt.Errorf("window parts: already written")
	sorted, err := b.rows.each()
	if err != nil {
		return nil, fmt.Errorf("window parts: %w", err)
	}
	if len(b.rows.runs) > 0 { // in memory no two rows are the same
		sorted = &summed{in: sorted}
	}
	w := partsWriter{open: part, long: b.parts}
	if err := copyRows(sorted, w.write); err != nil {
		return nil, err
	}
	if err := w.close(); err != nil {
		return nil, err
	}
	return w.infos, nil
}

// Close frees the memory and the disk that the Builder holds.
func (b *Builder) Close() error {
	b.end()
	b.rows.reset()
	b.rows.rows, b.index, b.parts = slab{}, nil, nil
	b.err = fmt.Errorf("window parts: builder is closed")
	return nil
}

// add counts a row into the one with the same key.
func (b *Builder) add(f *flow) error {
	b.intern(f)
	b.note(f)
	if b.rows.full() {
		if err := b.rows.spill(); err != nil {
			return err
		}
		clear(b.index)
	}
	if 2*b.rows.rows.n >= len(b.index) {
		b.rehash(2 * len(b.index))
	}
	slot := b.slot(f, b.last.hash)
	if at := b.index[slot]; at != 0 {
		b.rows.rows.at(int(at) - 1).merge(f)
		return nil
	}
	row, at := b.rows.rows.grow()
	*row = *f
	b.index[slot] = uint32(at) + 1
	return nil
}

// note keeps which parts there are, and which interfaces have long records.
func (b *Builder) note(f *flow) {
	id := PartID{int64(f.hour) * picket.Hour, sources[f.source]}
	long := b.parts[id]
	if long == nil {
		long = &longInterfaces{}
		b.parts[id] = long
	}
	if f.source == sourceVPC && f.span > picket.Minute {
		long.add(f.iface)
	}
}

// Places in sources.
const (
	sourceVPC     = 0
	sourceNetFlow = 3
)

// slot returns where the row's key is in the index, or where it belongs.
func (b *Builder) slot(f *flow, iface uint64) int {
	mask := uint64(len(b.index) - 1)
	for i := hash(f, iface) & mask; ; i = (i + 1) & mask {
		at := b.index[i]
		if at == 0 || b.rows.rows.at(int(at)-1).same(&f.key) {
			return int(i)
		}
	}
}

func (b *Builder) rehash(size int) {
	b.index = make([]uint32, size)
	for i := range b.rows.rows.n {
		row := b.rows.rows.at(i)
		b.index[b.slot(row, maphash.String(b.seed, row.iface))] = uint32(i) + 1
	}
}

// intern replaces the row's interface by a copy shared among rows, so that no
// row keeps the line that it came from.
func (b *Builder) intern(f *flow) {
	if f.iface != b.last.text {
		known, ok := b.names[f.iface]
		if !ok {
			known = name{strings.Clone(f.iface), maphash.String(b.seed, f.iface)}
			if len(b.names) == maxNames {
				clear(b.names)
			}
			b.names[known.text] = known
		}
		b.last = known
	}
	f.iface = b.last.text
}

// hash takes the seeded hash of the row's interface, so that nobody can choose
// addresses that collide. It decides no output.
func hash(f *flow, iface uint64) uint64 {
	h := mix(f.ends[0].lo^iface, f.ends[1].lo^f.ends[0].hi)
	h = mix(h^f.ends[1].hi, uint64(f.ports[0])<<48|uint64(f.ports[1])<<32|uint64(uint32(f.hour)))
	return mix(h, uint64(f.minute)<<16|uint64(f.proto)<<8|uint64(f.source))
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xd1b54a32d192ed03)
	return hi ^ lo
}

// partsWriter writes sorted rows to one part after the other.
type partsWriter struct {
	open  func(PartID) (io.WriteCloser, error)
	long  map[PartID]*longInterfaces
	out   io.WriteCloser
	part  *partWriter
	infos []PartInfo
}

func (w *partsWriter) write(f *flow) error {
	id := PartID{int64(f.hour) * picket.Hour, sources[f.source]}
	if w.part == nil || w.part.info.ID != id {
		if err := w.begin(id); err != nil {
			return err
		}
	}
	if err := w.part.write(f); err != nil {
		return fmt.Errorf("write window part %d/%s: %w", id.Hour, id.Source, err)
	}
	return nil
}

func (w *partsWriter) begin(id PartID) error {
	if err := w.close(); err != nil {
		return err
	}
	out, err := w.open(id)
	if err != nil {
		return fmt.Errorf("open window part %d/%s: %w", id.Hour, id.Source, err)
	}
	w.out = out
	w.part, err = newPartWriter(out, id, w.long[id])
	if err != nil {
		return fmt.Errorf("write window part %d/%s: %w", id.Hour, id.Source, err)
	}
	return nil
}

// close ends the part at hand, if any.
func (w *partsWriter) close() error {
	if w.out == nil {
		return nil
	}
	id := w.part.info.ID
	err := w.part.finish()
	if err == nil {
		err = w.out.Close()
	}
	w.out = nil
	if err != nil {
		return fmt.Errorf("write window part %d/%s: %w", id.Hour, id.Source, err)
	}
	w.infos = append(w.infos, w.part.info)
	return nil
}
