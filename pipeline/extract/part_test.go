package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"picket"
)

// partBytes returns one part of random rows.
func partBytes(t testing.TB, source string, records int) (PartID, []byte) {
	t.Helper()
	rng := rand.New(rand.NewPCG(15, 16))
	part := build(t, Options{}, "raw/a", traffic(rng, source, records))[0]
	r, err := part.Open()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return part.ID, b
}

func readPart(p Part) (rows int, err error) {
	r, err := openPart(p)
	if err != nil {
		return 0, err
	}
	defer r.close()
	err = copyRows(r, func(*flow) error { rows++; return nil })
	return rows, err
}

// TestPartIsWhole cuts a part at every byte, and changes every byte of it, and
// wants an error each time that names the part.
func TestPartIsWhole(t *testing.T) {
	for _, source := range sources {
		id, b := partBytes(t, source, 60)
		if n, err := readPart(asPart(id, "raw/a", b)); n == 0 || err != nil {
			t.Fatalf("%d rows, error %v", n, err)
		}
		f := func(what string, b []byte) {
			t.Helper()
			if _, err := readPart(asPart(id, "raw/a", b)); err == nil || !strings.Contains(err.Error(), "raw/a") {
				t.Errorf("%s: error %v", what, err)
			}
		}
		for i := range b {
			f(fmt.Sprintf("%s cut at byte %d of %d", source, i, len(b)), b[:i])
			changed := bytes.Clone(b)
			changed[i] ^= 0x41
			f(fmt.Sprintf("%s changed at byte %d of %d", source, i, len(b)), changed)
		}
		f(source+" with a byte more", append(bytes.Clone(b), 0))
		if _, err := readPart(asPart(PartID{id.Hour + picket.Hour, id.Source}, "raw/a", b)); !errors.Is(err, errCorrupt) {
			t.Errorf("under another name: error %v", err)
		}
	}
}

// TestRowsComeBack writes rows with every field set to extremes.
func TestRowsComeBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	any := func() uint64 { return rng.Uint64() >> rng.IntN(64) << rng.IntN(64) }
	var want []flow
	for i := range 5000 {
		f := flow{opener: uint8(rng.IntN(2)), interval: uint16(any()), has: picket.Has(any()),
			records: uint32(any()), rejected: uint32(any()), lost: uint32(any()), span: uint32(any()), ticks: any() >> 4}
		f.key = key{hour: int32(any()), source: uint8(rng.IntN(3)), proto: uint8(any()), minute: uint8(rng.IntN(60)),
			origin: uint32(any()), iface: strings.Repeat("x", rng.IntN(9))}
		f.ends = [2]addr{{any(), any()}, {0, 0xffff<<32 | any()>>32}}
		f.ports = [2]uint16{uint16(any()), uint16(any())}
		if i%3 == 0 && i > 0 {
			f.ends, f.ports, f.proto = want[i-1].ends, want[i-1].ports, want[i-1].proto
		}
		f.lines[0] = any()
		f.lines[1] = max(f.lines[0], any())
		for j := range f.sides {
			s := &f.sides[j]
			*s = side{packets: any(), bytes: any(), payload: any(), squares: any() * uint64(i%2), first: int64(any()),
				opened: uint32(any()), answered: uint32(any()), flags: uint8(any())}
			for k := range s.patterns {
				s.patterns[k] = uint32(any()) * uint32(i%2)
			}
			if i%5 == 0 {
				s.first = never
			}
		}
		want = append(want, f)
	}
	var b bytes.Buffer
	w := newRowWriter(&b)
	for i := range want {
		if err := w.write(&want[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.finish(); err != nil {
		t.Fatal(err)
	}
	r := newRowReader(&b)
	for i := range want {
		got, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		if *got != want[i] {
			t.Fatalf("row %d is %+v, want %+v", i, *got, want[i])
		}
	}
	if got, err := r.next(); got != nil || err != nil {
		t.Errorf("after the end: %v, error %v", got, err)
	}
}

func TestEmptyPart(t *testing.T) {
	var b bytes.Buffer
	id := PartID{t0, picket.SourceVPC}
	if err := WriteEmptyPart(&b, id); err != nil {
		t.Fatal(err)
	}
	if all := closeAll(t, []Part{asPart(id, "raw/a", b.Bytes())}, options("vpc", 60)); len(all) != 0 {
		t.Errorf("rows %v of nothing", all)
	}
}

func TestPartInfo(t *testing.T) {
	b := NewBuilder(Options{})
	defer b.Close()
	for _, second := range []int64{3660, 70, 10, 70} {
		r := vpc(second, "10.0.0.1", 40000, "10.0.0.2", 443, 1, 40, 0)
		if err := b.Add(&r); err != nil {
			t.Fatal(err)
		}
	}
	infos, err := b.Finish(func(PartID) (io.WriteCloser, error) { return &memoryPart{}, nil })
	if err != nil {
		t.Fatal(err)
	}
	want := []PartInfo{
		{PartID{t0, "vpc"}, 2, 3, t0, t0 + 120},
		{PartID{t0 + 3600, "vpc"}, 1, 1, t0 + 3660, t0 + 3720},
	}
	if fmt.Sprint(infos) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", infos, want)
	}
	if _, err := b.Finish(nil); err == nil {
		t.Error("a Builder finishes twice")
	}
	if err := b.Add(&picket.Record{}); err == nil {
		t.Error("a finished Builder takes a record")
	}
}

// failing fails at some byte, and must never be closed.
type failing struct {
	left   int
	closed bool
}

func (f *failing) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

func (f *failing) Close() error { f.closed = true; return nil }

func TestFinishNeverClosesHalfAPart(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 20))
	records := traffic(rng, picket.SourceVPC, 100)
	for left := 0; left < 300; left += 7 {
		b := NewBuilder(Options{})
		for i := range records {
			if err := b.Add(&records[i]); err != nil {
				t.Fatal(err)
			}
		}
		out := &failing{left: left}
		_, err := b.Finish(func(PartID) (io.WriteCloser, error) { return out, nil })
		b.Close()
		if err == nil || out.closed {
			t.Fatalf("full after %d bytes: closed %v, error %v", left, out.closed, err)
		}
	}
}

