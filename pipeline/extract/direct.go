package extract

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"picket"
)

// Direct computes features of flows straight from records, with no parts between:
// the same rows, bit for bit, as a Builder's parts closed over by Windows, for
// input that is read once. What fits into memory is summed in hash tables and is
// never sorted by key; when it no longer fits, all of it is poured into Builders,
// which spill.
//
// Several goroutines may add at once, each by a Feed of its own.
type Direct struct {
	o      DirectOptions
	seed   uint64
	family []*family    // by source
	held   atomic.Int64 // bytes of all tables
	poured atomic.Bool  // they were too many

	mu     sync.Mutex
	ifaces map[string]uint32
	names  []string // of interfaces, by number
}

// DirectOptions bound what a Direct holds. The zero value is ready to use.
type DirectOptions struct {
	TempDir  string // for spilled runs; "" is the system's
	MaxBytes int64  // held in tables before all is spilled; 0 is DefaultMaxBytes
}

// DefaultMaxBytes of a Direct's tables.
const DefaultMaxBytes = 288 << 20

// shards of a source's conversations, so that goroutines seldom wait for each
// other and what is added together lies close together.
const (
	shardBits = 4
	shards    = 1 << shardBits
)

// family is what is held of one source.
type family struct {
	source uint8
	shards [shards]shard

	mu      sync.Mutex
	lost    hourSpans // of records without addresses
	builder *Builder  // once poured
	parts   []DirectSlot
	files   []*os.File // of the parts, once closed
	settled bool
	hours   map[int32][]place // once settled
}

type shard struct {
	mu sync.Mutex
	talkTable
}

// hourSpan is what the rows of an hour say together.
type hourSpan struct {
	first, last int64           // Unix seconds: start of the first minute and end of the last
	long        map[uint32]bool // interfaces with records of more than a minute
}

// hourSpans are by Unix hour.
type hourSpans map[int32]*hourSpan

// add notes a row.
func (h hourSpans) add(minute int64, iface, span uint32, source uint8) {
	hour := int32(floorDiv(minute, 60))
	s := h[hour]
	start := minute * picket.Minute
	if s == nil {
		s = &hourSpan{first: start, last: start + picket.Minute}
		h[hour] = s
	}
	s.first, s.last = min(s.first, start), max(s.last, start+picket.Minute)
	if span > picket.Minute && source == sourceVPC {
		if s.long == nil {
			s.long = map[uint32]bool{}
		}
		s.long[iface] = true
	}
}

func (h hourSpans) join(o hourSpans) {
	for hour, s := range o {
		all := h[hour]
		if all == nil {
			h[hour] = &hourSpan{s.first, s.last, maps.Clone(s.long)}
			continue
		}
		all.first, all.last = min(all.first, s.first), max(all.last, s.last)
		if all.long == nil {
			all.long = maps.Clone(s.long)
		} else {
			maps.Copy(all.long, s.long)
		}
	}
}

// NewDirect returns an empty Direct.
func NewDirect(o DirectOptions) *Direct {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	d := &Direct{o: o, seed: rand.Uint64(), ifaces: map[string]uint32{"": 0}, names: []string{""}}
	for i := range sources {
		f := &family{source: uint8(i), lost: hourSpans{}}
		for j := range f.shards {
			f.shards[j].talkTable = talkTable{source: uint8(i), held: &d.held}
		}
		d.family = append(d.family, f)
	}
	return d
}

// Close frees memory and disk.
func (d *Direct) Close() error {
	for _, f := range d.family {
		if f.builder != nil {
			f.builder.Close()
		}
		for _, file := range f.files {
			file.Close()
			os.Remove(file.Name())
		}
	}
	d.family = nil
	return nil
}

// iface returns the number of an interface's name.
func (d *Direct) iface(name string) uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	id, ok := d.ifaces[name]
	if !ok {
		id = uint32(len(d.names))
		d.names = append(d.names, strings.Clone(name))
		d.ifaces[d.names[id]] = id
		d.held.Add(int64(len(name)) + 64)
	}
	return id
}

// pour moves what the tables hold into builders. What feeds still hold comes later.
func (d *Direct) pour() error {
	d.poured.Store(true)
	for _, f := range d.family {
		if err := f.pour(d); err != nil {
			return fmt.Errorf("spill flows: %w", err)
		}
	}
	return nil
}

