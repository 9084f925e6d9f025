package extract

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"

	"picket"
)

// traffic returns n random records of a source that are hard to sum: few
// addresses and ports so that keys meet, both directions, several interfaces,
// long records over minutes and hours, marks of loss, every protocol.
func traffic(rng *rand.Rand, source string, n int) []picket.Record {
	hosts := []netip.Addr{ip("10.0.0.1"), ip("10.0.0.2"), ip("10.0.1.3"), ip("198.51.100.7"), ip("203.0.113.9"),
		ip("2001:db8::1"), ip("2001:db8:0:1::2"), ip("8.8.8.8")}
	ports := []uint16{22, 53, 80, 443, 3389, 40001, 40002, 51000}
	protos := []uint8{picket.ProtoTCP, picket.ProtoTCP, picket.ProtoUDP, picket.ProtoICMP, 47}
	records := make([]picket.Record, n)
	for i := range records {
		r := &records[i]
		r.Source, r.Line = source, uint64(i+1)
		r.Start = t0*1e9 + rng.Int64N(2*picket.Hour*1e9)
		r.End = r.Start
		if source == picket.SourceVPC {
			r.Interface = []string{"eni-a", "eni-b", "eni-c"}[rng.IntN(3)]
			r.Start -= r.Start % 1e9
			r.End = r.Start + rng.Int64N(60)*1e9
			if r.Interface == "eni-c" {
				r.End = r.Start + rng.Int64N(600)*1e9
			}
			if r.Lost = rng.IntN(50) == 0; r.Lost {
				continue
			}
		}
		if source == picket.SourceNetFlow || source == picket.SourceEVE {
			r.Interface = []string{"", "192.0.2.1/00000000", "192.0.2.1/00000000/out"}[rng.IntN(3)]
		}
		r.Src, r.Dst = hosts[rng.IntN(len(hosts))], hosts[rng.IntN(len(hosts))]
		r.Proto = protos[rng.IntN(len(protos))]
		if hasPorts(r.Proto) {
			r.SrcPort, r.DstPort = ports[rng.IntN(len(ports))], ports[rng.IntN(len(ports))]
		}
		r.SrcPackets = uint64(1 + rng.IntN(9))
		r.SrcBytes = r.SrcPackets * uint64(40+rng.IntN(1460))
		r.SrcFlags = uint8(rng.IntN(64))
		r.Has = []picket.Has{picket.HasFlags, picket.HasFlags, 0}[rng.IntN(3)]
		fillSource(rng, r)
	}
	return records
}

func fillSource(rng *rand.Rand, r *picket.Record) {
	switch r.Source {
	case picket.SourceVPC:
		r.Has |= picket.HasAction
		r.Rejected = rng.IntN(5) == 0
	case picket.SourceZeek:
		r.End = r.Start + rng.Int64N(picket.Hour*1e9)
		r.DstPackets = uint64(rng.IntN(5))
		r.DstBytes = r.DstPackets * 100
		r.SrcPayload, r.Opener = r.SrcBytes/2, picket.OpenerSrc
		r.Has |= picket.HasReverse | picket.HasPayload
	case picket.SourceNetFlow:
		r.End = r.Start + rng.Int64N(1800*1e9)
		if rng.IntN(4) == 0 { // both directions, and what a firewall decided
			r.DstPackets, r.DstBytes = uint64(rng.IntN(5)), uint64(rng.IntN(5000))
			r.Has |= picket.HasReverse | picket.HasAction
			r.Opener, r.Rejected = picket.OpenerSrc, rng.IntN(2) == 0
		}
	case picket.SourceEVE, picket.SourceOCSF:
		r.End = r.Start + rng.Int64N(picket.Hour*1e9)
		r.DstPackets = uint64(rng.IntN(5))
		r.DstBytes = r.DstPackets * 100
		r.Opener = picket.OpenerSrc
		r.Has |= picket.HasReverse
	case picket.SourceALB:
		r.End = r.Start + rng.Int64N(60*1e9)
		r.DstPackets, r.DstBytes, r.DstPayload = 3, 1000, 880
		r.SrcPayload, r.Opener = r.SrcBytes/2, picket.OpenerSrc
		r.Has |= picket.HasReverse | picket.HasPayload
	case picket.SourcePcap:
		r.SrcPackets, r.Fragment = 1, rng.IntN(9) == 0
		r.SrcBytes = uint64(40 + rng.IntN(1460))
		r.Opener = picket.Opener(rng.IntN(3))
		r.Has |= picket.HasPackets | picket.HasPayload
	}
}

