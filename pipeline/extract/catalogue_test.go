package extract

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"picket"
)

func TestCatalogueIsComplete(t *testing.T) {
	names := map[string]bool{}
	for _, f := range Catalogue {
		if f.Name == "" || f.Version < 1 || f.Unit == "" || f.Meaning == "" || f.Sources == "" || f.Moves == "" || f.of == nil ||
			f.State != fromSums && f.State != fromShape {
			t.Errorf("%+v: something is missing", f)
		}
		if names[f.Name] {
			t.Errorf("%s is there twice", f.Name)
		}
		names[f.Name] = true
	}
}

func TestSchema(t *testing.T) {
	a, v := Schema(picket.KindActor), Schema(picket.KindVictim)
	if len(a.Names) != len(Catalogue) || a.Match(v) != nil {
		t.Errorf("actors have %d columns, victims %d: %v", len(a.Names), len(v.Names), a.Match(v))
	}
	other := slices.Clone(Catalogue)
	other[3].Version++
	if schemaOf(other).Match(a) == nil {
		t.Error("another definition has the same hash")
	}
}

// session is the same traffic told by each kind of log: a web conversation with
// an answer, a DNS question, a scan of two ports, a ping.
func session(source string) []picket.Record {
	const client, web, dns = "10.0.0.1", "198.51.100.1", "198.51.100.53"
	const syn, ack, rst = picket.FlagSYN, picket.FlagACK, picket.FlagRST
	var records []picket.Record
	talk := func(dst string, sport, dport uint16, proto uint8, out, in uint64, size uint64, flags [2]uint8) {
		r := packet(5e9, client, sport, dst, dport, proto, 0)
		r.Source, r.Opener = source, picket.OpenerUnknown
		back := r
		back.Src, back.Dst, back.SrcPort, back.DstPort = r.Dst, r.Src, r.DstPort, r.SrcPort
		switch source {
		case picket.SourceVPC:
			r.Interface, r.Has = "eni-1", picket.HasFlags|picket.HasAction
			back.Interface, back.Has = r.Interface, r.Has
			r.SrcPackets, r.SrcBytes, r.SrcFlags = out, out*size, flags[0]&^(flags[0]&ack) // AWS leaves out a plain ACK
			back.SrcPackets, back.SrcBytes, back.SrcFlags = in, in*size, flags[1]
			records = append(records, r)
			if in > 0 {
				records = append(records, back)
			}
		case picket.SourceNetFlow:
			r.Interface, r.Has = "192.0.2.1/00000000", picket.HasFlags
			back.Interface, back.Has = r.Interface, r.Has
			r.SrcPackets, r.SrcBytes, r.SrcFlags = out, out*size, flags[0]&^(flags[0]&ack) // decode leaves out a client's ACK
			back.SrcPackets, back.SrcBytes, back.SrcFlags = in, in*size, flags[1]
			records = append(records, r)
			if in > 0 {
				records = append(records, back)
			}
		case picket.SourceZeek, picket.SourceEVE, picket.SourceALB, picket.SourceOCSF:
			r.Opener, r.Has = picket.OpenerSrc, picket.HasFlags|picket.HasPayload|picket.HasReverse
			if source == picket.SourceEVE || source == picket.SourceOCSF {
				r.Has &^= picket.HasPayload
			}
			r.SrcPackets, r.SrcBytes, r.DstPackets, r.DstBytes = out, out*size, in, in*size
			r.SrcPayload, r.SrcFlags, r.DstFlags = out*size/2, flags[0], flags[1]
			records = append(records, r)
		case picket.SourcePcap:
			for i := range max(out, in) {
				r.SrcFlags, back.SrcFlags = flags[0]&^syn, flags[1]
				if i == 0 {
					r.SrcFlags, r.Opener = flags[0]&^ack, picket.OpenerSrc
				}
				for _, p := range []*picket.Record{&r, &back} {
					p.SrcBytes, p.SrcPackets, p.SrcPayload = size, 1, size/2
					p.Has = picket.HasFlags | picket.HasPackets | picket.HasPayload
				}
				if i < out {
					records = append(records, r)
				}
				if i < in {
					records = append(records, back)
				}
			}
		}
	}
	talk(web, 40000, 443, picket.ProtoTCP, 10, 20, 600, [2]uint8{syn | ack, syn | ack})
	talk(dns, 40001, 53, picket.ProtoUDP, 1, 1, 80, [2]uint8{})
	talk(web, 40002, 81, picket.ProtoTCP, 1, 1, 40, [2]uint8{syn, rst | ack})
	talk(web, 40003, 82, picket.ProtoTCP, 1, 0, 40, [2]uint8{syn, 0})
	talk(dns, 0, 0, picket.ProtoICMP, 3, 3, 84, [2]uint8{})
	return records
}

