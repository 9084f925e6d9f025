package decode

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"picket"
)

// export builds export packets for tests.
type export struct{ b []byte }

func (e *export) u8(v ...uint8) *export { e.b = append(e.b, v...); return e }
func (e *export) u16(v ...uint16) *export {
	for _, x := range v {
		e.b = binary.BigEndian.AppendUint16(e.b, x)
	}
	return e
}
func (e *export) u32(v ...uint32) *export {
	for _, x := range v {
		e.b = binary.BigEndian.AppendUint32(e.b, x)
	}
	return e
}
func (e *export) u64(v uint64) *export { e.b = binary.BigEndian.AppendUint64(e.b, v); return e }

// set appends a set of the given number.
func (e *export) set(id uint16, body *export) *export {
	return e.u16(id, uint16(4+len(body.b))).raw(body.b)
}
func (e *export) raw(b []byte) *export { e.b = append(e.b, b...); return e }

const exportTime = 1748779265 // 2025-06-01 12:01:05 UTC

// nine is a packet of version 9 from an exporter that has been up for a minute.
func nine(domain uint32, sets *export) []byte {
	return (&export{}).u16(9, 1).u32(60_000, exportTime, 1, domain).raw(sets.b).b
}

// ten is an IPFIX message.
func ten(domain uint32, sets *export) []byte {
	return (&export{}).u16(10, uint16(16+len(sets.b))).u32(exportTime, 1, domain).raw(sets.b).b
}

// basic is a template of addresses, ports, protocol, flags, bytes, packets and
// uptimes, and record its data.
func basic(id uint16) *export {
	return (&export{}).u16(id, 10).u16(8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 6, 1, 1, 4, 2, 4, 22, 4, 21, 4)
}

func record(last byte, bytes, packets, from, to uint32) *export {
	return (&export{}).u8(10, 0, 0, last, 192, 0, 2, 1).u16(50000, 443).u8(6, 0x1b).u32(bytes, packets, from, to)
}

// want decodes data and returns its records, which must be n.
func want(t *testing.T, n int, data ...[]byte) []picket.Record {
	t.Helper()
	var all []byte
	for _, d := range data {
		all = append(all, d...)
	}
	got := decodeBytes(all, Options{})
	if got.err != nil || len(got.records) != n || got.stats.Format != "netflow" {
		t.Fatalf("%d records of %s, want %d: %+v, error %v", len(got.records), got.stats.Format, n, got.stats.Dropped, got.err)
	}
	return got.records
}

// Times of versions 5 and 9 are milliseconds since the exporter began.
func TestNetFlowTimesFollowUptime(t *testing.T) {
	r := want(t, 1, nine(7, (&export{}).set(0, basic(256)).set(256, record(1, 1000, 10, 30_000, 59_500))))[0]
	if r.Start != (exportTime-30)*1e9 || r.End != exportTime*1e9-5e8 {
		t.Errorf("from %d to %d", r.Start, r.End)
	}
	// The clock of 32 bits turned over between the flow and its packet.
	wrapped := (&export{}).u16(9, 1).u32(5_000, exportTime, 1, 7).raw((&export{}).set(0, basic(256)).set(256, record(1, 1000, 10, math.MaxUint32-4_999, 1_000)).b).b
	if r := want(t, 1, wrapped)[0]; r.Start != (exportTime-10)*1e9 || r.End != (exportTime-4)*1e9 {
		t.Errorf("across the turn: from %d to %d", r.Start, r.End)
	}
}

// Templates belong to an exporter's domain, and may come after their data.
func TestNetFlowTemplates(t *testing.T) {
	data := (&export{}).set(256, record(1, 1000, 10, 30_000, 59_500))
	want(t, 1, nine(7, data), nine(7, (&export{}).set(0, basic(256))))
	other := (&export{}).u16(256, 3).u16(8, 4, 12, 4, 2, 4)
	rs := want(t, 2, nine(7, (&export{}).set(0, basic(256))), nine(8, (&export{}).set(0, other)), nine(7, data),
		nine(8, (&export{}).set(256, (&export{}).u8(10, 0, 0, 9, 10, 0, 0, 8).u32(5))))
	if rs[0].SrcBytes != 1000 || rs[1].SrcPackets != 5 || rs[1].SrcBytes != 0 {
		t.Errorf("%+v", rs)
	}
	got := decodeBytes(nine(7, data), Options{})
	if got.stats.Dropped["data without its template"] != 1 || len(got.records) != 0 {
		t.Errorf("without a template: %+v", got.stats)
	}
	// A template that says a record is of no bytes would be read for ever.
	got = decodeBytes(nine(7, (&export{}).set(0, (&export{}).u16(256, 1).u16(8, 0)).set(256, (&export{}).u32(0))), Options{})
	if got.stats.Dropped["template not taken"] != 1 {
		t.Errorf("a record of no bytes: %+v", got.stats)
	}
}