func TestTempDir(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(21, 22))
	records := traffic(rng, picket.SourceVPC, 100)
	o := options("vpc", 60)
	o.MaxRows, o.TempDir = 4, dir
	closeAll(t, build(t, Options{MaxRows: 4, TempDir: dir}, "a", records), o)
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, error %v", left, err)
	}
	b := NewBuilder(Options{MaxRows: 1, TempDir: filepath.Join(dir, "none")})
	var err error
	for i := range records {
		err = errors.Join(err, b.Add(&records[i]))
	}
	_, late := b.Finish(func(PartID) (io.WriteCloser, error) { return nil, errors.New("no part was to be written") })
	if err = errors.Join(err, late); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a folder to spill to: error %v", err)
	}
}

func FuzzPart(f *testing.F) {
	for _, source := range sources {
		_, b := partBytes(f, source, 30)
		f.Add(b, source)
	}
	var empty bytes.Buffer
	if err := WriteEmptyPart(&empty, PartID{t0, "vpc"}); err != nil {
		f.Fatal(err)
	}
	f.Add(empty.Bytes(), "vpc")
	f.Fuzz(func(t *testing.T, b []byte, source string) {
		p := asPart(PartID{t0, source}, "raw/fuzz", b)
		if _, err := sourceNumber(source); err != nil {
			return
		}
		o := options(source, 60, 3600)
		o.MaxRows = 64
		_, err := Windows(context.Background(), []Part{p}, o, func(*picket.Features) error { return nil })
		if err != nil && !strings.Contains(err.Error(), "raw/fuzz") {
			t.Errorf("the error does not name the part: %v", err)
		}
		r := newRowReader(bytes.NewReader(b)) // past the checksums of a part
		for {
			if row, err := r.next(); row == nil || err != nil {
				break
			}
		}
	})
}

// FuzzRows reads rows from below the checksums, and closes over whatever comes
// of it: no number in a row can do harm.
func FuzzRows(f *testing.F) {
	for _, source := range sources {
		rng := rand.New(rand.NewPCG(29, 30))
		var rows bytes.Buffer
		w := newRowWriter(&rows)
		for _, record := range traffic(rng, source, 30) {
			if err := split(&record, func(f *flow) error { w.append(f); w.rows++; w.prev, w.line = f.key, f.lines[0]; return nil }); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(bytes.Clone(w.raw), uint16(w.rows))
	}
	f.Fuzz(func(t *testing.T, b []byte, n uint16) {
		r := rowReader{raw: b, left: uint64(n)}
		s := newSorter(byKey, 1000, "")
		for r.left > 0 && s.rows.n < 500 {
			row, err := r.next()
			if err != nil {
				break
			}
			plain := *row
			plain.hour, plain.source, plain.origin, plain.interval, plain.opener = int32(t0/picket.Hour), 0, 0, 0, 0
			if err := s.add(&plain); err != nil {
				t.Fatal(err)
			}
		}
		sorted, err := s.each()
		if err != nil {
			t.Fatal(err)
		}
		id := PartID{t0, picket.SourceVPC}
		var part bytes.Buffer
		w, err := newPartWriter(&part, id, &longInterfaces{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(copyRows(&summed{in: sorted}, w.write), w.finish()); err != nil {
			t.Fatal(err)
		}
		for _, f := range closeAll(t, []Part{asPart(id, "raw/a", part.Bytes())}, options("vpc", 60, 3600)) {
			for i, v := range f.Values {
				if math.IsInf(v, 0) || v < 0 {
					t.Errorf("%s of %v is %v", Catalogue[i].Name, f.Window, v)
				}
			}
		}
	})
}
