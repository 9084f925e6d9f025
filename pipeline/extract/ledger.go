package extract

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// state is what a ledger keeps under a key. merge adds another state of the same
// key by sum, OR, min, max and the like, so that neither order nor cut of the
// records shows; merged into a zero state it gives a copy that shares nothing.
// append and read are its stored form: the same bytes for the same state, at most
// maxStateBytes of them.
type state[T any] interface {
	*T
	merge(*T)
	append([]byte) []byte
	read(*fields)
}

// Bounds of one row, so that a few always fit into a block.
const (
	maxKeyBytes   = 4 << 10
	maxStateBytes = 32 << 10
)

// ledger sums states under keys in bounded memory. What goes beyond max rows is
// spilled to unnamed files in dir as sorted runs.
type ledger[T any, P state[T]] struct {
	max  int
	dir  string
	rows map[string]P
	runs []*os.File
}

func newLedger[T any, P state[T]](o Options) *ledger[T, P] {
	if o.MaxRows <= 0 {
		o.MaxRows = DefaultMaxRows
	}
	return &ledger[T, P]{max: o.MaxRows, dir: o.TempDir, rows: map[string]P{}}
}

// add counts s into the row of a key. It may keep s.
func (l *ledger[T, P]) add(key string, s P) error {
	if row, ok := l.rows[key]; ok {
		row.merge(s)
		return nil
	}
	if len(key) > maxKeyBytes {
		return fmt.Errorf("a key of %d bytes", len(key))
	}
	if len(l.rows) >= l.max {
		if err := l.spill(); err != nil {
			return err
		}
	}
	l.rows[strings.Clone(key)] = s
	return nil
}

// each visits the sum of every key, in the order of the keys. What visit is given
// is valid until it returns. Nothing may be added meanwhile; it may be called again.
func (l *ledger[T, P]) each(visit func(key string, s P) error) error {
	memory := l.inMemory()
	if len(l.runs) == 0 {
		return drain(memory, visit)
	}
	return l.merged(memory, visit)
}

// reset frees memory and disk.
func (l *ledger[T, P]) reset() {
	for _, run := range l.runs {
		run.Close()
	}
	l.rows, l.runs = map[string]P{}, nil
}

// ledgerRows gives rows in the order of their keys; ok is false at the end.
type ledgerRows[T any, P state[T]] func() (key string, s P, ok bool, err error)

func drain[T any, P state[T]](next ledgerRows[T, P], visit func(key string, s P) error) error {
	for {
		key, s, ok, err := next()
		if !ok || err != nil {
			return err
		}
		if err := visit(key, s); err != nil {
			return err
		}
	}
}

func (l *ledger[T, P]) inMemory() ledgerRows[T, P] {
	keys := slices.Sorted(maps.Keys(l.rows))
	return func() (string, P, bool, error) {
		if len(keys) == 0 {
			return "", nil, false, nil
		}
		key := keys[0]
		keys = keys[1:]
		return key, l.rows[key], true, nil
	}
}

// spill writes the rows to a run and forgets them.
func (l *ledger[T, P]) spill() error {
	in := l.inMemory()
	if len(l.runs) < fanIn {
		run, err := l.writeRun(func(visit func(string, P) error) error { return drain(in, visit) })
		if err != nil {
			return err
		}
		l.runs = append(l.runs, run)
	} else {
		run, err := l.writeRun(func(visit func(string, P) error) error { return l.merged(in, visit) })
		if err != nil {
			return err
		}
		for _, old := range l.runs {
			old.Close()
		}
		l.runs = append(l.runs[:0], run)
	}
	clear(l.rows)
	return nil
}

// writeRun writes rows to a file that has no name any more, so that nothing stays
// behind however the program ends.
func (l *ledger[T, P]) writeRun(each func(visit func(string, P) error) error) (*os.File, error) {
	file, err := os.CreateTemp(l.dir, "picket-run-*")
	if err != nil {
		return nil, fmt.Errorf("spill rows: %w", err)
	}
	os.Remove(file.Name())
	out := bufio.NewWriterSize(file, 32<<10)
	w := &ledgerWriter[T, P]{w: out}
	if err := errors.Join(each(w.write), w.finish(), out.Flush()); err != nil {
		file.Close()
		return nil, fmt.Errorf("spill rows: %w", err)
	}
	return file, nil
}