// What was sampled stands for as many more, by the record, by options, by the
// header.
func TestNetFlowSampling(t *testing.T) {
	options := (&export{}).u16(257, 4, 8).u16(1, 4).u16(34, 4, 48, 1) // of version 9: bytes of scopes and of options
	said := (&export{}).u32(0).u32(100).u8(3)
	r := want(t, 1, nine(7, (&export{}).set(0, basic(256)).set(1, options).set(257, said).set(256, record(1, 1000, 10, 0, 0))))[0]
	if r.SrcBytes != 100_000 || r.SrcPackets != 1000 {
		t.Errorf("by options: %d bytes, %d packets", r.SrcBytes, r.SrcPackets)
	}
	selector := (&export{}).u16(257, 3, 1).u16(302, 2, 305, 4, 306, 4)
	r = want(t, 1, ten(7, (&export{}).set(2, basic(256)).set(3, selector).set(257, (&export{}).u16(1).u32(1, 999)).set(256, record(1, 1000, 10, 0, 0))))[0]
	if r.SrcBytes != 1_000_000 {
		t.Errorf("by a selector, one in 1000: %d bytes", r.SrcBytes)
	}
	five := (&export{}).u16(5, 1).u32(60_000, exportTime, 0, 1).u8(0, 0).u16(0x4000 | 50)
	five.u8(10, 0, 0, 1, 192, 0, 2, 1).u32(0).u16(1, 2).u32(10, 1000, 30_000, 59_000).u16(50000, 443).u8(0, 2, 6, 0).u16(0, 0).u8(0, 0, 0, 0)
	if r = want(t, 1, five.b)[0]; r.SrcBytes != 50_000 || r.SrcPackets != 500 || r.SrcPort != 50000 || r.DstPort != 443 || r.Opener != picket.OpenerSrc {
		t.Errorf("version 5: %+v", r)
	}
}

// Flags are of all packets of a side: an ACK beside the SYN of a client is no
// answer to one.
func TestNetFlowFlagsAreGathered(t *testing.T) {
	f := func(what string, src, dst uint16, packets uint32, flags, wantFlags uint8, opener picket.Opener) {
		t.Helper()
		b := (&export{}).u8(10, 0, 0, 1, 192, 0, 2, 1).u16(src, dst).u8(6, flags).u32(100*packets, packets, 0, 0)
		r := want(t, 1, nine(7, (&export{}).set(0, basic(256)).set(256, b)))[0]
		if r.SrcFlags != wantFlags || r.Opener != opener {
			t.Errorf("%s: flags %02x and opener %d, want %02x and %d", what, r.SrcFlags, r.Opener, wantFlags, opener)
		}
	}
	f("client", 50000, 443, 9, 0x1b, 0x0b, picket.OpenerSrc)
	f("server", 443, 50000, 9, 0x1b, 0x1b, picket.OpenerDst)
	f("a lone SYN-ACK", 50000, 443, 1, 0x12, 0x12, picket.OpenerDst)
	f("a SYN that nobody answered", 443, 50000, 1, 0x02, 0x02, picket.OpenerSrc)
	f("equal ports", 443, 443, 9, 0x1b, 0x0b, picket.OpenerUnknown)
}

