//go:build unix

package extract

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"picket"
)

// cloud returns n VPC records like a subnet's: most of them conversations in
// both directions of 200 hosts with 20,000 others over an hour, some of a flood
// of spoofed sources.
func cloud(n int) []picket.Record {
	rng := rand.New(rand.NewPCG(31, 32))
	records := make([]picket.Record, 0, n+1)
	for len(records) < n {
		host := netip.AddrFrom4([4]byte{10, 0, 0, byte(rng.IntN(200))})
		peer := netip.AddrFrom4([4]byte{198, byte(rng.IntN(4)), byte(rng.IntN(20)), byte(rng.IntN(256))})
		r := picket.Record{Source: picket.SourceVPC, Interface: "eni-0123456789abcdef0", Line: uint64(len(records)),
			Start: (t0 + rng.Int64N(3500)) * 1e9, Src: peer, Dst: host, SrcPort: uint16(32768 + rng.IntN(28000)), DstPort: 443,
			Proto: picket.ProtoTCP, SrcPackets: 1 + rng.Uint64N(30), Has: picket.HasAction}
		if rng.IntN(10) == 0 { // the flood
			r.Dst = netip.AddrFrom4([4]byte{10, 0, 0, 1})
			r.Src = netip.AddrFrom4([4]byte{byte(1 + rng.IntN(200)), byte(rng.IntN(256)), byte(rng.IntN(256)), byte(rng.IntN(256))})
			r.SrcPackets = 1
		}
		r.SrcBytes = r.SrcPackets * 100
		r.End = r.Start + rng.Int64N(30)*1e9
		records = append(records, r)
		if r.SrcPackets > 1 {
			r.Src, r.Dst, r.SrcPort, r.DstPort, r.SrcBytes = r.Dst, r.Src, r.DstPort, r.SrcPort, 12*r.SrcBytes
			records = append(records, r)
		}
	}
	return records[:n]
}

const benchRecords = 400_000

// cpu returns the CPU time of the process so far: on a shared machine the clock
// says little.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func perRecord(b *testing.B, f func()) {
	var total time.Duration
	for b.Loop() {
		start := cpu(b)
		f()
		total += cpu(b) - start
	}
	b.ReportMetric(float64(b.N)*benchRecords/total.Seconds()/1e6, "Mrecords/cpu-s")
}

func BenchmarkBuild(b *testing.B) {
	records := cloud(benchRecords)
	perRecord(b, func() { build(b, Options{}, "raw/a", records) })
}

func BenchmarkWindows(b *testing.B) {
	parts := build(b, Options{}, "raw/a", cloud(benchRecords))
	for _, widths := range [][]int64{{60, 3600}, {86400}} {
		b.Run(fmt.Sprint(widths), func(b *testing.B) {
			o := options("vpc", widths...)
			perRecord(b, func() {
				if _, err := Windows(context.Background(), parts, o, func(*picket.Features) error { return nil }); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}
