package decode

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// flowTableRow is what the tests write: names as AWS has them in Parquet.
type flowTableRow struct {
	Interface *string `parquet:"interface_id,optional,dict"`
	Src       *string `parquet:"srcaddr,optional,dict"`
	Dst       *string `parquet:"dstaddr,optional,dict"`
	SrcPort   *int32  `parquet:"srcport,optional"`
	DstPort   *int32  `parquet:"dstport,optional"`
	Protocol  *int32  `parquet:"protocol,optional"`
	Packets   *int64  `parquet:"packets,optional"`
	Bytes     *int64  `parquet:"bytes,optional"`
	Start     *int64  `parquet:"start,optional"`
	End       *int64  `parquet:"end,optional"`
	Action    *string `parquet:"action,optional,dict"`
	Status    *string `parquet:"log_status,optional,dict"`
	Flags     *int32  `parquet:"tcp_flags,optional"`
	Unknown   []struct {
		Deep string `parquet:"deep"`
	} `parquet:"some_new_thing,list"`
	Year string `parquet:"year"` // a Hive partition that a writer left in
}

func of[T any](v T) *T { return &v }

func tableRow(i int) flowTableRow {
	return flowTableRow{Interface: of("eni-1"), Src: of("10.0.0.1"), Dst: of("2001:db8::1"), SrcPort: of(int32(1000 + i)), DstPort: of(int32(443)), Protocol: of(int32(6)),
		Packets: of(int64(3)), Bytes: of(int64(180)), Start: of(int64(1748779200)), End: of(int64(1748779259)), Action: of("ACCEPT"), Status: of("OK"), Flags: of(int32(2)), Year: "2025"}
}

func table(t testing.TB, codec compress.Codec, rows ...flowTableRow) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[flowTableRow](&b, parquet.Compression(codec), parquet.MaxRowsPerRowGroup(700), parquet.PageBufferSize(2000))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Pages of every codec, several pages and row groups, and what compresses the file
// besides.
func TestParquetCodecs(t *testing.T) {
	var rows []flowTableRow
	for i := range 2000 {
		rows = append(rows, tableRow(i))
	}
	for _, codec := range []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Zstd} {
		data := table(t, codec, rows...)
		for _, data := range [][]byte{data, gzipped(t, data), zstded(t, data)} {
			got := decodeBytes(data, Options{})
			if got.err != nil || len(got.records) != 2000 || got.stats.Format != "vpc-parquet" || len(got.rejects) != 0 {
				t.Fatalf("%s: %+v, %v", codec, got.stats, got.err)
			}
			for i, r := range got.records {
				if r.SrcPort != uint16(1000+i) || r.Line != uint64(i+1) || r.Interface != "eni-1" {
					t.Fatalf("%s: record %d is %+v", codec, i, r)
				}
			}
		}
	}
}

// Null is what the text writes as "-"; a row of nulls is one of NODATA.
func TestParquetNulls(t *testing.T) {
	noData, lost, bad, unset := tableRow(0), tableRow(1), tableRow(2), tableRow(3)
	noData = flowTableRow{Interface: of("eni-1"), Start: noData.Start, End: noData.End, Status: of("NODATA")}
	lost = flowTableRow{Interface: of("eni-1"), Start: lost.Start, End: lost.End, Status: of("SKIPDATA")}
	bad.Packets = nil
	unset.Flags, unset.Action, unset.Interface = nil, nil, nil
	got := decodeBytes(table(t, &parquet.Gzip, noData, lost, bad, unset), Options{})
	if got.err != nil || len(got.records) != 2 || !got.records[0].Lost || got.records[1].Has != 0 || got.records[1].Interface != "" ||
		got.stats.Dropped[reasonNoData] != 1 || got.stats.Dropped[reasonNumber] != 1 || len(got.stats.Gaps) != 2 {
		t.Errorf("%+v, %+v, %v", got.stats, got.records, got.err)
	}
	if len(got.rejects) != 1 || got.rejects[0].Line != 3 || !strings.Contains(string(got.rejects[0].Bytes), "10.0.0.1") {
		t.Errorf("rejects %+v", got.rejects)
	}
}

