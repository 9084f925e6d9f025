// Package decode reads raw network logs, whatever their format or compression:
// raw log -> Record.
package decode

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"picket"
)

// Object is what is known of a raw object before it is read.
type Object struct {
	Key      string
	Modified time.Time // zero where unknown (stdin): Options.Now stands in
	Size     int64     // bytes as stored; 0 where unknown
}

// Options bound what one object may cost. The zero value takes the defaults.
type Options struct {
	// MaxBytes is how much a compressed object may unpack to; 64 GiB if 0.
	MaxBytes int64
	// MaxRatio is how many bytes may come of one compressed byte, held against
	// an object once it has given RatioFrom bytes; 1000 if 0. Repeated log lines
	// reach 200 in gzip; gzip itself ends at 1032.
	MaxRatio int64
	// RatioFrom is where MaxRatio starts to matter, in unpacked bytes; 64 MiB if 0.
	RatioFrom int64
	// TempDir is where an object that must be read from its end, as Parquet must, is
	// kept while it is read; "" is the system's. The file has no name.
	TempDir string
	// MaxSpool is how many bytes of it are kept; 8 GiB if 0.
	MaxSpool int64
	// Now stands in for the time of an object that has none; time.Now if nil.
	Now func() time.Time
}

// Stats counts what one object held.
type Stats struct {
	Format      string            // "vpc", "zeek-tsv", "zeek-json", "pcap", "pcapng"; "" where none was recognised or the object is empty
	Compression string            // "gzip", "zstd", "" for plain; "gzip+zstd" is zstd inside gzip
	Bytes       uint64            // unpacked
	Lines       uint64            // lines or packets read, headers and blank lines included
	Records     uint64            // emitted
	Dropped     map[string]uint64 // lines or packets that gave no record, by reason
	First, Last int64             // Unix nanoseconds: earliest start, latest end; 0 without records

	Alerts     []Alert `json:",omitempty"` // of another sensor, worst first, at most MaxAlerts
	AlertsLeft uint64  `json:",omitempty"` // alerts that Alerts has no room for
	Gaps       []Gap   `json:",omitempty"` // where the log says that it saw nothing or lost records, at most MaxGaps
	GapsLeft   uint64  `json:",omitempty"` // lines of gaps that Gaps has no room for
}

// Reject is one line or packet that could not be read.
type Reject struct {
	Object string
	Offset int64  // of its first byte, unpacked
	Line   uint64 // line or packet number, from 1
	Reason string // one of a small fixed set
	Detail string // what was seen
	Bytes  []byte // the first 4 KiB of it, the receiver's to keep
}

// MaxRejects is how many rejects of one reason are handed over for one object.
// Stats.Dropped counts the rest.
const MaxRejects = 1000

// ObjectError says why an object could not be read, or from where on. Records
// before Offset have been emitted.
type ObjectError struct {
	Object string
	Offset int64  // unpacked bytes that could be read
	Reason string // one of a small fixed set
	Hint   string // what was seen, or what to do; may be empty
	Err    error  // what the reader underneath said; may be nil
}

func (e *ObjectError) Error() string {
	s := fmt.Sprintf("decode %s at byte %d: %s", e.Object, e.Offset, e.Reason)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *ObjectError) Unwrap() error { return e.Err }

// Decode reads one object with the default Options.
func Decode(ctx context.Context, obj Object, r io.Reader, emit func(*picket.Record) error, reject func(Reject) error) (Stats, error) {
	return Options{}.Decode(ctx, obj, r, emit, reject)
}

// Decode reads one object from r and emits its records in order. The Record is
// used again after emit returns. A bad line or packet goes to reject, which may
// be nil, and reading goes on. An error of emit or reject stops it and is
// returned as it is. What is wrong with the object itself is an *ObjectError; an
// error of ctx or r is neither, since the object may be whole. A compressed object is unpacked
// in a goroutine of its own, which has ended when Decode returns.
//
// Memory is about 1.5 MiB, 0.5 MiB more where it is compressed, for Parquet that of a page
// of each column, for zstd up to twice its window (at most 128 MiB) more,
// however large the object.
func (o Options) Decode(ctx context.Context, obj Object, r io.Reader, emit func(*picket.Record) error, reject func(Reject) error) (Stats, error) {
	in := buffers.Get().(*bufio.Reader)
	defer buffers.Put(in)
	defer in.Reset(nil)
	d := &run{
		ctx: ctx, obj: obj, in: in, emit: emit, reject: reject, options: o.withDefaults(),
		latest: latest(obj, o.Now),
		stats:  Stats{Dropped: map[string]uint64{}},
	}
	src, err := open(ctx, r, in, o.withDefaults())
	defer src.close()
	d.src = src
	d.stats.Compression = src.compression
	if err == nil {
		err = d.decode()
	} else {
		err = d.readError(err)
	}
	d.stats.Bytes = uint64(src.bytes())
	d.stats.Alerts, d.stats.Gaps = d.alerts.sorted(), d.gaps.sorted()
	return d.stats, err
}

