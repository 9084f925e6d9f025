package extract

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"

	"picket"
)

// Feature is one entry of the catalogue.
//
// In names and meanings, "out" is sent by the entity and "in" is received by it;
// a "peer" is its other side; a "flow" is one conversation, however many records
// it has; the "opener" of a flow is its actor, the one opened to its victim; the
// "service port" is the port opened to and the "client port" the one opened
// from, whoever of them the entity is; a "target" is one peer with one service
// port.
type Feature struct {
	Name    string
	Version int // counts up when the meaning changes under the same name
	Unit    string
	Meaning string
	State   string // what of a window it is computed from
	Sources string // logs that can fill it; elsewhere it is missing
	Moves   string // attacks that move it

	of func(w *window) float64
}

// States.
const (
	fromSums  = "sums"  // adds up over entities: the remainder row has it
	fromShape = "shape" // distinct keys, distributions, largest values, times: the remainder row lacks it
)

// Sources.
const (
	fromAll      = "vpc zeek pcap"
	fromPackets  = "pcap"
	fromPayloads = "zeek pcap"
	fromActions  = "vpc"
	fromFlags    = "vpc with tcp-flags, zeek, pcap"
	fromTicks    = "zeek pcap; vpc where the window is longer than the log's interval"
	fromLong     = "all, in windows of several of the log's intervals"
)

// Schema returns the columns of the features of one kind of entity. Actors and
// victims have the same. Other kinds have none here.
func Schema(kind picket.Kind) picket.Schema {
	if kind != picket.KindActor && kind != picket.KindVictim {
		return picket.Schema{}
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "entities %d\n", DefaultMaxEntities)
	names := make([]string, len(Catalogue))
	for i, f := range Catalogue {
		names[i] = f.Name
		fmt.Fprintf(hash, "%s %d\n", f.Name, f.Version)
	}
	return picket.Schema{Names: names, Hash: hex.EncodeToString(hash.Sum(nil)[:8])}
}

// values computes the features of a closed window.
func (w *window) values() []float64 {
	values := make([]float64, len(Catalogue))
	for i := range Catalogue {
		f := &Catalogue[i]
		if w.rest && f.State == fromShape {
			values[i] = math.NaN()
			continue
		}
		values[i] = f.of(w)
	}
	return values
}

func (w *window) perSecond(n uint64) float64 { return float64(n) / float64(w.elapsed) }

func share(part, whole uint64) float64 { return ratio(float64(part), float64(whole)) }