// TestSourcesAgree wants the same numbers of the same traffic from every kind of
// log, and missing ones just where the catalogue says so.
func TestSourcesAgree(t *testing.T) {
	all := map[string]*picket.Features{}
	for _, source := range sources {
		all[source] = find(t, rows(t, session(source), options(source, 60)), picket.KindActor, "10.0.0.1", 60)
		if all[source].Flows != 5 {
			t.Errorf("%s has %d flows, want 5", source, all[source].Flows)
		}
	}
	for i, f := range Catalogue {
		if f.Sources == fromLong || f.Sources == fromTicks {
			continue // by the log's resolution, see TestTime
		}
		seen := math.NaN()
		for _, source := range sources {
			v := all[source].Values[i]
			surely, perhaps, _ := strings.Cut(f.Sources, ";")
			if has := strings.Contains(surely, source); !strings.Contains(perhaps, source) && has == math.IsNaN(v) && f.Name != "login_flow_packets_mean" && f.Name != "login_flow_bytes_cv" {
				t.Errorf("%s of %s is %v, filled by %s", f.Name, source, v, f.Sources)
			}
			if math.IsNaN(seen) {
				seen = v
			}
			if f.Sources != fromPayloads && !math.IsNaN(v) && v != seen {
				t.Errorf("%s of %s is %v, elsewhere %v", f.Name, source, v, seen)
			}
		}
	}
}

func TestFlagsOfSession(t *testing.T) {
	for _, source := range sources {
		a := find(t, rows(t, session(source), options(source, 60)), picket.KindActor, "10.0.0.1", 60)
		for name, want := range map[string]float64{"syn_share": 1, "failed_handshake_share": 2.0 / 3, "reset_share": 1.0 / 3,
			"unanswered_share": 1.0 / 5, "established_share": 1.0 / 3, "tcp_flow_share": 3.0 / 5, "unsolicited_answer_share": 0} {
			if got := value(t, a, name); got != want {
				t.Errorf("%s of %s is %v, want %v", name, source, got, want)
			}
		}
	}
	noFlags := session(picket.SourceVPC)
	for i := range noFlags {
		noFlags[i].Has, noFlags[i].SrcFlags = 0, 0
	}
	a := find(t, rows(t, noFlags, options("vpc", 60)), picket.KindActor, "10.0.0.1", 60)
	for _, name := range []string{"syn_share", "failed_handshake_share", "reset_share", "unsolicited_answer_share", "rejected_share"} {
		if got := value(t, a, name); !math.IsNaN(got) {
			t.Errorf("%s of a log without flags and actions is %v", name, got)
		}
	}
}

// TestTime wants a rhythm where there is one, and none in a steady flow of a log
// that ticks by the minute.
func TestTime(t *testing.T) {
	every := func(seconds int64, interval int64) []picket.Record {
		var records []picket.Record
		for at := int64(0); at < picket.Hour; at += seconds {
			r := vpc(at, "10.0.0.1", uint16(40000+at/60), "198.51.100.7", 443, 3, 300, picket.FlagSYN)
			r.End = r.Start + interval*1e9
			records = append(records, r)
		}
		return records
	}
	f := func(what string, records []picket.Record, want map[string]float64) {
		t.Helper()
		all := rows(t, records, options(records[0].Source, 60, 3600))
		a := find(t, all, picket.KindActor, "10.0.0.1", 3600)
		for name, w := range want {
			if got := value(t, a, name); got != w && !(math.IsNaN(got) && math.IsNaN(w)) {
				t.Errorf("%s: %s is %v, want %v", what, name, got, w)
			}
		}
		for i := range all {
			if all[i].Seconds < 3600 && !math.IsNaN(value(t, &all[i], "beacon_gaps")) {
				t.Errorf("%s: a rhythm within %d s", what, all[i].Seconds)
			}
		}
	}
	nan := math.NaN()
	f("beacon of 5 minutes", every(300, 1), map[string]float64{"beacon_gaps": 11, "beacon_gap_cv": 0, "beacon_gap_mean_seconds": 300,
		"active_tick_share": 0.2, "tick_count_cv": 2, "pair_active_share": 0.2})
	f("steady flow", every(60, 59), map[string]float64{"beacon_gaps": 0, "beacon_gap_cv": nan, "active_tick_share": 1, "tick_count_cv": 0,
		"pair_active_share": 1})
	f("steady flow of a ten-minute log", every(600, 599), map[string]float64{"beacon_gaps": nan, "active_tick_share": 1})
	v := find(t, rows(t, every(60, 59), options("vpc", 60))[:1], picket.KindActor, "10.0.0.1", 60)
	if got := value(t, v, "active_tick_share"); !math.IsNaN(got) {
		t.Errorf("ticks of %v within the log's interval", got)
	}
	p := packet(5e9, "10.0.0.1", 1, "10.0.0.2", 2, 17, 100)
	q := packet(35e9, "10.0.0.1", 1, "10.0.0.2", 2, 17, 100)
	v = find(t, rows(t, []picket.Record{p, p, q}, options("pcap", 60)), picket.KindActor, "10.0.0.1", 60)
	if got := value(t, v, "active_tick_share"); got != 2.0/60 {
		t.Errorf("two seconds of a capture are %v of the minute", got)
	}
}

