package decode

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/zstd"

	"picket"
)

// vpcRows returns a flow log of n rows.
func vpcRows(n int) []byte {
	var b bytes.Buffer
	b.WriteString("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n")
	for i := range n {
		fmt.Fprintf(&b, "2 1 eni-1 10.0.%d.%d 10.1.0.1 %d 80 6 5 400 1600000000 1600000060 ACCEPT OK\n", i>>8&255, i&255, i*7919%65536)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, parts ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, p := range parts {
		z := gzip.NewWriter(&b)
		z.Write(p)
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func zstded(t testing.TB, p []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(p, nil)
}

func TestCompression(t *testing.T) {
	plain := vpcRows(5000)
	f := func(name string, data []byte, compression string, records uint64) {
		t.Helper()
		got := decodeBytes(data, Options{})
		if got.err != nil || got.stats.Records != records || got.stats.Compression != compression || len(got.rejects) != 0 {
			t.Errorf("%s: %+v, error %v", name, got.stats, got.err)
		}
	}
	f("plain", plain, "", 5000)
	f("gzip", gzipped(t, plain), "gzip", 5000)
	f("gzip members, each with a header line", gzipped(t, plain, plain), "gzip", 10000)
	f("gzip member that is empty", gzipped(t, nil, plain, nil), "gzip", 5000)
	f("gzip of nothing", gzipped(t, nil), "gzip", 0)
	f("zstd", zstded(t, plain), "zstd", 5000)
	f("zstd frames", append(zstded(t, plain), zstded(t, plain)...), "zstd", 10000)
	f("zstd after a skippable frame", append([]byte{0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2}, zstded(t, plain)...), "zstd", 5000)
	f("twice", gzipped(t, zstded(t, plain)), "gzip+zstd", 5000)
	wantError(t, decodeBytes(gzipped(t, gzipped(t, gzipped(t, plain))), Options{}).err, "compressed more than twice")
}

// A cut object gives all records before the cut, and no record of half a line.
func TestCutShort(t *testing.T) {
	plain := vpcRows(5000)
	for name, data := range map[string][]byte{"gzip": gzipped(t, plain), "zstd": zstded(t, plain)} {
		for _, keep := range []int{1, 2, 3, 4} {
			got := decodeBytes(data[:len(data)*keep/5], Options{})
			e := wantError(t, got.err, "cut short")
			if e.Offset != int64(got.stats.Bytes) || len(got.rejects) != 0 {
				t.Errorf("%s: offset %d of %d bytes, rejects %v", name, e.Offset, got.stats.Bytes, got.rejects)
			}
			lines := bytes.Count(plain[:e.Offset], []byte{'\n'})
			if int(got.stats.Records) != max(lines-1, 0) {
				t.Errorf("%s cut at %d/5: %d records of %d whole lines", name, keep, got.stats.Records, lines)
			}
			if name == "gzip" && keep == 4 && lines < 3000 {
				t.Errorf("%d lines before the cut at 4/5", lines)
			}
		}
	}
	for _, n := range []int{3, 5, 9} {
		wantError(t, decodeBytes(gzipped(t, plain)[:n], Options{}).err, "cut short")
	}
}

func TestDamaged(t *testing.T) {
	data := gzipped(t, vpcRows(5000))
	data[len(data)-6]++ // the checksum
	got := decodeBytes(data, Options{})
	wantError(t, got.err, "damaged")
	if got.stats.Records != 5000 {
		t.Errorf("%d records", got.stats.Records)
	}
}

func TestBomb(t *testing.T) {
	line := "2 1 eni-1 10.0.0.1 10.1.0.1 1 80 6 5 400 1600000000 1600000060 ACCEPT OK\n"
	data := gzipped(t, []byte(strings.Repeat(line, 200_000))) // 15 MB, over 300 to 1
	count := func(o Options) (Stats, error) {
		return o.Decode(context.Background(), Object{Key: "bomb", Modified: testTime}, bytes.NewReader(data), func(*picket.Record) error { return nil }, nil)
	}
	s, err := count(Options{MaxRatio: 100, RatioFrom: 1 << 20})
	limit := 100 * int64(len(data))
	if e := wantError(t, err, "unpacks to too much"); e.Offset < limit || e.Offset > limit+1<<20 || s.Records < 60_000 {
		t.Errorf("%v, %+v", e, s)
	}
	s, err = count(Options{MaxBytes: 2 << 20})
	if e := wantError(t, err, "unpacks to too much"); e.Offset < 2<<20 || e.Offset > 3<<20 || s.Records < 20_000 {
		t.Errorf("%v, %+v", e, s)
	}
	if s, err = count(Options{}); err != nil || s.Records != 200_000 {
		t.Errorf("%+v, error %v", s, err)
	}
}

// zeros reads as endless zeros.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A line of 100 MB is dropped without being held, and the next one is read.
func TestLongLine(t *testing.T) {
	r := io.MultiReader(bytes.NewReader(vpcRows(1)), io.LimitReader(zeros{}, 100<<20), strings.NewReader("\n"), bytes.NewReader(vpcRows(2)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var rejects []Reject
	s, err := Decode(context.Background(), Object{Key: "long", Modified: testTime}, r, func(*picket.Record) error { return nil },
		func(r Reject) error { rejects = append(rejects, r); return nil })
	runtime.ReadMemStats(&after)
	if err != nil || s.Records != 3 || len(rejects) != 1 || s.Dropped["line longer than 1 MiB"] != 1 || s.Lines != 6 {
		t.Fatalf("%+v, rejects %d, error %v", s, len(rejects), err)
	}
	if rej := rejects[0]; rej.Line != 3 || rej.Offset != int64(len(vpcRows(1))) || len(rej.Bytes) != 4096 {
		t.Errorf("line %d at %d, %d bytes", rej.Line, rej.Offset, len(rej.Bytes))
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes allocated", grown)
	}
}

// No allocation may hang on a row.
func TestAllocations(t *testing.T) {
	small, large := vpcRows(1000), vpcRows(21_000)
	allocs := func(data []byte) float64 {
		return testing.AllocsPerRun(5, func() {
			if _, err := Decode(context.Background(), Object{Modified: testTime}, bytes.NewReader(data), func(*picket.Record) error { return nil }, nil); err != nil {
				t.Fatal(err)
			}
		})
	}
	if more := allocs(large) - allocs(small); more > 20 {
		t.Errorf("%v allocations for 20,000 rows more", more)
	}
}

func TestTimeRange(t *testing.T) {
	row := func(start, end int64) string {
		return fmt.Sprintf("2 1 eni-1 10.0.0.1 10.1.0.1 1 80 6 5 400 %d %d ACCEPT OK\n", start, end)
	}
	now := testTime.Unix()
	f := func(start, end int64, ok bool) {
		t.Helper()
		got := decodeString(row(start, end))
		if (len(got.records) == 1) != ok || (got.stats.Dropped["time out of range"] == 1) == ok {
			t.Errorf("%d to %d: %+v", start, end, got)
		}
	}
	f(631152000, 631152000, true)
	f(631151999, 631152000, false)
	f(0, 60, false)
	f(now, now+3600, true)
	f(now, now+3601, false)
	f(4102444800, 4102444860, false)

	o := Options{Now: func() time.Time { return time.Unix(1600000000, 0) }} // stdin: no time of its own
	s, err := o.Decode(context.Background(), Object{Key: "-"}, strings.NewReader(row(1600000000, 1600000060)+row(1600003601, 1600003601)), func(*picket.Record) error { return nil }, nil)
	if err != nil || s.Records != 1 || s.Dropped["time out of range"] != 1 {
		t.Errorf("%+v, error %v", s, err)
	}
}

func TestRejectsBounded(t *testing.T) {
	got := decodeBytes(append(vpcRows(1), strings.Repeat("broken\n", 5000)+strings.Repeat("2 1 e 1 2 1 80 6 5 400 1600000000 1600000060 ACCEPT OK\n", 5)...), Options{})
	if len(got.rejects) != MaxRejects+5 || got.stats.Dropped["wrong number of columns"] != 5000 || got.stats.Dropped["bad address"] != 5 || got.err != nil {
		t.Errorf("%d rejects, %v, error %v", len(got.rejects), got.stats.Dropped, got.err)
	}
}

// What emit, reject, the reader and the context say is not the object's fault.
func TestOthersErrors(t *testing.T) {
	mine := errors.New("mine")
	obj := Object{Key: "k", Modified: testTime}
	data := append(vpcRows(2000), "broken\n"...)
	ok := func(*picket.Record) error { return nil }
	f := func(name string, err error, want error) {
		t.Helper()
		var oe *ObjectError
		if !errors.Is(err, want) || errors.As(err, &oe) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	_, err := Decode(context.Background(), obj, bytes.NewReader(data), func(*picket.Record) error { return mine }, nil)
	f("emit", err, mine)
	_, err = Decode(context.Background(), obj, bytes.NewReader(data), ok, func(Reject) error { return mine })
	f("reject", err, mine)
	_, err = Decode(context.Background(), obj, io.MultiReader(bytes.NewReader(data), iotest.ErrReader(mine)), ok, nil)
	f("reader", err, mine)
	_, err = Decode(context.Background(), obj, io.MultiReader(bytes.NewReader(gzipped(t, data)[:200]), iotest.ErrReader(mine)), ok, nil)
	f("reader under gzip", err, mine)

	ctx, cancel := context.WithCancel(context.Background())
	_, err = Decode(ctx, obj, io.MultiReader(bytes.NewReader(vpcRows(10)), zeros{}), func(*picket.Record) error { cancel(); return nil }, nil)
	f("context", err, context.Canceled)
}

// However the bytes arrive, the output is the same.
func TestReadSizes(t *testing.T) {
	for _, data := range [][]byte{vpcRows(300), gzipped(t, vpcRows(300))} {
		want := golden(decodeBytes(data, Options{}))
		for _, r := range []io.Reader{iotest.OneByteReader(bytes.NewReader(data)), iotest.HalfReader(bytes.NewReader(data)), iotest.DataErrReader(bytes.NewReader(data))} {
			var got result
			got.stats, got.err = Decode(context.Background(), Object{Key: "raw/test", Modified: testTime}, r,
				func(rec *picket.Record) error { got.records = append(got.records, *rec); return nil }, nil)
			if golden(got) != want {
				t.Errorf("%T: %+v", r, got.stats)
			}
		}
	}
}

func TestNotRecognised(t *testing.T) {
	f := func(data, hint string) {
		t.Helper()
		if e := wantError(t, decodeString(data).err, "format not recognised"); !strings.Contains(e.Hint, hint) {
			t.Errorf("%.20q: %s, want %s", data, e.Hint, hint)
		}
	}
	f("PK\x03\x04rest", "zip")
	f(strings.Repeat("\x00", 257)+"ustar\x0000", "tar")
	f("BZh91AY", "bzip2")
	f("\xfd7zXZ\x00", "xz")
	f("\xff\xfe2\x00", "UTF-16")
	f("hello\n", `"hello"`)
	f("[{},{}]", "array")
	f(`{"a":1}`, "no Zeek log")
	f("\x7fELF\x02\x01\x01\x00\x00\x00", "binary")
	f("#Fields: date time c-ip\n", "W3C")
}
