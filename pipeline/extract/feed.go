package extract

import (
	"sync/atomic"
	"unsafe"

	"picket"
)

// Feed takes the records of one goroutine, and adds them to the tables in another, so
// that one object alone keeps two processors busy. It must be flushed.
type Feed struct {
	d      *Direct
	source string // of the batch
	batch  *batch // being filled
	full   chan *batch
	free   chan *batch
	failed atomic.Pointer[error] // of adding
	added  chan struct{}         // closed once all is added

	ifaces [1 << 10]knownInterface
}

// batch is records of one source that are added together.
type batch struct {
	source   uint8
	n        int
	arrivals [batchArrivals]arrival
}

const batchArrivals = 1 << 9

// batches of a Feed: one being filled, one being added, and what evens them out.
const batches = 4

// knownInterface is the number of an interface by where its name stands in memory: a
// decoder has one string for each name. The string is held, so that nothing else can
// come to stand there.
type knownInterface struct {
	name   string
	number uint32
}

// Feed returns a new Feed.
func (d *Direct) Feed() *Feed {
	f := &Feed{d: d, full: make(chan *batch, batches), free: make(chan *batch, batches), added: make(chan struct{})}
	for range batches {
		f.free <- nil // made when it is needed
	}
	go f.run()
	return f
}

// run adds what is full.
func (f *Feed) run() {
	defer close(f.added)
	var order []uint16
	for b := range f.full {
		if f.failed.Load() == nil {
			var err error
			if order, err = f.d.add(b, order); err != nil {
				f.failed.Store(&err)
			}
		}
		f.free <- b
	}
}

// Add counts a record. It keeps nothing of the record itself.
func (f *Feed) Add(r *picket.Record) error {
	if f.batch == nil || r.Source != f.source {
		if err := f.turn(r.Source); err != nil {
			return err
		}
	}
	if f.d.poured.Load() {
		return f.d.family[f.batch.source].build(r, f.d.o)
	}
	if r.Lost {
		return f.lost(r)
	}
	e := &f.batch.arrivals[f.batch.n]
	if err := e.take(r, f.d.seed); err != nil {
		return err
	}
	e.iface = f.number(r.Interface)
	if f.batch.n++; f.batch.n < batchArrivals {
		return nil
	}
	return f.turn(r.Source)
}

// lost notes that records are missing.
func (f *Feed) lost(r *picket.Record) error {
	row, err := whole(r)
	if err != nil {
		return err
	}
	family := f.d.family[f.batch.source]
	number := f.number(r.Interface)
	family.mu.Lock()
	defer family.mu.Unlock()
	family.lost.add(row.time()/picket.Minute, number, row.span, row.source)
	return nil
}

// turn hands the batch over and begins one of a source.
func (f *Feed) turn(source string) error {
	number, err := sourceNumber(source)
	if err != nil {
		return err
	}
	if f.batch != nil && f.batch.n > 0 {
		f.full <- f.batch
		f.batch = nil
	}
	if f.batch == nil {
		if f.batch = <-f.free; f.batch == nil {
			f.batch = &batch{}
		}
	}
	f.batch.n, f.batch.source, f.source = 0, number, source
	if failed := f.failed.Load(); failed != nil {
		return *failed
	}
	return nil
}

// number returns the number of an interface.
func (f *Feed) number(name string) uint32 {
	at := uintptr(unsafe.Pointer(unsafe.StringData(name)))
	known := &f.ifaces[(at>>3*0x9e3779b1)>>8%uintptr(len(f.ifaces))]
	if unsafe.StringData(known.name) != unsafe.StringData(name) || len(known.name) != len(name) {
		*known = knownInterface{name, f.d.iface(name[:min(len(name), maxInterface)])}
	}
	return known.number
}

// Flush adds what the Feed still holds, and ends it.
func (f *Feed) Flush() error {
	if f.batch != nil && f.batch.n > 0 {
		f.full <- f.batch
	}
	close(f.full)
	<-f.added
	if failed := f.failed.Load(); failed != nil {
		return *failed
	}
	return nil
}

// add counts a batch, shard after shard. order is used again.
func (d *Direct) add(b *batch, order []uint16) ([]uint16, error) {
	var ends [shards]int
	for i := range b.arrivals[:b.n] {
		ends[b.arrivals[i].hash>>(64-shardBits)]++
	}
	for i := 1; i < shards; i++ {
		ends[i] += ends[i-1]
	}
	order = append(order[:0], make([]uint16, b.n)...)
	for i := b.n - 1; i >= 0; i-- {
		end := &ends[b.arrivals[i].hash>>(64-shardBits)]
		*end--
		order[*end] = uint16(i)
	}
	for shard := range shards { // ends are where each begins now
		until := b.n
		if shard+1 < shards {
			until = ends[shard+1]
		}
		if from := ends[shard]; from < until {
			d.family[b.source].shards[shard].addAll(b, order[from:until])
		}
	}
	if d.held.Load() > d.o.MaxBytes {
		return order, d.pour()
	}
	return order, nil
}

// addAll adds some arrivals of a batch.
func (s *shard) addAll(b *batch, which []uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(which) > 0 {
		some := which[:min(len(which), fetchArrivals)]
		which = which[len(some):]
		s.fetch(b, some)
		for _, i := range some {
			s.add(&b.arrivals[i])
		}
	}
}

const fetchArrivals = 64

// fetch touches what some arrivals will be added to. It lies far apart: so the
// processor waits for many at once.
func (t *talkTable) fetch(b *batch, which []uint16) {
	if t.talks.n == 0 {
		return
	}
	var places [fetchArrivals]uint32
	mask := uint64(len(t.index) - 1)
	for i, at := range which {
		e := &b.arrivals[at]
		places[i] = uint32(t.index[e.in(floorDiv(e.start, minuteNanos))>>32&mask])
	}
	for i, place := range places[:len(which)] {
		if place > 0 {
			places[i] = t.talks.at(place - 1).minutes
		}
	}
	var sum uint32
	for _, place := range places[:len(which)] {
		if place > 0 {
			sum += t.rows.at(place - 1).records
		}
	}
	t.fetched += sum // so that it is not optimised away
}
