package extract

import (
	"math"
	"testing"

	"picket"
)

// exported is a record of an exporter of NetFlow.
func exported(place string, start, end int64, src string, sport uint16, dst string, dport uint16, packets, octets uint64) picket.Record {
	r := vpc(start, src, sport, dst, dport, packets, octets, 0)
	r.Source, r.Interface, r.End = picket.SourceNetFlow, place, (t0+end)*1e9
	r.Has = picket.HasFlags
	return r
}

// TestEachDirectionFromTheExporterThatSawMore has a conversation whose two directions
// pass two exporters, and one that passes both whole.
func TestEachDirectionFromTheExporterThatSawMore(t *testing.T) {
	const a, b, c = "10.0.0.1", "198.51.100.1", "198.51.100.2"
	records := []picket.Record{
		exported("east", 0, 30, a, 40000, b, 443, 10, 1000), exported("west", 0, 30, b, 443, a, 40000, 20, 9000),
		exported("east", 0, 30, a, 40001, c, 443, 10, 1000), exported("east", 0, 30, c, 443, a, 40001, 20, 9000),
		exported("west", 0, 30, a, 40001, c, 443, 9, 900), exported("west", 0, 30, c, 443, a, 40001, 20, 9000),
	}
	f := find(t, rows(t, records, options(picket.SourceNetFlow, 60)), picket.KindActor, a, 60)
	out, in := math.Round(value(t, f, "bytes_out_per_second")*60), math.Round(value(t, f, "bytes_in_per_second")*60)
	if f.Flows != 2 || out != 2000 || in != 18000 {
		t.Errorf("%d flows, %v bytes out, %v in", f.Flows, out, in)
	}
}

// TestNoBeaconOfTheLogsOwnTick wants no rhythm of one long download, however its log
// cuts it into records, and the rhythm of what does call every five minutes.
func TestNoBeaconOfTheLogsOwnTick(t *testing.T) {
	f := func(what, source string, interval, every int64, regular bool) {
		t.Helper()
		var records []picket.Record
		for at := int64(0); at < picket.Hour; at += every {
			last := min(at+interval, picket.Hour) - 1
			if regular {
				last = at + 1
			}
			r := exported("", at, last, "10.0.0.1", 40000, "198.51.100.7", 443, uint64(10*interval), uint64(1000*interval))
			if regular { // a connection of its own each time
				r.SrcPort += uint16(at / 60)
			}
			r.Source = source
			records = append(records, r)
		}
		row := find(t, rows(t, records, options(source, 3600)), picket.KindActor, "10.0.0.1", 3600)
		if gaps := value(t, row, "beacon_gaps"); (gaps > 0) != regular || math.IsNaN(gaps) {
			t.Errorf("%s: %v gaps of a beacon", what, gaps)
		}
	}
	f("a flow log of 60 s", picket.SourceVPC, 60, 60, false)
	f("an active timeout of 60 s", picket.SourceNetFlow, 60, 60, false)
	f("an active timeout of 5 min", picket.SourceNetFlow, 300, 300, false)
	f("an active timeout of 12 min", picket.SourceNetFlow, 720, 720, false)
	f("a call every 5 min, by an exporter", picket.SourceNetFlow, 60, 300, true)
	f("a call every 5 min, by a flow log", picket.SourceVPC, 60, 300, true)
	f("a call every 5 min, by Suricata", picket.SourceEVE, 60, 300, true)
}