// Catalogue is every feature of actors and victims, in the order of a row.
var Catalogue = []Feature{
	// Volume.
	{"elapsed_seconds", 1, "s", "seconds of the window covered so far", fromSums, fromAll, "none: tells a partial window from a quiet one",
		func(w *window) float64 { return float64(w.elapsed) }},
	{"flows", 1, "flows", "conversations in the window", fromSums, fromAll, "ddos, scan, bruteforce",
		func(w *window) float64 { return float64(w.flows) }},
	{"flows_per_second", 1, "flows/s", "conversations per elapsed second", fromSums, fromAll, "ddos, scan, bruteforce",
		func(w *window) float64 { return w.perSecond(w.flows) }},
	{"packets_out_per_second", 1, "packets/s", "packets sent", fromSums, fromAll, "ddos (actor), exfiltration",
		func(w *window) float64 { return w.perSecond(w.out.packets) }},
	{"packets_in_per_second", 1, "packets/s", "packets received", fromSums, fromAll, "ddos (victim)",
		func(w *window) float64 { return w.perSecond(w.in.packets) }},
	{"bytes_out_per_second", 1, "bytes/s", "IP bytes sent", fromSums, fromAll, "exfiltration",
		func(w *window) float64 { return w.perSecond(w.out.bytes) }},
	{"bytes_in_per_second", 1, "bytes/s", "IP bytes received", fromSums, fromAll, "ddos (victim)",
		func(w *window) float64 { return w.perSecond(w.in.bytes) }},
	{"byte_ratio_out", 1, "share", "bytes sent by bytes sent and received", fromSums, fromAll, "exfiltration, ddos",
		func(w *window) float64 { return share(w.out.bytes, w.out.bytes+w.in.bytes) }},
	{"packets_per_flow", 1, "packets", "packets both ways per conversation", fromSums, fromAll, "scan, ddos (few), exfiltration (many)",
		func(w *window) float64 { return share(w.out.packets+w.in.packets, w.flows) }},
	{"bytes_per_flow", 1, "bytes", "bytes both ways per conversation", fromSums, fromAll, "scan, ddos (few), exfiltration (many)",
		func(w *window) float64 { return share(w.out.bytes+w.in.bytes, w.flows) }},

	// Packet sizes.
	{"packet_size_mean", 1, "bytes", "bytes by packets, both ways", fromSums, fromAll, "ddos, scan",
		func(w *window) float64 { return share(w.out.bytes+w.in.bytes, w.out.packets+w.in.packets) }},
	{"packet_size_mean_out", 1, "bytes", "bytes by packets sent", fromSums, fromAll, "exfiltration, c2",
		func(w *window) float64 { return share(w.out.bytes, w.out.packets) }},
	{"packet_size_mean_in", 1, "bytes", "bytes by packets received", fromSums, fromAll, "ddos (amplification)",
		func(w *window) float64 { return share(w.in.bytes, w.in.packets) }},
	{"packet_size_variance", 1, "bytes²", "variance of the size of single packets, both ways", fromSums, fromPackets, "ddos (one size)",
		func(w *window) float64 { return variance(w.packets.count, w.packets.bytes, w.packets.squares, 0) }},
	{"flow_mean_packet_size_variance", 1, "bytes²", "variance of mean packet sizes: one mean per conversation, minute and direction, weighted by packets. Not the variance of packets, which a flow log does not tell",
		fromSums, fromAll, "ddos, scan, bruteforce (one size)",
		func(w *window) float64 {
			return variance(w.out.packets+w.in.packets, w.out.bytes+w.in.bytes, w.meanSquares, 16)
		}},

	// Protocols.
	{"tcp_flow_share", 1, "share", "conversations that are TCP", fromSums, fromAll, "ddos, scan",
		func(w *window) float64 { return share(w.group[groupTCP], w.flows) }},
	{"udp_flow_share", 1, "share", "conversations that are UDP", fromSums, fromAll, "ddos, scan",
		func(w *window) float64 { return share(w.group[groupUDP], w.flows) }},
	{"icmp_flow_share", 1, "share", "conversations that are ICMP", fromSums, fromAll, "scan (ping sweep), ddos",
		func(w *window) float64 { return share(w.group[groupICMP], w.flows) }},
	{"protocol_entropy", 1, "bits", "entropy of conversations over TCP, UDP, ICMP and other", fromSums, fromAll, "ddos, scan (one protocol)",
		func(w *window) float64 { return groupEntropy(&w.group) }},

	// Peers and ports.
	{"peers", 1, "addresses", "distinct peers", fromShape, fromAll, "scan (horizontal), ddos",
		func(w *window) float64 { return float64(w.peers.keys) }},
	{"service_ports", 1, "ports", "distinct service ports", fromShape, fromAll, "scan (vertical)",
		func(w *window) float64 { return float64(w.servicePort.keys) }},
	{"targets", 1, "targets", "distinct pairs of peer and service port", fromShape, fromAll, "scan",
		func(w *window) float64 { return float64(w.targets) }},
	{"peer_ip_entropy", 1, "bits", "entropy of conversations over peers", fromShape, fromAll, "ddos, scan",
		func(w *window) float64 { return w.peers.bits() }},
	{"service_port_entropy", 1, "bits", "entropy of conversations over service ports", fromShape, fromAll, "scan (vertical)",
		func(w *window) float64 { return w.servicePort.bits() }},
	{"client_port_entropy", 1, "bits", "entropy of conversations over client ports", fromShape, fromAll, "ddos (spoofed: high; reflected: low)",
		func(w *window) float64 { return w.clientPort.bits() }},
	{"ports_per_peer_max", 1, "ports", "most service ports between the entity and one peer", fromShape, fromAll, "scan (vertical)",
		func(w *window) float64 { return float64(w.portsPerPeer) }},
	{"peers_per_port_max", 1, "addresses", "most peers on one service port", fromShape, fromAll, "scan (horizontal), ddos",
		func(w *window) float64 { return float64(w.peersPerPort) }},
}

func groupEntropy(counts *[groups]uint64) float64 {
	var e entropy
	for _, n := range counts {
		if n > 0 {
			e.add(n)
		}
	}
	return e.bits()
}
