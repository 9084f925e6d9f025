package extract

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"picket"
)

// naive recomputes features of one actor from the records of one minute, the
// plain way: maps of keys, floats, math.Log2. Its records name the opener
// themselves, in both directions.
type naive struct {
	flows           map[string]bool
	peers           map[string]float64
	servicePorts    map[string]float64
	clientPorts     map[string]float64
	targets         map[string]float64
	protocols       map[string]float64
	sizes           []float64
	bytesOut, bytes float64
	packets         float64
}

func entropyOf(counts map[string]float64) float64 {
	var n, h float64
	for _, c := range counts {
		n += c
	}
	for _, c := range counts {
		h -= c / n * math.Log2(c/n)
	}
	return h
}

func varianceOf(values []float64) float64 {
	var mean, sum float64
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		sum += (v - mean) * (v - mean)
	}
	return sum / float64(len(values))
}

func (n *naive) add(r *picket.Record, actor string) {
	src, dst, sport, dport := r.Src.String(), r.Dst.String(), r.SrcPort, r.DstPort
	n.bytes += float64(r.SrcBytes)
	n.packets += float64(r.SrcPackets)
	n.sizes = append(n.sizes, float64(r.SrcBytes))
	if src == actor {
		n.bytesOut += float64(r.SrcBytes)
	} else {
		src, dst, sport, dport = dst, src, dport, sport
	}
	key := fmt.Sprint(dst, " ", sport, dport, r.Proto)
	if n.flows[key] {
		return
	}
	n.flows[key] = true
	n.peers[dst]++
	n.protocols[fmt.Sprint(group(r.Proto))]++
	if hasPorts(r.Proto) {
		n.servicePorts[fmt.Sprint(dport)]++
		n.clientPorts[fmt.Sprint(sport)]++
	}
	n.targets[fmt.Sprint(dst, " ", dport)]++
}

// TestAgainstNaive compares features with a direct computation from records.
func TestAgainstNaive(t *testing.T) {
	const actor = "10.0.0.1"
	rng := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		n := naive{map[string]bool{}, map[string]float64{}, map[string]float64{}, map[string]float64{}, map[string]float64{},
			map[string]float64{}, nil, 0, 0, 0}
		var records []picket.Record
		for i := range 1 + rng.IntN(400) {
			r := packet(int64(i)*1e6, actor, uint16(40000+rng.IntN(9)), fmt.Sprintf("198.51.%d.%d", rng.IntN(3), rng.IntN(20)),
				uint16(20+rng.IntN(9)), []uint8{6, 17, 1, 47}[rng.IntN(4)], uint64(40+rng.IntN(1460)))
			if rng.IntN(2) == 0 && i > 0 {
				q := records[rng.IntN(i)] // the way back of one before
				if q.Src == r.Src {
					q.Src, q.Dst, q.SrcPort, q.DstPort, q.Opener = q.Dst, q.Src, q.DstPort, q.SrcPort, picket.OpenerDst
				}
				q.SrcBytes = r.SrcBytes
				r = q
			}
			records = append(records, r)
			n.add(&r, actor)
		}
		f := find(t, rows(t, records, options("pcap", 60)), picket.KindActor, actor, 60)
		near := func(name string, want float64) {
			t.Helper()
			if got := value(t, f, name); math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) && !(math.IsNaN(got) && math.IsNaN(want)) {
				t.Errorf("%s is %v, directly %v", name, got, want)
			}
		}
		near("flow_count", float64(len(n.flows)))
		near("peers", float64(len(n.peers)))
		near("targets", float64(len(n.targets)))
		near("service_ports", float64(len(n.servicePorts)))
		near("peer_ip_entropy", entropyOf(n.peers))
		near("protocol_entropy", entropyOf(n.protocols))
		if len(n.servicePorts) > 0 {
			near("service_port_entropy", entropyOf(n.servicePorts))
			near("client_port_entropy", entropyOf(n.clientPorts))
		}
		if len(n.peers) > 1 {
			near("peer_ip_entropy_normalised", entropyOf(n.peers)/math.Log2(float64(len(n.peers))))
		}
		near("packet_size_mean", n.bytes/n.packets)
		near("packet_size_variance", varianceOf(n.sizes))
		near("byte_ratio_out", n.bytesOut/n.bytes)
		near("bytes_out_per_second", n.bytesOut/60)
		near("bytes_per_flow", n.bytes/float64(len(n.flows)))
	}
}

// packet returns a captured packet of size bytes, so many nanoseconds into the hour.
func packet(after int64, src string, sport uint16, dst string, dport uint16, proto uint8, size uint64) picket.Record {
	r := picket.Record{
		Source: picket.SourcePcap, Start: t0*1e9 + after, End: t0*1e9 + after, Src: ip(src), Dst: ip(dst), Proto: proto,
		SrcPackets: 1, SrcBytes: size, Has: picket.HasPackets, Opener: picket.OpenerSrc,
	}
	if hasPorts(proto) {
		r.SrcPort, r.DstPort = sport, dport
	}
	return r
}

// TestFlowMeanVariance compares the variance of a flow log's mean packet sizes,
// weighted by packets, with a direct computation.
func TestFlowMeanVariance(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for range 100 {
		var records []picket.Record
		var sizes []float64
		for i := range 1 + rng.IntN(50) {
			packets := uint64(1 + rng.IntN(20))
			octets := packets*40 + uint64(rng.IntN(20000))
			records = append(records, vpc(0, "10.0.0.1", uint16(40000+i), "10.0.0.2", 443, packets, octets, picket.FlagSYN))
			for range packets {
				sizes = append(sizes, float64(octets)/float64(packets))
			}
		}
		f := find(t, rows(t, records, options("vpc", 60)), picket.KindActor, "10.0.0.1", 60)
		got, want := value(t, f, "flow_mean_packet_size_variance"), varianceOf(sizes)
		// Each row's square is cut to 1/65536: per packet no more than that.
		if math.Abs(got-want) > 1.0/65536+1e-9*want {
			t.Errorf("variance %v, directly %v", got, want)
		}
		if !math.IsNaN(value(t, f, "packet_size_variance")) {
			t.Error("a flow log tells a variance of packets")
		}
	}
}

func TestVarianceIsExact(t *testing.T) {
	f := func(want float64, values ...uint64) {
		t.Helper()
		var sum uint64
		var squares uint128
		for _, v := range values {
			sum += v
			squares.add(square(v))
		}
		if got := variance(uint64(len(values)), sum, squares, 0); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("variance of %v is %v, want %v", values, got, want)
		}
	}
	f(math.NaN(), []uint64{}...)
	f(0, 60)
	f(0, 1500, 1500, 1500)
	f(0.25, 1<<53, 1<<53+1) // floats cannot tell the two apart
	f(0.25, 1<<62, 1<<62+1)
	f(1, 1, 3)
}

func TestLog2(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for i := range 200_000 {
		x := float64(i + 1)
		if i > 100_000 {
			x = math.Ldexp(1+rng.Float64(), rng.IntN(120)-60)
		}
		want := math.Log2(x)
		if got := log2(x); math.Abs(got-want) > 5e-16*max(1, math.Abs(want)) {
			t.Fatalf("log2(%v) = %v, want %v", x, got, want)
		}
	}
	for e := -60; e < 60; e++ {
		if got := log2(math.Ldexp(1, e)); got != float64(e) {
			t.Errorf("log2(2^%d) = %v", e, got)
		}
	}
}