// merged visits the rows of all runs and of memory.
func (l *ledger[T, P]) merged(memory ledgerRows[T, P], visit func(key string, s P) error) error {
	inputs := []ledgerRows[T, P]{memory}
	for _, run := range l.runs {
		inputs = append(inputs, newLedgerReader[T, P](bufio.NewReaderSize(io.NewSectionReader(run, 0, 1<<62), 8<<10)).next)
	}
	type head struct {
		key  string
		s    P
		next ledgerRows[T, P]
	}
	var heads []head
	advance := func(i int) error {
		key, s, ok, err := heads[i].next()
		if !ok {
			heads = slices.Delete(heads, i, i+1)
			return err
		}
		heads[i].key, heads[i].s = key, s
		return err
	}
	for _, in := range inputs {
		heads = append(heads, head{next: in})
		if err := advance(len(heads) - 1); err != nil {
			return err
		}
	}
	for len(heads) > 0 {
		least := heads[0].key
		for i := range heads {
			least = min(least, heads[i].key)
		}
		sum := P(new(T))
		for i := len(heads) - 1; i >= 0; i-- {
			if heads[i].key != least {
				continue
			}
			sum.merge(heads[i].s)
			if err := advance(i); err != nil {
				return err
			}
		}
		if err := visit(least, sum); err != nil {
			return err
		}
	}
	return nil
}

// ledgerWriter writes rows in blocks. A key is written as what it adds to the one
// before it.
type ledgerWriter[T any, P state[T]] struct {
	w      io.Writer
	count  uint64 // rows of the block
	raw    []byte
	packed []byte
	prev   string
}

func (w *ledgerWriter[T, P]) write(key string, s P) error {
	shared := 0
	for shared < min(len(key), len(w.prev)) && key[shared] == w.prev[shared] {
		shared++
	}
	w.raw = binary.AppendUvarint(w.raw, uint64(shared))
	w.raw = binary.AppendUvarint(w.raw, uint64(len(key)-shared))
	w.raw = append(w.raw, key[shared:]...)
	before := len(w.raw)
	w.raw = s.append(w.raw)
	if n := len(w.raw) - before; n > maxStateBytes {
		return fmt.Errorf("the state of a row has %d bytes", n)
	}
	w.prev = strings.Clone(key)
	w.count++
	if len(w.raw) < blockBytes {
		return nil
	}
	return w.flush()
}

// finish writes what is left and the empty block that ends the stream.
func (w *ledgerWriter[T, P]) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	_, err := w.w.Write([]byte{0})
	return err
}

func (w *ledgerWriter[T, P]) flush() (err error) {
	if w.count > 0 {
		w.packed, err = writeBlock(w.w, w.count, w.raw, w.packed)
	}
	w.raw, w.count, w.prev = w.raw[:0], 0, ""
	return err
}

// ledgerReader reads rows in blocks.
type ledgerReader[T any, P state[T]] struct {
	blockReader
	left uint64 // rows of the block
	raw  []byte // rest of the block
	key  []byte
	last string
	done bool
}

func newLedgerReader[T any, P state[T]](r *bufio.Reader) *ledgerReader[T, P] {
	return &ledgerReader[T, P]{blockReader: blockReader{r: r}}
}

// next returns the next row. Its state is the caller's to keep.
func (r *ledgerReader[T, P]) next() (string, P, bool, error) {
	for r.left == 0 && !r.done {
		rows, err := r.blockReader.next()
		if err != nil {
			return "", nil, false, fmt.Errorf("read rows: %w", unexpected(err))
		}
		r.left, r.raw, r.key, r.done = rows, r.block, r.key[:0], rows == 0
	}
	if r.done {
		return "", nil, false, nil
	}
	r.left--
	d := fields{b: r.raw}
	shared, rest := d.uvarint(), d.uvarint()
	if shared > uint64(len(r.key)) || rest > uint64(len(d.b)) || shared+rest > maxKeyBytes {
		return "", nil, false, fmt.Errorf("read rows: %w key", errCorrupt)
	}
	r.key = append(r.key[:shared], d.b[:rest]...)
	d.b = d.b[rest:]
	s := P(new(T))
	s.read(&d)
	r.raw = d.b
	if d.bad || r.left == 0 && len(d.b) > 0 {
		return "", nil, false, fmt.Errorf("read rows: %w block", errCorrupt)
	}
	key := string(r.key)
	if r.last != "" && key <= r.last {
		return "", nil, false, fmt.Errorf("read rows: %w: rows out of order", errCorrupt)
	}
	r.last = key
	return key, s, true, nil
}

// text reads a string that appendText wrote.
func (d *fields) text() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