// cut deals records out to objects at random, each in an order of its own, and
// builds their parts with the given bound.
func cut(t *testing.T, rng *rand.Rand, dir string, records []picket.Record, objects, maxRows int) []Part {
	t.Helper()
	deck := make([][]picket.Record, objects)
	for _, i := range rng.Perm(len(records)) {
		o := rng.IntN(objects)
		deck[o] = append(deck[o], records[i])
	}
	var parts []Part
	for i, records := range deck {
		parts = append(parts, build(t, Options{MaxRows: maxRows, TempDir: dir}, string(rune('a'+i)), records)...)
	}
	rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return parts
}

// TestAnyCutGivesTheSameFeatures cuts records into objects 1,000 times, with
// bounds on rows and entities below, at and above what is needed, and wants the
// bits of one read of one object in memory.
func TestAnyCutGivesTheSameFeatures(t *testing.T) {
	const trials = 1000
	rng, dir := rand.New(rand.NewPCG(1, 2)), t.TempDir()
	for trial := range trials {
		source := sources[trial%len(sources)]
		size := 20 + rng.IntN(100)
		if trial%100 == 0 {
			size = 3000 // so that a Builder's index grows
		}
		records := traffic(rng, source, size)
		o := options(source, 60, 600, 3600, 86400)
		o.From, o.To = t0-t0%picket.Day, t0-t0%picket.Day+picket.Day
		o.MaxEntities = []int{1, 3, 7, 8, 9, 100}[rng.IntN(6)]
		want := encode(closeAll(t, build(t, Options{}, "one", records), o))

		var n int
		for _, p := range build(t, Options{}, "one", records) {
			n += countRows(t, p)
		}
		bounds := []int{n / 3, n - 1, n, n + 1, 10 * n}
		o.MaxRows = 4 * max(1, bounds[rng.IntN(len(bounds))]) // it is shared among two kinds and two spans
		o.TempDir = dir
		parts := cut(t, rng, o.TempDir, records, 1+rng.IntN(6), max(1, bounds[rng.IntN(len(bounds))]))
		if got := encode(closeAll(t, parts, o)); !bytes.Equal(got, want) {
			t.Fatalf("trial %d: %s in %d parts, %d rows in memory: other features than in one read", trial, source, len(parts), o.MaxRows)
		}
	}
}

func countRows(t *testing.T, p Part) int {
	t.Helper()
	r, err := openPart(p)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	n := 0
	if err := copyRows(r, func(*flow) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestMoreThanFanIn has more runs and more parts than are merged at once.
func TestMoreThanFanIn(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	records := traffic(rng, picket.SourcePcap, 3*fanIn)
	for i := range records {
		records[i].Start = t0*1e9 + records[i].Start%(picket.Hour*1e9)
		records[i].End = records[i].Start
	}
	o := options(picket.SourcePcap, 60, 3600)
	want := encode(closeAll(t, build(t, Options{}, "one", records), o))
	o.TempDir = t.TempDir()
	for _, objects := range []int{1, fanIn, fanIn + 1, 2*fanIn + 1} {
		for _, maxRows := range []int{4, 1000} {
			o.MaxRows = maxRows
			if got := encode(closeAll(t, cut(t, rng, o.TempDir, records, objects, maxRows), o)); !bytes.Equal(got, want) {
				t.Errorf("%d objects, %d rows in memory: other features than in one read", objects, maxRows)
			}
		}
	}
}

// TestFarFutureChangesNothing adds one record of the year 2100.
func TestFarFutureChangesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, source := range sources {
		records := traffic(rng, source, 100)
		o := options(source, 60, 3600)
		want := encode(rows(t, records, o))
		late := records[0]
		for late.Lost {
			late = records[rng.IntN(len(records))]
		}
		late.Start, late.End = 4102444800e9, 4102444800e9
		late.SrcPackets, late.SrcBytes = 1e12, 1e15
		records = append(records, late)
		if got := encode(rows(t, records, o)); !bytes.Equal(got, want) {
			t.Errorf("%s: a record dated 2100 changes rows of 2026", source)
		}
	}
}
