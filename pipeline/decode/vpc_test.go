package decode

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"picket"
)

// vpcHeader is the order that the tests of this file write rows in.
const vpcHeader = "interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr srcport dstport protocol packets bytes start end action tcp-flags log-status\n"

func TestVPC(t *testing.T) {
	const second = int64(time.Second)
	usual := picket.Record{
		Source: picket.SourceVPC, Interface: "eni-1", Line: 2, Start: 1600000000 * second, End: 1600000060 * second,
		Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), SrcPort: 1000, DstPort: 80, Proto: 6,
		SrcPackets: 5, SrcBytes: 400, SrcFlags: 2, Opener: picket.OpenerSrc, Has: picket.HasAction | picket.HasFlags,
	}
	f := func(name, row string, change func(*picket.Record)) {
		t.Helper()
		want := usual
		change(&want)
		got := decodeString(vpcHeader + row + "\n")
		if got.err != nil || len(got.records) != 1 || got.records[0] != want {
			t.Errorf("%s: %+v, rejects %v, error %v\nwant %+v", name, got.records, got.rejects, got.err, want)
		}
	}
	f("as it is", "eni-1 10.0.0.1 10.0.0.2 - - 1000 80 6 5 400 1600000000 1600000060 ACCEPT 2 OK",
		func(r *picket.Record) {})
	f("the packet's own addresses say who", "eni-1 10.0.0.1 10.0.0.2 192.0.2.9 192.0.2.8 1000 80 6 5 400 1600000000 1600000060 ACCEPT 2 OK",
		func(r *picket.Record) {
			r.Src, r.Dst = netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("192.0.2.8")
		})
	f("refused", "eni-1 10.0.0.1 10.0.0.2 - - 1000 80 6 5 400 1600000000 1600000060 REJECT 2 OK",
		func(r *picket.Record) { r.Rejected = true })
	f("unset is not zero", "- 10.0.0.1 10.0.0.2 - - - - 6 5 400 1600000000 - - - OK",
		func(r *picket.Record) {
			r.Interface, r.SrcPort, r.DstPort, r.End = "", 0, 0, r.Start
			r.SrcFlags, r.Opener, r.Has = 0, picket.OpenerUnknown, 0
		})
	f("SYN-ACK answers", "eni-1 10.0.0.1 10.0.0.2 - - 1000 80 6 5 400 1600000000 1600000060 ACCEPT 19 OK",
		func(r *picket.Record) { r.SrcFlags, r.Opener = 19, picket.OpenerDst })
	f("no supported flag", "eni-1 10.0.0.1 10.0.0.2 - - 1000 80 6 5 400 1600000000 1600000060 ACCEPT 0 OK",
		func(r *picket.Record) { r.SrcFlags, r.Opener = 0, picket.OpenerUnknown })
	f("UDP has no flags", "eni-1 10.0.0.1 10.0.0.2 - - 1000 80 17 5 400 1600000000 1600000060 ACCEPT 0 OK",
		func(r *picket.Record) {
			r.Proto, r.SrcFlags, r.Opener, r.Has = 17, 0, picket.OpenerUnknown, picket.HasAction
		})
	f("ICMP has no ports", "eni-1 10.0.0.1 10.0.0.2 - - 8 0 1 5 400 1600000000 1600000060 ACCEPT 0 OK",
		func(r *picket.Record) {
			r.Proto, r.SrcPort, r.DstPort, r.SrcFlags, r.Opener, r.Has = 1, 0, 0, 0, picket.OpenerUnknown, picket.HasAction
		})
	f("end before start", "eni-1 10.0.0.1 10.0.0.2 - - 1000 80 6 5 400 1600000000 1599999990 ACCEPT 2 OK",
		func(r *picket.Record) { r.End = r.Start })
	f("IPv4 in IPv6", "eni-1 ::ffff:10.0.0.1 ::ffff:a00:2 - - 1000 80 6 5 400 1600000000 1600000060 ACCEPT 2 OK",
		func(r *picket.Record) {})
	f("IPv6", "eni-1 2001:db8::1 2001:db8::2 - - 1000 80 6 5 400 1600000000 1600000060 ACCEPT 2 OK",
		func(r *picket.Record) {
			r.Src, r.Dst = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
		})
	f("lost", "eni-1 - - - - - - - - - 1600000000 1600000060 - - SKIPDATA",
		func(r *picket.Record) {
			*r = picket.Record{Source: r.Source, Interface: r.Interface, Line: r.Line, Start: r.Start, End: r.End, Lost: true}
		})
}

// A row that is in the same place of every version but means nothing here must
// not be taken for traffic of nobody.
func TestVPCNoData(t *testing.T) {
	got := decodeString(vpcHeader + "eni-1 - - - - - - - - - 1600000000 1600000060 - - NODATA\n")
	if got.err != nil || len(got.records) != 0 || len(got.rejects) != 0 || got.stats.Dropped["no data"] != 1 {
		t.Errorf("%+v", got)
	}
}

func TestVPCMissingColumn(t *testing.T) {
	for _, name := range []string{"srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "start"} {
		header := strings.ReplaceAll(vpcHeader, "pkt-"+name+" ", "")
		header = strings.Replace(header, " "+name+" ", " ", 1)
		got := decodeString("srcaddr dstaddr srcport dstport protocol packets bytes start\n" + header)
		if e := wantError(t, got.err, "header lacks a column"); !strings.Contains(e.Hint, name) {
			t.Errorf("without %s: %v", name, e)
		}
	}
}

// Interface names come from the log: their number must not grow the memory.
func TestNamesBounded(t *testing.T) {
	var n names
	buf := make([]byte, 8)
	for i := range 2 * maxNames {
		for j := range buf {
			buf[j] = 'a' + byte(i>>(4*j)&15)
		}
		if s := n.of(buf); s != string(buf) {
			t.Fatalf("%q of %q", s, buf)
		}
	}
	if len(n.all) != maxNames {
		t.Errorf("%d names kept, want %d", len(n.all), maxNames)
	}
}
