package extract

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/netip"
	"testing"

	"picket"
)

// t0 is the start of the hour that the tests play in: 2026-03-01 12:00 UTC.
const t0 = int64(1772366400)

// memoryPart is a part written to memory.
type memoryPart struct {
	bytes.Buffer
	closed bool
}

func (m *memoryPart) Close() error { m.closed = true; return nil }

// build makes the parts of one object.
func build(t testing.TB, o Options, object string, records []picket.Record) []Part {
	t.Helper()
	b := NewBuilder(o)
	defer b.Close()
	for i := range records {
		if err := b.Add(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
	written := map[PartID]*memoryPart{}
	infos, err := b.Finish(func(id PartID) (io.WriteCloser, error) {
		written[id] = &memoryPart{}
		return written[id], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var parts []Part
	for _, info := range infos {
		m := written[info.ID]
		if !m.closed {
			t.Fatalf("part %v was not closed", info.ID)
		}
		parts = append(parts, asPart(info.ID, object, m.Bytes()))
	}
	return parts
}

func asPart(id PartID, object string, b []byte) Part {
	return Part{ID: id, Object: object, Version: "v1",
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}
}

func options(source string, seconds ...int64) CloseOptions {
	return CloseOptions{Source: source, From: t0, To: t0 + picket.Hour, Seconds: seconds}
}

// closeAll returns the rows of a close.
func closeAll(t testing.TB, parts []Part, o CloseOptions) []picket.Features {
	t.Helper()
	var rows []picket.Features
	_, err := Windows(context.Background(), parts, o, func(f *picket.Features) error {
		rows = append(rows, *f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// rows closes over records as one object.
func rows(t testing.TB, records []picket.Record, o CloseOptions) []picket.Features {
	t.Helper()
	return closeAll(t, build(t, Options{}, "raw/a", records), o)
}

// encode returns rows as bytes, every bit of them.
func encode(rows []picket.Features) []byte {
	var b []byte
	for i := range rows {
		r := &rows[i]
		b = fmt.Appendf(b, "%v %d %d", r.Window, r.Elapsed, r.Flows)
		for _, v := range r.Values {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
	}
	return b
}

// find returns the one row of an entity and width.
func find(t testing.TB, rows []picket.Features, kind picket.Kind, id string, seconds int64) *picket.Features {
	t.Helper()
	var found *picket.Features
	for i := range rows {
		if r := &rows[i]; r.Entity == (picket.Entity{Kind: kind, ID: id}) && r.Seconds == seconds {
			if found != nil {
				t.Fatalf("two rows of %s %s", kind, id)
			}
			found = r
		}
	}
	if found == nil {
		t.Fatalf("no row of %s %s over %d s", kind, id, seconds)
	}
	return found
}

// value returns a feature by name.
func value(t testing.TB, f *picket.Features, name string) float64 {
	t.Helper()
	for i := range Catalogue {
		if Catalogue[i].Name == name {
			return f.Values[i]
		}
	}
	t.Fatalf("no feature %q", name)
	return 0
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// vpc returns a VPC record of one minute from the given second of the hour.
func vpc(second int64, src string, sport uint16, dst string, dport uint16, packets, octets uint64, flags uint8) picket.Record {
	return picket.Record{
		Source: picket.SourceVPC, Interface: "eni-1", Start: (t0 + second) * 1e9, End: (t0 + second + 30) * 1e9,
		Src: ip(src), Dst: ip(dst), SrcPort: sport, DstPort: dport, Proto: picket.ProtoTCP,
		SrcPackets: packets, SrcBytes: octets, SrcFlags: flags, Has: picket.HasFlags | picket.HasAction,
	}
}

func TestScanIsNotDDoS(t *testing.T) {
	var records []picket.Record
	for port := uint16(1); port <= 1000; port++ {
		records = append(records,
			vpc(5, "198.51.100.7", 40000, "10.0.0.1", port, 1, 40, picket.FlagSYN),
			vpc(5, "10.0.0.1", port, "198.51.100.7", 40000, 1, 40, picket.FlagRST))
	}
	all := rows(t, records, options("vpc", 60, 3600))
	if len(all) != 4 {
		t.Fatalf("%d rows, want 4", len(all))
	}
	for _, seconds := range []int64{60, 3600} {
		a := find(t, all, picket.KindActor, "198.51.100.7", seconds)
		v := find(t, all, picket.KindVictim, "10.0.0.1", seconds)
		for _, f := range []*picket.Features{a, v} {
			if f.Flows != 1000 || value(t, f, "ports_per_peer_max") != 1000 || value(t, f, "peers_per_port_max") != 1 ||
				value(t, f, "peers") != 1 {
				t.Errorf("%v: flows %d values %v", f.Window, f.Flows, f.Values)
			}
		}
	}
}

// TestBuilderInterfaces feeds the same rows of many interfaces twice, across
// several growths of the index: each must be found again.
func TestBuilderInterfaces(t *testing.T) {
	var records []picket.Record
	for range 2 {
		for i := range 4000 {
			r := vpc(int64(i%60), "10.0.0.1", uint16(1024+i), "10.0.0.2", 443, 3, 400, 0)
			if i%7 > 0 {
				r.Interface = fmt.Sprintf("eni-%d", i%7)
			}
			records = append(records, r)
		}
	}
	var kept uint64
	for _, f := range closeAll(t, build(t, Options{}, "raw/a", records), options(picket.SourceVPC, picket.Hour)) {
		kept = max(kept, f.Flows)
	}
	if kept != 4000 {
		t.Errorf("%d flows, want 4000", kept)
	}
}

// TestSourcesFitTheirBits would else sort rows of the last sources wrongly.
func TestSourcesFitTheirBits(t *testing.T) {
	if len(sources) > 1<<sourceBits || sources[sourceVPC] != picket.SourceVPC || sources[sourceNetFlow] != picket.SourceNetFlow {
		t.Errorf("%d sources: %v", len(sources), sources)
	}
}