// bufferSize is the longest line or packet that is read.
const bufferSize = 1 << 20

var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufferSize) }}

// earliest is 1990-01-01 in Unix nanoseconds. Older times are a broken clock.
const earliest = 631152000 * int64(time.Second)

// slack is how much later than its object a record may be: clocks differ.
const slack = time.Hour

// latest returns the Unix nanoseconds after which a time of obj is not believed.
func latest(obj Object, now func() time.Time) int64 {
	t := obj.Modified
	if t.IsZero() && now != nil {
		t = now()
	} else if t.IsZero() {
		t = time.Now()
	}
	return t.Add(slack).UnixNano()
}

// run is one Decode under way.
type run struct {
	ctx     context.Context
	obj     Object
	options Options
	src     *source
	in      *bufio.Reader // unpacked bytes
	emit    func(*picket.Record) error
	reject  func(Reject) error
	latest  int64 // Unix nanoseconds
	stats   Stats
	rec     picket.Record
	offset  int64 // of the current line or packet
	next    int64 // of the one after it
	hellos  hellos
	alerts  alerts
	gaps    gaps
	shown   func() []byte // the row at hand, where there is no line of it
}

func (d *run) decode() error {
	head, err := d.in.Peek(peekSize)
	if len(head) == 0 && err != io.EOF {
		return d.readError(err)
	}
	f := detect(head)
	d.stats.Format = f.name
	if f.read == nil {
		if f.reason == "" { // empty
			return d.drain()
		}
		return d.fail(f.reason, f.hint, nil)
	}
	return f.read(d)
}

// drain reads an object of blank lines to its end.
func (d *run) drain() error {
	for {
		if _, err := d.line(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// send emits d.rec if its times can be true; b is what it was made from.
func (d *run) send(b []byte) error {
	r := &d.rec
	if ok, err := d.believe(r, b); !ok {
		return err
	}
	r.Line = d.stats.Lines
	return d.give(r)
}

// believe reports whether the times of r can be true; if not, b is dropped.
func (d *run) believe(r *picket.Record, b []byte) (bool, error) {
	if r.End < r.Start {
		r.End = r.Start
	}
	if d.inTime(r.Start, r.End) {
		return true, nil
	}
	return false, d.drop(reasonTime, time.Unix(0, r.Start).UTC().Format(time.RFC3339)+" to "+time.Unix(0, r.End).UTC().Format(time.RFC3339), b)
}

// inTime reports whether times can be true.
func (d *run) inTime(start, end int64) bool { return start >= earliest && end <= d.latest }

// give emits a record that has its line.
func (d *run) give(r *picket.Record) error {
	if d.stats.Records == 0 || r.Start < d.stats.First {
		d.stats.First = r.Start
	}
	if d.stats.Records == 0 || r.End > d.stats.Last {
		d.stats.Last = r.End
	}
	d.stats.Records++
	return d.emit(r)
}

// drop counts the current line or packet as unreadable and hands it to reject.
func (d *run) drop(reason, detail string, b []byte) error {
	d.stats.Dropped[reason]++
	if d.reject == nil || d.stats.Dropped[reason] > MaxRejects {
		return nil
	}
	if b == nil && d.shown != nil {
		b = d.shown()
	}
	return d.reject(Reject{
		Object: d.obj.Key, Offset: d.offset, Line: d.stats.Lines, Reason: reason, Detail: detail,
		Bytes: append([]byte(nil), b[:min(len(b), 4096)]...),
	})
}

// fail returns the error that ends the object here.
func (d *run) fail(reason, hint string, err error) error {
	return &ObjectError{Object: d.obj.Key, Offset: d.next, Reason: reason, Hint: hint, Err: err}
}

// readError turns an error of the unpacked stream into what Decode returns.
func (d *run) readError(err error) error {
	var bomb *bombError
	switch {
	case d.src.broken != nil: // of the raw reader or the context
		return fmt.Errorf("decode %s: read after byte %d: %w", d.obj.Key, d.src.bytes(), d.src.broken)
	case errors.As(err, &bomb):
		return d.failAt(d.src.bytes(), reasonBomb, bomb.Error(), nil)
	case errors.Is(err, errNested):
		return d.failAt(0, reasonNested, "unpack it first", nil)
	case errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF:
		return d.failAt(d.src.bytes(), reasonCut, "everything before the cut was kept", io.ErrUnexpectedEOF)
	default:
		return d.failAt(d.src.bytes(), reasonDamaged, "everything before it was kept", err)
	}
}

func (d *run) failAt(offset int64, reason, hint string, err error) error {
	return &ObjectError{Object: d.obj.Key, Offset: offset, Reason: reason, Hint: hint, Err: err}
}