func (f *family) pour(d *Direct) error {
	o := d.o
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		err := s.each(d.interfaces(), func(row *flow) error { return f.built(o).addRow(row) })
		s.empty()
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
	for hour, s := range f.lost {
		for _, at := range []int64{s.first, s.last - picket.Minute} { // a mark each is as good as all
			row := flow{lost: 1}
			row.source, row.hour, row.minute = f.source, hour, uint8((at-int64(hour)*picket.Hour)/picket.Minute)
			row.sides[0].first, row.sides[1].first = never, never
			if err := f.built(o).addRow(&row); err != nil {
				return err
			}
			for iface := range s.long {
				row.iface, row.span = d.interfaces()[iface], 2*picket.Minute
				if err := f.built(o).addRow(&row); err != nil {
					return err
				}
			}
		}
	}
	f.lost = hourSpans{}
	return nil
}

// interfaces returns the names by number.
func (d *Direct) interfaces() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.names
}

// built returns the family's builder.
func (f *family) built(o DirectOptions) *Builder {
	if f.builder == nil {
		f.builder = NewBuilder(Options{TempDir: o.TempDir})
	}
	return f.builder
}

// build counts a record into the builder.
func (f *family) build(r *picket.Record, o DirectOptions) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.built(o).Add(r)
}

// DirectSlot is an hour of one source that a Direct has rows of.
type DirectSlot struct {
	Hour        int64 // Unix seconds
	Source      string
	First, Last int64 // Unix seconds: start of the first minute with a record and end of the last
}

// Slots ends the adding and returns the hours that there are, in order. Every Feed
// must have been flushed.
func (d *Direct) Slots() ([]DirectSlot, error) {
	if d.poured.Load() {
		if err := d.pour(); err != nil {
			return nil, err
		}
	}
	var all []DirectSlot
	for _, f := range d.family {
		if err := f.close(d.o); err != nil {
			return nil, fmt.Errorf("spill flows: %w", err)
		}
		all = append(all, f.parts...)
	}
	slices.SortFunc(all, func(a, b DirectSlot) int {
		return cmp.Or(cmp.Compare(a.Hour, b.Hour), cmp.Compare(a.Source, b.Source))
	})
	return all, nil
}

// close finds the hours, or writes the builder's parts.
func (f *family) close(o DirectOptions) error {
	f.parts = nil
	if f.builder != nil {
		return f.spill(o)
	}
	for hour, s := range f.spans() {
		f.parts = append(f.parts, DirectSlot{int64(hour) * picket.Hour, sources[f.source], s.first, s.last})
	}
	return nil
}

// spans returns those of all rows.
func (f *family) spans() hourSpans {
	all := hourSpans{}
	all.join(f.lost)
	for i := range f.shards {
		all.join(f.shards[i].spans)
	}
	return all
}

// spill writes the builder's rows as one part an hour.
func (f *family) spill(o DirectOptions) error {
	infos, err := f.builder.Finish(func(PartID) (io.WriteCloser, error) {
		file, err := os.CreateTemp(o.TempDir, "picket-part-*")
		if err != nil {
			return nil, err
		}
		f.files = append(f.files, file)
		return partFile{bufio.NewWriterSize(file, 1<<16)}, nil
	})
	f.builder.Close() // its memory is worth more to what closes over the parts
	for _, i := range infos {
		f.parts = append(f.parts, DirectSlot{i.ID.Hour, i.ID.Source, i.First, i.Last})
	}
	return err
}

// partFile is a part being written to a file that stays open.
type partFile struct{ *bufio.Writer }

func (p partFile) Close() error { return p.Flush() }

// spilled returns the parts that were written.
func (f *family) spilled() []Part {
	parts := make([]Part, len(f.parts))
	for i, p := range f.parts {
		file := f.files[i]
		parts[i] = Part{ID: PartID{p.Hour, p.Source}, Object: "-", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.NewSectionReader(file, 0, 1<<62)), nil
		}}
	}
	return parts
}

// Windows closes over what was added, as Windows does over parts. Slots must have
// been called.
func (d *Direct) Windows(ctx context.Context, o CloseOptions, emit func(*picket.Features) error) (CloseStats, error) {
	source, err := sourceNumber(o.Source)
	if err != nil {
		return CloseStats{}, fmt.Errorf("close windows: %w", err)
	}
	f := d.family[source]
	if f.builder != nil {
		return Windows(ctx, f.spilled(), o, emit)
	}
	if !f.settled {
		f.settle(d.names)
	}
	stats, err := f.windows(ctx, o, emit)
	if err != nil {
		return stats, fmt.Errorf("close windows: %w", err)
	}
	return stats, nil
}