// IPFIX: fields of variable length, of vendors, of the other direction, and times
// of every kind.
func TestIPFIXFields(t *testing.T) {
	tmpl := (&export{}).u16(256, 10).u16(8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 82, 0xffff).u16(0x8000|123, 0xffff).u32(35632).u16(1, 8).u16(0x8000|1, 8).u32(29305).u16(0x8000|2, 4).u32(29305)
	body := (&export{}).u8(10, 0, 0, 1, 192, 0, 2, 1).u16(5000, 53).u8(17).u8(4).raw([]byte("eth0")).u8(255).u16(300).raw(make([]byte, 300)).u64(900).u64(4000).u32(3)
	r := want(t, 1, ten(7, (&export{}).set(2, tmpl).set(256, body)))[0]
	if r.SrcBytes != 900 || r.SrcPackets != 1 || r.DstBytes != 4000 || r.DstPackets != 3 || r.Has&picket.HasReverse == 0 || r.Opener != picket.OpenerSrc || r.Start != exportTime*1e9 {
		t.Errorf("%+v", r)
	}
	f := func(what string, wantStart, wantEnd int64, start, end uint16, size uint16, a, b uint64) {
		t.Helper()
		tmpl := (&export{}).u16(256, 5).u16(8, 4, 12, 4, 2, 4, start, size, end, size)
		body := (&export{}).u8(10, 0, 0, 1, 192, 0, 2, 1).u32(3)
		for _, v := range []uint64{a, b} {
			if size == 4 {
				body.u32(uint32(v))
			} else {
				body.u64(v)
			}
		}
		if r := want(t, 1, ten(7, (&export{}).set(2, tmpl).set(256, body)))[0]; r.Start != wantStart || r.End != wantEnd {
			t.Errorf("%s: from %d to %d, want %d and %d", what, r.Start, r.End, wantStart, wantEnd)
		}
	}
	const at = exportTime * int64(1e9)
	f("seconds", at-30e9, at-20e9, 150, 151, 4, exportTime-30, exportTime-20)
	f("milliseconds", at-1e6, at, 152, 153, 8, exportTime*1000-1, exportTime*1000)
	f("NTP", at+5e8, at+75e7, 156, 157, 8, (exportTime+2208988800)<<32|1<<31, (exportTime+2208988800)<<32|3<<30)
	f("microseconds before the message", at-30e6, at-10e6, 158, 159, 4, 30_000, 10_000)
}

// A firewall tells of flows that it denied, and of flows that have begun.
func TestIPFIXFirewallEvents(t *testing.T) {
	tmpl := (&export{}).u16(256, 6).u16(8, 4, 12, 4, 4, 1, 233, 1, 231, 4, 232, 4)
	event := func(kind uint8, out, in uint32) *export {
		return (&export{}).u8(10, 0, 0, 1, 192, 0, 2, 1).u8(6, kind).u32(out, in)
	}
	got := decodeBytes(ten(7, (&export{}).set(2, tmpl).set(256, event(1, 0, 0)).set(256, event(3, 60, 0)).set(256, event(2, 600, 5000))), Options{})
	if len(got.records) != 2 || got.stats.Dropped["flow without packets"] != 1 || !got.records[0].Rejected || got.records[1].Rejected || got.records[1].DstBytes != 5000 {
		t.Errorf("%+v: %+v", got.stats, got.records)
	}
}

// One exporter that counts flows where they come in and where they go out has each
// twice, under two names.
func TestNetFlowDirectionsAreTwoPlaces(t *testing.T) {
	tmpl := (&export{}).u16(256, 4).u16(8, 4, 12, 4, 2, 4, 61, 1)
	body := (&export{}).u8(10, 0, 0, 1, 192, 0, 2, 1).u32(3).u8(0).u8(10, 0, 0, 1, 192, 0, 2, 1).u32(3).u8(1)
	rs := want(t, 2, nine(7, (&export{}).set(0, tmpl).set(256, body)))
	if diff := cmp.Diff([]string{"/00000007", "/00000007/out"}, []string{rs[0].Interface, rs[1].Interface}); diff != "" {
		t.Error(diff)
	}
}

// Damage costs what it must: a set too long its packet, a packet that is none the
// rest of the object, with all before it kept.
func TestNetFlowDamage(t *testing.T) {
	good := nine(7, (&export{}).set(0, basic(256)).set(256, record(1, 1000, 10, 30_000, 59_500)))
	got := decodeBytes(append(append([]byte(nil), good...), 0xff, 0xff, 0, 0), Options{})
	if e := wantError(t, got.err, "damaged export packet"); len(got.records) != 1 || e.Offset != int64(len(good)) {
		t.Errorf("%+v", e)
	}
	got = decodeBytes(good[:len(good)-3], Options{})
	if wantError(t, got.err, "cut short"); len(got.records) != 0 {
		t.Errorf("%+v", got.records)
	}
}

// TestNetFlowGoldenInputs keeps the binary inputs of the golden test what these
// builders make.
func TestNetFlowGoldenInputs(t *testing.T) {
	inputs := map[string][]byte{
		"v9": append(nine(7, (&export{}).set(256, record(1, 1000, 10, 30_000, 59_500))),
			nine(7, (&export{}).set(0, basic(256)).set(256, record(2, 500, 5, 30_000, 59_500).raw([]byte{0, 0})))...),
		"ipfix": ten(7, (&export{}).set(2, basic(300)).set(300, record(3, 500, 5, 0, 1000))),
	}
	for name, data := range inputs {
		file := filepath.Join("testdata/netflow", name+".flows")
		if *update {
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(data, kept); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}