// TestAttacksMoveFeatures plays small attacks and wants the features that the
// catalogue names to tell them from one another.
func TestAttacksMoveFeatures(t *testing.T) {
	f := func(what string, kind picket.Kind, id string, records []picket.Record, want map[string]float64) {
		t.Helper()
		a := find(t, rows(t, records, options("vpc", 60)), kind, id, 60)
		for name, w := range want {
			if got := value(t, a, name); math.Abs(got-w) > 1e-9 {
				t.Errorf("%s: %s is %v, want %v", what, name, got, w)
			}
		}
	}
	var flood, sweep, guess, leak, mirror []picket.Record
	for i := range 256 {
		host := fmt.Sprintf("203.0.%d.%d", i%16, i)
		flood = append(flood, vpc(0, host, uint16(1024+i), "10.0.0.9", 80, 1, 40, picket.FlagSYN))
		sweep = append(sweep, vpc(0, "198.51.100.7", uint16(40000+i), host, 22, 1, 40, picket.FlagSYN))
		guess = append(guess, vpc(0, "198.51.100.7", uint16(40000+i), "10.0.0.9", 22, 10, 1500, picket.FlagSYN),
			vpc(0, "10.0.0.9", 22, "198.51.100.7", uint16(40000+i), 10, 2500, picket.FlagSYN|picket.FlagACK))
		r := vpc(0, host, 123, "10.0.0.9", uint16(40000+i), 10, 4680, 0)
		r.Proto = picket.ProtoUDP
		mirror = append(mirror, r)
	}
	leak = append(leak, vpc(0, "10.0.0.9", 40000, "198.51.100.7", 443, 900, 1200000, picket.FlagSYN),
		vpc(0, "10.0.0.9", 40001, "10.0.0.8", 443, 90, 400000, picket.FlagSYN))
	f("flood", picket.KindVictim, "10.0.0.9", flood, map[string]float64{"peers": 256, "peer_subnets": 16, "peer_ip_entropy": 8,
		"peer_ip_entropy_normalised": 1, "peer_subnet_entropy": 4, "service_port_entropy": 0, "peers_per_port_max": 256,
		"failed_handshake_share": 1, "unanswered_share": 1, "top_service_port_flow_share": 1, "ports_per_peer_max": 1})
	f("sweep", picket.KindActor, "198.51.100.7", sweep, map[string]float64{"peers": 256, "targets": 256, "peers_per_port_max": 256,
		"flows_per_target_max": 1, "login_port_share": 1, "established_share": 0})
	f("guess", picket.KindActor, "198.51.100.7", guess, map[string]float64{"login_flows_per_target_max": 256, "login_flow_bytes_cv": 0,
		"login_flow_packets_mean": 20, "flows_per_target_mean": 256, "established_share": 1, "client_port_entropy": 8})
	f("leak", picket.KindActor, "10.0.0.9", leak, map[string]float64{"byte_ratio_out": 1, "external_byte_share_out": 0.75,
		"top_external_peer_bytes_out_per_second": 20000, "top_peer_byte_share_out": 0.75})
	f("mirror", picket.KindVictim, "10.0.0.9", mirror, map[string]float64{"amplifier_byte_share": 1, "client_port_entropy": 0,
		"udp_packet_share": 1, "packet_size_mean_in": 468})
}