func TestParquetOfOtherThings(t *testing.T) {
	var b bytes.Buffer
	if err := parquet.Write(&b, []struct{ Colour string }{{"red"}}); err != nil {
		t.Fatal(err)
	}
	if e := wantError(t, decodeBytes(b.Bytes(), Options{}).err, reasonFormat); !strings.Contains(e.Hint, "Colour") {
		t.Errorf("hint %q", e.Hint)
	}
	b.Reset()
	if err := parquet.Write(&b, []struct {
		A string `parquet:"srcaddr"`
		B string `parquet:"dstaddr"`
	}{{"10.0.0.1", "10.0.0.2"}}); err != nil {
		t.Fatal(err)
	}
	wantError(t, decodeBytes(b.Bytes(), Options{}).err, reasonHeader)
	if e := wantError(t, decodeBytes(table(t, &parquet.Gzip, tableRow(1)), Options{MaxSpool: 100}).err, reasonSpool); e.Hint != "more than 100 bytes" {
		t.Errorf("hint %q", e.Hint)
	}
}

// A page that unpacks to more than it says, a list of more items than the metadata
// has bytes, a page beyond the end: all are refused before room is made for them.
func TestParquetBombs(t *testing.T) {
	data := table(t, &parquet.Gzip, tableRow(1), tableRow(2))
	if wantError(t, decodeBytes(data[:len(data)-9], Options{}).err, reasonDamaged); true {
		length := binary.LittleEndian.Uint32(data[len(data)-8:])
		big := bytes.Clone(data)
		binary.LittleEndian.PutUint32(big[len(big)-8:], 1<<31)
		wantError(t, decodeBytes(big, Options{}).err, reasonDamaged)
		list := append(bytes.Clone(data[:len(data)-8-int(length)]), 0x15, 2, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f)
		list = binary.LittleEndian.AppendUint32(list, 9)
		wantError(t, decodeBytes(append(list, "PAR1"...), Options{}).err, reasonDamaged)
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(make([]byte, 200<<20))
	w.Close()
	h := pageHeader{packed: int64(z.Len()), unpacked: 1 << 20, values: 10}
	if wrong := checkPage(bytes.NewReader(z.Bytes()), 0, &h, 2); wrong != "a page that unpacks to more than it says" {
		t.Errorf("a bomb of gzip: %q", wrong)
	}
	h = pageHeader{packed: 6, unpacked: 100, values: 10}
	if wrong := checkPage(strings.NewReader("\xff\xff\xff\xff\x0f\x00"), 0, &h, 1); wrong == "" {
		t.Error("a bomb of snappy")
	}
	h = pageHeader{packed: 10, unpacked: 10, values: 1 << 30}
	if wrong := checkPage(strings.NewReader("0123456789"), 0, &h, 0); wrong == "" {
		t.Error("a page of a billion values")
	}
}

// Every byte of a file is turned once: whatever comes of it, nothing panics, and
// what is emitted keeps its promises.
func TestParquetDamage(t *testing.T) {
	data := table(t, &parquet.Snappy, tableRow(1), tableRow(2), tableRow(3))
	for i := range data {
		for _, flip := range []byte{0x01, 0x80} {
			damaged := bytes.Clone(data)
			damaged[i] ^= flip
			check(t, damaged)
		}
	}
}

func TestParquetGoldenInput(t *testing.T) {
	bad := tableRow(3)
	bad.Src = of("nowhere")
	data := table(t, &parquet.Snappy, tableRow(1), tableRow(2), bad)
	const file = "testdata/parquet/vpc.parquet"
	if *update {
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(kept, data) {
		t.Errorf("%s differs: %v", file, err)
	}
}
